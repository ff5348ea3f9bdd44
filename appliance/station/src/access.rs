//! Access codes: what opens a YubiKey slot for writing, and what shall guard it
//! from now on.
//!
//! A slot with an access code refuses silently, and a code that is lost makes the
//! slot useless for ever. So no code exists only here: a derived one can be
//! computed again, a random one is with the server or in the hand-over file
//! before the key gets it, and a key gets it last, when its token counts.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use keys::device::{KeySerial, Slot};
use keys::secret::{AccessCode, AesKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The access codes that an operator gave the station.
#[derive(Clone, Default)]
pub struct Codes {
    /// What opens the slots of one key, by its serial.
    pub table: Option<Arc<CodeTable>>,
    /// What every slot gets, where the profile says `new-access-code = "fixed"`.
    pub fixed: Option<Arc<AccessCode>>,
    /// What codes are derived from, where the profile says `new-access-code = "derived"`.
    pub secret: Option<Arc<StationSecret>>,
}

/// Serial → code, as read from a file.
#[derive(Default)]
pub struct CodeTable(BTreeMap<u32, AccessCode>);

/// What is wrong with a table of codes: the line, never its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: wanted are a key's serial, a comma, and 12 hexadecimal digits")]
pub struct BadTable {
    /// Counted from 1.
    pub line: usize,
}

impl CodeTable {
    /// Reads lines of `serial,code`: decimal digits, a comma (or a semicolon or
    /// blanks), 12 hexadecimal digits. Empty lines and those that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, BadTable> {
        let mut table = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = BadTable { line: number + 1 };
            let (serial, code) =
                line.split_once([',', ';', ' ', '\t']).map(|(a, b)| (a.trim(), b.trim())).ok_or(bad)?;
            let code = code_from_hex(code).ok_or(bad)?;
            table.insert(serial.parse().map_err(|_| bad)?, code);
        }
        Ok(Self(table))
    }

    /// How many keys it has codes of.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The code of a key.
    pub fn code_of(&self, key: KeySerial) -> Option<&AccessCode> {
        self.0.get(&key.number)
    }

    /// Whether a code is in it, of whatever key.
    pub fn has(&self, code: &AccessCode) -> bool {
        self.0.values().any(|known| known.same_as(code))
    }
}

/// 128 random bits of the station from which access codes are derived. Whoever
/// has them can open every slot that was guarded so; whoever loses them, none.
pub struct StationSecret(AesKey);

impl StationSecret {
    /// Takes 16 bytes.
    pub fn new(bytes: &[u8; 16]) -> Self {
        Self(AesKey::from_array(bytes))
    }

    /// The code of a slot: the first 6 bytes of HKDF-SHA256 (RFC 5869) with the
    /// secret as key material, no salt, and `enrollment-station access code`, family, serial, slot
    /// and round as info, with `|` between them (docs/forms.md). Never all zero, which means "none".
    pub fn code_of(&self, key: KeySerial, slot: Slot) -> AccessCode {
        for round in 0_u8..=u8::MAX {
            let family = key.family.in_derivations();
            let info = format!("enrollment-station access code|{family}|{key}|{slot}|{round}");
            let bytes = hkdf(self.0.expose(), info.as_bytes());
            let mut code = Zeroizing::new([0; 6]);
            for (to, from) in code.iter_mut().zip(bytes.iter()) {
                *to = *from;
            }
            if code.iter().any(|byte| *byte != 0) {
                return AccessCode::from_array(&code);
            }
        }
        // 256 times six zeros come out of no HMAC.
        AccessCode::from_array(&[0xff; 6])
    }
}

/// The first block of HKDF-SHA256 without salt.
fn hkdf(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let pseudo_random = mac(&[0; 32], &[secret]);
    mac(pseudo_random.as_slice(), &[info, &[1]])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // HMAC takes keys of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        parts.iter().for_each(|part| mac.update(part));
        *out = mac.finalize().into_bytes().into();
    }
    out
}

/// Reads 12 hexadecimal digits as an access code; all zeros are none.
pub fn code_from_hex(text: &str) -> Option<AccessCode> {
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = Zeroizing::new([0_u8; 6]);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(AccessCode::from_array(&bytes)).filter(|code| !code.is_none())
}

/// An access code as 12 hexadecimal digits.
pub fn code_to_hex(code: &AccessCode) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(12));
    for byte in code.expose() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use keys::device::Family;

    use super::*;

    const KEY: KeySerial = KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 };

    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        // Appendix A.3: no salt, no info, the first 32 bytes of the output.
        let out = hkdf(&[0x0b; 22], &[]);
        assert_eq!(
            out.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
    }

    #[test]
    fn derived_codes_differ_by_key_slot_and_station_and_stay_the_same() {
        let secret = StationSecret::new(&[7; 16]);
        let code = secret.code_of(KEY, Slot(1));
        assert!(code.same_as(&secret.code_of(KEY, Slot(1))));
        assert!(!code.same_as(&secret.code_of(KEY, Slot(2))));
        assert!(!code.same_as(&secret.code_of(KeySerial { number: 1, ..KEY }, Slot(1))));
        assert!(!code.same_as(&StationSecret::new(&[8; 16]).code_of(KEY, Slot(1))));
    }

    #[test]
    fn tables_are_read_and_errors_name_the_line_alone() {
        let table = CodeTable::parse("# ours\n\n12345678,0102030405ff\n7; aabbccddeeff\n").unwrap();
        assert_eq!(table.len(), 2);
        assert_eq!(table.code_of(KEY).unwrap().expose(), &[1, 2, 3, 4, 5, 255]);
        assert!(table.code_of(KeySerial { number: 8, ..KEY }).is_none());
        assert!(table.has(&AccessCode::from_array(&[1, 2, 3, 4, 5, 255])));
        assert!(!table.has(&AccessCode::from_array(&[1, 2, 3, 4, 5, 254])));
        for (text, line) in [
            ("12345678", 1),
            ("1,0102030405ff\n2,0102030405f", 2),
            ("x,0102030405ff", 1),
            ("1,000000000000", 1),
        ] {
            assert_eq!(CodeTable::parse(text).map(drop), Err(BadTable { line }), "{text}");
        }
    }

    #[test]
    fn hex_reads_back() {
        let code = code_from_hex("0a0b0c0d0e0f").unwrap();
        assert_eq!(code_to_hex(&code).as_str(), "0a0b0c0d0e0f");
        assert!(code_from_hex("+a0b0c0d0e0f").is_none());
    }
}
