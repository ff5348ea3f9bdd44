//! The server and the station's credential for it.

use jiff::Timestamp;

use crate::{Refusal, Secret};

words! {
    /// What the station logs in to the server with.
    pub enum Credential {
        /// Nothing.
        None = "none",
        /// Name and password that an operator entered; gone at power-off.
        Login = "login",
        /// An API key from the configuration.
        ApiKey = "api_key",
        /// None is needed: there is no server, and tokens become sealed files.
        Files = "files",
    }
}

values! {
    /// The server and the station's credential for it.
    pub struct Server {
        /// Its address; `null` when none is configured.
        pub url: Option<String>,
        /// What it calls itself, once it has answered.
        pub product: Option<String>,
        /// How its certificate is judged: `system authorities`, `ca.pem`, `pinned`, `nothing: insecure`.
        pub trust: String,
        /// What the station logs in with.
        pub credential: Credential,
        /// The administrator's name at the server.
        pub user: Option<String>,
        /// Who entered the credential.
        pub entered_by: Option<String>,
        /// Since when the station has it.
        pub since: Option<Timestamp>,
        /// Until when the server's session lasts; it is renewed by itself while the credential is there.
        pub until: Option<Timestamp>,
        /// Whether the server tells which rights there are.
        pub rights_known: bool,
        /// The rights that the profiles need and that are missing.
        pub rights_missing: Vec<String>,
        /// When the server last answered.
        pub answered: Option<Timestamp>,
        /// How far its clock is ahead of the station's.
        pub ahead_ms: Option<i64>,
        /// Why it cannot be used; `null` when it can or has not been asked.
        pub trouble: Option<Refusal>,
    }

    /// A person at the server.
    pub struct Person {
        /// The login name.
        pub user: String,
        /// The realm.
        pub realm: String,
        /// The resolver.
        pub resolver: String,
        /// The given name.
        pub given_name: String,
        /// The surname.
        pub surname: String,
        /// The mail address.
        pub email: String,
    }

    /// People.
    pub struct People {
        /// In the server's order.
        pub people: Vec<Person>,
        /// Whether there are more than these.
        pub more: bool,
    }
}

requests! {
    /// A login at the server.
    pub struct ServerLogIn {
        /// The administrator's name.
        pub user: String,
        /// The administrator's realm, where there are several.
        pub realm: Option<String>,
        /// The password.
        pub password: Secret,
    }

    /// Who is looked for.
    pub struct UserFind {
        /// Part of a login name, given name, surname or mail address.
        pub text: String,
        /// Only in this realm.
        pub realm: Option<String>,
    }
}
