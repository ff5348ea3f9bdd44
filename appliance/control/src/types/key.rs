//! Keys, ports, profiles, and what can be done with one key.

use jiff::Timestamp;

use super::{Order, Outcome};
use crate::{Refusal, Secret};

words! {
    /// What happens in a port.
    pub enum Activity {
        /// A key is there, and nobody has asked for anything.
        Idle = "idle",
        /// Its turn has not come.
        Waiting = "waiting",
        /// It is worked on.
        Working = "working",
        /// It is to be touched.
        Touch = "touch",
        /// It is done; it may be pulled out.
        Done = "done",
        /// It was refused, or its enrollment was undone; it may be pulled out.
        Refused = "refused",
        /// It is quarantined.
        Quarantined = "quarantined",
        /// Something is plugged in that is no key.
        Stranger = "stranger",
        /// The key is gone.
        Empty = "empty",
    }
}

words! {
    /// What is in a slot.
    pub enum SlotContent {
        /// Nothing.
        Empty = "empty",
        /// A credential that this station wrote.
        Ours = "ours",
        /// A credential of an enrollment that is not over.
        Unsettled = "unsettled",
        /// A credential that this station knows nothing of.
        Foreign = "foreign",
        /// The key does not say.
        Unknown = "unknown",
    }
}

values! {
    /// A slot of a key.
    pub struct Slot {
        /// Its number.
        pub slot: i64,
        /// The kind of credential it is for, where a key has slots for each kind.
        pub kind: Option<String>,
        /// What is in it.
        pub content: SlotContent,
        /// The token that belongs to it, as far as the station knows.
        pub token: Option<String>,
    }

    /// A key.
    pub struct Key {
        /// Its serial, as it is printed on it; `null` when it hides it or has not been asked.
        pub serial: Option<String>,
        /// Maker and model.
        pub model: String,
        /// Its firmware.
        pub firmware: String,
        /// Where it is plugged in, as a USB port path (`1-1.3`); `null` when it is not.
        pub port: Option<String>,
        /// Its slots.
        pub slots: Vec<Slot>,
    }

    /// A key and its history.
    pub struct KeyDetails {
        /// The key; `null` when it is not plugged in.
        pub key: Option<Key>,
        /// Its enrollments, oldest first.
        pub enrollments: Vec<KeyEnrollment>,
        /// The profiles that fit it.
        pub profiles: Vec<String>,
    }

    /// An enrollment of a key, as the journal has it.
    pub struct KeyEnrollment {
        /// Its name.
        pub enrollment: String,
        /// How far it has come: `planned`, `registered`, `written`, `proven`, `done`, `undoing`, `undone`.
        pub state: String,
        /// When that was.
        pub at: Timestamp,
        /// The token.
        pub token: String,
        /// The slot.
        pub slot: i64,
        /// The profile.
        pub profile: String,
        /// Whom the token is for.
        pub person: Option<String>,
        /// Who let it happen.
        pub operator: String,
        /// Why it was taken back.
        pub reason: Option<String>,
    }

    /// The keys that are plugged in.
    pub struct Keys {
        /// By port.
        pub keys: Vec<Key>,
        /// The orders that wait for a key, oldest first.
        pub orders: Vec<Order>,
    }

    /// A port and what happens in it.
    pub struct Port {
        /// The USB port path (`1-1.3`).
        pub port: String,
        /// The number beside the socket.
        pub number: Option<i64>,
        /// What happens.
        pub activity: Activity,
        /// Since when.
        pub since: Timestamp,
        /// The key.
        pub key: Option<Key>,
        /// The enrollment's number, for `cancel`.
        pub ticket: Option<i64>,
        /// Where the enrollment is: `inspecting`, `checking`, `registering`, `writing`, `proving`, `finishing`, `noting`, `undoing`, `recovering`.
        pub phase: Option<String>,
        /// How the last enrollment in this port ended, while the key is still there.
        pub outcome: Option<Outcome>,
        /// In words, where there is more to say.
        pub text: Option<String>,
    }

    /// A key that an enrollment left in no final state.
    pub struct Unsettled {
        /// The key's serial.
        pub key: String,
        /// The token.
        pub token: String,
        /// How far it came.
        pub state: String,
        /// Since when.
        pub since: Timestamp,
        /// What is to be done.
        pub remedy: String,
    }

    /// A named way of enrolling.
    pub struct Profile {
        /// Its name.
        pub name: String,
        /// `hotp`, `totp` …
        pub kind: String,
        /// The slot.
        pub slot: i64,
        /// How many digits a code has.
        pub digits: i64,
        /// The realm that new tokens are put into.
        pub realm: Option<String>,
        /// What may be overwritten: `never`, `factory`, `confirmed`; `ours` means `never`.
        pub overwrite: String,
        /// Which keys it is for, in words.
        pub matches: String,
        /// All of it, as TOML.
        pub toml: String,
    }

    /// Every profile.
    pub struct Profiles {
        /// By name.
        pub profiles: Vec<Profile>,
    }

    /// Whether a profile fits.
    pub struct ProfileFit {
        /// The profile.
        pub profile: String,
        /// The key it was tried on; `null` when none is plugged in.
        pub key: Option<String>,
        /// Why it does not fit; `null` when it does.
        pub refusal: Option<Refusal>,
        /// The rights at the server that it needs and that are missing.
        pub rights_missing: Vec<String>,
        /// The token that would be made.
        pub token: Option<String>,
        /// What would become of the slot: `written`, `erased first …`, or `UBOM… released first`.
        pub slot: Option<String>,
        /// How the key would prove itself.
        pub proof: Option<String>,
        /// What the server calls itself.
        pub server: Option<String>,
        /// Tokens of enrollments that would be put right before.
        pub unsettled: Vec<String>,
        /// What should be known of the profile.
        pub warnings: Vec<String>,
    }

    /// What was done with a key's slots.
    pub struct KeyHandled {
        /// The key's serial.
        pub key: Option<String>,
        /// Maker and model of the key.
        pub model: Option<String>,
    }

    /// A profile made of a parameter file of the old enrollment client.
    pub struct ImportedProfile {
        /// Whether the file says anything about keys.
        pub profile: bool,
        /// It, as TOML for the configuration, with what is left as comments above it.
        pub toml: String,
        /// The server's address that the file names.
        pub url: Option<String>,
        /// What could not be taken over, and what to do instead.
        pub left: Vec<String>,
    }

    /// Whether something was there to be cancelled.
    pub struct Cancelled {
        /// How many orders were called off: enrollments undo what they have done.
        pub enrollments: i64,
    }
}

