//! What, why and what to do, in sentences.

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::flow::{Leading, Line, MARGIN, Place, REMEDY, paginate, paragraph};
use super::{Room, area, beside_marks};
use crate::face::Face;
use crate::glass::Glass;
use crate::icon::{Icon, Size as IconSize};
use crate::view::{Activity, Notice, Port};
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

/// How a glass places a sheet.
struct Form<'a> {
    /// Before the title, where there is no header for it.
    label: Option<&'a str>,
    titles: &'static [Face],
    room: Rectangle,
    leading: Leading,
    place: Place,
    /// Pages that a large title may lead to.
    free: usize,
}

impl<'a> Form<'a> {
    fn of(glass: Glass, sheet: &'a Sheet) -> Self {
        const TITLES: &[Face] = &[Face::Title, Face::Label];
        match glass {
            Glass::Tall => Self {
                label: None,
                titles: TITLES,
                room: area(2, 16, 127, 64),
                leading: Leading::TALL,
                place: Place::Top,
                free: 2,
            },
            Glass::Flat => Self {
                label: Some(&sheet.label).filter(|label| !label.is_empty()).map(String::as_str),
                titles: TITLES,
                room: area(17, 0, 127, 32),
                leading: Leading::FLAT,
                place: Place::Middle,
                free: 1,
            },
        }
    }

    fn pages(&self, sheet: &Sheet, room: Rectangle) -> Vec<Vec<Line>> {
        let (width, height) = (room.size.width.cast_signed(), room.size.height.cast_signed());
        let heading = match self.label {
            Some(label) => format!("{label} {}", sheet.title),
            None => sheet.title.clone(),
        };
        let pages = |title: Face| {
            let mut lines = paragraph(wrap(&heading, title, width), None);
            lines.extend(paragraph(wrap(&sheet.cause, Face::Text, width), None));
            lines.extend(paragraph(wrap(&sheet.remedy, Face::Label, width - MARGIN), Some(REMEDY)));
            paginate(&[], lines, height, self.leading)
        };
        // The largest title that does not cost a page, or not more than are free.
        let least = self.titles.last().copied().unwrap_or(Face::Label);
        let fewest = pages(least).len();
        let whole = |title: Face| !wrap(&heading, title, width).broke_a_word;
        let cheap = |title: Face| pages(title).len() <= fewest.max(self.free);
        pages(self.titles.iter().copied().find(|&title| whole(title) && cheap(title)).unwrap_or(least))
    }
}

impl Room<'_> {
    pub(super) fn sheet(&mut self, sheet: &Sheet) {
        if self.flat() {
            // A lit margin carries the icon, so that all 32 rows are for words.
            self.fill(area(0, 0, 13, 32), 0, BinaryColor::On);
            self.icon(sheet.icon, IconSize::Small, Point::new(3, 3), BinaryColor::Off);
            if let Some(port) = sheet.port {
                let text = port.to_string();
                let ink = Face::Label.ink(&text);
                let left = (13 - (ink.right - ink.left)) / 2 - ink.left;
                self.text(Face::Label, &text, Point::new(left, 28), BinaryColor::Off);
            }
        } else {
            let port = sheet.port.map(|port| (self.words.port)(port)).unwrap_or_default();
            self.header(Some(sheet.icon), &sheet.label, &port, true);
        }
        let form = Form::of(self.glass, sheet);
        let mut room = form.room;
        let mut pages = form.pages(sheet, room);
        if pages.len() > 1 {
            room = beside_marks(room);
            pages = form.pages(sheet, room);
        }
        self.each_page(&[], pages, room, form.place, form.leading);
    }
}

/// The lines of each page of a refusal, as the glass shows them, and whether a
/// word had to be divided where its language does not divide it.
pub(crate) fn refusal_pages(notice: &Notice, glass: Glass) -> (Vec<Vec<String>>, bool) {
    let sheet = refusal(notice, None);
    let form = Form::of(glass, &sheet);
    let pages = form.pages(&sheet, beside_marks(form.room));
    let broken = pages.iter().flatten().any(|line| line.broken);
    (pages.into_iter().map(|page| page.into_iter().map(|line| line.text).collect()).collect(), broken)
}

pub(super) fn activity_icon(activity: Activity) -> Icon {
    match activity {
        Activity::Reading => Icon::Magnifier,
        Activity::Writing => Icon::Pencil,
        Activity::Checking => Icon::Task,
    }
}

pub(super) fn refusal(notice: &Notice, port: Option<Port>) -> Sheet {
    Sheet {
        icon: Icon::Cross,
        label: notice.code.to_string(),
        title: notice.title.to_string(),
        cause: notice.cause.to_string(),
        remedy: notice.remedy.to_string(),
        port,
    }
}
