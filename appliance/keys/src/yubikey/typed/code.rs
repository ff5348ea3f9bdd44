//! A code as typed, and how it is read.

use zeroize::Zeroizing;

use crate::device::Digits;
use crate::yubikey::yubico_otp::{OtpError, TypedOtp};

/// What ended a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// ENTER, as keys type it behind a code.
    Enter,
    /// No stroke came any more: the key types no ENTER, or the code is not whole.
    Quiet,
}

/// What is wrong with the strokes of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// More characters than any key types.
    TooLong,
    /// A key without a character (Escape, F5), one with Ctrl or Alt, or more
    /// keys at once than a report holds.
    ForeignStroke,
}

/// Why a typed text is not the code that was expected. Says positions and
/// lengths, never characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TypedError {
    /// More characters than any key types.
    #[error("more was typed than any code has")]
    TooLong,
    /// A stroke that no key types.
    #[error("a keystroke came in between that is no part of a code")]
    ForeignStroke,
    /// Another number of characters: strokes were lost, or it is another kind of code.
    #[error("{got} characters were typed, not {wanted}")]
    Length {
        /// With the token id.
        wanted: usize,
        /// As typed, without TAB and ENTER.
        got: usize,
    },
    /// It begins with something else than the token id.
    #[error("the code does not begin with the expected token id")]
    TokenId,
    #[error("the character at position {0} is not a digit")]
    NotDigit(usize),
    /// Not a Yubico OTP.
    #[error(transparent)]
    YubicoOtp(#[from] OtpError),
}

/// One code as typed. It may be a password, so it is wiped and has no `Debug`.
pub struct TypedCode {
    pub(super) text: Zeroizing<String>,
    pub(super) end: End,
    pub(super) flaw: Option<Flaw>,
}

impl TypedCode {
    /// The characters, read as the US layout reads them, without the ENTER.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn end(&self) -> End {
        self.end
    }

    /// What is wrong with it.
    pub fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// The digits of an HOTP code that a key types behind `token_id` (empty for
    /// keys without). Nothing else may be there, but TABs around.
    ///
    /// A lost stroke makes the text shorter, so it is refused, not misread.
    pub fn hotp(&self, token_id: &str, digits: Digits) -> Result<&str, TypedError> {
        let text = self.flawless()?;
        let wanted = token_id.len() + usize::from(digits.count());
        let got = text.chars().count();
        if got != wanted {
            return Err(TypedError::Length { wanted, got });
        }
        let code = text.strip_prefix(token_id).ok_or(TypedError::TokenId)?;
        match code.chars().position(|character| !character.is_ascii_digit()) {
            Some(at) => Err(TypedError::NotDigit(token_id.len() + at)),
            None => Ok(code),
        }
    }

    /// The Yubico OTP, still encrypted.
    pub fn yubico_otp(&self) -> Result<TypedOtp, TypedError> {
        Ok(TypedOtp::parse(self.flawless()?)?)
    }

    fn flawless(&self) -> Result<&str, TypedError> {
        match self.flaw {
            None => Ok(self.text.trim_matches('\t')),
            Some(Flaw::TooLong) => Err(TypedError::TooLong),
            Some(Flaw::ForeignStroke) => Err(TypedError::ForeignStroke),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> TypedCode {
        TypedCode { text: Zeroizing::new(text.into()), end: End::Enter, flaw: None }
    }

    #[test]
    fn hotp_is_digits_of_the_right_number_and_nothing_else() {
        assert_eq!(typed("755224").hotp("", Digits::Six), Ok("755224"));
        assert_eq!(typed("\t84755224\t").hotp("", Digits::Eight), Ok("84755224"));
        assert_eq!(typed("75522").hotp("", Digits::Six), Err(TypedError::Length { wanted: 6, got: 5 }));
        assert_eq!(
            typed("755224287082").hotp("", Digits::Six),
            Err(TypedError::Length { wanted: 6, got: 12 })
        );
        assert_eq!(typed("75522c").hotp("", Digits::Six), Err(TypedError::NotDigit(5)));
    }

    #[test]
    fn a_token_id_must_be_the_one_that_was_written() {
        let code = typed("ubud00112233755224");
        assert_eq!(code.hotp("ubud00112233", Digits::Six), Ok("755224"));
        assert_eq!(code.hotp("ubud00112234", Digits::Six), Err(TypedError::TokenId));
        assert!(code.hotp("", Digits::Six).is_err());
    }

    #[test]
    fn a_flawed_code_is_no_code() {
        let flawed = |flaw| TypedCode { flaw: Some(flaw), ..typed("755224") };
        assert_eq!(flawed(Flaw::TooLong).hotp("", Digits::Six), Err(TypedError::TooLong));
        assert_eq!(flawed(Flaw::ForeignStroke).hotp("", Digits::Six), Err(TypedError::ForeignStroke));
        assert_eq!(flawed(Flaw::ForeignStroke).yubico_otp(), Err(TypedError::ForeignStroke));
    }

    #[test]
    fn a_yubico_otp_is_read() {
        let otp = typed("dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh").yubico_otp().unwrap();
        assert_eq!(otp.public_id().len(), 4);
        assert!(matches!(typed("755224").yubico_otp(), Err(TypedError::YubicoOtp(OtpError::Length(6)))));
    }
}
