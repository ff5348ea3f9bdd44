//! JSON bodies, written straight into a buffer that is wiped.

use std::sync::Arc;

use crate::secret::SecretBytes;

/// Room enough for any body of this crate without moving: the largest is a
/// `/token/init` with a handful of tokeninfo keys.
const ROOM: usize = 2048;

/// A flat JSON object under construction.
pub(crate) struct Object {
    buffer: SecretBytes,
}

impl Object {
    pub(crate) fn new() -> Self {
        let mut buffer = SecretBytes::with_capacity(ROOM);
        buffer.append(b"{");
        Self { buffer }
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        let mut object = self.key(key);
        object.string(value);
        object
    }

    pub(crate) fn maybe(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    pub(crate) fn number(self, key: &str, value: u64) -> Self {
        let mut object = self.key(key);
        object.buffer.append(value.to_string().as_bytes());
        object
    }

    pub(crate) fn maybe_number(self, key: &str, value: Option<impl Into<u64>>) -> Self {
        match value {
            Some(value) => self.number(key, value.into()),
            None => self,
        }
    }

    /// Bytes as lower-case hex digits.
    pub(crate) fn hex(self, key: &str, value: &[u8]) -> Self {
        let mut object = self.key(key);
        object.buffer.append(b"\"");
        for byte in value {
            let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
            object.buffer.append(&[digit(byte >> 4), digit(byte & 15)]);
        }
        object.buffer.append(b"\"");
        object
    }

    pub(crate) fn finish(mut self) -> Arc<SecretBytes> {
        self.buffer.append(b"}");
        Arc::new(self.buffer)
    }

    fn key(mut self, key: &str) -> Self {
        if self.buffer.len() > 1 {
            self.buffer.append(b",");
        }
        self.string(key);
        self.buffer.append(b":");
        self
    }

    /// Everything but printable ASCII is escaped (RFC 8259, section 7).
    fn string(&mut self, text: &str) {
        self.buffer.append(b"\"");
        let mut utf8 = [0; 4];
        for c in text.chars() {
            match c {
                '"' => self.buffer.append(b"\\\""),
                '\\' => self.buffer.append(b"\\\\"),
                '\0'..='\u{1f}' => {
                    let code = u32::from(c);
                    let low = char::from_digit(code & 15, 16).unwrap_or('0');
                    self.buffer.append(if code < 16 { b"\\u000" } else { b"\\u001" });
                    self.buffer.append(low.encode_utf8(&mut utf8).as_bytes());
                }
                c => self.buffer.append(c.encode_utf8(&mut utf8).as_bytes()),
            }
        }
        self.buffer.append(b"\"");
        zeroize::Zeroize::zeroize(&mut utf8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_in_order() {
        let body =
            Object::new().text("a", "x\"\\\n\u{1f}ü").number("n", 6).maybe("m", None).hex("k", &[0x0a, 0xff]);
        assert_eq!(
            body.finish().reveal(),
            "{\"a\":\"x\\\"\\\\\\u000a\\u001fü\",\"n\":6,\"k\":\"0aff\"}".as_bytes()
        );
        assert_eq!(Object::new().finish().reveal(), b"{}");
    }

    proptest! {
        #[test]
        fn every_text_survives(key in any::<String>(), value in any::<String>()) {
            let body = Object::new().text(&key, &value).finish();
            let read: std::collections::BTreeMap<String, String> = serde_json::from_slice(body.reveal()).unwrap();
            prop_assert_eq!(read, [(key, value)].into());
        }
    }
}
