//! Tokens as files that a server imports, for enrolling without one.
//!
//! Two forms: the *OATH CSV* that privacyIDEA reads (`serial, seed, type, digits` and a
//! counter or a period; lib/importotp.py), and *PSKC* (RFC 6030), which has room for the
//! hash, the counter, and for what a Yubico OTP needs. Both hold seeds in the clear: whoever
//! calls this encrypts them at once, and nothing else may happen to them.

use core::fmt::Write;

use keys::device::{Digits, HashAlgorithm};
use keys::secret::PrivateId;
use zeroize::Zeroizing;

use crate::engine::server::TokenSecret;
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// A token as it is written into a file.
pub struct Exported {
    pub serial: TokenSerial,
    /// Its type.
    pub kind: TokenKind,
    pub secret: TokenSecret,
    /// How many digits a code has.
    pub digits: Digits,
    pub hash: HashAlgorithm,
    /// Seconds a code of TOTP lasts.
    pub period: u16,
    /// The next HOTP counter that the key will use.
    pub counter: u64,
    /// What a Yubico OTP begins with, in modhex.
    pub public_id: String,
    /// The private id inside a Yubico OTP.
    pub private_id: Option<PrivateId>,
}

/// The namespace of what PSKC has no words for (RFC 6030, section 8: extensions in `Data`).
const EXTENSION: &str = "urn:enrollment-station:pskc:1";

/// The line of a token in OATH CSV. For a Yubico OTP, public and private id follow, which
/// servers do not read and people need.
///
/// # Errors
/// A token that this form cannot say: the reader takes the hash from the seed's length.
pub fn csv_line(token: &Exported) -> Result<Zeroizing<String>, Refusal> {
    let serial = &token.serial;
    let mut text = Zeroizing::new(String::with_capacity(512));
    let digits = token.digits.count();
    let written = match (&token.secret, token.kind) {
        (TokenSecret::Seed(seed), TokenKind::Hotp | TokenKind::Totp) => {
            // privacyIDEA, lib/tokenclass.py, `get_import_csv`.
            let read_as = match seed.expose().len() {
                32 => Some(HashAlgorithm::Sha256),
                64 => Some(HashAlgorithm::Sha512),
                28 | 48 => None,
                _ => Some(HashAlgorithm::Sha1),
            };
            if read_as != Some(token.hash) {
                let why = "OATH CSV has no room for the hash of a seed of this length; write PSKC";
                return Err(Refusal::new(Code::HandOverFailed, why));
            }
            let seed = hex(seed.expose());
            let last = if token.kind == TokenKind::Hotp { token.counter } else { token.period.into() };
            let kind = token.kind.word();
            writeln!(text, "{serial}, {}, {kind}, {digits}, {last}", seed.as_str())
        }
        (TokenSecret::Aes(key), TokenKind::Yubikey) => {
            let (key, length) = (hex(key.expose()), 32 + token.public_id.len());
            let private = token.private_id.as_ref().map(|id| hex(id.expose())).unwrap_or_default();
            let public = &token.public_id;
            writeln!(text, "{serial}, {}, yubikey, {length}, {public}, {}", key.as_str(), private.as_str())
        }
        (TokenSecret::Password(password), TokenKind::Password) => {
            let length = password.expose().len();
            writeln!(text, "{serial}, {}, pw, {length}", password.expose())
        }
        _ => return Err(unfit()),
    };
    written.map_err(|_| unfit())?;
    Ok(text)
}

