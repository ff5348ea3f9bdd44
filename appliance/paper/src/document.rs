//! A PDF with pages of text and lines, and the part of the font that they need.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;
use zeroize::Zeroizing;

use crate::font::Face;
use crate::words::Language;

/// A4 upright, in points of 1/72 inch.
pub(crate) const A4: [f32; 2] = [595.0, 842.0];
const FONT: Name<'static> = Name(b"F");
const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The font's program could not be read or cut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoFont;

/// A document in the making. Every page is of one size.
pub(crate) struct Document {
    pub(crate) face: Face,
    size: [f32; 2],
    /// The number that a character has in this file. Two characters may have one glyph, and each is still
    /// read back as itself.
    codes: BTreeMap<char, u16>,
    pages: Vec<Content>,
}

impl Document {
    pub(crate) fn new(size: [f32; 2]) -> Result<Self, NoFont> {
        Ok(Self { face: Face::new().ok_or(NoFont)?, size, codes: BTreeMap::new(), pages: Vec::new() })
    }

    /// Begins another page.
    pub(crate) fn page(&mut self) {
        self.pages.push(Content::new());
    }

    /// How many pages there are.
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Draws a text, whose line begins at `x`, `y` points from the lower left corner, on page `page` (counted from 0).
    /// What [`crate::check`] does not let through is left out.
    pub(crate) fn text(&mut self, page: usize, [x, y]: [f32; 2], size: f32, text: &str) {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len()));
        for character in text.chars() {
            if self.face.glyph(character).is_some() {
                let next = u16::try_from(self.codes.len() + 1).unwrap_or(u16::MAX);
                bytes.extend(self.codes.entry(character).or_insert(next).to_be_bytes());
            }
        }
        if let Some(content) = self.pages.get_mut(page) {
            content.begin_text().set_font(FONT, size).next_line(x, y).show(Str(&bytes)).end_text();
        }
    }

    /// Draws a thin straight line.
    pub(crate) fn line(&mut self, page: usize, from: [f32; 2], to: [f32; 2]) {
        if let Some(content) = self.pages.get_mut(page) {
            content.set_line_width(0.4).move_to(from[0], from[1]).line_to(to[0], to[1]).stroke();
        }
    }

    /// The file.
    pub(crate) fn finish(self, title: &str, language: Language) -> Result<Zeroizing<Vec<u8>>, NoFont> {
        let mut next = 0;
        let mut fresh = || {
            next += 1;
            Ref::new(next)
        };
        let [catalog, tree, info, font, cid, descriptor, program, unicode, glyphs] =
            [(); 9].map(|()| fresh());
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr(language.tag()));
        pdf.document_info(info).title(TextStr(title));
        let mut kids = Vec::with_capacity(self.pages.len());
        for content in self.pages {
            let (page_id, content_id) = (fresh(), fresh());
            kids.push(page_id);
            let mut page = pdf.page(page_id);
            page.media_box(Rect::new(0.0, 0.0, self.size[0], self.size[1])).parent(tree).contents(content_id);
            page.resources().fonts().pair(FONT, font);
            page.finish();
            pdf.stream(content_id, &content.finish());
        }
        let count = i32::try_from(kids.len()).unwrap_or(i32::MAX);
        pdf.pages(tree).kids(kids).count(count);

        let mut remapper = GlyphRemapper::new();
        let mut in_order: Vec<(u16, char)> = self.codes.iter().map(|(c, code)| (*code, *c)).collect();
        in_order.sort_unstable();
        let mut map = UnicodeCmap::new(Name(b"Letters"), SYSTEM);
        let (mut to_glyph, mut widths) = (vec![0, 0], Vec::new());
        for (code, character) in in_order {
            let glyph = self.face.glyph(character).unwrap_or_default();
            to_glyph.extend(remapper.remap(glyph).to_be_bytes());
            widths.push(self.face.advance(glyph));
            map.pair(code, character);
        }
        let subset = subsetter::subset(Face::bytes(), 0, &remapper).map_err(|_| NoFont)?;
        // Six letters say that it is a part of the font (ISO 32000-1, 9.6.4).
        let name = Name(b"ENROLL+DejaVuSans");
        pdf.type0_font(font)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut cid_font = pdf.cid_font(cid);
        cid_font.subtype(CidFontType::Type2).base_font(name).system_info(SYSTEM);
        cid_font.font_descriptor(descriptor).default_width(0.0).cid_to_gid_map_stream(glyphs);
        cid_font.widths().consecutive(1, widths);
        cid_font.finish();
        let metrics = &self.face.metrics;
        let height = |length: f32| self.face.thousandths(length);
        let cap = metrics.cap_height.map_or(729.0, height);
        let bounds = metrics.bounds.map_or(Rect::new(0.0, -250.0, 1000.0, 1000.0), |bounds| {
            Rect::new(height(bounds.x_min), height(bounds.y_min), height(bounds.x_max), height(bounds.y_max))
        });
        pdf.font_descriptor(descriptor)
            .name(name)
            .flags(FontFlags::SYMBOLIC)
            .bbox(bounds)
            .italic_angle(0.0)
            .ascent(height(metrics.ascent))
            .descent(height(metrics.descent))
            .cap_height(cap)
            .stem_v(90.0)
            .font_file2(program);
        let length = i32::try_from(subset.len()).unwrap_or(i32::MAX);
        pdf.stream(program, &subset).pair(Name(b"Length1"), length);
        pdf.stream(glyphs, &to_glyph);
        pdf.cmap(unicode, &map.finish());
        Ok(Zeroizing::new(pdf.finish()))
    }
}
