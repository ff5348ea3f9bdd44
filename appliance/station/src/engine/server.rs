//! What the engine wants from a server, in the engine's own words.
//!
//! The daemon translates these calls to privacyIDEA's. The distinction that
//! matters most here is the one between *refused* (nothing happened) and
//! *unknown* (it may have happened): see [`ServerFault`].

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use keys::device::{Digits, HashAlgorithm};
use keys::secret::{AccessCode, AesKey, Pin, Seed};
use zeroize::Zeroizing;

pub use crate::engine::twostep::TwoStepTerms;
use crate::names::EnrollmentId;
pub use crate::names::Person;
use crate::refusal::Code;
use crate::token::{TokenKind, TokenSerial};

/// How many HOTP counters the server looks ahead (privacyIDEA, `count_window` 10).
pub(crate) const LOOK_AHEAD: u64 = 10;

/// A realm of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmView {
    /// Its name, as the server spells it.
    pub name: String,
    /// Whether it is meant where none is named.
    pub default: bool,
    /// The names of the directories that its people are in.
    pub resolvers: Vec<String>,
}

/// People of a realm, as far as the server shows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeopleView {
    /// Their logins, each with the directory that has it. The list may have been cut.
    pub people: Vec<(String, String)>,
    /// The directories that did not answer, where the server tells.
    pub skipped: Vec<String>,
}

/// The secret that a token is registered with.
#[derive(Clone)]
pub enum TokenSecret {
    /// Of HOTP and TOTP tokens.
    Seed(Arc<Seed>),
    /// Of Yubico OTP tokens.
    Aes(Arc<AesKey>),
    /// Of static password tokens.
    Password(Arc<Pin>),
    /// Of HOTP and TOTP tokens that are made in two steps: the server makes its part.
    TwoStep,
}

/// A token to be made.
#[derive(Clone)]
pub struct Registration {
    pub serial: TokenSerial,
    /// Its type.
    pub kind: TokenKind,
    pub secret: TokenSecret,
    /// What the key is going to be programmed to.
    pub digits: Digits,
    /// What the key is going to be programmed to.
    pub hash: HashAlgorithm,
    /// Seconds per step, for TOTP.
    pub period: u16,
    /// For people who look at the token; at most 80 characters.
    pub description: String,
    /// The realm to put it into.
    pub realm: Option<String>,
    /// The token's PIN. It is set here, while the token does not count, so that
    /// recovery never needs it.
    pub pin: Option<Arc<Pin>>,
    /// What a Yubico OTP begins with, in modhex; empty for other types.
    pub prefix: String,
    /// Written into the token, so that recovery knows its own.
    pub enrollment: EnrollmentId,
}

