//! Registration codes, and handing keys over to those who show one.

use crate::{Refusal, Secret};

words! {
    /// In which form registration codes come.
    pub enum RegistrationForm {
        /// As a table, CSV.
        Table = "table",
        /// As letters, a PDF with a page for each person.
        Letters = "letters",
        /// As a table that becomes a sealed file of the station.
        Sealed = "sealed",
    }
}

confidences! {
    /// Registration codes, piece by piece.
    pub struct RegistrationPart {
        /// The next bytes of table or letters, base64.
        pub pieces: Vec<Secret>,
        /// In the last part: what was made.
        pub made: Option<RegistrationMade>,
    }
}

values! {
    /// What was made.
    pub struct RegistrationMade {
        /// How many people have a code now.
        pub codes: i64,
        /// How many should have got one.
        pub people: i64,
        /// Why people will have trouble with such codes, and what to change at the server.
        pub warning: Option<String>,
        /// Where it ended before everybody had a code.
        pub failed: Option<Refusal>,
        /// The sealed file, when it became one.
        pub sealed: Option<String>,
    }
}

requests! {
    /// Registration codes to be made.
    pub struct RegistrationCreate {
        /// For the people of this realm.
        pub realm: String,
        /// Only for those who have no token of any kind.
        pub without_token: bool,
        /// In which form they come; a table when missing.
        pub form: Option<RegistrationForm>,
        /// The letter's text with {name}, {user}, {realm} and {code}; the station's own when missing.
        pub letter: Option<String>,
    }

    /// A key for somebody who shows who they are, by password and registration code.
    pub struct KeyHandOver {
        /// Who: `login@realm`; the login alone where the server knows one answer.
        pub person: String,
        /// The password.
        pub password: Secret,
        /// The registration code; it works once.
        pub code: Secret,
        /// The profile; the one that fits when missing.
        pub profile: Option<String>,
        /// The key's serial or port; when missing, the only one plugged in, or else the next.
        pub key: Option<String>,
        /// Whether a foreign credential may be overwritten.
        pub overwrite_confirmed: bool,
        /// Whether to go on without looking the person up at the server.
        pub unchecked: Option<bool>,
        /// The token whose finished enrollment may be replaced; without it, none is.
        pub replace: Option<String>,
        /// The token's PIN.
        pub pin: Option<Secret>,
        /// Whether it goes on when nobody listens any more; the first event is the only one then.
        pub detach: Option<bool>,
        /// How long it waits for its key, in milliseconds; ten minutes when missing.
        pub wait_ms: Option<i64>,
    }
}
