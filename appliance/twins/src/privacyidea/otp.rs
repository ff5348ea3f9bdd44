//! One-time passwords and keys as the server computes them (RFC 4226, RFC 6238,
//! Yubico's OTP), written down here a second time on purpose: the twin must not
//! agree with the station just because both use the same code.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE, Specification};
use hmac::{Hmac, Mac};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

/// The hash of an HOTP or TOTP token; `None` for a name that the server stores
/// but cannot compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The size of a key the server makes for it, in bytes.
    pub(super) fn key_size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// HMAC of a message, `None` never: HMAC takes keys of any length.
fn mac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        <M as KeyInit>::new_from_slice(key).map_or_else(
            |_| Vec::new(),
            |mut mac| {
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            },
        )
    }
    match hash {
        Hash::Sha1 => run::<Hmac<Sha1>>(key, message),
        Hash::Sha256 => run::<Hmac<Sha256>>(key, message),
        Hash::Sha512 => run::<Hmac<Sha512>>(key, message),
    }
}

/// HMAC-SHA256, the signature of a JWT.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    mac(Hash::Sha256, key, message)
}

/// RFC 4226 §5.3, with any number of digits.
pub(super) fn hotp(hash: Hash, key: &[u8], counter: u64, digits: usize) -> String {
    let tag = mac(hash, key, &counter.to_be_bytes());
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 0x0f);
    let code = tag.iter().skip(offset).take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let text = format!("{:010}", code & 0x7fff_ffff);
    text.chars().skip(10_usize.saturating_sub(digits)).collect()
}

/// PBKDF2-HMAC-SHA1 (RFC 8018), for keys made in two steps. `None` never: HMAC
/// takes keys of any length.
pub(super) fn pbkdf2_sha1(password: &[u8], salt: &[u8], rounds: u32, length: usize) -> Option<Vec<u8>> {
    let keyed = Hmac::<Sha1>::new_from_slice(password).ok()?;
    let mac = |message: &[u8]| {
        let mut mac = keyed.clone();
        mac.update(message);
        mac.finalize().into_bytes()
    };
    let mut key = Vec::with_capacity(length + 20);
    let mut block = 1_u32;
    while key.len() < length {
        let mut link = mac(&[salt, &block.to_be_bytes()].concat());
        let mut sum = link;
        for _ in 1..rounds {
            link = mac(&link);
            sum.iter_mut().zip(&link).for_each(|(s, l)| *s ^= l);
        }
        key.extend_from_slice(&sum);
        block += 1;
    }
    key.truncate(length);
    Some(key)
}

/// What a Yubico OTP says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Yubico {
    /// Whatever stood in front of the last 32 characters.
    pub(super) prefix: String,
    /// The private id, as hex.
    pub(super) uid: String,
    /// Use counter · 256 + session counter.
    pub(super) count: i64,
}

/// Take a Yubico OTP apart. `None` if it is not modhex, or the key does not fit.
pub(super) fn yubico(key: &[u8], otp: &str) -> Option<Yubico> {
    let split = otp.chars().count().checked_sub(32)?;
    let prefix: String = otp.chars().take(split).collect();
    let text: String = otp.chars().skip(split).collect();
    let mut block: [u8; 16] = modhex(&text)?.try_into().ok()?;
    let cipher = Aes128::new_from_slice(key).ok()?;
    cipher.decrypt_block((&mut block).into());
    if crc16(&block) != 0xf0b8 {
        return None;
    }
    let [u0, u1, u2, u3, u4, u5, low, high, _, _, _, session, ..] = block;
    let uid = HEXLOWER_PERMISSIVE.encode(&[u0, u1, u2, u3, u4, u5]);
    let count = i64::from(high) << 16 | i64::from(low) << 8 | i64::from(session);
    Some(Yubico { prefix, uid, count })
}

/// Lower-case modhex.
fn modhex(text: &str) -> Option<Vec<u8>> {
    let mut spec = Specification::new();
    spec.symbols.push_str("cbdefghijklnrtuv");
    spec.encoding().ok()?.decode(text.as_bytes()).ok()
}

/// CRC-16 as ISO 13239 has it, without the final complement.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |c: u16, _| if c & 1 == 1 { c >> 1 ^ 0x8408 } else { c >> 1 })
    })
}

/// The server's `base32check`: base32, without padding, of the first four
/// bytes of `SHA1(payload)`, then the payload. Gives the payload as hex.
pub(super) fn base32check(text: &str) -> Option<String> {
    // Python pads and then ignores bits that the padding makes superfluous.
    let mut spec = BASE32_NOPAD.specification();
    spec.check_trailing_bits = false;
    let bytes = spec.encoding().ok()?.decode(text.trim_matches('=').to_ascii_uppercase().as_bytes()).ok()?;
    let (sum, payload) = bytes.split_at_checked(4)?;
    let digest = Sha1::digest(payload);
    digest.starts_with(sum).then(|| HEXLOWER_PERMISSIVE.encode(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4226, appendix D.
    #[test]
    fn hotp_of_the_rfc() {
        let key = b"12345678901234567890";
        let expected = ["755224", "287082", "359152", "969429", "338314"];
        for (counter, otp) in expected.iter().enumerate() {
            assert_eq!(hotp(Hash::Sha1, key, counter as u64, 6), *otp);
        }
        assert_eq!(hotp(Hash::Sha1, key, 0, 8), "84755224");
    }

    // Measured on privacyIDEA: client and server parts that it accepted.
    #[test]
    fn two_step_keys() {
        let client = base32check("3vlyhpabaibqibiga4ea").unwrap();
        assert_eq!(client, "0102030405060708");
        let client = HEXLOWER_PERMISSIVE.decode(client.as_bytes()).unwrap();
        let key = pbkdf2_sha1(b"3a89ff4ebeec5eb7d0dfb1cdd3d897aa68acb773", &client, 10_000, 20).unwrap();
        assert_eq!(HEXLOWER_PERMISSIVE.encode(&key), "aa953717221edc8de32b926ff9600d762132acc1");
        assert_eq!(hotp(Hash::Sha1, &key, 0, 6), "680172");
        assert_eq!(base32check("4vlyhpabaibqibiga4ea"), None);
    }

    // The same OTPs were accepted by privacyIDEA.
    #[test]
    fn yubico_otps() {
        let key: Vec<u8> = (0..16).collect();
        let first = yubico(&key, "vvcbcdcecfcgvftgvdntninfdtertrlegjigbvfdnrfk").unwrap();
        assert_eq!(
            (first.prefix.as_str(), first.uid.as_str(), first.count),
            ("vvcbcdcecfcg", "0a0b0c0d0e0f", 256)
        );
        let next = yubico(&key, "vvcbcdcecfcgvedkilithllbvdvglbcfugrdbtbtirte").unwrap();
        assert_eq!(next.count, 257);
        assert_eq!(yubico(&key, "vvcbcdcecfcgvedkilithllbvdvglbcfugrdbtbtirtt"), None);
        assert_eq!(yubico(&key, "123456"), None);
    }
}
