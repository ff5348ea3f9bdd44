//! What people get on paper: letters with registration codes or PINs, hand-out sheets, labels and reports.
//!
//! Everything is drawn with one embedded font, DejaVu Sans, of which a file holds the letters that it needs. So every
//! European alphabet can be printed: Latin with all its marks, Greek, Cyrillic, Armenian and Georgian. Whatever needs
//! shaping (Arabic, Hebrew, the scripts of India …) is not done, and [`check`] says so before anything is made.
//!
//! It is pure: no files, no clock. Letters hold secrets; they come in buffers that wipe themselves, and whoever calls
//! this prints or encrypts them.

mod document;
mod drawable;
mod font;
mod labels;
mod letter;
mod sheet;
mod template;
mod words;

pub use drawable::{Obstacle, Undrawable, check};
pub use labels::{Label, labels, zpl};
pub use letter::{Letter, NotPrinted, letters};
pub use sheet::{Sheet, sheet};
pub use template::{Template, WrongTemplate};
pub use words::Language;

/// The licence text of the font that is embedded, as its makers ask to have it passed on.
pub const FONT_LICENCE: &str = include_str!("../FONT-LICENCE.txt");
