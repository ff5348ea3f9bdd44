//! A frame as text, small enough to keep beside a test.

use crate::frame::Frame;

/// The frame in Braille patterns, eight pixels a character: 64 characters a line
/// and 16 or 8 lines, ended by `\n`. Exact, and a quarter of the width of half blocks.
pub fn braille(frame: &Frame) -> String {
    // Unicode's dots 1 to 8 and where they are in a cell of two by four.
    const DOTS: [(i32, i32); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let height = i32::from(frame.glass().height());
    let mut text = String::new();
    for y in (0..height).step_by(4) {
        for x in (0..128).step_by(2) {
            let dots = (0_u32..).zip(DOTS).filter(|&(_, (dx, dy))| frame.lit(x + dx, y + dy));
            let cell = dots.fold(0, |cell, (dot, _)| cell | 1 << dot);
            text.push(char::from_u32(0x2800 + cell).unwrap_or(' '));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glass::Glass;

    #[test]
    fn every_pixel_has_a_dot() {
        let mut frame = Frame::new(Glass::Tall);
        assert!(braille(&frame).chars().all(|c| c == '\u{2800}' || c == '\n'));
        for (x, y) in [(0, 0), (1, 3), (2, 1)] {
            frame.set(x, y, true);
        }
        let start: String = braille(&frame).chars().take(3).collect();
        assert_eq!(start, "\u{2881}\u{2802}\u{2800}");
        assert_eq!(braille(&frame).lines().count(), 16);
    }
}
