//! A frame for a terminal.

use crate::frame::Frame;

/// The frame in half blocks: two rows of pixels a line, 128 characters a line,
/// lines ended by `\n`. It needs a font with U+2580 and neither colour nor cursor movement.
pub fn terminal(frame: &Frame) -> String {
    let height = i32::from(frame.glass().height());
    let mut text = String::with_capacity(frame.bytes().len() * 13);
    for y in (0..height).step_by(2) {
        for x in 0..128 {
            text.push(match (frame.lit(x, y), frame.lit(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            });
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
    fn two_rows_a_line() {
        let mut frame = Frame::new(Glass::Flat);
        frame.set(0, 0, true);
        frame.set(1, 1, true);
        frame.set(2, 0, true);
        frame.set(2, 1, true);
        let text = terminal(&frame);
        let first: String = text.chars().take(4).collect();
        assert_eq!(first, "▀▄█ ");
        assert_eq!(text.lines().count(), 16);
        assert!(text.lines().all(|line| line.chars().count() == 128));
    }
}
