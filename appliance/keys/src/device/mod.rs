//! Keys in words that fit every vendor: what a key is, what it can do, what can
//! be asked of it, and what can go wrong.
//!
//! The engine decides by this data alone; vendors' names appear only in texts.

mod answer;
mod key_error;
mod oath_id;

use core::fmt;

pub use answer::Answer;
pub use key_error::KeyError;
pub use oath_id::{OathId, TokenIdForm};

use crate::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};

/// Which protocol a key speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// The YubiKey OTP application over 8-byte feature reports.
    YubiKeyOtp,
    /// Nitrokey Pro, Pro 2, Storage, Librem Key: 64-byte feature reports.
    NitrokeyPro,
    /// Nitrokey 3: the Secrets app over CTAPHID.
    Nitrokey3,
}

/// A firmware version, `major.minor.build`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Firmware {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number; 0 for keys that have only two.
    pub build: u8,
}

impl Family {
    /// The PIN that unlocks slots of a key as it is sold; `None` where there is none.
    pub const fn factory_pin(self) -> Option<&'static str> {
        match self {
            Self::NitrokeyPro => Some("12345678"),
            Self::YubiKeyOtp | Self::Nitrokey3 => None,
        }
    }

    /// What a family is called where access codes are derived for it. Keys in the field are locked
    /// with what comes out, so that these words never change, whatever the families are called elsewhere.
    pub const fn in_derivations(self) -> &'static str {
        match self {
            Self::YubiKeyOtp => "YubiKeyOtp",
            Self::NitrokeyPro => "NitrokeyPro",
            Self::Nitrokey3 => "Nitrokey3",
        }
    }

    /// Whether its slots can have access codes.
    pub const fn has_access_codes(self) -> bool {
        matches!(self, Self::YubiKeyOtp)
    }
}

impl Firmware {
    /// A version from its three numbers.
    pub const fn new(major: u8, minor: u8, build: u8) -> Self {
        Self { major, minor, build }
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// The number that a key names itself by, in the form its vendor prints it.
///
/// Ordered and hashable: the station recognises a key by it, not by its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySerial {
    /// Which vendor's numbers these are.
    pub family: Family,
    pub number: u32,
}

impl fmt::Display for KeySerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::YubiKeyOtp => write!(f, "{:08}", self.number),
            Family::NitrokeyPro | Family::Nitrokey3 => write!(f, "{:08x}", self.number),
        }
    }
}

/// A place in a key that holds one credential, counted as the vendor counts
/// (YubiKey 1 and 2, Nitrokey Pro HOTP 0 to 2 and TOTP 0 to 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a credential is, without its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 4226.
    Hotp,
    /// RFC 6238.
    Totp,
    /// Yubico's AES one-time password.
    YubicoOtp,
    /// A password the key types.
    StaticPassword,
    /// HMAC-SHA1 over a challenge; TOTP when the host sends the time.
    ChallengeResponse,
}

/// Number of digits of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digits {
    /// Six.
    Six,
    /// Eight.
    Eight,
}

impl Digits {
    /// 6 or 8.
    pub const fn count(self) -> u8 {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }
}

/// The hash under an HMAC-based code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-1, what every key has.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Whether a slot holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occupancy {
    /// Nothing is in it.
    Empty,
    /// A credential is in it; whose, the key does not say.
    Occupied,
}

/// How a key gives its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofWay {
    /// It types the code when touched shortly.
    TypedShort,
    /// It types the code when touched for about two seconds.
    TypedLong,
    /// It returns the code to the host when asked.
    Returned {
        /// Whether it waits for a touch first.
        touch: bool,
    },
    /// It returns the code, but only after its user's PIN, which the station does
    /// not have.
    BehindPin,
}

/// What can be put into one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ability {
    /// The kind of credential.
    pub kind: Kind,
    /// Whether eight digits are possible (six always are). False for kinds without digits.
    pub eight_digits: bool,
    /// The strongest hash it computes codes with.
    pub best_hash: HashAlgorithm,
    /// The longest seed it takes, in bytes.
    pub longest_seed: usize,
    /// How it can prove that it has the credential.
    pub proof: ProofWay,
    /// What it can be told to want before it gives a code, besides nothing.
    pub guards: &'static [Guard],
}

