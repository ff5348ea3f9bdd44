//! The layouts: one module a kind of picture.
//!
//! * [`hero`]: a picture and the few words that say what to do or what happens.
//! * [`notice`]: what, why and what to do, in sentences, page by page.
//! * [`cards`]: values to read off: fingerprint, run, several ports.
//!
//! All of them keep rows 0 to 15 of the tall glass for the header, because
//! two-coloured modules light those in another colour.

mod bar;
mod cards;
mod flow;
mod hero;
mod notice;
#[cfg(test)]
mod tests;
mod views;

use std::time::Duration;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use crate::clock::Clock;
use crate::face::Face;
use crate::glass::Glass;
use crate::icon::{self, Icon};
use crate::item::{Item, Page};
use crate::words::{Language, Words};

pub(crate) use notice::refusal_pages;
pub(crate) use views::lay_out;

/// A scene being put together, page by page.
pub(crate) struct Room<'a> {
    pub(crate) glass: Glass,
    pub(crate) words: &'static Words,
    pub(crate) clock: &'a Clock,
    /// The page being drawn.
    items: Vec<Item>,
    pages: Vec<Draft>,
    /// When the first page comes first.
    epoch: Duration,
    /// What a press of the button leads to if there is only one page.
    further: Option<Duration>,
}

/// A finished page.
struct Draft {
    items: Vec<Item>,
    stays: Duration,
}

impl<'a> Room<'a> {
    pub(crate) fn new(glass: Glass, language: Language, clock: &'a Clock) -> Self {
        Self {
            glass,
            words: language.words(),
            clock,
            items: Vec::new(),
            pages: Vec::new(),
            epoch: Duration::ZERO,
            further: None,
        }
    }

    /// The page that is on.
    pub(crate) fn finish(mut self) -> (Vec<Item>, Page) {
        let stretches: Vec<Duration> = self.pages.iter().map(|page| page.stays).collect();
        let count = stretches.len().max(1);
        let (index, until) = if count > 1 {
            let (index, until) = self.clock.turn(self.epoch, &stretches);
            (index, Some(until))
        } else {
            (0, self.further)
        };
        self.items = self.pages.into_iter().nth(index).map(|page| page.items).unwrap_or_default();
        (self.items, Page { index, count, until })
    }

    /// Ends the page being drawn; it stays as long as `characters` take to read.
    fn end_page(&mut self, characters: usize) {
        let items = std::mem::take(&mut self.items);
        self.pages.push(Draft { items, stays: reading_time(characters) });
    }

    /// Pages take turns from `epoch` on; before it, the button goes there.
    fn rest_from(&mut self, epoch: Duration) {
        let first = self.pages.first().map_or(Duration::ZERO, |page| page.stays);
        self.epoch = epoch;
        self.further = Some(epoch.saturating_add(first));
    }

    fn flat(&self) -> bool {
        self.glass == Glass::Flat
    }

    fn text(&mut self, face: Face, text: &str, at: Point, ink: BinaryColor) {
        if !text.is_empty() {
            self.items.push(Item::Text { face, text: text.to_owned(), at, ink });
        }
    }

    /// Text that ends before column `right`.
    fn text_before(&mut self, face: Face, text: &str, right: i32, baseline: i32, ink: BinaryColor) {
        let at = Point::new(right - face.ink(text).right, baseline);
        self.text(face, text, at, ink);
    }

    fn icon(&mut self, icon: Icon, size: icon::Size, at: Point, ink: BinaryColor) {
        self.items.push(Item::Icon { icon, size, at, ink });
    }

    fn fill(&mut self, area: Rectangle, radius: u32, ink: BinaryColor) {
        self.items.push(Item::Fill { area, radius, ink });
    }

    fn outline(&mut self, area: Rectangle, radius: u32) {
        self.items.push(Item::Outline { area, radius });
    }

    /// One dot a page at the right edge, the one for `index` drawn larger; for
    /// many pages a thumb that moves along the edge.
    fn page_marks(&mut self, index: usize, count: usize, room: Rectangle) {
        let (Ok(index), Ok(count)) = (i32::try_from(index), i32::try_from(count)) else { return };
        if count < 2 {
            return;
        }
        let (top, height) = (room.top_left.y, room.size.height.cast_signed());
        let pitch = (height / count).min(6);
        if pitch < 4 {
            let y = top + (height - 4) * index / (count - 1).max(1);
            self.fill(area(124, y, 127, y + 4), 0, BinaryColor::On);
            return;
        }
        let first = top + (height - pitch * (count - 1) - 2) / 2;
        for at in 0..count {
            let y = first + at * pitch;
            if at == index {
                self.fill(area(124, y - 1, 127, y + 3), 0, BinaryColor::On);
            } else {
                self.fill(area(125, y, 126, y + 2), 0, BinaryColor::On);
            }
        }
    }
}

/// Pages are marked from this column on.
const MARKS: i32 = 123;

/// `room` without the columns at the right edge that pages are marked in.
fn beside_marks(room: Rectangle) -> Rectangle {
    let width = room.size.width.cast_signed().min(MARKS - 1 - room.top_left.x).max(0);
    Rectangle::new(room.top_left, Size::new(width.unsigned_abs(), room.size.height))
}

/// How long a page with so many characters stays: about 15 characters a
/// second, slow readers' speed, and time to look up.
fn reading_time(characters: usize) -> Duration {
    let ms = 1_400 + 65 * u64::try_from(characters).unwrap_or(u64::MAX / 65 - 1_400);
    Duration::from_millis(ms.clamp(2_500, 12_000).next_multiple_of(100))
}

/// Rows and columns `from` up to but without `to`.
fn area(left: i32, top: i32, right: i32, bottom: i32) -> Rectangle {
    let size = Size::new((right - left).max(0).unsigned_abs(), (bottom - top).max(0).unsigned_abs());
    Rectangle::new(Point::new(left, top), size)
}
