//! The panel's twin: pictures for people who are not at the desk.
//!
//! [`terminal`] prints a frame with half blocks, [`png()`] and [`film`] make
//! pictures of it, and [`Ssd1306`] turns the bytes that were really sent over the
//! bus back into what the glass would show. Nothing here opens anything.

mod braille;
mod picture;
mod ssd1306;
mod terminal;

pub use braille::braille;
pub use picture::{Film, film, png};
pub use ssd1306::{Ssd1306, Strange};
pub use terminal::terminal;
