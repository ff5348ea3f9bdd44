//! The phones of a world: what an app makes of a QR code. Like keys, they outlive every
//! power cut of the station.

use keys::device::{Digits, HashAlgorithm};
use keys::otp;
use keys::secret::Seed;
use privacyidea::{TwoStepParameters, derive_seed, encode_base32check};
use sha2::{Digest, Sha256};
use station::engine::phone::Question;
use zeroize::Zeroizing;

use crate::phone::base32;

/// An app with one account.
pub struct Phone {
    seed: Seed,
    /// What the app shows to be typed in, when the secret is made in two steps.
    component: Option<Zeroizing<String>>,
    digits: Digits,
    /// The next counter; `None` for codes that move with time.
    counter: Option<u64>,
}

impl Phone {
    /// Reads a QR code; `number` stands in for what an app draws by lot. `None` when the code
    /// makes no sense.
    pub fn scan(uri: &str, number: u64) -> Option<Self> {
        let (kind, query) = uri.strip_prefix("otpauth://")?.split_once('?')?;
        let field = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
        };
        let size = |name: &str| field(name)?.parse::<usize>().ok();
        let secret = base32(field("secret")?)?;
        let digits = if size("digits") == Some(8) { Digits::Eight } else { Digits::Six };
        let counter = kind.starts_with("hotp").then_some(0);
        let Some(client_size) = size("2step_salt") else {
            return Some(Self { seed: Seed::new(&secret).ok()?, component: None, digits, counter });
        };
        let rounds = field("2step_difficulty")?.parse().ok()?;
        let of = TwoStepParameters { client_size, output_size: size("2step_output")?, rounds };
        let drawn = Sha256::digest(number.to_be_bytes());
        let part = drawn.get(..client_size)?;
        let seed = derive_seed(&secret, part, &of).ok()?;
        let component = Some(Zeroizing::new(encode_base32check(part).reveal().to_owned()));
        Some(Self { seed: Seed::new(seed.reveal()).ok()?, component, digits, counter })
    }

    /// What its owner reads off it.
    pub fn answer(&mut self, question: &Question, unix: u64) -> Option<Zeroizing<String>> {
        if let Question::Component { .. } = question {
            return self.component.clone();
        }
        Some(Zeroizing::new(match &mut self.counter {
            None => otp::totp(&self.seed, unix, 30, self.digits, HashAlgorithm::Sha1),
            Some(counter) => {
                *counter += 1;
                otp::hotp(&self.seed, *counter - 1, self.digits, HashAlgorithm::Sha1)
            }
        }))
    }

    /// What it keeps, in words to be compared.
    pub fn in_words(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{:?} {:?}", self.seed.expose(), self.counter))
    }

    /// Whether it has that secret.
    pub fn holds(&self, secret: &[u8]) -> bool {
        self.seed.expose() == secret
    }
}
