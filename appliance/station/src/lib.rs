//! The enrollment engine: what happens to a key, in which order, and what is done
//! when it goes wrong.
//!
//! An enrollment ([`enroll`](enrollment::enroll)) is a flow of [`Step`](step::Step)s:
//! inspect the key, look at the server, write a journal record, register, write
//! the slot, wait for a code. Whoever drives it carries the step out and hands in
//! the result; the daemon does that with USB and HTTPS, tests with twins.
//!
//! The order is the product: *server first, key second, proof third, and a journal
//! record before each*. [`recovery`] says what each record means after a power cut.
//!
//! This crate does no I/O, reads no clock, starts no thread and speaks to no
//! server; randomness is an argument. It never puts a secret into a record, an
//! error or a receipt. It compiles for `wasm32-unknown-unknown`.

/// The words for keys, which are this crate's words too.
pub use keys;

pub mod catalogue;
pub mod enrollment;
pub mod flow;
pub mod mode;
pub mod profile;
pub mod record;
pub mod recovery;
pub mod refusal;
pub mod run;
pub mod server;
pub mod step;
pub mod token;

mod calls;
mod outcome;
mod preflight;
mod proof;
mod undo;
