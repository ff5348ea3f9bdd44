//! Passwords, PINs and codes on their way through the socket.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

// In bytes: longer than any password a server takes.
const LONGEST: usize = 1024;

/// A password, PIN, code or access code. It is wiped when it is dropped, and cannot
/// be shown, copied or logged.
///
/// In a message it is the base64 of its UTF-8: base64 needs no escapes, so no
/// parser has to unescape it into memory that nobody wipes.
#[derive(Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes text that is a secret.
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text. Where it goes from here is the caller's responsibility.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text, to be kept as another secret type.
    pub fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(STANDARD.encode(self.0.as_bytes()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;
        impl Visitor<'_> for Base64 {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret, as base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                if text.len() > LONGEST.div_ceil(3) * 4 {
                    return Err(E::custom("a secret is too long"));
                }
                // The errors of both decoders quote what they did not like.
                let bytes = STANDARD
                    .decode(text)
                    .map(Zeroizing::new)
                    .map_err(|_| E::custom("a secret is not base64"))?;
                let text =
                    std::str::from_utf8(&bytes).map_err(|_| E::custom("a secret is not UTF-8 inside"))?;
                Ok(Secret(Zeroizing::new(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Base64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_cross_whole_whatever_is_in_them() {
        for text in ["", "p\"\\\n", "häßlich", "1234"] {
            let secret = Secret::new(Zeroizing::new(text.to_owned()));
            let json = serde_json::to_string(&secret).unwrap();
            assert!(!json.contains('\\'));
            assert_eq!(serde_json::from_str::<Secret>(&json).unwrap().expose(), text);
        }
    }

    #[test]
    fn errors_do_not_quote_the_secret() {
        for json in ["\"geheim!\"", "\"/////w==\""] {
            let error = serde_json::from_str::<Secret>(json).map(|_| ()).unwrap_err().to_string();
            assert!(!error.contains("geheim") && error.contains("secret"), "{error}");
        }
    }
}
