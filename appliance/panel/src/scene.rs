//! A view laid out: what is where, for how long, and how bright.

use std::time::Duration;

use embedded_graphics::{
    pixelcolor::BinaryColor,
    prelude::*,
    primitives::{CornerRadii, PrimitiveStyle, Rectangle, RoundedRectangle, StyledDrawable},
};

use crate::clock::Clock;
use crate::face::Face;
use crate::frame::Frame;
use crate::glass::Glass;
use crate::icon::{self, Icon, Key};
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

/// Which of its pages a scene shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 0.
    pub index: usize,
    /// At least 1.
    pub count: usize,
    /// When the next one comes, as a time since the view was first shown: what
    /// a press of the button goes forward to.
    pub until: Option<Duration>,
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

/// One thing in a scene.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Text {
        face: Face,
        text: String,
        at: Point,
        ink: BinaryColor,
    },
    Icon {
        icon: Icon,
        size: icon::Size,
        at: Point,
        ink: BinaryColor,
    },
    Key {
        key: Key,
        at: Point,
    },
    /// A filled box.
    Fill {
        area: Rectangle,
        radius: u32,
        ink: BinaryColor,
    },
    /// An outlined box, one pixel wide.
    Outline {
        area: Rectangle,
        radius: u32,
    },
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

impl Item {
    /// The pixels it may touch; `None` for nothing and for bars from edge to
    /// edge, which may lose a row when the picture wanders.
    pub(crate) fn bounds(&self) -> Option<Rectangle> {
        match self {
            Self::Text { face, text, at, .. } => {
                let ink = face.ink(text);
                let size = Size::new(
                    (ink.right - ink.left).max(0).unsigned_abs(),
                    (ink.above + ink.below).max(0).unsigned_abs(),
                );
                (size.width > 0 && size.height > 0)
                    .then(|| Rectangle::new(*at + Point::new(ink.left, -ink.above), size))
            }
            Self::Icon { size, at, .. } => {
                let edge = size.pixels().unsigned_abs();
                Some(Rectangle::new(*at, Size::new(edge, edge)))
            }
            Self::Key { key, at } => Some(Rectangle::new(*at, key.size())),
            Self::Fill { area, .. } if area.size.width >= u32::from(Glass::WIDTH) => None,
            Self::Fill { area, .. } | Self::Outline { area, .. } => Some(*area),
        }
    }

    pub(crate) fn draw<D: DrawTarget<Color = BinaryColor>>(&self, target: &mut D) -> Result<(), D::Error> {
        match self {
            Self::Text { face, text, at, ink } => face.draw(text, *at, *ink, target),
            Self::Icon { icon, size, at, ink } => icon.draw(*size, *at, *ink, target),
            Self::Key { key, at } => key.draw(*at, target),
            Self::Fill { area, radius: 0, ink } => target.fill_solid(area, *ink),
            Self::Fill { area, radius, ink } => {
                rounded(area, *radius).draw_styled(&PrimitiveStyle::with_fill(*ink), target)
            }
            Self::Outline { area, radius } => {
                let style = PrimitiveStyle::with_stroke(BinaryColor::On, 1);
                rounded(area, *radius).draw_styled(&style, target)
            }
        }
    }
}

fn rounded(area: &Rectangle, radius: u32) -> RoundedRectangle {
    RoundedRectangle::new(*area, CornerRadii::new(Size::new(radius, radius)))
}
