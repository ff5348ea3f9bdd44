//! Text as the panel may show it: one line of characters that every face has.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::face;

/// The longest text a view carries, in characters. Anything longer is a
/// mistake of the caller's, not something a person reads off a small glass.
pub const MAX_CHARS: usize = 400;

/// One line of text, safe to draw.
///
/// Whatever a server, a key or a configuration file said becomes drawable: control
/// characters and runs of white space turn into one space, typographic
/// punctuation into its plain form, composed characters are composed (a macOS
/// name writes `ü` as two characters), and a character that the fonts lack
/// becomes `?`. The fonts hold Latin-1 and Latin Extended-A.
///
/// A soft hyphen (U+00AD) stays: it is where a long word may be divided. A
/// no-break space keeps two words together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Makes `text` drawable, and shortens it to [`MAX_CHARS`] with `...`.
    pub fn new(text: &str) -> Self {
        let mut clean = String::with_capacity(text.len());
        let mut gap = false;
        for c in text.nfc() {
            if c.is_whitespace() && c != NO_BREAK_SPACE || c.is_control() {
                gap = !clean.is_empty();
                continue;
            }
            if is_invisible(c) {
                continue;
            }
            if gap {
                clean.push(' ');
                gap = false;
            }
            match plain(c) {
                Some(plain) => clean.push_str(plain),
                None if c == SOFT_HYPHEN || c == NO_BREAK_SPACE || face::has(c) => clean.push(c),
                None => clean.push('?'),
            }
        }
        if clean.chars().count() > MAX_CHARS {
            clean = clean.chars().take(MAX_CHARS - 3).collect();
            clean.push_str("...");
        }
        Self(clean)
    }

    /// The characters, soft hyphens included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing would be drawn.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a long word may be divided; drawn as a hyphen only there.
pub(crate) const SOFT_HYPHEN: char = '\u{ad}';

/// A space at which a line does not end.
pub(crate) const NO_BREAK_SPACE: char = '\u{a0}';

/// Marks without a picture: joiners, direction marks, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The plain form of typographic characters that the fonts lack.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' => "\"",
        '\u{2026}' => "...",
        '\u{2192}' => "->",
        '\u{1e9e}' => "SS",
        '\u{2022}' => "\u{b7}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_becomes_drawable() {
        assert_eq!(Text::new("  a\r\n\tb \u{1b}[31m ").as_str(), "a b [31m");
        assert_eq!(Text::new("Ju\u{308}rgen „Ž“ …").as_str(), "Jürgen \"Ž\" ...");
        assert_eq!(Text::new("日本").as_str(), "??");
        assert_eq!(Text::new("a\u{200b}b\u{202e}c\u{feff}").as_str(), "abc");
        assert!(Text::new(" \n ").is_empty());
    }

    #[test]
    fn too_long_is_marked() {
        let long = Text::new(&"x".repeat(MAX_CHARS + 1));
        assert_eq!(long.as_str().len(), MAX_CHARS);
        assert!(long.as_str().ends_with("x..."));
        assert_eq!(Text::new(&"x".repeat(MAX_CHARS)).as_str(), "x".repeat(MAX_CHARS));
    }

    proptest! {
        #[test]
        fn every_text_is_drawable_and_settled(text in "\\PC{0,500}|.{0,50}") {
            let once = Text::new(&text);
            prop_assert!(once.as_str().chars().all(|c| face::has(c) || c == SOFT_HYPHEN || c == NO_BREAK_SPACE));
            prop_assert!(once.as_str().chars().count() <= MAX_CHARS);
            prop_assert_eq!(&Text::new(once.as_str()), &once);
        }
    }
}
