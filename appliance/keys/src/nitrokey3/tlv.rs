//! Tag, length, value, with one byte for the length.

use zeroize::Zeroizing;

use crate::bytes::{take, take_slice};

/// The tags of the Secrets application (trussed-secrets-app `docs/design.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tag {
    /// The name of a credential; in an answer to SELECT, the salt.
    Name = 0x71,
    /// An entry of a list.
    ListEntry = 0x72,
    /// Kind, hash, digits and secret.
    Key = 0x73,
    /// The time step.
    Challenge = 0x74,
    /// A code that was computed.
    Code = 0x76,
    /// What the key shall want before it computes; a tag without length.
    Properties = 0x78,
    /// The version of the application.
    Version = 0x79,
    /// The first counter of HOTP.
    Counter = 0x7a,
    Pin = 0x80,
    /// The PIN that shall replace it.
    NewPin = 0x81,
    /// How often the PIN may still be wrong.
    PinTries = 0x82,
    /// The serial of the key.
    Serial = 0x8f,
}

/// Entries on their way into a command.
#[derive(Default)]
pub struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Adds an entry whose value is the parts one after the other. A value has at
    /// most 255 bytes; what is behind is left out, so check lengths before.
    #[must_use]
    pub fn entry(mut self, tag: Tag, parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum::<usize>().min(255);
        self.0.reserve_exact(2 + length);
        self.0.push(tag as u8);
        self.0.push(u8::try_from(length).unwrap_or(u8::MAX));
        self.0.extend(parts.iter().copied().flatten().take(length));
        self
    }

    /// Adds a tag and its byte, without a length: how properties are written.
    #[must_use]
    pub fn bare(mut self, tag: Tag, byte: u8) -> Self {
        self.0.extend([tag as u8, byte]);
        self
    }

    /// The bytes.
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// The entries of an answer. Ends early, with an error, at what is not well formed.
pub struct Reader<'a>(&'a [u8]);

/// An entry: its tag and its value.
pub type Entry<'a> = (u8, &'a [u8]);

/// Bytes that are not entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotWellFormed;

impl<'a> Reader<'a> {
    /// Reads `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The value of the first entry with that tag.
    pub fn find(bytes: &'a [u8], tag: Tag) -> Result<Option<&'a [u8]>, NotWellFormed> {
        for entry in Self::new(bytes) {
            match entry? {
                (found, value) if found == tag as u8 => return Ok(Some(value)),
                _ => {}
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, NotWellFormed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = take::<2>(&mut self.0)
            .and_then(|[tag, length]| Some((tag, take_slice(&mut self.0, usize::from(length))?)));
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or(NotWellFormed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = Writer::default().entry(Tag::Name, &[b"ab", b"c"]).entry(Tag::Pin, &[]).finish();
        assert_eq!(bytes.as_slice(), [0x71, 3, b'a', b'b', b'c', 0x80, 0]);
        let entries: Vec<_> = Reader::new(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries, [(0x71, &b"abc"[..]), (0x80, &[][..])]);
        assert_eq!(Reader::find(&bytes, Tag::Pin), Ok(Some(&[][..])));
        assert_eq!(Reader::find(&bytes, Tag::Serial), Ok(None));
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_the_end() {
        for bytes in [&[0x71][..], &[0x71, 2, 1], &[0x71, 0, 0x72, 1]] {
            let read: Vec<_> = Reader::new(bytes).collect();
            assert_eq!(read.last(), Some(&Err(NotWellFormed)));
            assert!(read.len() <= 2);
        }
    }
}
