//! What enrollments and people are named by.

use core::fmt;

use rand_core::Rng;

/// Names one enrollment, for ever and everywhere: 96 random bits, shown as 24 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrollmentId([u8; 12]);

impl EnrollmentId {
    /// No enrollment: what a flow bears that belongs to none.
    pub const NONE: Self = Self([0; 12]);

    /// Draws a new one.
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes = [0; 12];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A fraction of one that differs from enrollment to enrollment, to spread retries.
    pub fn fraction(self) -> f64 {
        let [first, ..] = self.0;
        f64::from(first) / 256.0
    }

    /// Reads 24 hex digits; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 24 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = core::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A person on the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    /// The login name.
    pub user: String,
    /// The realm the name is unique in.
    pub realm: String,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.realm)
    }
}

impl Person {
    /// Whether two are the same: a realm is one in any case of its letters.
    pub fn is(&self, other: &Self) -> bool {
        self.user == other.user && same_realm(&self.realm, &other.realm)
    }
}

/// Whether two names are of one realm: the server keeps realms in lower case.
pub fn same_realm(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written() {
        let id = EnrollmentId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xab, 0xff]);
        assert_eq!(id.to_string(), "00010203040506070809abff");
        assert_eq!(EnrollmentId::parse(&id.to_string()), Some(id));
        for wrong in ["", "00010203040506070809abf", "00010203040506070809abfg", "+0010203040506070809abff"] {
            assert_eq!(EnrollmentId::parse(wrong), None, "{wrong}");
        }
    }
}
