//! Pictograms: Open Iconic for the general ones, our own drawing of a key.
//!
//! A security key is what the panel talks about, so it is drawn, not symbolised:
//! plug down, contact in the middle, hole on top.

use embedded_graphics::{
    pixelcolor::BinaryColor,
    prelude::*,
    primitives::{Circle, CornerRadii, PrimitiveStyle, Rectangle, RoundedRectangle, StyledDrawable},
};
use u8g2_fonts::types::{FontColor, VerticalPosition};
use u8g2_fonts::{Error, FontRenderer, fonts};

/// A pictogram of Open Iconic, in the sizes 8, 16 and 32 pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    ArrowRight,
    Ban,
    Chart,
    Check,
    CircleCheck,
    Clock,
    Cloud,
    CloudDown,
    Cross,
    Eject,
    Finger,
    Fingerprint,
    Globe,
    Lock,
    Magnifier,
    Pencil,
    Power,
    Reload,
    Shield,
    Task,
    Timer,
    Warning,
}

/// The edge of an icon in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Small = 8,
    Medium = 16,
    Big = 32,
}

impl Size {
    pub(crate) const fn pixels(self) -> i32 {
        self as i32
    }
}

impl Icon {
    /// Its place in u8g2's `open_iconic_all`, which starts at U+0040.
    const fn glyph(self) -> char {
        match self {
            Self::ArrowRight => '\u{51}',
            Self::Ban => '\u{57}',
            Self::Chart => '\u{58}',
            Self::Check => '\u{73}',
            Self::CircleCheck => '\u{78}',
            Self::Clock => '\u{7b}',
            Self::Cloud => '\u{7c}',
            Self::CloudDown => '\u{7d}',
            Self::Cross => '\u{11b}',
            Self::Eject => '\u{99}',
            Self::Finger => '\u{107}',
            Self::Fingerprint => '\u{c1}',
            Self::Globe => '\u{af}',
            Self::Lock => '\u{ca}',
            Self::Magnifier => '\u{cf}',
            Self::Pencil => '\u{e3}',
            Self::Power => '\u{eb}',
            Self::Reload => '\u{f3}',
            Self::Shield => '\u{fc}',
            Self::Task => '\u{108}',
            Self::Timer => '\u{10d}',
            Self::Warning => '\u{118}',
        }
    }

    /// Draws it with its upper left corner at `at`.
    pub(crate) fn draw<D: DrawTarget<Color = BinaryColor>>(
        self,
        size: Size,
        at: Point,
        color: BinaryColor,
        target: &mut D,
    ) -> Result<(), D::Error> {
        static SMALL: FontRenderer = FontRenderer::new::<fonts::u8g2_font_open_iconic_all_1x_t>();
        static MEDIUM: FontRenderer = FontRenderer::new::<fonts::u8g2_font_open_iconic_all_2x_t>();
        static BIG: FontRenderer = FontRenderer::new::<fonts::u8g2_font_open_iconic_all_4x_t>();
        let font = match size {
            Size::Small => &SMALL,
            Size::Medium => &MEDIUM,
            Size::Big => &BIG,
        };
        // The glyphs stand on the base line.
        let at = at + Point::new(0, size.pixels());
        let color = FontColor::Transparent(color);
        match font.render(self.glyph(), at, VerticalPosition::Baseline, color, target) {
            Err(Error::DisplayError(error)) => Err(error),
            // Every glyph is there (tested below) and the ground is transparent.
            _ => Ok(()),
        }
    }
}

/// What our key does in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pose {
    /// Coming down to the port: 0 (away) to 3 (in).
    Inserting(u8),
    /// Leaving the port: 0 (in) to 3 (away).
    Removing(u8),
    /// In the port, its contact calling: 0 to 2 rings.
    Calling(u8),
}

/// Our drawing of a key, 32 by 46 pixels, or 22 by 30 for the flat glass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pose: Pose,
    pub(crate) flat: bool,
}

struct Shape {
    size: Size2,
    body: Size2,
    plug: Size2,
    contact: u32,
    hole: u32,
    travel: i32,
}

