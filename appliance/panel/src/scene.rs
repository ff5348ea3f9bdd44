//! A view laid out: what is where, for how long, and how bright.

use std::time::Duration;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use crate::clock::Clock;
use crate::frame::Frame;
use crate::glass::Glass;
use crate::item::{Item, Page};
use crate::layout;
use crate::view::View;
use crate::words::Language;

/// A view laid out for one glass, in one language, at one moment.
///
/// ```
/// use std::time::Duration;
/// use panel::{Frame, Glass, Language, Scene, View};
///
/// let view = View::ShuttingDown { restart: false };
/// let scene = Scene::new(&view, Glass::Flat, Language::German, Duration::ZERO);
/// assert_eq!(scene.words(), ["Schaltet ab", "Nicht ausschalten"]);
/// let mut frame = Frame::new(Glass::Flat);
/// scene.draw(&mut frame).unwrap();
/// ```
#[derive(Debug)]
pub struct Scene {
    pub(crate) items: Vec<Item>,
    glass: Glass,
    page: Page,
    brightness: Brightness,
    pub(crate) shift: Point,
    next_change: Option<Duration>,
}

/// How bright the glass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Brightness {
    /// As configured.
    #[default]
    Full,
    /// Nothing has happened for a while.
    Dim,
}

/// How long a picture stays before it dims: long enough to come back from the
/// cupboard with the next box of keys.
const DIM_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long before an unchanged picture starts to wander, and how long it stays
/// at each place. Burn-in of these panels takes weeks, so this is generous.
const SHIFT_EVERY: Duration = Duration::from_secs(60);

/// Where an unchanged picture wanders, as far as the layout leaves room.
const SHIFTS: [Point; 8] = [
    Point::new(0, 0),
    Point::new(1, 0),
    Point::new(1, 1),
    Point::new(0, 1),
    Point::new(-1, 1),
    Point::new(-1, 0),
    Point::new(-1, -1),
    Point::new(0, -1),
];

impl Scene {
    /// Lays out `view` as it is `elapsed` after it was first shown.
    pub fn new(view: &View, glass: Glass, language: Language, elapsed: Duration) -> Self {
        let clock = Clock::new(elapsed);
        let mut room = layout::Room::new(glass, language, &clock);
        layout::lay_out(view, &mut room);
        let (items, page) = room.finish();
        let brightness =
            if rests(view) && clock.after(DIM_AFTER) { Brightness::Dim } else { Brightness::Full };
        let turn = clock.frame(SHIFT_EVERY, SHIFTS.len() as u64);
        let wanted = usize::try_from(turn).ok().and_then(|turn| SHIFTS.get(turn)).copied();
        let shift = within_glass(wanted.unwrap_or_default(), &items, glass);
        Self { items, glass, page, brightness, shift, next_change: clock.next() }
    }

    /// Draws the scene; the whole target is overwritten.
    ///
    /// # Errors
    /// Those of the target.
    pub fn draw<D: DrawTarget<Color = BinaryColor>>(&self, target: &mut D) -> Result<(), D::Error> {
        target.clear(BinaryColor::Off)?;
        let mut shifted = target.translated(self.shift);
        self.items.iter().try_for_each(|item| item.draw(&mut shifted))
    }

    /// The scene as a picture.
    pub fn frame(&self) -> Frame {
        let mut frame = Frame::new(self.glass);
        match self.draw(&mut frame) {
            Ok(()) => frame,
            Err(never) => match never {},
        }
    }

    /// The texts in it, from the top, left to right: the panel for people who cannot see it.
    pub fn words(&self) -> Vec<&str> {
        let mut texts: Vec<(Point, &str)> = self
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Text { text, at, .. } => Some((*at, text.as_str())),
                _ => None,
            })
            .collect();
        texts.sort_by_key(|(at, _)| (at.y, at.x));
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// Which page is shown.
    pub fn page(&self) -> Page {
        self.page
    }

    /// How bright the glass should be.
    pub fn brightness(&self) -> Brightness {
        self.brightness
    }

    /// When it looks different by itself, as a time since the view was first shown.
    pub fn next_change(&self) -> Option<Duration> {
        self.next_change
    }
}

/// Draws `view` as it is `elapsed` after it was first shown. The target's height
/// decides between the two layouts.
///
/// # Errors
/// Those of the target.
pub fn draw<D: DrawTarget<Color = BinaryColor>>(
    view: &View,
    language: Language,
    elapsed: Duration,
    target: &mut D,
) -> Result<(), D::Error> {
    let glass = Glass::of(target.bounding_box().size);
    Scene::new(view, glass, language, elapsed).draw(target)
}

/// Whether `view` may stay for hours, so that the glass should rest.
fn rests(view: &View) -> bool {
    !matches!(view, View::Work { .. } | View::Touch { .. } | View::Updating { .. })
}

/// As much of `shift` as keeps every item on the glass.
fn within_glass(shift: Point, items: &[Item], glass: Glass) -> Point {
    let glass = Rectangle::new(Point::zero(), glass.size());
    let Some(all) = items.iter().filter_map(Item::bounds).reduce(|a, b| enclose(&a, &b)) else {
        return shift;
    };
    let stays = |shift: Point| {
        let moved = all.translate(shift);
        moved.intersection(&glass) == moved
    };
    [shift, Point::new(shift.x, 0), Point::new(0, shift.y)]
        .into_iter()
        .find(|&s| stays(s))
        .unwrap_or_default()
}

fn enclose(a: &Rectangle, b: &Rectangle) -> Rectangle {
    let corner = |r: &Rectangle| r.top_left + r.size;
    let far = corner(a).component_max(corner(b)) - Point::new(1, 1);
    Rectangle::with_corners(a.top_left.component_min(b.top_left), far)
}
