//! The configuration and its changes.

use jiff::Timestamp;

use crate::Secret;

values! {
    /// Which configuration is in force.
    pub struct Configuration {
        /// The file it came from.
        pub file: String,
        /// Whether changes of operators are in force on top of it.
        pub changed: bool,
        /// Whether there are changes that nobody has committed.
        pub pending: bool,
        /// When it is rolled back unless somebody confirms it.
        pub confirm_by: Option<Timestamp>,
        /// Since when it is in force.
        pub since: Timestamp,
        /// What a commit or rollback did besides: who signed it, a credential that does not go with the server any more.
        pub notes: Option<Vec<String>>,
    }

    /// Text.
    pub struct ConfigText {
        /// TOML, or a unified diff; secrets are left out.
        pub text: String,
    }

    /// Something that is wrong with a configuration.
    pub struct Problem {
        /// The line, from 1; `null` when it is about the whole.
        pub line: Option<i64>,
        /// The column, from 1.
        pub column: Option<i64>,
        /// The field, such as `server.url`.
        pub field: Option<String>,
        /// What is wrong.
        pub text: String,
        /// What to do.
        pub remedy: String,
    }

    /// What is wrong with a configuration.
    pub struct Problems {
        /// In the order of their lines; empty when it is right.
        pub problems: Vec<Problem>,
        /// What is no mistake and should be known all the same.
        pub notices: Option<Vec<String>>,
    }
}

requests! {
    /// Which part of the configuration is wanted.
    pub struct ConfigShow {
        /// Its path, such as `server` or `profile.desk`; all of it when missing.
        pub path: Option<String>,
        /// Whether it is to include the changes that nobody has committed.
        pub pending: bool,
    }

    /// A change that waits to be committed.
    pub struct ConfigSet {
        /// The path of a field, such as `server.url`.
        pub path: String,
        /// Its new value, as TOML writes it; a bare word is taken as text. It is removed when missing.
        pub value: Option<String>,
        /// The new value of a field that holds a secret, in place of `value`; it is removed when that is empty.
        pub secret: Option<Secret>,
    }

    /// A whole configuration to be looked at.
    pub struct ConfigCheck {
        /// It, as TOML; the pending one when missing.
        pub text: Option<String>,
    }

    /// A whole configuration.
    pub struct ConfigLoad {
        /// Its lines. An API key that is left out as `(secret)` stays what it is.
        pub lines: Vec<Secret>,
    }

    /// What is to be signed.
    pub struct ConfigToSign {
        /// Whether it is taking the last commit back; the changes that nobody has committed otherwise.
        pub rollback: bool,
    }

    /// The last commit, or what nobody has committed, shall be taken back.
    pub struct ConfigRollback {
        /// An admin's signature of it, where one is needed: the lines of an armored SSH signature.
        pub signature: Option<Vec<String>>,
    }

    /// The pending changes shall be in force.
    pub struct ConfigCommit {
        /// They are rolled back after so many minutes unless somebody confirms them; for good when missing.
        pub confirmed_minutes: Option<u32>,
        /// An admin's signature of them, where one is needed: the lines of an armored SSH signature.
        pub signature: Option<Vec<String>>,
    }
}