/// What is asked of the server.
#[derive(Clone)]
pub enum ServerCall {
    /// Log in if need be, and say what the server is and allows.
    /// Answered by [`ServerAnswer::Ready`].
    Prepare,
    /// What is there under this serial. Answered by [`ServerAnswer::Token`].
    Look(TokenSerial),
    /// Which tokens have a Yubico OTP of this public id (modhex), whoever checks it. Answered by
    /// [`ServerAnswer::Holders`].
    Holders(String),
    /// Make a token. Answered by [`ServerAnswer::Registered`].
    Register(Box<Registration>),
    /// The second step of a token made in two: the station's part. Answered by
    /// [`ServerAnswer::Registered`]. **Never to be repeated blindly**: a second time the
    /// bare part becomes the secret.
    FinishTwoStep {
        serial: TokenSerial,
        /// Its type.
        kind: TokenKind,
        /// The station's part.
        part: Arc<Seed>,
    },
    /// Finish a token that waits to be verified. Answered by [`ServerAnswer::Verdict`].
    Verify {
        serial: TokenSerial,
        /// Its type.
        kind: TokenKind,
        /// The code that came out of the key.
        code: Zeroizing<String>,
    },
    /// Check a code against a token, without its PIN. Answered by [`ServerAnswer::Verdict`].
    Check {
        serial: TokenSerial,
        /// The code that came out of the key.
        code: Zeroizing<String>,
    },
    /// Keep a token from counting. Answered by [`ServerAnswer::Done`]; may be repeated.
    Disable(TokenSerial),
    /// Let a token count. Answered by [`ServerAnswer::Done`]; may be repeated.
    Enable(TokenSerial),
    /// Delete a token. Answered by [`ServerAnswer::Done`] when the server says that it did;
    /// refused with [`Code::TokenVanished`] where it sees none.
    Delete(TokenSerial),
    /// Give a token to a person. Answered by [`ServerAnswer::Done`].
    Assign {
        serial: TokenSerial,
        person: Person,
        /// Its PIN once more, since a rule for PINs is applied to an assignment, too.
        pin: Option<Arc<Pin>>,
    },
    /// Keep the access code of a slot with its token. Answered by [`ServerAnswer::Done`]; may be repeated.
    KeepCode { serial: TokenSerial, code: Arc<AccessCode> },
    /// The access code that is kept with a token. Answered by [`ServerAnswer::Code`].
    ReadCode(TokenSerial),
    /// Which realms there are. Answered by [`ServerAnswer::Realms`].
    Realms,
    /// Who is in a realm. Answered by [`ServerAnswer::People`].
    People {
        /// The realm, as the server spells it.
        realm: String,
        /// Only those whose login the server takes for this one (`*` stands for anything); without it, all.
        login: Option<String>,
    },
    /// Write facts into a token, as name and value. Answered by [`ServerAnswer::Done`]; may be repeated.
    Note {
        serial: TokenSerial,
        /// The facts; none of them secret.
        notes: Vec<(&'static str, String)>,
    },
}

impl ServerCall {
    /// The word for it in JSON and logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Look(_) => "look",
            Self::Holders(_) => "holders",
            Self::Register(_) => "register",
            Self::FinishTwoStep { .. } => "finish two-step",
            Self::Verify { .. } => "verify",
            Self::Check { .. } => "check",
            Self::Disable(_) => "disable",
            Self::Enable(_) => "enable",
            Self::Delete(_) => "delete",
            Self::Assign { .. } => "assign",
            Self::KeepCode { .. } => "keep code",
            Self::ReadCode(_) => "read code",
            Self::Realms => "realms",
            Self::People { .. } => "people",
            Self::Note { .. } => "note",
        }
    }
}

/// What the server said.
pub enum ServerAnswer {
    /// To [`ServerCall::Prepare`].
    Ready(Readiness),
    /// To [`ServerCall::Look`].
    Token(Option<TokenView>),
    /// To [`ServerCall::Holders`]: their serials.
    Holders(Vec<String>),
    /// To [`ServerCall::Register`] and [`ServerCall::FinishTwoStep`].
    Registered(Registered),
    /// To [`ServerCall::ReadCode`].
    Code(Option<Arc<AccessCode>>),
    /// To [`ServerCall::Verify`] and [`ServerCall::Check`].
    Verdict(Verdict),
    /// To [`ServerCall::Realms`].
    Realms(Vec<RealmView>),
    /// To [`ServerCall::People`].
    People(PeopleView),
    /// To everything else.
    Done,
}

/// What a server is and allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Product and version, to be shown.
    pub product: String,
    /// The rights of this login; `None` when the server does not tell.
    pub rights: Option<Vec<Right>>,
    /// Where it puts a random PIN on a new token and tells nobody, as far as the login may read policies.
    pub random_pins: Vec<RandomPins>,
}

/// Whose new tokens get a random PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomPins {
    /// The policy that says so.
    pub policy: String,
    /// In which realms; empty for everywhere.
    pub realms: Vec<String>,
}

