//! What a layout comes to: things at their places, and pages.

use std::time::Duration;

use embedded_graphics::{
    pixelcolor::BinaryColor,
    prelude::*,
    primitives::{CornerRadii, PrimitiveStyle, Rectangle, RoundedRectangle, StyledDrawable},
};

use crate::face::Face;
use crate::glass::Glass;
use crate::icon::{self, Icon, Key};

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
