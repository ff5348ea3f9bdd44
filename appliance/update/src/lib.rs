//! The signed bundle that carries a new system into a station's other slot.
//!
//! A bundle is one file: a [`head`] in plain lines, one or more signatures over it in minisign's form, and the slot,
//! compressed by zstd with a window of 1 MiB.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `enrlupd1` |
//! | 4, 4 | length of the head and of the signatures, little-endian |
//! | … | the head |
//! | … | the signatures, each of four lines |
//! | … | one frame of zstd, to the end |
//!
//! The head says what the slot [is](about), how long it and the frame are, the hash of the frame, and a SHA-256 for each MiB of the
//! slot. [`open`] verifies the signatures before anything of the rest is read, and refuses what is not for this station;
//! [`Opened::pour`] gives each MiB away once its hash is right. So nothing is written that nobody has signed, and no bit of a bundle can be another
//! without a refusal.
//!
//! The crate reads from what it is given and writes to what it is given. It has no clock, opens no file, and knows no card. It
//! never holds a secret, but for the feature `make`, which signs.

pub mod about;
pub mod bundle;
pub mod head;
pub mod keys;
#[cfg(feature = "make")]
pub mod make;
pub mod refused;
pub mod tree;

pub use about::About;
pub use bundle::{Opened, Sink, Station, open};
pub use head::Head;
pub use keys::Keys;
pub use refused::Refused;

/// Bytes that are hashed, written and compared at once.
pub const CHUNK: usize = 1 << 20;

/// Bytes of a slot on the card (`image/card.cfg`).
pub const SLOT: u64 = 256 << 20;

/// SHA-256 of some bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The 32 bytes of 64 lower-case hexadecimal digits.
#[must_use]
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (to, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *to = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(out)
}

/// A number of decimal digits, without a sign or a zero in front.
pub(crate) fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let short = text == "0" || !text.starts_with('0');
    (plain && short).then(|| text.parse().ok()).flatten()
}
