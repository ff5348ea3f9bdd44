//! The few type faces of the panel, and how wide a text is in them.
//!
//! Everything people read is Helvetica as X11 ships it: bold where a person
//! acts, regular where a person reads. The fingerprint alone is set in a fixed
//! width, in which `0 O`, `1 l I` differ.

use std::sync::atomic::{AtomicU64, Ordering};

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
use u8g2_fonts::types::{FontColor, VerticalPosition};
use u8g2_fonts::{Error, FontRenderer, fonts};

/// A type face at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Face {
    /// 8 pixel capitals, regular: sentences.
    Text,
    /// 8 pixel capitals, bold: labels.
    Label,
    /// 11 pixel capitals: titles.
    Title,
    /// 12 pixel capitals.
    Large,
    /// 14 pixel capitals: what to do.
    Hero,
    /// 19 pixel capitals: what to do, where it fits.
    Giant,
    /// 9 pixel capitals, 8 pixels a character.
    Fixed,
}

/// Distances from the base line in pixels, measured on the glyphs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metrics {
    /// Top of `H`.
    pub(crate) cap: i32,
    /// From base line to base line.
    pub(crate) pitch: i32,
}

/// The pixels a text covers, as distances from the start of its base line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ink {
    /// Rows above the base line.
    pub(crate) above: i32,
    /// Rows from the base line on down.
    pub(crate) below: i32,
    /// The first column.
    pub(crate) left: i32,
    /// The column after the last.
    pub(crate) right: i32,
}

impl Face {
    pub(crate) const fn metrics(self) -> Metrics {
        let (cap, pitch) = match self {
            Self::Text | Self::Label => (8, 12),
            Self::Title => (11, 15),
            Self::Large => (12, 17),
            Self::Hero => (14, 19),
            Self::Giant => (19, 25),
            Self::Fixed => (9, 12),
        };
        Metrics { cap, pitch }
    }

    fn renderer(self) -> &'static FontRenderer {
        static TEXT: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvR08_te>().with_ignore_unknown_chars(true);
        static LABEL: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvB08_te>().with_ignore_unknown_chars(true);
        static TITLE: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvB10_te>().with_ignore_unknown_chars(true);
        static LARGE: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvB12_te>().with_ignore_unknown_chars(true);
        static HERO: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvB14_te>().with_ignore_unknown_chars(true);
        static GIANT: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_helvB18_te>().with_ignore_unknown_chars(true);
        static FIXED: FontRenderer =
            FontRenderer::new::<fonts::u8g2_font_8x13B_tf>().with_ignore_unknown_chars(true);
        match self {
            Self::Text => &TEXT,
            Self::Label => &LABEL,
            Self::Title => &TITLE,
            Self::Large => &LARGE,
            Self::Hero => &HERO,
            Self::Giant => &GIANT,
            Self::Fixed => &FIXED,
        }
    }

    /// How far the pen moves for `c`, in pixels.
    pub(crate) fn advance(self, c: char) -> i32 {
        self.glyph(c).advance.into()
    }

    /// The measures of `c`. Finding a glyph walks the font, and fitting a text
    /// asks for the same few again and again, so they are kept.
    fn glyph(self, c: char) -> Glyph {
        static KEPT: [[AtomicU64; KEPT_CHARS]; 7] = [const { [const { AtomicU64::new(0) }; KEPT_CHARS] }; 7];
        let Some(kept) = KEPT.get(self as usize).and_then(|face| face.get(c as usize)) else {
            return self.measure(c);
        };
        if let Some(glyph) = Glyph::unpack(kept.load(Ordering::Relaxed)) {
            return glyph;
        }
        let glyph = self.measure(c);
        kept.store(glyph.pack(), Ordering::Relaxed);
        glyph
    }

    fn measure(self, c: char) -> Glyph {
        let measured = self.renderer().get_rendered_dimensions(c, Point::zero(), VerticalPosition::Baseline);
        let Ok(measured) = measured else { return Glyph::default() };
        let small = |n: i32| i8::try_from(n).unwrap_or_default();
        let mut glyph = Glyph { advance: small(measured.advance.x), ..Glyph::default() };
        if let Some(bounds) = measured.bounding_box {
            let (width, height) = (bounds.size.width.cast_signed(), bounds.size.height.cast_signed());
            glyph.above = small(-bounds.top_left.y);
            glyph.below = small(bounds.top_left.y + height);
            glyph.left = small(bounds.top_left.x);
            glyph.right = small(bounds.top_left.x + width);
        }
        glyph
    }

    /// How wide `text` is, in pixels, the gap after the last character included.
    pub(crate) fn width(self, text: &str) -> i32 {
        text.chars().map(|c| self.advance(c)).sum()
    }

    /// What `text` really covers: Scandinavian and Czech capitals stand higher than `Ä`.
    pub(crate) fn ink(self, text: &str) -> Ink {
        let mut ink: Option<Ink> = None;
        let mut pen = 0;
        for c in text.chars() {
            let glyph = self.glyph(c);
            if glyph.right > glyph.left {
                let this = Ink {
                    above: glyph.above.into(),
                    below: glyph.below.into(),
                    left: pen + i32::from(glyph.left),
                    right: pen + i32::from(glyph.right),
                };
                ink = Some(ink.map_or(this, |ink| ink.with(this)));
            }
            pen += i32::from(glyph.advance);
        }
        let mut ink = ink.unwrap_or_default();
        (ink.above, ink.below) = (ink.above.max(0), ink.below.max(0));
        ink
    }

    /// Draws `text` with its base line at `at`.
    pub(crate) fn draw<D: DrawTarget<Color = BinaryColor>>(
        self,
        text: &str,
        at: Point,
        color: BinaryColor,
        target: &mut D,
    ) -> Result<(), D::Error> {
        match self.renderer().render(
            text,
            at,
            VerticalPosition::Baseline,
            FontColor::Transparent(color),
            target,
        ) {
            Err(Error::DisplayError(error)) => Err(error),
            // The renderer ignores unknown characters and draws on transparent
            // ground, so its other two errors do not occur.
            _ => Ok(()),
        }
    }
}

