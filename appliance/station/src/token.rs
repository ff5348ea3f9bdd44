//! Tokens: their types and how they are named.
//!
//! The names are those that sites filter on since the old enrollment tool:
//! `UBOM12345678_1` (HOTP and challenge-response), `UBAM…` (Yubico OTP), `UBSM…`
//! (static password), `NK…_1`, and `NK…_T1` for TOTP. Serials that begin with `UB` are taken for
//! hardware by the server.

use core::fmt;

use keys::device::{Family, KeySerial, Kind, Slot};
use serde::{Deserialize, Serialize};

/// The type of a token, as the server distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Counter-based codes.
    Hotp,
    /// Time-based codes.
    Totp,
    /// Yubico's AES one-time passwords.
    Yubikey,
    /// A fixed password.
    Password,
}

impl TokenKind {
    /// The type of token that belongs to a kind of credential.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Hotp => Self::Hotp,
            Kind::Totp | Kind::ChallengeResponse => Self::Totp,
            Kind::YubicoOtp => Self::Yubikey,
            Kind::StaticPassword => Self::Password,
        }
    }

    /// The server's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hotp => "hotp",
            Self::Totp => "totp",
            Self::Yubikey => "yubikey",
            Self::Password => "pw",
        }
    }
}

/// The serial of a token: 1 to 40 of `0-9 A-Z _ -` (the server's column has 40,
/// and its filter ignores case, so only upper case is used).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenSerial(String);

/// What the serial of a trial ends with. It outlives a release: the journal has it.
const TRIAL: &str = "_TRIAL";

/// Text that is not a token serial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token serial has 1 to 40 of 0-9, A-Z, '_' and '-'")]
pub struct NotASerial;

impl TokenSerial {
    /// Takes text as a serial.
    pub fn new(text: &str) -> Result<Self, NotASerial> {
        let fits = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '_' || c == '-';
        if text.is_empty() || text.len() > 40 || !text.chars().all(fits) {
            return Err(NotASerial);
        }
        Ok(Self(text.to_owned()))
    }

    /// The serial of the token that belongs to a credential in a slot of a key.
    pub fn of(key: KeySerial, kind: Kind, slot: Slot) -> Self {
        Self(match key.family {
            Family::YubiKeyOtp => {
                let prefix = match kind {
                    Kind::YubicoOtp => "UBAM",
                    Kind::StaticPassword => "UBSM",
                    Kind::Hotp | Kind::Totp | Kind::ChallengeResponse => "UBOM",
                };
                format!("{prefix}{:08}_{slot}", key.number)
            }
            Family::NitrokeyPro | Family::Nitrokey3 => {
                // These keys count HOTP and TOTP slots each from 0.
                let letter = if kind == Kind::Totp { "T" } else { "" };
                format!("NK{}_{letter}{slot}", key.to_string().to_ascii_uppercase())
            }
        })
    }

    /// The serial under which it is tried out whether the server takes this token.
    #[must_use]
    pub(crate) fn of_trial(&self) -> Self {
        Self(format!("{}{TRIAL}", self.0))
    }

    /// Whether it is the serial of a trial, which says nothing of what a key holds.
    pub fn is_trial(&self) -> bool {
        self.0.ends_with(TRIAL)
    }

    /// The serial of a phone's token.
    pub(crate) fn phone(digits: &str) -> Self {
        Self(format!("PHON{digits}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TokenSerial {
    type Error = NotASerial;

    fn try_from(text: String) -> Result<Self, NotASerial> {
        Self::new(&text)
    }
}

impl From<TokenSerial> for String {
    fn from(serial: TokenSerial) -> Self {
        serial.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_old_tool() {
        let key = KeySerial { family: Family::YubiKeyOtp, number: 12_345 };
        assert_eq!(TokenSerial::of(key, Kind::Hotp, Slot(1)).as_str(), "UBOM00012345_1");
        assert_eq!(TokenSerial::of(key, Kind::ChallengeResponse, Slot(2)).as_str(), "UBOM00012345_2");
        assert_eq!(TokenSerial::of(key, Kind::YubicoOtp, Slot(2)).as_str(), "UBAM00012345_2");
        assert_eq!(TokenSerial::of(key, Kind::StaticPassword, Slot(1)).as_str(), "UBSM00012345_1");
        let key = KeySerial { family: Family::NitrokeyPro, number: 0x5555 };
        assert_eq!(TokenSerial::of(key, Kind::Hotp, Slot(0)).as_str(), "NK00005555_0");
        assert_eq!(TokenSerial::of(key, Kind::Totp, Slot(0)).as_str(), "NK00005555_T0");
    }

    #[test]
    fn trials_have_a_name_of_their_own() {
        let key = KeySerial { family: Family::NitrokeyPro, number: u32::MAX };
        let token = TokenSerial::of(key, Kind::Totp, Slot(15));
        assert!(!token.is_trial() && token.of_trial().is_trial());
        assert_eq!(token.of_trial().as_str(), "NKFFFFFFFF_T15_TRIAL");
        assert!(TokenSerial::new(token.of_trial().as_str()).is_ok());
    }

    #[test]
    fn lower_case_and_long_serials_are_refused() {
        assert!(TokenSerial::new("ubom1").is_err());
        assert!(TokenSerial::new(&"A".repeat(41)).is_err());
        assert!(TokenSerial::new("").is_err());
        assert!(TokenSerial::new("A b").is_err());
    }
}