/// A token as a PSKC container of its own.
///
/// # Errors
/// A static password, for which PSKC has no algorithm.
pub fn pskc(token: &Exported) -> Result<Zeroizing<String>, Refusal> {
    let (secret, algorithm) = match (&token.secret, token.kind) {
        (TokenSecret::Seed(seed), TokenKind::Hotp) => {
            (seed.expose(), "urn:ietf:params:xml:ns:keyprov:pskc:hotp")
        }
        (TokenSecret::Seed(seed), TokenKind::Totp) => {
            (seed.expose(), "urn:ietf:params:xml:ns:keyprov:pskc:totp")
        }
        (TokenSecret::Aes(key), TokenKind::Yubikey) => {
            (key.expose().as_slice(), "http://www.yubico.com/#yubikey-aes")
        }
        _ => return Err(unfit()),
    };
    let yubico = token.kind == TokenKind::Yubikey;
    let serial = token.serial.as_str();
    // Importers make UBAM00012345_1 of the id 00012345:1 (privacyIDEA, lib/importotp.py).
    let id = match serial.strip_prefix("UBAM").and_then(|rest| rest.split_once('_')) {
        Some((key, slot)) if yubico => format!("{key}:{slot}"),
        _ => serial.to_owned(),
    };
    let (length, encoding) = if yubico {
        (32 + token.public_id.len(), "ALPHANUMERIC")
    } else {
        (usize::from(token.digits.count()), "DECIMAL")
    };
    let maker = if serial.starts_with("UB") { "Yubico" } else { "Nitrokey" };
    let hash = match token.hash {
        HashAlgorithm::Sha1 => "SHA1",
        HashAlgorithm::Sha256 => "SHA256",
        HashAlgorithm::Sha512 => "SHA512",
    };
    let suite = if yubico { String::new() } else { format!("<Suite>{hash}</Suite>") };
    let data = match token.kind {
        TokenKind::Hotp => format!("<Counter><PlainValue>{}</PlainValue></Counter>", token.counter),
        // RFC 6030, section 4.2: totp wants Time and TimeInterval; time counts from 1970.
        TokenKind::Totp => format!(
            "<Time><PlainValue>0</PlainValue></Time><TimeInterval><PlainValue>{}</PlainValue></TimeInterval>",
            token.period
        ),
        _ => {
            let private = token.private_id.as_ref().map(|id| hex(id.expose())).unwrap_or_default();
            format!(
                "<Counter><PlainValue>{}</PlainValue></Counter><es:PublicId>{}</es:PublicId><es:PrivateId>{}</es:PrivateId>",
                token.counter,
                token.public_id,
                private.as_str()
            )
        }
    };
    let data = Zeroizing::new(data);
    let secret = base64(secret);
    let mut text = Zeroizing::new(String::with_capacity(2048));
    write!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\" xmlns:es=\"{EXTENSION}\">\n\
         <KeyPackage>\n\
         <DeviceInfo><Manufacturer>{maker}</Manufacturer><SerialNo>{serial}</SerialNo></DeviceInfo>\n\
         <Key Id=\"{id}\" Algorithm=\"{algorithm}\">\n\
         <Issuer>enrollment station</Issuer>\n\
         <AlgorithmParameters>{suite}<ResponseFormat Length=\"{length}\" Encoding=\"{encoding}\"/></AlgorithmParameters>\n\
         <Data><Secret><PlainValue>{}</PlainValue></Secret>{}</Data>\n\
         </Key>\n\
         </KeyPackage>\n\
         </KeyContainer>\n",
        secret.as_str(),
        data.as_str(),
    )
    .map_err(|_| unfit())?;
    Ok(text)
}

fn unfit() -> Refusal {
    Refusal::new(Code::HandOverFailed, "this kind of token cannot be written in this form")
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> Zeroizing<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for place in 0..4_usize {
            let at = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            let letter = LETTERS.get(at).copied().map_or('=', char::from);
            text.push(if place > chunk.len() { '=' } else { letter });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keys::secret::{AesKey, Seed};

    use super::*;

    pub(super) fn hotp(length: usize, hash: HashAlgorithm, kind: TokenKind) -> Exported {
        Exported {
            serial: TokenSerial::new("UBOM00012345_1").unwrap(),
            kind,
            secret: TokenSecret::Seed(Arc::new(Seed::new(&vec![0x31; length]).unwrap())),
            digits: Digits::Eight,
            hash,
            period: 30,
            counter: 3,
            public_id: String::new(),
            private_id: None,
        }
    }

    #[test]
    fn csv_says_what_the_importer_reads_or_refuses() {
        let line = csv_line(&hotp(20, HashAlgorithm::Sha1, TokenKind::Hotp)).unwrap();
        assert_eq!(line.as_str(), format!("UBOM00012345_1, {}, hotp, 8, 3\n", "31".repeat(20)));
        let line = csv_line(&hotp(32, HashAlgorithm::Sha256, TokenKind::Totp)).unwrap();
        assert_eq!(line.as_str(), format!("UBOM00012345_1, {}, totp, 8, 30\n", "31".repeat(32)));
        for (length, hash) in
            [(32, HashAlgorithm::Sha1), (20, HashAlgorithm::Sha256), (28, HashAlgorithm::Sha1)]
        {
            assert!(csv_line(&hotp(length, hash, TokenKind::Totp)).is_err());
        }
        let aes = Exported {
            serial: TokenSerial::new("UBAM00012345_2").unwrap(),
            kind: TokenKind::Yubikey,
            secret: TokenSecret::Aes(Arc::new(AesKey::from_array(&[7; 16]))),
            public_id: "vvcbcdcecfcg".to_owned(),
            private_id: Some(PrivateId::from_array(&[1, 2, 3, 4, 5, 6])),
            ..hotp(20, HashAlgorithm::Sha1, TokenKind::Hotp)
        };
        let wanted =
            "UBAM00012345_2, 07070707070707070707070707070707, yubikey, 44, vvcbcdcecfcg, 010203040506\n";
        assert_eq!(csv_line(&aes).unwrap().as_str(), wanted);
        let text = pskc(&aes).unwrap();
        assert!(
            text.contains("Id=\"00012345:2\"") && text.contains("<es:PrivateId>010203040506<"),
            "{}",
            text.as_str()
        );
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()).as_str(), coded);
        }
    }
}
