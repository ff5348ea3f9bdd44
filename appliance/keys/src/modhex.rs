//! Modhex: sixteen letters that sit on the same keys of most layouts, in place
//! of the sixteen hexadecimal digits.

use zeroize::Zeroizing;

/// The letter of each nibble, 0 to 15.
#[doc(alias = "MODHEX_MAP")]
pub const ALPHABET: [u8; 16] = *b"cbdefghijklnrtuv";

/// Why a text is not modhex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModhexError {
    /// Two letters make a byte.
    #[error("modhex has an even number of letters, not {0}")]
    OddLength(usize),
    /// Another letter than `cbdefghijklnrtuv`.
    #[error("the character at position {0} is not a modhex letter")]
    NotModhex(usize),
}

/// `bytes` in modhex.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 0x0f)]).collect()
}

/// The bytes of `text`; capitals count as their small letters, as typed with
/// caps lock on.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, ModhexError> {
    let letters = text.as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(letters.len() / 2));
    if !letters.len().is_multiple_of(2) {
        return Err(ModhexError::OddLength(letters.len()));
    }
    for (at, pair) in letters.chunks_exact(2).enumerate() {
        let mut byte = 0;
        for (offset, &one) in pair.iter().enumerate() {
            byte = byte << 4 | nibble(one).ok_or(ModhexError::NotModhex(2 * at + offset))?;
        }
        bytes.push(byte);
    }
    Ok(bytes)
}

/// The value of one letter.
pub fn nibble(letter: u8) -> Option<u8> {
    let small = letter.to_ascii_lowercase();
    ALPHABET.iter().zip(0..).find(|&(&known, _)| known == small).map(|(_, value)| value)
}

/// The letter of the low four bits of `nibble`.
pub fn letter(nibble: u8) -> char {
    char::from(ALPHABET.get(usize::from(nibble & 0x0f)).copied().unwrap_or(b'c'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_alphabet_in_order() {
        assert_eq!(encode(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]), "cbdefghijklnrtuv");
        assert_eq!(decode("DTEFFU").unwrap().as_slice(), [0x2d, 0x34, 0x4e]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(decode("cbd").unwrap_err(), ModhexError::OddLength(3));
        assert_eq!(decode("cbda").unwrap_err(), ModhexError::NotModhex(3));
        assert_eq!(decode("é").unwrap_err(), ModhexError::NotModhex(0));
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(bytes: Vec<u8>) {
            prop_assert!(decode(&encode(&bytes)).unwrap().as_slice() == bytes.as_slice());
        }

        #[test]
        fn any_text_is_decoded_or_refused(text: String) {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text.to_ascii_lowercase());
            }
        }
    }
}
