//! What is typed in front of an HOTP code (OATH token identifier specification, class A).

use crate::modhex;

/// How an OATH token id is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenIdForm {
    Digits,
    /// The first byte (manufacturer) in modhex.
    Modhex1,
    /// The first two bytes (manufacturer and type) in modhex.
    Modhex2,
    Modhex,
}

/// What an HOTP slot types in front of each code: up to 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OathId {
    pub bytes: Vec<u8>,
    /// How they are typed.
    pub form: TokenIdForm,
}

impl OathId {
    /// A text in modhex; `None` for other text, and for more than 32 letters.
    pub fn modhex(text: &str) -> Option<Self> {
        let bytes = modhex::decode(text).ok().filter(|bytes| (1..=16).contains(&bytes.len()))?;
        Some(Self { bytes: bytes.to_vec(), form: TokenIdForm::Modhex })
    }

    /// `ubhe` (Yubico, YubiKey) and eight decimal digits (OATH token identifier
    /// specification, class A): the text that a key of this serial types.
    pub fn of_serial(serial: u32) -> Self {
        let digits = serial % 100_000_000;
        let pair = |position: u32| {
            let two = digits / 100_u32.pow(position) % 100;
            (two / 10 * 16 + two % 10) as u8
        };
        let bytes = vec![0xe1, 0x63, pair(3), pair(2), pair(1), pair(0)];
        Self { bytes, form: TokenIdForm::Modhex2 }
    }

    /// What the key types in front of a code.
    pub fn text(&self) -> String {
        let modhex_bytes = match self.form {
            TokenIdForm::Digits => 0,
            TokenIdForm::Modhex1 => 1,
            TokenIdForm::Modhex2 => 2,
            TokenIdForm::Modhex => 16,
        };
        let (letters, digits) = self.bytes.split_at_checked(modhex_bytes).unwrap_or((&self.bytes, &[]));
        let mut text = modhex::encode(letters);
        text.extend(digits.iter().map(|byte| format!("{byte:02x}")));
        text
    }
}
