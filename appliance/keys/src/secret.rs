//! The secrets that pass through the station on their way into a key.
//!
//! None of these types has `Debug`, `Display`, `Clone` or a serialiser; each
//! wipes its bytes when it goes. The bytes come out through `expose`, so that
//! `grep expose` lists every place where a secret leaves its type;
//! [`CodeText::into_text`] hands a code over as text that still wipes itself.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Why bytes are not a secret of the wanted kind. Says lengths, never contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The number of bytes does not fit.
    #[error("{what} must have {wanted} bytes, not {got}")]
    Length {
        /// Which secret.
        what: &'static str,
        /// The lengths that are allowed, in words.
        wanted: &'static str,
        /// The length that came.
        got: usize,
    },
}

/// An OTP secret (HOTP, TOTP, challenge-response): 1 to 64 bytes.
pub struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    /// The length that the station makes by default: 160 bits (RFC 4226, R6).
    pub const DEFAULT_LENGTH: usize = 20;

    /// Takes `bytes` as a seed. The caller wipes its own copy.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.is_empty() || bytes.len() > 64 {
            return Err(SecretError::Length { what: "a seed", wanted: "1 to 64", got: bytes.len() });
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Draws `length` bytes from `rng`; a length beyond 64 is cut to 64.
    ///
    /// The first byte is never 0: a Nitrokey Pro of firmware 0.7 takes such a
    /// secret for none. That costs less than a hundredth of a bit.
    pub fn random(length: usize, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new(vec![0; length.clamp(1, 64)]);
        // A source that gives nothing but zeros is none; it must not hang here.
        for _ in 0..16 {
            rng.fill_bytes(&mut bytes);
            if bytes.first() != Some(&0) {
                break;
            }
        }
        Self(bytes)
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

macro_rules! fixed_secret {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        pub struct $name(Zeroizing<[u8; $len]>);

        impl $name {
            /// Takes exactly the bytes this secret has.
            pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
                <[u8; $len]>::try_from(bytes)
                    .map(|array| Self(Zeroizing::new(array)))
                    .map_err(|_| SecretError::Length {
                        what: $what,
                        wanted: stringify!($len),
                        got: bytes.len(),
                    })
            }

            /// Takes an array of the right length.
            pub fn from_array(bytes: &[u8; $len]) -> Self {
                Self(Zeroizing::new(*bytes))
            }

            /// Draws it from `rng`.
            pub fn random(rng: &mut impl CryptoRng) -> Self {
                let mut bytes = Zeroizing::new([0; $len]);
                rng.fill_bytes(bytes.as_mut());
                Self(bytes)
            }

            /// The bytes.
            pub fn expose(&self) -> &[u8; $len] {
                &self.0
            }

            /// Compares in constant time.
            #[must_use]
            pub fn same_as(&self, other: &Self) -> bool {
                bool::from(self.0.as_slice().ct_eq(other.0.as_slice()))
            }
        }
    };
}

fixed_secret!(
    /// The AES-128 key of a Yubico OTP slot.
    AesKey, 16, "an AES key"
);
fixed_secret!(
    /// The private identity inside a Yubico OTP.
    PrivateId, 6, "a private id"
);
fixed_secret!(
    /// What unlocks a YubiKey slot for writing. All zero means "none", so that
    /// value is not an access code: see [`AccessCode::is_none`].
    AccessCode, 6, "an access code"
);
fixed_secret!(
    /// What unlocks the interface configuration of a YubiKey 5.
    LockCode, 16, "a lock code"
);

fixed_secret!(
    /// Random bytes for one conversation: keys want passwords and nonces made up
    /// by the host. Fresh ones for each.
    Entropy, 32, "entropy"
);

impl AccessCode {
    /// Whether this is the all-zero code, by which keys mean "no code".
    pub fn is_none(&self) -> bool {
        bool::from(self.expose().as_slice().ct_eq(&[0; 6]))
    }
}

/// A PIN or a password: UTF-8 without NUL, 1 to 64 bytes.
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes `text` as a PIN.
    pub fn new(text: Zeroizing<String>) -> Result<Self, SecretError> {
        if text.is_empty() || text.len() > 64 || text.contains('\0') {
            return Err(SecretError::Length {
                what: "a PIN (without NUL)",
                wanted: "1 to 64",
                got: text.len(),
            });
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A one-time password, or the answer to a challenge, as text.
pub struct CodeText(Zeroizing<String>);

impl CodeText {
    /// Takes `text` as a code.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text, still to be wiped.
    pub fn into_text(self) -> Zeroizing<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_at_the_edge() {
        assert!(Seed::new(&[]).is_err());
        assert!(Seed::new(&[1; 65]).is_err());
        assert!(Seed::new(&[1; 64]).is_ok());
        assert!(AesKey::new(&[1; 15]).is_err());
        assert!(AccessCode::new(&[0; 6]).unwrap().is_none());
        assert!(!AccessCode::new(&[0, 0, 0, 0, 0, 1]).unwrap().is_none());
    }

    #[test]
    fn comparison_sees_every_byte_and_the_length() {
        let a = Seed::new(&[1, 2, 3]).unwrap();
        assert!(a.same_as(&Seed::new(&[1, 2, 3]).unwrap()));
        assert!(!a.same_as(&Seed::new(&[1, 2, 4]).unwrap()));
        assert!(!a.same_as(&Seed::new(&[1, 2]).unwrap()));
    }
}