type Size2 = embedded_graphics::geometry::Size;

impl Key {
    pub(crate) fn size(self) -> Size2 {
        self.shape().size
    }

    fn shape(self) -> Shape {
        if self.flat {
            Shape {
                size: Size2::new(22, 30),
                body: Size2::new(14, 17),
                plug: Size2::new(8, 6),
                contact: 6,
                hole: 2,
                travel: 4,
            }
        } else {
            Shape {
                size: Size2::new(32, 46),
                body: Size2::new(20, 27),
                plug: Size2::new(12, 9),
                contact: 8,
                hole: 4,
                travel: 6,
            }
        }
    }

    /// Draws it with the upper left corner of its room at `at`.
    pub(crate) fn draw<D: DrawTarget<Color = BinaryColor>>(
        self,
        at: Point,
        target: &mut D,
    ) -> Result<(), D::Error> {
        let shape = self.shape();
        let lit = PrimitiveStyle::with_fill(BinaryColor::On);
        let dark = PrimitiveStyle::with_fill(BinaryColor::Off);
        let room = Rectangle::new(at, shape.size);
        let floor = room.top_left.y + shape.size.height.cast_signed();
        let middle = room.top_left.x + shape.size.width.cast_signed() / 2;
        let lift = match self.pose {
            Pose::Inserting(step) => shape.travel * (3 - i32::from(step.min(3))) / 3,
            Pose::Removing(step) => shape.travel * i32::from(step.min(3)) / 3,
            Pose::Calling(_) => 0,
        };
        // The port: a bar with the socket's opening in it.
        let port = Size2::new(shape.size.width, 4);
        Rectangle::new(Point::new(room.top_left.x, floor - 4), port).draw_styled(&lit, target)?;
        let opening = Size2::new(shape.plug.width + 2, 3);
        let opening_at = Point::new(middle - opening.width.cast_signed() / 2, floor - 4);
        Rectangle::new(opening_at, opening).draw_styled(&dark, target)?;

        let plug_at = Point::new(
            middle - shape.plug.width.cast_signed() / 2,
            floor - 1 - shape.plug.height.cast_signed() - lift,
        );
        let body_at = Point::new(
            middle - shape.body.width.cast_signed() / 2,
            plug_at.y - shape.body.height.cast_signed(),
        );
        let line = PrimitiveStyle::with_stroke(BinaryColor::On, if self.flat { 1 } else { 2 });
        // One row deeper than seen, so that the plug joins the body.
        let plug = Rectangle::new(plug_at - Point::new(0, 1), shape.plug + Size2::new(0, 1));
        plug.draw_styled(&line_inside(line), target)?;
        let radius = if self.flat { 3 } else { 5 };
        let corners = CornerRadii::new(Size2::new(radius, radius));
        let body = Rectangle::new(body_at, shape.body);
        RoundedRectangle::new(body, corners).draw_styled(&lit, target)?;
        let hole_at = Point::new(middle - shape.hole.cast_signed() / 2, body_at.y + 3);
        Circle::new(hole_at, shape.hole).draw_styled(&dark, target)?;
        let contact_middle = Point::new(middle, body_at.y + shape.body.height.cast_signed() * 3 / 5);
        let half = shape.contact.cast_signed() / 2;
        let contact = contact_middle - Point::new(half, half);
        Circle::new(contact, shape.contact).draw_styled(&dark, target)?;
        match self.pose {
            Pose::Calling(rings) => self.call(rings, contact_middle, body, target),
            Pose::Inserting(_) => self.arrows(Point::new(middle, floor - 5), true, target),
            Pose::Removing(_) => self.arrows(Point::new(middle, floor - 5), false, target),
        }
    }

