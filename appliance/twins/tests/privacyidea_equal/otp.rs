//! One-time passwords for the scenarios.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// RFC 4226's test key.
pub(crate) const KEY: &str = "3132333435363738393031323334353637383930";

/// RFC 4226, six digits, SHA-1, of a hex key.
pub(crate) fn hotp(key: &str, counter: u64) -> String {
    let key = HEXLOWER_PERMISSIVE.decode(key.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&counter.to_be_bytes());
    truncate(&mac.finalize().into_bytes(), 6)
}

/// The same with SHA-256 and eight digits.
pub(crate) fn hotp_sha256(key: &str, counter: u64) -> String {
    let key = HEXLOWER_PERMISSIVE.decode(key.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(&counter.to_be_bytes());
    truncate(&mac.finalize().into_bytes(), 8)
}

fn truncate(tag: &[u8], digits: usize) -> String {
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let code = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    let text = format!("{code:010}");
    text[10 - digits..].to_owned()
}
