//! Profiles: named ways of enrolling, as operators write them in TOML.
//!
//! ```toml
//! [profile.desk]
//! kind = "hotp"
//! slot = 1
//! digits = 6
//! realm = "office"
//! ```
//!
//! Everything has a default but `kind`; unknown fields and impossible
//! combinations are errors. A profile holds no secret.
//!
//! A YubiKey slot can also hold a Yubico OTP (`kind = "yubico-otp"`), an HMAC-SHA1
//! secret that the server knows as TOTP (`"challenge-response"`), or a static
//! password (`"static-password"`, only with `allow-static = true`).
//!
//! For keys that keep time themselves, are unlocked by a PIN, or find credentials
//! by name:
//!
//! ```toml
//! [profile.vault]
//! kind = "totp"
//! period = 30
//! hash = "sha256"
//! key-pin = "asked"
//! guard = "touch"
//! label = "{server}:{token}"
//! ```

use core::time::Duration;

use keys::device::OathId;
use keys::device::{Digits, Guard, HashAlgorithm, KeySerial, Kind, Slot};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod words;
mod written;

pub use words::Warning;
use written::Written;

/// A named way of enrolling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Profile {
    /// What is put into the key.
    pub kind: Kind,
    pub slot: Slot,
    /// Six or eight.
    pub digits: Digits,
    /// Seed length in bytes, 16 to 64. Most keys take 20, see
    /// [`Ability::longest_seed`](keys::device::Ability::longest_seed).
    pub seed_length: usize,
    /// The hash of TOTP; HOTP always has SHA-1.
    pub hash: HashAlgorithm,
    /// Seconds per step of TOTP: 30 or 60, which is what servers have.
    pub period: u16,
    /// What the key shall want before it gives a code, where keys can be told.
    pub guard: Guard,
    /// What unlocks slots of keys that have a PIN for that.
    pub key_pin: KeyPin,
    /// What the key calls the credential, where keys keep names; `{server}` and
    /// `{token}` are filled in.
    pub label: String,
    /// How often a wrong code or none is forgiven before everything is undone: 1 to 10.
    pub attempts: u8,
    /// How long one attempt waits for a touch: 5 to 300 s.
    pub touch: Duration,
    /// The realm that new tokens are put into.
    pub realm: Option<String>,
    /// Written into the token; `{station}`, `{key}` and `{profile}` are filled in.
    pub description: String,
    /// What may be overwritten.
    pub overwrite: Overwrite,
    /// Whether the server must verify new tokens itself.
    pub verify: Verify,
    /// Whether key and server make the secret together, each a part of it.
    pub two_step: TwoStep,
    /// What a Yubico OTP begins with.
    pub public_id: PublicId,
    /// What an HOTP slot types in front of each code. The server takes it for a PIN.
    pub token_id: Option<TokenId>,
    /// Letters of a static password: 16 to 38.
    pub password_length: u8,
    /// What shall guard the slot from now on.
    pub new_access_code: NewCode,
    /// Where a random access code is kept.
    pub access_code_to: CodeTo,
}

/// Whether the seed is made in two steps: a part by the server, a part here, and
/// neither goes over the network as it ends up in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwoStep {
    /// In one step.
    Never,
    /// In two where the server offers it, else in one.
    WhenOffered,
    /// In two, or not at all.
    Force,
}

/// What a Yubico OTP begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PublicId {
    /// Six bytes, `vv` and ten random letters: the range left to users.
    Random,
    /// Six bytes, `vvcc` and the key's serial.
    Serial,
    /// Nothing.
    None,
    /// These bytes, 1 to 16.
    Fixed(Vec<u8>),
}

/// What an HOTP slot types in front of each code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenId {
    /// `ubhe` and the last eight digits of the key's serial.
    Serial,
    /// This text in modhex, 2 to 32 letters.
    Fixed(String),
}

