//! What can be drawn without shaping, and what cannot.

use unicode_normalization::UnicodeNormalization;

use crate::font::Face;

/// Why a character cannot be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Its script joins or reorders letters, or the mark has to be placed over another letter; neither is done here.
    Shaping,
    /// The font has no glyph for it.
    Missing,
    /// It is no letter but controls something.
    Control,
}

/// A character that cannot be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("'{}' (U+{:04X}): {}", .character.escape_debug(), u32::from(*.character), .obstacle.words())]
pub struct Undrawable {
    /// The first such character.
    pub character: char,
    /// Why.
    pub obstacle: Obstacle,
}

impl Obstacle {
    const fn words(self) -> &'static str {
        match self {
            Self::Shaping => "letters of this script have to be joined or placed, which is not done",
            Self::Missing => "the font has no such letter",
            Self::Control => "it is no letter",
        }
    }
}

/// A text as it is drawn: composed, so that a letter and its mark are one glyph.
///
/// # Errors
/// The first character that cannot be drawn. Lines and blanks may be in it.
pub fn check(text: &str) -> Result<String, Undrawable> {
    let face = Face::new();
    let text: String = text.nfc().collect();
    for character in text.chars().filter(|c| *c != '\n') {
        let obstacle = match u32::from(character) {
            0..0x20 | 0x7f..0xa0 | 0x200b..0x2010 | 0x2028..0x202f | 0x2060..0x2070 | 0xfeff => {
                Obstacle::Control
            }
            // Marks that no composed letter took in; from Hebrew on to Tibetan, and the letters of Hangul; presentation forms.
            0x300..0x370
            | 0x483..0x48a
            | 0x590..0x10a0
            | 0x1100..0x1c80
            | 0x1cc0..0x1d00
            | 0x1dc0..0x1e00 => Obstacle::Shaping,
            0x20d0..0x2100 | 0xfb07..0xfb13 | 0xfb18..0xfe10 | 0xfe20..0xfe30 | 0xfe70..0xfeff => {
                Obstacle::Shaping
            }
            _ if face.as_ref().is_some_and(|face| face.glyph(character).is_some()) => continue,
            _ => Obstacle::Missing,
        };
        return Err(Undrawable { character, obstacle });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_european_alphabet_can_be_drawn() {
        // Latin-1, Latin Extended A, those of Extended B that languages of Europe use, Greek with accents, Cyrillic.
        let latin = ('\u{a1}'..='\u{17f}').filter(|c| *c != '\u{ad}');
        let more = "ȘșȚțǦǧǨǩǮǯǤǥǍǎẀẁẂẃŴŵỲỳŶŷĦħĿŀŊŋẞ€„“”‚‘’«»–—…";
        let greek =
            ('\u{386}'..='\u{3ce}').filter(|c| !matches!(c, '\u{387}' | '\u{38b}' | '\u{38d}' | '\u{3a2}'));
        let cyrillic = ('\u{400}'..='\u{482}').chain('\u{48a}'..='\u{4ff}');
        let caucasus = "Աբգ აბგ";
        for c in latin.chain(more.chars()).chain(greek).chain(cyrillic).chain(caucasus.chars()) {
            assert!(check(&c.to_string()).is_ok(), "{c}: {:?}", check(&c.to_string()));
        }
        // Polytonic Greek, and a letter whose mark stands apart.
        assert!(check("Ἀριστοτέλης ᾠδή").is_ok());
        assert_eq!(check("C\u{30c}apek Za\u{308}h").as_deref(), Ok("Čapek Zäh"));
    }

    #[test]
    fn what_needs_shaping_is_named_and_so_is_what_the_font_has_not() {
        let shaped = |text: &str| check(text).map_err(|error| error.obstacle);
        for text in ["محمد", "דוד", "अमित", "สมชาย", "மணி", "m\u{302}", "\u{fb2a}", "\u{fe8d}"]
        {
            assert_eq!(shaped(text), Err(Obstacle::Shaping), "{text}");
        }
        for text in ["名前", "김", "🦊", "\u{10ffff}"] {
            assert_eq!(shaped(text), Err(Obstacle::Missing), "{text}");
        }
        for text in ["a\u{202e}b", "a\tb", "a\u{200d}b", "\u{7f}"] {
            assert_eq!(shaped(text), Err(Obstacle::Control), "{text:?}");
        }
        let said = check("名").map_err(|error| error.to_string());
        assert_eq!(said, Err("'名' (U+540D): the font has no such letter".to_owned()));
    }

    #[test]
    fn letters_that_are_not_alike_have_glyphs_that_are_not() {
        let face = Face::new().unwrap();
        let glyphs: std::collections::BTreeSet<_> = "łčőğΩЖlIiL".chars().map(|c| face.glyph(c)).collect();
        assert!(!glyphs.contains(&None));
        assert_eq!(glyphs.len(), 10);
    }
}
