//! Profiles as they are written in TOML, and what cannot be written.

use core::time::Duration;

use keys::device::{Digits, Guard, HashAlgorithm, Kind, Slot};
use keys::modhex;
use serde::{Deserialize, Serialize};

use super::{CodeTo, KeyPin, NewCode, Overwrite, Profile, ProfileError, PublicId, TokenId, TwoStep, Verify};

/// A profile as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Written {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    two_step: Option<TwoStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_id: Option<PublicId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_id: Option<TokenId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_length: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_static: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new_access_code: Option<NewCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_code_to: Option<CodeTo>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WrittenKind {
    Hotp,
    Totp,
    YubicoOtp,
    ChallengeResponse,
    StaticPassword,
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

impl WrittenKind {
    const ALL: [(Self, Kind); 5] = [
        (Self::Hotp, Kind::Hotp),
        (Self::Totp, Kind::Totp),
        (Self::YubicoOtp, Kind::YubicoOtp),
        (Self::ChallengeResponse, Kind::ChallengeResponse),
        (Self::StaticPassword, Kind::StaticPassword),
    ];
}

impl Written {
    fn kind(&self) -> Kind {
        WrittenKind::ALL.iter().find(|(word, _)| *word == self.kind).map_or(Kind::Hotp, |(_, kind)| *kind)
    }

    /// A field that says something about a kind it does not belong to.
    fn misplaced(&self) -> Option<ProfileError> {
        let kind = self.kind();
        let is = |kinds: &[Kind]| kinds.contains(&kind);
        let coded = is(&[Kind::Hotp, Kind::Totp, Kind::ChallengeResponse]);
        let timed = is(&[Kind::Totp, Kind::ChallengeResponse]);
        let slotted = !is(&[Kind::Totp]);
        let rules: [(&'static str, bool, bool, &'static str); 10] = [
            ("digits", self.digits.is_some(), coded, "only codes have digits; leave it out"),
            ("seed-length", self.seed_length.is_some(), coded, "only codes have a seed; leave it out"),
            (
                "hash",
                self.hash.is_some(),
                is(&[Kind::Totp]),
                "only totp has a choice of hashes; leave it out",
            ),
            (
                "period",
                self.period.is_some(),
                timed,
                "only totp and challenge-response have a period; leave it out",
            ),
            (
                "two-step",
                self.two_step.is_some_and(|two| two != TwoStep::Never),
                coded,
                "only hotp, totp and challenge-response can be made in two steps",
            ),
            (
                "verify",
                self.verify == Some(Verify::Required),
                coded,
                "the server verifies hotp, totp and challenge-response only",
            ),
            (
                "public-id",
                self.public_id.is_some(),
                is(&[Kind::YubicoOtp]),
                "only yubico-otp has a public id; leave it out",
            ),
            (
                "token-id",
                self.token_id.is_some(),
                is(&[Kind::Hotp]),
                "only hotp has a token id; leave it out",
            ),
            (
                "password-length",
                self.password_length.is_some(),
                is(&[Kind::StaticPassword]),
                "only static-password has a length; leave it out",
            ),
            (
                "new-access-code",
                self.new_access_code.is_some_and(|code| code != NewCode::None),
                slotted,
                "keys that keep time have no access codes",
            ),
        ];
        rules
            .into_iter()
            .find(|(_, given, fits, _)| *given && !fits)
            .map(|(field, _, _, problem)| ProfileError { field, problem })
    }
}

impl TryFrom<Written> for Profile {
    type Error = ProfileError;

    fn try_from(written: Written) -> Result<Self, ProfileError> {
        let wrong = |field, problem| Err(ProfileError { field, problem });
        if let Some(error) = written.misplaced() {
            return Err(error);
        }
        let mut profile = Self::new(written.kind());
        if profile.kind == Kind::StaticPassword && written.allow_static != Some(true) {
            return wrong(
                "allow-static",
                "a static password proves nothing but that it was typed; write allow-static = true to have it all the same",
            );
        }
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
        profile.two_step = written.two_step.unwrap_or(profile.two_step);
        profile.public_id = written.public_id.unwrap_or(profile.public_id);
        profile.token_id = written.token_id;
        if let Some(length) = written.password_length {
            // 16 letters of modhex are 64 bits; a slot holds 38.
            if !(16..=38).contains(&length) {
                return wrong("password-length", "must be 16 to 38");
            }
            profile.password_length = length;
        }
        profile.new_access_code = written.new_access_code.unwrap_or(profile.new_access_code);
        if written.access_code_to.is_some() && profile.new_access_code != NewCode::Random {
            return wrong(
                "access-code-to",
                "says where a random code goes: it needs new-access-code = \"random\"",
            );
        }
        profile.access_code_to = written.access_code_to.unwrap_or(profile.access_code_to);
        Ok(profile)
    }
}

