//! A picture and the few words that say what to do.

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::bar::Bar;
use super::flow::{Leading, Line, MARGIN, Place, REMEDY, characters, paginate, paragraph, stack};
use super::{MARKS, Room, area, beside_marks};
use crate::face::Face;
use crate::icon::{Icon, Key, Pose, Size as IconSize};
use crate::item::Item;
use crate::view::Port;
use crate::wrap::{Wrapped, fit, wrap};

/// What to draw; the two glasses place it differently.
#[derive(Debug, Clone, Default)]
pub(super) struct Hero {
    pub(super) art: Option<Art>,
    /// What to do, or what happens: as large as it fits.
    pub(super) title: String,
    /// More about it, in smaller type.
    pub(super) details: Vec<Detail>,
    /// Whether the details of the tall glass run below the picture, from edge to edge.
    pub(super) wide: bool,
    pub(super) port: Option<Port>,
    /// Left in the header of the tall glass; the flat one shows the icon.
    pub(super) heading: Option<(Icon, String)>,
    /// Right in the header of the tall glass, and the same in a few characters.
    pub(super) corner: Option<(String, String)>,
    /// Beside the bar.
    pub(super) count: Option<String>,
    pub(super) bar: Option<Bar>,
    /// Somebody has to do something now: the header is lit.
    pub(super) calls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Art {
    Icon(Icon),
    /// What it stands for does not work.
    Failed(Icon),
    Key(Pose),
}

/// More about what the title says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    Fact(String),
    /// What somebody can do about it.
    Todo(String),
}

impl Detail {
    fn text(&self) -> &str {
        match self {
            Self::Fact(text) | Self::Todo(text) => text,
        }
    }

    /// As a paragraph: in the largest of `faces` that takes one line, else in
    /// the largest that divides no word.
    fn lines(&self, faces: &[Face], width: i32) -> Vec<Line> {
        let (width, mark) = match self {
            Self::Fact(_) => (width, None),
            Self::Todo(_) => (width - MARGIN, Some(REMEDY)),
        };
        let mut wrapped: Vec<Wrapped> = faces.iter().map(|&face| wrap(self.text(), face, width)).collect();
        let one_line = wrapped.iter().position(|lines| !lines.broke_a_word && lines.lines.len() == 1);
        let whole = || wrapped.iter().position(|lines| !lines.broke_a_word);
        let best = one_line.or_else(whole).unwrap_or(wrapped.len().saturating_sub(1));
        if best < wrapped.len() { paragraph(wrapped.swap_remove(best), mark) } else { Vec::new() }
    }
}

/// The words of a hero, fitted.
struct Column {
    /// On every page.
    title: Vec<Line>,
    pages: Vec<Vec<Line>>,
}

