//! What the Secrets application answers: a status word first, then data.

use super::tlv::{Reader, Tag};
use crate::bytes::take;
use crate::device::{Digits, Firmware};

/// The status word of an answer (ISO 7816-4, as the application uses it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWord {
    /// 9000.
    Ok,
    /// 61xx: there is more to be asked for.
    More,
    /// 6300: a PIN or a code was wrong.
    VerificationFailed,
    /// 6982: a PIN is wanted, or no touch came, or a PIN is set already.
    SecurityStatus,
    /// 6983: the name is taken.
    Blocked,
    /// 6A80: the data does not fit.
    WrongData,
    /// 6A82: there is no such credential, as far as can be seen.
    NotFound,
    /// 6A84: it is full.
    NotEnoughMemory,
    /// 6A88: there is nothing at all.
    ReferenceNotFound,
    /// Anything else.
    Other(u16),
}

impl StatusWord {
    const fn from_bytes(bytes: [u8; 2]) -> Self {
        match u16::from_be_bytes(bytes) {
            0x9000 => Self::Ok,
            0x6100..=0x61ff => Self::More,
            0x6300 => Self::VerificationFailed,
            0x6982 => Self::SecurityStatus,
            0x6983 => Self::Blocked,
            0x6a80 => Self::WrongData,
            0x6a82 => Self::NotFound,
            0x6a84 => Self::NotEnoughMemory,
            0x6a88 => Self::ReferenceNotFound,
            other => Self::Other(other),
        }
    }

    /// Splits an answer into its status word and its data.
    pub fn split(answer: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = answer;
        let word = take(&mut rest)?;
        Some((Self::from_bytes(word), rest))
    }
}

/// The answer to [`select`](super::apdu::select).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// The version of the application; 4.13.0 is its 0.13.0.
    pub version: Firmware,
    /// The serial of the key; `None` when it does not say.
    pub serial: Option<u32>,
    /// How often the PIN may still be wrong; `None` when there is no PIN.
    pub pin_tries: Option<u8>,
}

impl Selected {
    /// Reads it.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let find = |tag| Reader::find(data, tag).ok();
        let [major, minor, build] = find(Tag::Version)??.try_into().ok()?;
        let serial = match find(Tag::Serial)? {
            Some(serial) => Some(u32::from_be_bytes(serial.try_into().ok()?)),
            None => None,
        };
        let pin_tries = match find(Tag::PinTries)? {
            Some([tries]) => Some(*tries),
            Some(_) => return None,
            None => None,
        };
        Some(Self { version: Firmware::new(major, minor, build), serial, pin_tries })
    }
}

/// What a list says about a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Kind in the upper four bits (1 HOTP, 2 TOTP, 3 reverse HOTP, 4 HMAC, F
    /// none), hash in the lower.
    pub kind: u8,
    /// What it is called, as far as it is UTF-8.
    pub label: String,
    /// 1 a touch is wanted, 2 the PIN is wanted, 4 passwords are with it.
    pub properties: u8,
}

impl Listed {
    /// Reads a whole list.
    pub fn parse_all(data: &[u8]) -> Option<Vec<Self>> {
        Reader::new(data)
            .map(|entry| {
                let (tag, value) = entry.ok()?;
                let (kind, rest) = value.split_first()?;
                let (properties, label) = rest.split_last()?;
                let label = String::from_utf8_lossy(label).into_owned();
                (tag == Tag::ListEntry as u8).then_some(Self { kind: *kind, label, properties: *properties })
            })
            .collect()
    }
}

/// Reads the code in an answer to [`calculate`](super::apdu::calculate): digits,
/// then 31 bits (RFC 4226, section 5.3).
pub fn code(data: &[u8]) -> Option<(Digits, String)> {
    let value: [u8; 5] = Reader::find(data, Tag::Code).ok()??.try_into().ok()?;
    let [digits, number @ ..] = value;
    let number = u32::from_be_bytes(number) & 0x7fff_ffff;
    match digits {
        6 => Some((Digits::Six, format!("{:06}", number % 1_000_000))),
        8 => Some((Digits::Eight, format!("{:08}", number % 100_000_000))),
        _ => None,
    }
}

/// Reads the firmware's version, as text (`1.8.3`, `1.9.0-rc.1+git`) or packed into
/// 32 bits (10 major, 16 minor, 6 patch). What is before a release counts as its
/// release.
pub fn version(data: &[u8]) -> Option<Firmware> {
    if let Ok(packed) = <[u8; 4]>::try_from(data) {
        let packed = u32::from_be_bytes(packed);
        let number = |value: u32| u8::try_from(value).ok();
        return Some(Firmware::new(
            number(packed >> 22)?,
            number(packed >> 6 & 0xffff)?,
            number(packed & 0x3f)?,
        ));
    }
    let text = core::str::from_utf8(data).ok()?;
    let release = text.split(['-', '+']).next()?;
    let mut numbers = release.trim_start_matches('v').split('.').map(str::parse::<u8>);
    let mut next = || numbers.next()?.ok();
    let firmware = Firmware::new(next()?, next()?, next()?);
    numbers.next().is_none().then_some(firmware)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_text_or_packed() {
        assert_eq!(version(b"1.8.3"), Some(Firmware::new(1, 8, 3)));
        assert_eq!(version(b"v1.9.0-rc.1+git"), Some(Firmware::new(1, 9, 0)));
        assert_eq!(version(&(1_u32 << 22 | 7 << 6 | 1).to_be_bytes()), Some(Firmware::new(1, 7, 1)));
        for wrong in [&b""[..], b"1.8", b"1.8.3.4", b"one", &[0xff; 7]] {
            assert_eq!(version(wrong), None);
        }
    }

    #[test]
    fn status_words_have_names() {
        let word = |bytes: &[u8]| StatusWord::split(bytes).unwrap().0;
        assert_eq!(word(&[0x61, 0x00]), StatusWord::More);
        assert_eq!(word(&[0x61, 0xff]), StatusWord::More);
        assert_eq!(word(&[0x6d, 0x00]), StatusWord::Other(0x6d00));
        assert_eq!(StatusWord::split(&[0x90]), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (StatusWord::split(&data), Selected::parse(&data), version(&data));
            if let Some(all) = Listed::parse_all(&data) {
                prop_assert!(all.len() <= data.len() / 2);
            }
            if let Some((digits, code)) = code(&data) {
                prop_assert_eq!(code.len(), usize::from(digits.count()));
            }
        }
    }
}