impl Ink {
    fn with(self, other: Self) -> Self {
        Self {
            above: self.above.max(other.above),
            below: self.below.max(other.below),
            left: self.left.min(other.left),
            right: self.right.max(other.right),
        }
    }
}

/// Latin-1 and Latin Extended-A.
const KEPT_CHARS: usize = 0x180;

/// One character: how far the pen moves, and its ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Glyph {
    advance: i8,
    above: i8,
    below: i8,
    left: i8,
    right: i8,
}

impl Glyph {
    /// Never 0.
    fn pack(self) -> u64 {
        let [advance, above, below, left, right] =
            [self.advance, self.above, self.below, self.left, self.right].map(i8::cast_unsigned);
        u64::from_le_bytes([1, advance, above, below, left, right, 0, 0])
    }

    /// `None` for 0.
    fn unpack(packed: u64) -> Option<Self> {
        let [known, advance, above, below, left, right, ..] = packed.to_le_bytes().map(u8::cast_signed);
        (known == 1).then_some(Self { advance, above, below, left, right })
    }
}

/// Whether the faces have a glyph for `c`.
pub(crate) fn has(c: char) -> bool {
    // The faces for words all hold the same 452 characters (tested below); this
    // one does not ignore the unknown.
    static STRICT: FontRenderer = FontRenderer::new::<fonts::u8g2_font_helvB08_te>();
    STRICT.get_rendered_dimensions(c, Point::zero(), VerticalPosition::Baseline).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [Face; 6] = [Face::Text, Face::Label, Face::Title, Face::Large, Face::Hero, Face::Giant];

    #[test]
    fn metrics_are_those_of_the_glyphs() {
        for face in WORDS {
            let metrics = face.metrics();
            assert_eq!(face.ink("HEM").above, metrics.cap, "{face:?}");
            assert!(metrics.pitch > metrics.cap + face.ink("gjpqy").below, "{face:?}");
        }
    }

    #[test]
    fn every_face_for_words_has_the_same_characters() {
        let drawn = |face: Face, c: char| face.advance(c) > 0;
        for c in (0x20..0x2200).filter_map(char::from_u32).filter(|&c| has(c)) {
            assert!(WORDS.iter().all(|&face| drawn(face, c)), "{c:?} is missing");
        }
        assert!("abcÄÖÜäöüßéÅçñŽłş€@{}~".chars().all(has));
        assert!(!has('\u{7f}') && !has('日') && !has('…'));
    }
}