requests! {
    /// A key.
    pub struct ByKey {
        /// Its serial or its port.
        pub key: String,
    }

    /// Whether a profile fits a key.
    pub struct ProfileCheck {
        /// The profile.
        pub profile: String,
        /// The key's serial or port; the only one plugged in when missing.
        pub key: Option<String>,
    }

    /// An enrollment.
    pub struct Enroll {
        /// The profile; the one that fits when missing.
        pub profile: Option<String>,
        /// Whom the token is for: `login@realm`; the login alone where the server knows one answer.
        pub person: Option<String>,
        /// The key's serial or port; when missing, the only one plugged in, or else the next.
        pub key: Option<String>,
        /// Whether a foreign credential may be overwritten.
        pub overwrite_confirmed: bool,
        /// Whether to go on without looking the person up at the server.
        pub unchecked: Option<bool>,
        /// Whether the Yubico OTP that the key was sold with may be overwritten: it types once.
        pub factory: Option<bool>,
        /// The token whose finished enrollment may be replaced; without it, none is.
        pub replace: Option<String>,
        /// The token's PIN.
        pub pin: Option<Secret>,
        /// What unlocks the slot: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
        /// The key's administrator PIN.
        pub key_pin: Option<Secret>,
        /// Whether it goes on when nobody listens any more; the first event is the only one then.
        pub detach: Option<bool>,
        /// How long it waits for its key, in milliseconds; ten minutes when missing.
        pub wait_ms: Option<i64>,
    }

    /// A key whose two slots are to be exchanged.
    pub struct KeySwap {
        /// The key's serial or port.
        pub key: String,
        /// What unlocks the slots: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
    }

    /// A slot to be emptied, whoever's it is.
    pub struct KeyWipe {
        /// The key's serial or port.
        pub key: String,
        /// The slot's number.
        pub slot: u8,
        /// What unlocks the slot: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
        /// The key's administrator PIN.
        pub key_pin: Option<Secret>,
    }

    /// A parameter file of the old enrollment client to be read.
    pub struct ProfileImport {
        /// What the profile is to be called.
        pub name: String,
        /// The file, line by line; there may be passwords in it.
        pub lines: Vec<Secret>,
    }

    /// What is to be cancelled; everything, when nothing is named.
    pub struct Cancel {
        /// The number of an enrollment.
        pub ticket: Option<i64>,
        /// A key's serial or port.
        pub key: Option<String>,
    }

    /// A finished enrollment to be taken back: its token is deleted, its slot erased.
    pub struct Release {
        /// The key's serial or port.
        pub key: String,
        /// Which token, when the key has several.
        pub token: Option<String>,
        /// What unlocks the slot: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
        /// The key's administrator PIN.
        pub key_pin: Option<Secret>,
        /// How long it waits for its key, in milliseconds; when missing, the key has to be plugged in.
        pub wait_ms: Option<i64>,
    }

    /// A key to be asked for a code, which the server checks.
    pub struct Verify {
        /// The key's serial or port.
        pub key: String,
        /// Which token, when the key has several.
        pub token: Option<String>,
        /// The key's administrator PIN.
        pub key_pin: Option<Secret>,
        /// How long it waits for its key, in milliseconds; when missing, the key has to be plugged in.
        pub wait_ms: Option<i64>,
    }
}
