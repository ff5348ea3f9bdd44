//! Enrolling a smartphone with somebody at a terminal.

use super::Ending;
use crate::{Refusal, Secret};

words! {
    /// What the terminal is to do. In brackets: the members that are there then.
    pub enum PhoneWish {
        /// Show this for the phone to read (`rows`, `address`).
        Show = "show",
        /// Ask for the app's part of the secret, and answer (`letters`, `wrong`, `within_ms`).
        Part = "part",
        /// Ask for the code that the app shows, and answer (`wrong`, `within_ms`).
        Code = "code",
        /// Nothing more: it is over (`outcome`).
        Over = "over",
    }
}

confidences! {
    /// What happens while a phone is enrolled. What it shows is the token's secret: it is for the
    /// operator's screen, and nothing keeps it.
    pub struct PhoneNews {
        /// What the terminal is to do.
        pub wish: PhoneWish,
        /// The enrollment, for `PhoneAnswer`.
        pub ticket: i64,
        /// The QR code row by row, `1` for a dark module and `0` for a light one, without the light ones around it.
        pub rows: Vec<Secret>,
        /// The same as an address (`otpauth://`), for people who type it in.
        pub address: Option<Secret>,
        /// How many letters the app's part has.
        pub letters: Option<i64>,
        /// What was wrong with the last answer.
        pub wrong: Option<String>,
        /// How long the station waits for an answer.
        pub within_ms: Option<i64>,
        /// How it ended.
        pub outcome: Option<PhoneOutcome>,
    }
}

values! {
    /// How the enrollment of a phone ended.
    pub struct PhoneOutcome {
        /// How it ended.
        pub ending: Ending,
        /// Why it is not `enrolled`.
        pub refusal: Option<Refusal>,
        /// The enrollment's name.
        pub enrollment: Option<String>,
        /// The token's serial.
        pub token: Option<String>,
        /// Whose phone it is.
        pub person: String,
        /// The profile.
        pub profile: Option<String>,
        /// How many codes it took.
        pub attempts: Option<i64>,
    }
}

requests! {
    /// A phone to be enrolled.
    pub struct PhoneEnroll {
        /// Whose it is: `login@realm`; the login alone where the server knows one answer.
        pub person: String,
        /// The profile; TOTP of six digits each 30 s with SHA-1, which every app knows, when missing.
        pub profile: Option<String>,
        /// Whether phone and server make the secret together, whatever the profile says.
        pub two_step: Option<bool>,
        /// Whether to go on without looking the person up at the server.
        pub unchecked: Option<bool>,
        /// The token's PIN.
        pub pin: Option<Secret>,
    }

    /// What was typed at the terminal.
    pub struct PhoneAnswer {
        /// The enrollment.
        pub ticket: i64,
        /// What was typed; the person gives up when it is missing.
        pub answer: Option<Secret>,
    }
}
