//! Bars: steps, time left, percent, and work without measure.

use std::time::Duration;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::{Room, area};
use crate::view::Progress;

/// What a bar measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bar {
    /// One segment a step; the one under way blinks.
    Steps(Progress),
    /// `now` of `all`, without segments.
    Level { now: u64, all: u64 },
    /// Something moves, nobody knows how far.
    Busy,
}

const BLINK: Duration = Duration::from_millis(500);
const BUSY_STEP: Duration = Duration::from_millis(250);

/// More steps than this get no segments: they would be narrower than high.
const MOST_SEGMENTS: u8 = 12;

impl Room<'_> {
    pub(super) fn bar(&mut self, bar: Bar, at: Rectangle) {
        match bar {
            Bar::Steps(progress) if progress.of() <= MOST_SEGMENTS => self.segments(progress, at),
            Bar::Steps(progress) => self.level(progress.step().into(), progress.of().into(), at),
            Bar::Level { now, all } => self.level(now, all, at),
            Bar::Busy => self.busy(at),
        }
    }

    fn segments(&mut self, progress: Progress, at: Rectangle) {
        let count = i32::from(progress.of());
        let whole = at.size.width.cast_signed() + GAP;
        let bright = self.clock.frame(BLINK, 2) == 0;
        for step in 0..count {
            let left = at.top_left.x + whole * step / count;
            let right = at.top_left.x + whole * (step + 1) / count - GAP;
            let segment = area(left, at.top_left.y, right, bottom(at));
            match (step + 1).cmp(&i32::from(progress.step())) {
                std::cmp::Ordering::Less => self.fill(segment, 0, BinaryColor::On),
                std::cmp::Ordering::Equal if bright => self.fill(segment, 0, BinaryColor::On),
                _ => self.hollow(segment),
            }
        }
    }

    fn level(&mut self, now: u64, all: u64, at: Rectangle) {
        self.hollow(at);
        let all = all.max(1);
        let width = u64::from(at.size.width);
        let lit = u32::try_from(u128::from(width) * u128::from(now.min(all)) / u128::from(all));
        let size = Size::new(lit.unwrap_or(at.size.width), at.size.height);
        if size.width > 0 {
            self.fill(Rectangle::new(at.top_left, size), 0, BinaryColor::On);
        }
    }

    fn busy(&mut self, at: Rectangle) {
        self.hollow(at);
        let block = at.size.width.cast_signed() / 5;
        let way = at.size.width.cast_signed() - block;
        let steps = 8;
        let turn = i32::try_from(self.clock.frame(BUSY_STEP, 2 * steps)).unwrap_or(0);
        let steps = i32::try_from(steps).unwrap_or(1);
        let place = if turn < steps { turn } else { 2 * steps - turn };
        let left = at.top_left.x + way * place / steps;
        self.fill(area(left, at.top_left.y, left + block, bottom(at)), 0, BinaryColor::On);
    }

    /// What is still to come: an outline, or a line where the bar is too low for one.
    fn hollow(&mut self, at: Rectangle) {
        if at.size.height < 4 {
            let line = Rectangle::new(Point::new(at.top_left.x, bottom(at) - 1), Size::new(at.size.width, 1));
            self.fill(line, 0, BinaryColor::On);
        } else {
            self.outline(at, 0);
        }
    }
}

const GAP: i32 = 2;

fn bottom(at: Rectangle) -> i32 {
    at.top_left.y + at.size.height.cast_signed()
}
