//! What an enrollment begins with, and how it ends.

use std::sync::Arc;

use keys::device::{Family, Guard, KeyInfo, KeySerial, Kind};
use keys::secret::{AccessCode, Pin};

use crate::access::Codes;
use crate::engine::record::{Actor, EnrollmentId, Record};
use crate::engine::server::Person;
use crate::profile::{KeyPin, Profile};
use crate::refusal::{Code, Refusal};
use crate::token::TokenSerial;
use crate::welcome::Welcome;

/// Digits of a PIN that the station makes up.
pub(crate) const PIN_DIGITS: u8 = 6;
use zeroize::Zeroizing;

/// Which finished enrollment an order may replace: it belongs to its person, so only one that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Replace {
    /// None, and there is nobody to ask: the station is armed, or a run takes what comes.
    #[default]
    Nobody,
    /// None so far: an operator is there who can be asked, and order again.
    Unnamed,
    /// The one of this token, as an operator wrote it.
    Token(String),
    /// Whichever this key has where it is to be written: the line of a list names the key.
    Key(KeySerial),
}

impl Replace {
    /// Whether the finished enrollment of that record is named.
    pub(crate) fn names(&self, record: &Record) -> bool {
        match self {
            Self::Nobody | Self::Unnamed => false,
            Self::Token(token) => token.trim().eq_ignore_ascii_case(record.token.as_str()),
            Self::Key(key) => *key == record.key,
        }
    }
}

/// What somebody wants done with the key that was plugged in.
#[derive(Clone)]
pub struct Order {
    /// The station's name, for descriptions and receipts.
    pub station: String,
    /// Where the key is, as a USB port path (`1-1.3`).
    pub port: String,
    /// Who lets it happen.
    pub actor: Actor,
    pub profile_name: String,
    pub profile: Profile,
    /// Whom the token is for.
    pub person: Option<Person>,
    /// The token's PIN.
    pub pin: Option<Arc<Pin>>,
    /// Whether the station makes the token's PIN up, and hands it over before there is a token.
    pub random_pin: bool,
    /// What unlocks the slot, where slots have access codes.
    pub unlock: Option<Arc<AccessCode>>,
    /// What unlocks slots, where keys have a PIN for that and it is not the one
    /// with which they are sold.
    pub key_pin: Option<Arc<Pin>>,
    /// What people call the server, for the names of credentials on keys.
    pub server_name: String,
    /// Whether an operator confirmed that a foreign credential may be overwritten.
    pub overwrite_confirmed: bool,
    /// Whether the Yubico OTP that a key was sold with may go, whatever the profile says.
    pub factory: bool,
    /// Which finished enrollment of this station may be replaced.
    pub replace: Replace,
    /// Access codes of slots: those that open them now, those that shall.
    pub codes: Codes,
    /// Which keys may be enrolled at all; `None` for every key.
    pub welcome: Option<Arc<Welcome>>,
}

impl Order {
    /// An order with nothing but what is always wanted: nobody's token, no PINs and codes.
    pub fn new(
        station: impl Into<String>,
        port: impl Into<String>,
        actor: Actor,
        profile_name: impl Into<String>,
        profile: Profile,
    ) -> Self {
        Self {
            station: station.into(),
            port: port.into(),
            actor,
            profile_name: profile_name.into(),
            profile,
            person: None,
            pin: None,
            random_pin: false,
            unlock: None,
            key_pin: None,
            server_name: "privacyIDEA".to_owned(),
            overwrite_confirmed: false,
            factory: false,
            replace: Replace::Nobody,
            codes: Codes::default(),
            welcome: None,
        }
    }

    /// The PIN that unlocks slots of a key of that family; `None` where there is
    /// none, or where nobody gave the one that is wanted.
    pub(crate) fn pin_of_key(&self, family: Family) -> Option<Pin> {
        let factory = family.factory_pin()?;
        let text = match (&self.key_pin, self.profile.key_pin) {
            (Some(pin), _) => pin.expose(),
            (None, KeyPin::Factory | KeyPin::Random) => factory,
            (None, KeyPin::Asked) => return None,
        };
        Pin::new(Zeroizing::new(text.to_owned())).ok()
    }

    /// What keys are told to want before they give a code. For challenge-response that is part of
    /// the credential.
    pub(crate) const fn guard_of_slot(&self) -> Guard {
        match self.profile.kind {
            Kind::ChallengeResponse => Guard::Nothing,
            _ => self.profile.guard,
        }
    }

    /// What the key shall call the credential of a token.
    pub(crate) fn label(&self, token: &TokenSerial) -> String {
        self.profile.label_of(&self.server_name, token.as_str())
    }
}

/// How an enrollment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The key has proven itself, and the token counts.
    Enrolled(Proof),
    /// A finished enrollment was taken back as wanted: there is no token, and the slot is empty.
    Released,
    /// Nothing was changed.
    Refused(Refusal),
    /// Everything was taken back: there is no token, and the slot is empty.
    Undone(Refusal),
    /// There is no token. The key may hold a secret that is worth nothing; the next
    /// insertion of the same key overwrites it.
    Quarantined(Refusal),
    /// Something is left to do that needs the server or the disk; recovery does it.
    Postponed(Refusal),
}

