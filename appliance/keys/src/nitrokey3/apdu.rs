//! The commands of the Secrets application, as short APDUs without Le: class,
//! instruction, P1, P2, length, data (trussed-secrets-app `docs/design.md`).

use zeroize::Zeroizing;

use super::tlv::{Tag, Writer};
use crate::device::{Digits, Guard, HashAlgorithm};
use crate::secret::{Pin, Seed};

/// The application's identifier, which it shares with Yubico's OATH applet.
const AID: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];

/// A command on its way to the key. It may carry a secret or a PIN.
pub struct Apdu(Zeroizing<Vec<u8>>);

impl Apdu {
    fn new(instruction: u8, [p1, p2]: [u8; 2], data: &[u8]) -> Option<Self> {
        let length = u8::try_from(data.len()).ok()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(5 + data.len()));
        bytes.extend([0, instruction, p1, p2]);
        if length > 0 {
            bytes.push(length);
            bytes.extend_from_slice(data);
        }
        Some(Self(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a credential is called: 1 to 127 bytes of UTF-8, which is what the
/// application takes (127 is stored, 128 is refused by 6A80).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// The longest label, in bytes.
    pub const LONGEST: usize = 127;

    /// Takes text as a label; `None` when it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        (1..=Self::LONGEST).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What moves a credential's codes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    /// HOTP, from this counter on.
    Counter(u32),
    /// TOTP.
    Time,
}

/// SELECT: asks for [`Selected`](super::answer::Selected), and forgets a verified PIN.
pub fn select() -> Option<Apdu> {
    Apdu::new(0xa4, [4, 0], &AID)
}

/// PUT: adds a credential. `None` when it does not fit a command. The application
/// never replaces one of the same name.
pub fn put(
    label: &Label,
    moving: Moving,
    hash: HashAlgorithm,
    digits: Digits,
    seed: &Seed,
    guard: Guard,
) -> Option<Apdu> {
    let kind = match moving {
        Moving::Counter(_) => 0x10,
        Moving::Time => 0x20,
    };
    let properties = match guard {
        Guard::Nothing => 0,
        Guard::Touch => 2,
        Guard::Pin => 4,
    };
    let data = Writer::default()
        .entry(Tag::Name, &[label.bytes()])
        .entry(Tag::Key, &[&[kind | hash_bits(hash)?, digits.count()], seed.expose()])
        .bare(Tag::Properties, properties);
    let data = match moving {
        Moving::Counter(counter) => data.entry(Tag::Counter, &[&counter.to_be_bytes()]),
        Moving::Time => data,
    };
    Apdu::new(0x01, [0, 0], &data.finish())
}

/// `None` for SHA-512, which the application does not compute.
const fn hash_bits(hash: HashAlgorithm) -> Option<u8> {
    match hash {
        HashAlgorithm::Sha1 => Some(1),
        HashAlgorithm::Sha256 => Some(2),
        HashAlgorithm::Sha512 => None,
    }
}

/// LIST: asks for all names, with kinds and properties.
pub fn list() -> Option<Apdu> {
    Apdu::new(0xa1, [0, 0], &[1])
}

/// SEND REMAINING: asks for the rest of a long answer.
pub fn send_remaining() -> Option<Apdu> {
    Apdu::new(0xa5, [0, 0], &[])
}

/// CALCULATE: asks for a code. HOTP looks at no step.
pub fn calculate(label: &Label, step: u64) -> Option<Apdu> {
    let data = Writer::default()
        .entry(Tag::Name, &[label.bytes()])
        .entry(Tag::Challenge, &[&step.to_be_bytes()])
        .finish();
    Apdu::new(0xa2, [0, 1], &data)
}

/// DELETE: takes a credential away. The key wants a touch for it.
pub fn delete(label: &Label) -> Option<Apdu> {
    Apdu::new(0x02, [0, 0], &Writer::default().entry(Tag::Name, &[label.bytes()]).finish())
}

/// VERIFY PIN: opens what the next command needs the PIN for.
pub fn verify_pin(pin: &Pin) -> Option<Apdu> {
    Apdu::new(0xb2, [0, 0], &pins(&[(Tag::Pin, pin)]))
}

/// SET PIN: gives the application its first PIN.
pub fn set_pin(pin: &Pin) -> Option<Apdu> {
    Apdu::new(0xb4, [0, 0], &pins(&[(Tag::Pin, pin)]))
}

pub fn change_pin(old: &Pin, new: &Pin) -> Option<Apdu> {
    Apdu::new(0xb3, [0, 0], &pins(&[(Tag::Pin, old), (Tag::NewPin, new)]))
}

fn pins(pins: &[(Tag, &Pin)]) -> Zeroizing<Vec<u8>> {
    let add = |data: Writer, (tag, pin): &(Tag, &Pin)| data.entry(*tag, &[pin.expose().as_bytes()]);
    pins.iter().fold(Writer::default(), add).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_as_long_as_the_application_takes_them() {
        assert!(Label::new("").is_none());
        assert!(Label::new(&"x".repeat(127)).is_some());
        assert!(Label::new(&"x".repeat(128)).is_none());
    }

    #[test]
    fn the_longest_of_everything_fits_a_short_apdu() {
        let label = Label::new(&"x".repeat(127)).unwrap();
        let seed = Seed::new(&[7; 64]).unwrap();
        let hash = HashAlgorithm::Sha256;
        let put = put(&label, Moving::Counter(u32::MAX), hash, Digits::Eight, &seed, Guard::Touch);
        assert!(put.unwrap().bytes().len() <= 260);
        let pin = Pin::new("p".repeat(64).into()).unwrap();
        assert!(change_pin(&pin, &pin).is_some());
    }

    #[test]
    fn a_hash_that_is_not_computed_is_not_written() {
        let label = Label::new("x").unwrap();
        let seed = Seed::new(&[7; 20]).unwrap();
        let hash = HashAlgorithm::Sha512;
        assert!(put(&label, Moving::Time, hash, Digits::Six, &seed, Guard::Nothing).is_none());
    }
}
