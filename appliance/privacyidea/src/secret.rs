//! Secrets as types: wiped when they go, never printed, never copied by accident.
//!
//! Neither type has `Debug`, `Display`, `Clone` or `Serialize`. What is inside
//! comes out through one method with a plain name, so that every place where a
//! secret leaves can be found by searching for `reveal`.

use std::io;

use zeroize::{Zeroize, Zeroizing};

/// A password, a PIN, a bearer token or a registration code.
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes the text over. The allocation is wiped when the value is dropped.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Copies the text into a fresh allocation of exactly its size.
    pub fn copy_of(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads one JSON string literal, quotes included, without leaving a copy
    /// behind. `None` if it is not a string, or holds half a surrogate pair.
    pub(crate) fn from_json(raw: &str) -> Option<Self> {
        let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
        // Unescaping never lengthens, so this buffer never moves.
        let mut text = Zeroizing::new(String::with_capacity(inner.len()));
        let mut rest = inner.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            text.push(match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => unescape_utf16(&mut rest)?,
                plain @ ('"' | '\\' | '/') => plain,
                _ => return None,
            });
        }
        Some(Self(text))
    }
}

/// The character after `\u`: four hex digits, or two such groups for a pair
/// (RFC 8259, section 7).
fn unescape_utf16(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let first = unit(rest)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    if rest.next()? != '\\' || rest.next()? != 'u' {
        return None;
    }
    let second = unit(rest)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut value = 0;
    for _ in 0..4 {
        value = value * 16 + rest.next()?.to_digit(16)?;
    }
    Some(value)
}

/// A seed, or a request or answer body that may hold one.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over. The allocation is wiped when the value is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Copies the bytes into a fresh allocation.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// The bytes themselves.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends. A buffer that is too small is replaced and wiped, where `Vec`
    /// would leave its old allocation as it was.
    pub fn append(&mut self, more: &[u8]) {
        let needed = self.0.len().saturating_add(more.len());
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(more);
    }
}

impl AsRef<[u8]> for SecretBytes {
    fn as_ref(&self) -> &[u8] {
        self.reveal()
    }
}

impl io::Write for SecretBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compares without stopping at the first difference.
pub(crate) fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn growing_keeps_the_content() {
        let mut buffer = SecretBytes::with_capacity(2);
        for chunk in [&b"ab"[..], b"", b"cdefg", b"h"] {
            buffer.append(chunk);
        }
        assert_eq!(buffer.reveal(), b"abcdefgh");
        assert_eq!(buffer.len(), 8);
    }

    #[test]
    fn surrogates_come_in_pairs() {
        let read = |raw| SecretString::from_json(raw).map(|s| s.reveal().to_owned());
        assert_eq!(read(r#""\ud83d\ude00\u00e9""#).as_deref(), Some("😀é"));
        assert_eq!(
            read(r#""|YSvY]#db64h,t\\Ic^fJs\/lo\"""#).as_deref(),
            Some(r#"|YSvY]#db64h,t\Ic^fJs/lo""#)
        );
        for broken in [r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ud83dx""#, r#""\u12""#, "12", "\""] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn unescaping_agrees_with_serde_json(text in any::<String>()) {
            let raw = serde_json::to_string(&text).unwrap();
            let read = SecretString::from_json(&raw).unwrap();
            prop_assert_eq!(read.reveal(), text);
        }

        #[test]
        fn comparing_agrees_with_equality(a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
            prop_assert_eq!(same_bytes(&a, &b), a == b);
            prop_assert!(same_bytes(&a, &a));
        }
    }
}
