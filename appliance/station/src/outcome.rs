//! What an enrollment begins with, and how it ends.

use std::sync::Arc;

use keys::device::{Family, KeyInfo};
use keys::secret::{AccessCode, Pin};

use crate::profile::{KeyPin, Profile};
use crate::record::{Actor, EnrollmentId};
use crate::refusal::Refusal;
use crate::server::Person;
use crate::token::TokenSerial;
use zeroize::Zeroizing;

/// What somebody wants done with the key that was plugged in.
#[derive(Clone)]
pub struct Order {
    /// The station's name, for descriptions and receipts.
    pub station: String,
    /// Where the key is, as a USB port path (`1-1.3`).
    pub port: String,
    /// Who lets it happen.
    pub actor: Actor,
    /// The profile's name.
    pub profile_name: String,
    /// The profile.
    pub profile: Profile,
    /// Whom the token is for.
    pub person: Option<Person>,
    /// The token's PIN.
    pub pin: Option<Arc<Pin>>,
    /// What unlocks the slot, where slots have access codes.
    pub unlock: Option<Arc<AccessCode>>,
    /// What unlocks slots, where keys have a PIN for that and it is not the one
    /// with which they are sold.
    pub key_pin: Option<Arc<Pin>>,
    /// What people call the server, for the names of credentials on keys.
    pub server_name: String,
    /// Whether an operator confirmed that a foreign credential may be overwritten.
    pub overwrite_confirmed: bool,
}

impl Order {
    /// The PIN that unlocks slots of a key of that family; `None` where there is
    /// none, or where nobody gave the one that is wanted.
    pub(crate) fn pin_of_key(&self, family: Family) -> Option<Pin> {
        let factory = family.factory_pin()?;
        let text = match (&self.key_pin, self.profile.key_pin) {
            (Some(pin), _) => pin.expose(),
            (None, KeyPin::Factory) => factory,
            (None, KeyPin::Asked) => return None,
        };
        Pin::new(Zeroizing::new(text.to_owned())).ok()
    }

    /// What the key shall call the credential of a token.
    pub(crate) fn label(&self, token: &TokenSerial) -> String {
        self.profile.label_of(&self.server_name, token.as_str())
    }
}

/// How an enrollment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The key has proven itself, and the token counts.
    Enrolled(Proof),
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
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Enrolled(_) => "enrolled",
            Self::Refused(_) => "refused",
            Self::Undone(_) => "undone",
            Self::Quarantined(_) => "quarantined",
            Self::Postponed(_) => "postponed",
        }
    }

    /// Why it is not `Enrolled`.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Enrolled(_) => None,
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
    /// The HOTP counter of the code that was checked.
    pub counter: u64,
    /// How many attempts it took.
    pub attempts: u8,
    /// Whether the server kept the token from counting by its own state *verify*.
    pub verified_by_policy: bool,
}

/// All that is known at the end of an enrollment.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What the key is, when that could be found out.
    pub key: Option<KeyInfo>,
    /// The enrollment's name.
    pub enrollment: EnrollmentId,
    /// The token's serial, when the key was known well enough to name it.
    pub token: Option<TokenSerial>,
    /// What the server calls itself.
    pub server: Option<String>,
}
