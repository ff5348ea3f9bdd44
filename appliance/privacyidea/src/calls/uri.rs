//! What an `otpauth://` address says besides the seed.

use crate::names::{HashAlgorithm, TokenType};

/// The harmless parameters of an `otpauth://` address. The address contains
/// the seed, so it is read and never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtpUri {
    /// `hotp` or `totp`.
    pub kind: TokenType,
    /// The digits, if told.
    pub digits: Option<u8>,
    /// The hash, if told and known. SHA-1 goes without saying.
    pub hash: Option<HashAlgorithm>,
    /// Seconds of a step, if told.
    pub period: Option<u32>,
    /// The counter, if told. The server says 1 and checks from 0.
    pub counter: Option<u64>,
}

impl OtpUri {
    /// Reads an address; `None` if it is no `otpauth://` address. A value that
    /// is no number is left out, and of repeated parameters the first counts.
    pub fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("otpauth://")?;
        let (kind, rest) = rest.split_once('/')?;
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let field = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        Some(Self {
            kind: TokenType::from_name(kind),
            digits: field("digits").and_then(|v| v.parse().ok()),
            hash: field("algorithm").and_then(HashAlgorithm::from_name),
            period: field("period").and_then(|v| v.parse().ok()),
            counter: field("counter").and_then(|v| v.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hotp_and_totp() {
        let hotp =
            OtpUri::parse("otpauth://hotp/S_1?secret=GEZD&counter=1&digits=6&issuer=privacyIDEA").unwrap();
        assert_eq!(
            (hotp.kind, hotp.digits, hotp.hash, hotp.counter),
            (TokenType::Hotp, Some(6), None, Some(1))
        );
        let totp =
            OtpUri::parse("otpauth://totp/T1?secret=OPQA&algorithm=SHA256&period=60&digits=8").unwrap();
        assert_eq!((totp.digits, totp.hash, totp.period), (Some(8), Some(HashAlgorithm::Sha256), Some(60)));
    }

    #[test]
    fn oddities() {
        assert_eq!(OtpUri::parse("oathtoken:///addToken?name=x"), None);
        let odd = OtpUri::parse("otpauth://hotp/x?digits=6x&digits=8&algorithm=MD5&counter=-1").unwrap();
        assert_eq!((odd.digits, odd.hash, odd.counter), (None, None, None));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = OtpUri::parse(&text);
            let _ = OtpUri::parse(&format!("otpauth://hotp/{text}"));
        }
    }
}