    /// An arrow on each side of the plug; `foot` is the lowest row between them.
    fn arrows<D: DrawTarget<Color = BinaryColor>>(
        self,
        foot: Point,
        down: bool,
        target: &mut D,
    ) -> Result<(), D::Error> {
        let (away, rows): (i32, i32) = if self.flat { (8, 3) } else { (12, 4) };
        for row in 0..rows {
            let half = if down { row } else { rows - 1 - row };
            for middle in [foot.x - away, foot.x + away - 1] {
                let line = Size2::new((2 * half + 1).unsigned_abs(), 1);
                let at = Point::new(middle - half, foot.y - 1 - row);
                target.fill_solid(&Rectangle::new(at, line), BinaryColor::On)?;
            }
        }
        Ok(())
    }

    /// Rings that leave the contact: dark on the body, lit beside it.
    fn call<D: DrawTarget<Color = BinaryColor>>(
        self,
        rings: u8,
        middle: Point,
        body: Rectangle,
        target: &mut D,
    ) -> Result<(), D::Error> {
        let lit = PrimitiveStyle::with_fill(BinaryColor::On);
        if rings > 0 {
            let dot = Point::new(middle.x - 2, middle.y - 2);
            Circle::new(dot, 4).draw_styled(&lit, target)?;
        }
        // Two strokes a side at most; the outer one is the longer.
        let (wide, gap) = if self.flat { (1, 1) } else { (2, 1) };
        for ring in 0..i32::from(rings.min(2)) {
            let away = gap + ring * (wide + gap);
            let high = (4 + 4 * ring) * if self.flat { 1 } else { 2 };
            let size = Size2::new(wide.unsigned_abs(), high.unsigned_abs());
            let top = middle.y - high / 2;
            let right = body.top_left.x + body.size.width.cast_signed() + away;
            let left = body.top_left.x - away - wide;
            Rectangle::new(Point::new(right, top), size).draw_styled(&lit, target)?;
            Rectangle::new(Point::new(left, top), size).draw_styled(&lit, target)?;
        }
        Ok(())
    }
}

fn line_inside(mut style: PrimitiveStyle<BinaryColor>) -> PrimitiveStyle<BinaryColor> {
    style.stroke_alignment = embedded_graphics::primitives::StrokeAlignment::Inside;
    style
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::glass::Glass;

    #[test]
    fn every_icon_is_drawn_in_every_size() {
        use Icon::*;
        let all = [
            ArrowRight,
            Ban,
            Chart,
            Check,
            CircleCheck,
            Clock,
            Cloud,
            CloudDown,
            Cross,
            Eject,
            Finger,
            Fingerprint,
            Globe,
            Lock,
            Magnifier,
            Pencil,
            Power,
            Reload,
            Shield,
            Task,
            Timer,
            Warning,
        ];
        for icon in all {
            for size in [Size::Small, Size::Medium, Size::Big] {
                let mut frame = Frame::new(Glass::Tall);
                icon.draw(size, Point::new(8, 8), BinaryColor::On, &mut frame).unwrap();
                let (from, to) = (8, 8 + size.pixels());
                let lit = |x: i32, y: i32| frame.lit(x, y);
                assert!((0..64).any(|y| (0..128).any(|x| lit(x, y))), "{icon:?}");
                for (x, y) in (0..64).flat_map(|y| (0..128).map(move |x| (x, y))) {
                    let inside = (from..to).contains(&x) && (from..to).contains(&y);
                    assert!(inside || !lit(x, y), "{icon:?} {size:?} leaves its square");
                }
            }
        }
    }

    #[test]
    fn a_key_stays_in_its_room() {
        let poses = (0..4).flat_map(|n| [Pose::Inserting(n), Pose::Removing(n), Pose::Calling(n)]);
        for (pose, flat) in poses.flat_map(|pose| [(pose, false), (pose, true)]) {
            let key = Key { pose, flat };
            let mut frame = Frame::new(Glass::Tall);
            key.draw(Point::new(40, 9), &mut frame).unwrap();
            let room = Rectangle::new(Point::new(40, 9), key.size());
            for (x, y) in (0..64).flat_map(|y| (0..128).map(move |x| (x, y))) {
                assert!(room.contains(Point::new(x, y)) || !frame.lit(x, y), "{key:?} at {x},{y}");
            }
        }
    }
}
