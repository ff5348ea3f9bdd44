//! Which parts of a picture have to be sent.

use crate::frame::Frame;
use crate::glass::Glass;

/// A part of the display's memory: whole pages of eight rows, from column to column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First and last column, both inside.
    pub columns: (u8, u8),
    /// First and last page, both inside.
    pub pages: (u8, u8),
}

/// Bytes on the bus to address a window and begin its data: 21 and 22 with two
/// arguments each, and twice an address and a control byte.
const OVERHEAD: usize = 10;

impl Window {
    pub const fn whole(glass: Glass) -> Self {
        Self { columns: (0, Glass::WIDTH - 1), pages: (0, glass.pages() - 1) }
    }

    /// How many bytes of picture it holds.
    pub fn bytes(&self) -> usize {
        let span = |(first, last): (u8, u8)| usize::from(last.saturating_sub(first)) + 1;
        span(self.columns) * span(self.pages)
    }

    fn around(&self, other: &Self) -> Self {
        let hull = |a: (u8, u8), b: (u8, u8)| (a.0.min(b.0), a.1.max(b.1));
        Self { columns: hull(self.columns, other.columns), pages: hull(self.pages, other.pages) }
    }

    /// Bytes saved by sending one window around both instead of two; negative
    /// if that costs more.
    fn saved_by_joining(&self, other: &Self) -> Option<usize> {
        let apart = self.bytes() + other.bytes() + OVERHEAD;
        apart.checked_sub(self.around(other).bytes())
    }
}

/// The windows in which `new` differs from `old`, in the order of sending. Few
/// and large where addressing would cost more than the bytes between.
pub fn changes(old: &Frame, new: &Frame) -> Vec<Window> {
    if old.glass() != new.glass() {
        return vec![Window::whole(new.glass())];
    }
    let mut windows: Vec<Window> = Vec::new();
    for page in 0..new.glass().pages() {
        for columns in runs(old.page(page), new.page(page)) {
            windows.push(Window { columns, pages: (page, page) });
        }
    }
    // Join the pair that saves most until no pair saves anything.
    while let Some((a, b)) = best_pair(&windows) {
        let (Some(first), Some(second)) = (windows.get(a), windows.get(b)) else { break };
        let joined = first.around(second);
        windows.swap_remove(b);
        if let Some(place) = windows.get_mut(a) {
            *place = joined;
        }
    }
    windows.sort_by_key(|window| (window.pages, window.columns));
    windows
}

fn best_pair(windows: &[Window]) -> Option<(usize, usize)> {
    let mut best = None;
    for (a, first) in windows.iter().enumerate() {
        for (b, second) in windows.iter().enumerate().skip(a + 1) {
            let saved = first.saved_by_joining(second);
            if saved > best.map(|(saved, _, _)| saved) {
                best = saved.map(|saved| (saved, a, b));
            }
        }
    }
    best.map(|(_, a, b)| (a, b))
}

/// Columns that differ, those with fewer equal columns between them than a
/// window costs taken together.
fn runs(old: &[u8], new: &[u8]) -> Vec<(u8, u8)> {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for (column, (old, new)) in (0_u8..).zip(old.iter().zip(new)) {
        if old == new {
            continue;
        }
        match runs.last_mut() {
            Some((_, last)) if usize::from(column - *last) <= OVERHEAD => *last = column,
            _ => runs.push((column, column)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(pixels: &[(i32, i32)]) -> Frame {
        let mut frame = Frame::new(Glass::Tall);
        for (x, y) in pixels {
            frame.set(*x, *y, true);
        }
        frame
    }

    fn window(columns: (u8, u8), pages: (u8, u8)) -> Window {
        Window { columns, pages }
    }

    #[test]
    fn only_what_differs_is_sent() {
        let dark = with(&[]);
        assert_eq!(changes(&dark, &dark), []);
        assert_eq!(changes(&dark, &with(&[(5, 9)])), [window((5, 5), (1, 1))]);
        assert_eq!(changes(&dark, &with(&[(5, 9), (12, 10)])), [window((5, 12), (1, 1))]);
        assert_eq!(
            changes(&dark, &with(&[(5, 9), (60, 10)])),
            [window((5, 5), (1, 1)), window((60, 60), (1, 1))]
        );
        assert_eq!(changes(&dark, &with(&[(5, 9), (6, 20)])), [window((5, 6), (1, 2))]);
        assert_eq!(changes(&dark, &Frame::new(Glass::Flat)), [Window::whole(Glass::Flat)]);
    }

    proptest! {
        #[test]
        fn the_windows_cover_every_change_and_cost_no_more_than_all(
            old in prop::collection::vec((0..128, 0..64), 0..40),
            new in prop::collection::vec((0..128, 0..64), 0..40),
        ) {
            let (old, new) = (with(&old), with(&new));
            let windows = changes(&old, &new);
            let mut patched = old.clone();
            for window in &windows {
                for y in i32::from(window.pages.0) * 8..i32::from(window.pages.1) * 8 + 8 {
                    for x in i32::from(window.columns.0)..=i32::from(window.columns.1) {
                        patched.set(x, y, new.lit(x, y));
                    }
                }
            }
            prop_assert_eq!(patched, new);
            let cost: usize = windows.iter().map(|window| window.bytes() + OVERHEAD).sum();
            prop_assert!(cost <= 1024 + OVERHEAD);
        }
    }
}