impl Room<'_> {
    pub(super) fn hero(&mut self, hero: Hero) {
        if self.flat() { self.flat_hero(hero) } else { self.tall_hero(hero) }
    }

    fn tall_hero(&mut self, hero: Hero) {
        if hero.wide {
            return self.wide_hero(&hero);
        }
        let header = hero.port.is_some() || hero.corner.is_some() || hero.heading.is_some();
        let top = if header { 15 } else { 1 };
        if header {
            let port = hero.port.map(|port| (self.words.port)(port)).unwrap_or_default();
            let (icon, left) = match &hero.heading {
                Some((icon, heading)) => (Some(*icon), heading.as_str()),
                None => (None, port.as_str()),
            };
            let right = hero.corner.as_ref().map(|(long, short)| {
                let fits = Face::Label.width(left) + Face::Label.width(long) <= 116;
                if fits { long.as_str() } else { short.as_str() }
            });
            self.header(icon, left, right.unwrap_or_default(), hero.calls);
        }
        let left = match hero.art {
            Some(art) => {
                self.art(art, area(1, top, 37, 63));
                42
            }
            None => 3,
        };
        let mut bottom = 64;
        match (hero.bar, &hero.count) {
            (Some(bar), Some(count)) => {
                bottom = 50;
                self.text_before(Face::Title, count, 126, 63, BinaryColor::On);
                let right = 122 - Face::Title.ink(count).right;
                self.bar(bar, area(left, 56, right, 62));
            }
            (Some(bar), None) => {
                bottom = 57;
                self.bar(bar, area(left, 58, 126, 63));
            }
            (None, _) => {}
        }
        let ladder = [Face::Giant, Face::Hero, Face::Large, Face::Title];
        self.column(&hero, area(left, top, 127, bottom), &ladder, Leading::TALL);
    }

    /// Picture and title above, details from edge to edge below them.
    fn wide_hero(&mut self, hero: &Hero) {
        let mut top = 1;
        if let Some(port) = hero.port {
            top = 13;
            self.chip(port, area(107, 1, 127, 13), hero.calls);
        }
        let left = match hero.art {
            Some(art) => {
                self.art(art, area(1, 1, 37, 35));
                42
            }
            None => 3,
        };
        let room = area(left, top, 127, 36);
        let (width, height) = (room.size.width.cast_signed(), room.size.height.cast_signed());
        let ladder = [Face::Giant, Face::Hero, Face::Large, Face::Title, Face::Label];
        let title = ladder
            .iter()
            // Beside a port's number the giant would stand on the details.
            .filter(|&&face| face != Face::Giant || hero.port.is_none())
            .map(|&face| wrap(&hero.title, face, width))
            .filter(|title| !title.broke_a_word)
            .map(|title| paragraph(title, None))
            .find(|title| stack(title, Leading::TALL).1 <= height);
        match title {
            Some(title) => self.lines(&title, room, Place::Middle, Leading::TALL),
            // No title of ours is that long (tested), so this one came from outside.
            None => return self.tall_hero(Hero { wide: false, ..hero.clone() }),
        }
        let mut bottom = 63;
        if let Some(bar) = hero.bar {
            bottom = 53;
            let mut right = 126;
            if let Some(count) = &hero.count {
                self.text_before(Face::Title, count, 126, 63, BinaryColor::On);
                right -= Face::Title.ink(count).right + 4;
                bottom = 51;
            }
            self.bar(bar, area(2, 56, right, 62));
        }
        self.below(hero, area(2, 37, 127, bottom));
    }

    /// The details of a wide hero, page by page. Ends the page.
    fn below(&mut self, hero: &Hero, room: Rectangle) {
        let height = room.size.height.cast_signed();
        let pages_in = |room: Rectangle, faces: &[Face]| {
            let width = room.size.width.cast_signed();
            let lines = hero.details.iter().flat_map(|detail| detail.lines(faces, width)).collect();
            paginate(&[], lines, height, Leading::TALL)
        };
        let ladder = [Face::Title, Face::Label, Face::Text];
        let largest = (0..ladder.len()).filter_map(|skip| ladder.get(skip..));
        let mut room = room;
        let mut pages = Vec::new();
        for faces in largest {
            pages = pages_in(room, faces);
            if pages.len() < 2 {
                break;
            }
        }
        if pages.len() > 1 {
            room = beside_marks(room);
            pages = pages_in(room, &[Face::Label, Face::Text]);
        }
        self.each_page(&[], pages, room, Place::Middle, Leading::TALL);
    }

    fn flat_hero(&mut self, hero: Hero) {
        let mut left = 2;
        let heading = hero.heading.as_ref().map(|(icon, _)| Art::Icon(*icon));
        if let Some(art) = hero.art.or(heading) {
            let chip = hero.port.filter(|_| !matches!(art, Art::Key(_)));
            self.art(art, area(1, 1, 23, if chip.is_some() { 18 } else { 31 }));
            if let Some(port) = chip {
                self.chip(port, area(2, 19, 22, 31), hero.calls);
            }
            left = 27;
        }
        let mut bottom = 32;
        if let Some(bar) = hero.bar {
            // A title alone may come closer to the bar than two kinds of type.
            bottom = if hero.details.is_empty() { 29 } else { 28 };
            self.bar(bar, area(left, 29, 126, 32));
        }
        let ladder = [Face::Hero, Face::Large, Face::Title];
        let facts = [hero.count.as_deref(), hero.corner.as_ref().map(|(_, short)| short.as_str())];
        let facts: Vec<&str> = facts.into_iter().flatten().collect();
        let widest = facts.iter().map(|fact| Face::Label.ink(fact).right + 3).max().unwrap_or(0);
        // The facts stand at the edge unless pages are marked there.
        let mut edge = 127;
        let words = |edge: i32| area(left, 0, edge - widest, bottom);
        if !facts.is_empty() && compose(&hero, words(edge), &ladder, Leading::FLAT).pages.len() > 1 {
            edge = MARKS - 1;
        }
        for (fact, baseline) in facts.iter().zip([10, 22]) {
            self.text_before(Face::Label, fact, edge - 1, baseline, BinaryColor::On);
        }
        self.column(&hero, words(edge), &ladder, Leading::FLAT);
    }

    /// The words: title and details together if they fit, else the title with
    /// details that change, else one after the other. Ends the page.
    fn column(&mut self, hero: &Hero, room: Rectangle, ladder: &[Face], leading: Leading) {
        let mut room = room;
        let mut column = compose(hero, room, ladder, leading);
        if column.pages.len() > 1 {
            room = beside_marks(room);
            column = compose(hero, room, ladder, leading);
        }
        self.each_page(&column.title, column.pages, room, Place::Middle, leading);
    }

    /// One page after the other, each with what is drawn so far and with `title`.
    pub(super) fn each_page(
        &mut self,
        title: &[Line],
        pages: Vec<Vec<Line>>,
        room: Rectangle,
        place: Place,
        leading: Leading,
    ) {
        let frame = std::mem::take(&mut self.items);
        let count = pages.len();
        let none = if pages.is_empty() { vec![Vec::new()] } else { Vec::new() };
        for (index, page) in pages.into_iter().chain(none).enumerate() {
            self.items.clone_from(&frame);
            self.page_marks(index, count, room);
            let mut lines = title.to_vec();
            lines.extend(page);
            self.lines(&lines, room, place, leading);
            self.end_page(characters(&lines));
        }
    }

    fn art(&mut self, art: Art, room: Rectangle) {
        let flat = self.flat();
        let icon_size = if flat { IconSize::Medium } else { IconSize::Big };
        let edge = icon_size.pixels();
        let (width, height) = match art {
            Art::Icon(_) | Art::Failed(_) => (edge, edge),
            Art::Key(pose) => {
                let size = Key { pose, flat }.size();
                (size.width.cast_signed(), size.height.cast_signed())
            }
        };
        let spare = room.size.height.cast_signed() - height;
        let x = room.top_left.x + (room.size.width.cast_signed() - width) / 2;
        // A key stands on the edge of the glass, an icon in the middle.
        let y = room.top_left.y + if matches!(art, Art::Key(_)) { spare } else { spare / 2 };
        let at = Point::new(x, y);
        match art {
            Art::Icon(icon) => self.icon(icon, icon_size, at, BinaryColor::On),
            // A cross on 16 pixels leaves nothing to recognise.
            Art::Failed(_) if flat => self.icon(Icon::Warning, icon_size, at, BinaryColor::On),
            Art::Failed(icon) => {
                self.icon(icon, icon_size, at, BinaryColor::On);
                let corner = at + Point::new(edge / 2, edge / 2);
                let ground = area(corner.x - 2, corner.y - 2, corner.x + edge / 2, corner.y + edge / 2);
                self.fill(ground, 0, BinaryColor::Off);
                self.icon(Icon::Cross, IconSize::Medium, corner, BinaryColor::On);
            }
            Art::Key(pose) => self.items.push(Item::Key { key: Key { pose, flat }, at }),
        }
    }

    /// The header of the tall glass: rows 0 to 13.
    pub(super) fn header(&mut self, icon: Option<Icon>, left: &str, right: &str, calls: bool) {
        let ink = if calls { BinaryColor::Off } else { BinaryColor::On };
        if calls {
            self.fill(area(0, 0, 128, 14), 0, BinaryColor::On);
        }
        let mut at = 3;
        if let Some(icon) = icon {
            self.icon(icon, IconSize::Small, Point::new(at, 3), ink);
            at += 12;
        }
        self.text(Face::Label, left, Point::new(at, 11), ink);
        self.text_before(Face::Label, right, 125, 11, ink);
    }

    /// A port's number in a box.
    pub(super) fn chip(&mut self, port: Port, room: Rectangle, calls: bool) {
        let text = port.to_string();
        let ink = Face::Label.ink(&text);
        let width = (ink.right - ink.left + 8).max(14);
        let left = room.top_left.x + (room.size.width.cast_signed() - width) / 2;
        let top = room.top_left.y;
        let chip = area(left, top, left + width, top + 12);
        let at = Point::new(left + (width - (ink.right - ink.left)) / 2 - ink.left, top + 10);
        if calls {
            self.fill(chip, 3, BinaryColor::On);
            self.text(Face::Label, &text, at, BinaryColor::Off);
        } else {
            self.outline(chip, 3);
            self.text(Face::Label, &text, at, BinaryColor::On);
        }
    }
}

