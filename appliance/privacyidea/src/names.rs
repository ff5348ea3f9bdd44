//! The words of the protocol as types: a value that exists is one that the
//! server understands as it was meant.

use std::borrow::Cow;
use std::fmt;

use crate::error::Invalid;

/// The serial of a token or a container.
///
/// The server keeps `W8` and `w8` apart when it stores tokens and ignores case
/// when it lists them. Two serials are equal here if all their characters are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(String);

impl Serial {
    /// 1 to 40 letters, digits, `-` and `_`.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=40).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(Invalid::Serial)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token's description: at most 80 characters, where the server would cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Refuses what is longer or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        if text.chars().count() > 80 || text.chars().any(char::is_control) {
            return Err(Invalid::Description);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The type of a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// Event-based one-time passwords (RFC 4226).
    Hotp,
    /// Time-based one-time passwords (RFC 6238).
    Totp,
    /// Yubico OTP, checked by the server itself.
    Yubikey,
    /// A fixed password.
    Pw,
    /// A code that works once.
    Registration,
    /// Any other, by its name.
    Other(Cow<'static, str>),
}

impl TokenType {
    /// From the name in an answer; case does not matter.
    pub fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "hotp" => Self::Hotp,
            "totp" => Self::Totp,
            "yubikey" => Self::Yubikey,
            "pw" => Self::Pw,
            "registration" => Self::Registration,
            other => Self::Other(Cow::Owned(other.to_owned())),
        }
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Hotp => "hotp",
            Self::Totp => "totp",
            Self::Yubikey => "yubikey",
            Self::Pw => "pw",
            Self::Registration => "registration",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash in HOTP and TOTP. There are no others: the server stores any
/// name, and then fails at every check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HashAlgorithm {
    /// SHA-1, the usual one.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// From a name such as `sha1`, `SHA256`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// Somebody who may own tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// The login name.
    pub login: String,
    /// The realm; without one the server takes its default realm.
    pub realm: Option<String>,
    /// The resolver, where a realm has the same name in several.
    pub resolver: Option<String>,
}

impl User {
    /// A user of a realm.
    pub fn new(login: impl Into<String>, realm: impl Into<String>) -> Self {
        Self { login: login.into(), realm: Some(realm.into()), resolver: None }
    }

    /// The login as the server reads it back whole. With `splitAtSign`, which is on by default, it divides
    /// a name at the last `@` when a realm stands behind it, and one without `@` at the last backslash, whatever
    /// `realm` says (privacyIDEA 3.14, lib/user.py, `split_user`): `max@firma` in realm `firma` would be `max`.
    pub fn spelled(&self) -> Cow<'_, str> {
        match &self.realm {
            Some(realm) if self.login.contains(['@', '\\']) => Cow::Owned(format!("{}@{realm}", self.login)),
            _ => Cow::Borrowed(&self.login),
        }
    }

    /// An empty name would mean "no user" to the server.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.login.is_empty() { Err(Invalid::Missing("the user's name")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials() {
        assert!(Serial::new("UBOM00000001_1").is_ok());
        assert!(Serial::new("a".repeat(40)).is_ok());
        for bad in ["", "a b", "ä", "*", "a/b", &"a".repeat(41)] {
            assert_eq!(Serial::new(bad), Err(Invalid::Serial), "{bad}");
        }
        assert_ne!(Serial::new("W8"), Serial::new("w8"));
    }

    #[test]
    fn descriptions_count_characters() {
        assert!(Description::new("ü".repeat(80)).is_ok());
        assert_eq!(Description::new("u".repeat(81)), Err(Invalid::Description));
        assert_eq!(Description::new("a\nb"), Err(Invalid::Description));
    }

    #[test]
    fn types_and_hashes() {
        assert_eq!(TokenType::from_name("HOTP"), TokenType::Hotp);
        assert_eq!(TokenType::from_name("daypassword").as_str(), "daypassword");
        assert_eq!(HashAlgorithm::from_name("SHA256"), Some(HashAlgorithm::Sha256));
        assert_eq!(HashAlgorithm::from_name("md5"), None);
    }
}