/// What shall guard a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewCode {
    /// Nothing.
    None,
    /// The same code for every key, given by the operator.
    Fixed,
    /// A random one for each key.
    Random,
    /// One for each key, derived from a secret of the station.
    Derived,
}

/// Where a random access code is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeTo {
    /// In the token's own notes on the server.
    Server,
    /// In the hand-over file, encrypted for an operator.
    HandOver,
}

/// What a slot may hold for the station to write into it. A finished enrollment of this station is not
/// among it, whatever this says: see [`Replace`](crate::engine::enrollment::Replace).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    /// Nothing, or what an unfinished enrollment of this station left.
    Never,
    /// The same: what this station finished goes only by an order that names it. The word is
    /// kept since there are configurations that have it.
    Ours,
    /// Also the Yubico OTP with which YubiKeys are sold, when the key shows that it is like one.
    Factory,
    /// Also what is foreign, when an operator confirms it for this run or this key.
    Confirmed,
}

/// Which PIN unlocks the slots of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPin {
    /// The one with which keys are sold.
    Factory,
    /// One that the operator gives for the whole batch.
    Asked,
    /// The one with which keys are sold, or the one that the operator gives; in the end
    /// each key gets a random one, which is in the hand-over file before.
    Random,
}

/// Whether the server must verify new tokens itself (policy `verify_enrollment`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// When the server does; else the token stays disabled until the key has proven itself.
    Auto,
    /// Refuse when the server does not.
    Required,
}

impl Profile {
    /// A profile of this kind with every default.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            slot: Slot(1),
            digits: Digits::Six,
            seed_length: keys::secret::Seed::DEFAULT_LENGTH,
            hash: HashAlgorithm::Sha1,
            period: 30,
            guard: Guard::Nothing,
            key_pin: KeyPin::Factory,
            label: "{server}:{token}".to_owned(),
            attempts: 3,
            touch: Duration::from_secs(30),
            realm: None,
            description: "{station}: {key}".to_owned(),
            overwrite: Overwrite::Never,
            verify: Verify::Auto,
            two_step: TwoStep::Never,
            public_id: PublicId::Random,
            token_id: None,
            password_length: 32,
            new_access_code: NewCode::None,
            access_code_to: CodeTo::Server,
        }
    }

    /// SHA-256 over the profile in its canonical TOML form, so that a receipt can
    /// name exactly what was in force.
    pub fn digest(&self) -> [u8; 32] {
        let text = toml::to_string(self).unwrap_or_default();
        Sha256::digest(text.as_bytes()).into()
    }

    /// What a key shall call a credential.
    pub fn label_of(&self, server: &str, token: &str) -> String {
        self.label.replace("{server}", server).replace("{token}", token)
    }

    /// The description of a token, filled in and cut to the 80 characters that the server keeps.
    pub fn describe(&self, station: &str, key: &str, profile: &str) -> String {
        let text = self
            .description
            .replace("{station}", station)
            .replace("{key}", key)
            .replace("{profile}", profile);
        text.chars().take(80).collect()
    }
}

impl TokenId {
    /// What a key of this serial types.
    pub fn of(&self, key: KeySerial) -> Option<OathId> {
        match self {
            Self::Serial => Some(OathId::of_serial(key.number)),
            Self::Fixed(text) => OathId::modhex(text),
        }
    }
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ProfileError {
    /// The field's name in TOML.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_main_job() {
        let profile: Profile = toml::from_str("kind = 'hotp'").unwrap();
        assert_eq!(profile, Profile::new(Kind::Hotp));
        let profile: Profile = toml::from_str("kind = 'totp'").unwrap();
        assert_eq!(profile, Profile::new(Kind::Totp));
    }