/// One slot as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// Its number.
    pub slot: Slot,
    /// Whether something is in it.
    pub occupancy: Occupancy,
    /// What could be put into it.
    pub abilities: Vec<Ability>,
    /// What it is called on the key itself, where keys keep names.
    pub label: Option<String>,
}

impl SlotState {
    /// How it would hold a credential of that kind; `None` when it cannot.
    pub fn ability(&self, kind: Kind) -> Option<&Ability> {
        self.abilities.iter().find(|ability| ability.kind == kind)
    }
}

/// What must be presented before a slot can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Nothing, or an access code: the key does not say which.
    MaybeAccessCode,
    /// The administrator's PIN, with so many tries left.
    AdminPin {
        /// Wrong tries until the PIN is blocked.
        tries_left: u8,
    },
    /// Nothing.
    Open,
}

/// What a key holds that finds credentials by name. A number is then only for
/// people, to tell one credential of a key from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What could be put into it, under any name.
    pub abilities: Vec<Ability>,
    /// The names of all that is in it.
    pub names: Vec<String>,
}

/// Everything that inspection finds out about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Which protocol it speaks.
    pub family: Family,
    /// What a person calls it: "YubiKey 5", "Nitrokey Pro 2".
    pub model: String,
    /// Its serial; `None` when it hides it.
    pub serial: Option<KeySerial>,
    pub firmware: Firmware,
    /// All its numbered slots, in order.
    pub slots: Vec<SlotState>,
    /// What it keeps by name, where it does that in place of numbered slots.
    pub named: Option<Named>,
    /// What guards its slots.
    pub lock: Lock,
    /// Words such as "USB-C keychain", where the key says it.
    pub form_factor: Option<&'static str>,
    /// Whether it is a FIPS edition; `None` when it does not say.
    pub fips: Option<bool>,
    /// Whether its interface configuration is locked by a code.
    pub config_locked: bool,
}

impl KeyInfo {
    /// The first slot of that number.
    pub fn slot(&self, slot: Slot) -> Option<&SlotState> {
        self.slots.iter().find(|state| state.slot == slot)
    }

    /// The slot of that number for that kind of credential. Some keys count the
    /// slots of each kind by themselves.
    pub fn slot_for(&self, kind: Kind, slot: Slot) -> Option<&SlotState> {
        self.slots.iter().find(|state| state.slot == slot && state.ability(kind).is_some())
    }

    /// Whether there is a slot of that number at all.
    pub fn has_slot(&self, slot: Slot) -> bool {
        self.named.is_some() || self.slot(slot).is_some()
    }

    /// How it would hold a credential of that kind in that slot; `None` when it cannot.
    pub fn ability(&self, kind: Kind, slot: Slot) -> Option<&Ability> {
        match &self.named {
            Some(named) => named.abilities.iter().find(|ability| ability.kind == kind),
            None => self.slot_for(kind, slot)?.ability(kind),
        }
    }

    /// Whether something is where a credential of that kind, slot and name would go.
    pub fn occupancy(&self, kind: Kind, slot: Slot, label: &str) -> Occupancy {
        let occupied = match &self.named {
            Some(named) => named.names.iter().any(|name| name == label),
            None => self.slot_for(kind, slot).is_none_or(|state| state.occupancy == Occupancy::Occupied),
        };
        if occupied { Occupancy::Occupied } else { Occupancy::Empty }
    }

    /// Whether credentials of both kinds, in slots of the same number, are in each
    /// other's place.
    pub fn share_slots(&self, one: Kind, other: Kind) -> bool {
        one == other
            || self.slots.iter().any(|state| state.ability(one).is_some() && state.ability(other).is_some())
    }
}

