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

use keys::device::{Digits, Guard, HashAlgorithm, Kind, Slot};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A named way of enrolling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Profile {
    /// What is put into the key.
    pub kind: Kind,
    /// Where to.
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
}

/// What a slot may hold for the station to write into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    /// Nothing, or what an unfinished enrollment of this station left.
    Never,
    /// Also a finished enrollment of this station, which is released first.
    Ours,
    /// Anything, when an operator confirms it for this run or this key.
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
    #[must_use]
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
        }
    }

    /// SHA-256 over the profile in its canonical TOML form, so that a receipt can
    /// name exactly what was in force.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let text = toml::to_string(self).unwrap_or_default();
        Sha256::digest(text.as_bytes()).into()
    }

    /// What a key shall call a credential.
    #[must_use]
    pub fn label_of(&self, server: &str, token: &str) -> String {
        self.label.replace("{server}", server).replace("{token}", token)
    }

    /// The description of a token, filled in and cut to the 80 characters that the server keeps.
    #[must_use]
    pub fn describe(&self, station: &str, key: &str, profile: &str) -> String {
        let text = self
            .description
            .replace("{station}", station)
            .replace("{key}", key)
            .replace("{profile}", profile);
        text.chars().take(80).collect()
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

/// A profile as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    kind: WrittenKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digits: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed_length: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<WrittenHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard: Option<WrittenGuard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_pin: Option<KeyPin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    touch_seconds: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realm: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overwrite: Option<Overwrite>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verify: Option<Verify>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenKind {
    Hotp,
    Totp,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenHash {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenGuard {
    Nothing,
    Touch,
}

impl Written {
    const fn kind_is_hotp(&self) -> bool {
        matches!(self.kind, WrittenKind::Hotp)
    }
}

impl TryFrom<Written> for Profile {
    type Error = ProfileError;

    fn try_from(written: Written) -> Result<Self, ProfileError> {
        let wrong = |field, problem| Err(ProfileError { field, problem });
        let mut profile = Self::new(match written.kind {
            WrittenKind::Hotp => Kind::Hotp,
            WrittenKind::Totp => Kind::Totp,
        });
        if let Some(slot) = written.slot {
            profile.slot = Slot(slot);
        }
        profile.digits = match written.digits {
            None | Some(6) => Digits::Six,
            Some(8) => Digits::Eight,
            Some(_) => return wrong("digits", "must be 6 or 8"),
        };
        if let Some(length) = written.seed_length {
            // RFC 4226, R6: at least 128 bits. How many a key takes is known when it is there.
            if !(16..=64).contains(&length) {
                return wrong("seed-length", "must be 16 to 64 bytes");
            }
            profile.seed_length = length;
        }
        if written.kind_is_hotp() && (written.hash.is_some() || written.period.is_some()) {
            return wrong("kind", "hotp has neither hash nor period; leave them out");
        }
        profile.hash = match written.hash {
            None | Some(WrittenHash::Sha1) => HashAlgorithm::Sha1,
            Some(WrittenHash::Sha256) => HashAlgorithm::Sha256,
            Some(WrittenHash::Sha512) => HashAlgorithm::Sha512,
        };
        if let Some(period) = written.period {
            if period != 30 && period != 60 {
                return wrong("period", "must be 30 or 60 seconds");
            }
            profile.period = period;
        }
        profile.guard = match written.guard {
            None | Some(WrittenGuard::Nothing) => Guard::Nothing,
            Some(WrittenGuard::Touch) => Guard::Touch,
        };
        profile.key_pin = written.key_pin.unwrap_or(profile.key_pin);
        if let Some(label) = written.label {
            // Without the token's name, credentials of one key could not be told apart.
            if !label.contains("{token}") {
                return wrong("label", "must contain {token}");
            }
            profile.label = label;
        }
        if let Some(attempts) = written.attempts {
            if !(1..=10).contains(&attempts) {
                return wrong("attempts", "must be 1 to 10");
            }
            profile.attempts = attempts;
        }
        if let Some(seconds) = written.touch_seconds {
            if !(5..=300).contains(&seconds) {
                return wrong("touch-seconds", "must be 5 to 300");
            }
            profile.touch = Duration::from_secs(seconds.into());
        }
        if written.realm.as_deref().is_some_and(|realm| realm.trim().is_empty()) {
            return wrong("realm", "must name a realm, or be left out");
        }
        profile.realm = written.realm;
        if let Some(description) = written.description {
            profile.description = description;
        }
        profile.overwrite = written.overwrite.unwrap_or(profile.overwrite);
        profile.verify = written.verify.unwrap_or(profile.verify);
        Ok(profile)
    }
}

impl From<Profile> for Written {
    fn from(profile: Profile) -> Self {
        let totp = profile.kind == Kind::Totp;
        Self {
            kind: if totp { WrittenKind::Totp } else { WrittenKind::Hotp },
            hash: totp.then_some(match profile.hash {
                HashAlgorithm::Sha1 => WrittenHash::Sha1,
                HashAlgorithm::Sha256 => WrittenHash::Sha256,
                HashAlgorithm::Sha512 => WrittenHash::Sha512,
            }),
            period: totp.then_some(profile.period),
            guard: Some(match profile.guard {
                Guard::Touch => WrittenGuard::Touch,
                Guard::Nothing | Guard::Pin => WrittenGuard::Nothing,
            }),
            key_pin: Some(profile.key_pin),
            label: Some(profile.label),
            slot: Some(profile.slot.0),
            digits: Some(profile.digits.count()),
            seed_length: Some(profile.seed_length),
            attempts: Some(profile.attempts),
            touch_seconds: u16::try_from(profile.touch.as_secs()).ok(),
            realm: profile.realm,
            description: Some(profile.description),
            overwrite: Some(profile.overwrite),
            verify: Some(profile.verify),
        }
    }
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
            ("kind = 'hotp'\nperiod = 30", "kind"),
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