impl RandomPins {
    /// Whether a token that is made in this realm gets one.
    pub fn are_in(&self, realm: Option<&str>) -> bool {
        self.realms.is_empty()
            || realm.is_some_and(|realm| self.realms.iter().any(|known| known.eq_ignore_ascii_case(realm)))
    }
}

/// Something an administrator may do at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Make tokens of a type.
    Enroll(TokenKind),
    /// Look at tokens.
    List,
    /// Delete tokens.
    Delete,
    /// Let tokens count.
    Enable,
    /// Keep tokens from counting.
    Disable,
    /// Give tokens to people.
    Assign,
    /// Set PINs of new tokens.
    EnrollPin,
    /// Write facts into tokens.
    Note,
    /// Look people up.
    LookUp,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enroll(TokenKind::Hotp) => "enrollHOTP",
            Self::Enroll(TokenKind::Totp) => "enrollTOTP",
            Self::Enroll(TokenKind::Yubikey) => "enrollYUBIKEY",
            Self::Enroll(TokenKind::Password) => "enrollPW",
            Self::List => "tokenlist",
            Self::Delete => "delete",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Assign => "assign",
            Self::EnrollPin => "enrollpin",
            Self::Note => "settokeninfo",
            Self::LookUp => "userlist",
        })
    }
}

/// A token as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// Its serial, as the server spells it.
    pub serial: String,
    /// Its type, as the server spells it.
    pub kind: String,
    /// Whether it is enabled.
    pub active: bool,
    /// Whether it waits to be verified (it cannot count then).
    pub unverified: bool,
    /// Whether it waits for the station's part of a secret made in two steps (it
    /// cannot count then).
    pub half_made: bool,
    /// Number of digits; of other kinds, of characters.
    pub digits: u32,
    /// The hash, lower case; `None` when the token has none noted.
    pub hash: Option<String>,
    /// The next HOTP counter the server expects.
    pub counter: u64,
    /// To whom it belongs.
    pub owner: Option<Person>,
    /// The enrollment that made it, when a station did.
    pub enrollment: Option<EnrollmentId>,
}

/// What the server made of a registration.
pub struct Registered {
    /// The secret that it says it has (its part, after the first of two steps);
    /// `None` when it does not say.
    pub echo: Option<TokenSecret>,
    /// Whether the token waits to be verified.
    pub unverified: bool,
    /// What it wants of the second step, where it waits for one.
    pub two_step: Option<TwoStepTerms>,
}

/// What the server thinks of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Accepted,
    /// It is not, in the server's words.
    Rejected(String),
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerFault {
    /// The request did not reach the server: nothing happened.
    #[error("{code}: {detail}")]
    NotSent {
        code: Code,
        /// In words, for the log.
        detail: String,
    },
    /// The server said no: nothing happened.
    #[error("{code}: {detail}")]
    Refused {
        code: Code,
        /// The server's words.
        detail: String,
    },
    /// The server wants to be asked later: nothing happened.
    #[error("{code}: asked to come back in {after:?}")]
    Later {
        code: Code,
        /// When to come back at the earliest.
        after: Duration,
    },
    /// The request went out and no usable answer came: it may have happened.
    #[error("{code}: {detail}")]
    Unknown {
        code: Code,
        /// In words, for the log.
        detail: String,
        /// When to come back at the earliest, when the server said so.
        after: Option<Duration>,
    },
}

impl ServerFault {
    pub const fn code(&self) -> Code {
        match self {
            Self::NotSent { code, .. }
            | Self::Refused { code, .. }
            | Self::Later { code, .. }
            | Self::Unknown { code, .. } => *code,
        }
    }

    /// Its words.
    pub fn detail(&self) -> String {
        match self {
            Self::NotSent { detail, .. } | Self::Refused { detail, .. } | Self::Unknown { detail, .. } => {
                detail.clone()
            }
            Self::Later { after, .. } => format!("the server asks to wait {} s", after.as_secs()),
        }
    }
}
