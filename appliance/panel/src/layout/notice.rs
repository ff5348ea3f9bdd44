//! What, why and what to do, in sentences.

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::flow::{Leading, Line, MARGIN, Place, REMEDY, paginate, paragraph};
use super::{Room, area, beside_marks};
use crate::face::Face;
use crate::icon::{Icon, Size as IconSize};
use crate::view::Port;
use crate::wrap::wrap;

/// What to draw.
pub(super) struct Sheet {
    pub(super) icon: Icon,
    /// In the header: what kind of thing this is, such as the code.
    pub(super) label: String,
    pub(super) title: String,
    pub(super) cause: String,
    pub(super) remedy: String,
    pub(super) port: Option<Port>,
}

impl Room<'_> {
    pub(super) fn sheet(&mut self, sheet: &Sheet) {
        if self.flat() { self.flat_sheet(sheet) } else { self.tall_sheet(sheet) }
    }

    fn tall_sheet(&mut self, sheet: &Sheet) {
        let port = sheet.port.map(|port| (self.words.port)(port)).unwrap_or_default();
        self.header(Some(sheet.icon), &sheet.label, &port, true);
        let titles = [Face::Title, Face::Label];
        self.body(sheet, None, &titles, area(2, 16, 127, 64), Leading::TALL);
    }

    fn flat_sheet(&mut self, sheet: &Sheet) {
        // A lit margin carries the icon, so that all 32 rows are for words.
        let margin = area(0, 0, 13, 32);
        let ink = BinaryColor::Off;
        self.fill(margin, 0, BinaryColor::On);
        self.icon(sheet.icon, IconSize::Small, Point::new(3, 3), ink);
        if let Some(port) = sheet.port {
            let text = port.to_string();
            let at = Face::Label.ink(&text);
            let left = (13 - (at.right - at.left)) / 2 - at.left;
            self.text(Face::Label, &text, Point::new(left, 28), ink);
        }
        let label = (!sheet.label.is_empty()).then_some(sheet.label.as_str());
        self.body(sheet, label, &[Face::Title, Face::Label], area(17, 0, 127, 32), Leading::FLAT);
    }

    fn body(
        &mut self,
        sheet: &Sheet,
        label: Option<&str>,
        titles: &[Face],
        room: Rectangle,
        leading: Leading,
    ) {
        let mut room = room;
        let mut pages = pages(sheet, label, titles, room.size, leading);
        if pages.len() > 1 {
            room = beside_marks(room);
            pages = self::pages(sheet, label, titles, room.size, leading);
        }
        let place = if self.flat() { Place::Middle } else { Place::Top };
        self.each_page(&[], pages, room, place, leading);
    }
}

fn pages(
    sheet: &Sheet,
    label: Option<&str>,
    titles: &[Face],
    room: Size,
    leading: Leading,
) -> Vec<Vec<Line>> {
    let (width, height) = (room.width.cast_signed(), room.height.cast_signed());
    let heading = match label {
        Some(label) => format!("{label} {}", sheet.title),
        None => sheet.title.clone(),
    };
    let lines = |title: Face| {
        let mut lines = paragraph(wrap(&heading, title, width), None);
        lines.extend(paragraph(wrap(&sheet.cause, Face::Text, width), None));
        lines.extend(paragraph(wrap(&sheet.remedy, Face::Label, width - MARGIN), Some(REMEDY)));
        lines
    };
    // The largest title that does not cost a page, or not more than a second one.
    let least = titles.last().copied().unwrap_or(Face::Label);
    let fewest = paginate(lines(least), height, leading).len();
    let free = if leading == Leading::TALL { 2 } else { 1 };
    let whole = |title: Face| !wrap(&heading, title, width).broke_a_word;
    let cheap = |title: Face| paginate(lines(title), height, leading).len() <= fewest.max(free);
    let title = titles.iter().copied().find(|&title| whole(title) && cheap(title));
    paginate(lines(title.unwrap_or(least)), height, leading)
}
