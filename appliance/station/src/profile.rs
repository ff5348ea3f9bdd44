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

use core::time::Duration;

use keys::device::{Digits, Kind, Slot};
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
    /// Seed length in bytes, 16 to 20 for a YubiKey.
    pub seed_length: usize,
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
}

impl TryFrom<Written> for Profile {
    type Error = ProfileError;

    fn try_from(written: Written) -> Result<Self, ProfileError> {
        let wrong = |field, problem| Err(ProfileError { field, problem });
        let mut profile = Self::new(match written.kind {
            WrittenKind::Hotp => Kind::Hotp,
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
            // RFC 4226, R6: at least 128 bits. Keys take at most 20 bytes for SHA-1.
            if !(16..=20).contains(&length) {
                return wrong("seed-length", "must be 16 to 20 bytes");
            }
            profile.seed_length = length;
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
        Self {
            kind: WrittenKind::Hotp,
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
    }

    #[test]
    fn errors_name_the_field() {
        for (text, field) in [
            ("kind = 'hotp'\ndigits = 7", "digits"),
            ("kind = 'hotp'\nattempts = 0", "attempts"),
            ("kind = 'hotp'\nseed-length = 10", "seed-length"),
            ("kind = 'hotp'\ntouch-seconds = 1", "touch-seconds"),
            ("kind = 'hotp'\nrealm = ' '", "realm"),
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
