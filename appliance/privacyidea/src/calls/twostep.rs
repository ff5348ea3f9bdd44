//! Two-step enrollment: the server makes one half of the seed, the client the other.
//!
//! Step 1 is [`Init::two_step`](crate::Init::two_step). Its answer holds the
//! server's part ([`InitAnswer::seed_bytes`]) and, if the server does two-step
//! for this administrator at all, [`InitAnswer::two_step`]. **Without the
//! policy the server silently makes an ordinary token out of step 1.**
//!
//! Step 2 sends the client's part. **Sent twice it is a catastrophe**: the
//! second time the bare client part becomes the seed. So before repeating,
//! look whether the token is still in state *clientwait*.

use data_encoding::{BASE32_NOPAD, Specification};
use sha1::{Digest, Sha1};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::body::Object;
use crate::call::Call;
use crate::calls::answer::{InitAnswer, TwoStepParameters};
use crate::client::Client;
use crate::error::{Error, Invalid};
use crate::http::Transport;
use crate::names::{Serial, TokenType};
use crate::secret::{SecretBytes, SecretString};

/// No policy asks for more rounds; a server that did would stop the client.
const MOST_ROUNDS: u32 = 10_000_000;

/// How the client's part is written in step 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartFormat {
    /// Base32 with a checksum, which the server checks.
    #[default]
    Base32Check,
    /// Hex digits.
    Hex,
}

impl<T: Transport> Client<T> {
    /// Step 2: sends the client's part, which must have the size of
    /// [`TwoStepParameters::client_size`]. The answer's seed is the derived one;
    /// compare it with [`derive_seed`].
    pub async fn finish_two_step(
        &self,
        serial: &Serial,
        kind: &TokenType,
        part: &SecretBytes,
        format: PartFormat,
    ) -> Result<InitAnswer, Error> {
        if part.is_empty() {
            return Err(Invalid::Missing("the client's part").into());
        }
        let body = Object::new().text("type", kind.as_str()).text("serial", serial.as_str());
        let text = encode_base32check(part.reveal());
        let body = match format {
            PartFormat::Base32Check => body.text("otpkey", text.reveal()).text("otpkeyformat", "base32check"),
            PartFormat::Hex => body.hex("otpkey", part.reveal()),
        };
        let answer = self.call(Call::post("/token/init", &[], body), InitAnswer::from_envelope).await;
        answer.map_err(|error| {
            let hex = Zeroizing::new(data_encoding::HEXLOWER.encode(part.reveal()));
            error.without([text.reveal(), hex.as_str()])
        })
    }
}

/// The seed that both ends arrive at: PBKDF2 with HMAC-SHA1 whatever the
/// token's hash, over the server's part **as lower-case hex digits**, with the
/// raw client's part for salt.
pub fn derive_seed(
    server_part: &[u8],
    client_part: &[u8],
    of: &TwoStepParameters,
) -> Result<SecretBytes, Invalid> {
    if client_part.len() != of.client_size {
        return Err(Invalid::Range("the size of the client's part"));
    }
    if !(1..=64).contains(&of.output_size) {
        return Err(Invalid::Range("the size of the derived seed"));
    }
    if !(1..=MOST_ROUNDS).contains(&of.rounds) {
        return Err(Invalid::Range("the number of rounds"));
    }
    let password = Zeroizing::new(data_encoding::HEXLOWER.encode(server_part));
    let mut seed = Zeroizing::new(vec![0; of.output_size]);
    pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), client_part, of.rounds, &mut seed);
    Ok(SecretBytes::new(std::mem::take(&mut *seed)))
}

/// Why a text is no base32check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadBase32Check {
    /// It is not base32, or too short to hold the checksum.
    #[error("it is not base32 of at least four bytes")]
    Form,
    /// The checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
}

/// `SHA1(part)[0..4] ‖ part` in base32 without padding.
pub fn encode_base32check(part: &[u8]) -> SecretString {
    let mut whole = SecretBytes::with_capacity(part.len().saturating_add(4));
    whole.append(Sha1::digest(part).get(..4).unwrap_or_default());
    whole.append(part);
    SecretString::new(BASE32_NOPAD.encode(whole.reveal()))
}

/// The reverse, which takes either case, and the loose last bits that the
/// server takes, too.
pub fn decode_base32check(text: &str) -> Result<SecretBytes, BadBase32Check> {
    let mut spec = Specification::new();
    spec.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    spec.translate.from.push_str("abcdefghijklmnopqrstuvwxyz");
    spec.translate.to.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    spec.check_trailing_bits = false;
    let base32 = spec.encoding().map_err(|_| BadBase32Check::Form)?;
    let whole = Zeroizing::new(base32.decode(text.as_bytes()).map_err(|_| BadBase32Check::Form)?);
    let (sum, part) = whole.split_at_checked(4).ok_or(BadBase32Check::Form)?;
    if Sha1::digest(part).get(..4) != Some(sum) {
        return Err(BadBase32Check::Checksum);
    }
    Ok(SecretBytes::copy_of(part))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn derived(server: &str, rounds: u32, output_size: usize) -> String {
        let client = HEXLOWER.decode(b"0102030405060708").unwrap();
        let of = TwoStepParameters { client_size: 8, output_size, rounds };
        let seed = derive_seed(&HEXLOWER.decode(server.as_bytes()).unwrap(), &client, &of).unwrap();
        HEXLOWER.encode(seed.reveal())
    }

    /// Both were accepted by a privacyIDEA 3.14 with OTPs made from the seed.
    #[test]
    fn vectors_of_a_real_server() {
        assert_eq!(
            derived("3a89ff4ebeec5eb7d0dfb1cdd3d897aa68acb773", 10_000, 20),
            "aa953717221edc8de32b926ff9600d762132acc1"
        );
        assert_eq!(
            derived("13456395c0da39fe0e941b50dda2e79730d77856", 10_000, 32),
            "a56d21925949d3466162c46ae1ef94ed2f8a90f6d0d71ad590b84a457cefb8ba"
        );
    }

    #[test]
    fn a_server_cannot_ask_for_anything() {
        let of = TwoStepParameters { client_size: 8, output_size: 20, rounds: 10_000 };
        for of in [
            TwoStepParameters { client_size: 9, ..of },
            TwoStepParameters { output_size: 0, ..of },
            TwoStepParameters { output_size: 1 << 40, ..of },
            TwoStepParameters { rounds: 0, ..of },
            TwoStepParameters { rounds: u32::MAX, ..of },
        ] {
            assert!(derive_seed(&[0; 20], &[0; 8], &of).is_err(), "{of:?}");
        }
    }

    #[test]
    fn base32check_of_a_real_server() {
        let part = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(encode_base32check(&part).reveal(), "3VLYHPABAIBQIBIGA4EA");
        assert_eq!(decode_base32check("3vlyhpabaibqibiga4ea").unwrap().reveal(), part);
        assert_eq!(decode_base32check("3VLYHPABAIBQIBIGB4EA").err(), Some(BadBase32Check::Checksum));
        for bad in ["", "AAAA", "0000", "3VLYHPABAIBQIBIGA4EA====", "ä"] {
            assert!(decode_base32check(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(part in any::<Vec<u8>>()) {
            let text = encode_base32check(&part);
            let back = decode_base32check(text.reveal()).map(|p| p.reveal().to_vec());
            prop_assert_eq!(back, Ok(part));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = decode_base32check(&text);
        }
    }
}