impl Ending {
    /// The word for it in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Enrolled(_) => "enrolled",
            Self::Released => "released",
            Self::Refused(_) => "refused",
            Self::Undone(_) => "undone",
            Self::Quarantined(_) => "quarantined",
            Self::Postponed(_) => "postponed",
        }
    }

    /// Why it did not end as it was meant to.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Enrolled(_) | Self::Released => None,
            Self::Refused(refusal)
            | Self::Undone(refusal)
            | Self::Quarantined(refusal)
            | Self::Postponed(refusal) => Some(refusal),
        }
    }
}

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub kind: ProofKind,
    /// What moves the code on: see [`ProofKind`].
    pub counter: u64,
    /// How many attempts it took.
    pub attempts: u8,
    /// Whether the server kept the token from counting by its own state *verify*.
    pub verified_by_policy: bool,
    /// Whether key and server made the secret together, in two steps.
    pub two_step: bool,
}

impl Proof {
    /// A proof of this kind, at the first attempt.
    pub const fn new(kind: ProofKind, counter: u64) -> Self {
        Self { kind, counter, attempts: 1, verified_by_policy: false, two_step: false }
    }
}

/// What came out of the key and was checked, here and then by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProofKind {
    /// An HOTP code; the counter is the one it belongs to.
    Hotp,
    /// A TOTP code that the key computed by its own means; the counter is the time step.
    Totp,
    /// An answer to the time step as a challenge; the counter is the time step.
    Response,
    /// A Yubico OTP, decrypted; the counter is use counter times 256 plus session use.
    YubicoOtp,
    /// The password itself, which proves no possession; the counter is 0.
    Password,
}

impl ProofKind {
    /// The word for it in JSON, logs and receipts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hotp => "hotp",
            Self::Totp => "totp",
            Self::Response => "response",
            Self::YubicoOtp => "yubico-otp",
            Self::Password => "password",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Hotp, Self::Totp, Self::Response, Self::YubicoOtp, Self::Password]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// All that is known at the end of an enrollment.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub ending: Ending,
    /// What the key is, when that could be found out.
    pub key: Option<KeyInfo>,
    /// The enrollment's name.
    pub enrollment: EnrollmentId,
    /// The token's serial, when the key was known well enough to name it.
    pub token: Option<TokenSerial>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// What guards the slot in the end.
    pub lock: SlotLock,
    /// The PIN that the key got from the station.
    pub key_pin: NewKeyPin,
    /// Earlier enrollments of the key that were unfinished, and were brought to their end first.
    pub finished: Vec<Record>,
    /// The finished enrollment that stood in the way, since the order does not name it. It is as it was.
    pub in_the_way: Option<Box<Record>>,
    /// The finished enrollment that the order named and that was given up: whatever became of the
    /// new one, its token does not come back.
    pub gone: Option<Box<Record>>,
    /// The public id of the Yubico OTP that the key was sold with, when that was given up: it does not come
    /// back, either.
    pub given_up: Option<String>,
}

/// The PIN that a key got, for whoever owns the key: to be shown once, never logged.
#[derive(Clone, Default)]
pub enum NewKeyPin {
    /// None; it has the one that it had.
    #[default]
    None,
    /// This one.
    Changed(Arc<Pin>),
    /// This one, or still the one that it had: the key was pulled out, or did not
    /// answer, while it got it.
    Unknown(Arc<Pin>),
}

impl NewKeyPin {
    /// The word for it in JSON and receipts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::None => "kept",
            Self::Changed(_) => "changed",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Says whether there is one, and not which.
impl core::fmt::Debug for NewKeyPin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.word())
    }
}

/// What guards a slot in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotLock {
    /// Nothing of this enrollment.
    Open,
    /// The access code that the profile wants, which is where it is kept.
    Locked,
    /// Perhaps the access code that the profile wants: the key was pulled out, or did
    /// not answer, while it got it. The code is where it is kept.
    Unknown,
}

impl SlotLock {
    /// The word for it in JSON and receipts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Locked => "locked",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome {
    /// What is known at the beginning: nothing.
    pub(crate) fn begun(enrollment: EnrollmentId) -> Self {
        let internal = Refusal::new(Code::Internal, "the flow did not run");
        Self {
            ending: Ending::Refused(internal),
            key: None,
            enrollment,
            token: None,
            server: None,
            lock: SlotLock::Open,
            key_pin: NewKeyPin::None,
            finished: Vec::new(),
            in_the_way: None,
            gone: None,
            given_up: None,
        }
    }

    /// The outcome of an order that was refused before the engine was asked.
    pub fn refused(enrollment: EnrollmentId, key: Option<KeyInfo>, refusal: Refusal) -> Self {
        Self { ending: Ending::Refused(refusal), key, ..Self::begun(enrollment) }
    }
}
