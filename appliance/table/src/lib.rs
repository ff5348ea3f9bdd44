//! Tables as spreadsheets write them, read from bytes, and written so that no spreadsheet runs them.
//!
//! A spreadsheet saves "CSV" in the encoding of its language, with the separator of its country, with empty rows and
//! columns behind the last one, and sometimes with `sep=;` in front. [`decode`] finds the encoding where it can be
//! known, and shows what the choices are where it cannot. [`records`] reads the fields with their places.
//!
//! It is pure: no files, no clock.

mod encoding;
mod fields;

pub use encoding::{Encoding, Undecided, decode};
pub use fields::{Field, NoTable, SEPARATORS, damage, declared, is_formula, records, write};
