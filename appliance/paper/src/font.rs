//! The one font: which glyph a character has, and how wide it is.

use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::{GlyphMetrics, Metrics};
use skrifa::{FontRef, MetadataProvider, charmap::Charmap};

/// DejaVu Sans, in units of which [`Face::UNITS`] are the size of the font.
pub(crate) struct Face {
    map: Charmap<'static>,
    glyphs: GlyphMetrics<'static>,
    pub(crate) metrics: Metrics,
}

impl Face {
    /// The file itself.
    pub(crate) fn bytes() -> &'static [u8] {
        dejavu::sans::regular()
    }

    /// Reads the font; `None` if the crate that carries it carries something else.
    pub(crate) fn new() -> Option<Self> {
        let font = FontRef::new(Self::bytes()).ok()?;
        let (size, place) = (Size::unscaled(), LocationRef::default());
        Some(Self {
            map: font.charmap(),
            glyphs: font.glyph_metrics(size, place),
            metrics: font.metrics(size, place),
        })
    }

    /// The glyph of a character; `None` where the font would draw its box for what is missing.
    pub(crate) fn glyph(&self, character: char) -> Option<u16> {
        let glyph = self.map.map(character).filter(|glyph| glyph.to_u32() != 0)?;
        u16::try_from(glyph.to_u32()).ok()
    }

    /// How wide a glyph is, in thousandths of the font's size, as PDF wants it.
    pub(crate) fn advance(&self, glyph: u16) -> f32 {
        self.thousandths(self.glyphs.advance_width(u32::from(glyph).into()).unwrap_or_default())
    }

    /// A length of the font in thousandths of its size.
    pub(crate) fn thousandths(&self, length: f32) -> f32 {
        length * 1000.0 / f32::from(self.metrics.units_per_em.max(1))
    }

    /// How wide a text is at `size` points.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let glyphs = text.chars().filter_map(|c| self.glyph(c));
        glyphs.map(|glyph| self.advance(glyph)).sum::<f32>() * size / 1000.0
    }
}
