//! The station's own conversations with Nitrokey's application code, under virtual time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod codes;
mod desk;
mod guards;
mod pins;
mod room;
mod trouble;