/// A credential on its way into a slot.
pub enum Credential {
    /// RFC 4226, SHA-1, counter 0.
    Hotp {
        /// The secret.
        seed: Seed,
        /// Six or eight.
        digits: Digits,
    },
    /// RFC 6238 kept by the key itself (Nitrokeys).
    Totp {
        /// The secret.
        seed: Seed,
        /// Six or eight.
        digits: Digits,
        hash: HashAlgorithm,
        /// Seconds per step, usually 30.
        period: u16,
    },
    YubicoOtp {
        /// What is typed in front, in clear: 0 to 16 bytes.
        public_id: Vec<u8>,
        /// What is inside.
        private_id: PrivateId,
        /// What encrypts it.
        key: AesKey,
    },
    /// HOTP that is typed behind a token id. Servers that know nothing of the id
    /// take it for a PIN.
    HotpBehindId {
        /// The secret.
        seed: Seed,
        /// Six or eight.
        digits: Digits,
        /// What is typed in front of each code.
        id: OathId,
    },
    /// HMAC-SHA1 challenge-response.
    ChallengeResponse {
        /// The secret, at most 20 bytes.
        seed: Seed,
        /// Whether each answer needs a touch.
        touch: bool,
    },
    /// A typed password, as scan codes of the US layout.
    StaticPassword {
        /// Up to 38 characters.
        password: Pin,
    },
}

impl Credential {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hotp { .. } | Self::HotpBehindId { .. } => Kind::Hotp,
            Self::Totp { .. } => Kind::Totp,
            Self::YubicoOtp { .. } => Kind::YubicoOtp,
            Self::ChallengeResponse { .. } => Kind::ChallengeResponse,
            Self::StaticPassword { .. } => Kind::StaticPassword,
        }
    }
}

/// What is presented to unlock a slot.
pub enum Unlock {
    /// Nothing.
    None,
    /// The slot's current access code.
    AccessCode(AccessCode),
    /// The administrator's PIN, or the only one that the key has.
    AdminPin(Pin),
    UserPin(Pin),
}

/// What a key wants before it gives a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Guard {
    /// Nothing more than it always wants.
    #[default]
    Nothing,
    Touch,
    /// Its user's PIN.
    Pin,
}

/// What can be asked of a key.
pub enum Operation {
    /// Find out what it is and what is in it. Changes nothing.
    Inspect,
    /// Put a credential into a slot, replacing what is there.
    Program {
        slot: Slot,
        credential: Credential,
        /// What unlocks the slot now.
        unlock: Unlock,
        /// What shall guard it from now on; `None` keeps it open.
        new_code: Option<AccessCode>,
        /// What the key shall call the slot, where keys keep names.
        label: String,
        /// What the key shall want before it gives a code, where keys can be told.
        guard: Guard,
    },
    /// Empty a slot.
    Erase {
        slot: Slot,
        /// The kind of credential in it: keys may count each kind by itself.
        kind: Kind,
        unlock: Unlock,
        /// What the key calls the slot, where keys find slots by name.
        label: String,
    },
    /// Ask for a code, of a key that returns codes.
    AskCode {
        slot: Slot,
        /// The kind of credential in it.
        kind: Kind,
        /// What that kind needs to be told (the time step, as a challenge).
        challenge: Vec<u8>,
        /// Six or eight.
        digits: Digits,
        /// What the key calls the slot, where keys find slots by name.
        label: String,
        /// What makes it give the code, where it wants more than a touch.
        unlock: Unlock,
    },
    /// Give a slot that holds something another access code, and leave all else as it is.
    SetCode {
        slot: Slot,
        /// The kind of credential in it.
        kind: Kind,
        /// What it wants before it gives a code, as it was programmed.
        guard: Guard,
        /// What unlocks it now.
        unlock: Unlock,
        /// What shall from now on.
        new_code: AccessCode,
    },
    /// Exchange what is in the slots 1 and 2.
    Swap {
        /// What unlocks both.
        unlock: Unlock,
    },
    /// Change the PIN by which slots are unlocked, or set it for the first time.
    ChangePin {
        /// What it is now; `None` when the key has none.
        old: Option<Pin>,
        /// What it shall be.
        new: Pin,
    },
}
