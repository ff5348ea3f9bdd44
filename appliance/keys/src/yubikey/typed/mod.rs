//! What keys type: strokes on a keyboard, put together into codes.
//!
//! The station reads the reports of the key's own keyboard interface. It reads
//! usages, never characters, because another layout would make other characters
//! of them: digits do not survive a French one.
//!
//! [`Collector`] makes a [`TypedCode`] of reports; [`usage`] has the tables; [`is_torn`] knows one that did not arrive whole.
//!
//! Each reading of an HOTP code uses up a counter of the key.

mod code;
mod collector;
mod torn;
pub mod usage;

pub use code::{End, Flaw, TypedCode, TypedError};
pub use collector::Collector;
pub use torn::is_torn;
