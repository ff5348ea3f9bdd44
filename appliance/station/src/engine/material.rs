//! What goes into the key and to the server: fresh for every enrollment, in RAM for
//! as long as it takes.

use std::sync::Arc;

use keys::device::{Credential, Guard, KeySerial, Kind};
use keys::modhex;
use keys::secret::{AesKey, Pin, PrivateId, Seed};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::server::TokenSecret;
use crate::profile::{Profile, PublicId};

/// The secret of one enrollment.
pub(crate) enum Material {
    /// Of HOTP, TOTP and challenge-response.
    Seed(Arc<Seed>),
    /// Of Yubico OTP.
    Yubico { key: Arc<AesKey>, private_id: PrivateId, public_id: Vec<u8> },
    /// Of a static password.
    Password(Arc<Pin>),
}

/// The letters of modhex, which come out the same under most keyboard layouts.
const LETTERS: &[u8; 16] = b"cbdefghijklnrtuv";

impl Material {
    /// Draws it.
    pub(crate) fn random(profile: &Profile, key: KeySerial, rng: &mut impl CryptoRng) -> Option<Self> {
        Some(match profile.kind {
            Kind::YubicoOtp => Self::Yubico {
                key: Arc::new(AesKey::random(rng)),
                private_id: PrivateId::random(rng),
                public_id: public_id(&profile.public_id, key, rng),
            },
            Kind::StaticPassword => Self::Password(Arc::new(password(profile.password_length, rng)?)),
            _ => Self::Seed(Arc::new(Seed::random(profile.seed_length, rng))),
        })
    }

    /// What the server gets.
    pub(crate) fn for_server(&self) -> TokenSecret {
        match self {
            Self::Seed(seed) => TokenSecret::Seed(Arc::clone(seed)),
            Self::Yubico { key, .. } => TokenSecret::Aes(Arc::clone(key)),
            Self::Password(password) => TokenSecret::Password(Arc::clone(password)),
        }
    }

    /// Whether the server says that it has the same.
    pub(crate) fn is(&self, echo: &TokenSecret) -> bool {
        match (self, echo) {
            (Self::Seed(seed), TokenSecret::Seed(echo)) => seed.same_as(echo),
            (Self::Yubico { key, .. }, TokenSecret::Aes(echo)) => key.same_as(echo),
            (Self::Password(password), TokenSecret::Password(echo)) => password.expose() == echo.expose(),
            _ => false,
        }
    }

    /// What a code begins with, where that is a matter of the secret.
    pub(crate) fn prefix(&self) -> String {
        match self {
            Self::Yubico { public_id, .. } => modhex::encode(public_id),
            Self::Seed(_) | Self::Password(_) => String::new(),
        }
    }

    /// What is written into the slot.
    pub(crate) fn credential(&self, profile: &Profile, key: KeySerial) -> Option<Credential> {
        let Profile { kind, digits, hash, period, .. } = *profile;
        Some(match self {
            Self::Seed(seed) => {
                let seed = Seed::new(seed.expose()).ok()?;
                match (kind, &profile.token_id) {
                    (Kind::Hotp, None) => Credential::Hotp { seed, digits },
                    (Kind::Hotp, Some(id)) => Credential::HotpBehindId { seed, digits, id: id.of(key)? },
                    (Kind::Totp, _) => Credential::Totp { seed, digits, hash, period },
                    (Kind::ChallengeResponse, _) => {
                        Credential::ChallengeResponse { seed, touch: profile.guard == Guard::Touch }
                    }
                    _ => return None,
                }
            }
            Self::Yubico { key, private_id, public_id } => Credential::YubicoOtp {
                public_id: public_id.clone(),
                private_id: PrivateId::from_array(private_id.expose()),
                key: AesKey::from_array(key.expose()),
            },
            Self::Password(password) => Credential::StaticPassword {
                password: Pin::new(Zeroizing::new(password.expose().to_owned())).ok()?,
            },
        })
    }
}

/// What a Yubico OTP begins with. `vv` (255) is the range that Yubico leaves to its users.
fn public_id(choice: &PublicId, key: KeySerial, rng: &mut impl CryptoRng) -> Vec<u8> {
    match choice {
        PublicId::None => Vec::new(),
        PublicId::Fixed(bytes) => bytes.clone(),
        PublicId::Serial => [&[0xff, 0x00], key.number.to_be_bytes().as_slice()].concat(),
        PublicId::Random => {
            let mut bytes = vec![0; 6];
            rng.fill_bytes(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                *first = 0xff;
            }
            bytes
        }
    }
}

/// A password of so many letters of modhex, each worth four bits.
fn password(length: u8, rng: &mut impl CryptoRng) -> Option<Pin> {
    let mut bytes = Zeroizing::new(vec![0_u8; length.into()]);
    rng.fill_bytes(&mut bytes);
    let mut text = Zeroizing::new(String::with_capacity(length.into()));
    text.extend(bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 15)).copied().map(char::from)));
    Pin::new(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::device::Family;
    use rand::SeedableRng;

    const KEY: KeySerial = KeySerial { family: Family::YubiKeyOtp, number: 0x0102_0304 };

    fn rng() -> rand::rngs::StdRng {
        rand::rngs::StdRng::seed_from_u64(1)
    }

    #[test]
    fn public_ids_are_as_the_profile_says() {
        let id = |choice| {
            let profile = Profile { public_id: choice, ..Profile::new(Kind::YubicoOtp) };
            Material::random(&profile, KEY, &mut rng()).unwrap().prefix()
        };
        assert!(id(PublicId::Random).starts_with("vv"));
        assert_eq!(id(PublicId::Random).len(), 12);
        assert_eq!(id(PublicId::Serial), "vvcccbcdcecf");
        assert_eq!(id(PublicId::None), "");
        assert_eq!(id(PublicId::Fixed(vec![0x2d, 0x34])), "dtef");
    }

    #[test]
    fn passwords_have_the_length_that_is_wanted_and_letters_that_every_layout_types() {
        let profile = Profile { password_length: 38, ..Profile::new(Kind::StaticPassword) };
        let Some(Material::Password(password)) = Material::random(&profile, KEY, &mut rng()) else {
            panic!()
        };
        assert_eq!(password.expose().len(), 38);
        assert!(password.expose().bytes().all(|letter| LETTERS.contains(&letter)));
    }

    #[test]
    fn secrets_of_another_kind_are_not_the_same() {
        let profile = Profile::new(Kind::Hotp);
        let material = Material::random(&profile, KEY, &mut rng()).unwrap();
        assert!(material.is(&material.for_server()));
        assert!(!material.is(&TokenSecret::Aes(Arc::new(AesKey::from_array(&[0; 16])))));
        let other = Material::random(&profile, KEY, &mut rand::rngs::StdRng::seed_from_u64(2)).unwrap();
        assert!(!material.is(&other.for_server()));
    }
}
