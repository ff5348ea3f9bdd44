//! The languages of what is printed.

/// A language in which something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// `page 1 of 3`, in this language.
    pub(crate) fn page(self, number: usize, of: usize) -> String {
        match self {
            Self::English => format!("page {number} of {of}"),
            Self::German => format!("Seite {number} von {of}"),
        }
    }
}