impl From<Profile> for Written {
    fn from(profile: Profile) -> Self {
        let kind = profile.kind;
        let totp = kind == Kind::Totp;
        let coded = matches!(kind, Kind::Hotp | Kind::Totp | Kind::ChallengeResponse);
        let random = profile.new_access_code == NewCode::Random;
        Self {
            kind: WrittenKind::ALL
                .iter()
                .find(|(_, known)| *known == kind)
                .map_or(WrittenKind::Hotp, |(word, _)| *word),
            hash: totp.then_some(match profile.hash {
                HashAlgorithm::Sha1 => WrittenHash::Sha1,
                HashAlgorithm::Sha256 => WrittenHash::Sha256,
                HashAlgorithm::Sha512 => WrittenHash::Sha512,
            }),
            period: matches!(kind, Kind::Totp | Kind::ChallengeResponse).then_some(profile.period),
            guard: Some(match profile.guard {
                Guard::Touch => WrittenGuard::Touch,
                Guard::Nothing | Guard::Pin => WrittenGuard::Nothing,
            }),
            key_pin: Some(profile.key_pin),
            label: Some(profile.label),
            slot: Some(profile.slot.0),
            digits: coded.then_some(profile.digits.count()),
            seed_length: coded.then_some(profile.seed_length),
            attempts: Some(profile.attempts),
            touch_seconds: u16::try_from(profile.touch.as_secs()).ok(),
            realm: profile.realm,
            description: Some(profile.description),
            overwrite: Some(profile.overwrite),
            verify: Some(profile.verify),
            two_step: Some(profile.two_step),
            public_id: (kind == Kind::YubicoOtp).then_some(profile.public_id),
            token_id: profile.token_id.filter(|_| kind == Kind::Hotp),
            password_length: (kind == Kind::StaticPassword).then_some(profile.password_length),
            allow_static: (kind == Kind::StaticPassword).then_some(true),
            new_access_code: Some(profile.new_access_code),
            access_code_to: random.then_some(profile.access_code_to),
        }
    }
}

impl TryFrom<String> for PublicId {
    type Error = ProfileError;

    fn try_from(text: String) -> Result<Self, ProfileError> {
        Ok(match text.as_str() {
            "random" => Self::Random,
            "serial" => Self::Serial,
            "none" => Self::None,
            other => match modhex::decode(other) {
                Ok(bytes) if (1..=16).contains(&bytes.len()) => Self::Fixed(bytes.to_vec()),
                _ => {
                    return Err(ProfileError {
                        field: "public-id",
                        problem: "must be \"random\", \"serial\", \"none\" or 2 to 32 letters of modhex (cbdefghijklnrtuv)",
                    });
                }
            },
        })
    }
}

impl From<PublicId> for String {
    fn from(id: PublicId) -> Self {
        match id {
            PublicId::Random => "random".to_owned(),
            PublicId::Serial => "serial".to_owned(),
            PublicId::None => "none".to_owned(),
            PublicId::Fixed(bytes) => modhex::encode(&bytes),
        }
    }
}

impl TryFrom<String> for TokenId {
    type Error = ProfileError;

    fn try_from(text: String) -> Result<Self, ProfileError> {
        if text == "serial" {
            return Ok(Self::Serial);
        }
        if keys::device::OathId::modhex(&text).is_none() {
            return Err(ProfileError {
                field: "token-id",
                problem: "must be \"serial\" or 2 to 32 letters of modhex (cbdefghijklnrtuv)",
            });
        }
        Ok(Self::Fixed(text.to_ascii_lowercase()))
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        match id {
            TokenId::Serial => "serial".to_owned(),
            TokenId::Fixed(text) => text,
        }
    }
}