fn compose(hero: &Hero, room: Rectangle, ladder: &[Face], leading: Leading) -> Column {
    let width = room.size.width.cast_signed();
    let height = room.size.height.cast_signed();
    let details = |faces: &[Face]| -> Vec<Line> {
        hero.details.iter().flat_map(|detail| detail.lines(faces, width)).collect()
    };
    let titles_in = |faces: &[Face]| -> Vec<Vec<Line>> {
        faces
            .iter()
            .map(|&face| wrap(&hero.title, face, width))
            .filter(|title| !title.broke_a_word && title.lines.len() <= 3)
            .map(|title| paragraph(title, None))
            .filter(|title| stack(title, leading).1 <= height)
            .collect()
    };
    let mut titles = titles_in(ladder);
    if titles.is_empty() {
        // A name from outside, too long for a title.
        titles = titles_in(&[Face::Label]);
    }
    for faces in [&[Face::Label, Face::Text][..], &[Face::Text]] {
        let details = details(faces);
        for title in &titles {
            let all: Vec<Line> = title.iter().chain(&details).cloned().collect();
            if stack(&all, leading).1 <= height {
                return Column { title: title.clone(), pages: vec![details] };
            }
        }
    }
    // Too much for one page. The largest title that leaves room for the details
    // one by one, or for two lines of them.
    let lines = details(&[Face::Label, Face::Text]);
    let one_by_one = lines.iter().all(|line| line.starts);
    let wanted = if one_by_one { 1 } else { 2 };
    for title in &titles {
        let least: Vec<Line> = title.iter().chain(lines.iter().take(wanted)).cloned().collect();
        if stack(&least, leading).1 <= height {
            let pages = paginate(title, lines.clone(), height, leading);
            // A later line may stand higher than the first ones.
            if pages.iter().all(|page| stack(&[title, page.as_slice()].concat(), leading).1 <= height) {
                return Column { title: title.clone(), pages };
            }
            break;
        }
    }
    // One after the other.
    let title = titles.into_iter().next();
    let title = title.unwrap_or_else(|| paragraph(fit(&hero.title, ladder, width, height, 3), None));
    let mut pages = paginate(&[], title, height, leading);
    pages.extend(paginate(&[], lines, height, leading));
    Column { title: Vec::new(), pages }
}
