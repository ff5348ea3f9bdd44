//! Lines of text stacked without touching, and divided into pages.

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::Room;
use crate::face::Face;
use crate::icon::{Icon, Size as IconSize};
use crate::wrap::Wrapped;

/// One line of a flow.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) face: Face,
    pub(super) text: String,
    /// Drawn before the line, in a margin of [`MARGIN`] pixels that all lines of
    /// its paragraph keep.
    pub(super) mark: Option<Icon>,
    pub(super) indent: i32,
    /// Whether a paragraph starts here.
    pub(super) starts: bool,
    /// Whether its paragraph had to divide a word.
    pub(super) broken: bool,
}

/// The width of a paragraph's margin with a mark in it.
pub(super) const MARGIN: i32 = 11;

/// Before what somebody can do.
pub(super) const REMEDY: Icon = Icon::ArrowRight;

/// A wrapped text as one paragraph.
pub(super) fn paragraph(wrapped: Wrapped, mark: Option<Icon>) -> Vec<Line> {
    let indent = if mark.is_some() { MARGIN } else { 0 };
    let Wrapped { face, lines, broke_a_word } = wrapped;
    let line = |(at, text): (usize, String)| Line {
        face,
        text,
        mark: mark.filter(|_| at == 0),
        indent,
        starts: at == 0,
        broken: broke_a_word,
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// How close lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leading {
    /// From a base line to the capitals of the next line.
    pub(super) line: i32,
    /// The same where a paragraph starts.
    pub(super) paragraph: i32,
}

impl Leading {
    pub(super) const TALL: Self = Self { line: 4, paragraph: 5 };
    pub(super) const FLAT: Self = Self { line: 2, paragraph: 3 };
}

/// Base lines for `lines`, measured from the top of the first line's ink, and
/// the height of all ink.
pub(super) fn stack(lines: &[Line], leading: Leading) -> (Vec<i32>, i32) {
    let mut baselines = Vec::with_capacity(lines.len());
    let mut baseline = 0;
    let mut below = 0;
    for (at, line) in lines.iter().enumerate() {
        let ink = line.face.ink(&line.text);
        if at == 0 {
            baseline = ink.above.max(line.face.metrics().cap);
        } else {
            let gap = if line.starts { leading.paragraph } else { leading.line };
            let usual = line.face.metrics().cap + gap;
            // Ink of neighbours keeps a row between it, whatever the letters.
            baseline += usual.max(below + ink.above + 1);
        }
        below = ink.below;
        baselines.push(baseline);
    }
    (baselines, baseline + below)
}

/// Divides `lines` into pages that have at most `height` rows with `title` on
/// top. A paragraph that fits a page of its own is not divided.
pub(super) fn paginate(title: &[Line], lines: Vec<Line>, height: i32, leading: Leading) -> Vec<Vec<Line>> {
    let fits = |page: &[Line]| {
        let all: Vec<Line> = title.iter().chain(page).cloned().collect();
        stack(&all, leading).1 <= height
    };
    let mut pages: Vec<Vec<Line>> = Vec::new();
    let mut page: Vec<Line> = Vec::new();
    let mut rest = lines.into_iter().peekable();
    while let Some(line) = rest.next() {
        let mut whole = vec![line];
        while let Some(next) = rest.next_if(|next| !next.starts) {
            whole.push(next);
        }
        let mut with = page.clone();
        with.extend(whole.iter().cloned());
        if fits(&with) {
            page = with;
            continue;
        }
        if !page.is_empty() && fits(&whole) {
            pages.push(std::mem::replace(&mut page, whole));
            continue;
        }
        // A paragraph longer than a page. It starts under what is there only if
        // two of its lines fit, and never leaves its last line alone.
        let room_for_two = {
            let mut two = page.clone();
            two.extend(whole.iter().take(2).cloned());
            fits(&two)
        };
        if !page.is_empty() && !room_for_two {
            pages.push(std::mem::take(&mut page));
        }
        for line in whole {
            page.push(line);
            if !fits(&page) && page.len() > 1 {
                let over = page.pop();
                pages.push(std::mem::replace(&mut page, over.into_iter().collect()));
            }
        }
    }
    if !page.is_empty() {
        pages.push(page);
    }
    pages
}

/// Characters on a page, for the time it takes to read.
pub(super) fn characters(page: &[Line]) -> usize {
    page.iter().map(|line| line.text.chars().count()).sum()
}

/// Where lines stand in their area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Middle,
}

impl Room<'_> {
    /// Draws one page of lines.
    pub(super) fn lines(&mut self, lines: &[Line], area: Rectangle, place: Place, leading: Leading) {
        let (baselines, height) = stack(lines, leading);
        let spare = (area.size.height.cast_signed() - height).max(0);
        let top = area.top_left.y + if place == Place::Middle { spare / 2 } else { 0 };
        for (line, baseline) in lines.iter().zip(baselines) {
            let at = area.top_left.x;
            let y = top + baseline;
            if let Some(mark) = line.mark {
                self.icon(mark, IconSize::Small, Point::new(at, y - 8), BinaryColor::On);
            }
            self.text(line.face, &line.text, Point::new(at + line.indent, y), BinaryColor::On);
        }
    }
}
