//! One-time passwords as the standards define them: HOTP (RFC 4226) and TOTP
//! (RFC 6238), to compare what a key gives with what it should give.

use hmac::{Hmac, KeyInit, Mac};

use crate::device::{Digits, HashAlgorithm};
use crate::secret::Seed;

/// The HOTP value of `seed` at `counter`, as decimal digits with leading zeros.
pub fn hotp(seed: &Seed, counter: u64, digits: Digits, hash: HashAlgorithm) -> String {
    let message = counter.to_be_bytes();
    let code = match hash {
        HashAlgorithm::Sha1 => truncate(&mac::<Hmac<sha1::Sha1>>(seed, &message)),
        HashAlgorithm::Sha256 => truncate(&mac::<Hmac<sha2::Sha256>>(seed, &message)),
        HashAlgorithm::Sha512 => truncate(&mac::<Hmac<sha2::Sha512>>(seed, &message)),
    };
    decimal(code, digits)
}

/// The code of an HMAC that a key computed (RFC 4226, section 5.3).
pub fn code_of_mac(mac: &[u8], digits: Digits) -> String {
    decimal(truncate(mac), digits)
}

fn decimal(code: u32, digits: Digits) -> String {
    match digits {
        Digits::Six => format!("{:06}", code % 1_000_000),
        Digits::Eight => format!("{:08}", code % 100_000_000),
    }
}

/// The TOTP value of `seed` at `unix_seconds` with steps of `period` seconds.
pub fn totp(seed: &Seed, unix_seconds: u64, period: u16, digits: Digits, hash: HashAlgorithm) -> String {
    hotp(seed, unix_seconds / u64::from(period.max(1)), digits, hash)
}

fn mac<M: Mac + KeyInit>(seed: &Seed, message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail; an empty MAC would
    // truncate to code 0 and match nothing that a key computed.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(seed.expose()) else {
        return Vec::new();
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// RFC 4226, section 5.3.
fn truncate(mac: &[u8]) -> u32 {
    let offset = usize::from(mac.last().copied().unwrap_or(0) & 0x0f);
    let word = mac.get(offset..offset + 4).and_then(|slice| <[u8; 4]>::try_from(slice).ok());
    u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4226_appendix_d() {
        let seed = Seed::new(b"12345678901234567890").unwrap();
        let codes: Vec<_> =
            (0..10).map(|counter| hotp(&seed, counter, Digits::Six, HashAlgorithm::Sha1)).collect();
        assert_eq!(
            codes,
            [
                "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
                "520489"
            ]
        );
    }

    #[test]
    fn rfc6238_appendix_b() {
        let sha1 = Seed::new(b"12345678901234567890").unwrap();
        let sha256 = Seed::new(b"12345678901234567890123456789012").unwrap();
        assert_eq!(totp(&sha1, 59, 30, Digits::Eight, HashAlgorithm::Sha1), "94287082");
        assert_eq!(totp(&sha1, 1_111_111_109, 30, Digits::Eight, HashAlgorithm::Sha1), "07081804");
        assert_eq!(totp(&sha256, 59, 30, Digits::Eight, HashAlgorithm::Sha256), "46119246");
        let sha512 = Seed::new(b"1234567890123456789012345678901234567890123456789012345678901234").unwrap();
        assert_eq!(totp(&sha512, 59, 30, Digits::Eight, HashAlgorithm::Sha512), "90693936");
    }
}
