//! Two-step enrollment: the server makes a part of the secret, the station the
//! other, and both derive the same seed.

use hmac::{Hmac, KeyInit, Mac};
use keys::secret::Seed;
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::refusal::{Code, Refusal};

/// What the server wants of the second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoStepTerms {
    /// Bytes of the station's part.
    pub part: usize,
    /// Bytes of the derived seed.
    pub seed: usize,
    /// Rounds of PBKDF2.
    pub rounds: u32,
}

/// More rounds than any policy needs: they would take a small computer half a minute.
const MOST_ROUNDS: u32 = 1_000_000;

/// The fewest bytes that the station's part must have to be worth the name: 64 bits,
/// which is what servers want by default.
const LEAST_PART: usize = 8;

impl TwoStepTerms {
    /// Whether a seed made so fits a key that takes `longest` bytes.
    pub(crate) fn check(self, longest: usize) -> Result<(), Refusal> {
        let wrong = |what: String| Err(Refusal::new(Code::TwoStepUnusable, what));
        if !(LEAST_PART..=64).contains(&self.part) {
            return wrong(format!("it wants a part of {} bytes; 8 to 64 are right", self.part));
        }
        // RFC 4226, R6.
        if !(16..=64).contains(&self.seed) {
            return wrong(format!("it makes seeds of {} bytes; 16 to 64 are right", self.seed));
        }
        if self.seed > longest {
            return wrong(format!("it makes seeds of {} bytes, and the key takes {longest}", self.seed));
        }
        if !(1..=MOST_ROUNDS).contains(&self.rounds) {
            return wrong(format!("it wants {} rounds; 1 to {MOST_ROUNDS} are possible", self.rounds));
        }
        Ok(())
    }

    /// The seed that both ends arrive at: PBKDF2 with HMAC-SHA1 whatever the token's hash, over
    /// the server's part as lower-case hex digits, with the station's part for salt
    /// (privacyIDEA, lib/tokens/HMAC.py and hotptoken.py, `generate_symmetric_key`).
    pub(crate) fn derive(self, server: &Seed, station: &Seed) -> Option<Seed> {
        let mut password = Zeroizing::new(Vec::with_capacity(2 * server.expose().len()));
        let digits = b"0123456789abcdef";
        for byte in server.expose() {
            password.push(*digits.get(usize::from(byte >> 4))?);
            password.push(*digits.get(usize::from(byte & 15))?);
        }
        let prf = Hmac::<Sha1>::new_from_slice(&password).ok()?;
        let mut seed = Zeroizing::new(Vec::with_capacity(self.seed.next_multiple_of(20)));
        let mut block = 1_u32;
        while seed.len() < self.seed {
            let mut mac = prf.clone();
            mac.update(station.expose());
            mac.update(&block.to_be_bytes());
            let mut link = Zeroizing::new(<[u8; 20]>::from(mac.finalize().into_bytes()));
            let mut sum = link.clone();
            for _ in 1..self.rounds {
                let mut mac = prf.clone();
                mac.update(link.as_slice());
                *link = mac.finalize().into_bytes().into();
                sum.iter_mut().zip(link.iter()).for_each(|(to, from)| *to ^= from);
            }
            seed.extend_from_slice(sum.as_slice());
            block += 1;
        }
        Seed::new(seed.get(..self.seed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::device::{Digits, HashAlgorithm};
    use keys::otp::hotp;

    fn hex(text: &str) -> Seed {
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
        Seed::new(&text.as_bytes().chunks(2).map(byte).collect::<Vec<_>>()).unwrap()
    }

    const TERMS: TwoStepTerms = TwoStepTerms { part: 8, seed: 20, rounds: 10_000 };

    #[test]
    fn the_first_vector_that_a_server_accepted() {
        let server = hex("3a89ff4ebeec5eb7d0dfb1cdd3d897aa68acb773");
        let seed = TERMS.derive(&server, &hex("0102030405060708")).unwrap();
        assert!(seed.same_as(&hex("aa953717221edc8de32b926ff9600d762132acc1")));
        assert_eq!(hotp(&seed, 0, Digits::Six, HashAlgorithm::Sha1), "680172");
    }

    #[test]
    fn the_second_vector_with_sha256_and_eight_digits() {
        let server = hex("13456395c0da39fe0e941b50dda2e79730d77856");
        let terms = TwoStepTerms { seed: 32, ..TERMS };
        let seed = terms.derive(&server, &hex("0102030405060708")).unwrap();
        assert!(seed.same_as(&hex("a56d21925949d3466162c46ae1ef94ed2f8a90f6d0d71ad590b84a457cefb8ba")));
        assert_eq!(hotp(&seed, 0, Digits::Eight, HashAlgorithm::Sha256), "27850424");
    }

    #[test]
    fn terms_that_cannot_be_met_are_named() {
        assert_eq!(TERMS.check(20), Ok(()));
        for (terms, word) in [
            (TwoStepTerms { part: 0, ..TERMS }, "part of 0"),
            (TwoStepTerms { part: 65, ..TERMS }, "part of 65"),
            (TwoStepTerms { seed: 10, ..TERMS }, "seeds of 10"),
            (TwoStepTerms { seed: 32, ..TERMS }, "the key takes 20"),
            (TwoStepTerms { rounds: 0, ..TERMS }, "0 rounds"),
            (TwoStepTerms { rounds: u32::MAX, ..TERMS }, "rounds"),
        ] {
            let refusal = terms.check(20).unwrap_err();
            assert!(refusal.code == Code::TwoStepUnusable && refusal.detail.contains(word), "{refusal}");
        }
    }
}