    #[test]
    fn every_kind_reads_back_as_written() {
        for text in [
            "kind = 'yubico-otp'\nslot = 2\npublic-id = 'vvcbcdce'",
            "kind = 'yubico-otp'\npublic-id = 'serial'\nnew-access-code = 'random'\naccess-code-to = 'hand-over'",
            "kind = 'challenge-response'\nguard = 'touch'\nperiod = 60\ndigits = 8\ntwo-step = 'force'",
            "kind = 'static-password'\nallow-static = true\npassword-length = 38",
            "kind = 'hotp'\ntoken-id = 'serial'\ntwo-step = 'when-offered'\nnew-access-code = 'derived'",
        ] {
            let profile: Profile = toml::from_str(text).unwrap();
            let again: Profile = toml::from_str(&toml::to_string(&profile).unwrap()).unwrap();
            assert_eq!(again, profile, "{text}");
            assert_ne!(profile.digest(), Profile::new(profile.kind).digest(), "{text}");
        }
    }

    #[test]
    fn what_some_keys_want_can_be_written() {
        let text = "kind = 'totp'\nperiod = 60\nhash = 'sha256'\nkey-pin = 'asked'\nguard = 'touch'\n\
                    label = 'vpn:{token}'\nseed-length = 32";
        let profile: Profile = toml::from_str(text).unwrap();
        assert_eq!((profile.period, profile.hash), (60, HashAlgorithm::Sha256));
        assert_eq!((profile.key_pin, profile.guard), (KeyPin::Asked, Guard::Touch));
        assert_eq!(profile.label_of("here", "NK1_1"), "vpn:NK1_1");
        let again: Profile = toml::from_str(&toml::to_string(&profile).unwrap()).unwrap();
        assert_eq!(again, profile);
    }

    #[test]
    fn errors_name_the_field() {
        for (text, field) in [
            ("kind = 'hotp'\ndigits = 7", "digits"),
            ("kind = 'hotp'\nattempts = 0", "attempts"),
            ("kind = 'hotp'\nseed-length = 10", "seed-length"),
            ("kind = 'hotp'\ntouch-seconds = 1", "touch-seconds"),
            ("kind = 'hotp'\nrealm = ' '", "realm"),
            ("kind = 'hotp'\nseed-length = 65", "seed-length"),
            ("kind = 'hotp'\nperiod = 30", "period"),
            ("kind = 'hotp'\nhash = 'sha1'", "hash"),
            ("kind = 'static-password'", "allow-static"),
            ("kind = 'static-password'\nallow-static = true\npassword-length = 8", "password-length"),
            ("kind = 'yubico-otp'\ndigits = 6", "digits"),
            ("kind = 'yubico-otp'\npublic-id = 'abc'", "public-id"),
            ("kind = 'yubico-otp'\nverify = 'required'", "verify"),
            ("kind = 'yubico-otp'\ntwo-step = 'force'", "two-step"),
            ("kind = 'hotp'\ntoken-id = 'xyz'", "token-id"),
            ("kind = 'totp'\ntoken-id = 'serial'", "token-id"),
            ("kind = 'hotp'\nnew-access-code = 'derived'\naccess-code-to = 'server'", "access-code-to"),
            ("kind = 'totp'\nnew-access-code = 'random'", "new-access-code"),
            ("kind = 'totp'\nperiod = 31", "period"),
            ("kind = 'totp'\nlabel = 'x'", "label"),
            ("kind = 'hotp'\ndigts = 6", "digts"),
            ("kind = 'smoke'", "smoke"),
        ] {
            let error = toml::from_str::<Profile>(text).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    #[test]
    fn the_digest_changes_with_every_field_and_survives_writing() {
        let plain = Profile::new(Kind::Hotp);
        let text = toml::to_string(&plain).unwrap();
        assert_eq!(toml::from_str::<Profile>(&text).unwrap().digest(), plain.digest());
        let other = Profile { digits: Digits::Eight, ..plain.clone() };
        assert_ne!(other.digest(), plain.digest());
    }

    #[test]
    fn descriptions_are_cut_where_the_server_would_cut_them() {
        let profile = Profile { description: "ä".repeat(100), ..Profile::new(Kind::Hotp) };
        assert_eq!(profile.describe("s", "k", "p").chars().count(), 80);
    }
}
