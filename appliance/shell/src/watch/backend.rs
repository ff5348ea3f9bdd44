//! A terminal at the far end of a channel, for ratatui: what is drawn becomes bytes.

use std::convert::Infallible;
use std::fmt::Write as _;

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

/// The other screen, without a cursor.
pub(super) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";

/// The screen as it was.
pub(super) const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

pub(super) struct Remote {
    out: String,
    size: Size,
}

impl Remote {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let mut remote = Self { out: String::new(), size: Size::ZERO };
        remote.resize(columns, rows);
        remote
    }

    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        let side = |number: usize| u16::try_from(number.clamp(1, 500)).unwrap_or(1);
        self.size = Size::new(side(columns), side(rows));
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out).into_bytes()
    }
}

impl Backend for Remote {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut place = None;
        let mut style = None;
        for (x, y, cell) in content {
            if place != Some((x, y)) {
                let _ = write!(self.out, "\x1b[{};{}H", y + 1, x + 1);
            }
            let wanted = (cell.fg, cell.bg, cell.modifier);
            if style != Some(wanted) {
                self.out.push_str("\x1b[0");
                for (modifier, code) in [
                    (Modifier::BOLD, 1),
                    (Modifier::DIM, 2),
                    (Modifier::UNDERLINED, 4),
                    (Modifier::REVERSED, 7),
                ] {
                    if cell.modifier.contains(modifier) {
                        let _ = write!(self.out, ";{code}");
                    }
                }
                color(&mut self.out, cell.fg, 30);
                color(&mut self.out, cell.bg, 40);
                self.out.push('m');
                style = Some(wanted);
            }
            self.out.push_str(cell.symbol());
            // Behind a wide character the next place is drawn by itself.
            place = Some((x + 1, y)).filter(|_| cell.symbol().is_ascii());
        }
        if style.is_some() {
            self.out.push_str("\x1b[0m");
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        let Position { x, y } = position.into();
        let _ = write!(self.out, "\x1b[{};{}H", y + 1, x + 1);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, kind: ClearType) -> Result<(), Infallible> {
        self.out.push_str(match kind {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The eight colours that every terminal has; others are not used.
fn color(out: &mut String, color: Color, base: u8) {
    let number = match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::White | Color::Gray => 7,
        _ => return,
    };
    let _ = write!(out, ";{}", base + number);
}
