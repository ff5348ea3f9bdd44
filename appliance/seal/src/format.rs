//! What reading and writing have in common: derived keys, the payload's nonces, and bech32.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first line of a file.
pub(crate) const VERSION: &str = "age-encryption.org/v1";
/// What the key of a stanza is derived for.
pub(crate) const X25519: &[u8] = b"age-encryption.org/v1/X25519";
pub(crate) const SSH: &[u8] = b"age-encryption.org/v1/ssh-ed25519";

/// Bytes of a chunk of the payload.
pub(crate) const CHUNK: usize = 64 * 1024;

pub(crate) type Key = Zeroizing<[u8; 32]>;

/// The first 32 bytes of HKDF-SHA256 (RFC 5869).
pub(crate) fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> Key {
    let pseudo_random = hmac(salt, &[secret]);
    hmac(pseudo_random.as_slice(), &[info, &[1]])
}

pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut out = Zeroizing::new([0; 32]);
    // HMAC takes keys of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        parts.iter().for_each(|part| mac.update(part));
        *out = mac.finalize().into_bytes().into();
    }
    out
}

/// The nonce of a chunk of the payload (STREAM): its number, and whether it is the last one.
pub(crate) fn nonce(number: usize, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    // No file has so many chunks that a number does not fit.
    let count = u64::try_from(number).unwrap_or(u64::MAX);
    for (to, from) in nonce.iter_mut().skip(3).zip(count.to_be_bytes()) {
        *to = from;
    }
    if let Some(mark) = nonce.last_mut() {
        *mark = u8::from(last);
    }
    nonce
}

/// The 32 bytes of a text in bech32 (BIP 173) with this prefix, which is in lower case.
pub(crate) fn bech32(text: &str, prefix: &str) -> Option<Key> {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let value =
        |letter: u8| LETTERS.iter().position(|known| *known == letter).and_then(|at| u8::try_from(at).ok());
    let mut values = Zeroizing::new(Vec::with_capacity(data.len()));
    for letter in data.bytes() {
        values.push(value(letter)?);
    }
    // The prefix takes part in the checksum, its high bits first, then its low ones.
    let expanded = prefix.bytes().map(|b| b >> 5).chain([0]).chain(prefix.bytes().map(|b| b & 31));
    let check = expanded.chain(values.iter().copied()).fold(1_u32, |check, value| {
        let top = check >> 25;
        let check = (check & 0x01ff_ffff) << 5 ^ u32::from(value);
        [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate().fold(
            check,
            |check, (at, poly): (usize, u32)| if top >> at & 1 == 1 { check ^ poly } else { check },
        )
    });
    if check != 1 || values.len() != 52 + 6 {
        return None;
    }
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Zeroizing::new(Vec::with_capacity(32)));
    for value in values.iter().take(52) {
        bits = bits << 5 | u32::from(*value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    let padding = bits & ((1 << held) - 1);
    let mut key = Zeroizing::new([0; 32]);
    if padding != 0 || bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}
