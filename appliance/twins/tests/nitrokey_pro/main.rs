//! The twin of the Nitrokey Pro family: from the host's side byte for byte, and in
//! conversations with the station's own code, under virtual time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod code;
mod desk;
mod faults;
mod firmware;
mod pins;
mod slots;
mod vectors;
