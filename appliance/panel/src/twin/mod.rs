//! The panel's twin: pictures for people who are not at the desk.
//!
//! [`terminal`] prints a frame with half blocks, [`png`] and [`film`] make
//! bus back into what the glass would show. Nothing here opens anything.

mod braille;
mod picture;
mod terminal;

pub use braille::braille;
pub use picture::{Film, film, png};
pub use terminal::terminal;
