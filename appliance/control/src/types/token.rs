//! Tokens at the server.

use std::collections::BTreeMap;

use crate::Secret;

values! {
    /// A token.
    pub struct Token {
        /// Its serial.
        pub serial: String,
        /// Its type: `hotp`, `totp` …
        pub kind: String,
        /// Its description.
        pub description: String,
        /// Whether it is enabled.
        pub active: bool,
        /// Whether it is revoked, for ever.
        pub revoked: bool,
        /// Whether it is locked after too many failures.
        pub locked: bool,
        /// Whether it still waits to be verified.
        pub unverified: bool,
        /// Whom it belongs to: `login@realm`.
        pub person: Option<String>,
        /// Its realms.
        pub realms: Vec<String>,
        /// The number of digits.
        pub digits: Option<i64>,
        /// The next counter the server expects.
        pub counter: Option<i64>,
        /// How many wrong codes it has seen since the last right one.
        pub failures: Option<i64>,
        /// How many it may see.
        pub most_failures: Option<i64>,
        /// What else is noted about it; of notes that may hold a secret, such as an access code, the names alone.
        pub info: BTreeMap<String, String>,
    }

    /// Tokens.
    pub struct Tokens {
        /// In the order of their serials.
        pub tokens: Vec<Token>,
        /// How many there are in all.
        pub total: i64,
    }
}

requests! {
    /// A token.
    pub struct ByToken {
        /// Its serial.
        pub serial: String,
    }

    /// A token that is to go.
    pub struct TokenDelete {
        /// Its serial.
        pub serial: String,
        /// Whether the only copy of a slot's access code may go with it.
        pub lose_access_code: Option<bool>,
    }

    /// Which tokens are wanted.
    pub struct TokenList {
        /// Only those of this person: `login@realm`.
        pub person: Option<String>,
        /// Only those whose serial has this form; `*` stands for anything.
        pub serial: Option<String>,
        /// Only those of this type.
        pub kind: Option<String>,
        /// Which page, from 1.
        pub page: Option<u32>,
        /// How many a page has: 1 to 100, 50 when missing.
        pub size: Option<u32>,
    }

    /// A token for a person.
    pub struct TokenAssign {
        /// The token's serial.
        pub serial: String,
        /// To whom: `login@realm`.
        pub person: String,
    }

    /// A new PIN for a token.
    pub struct TokenSetPin {
        /// The token's serial.
        pub serial: String,
        /// The PIN.
        pub pin: Secret,
    }

    /// A token whose counter the server has lost.
    pub struct TokenResync {
        /// The token's serial.
        pub serial: String,
        /// A code of the token.
        pub first: Secret,
        /// The code that came after it.
        pub second: Secret,
    }
}
