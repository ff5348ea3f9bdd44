//! The enrollment engine: what happens to a key, in which order, and what is done
//! when it goes wrong.
//!
//! An enrollment ([`enroll`](engine::enrollment::enroll)) is a flow of [`Step`](engine::step::Step)s:
//! inspect the key, look at the server, write a journal record, register, write
//! the slot, wait for a code. Whoever drives it carries the step out and hands in
//! the result; the daemon does that with USB and HTTPS, tests with twins.
//!
//! A finished enrollment is taken back by [`release`](engine::release::release), and asked
//! whether it still holds by [`verify`](engine::verify::verify).
//!
//! The order is the product: *server first, key second, proof third, and a journal
//! record before each*. [`recovery`](engine::recovery) says what each record means after a power cut.
//!
//! This crate does no I/O, reads no clock, starts no thread and speaks to no
//! server; randomness is an argument. It never puts a secret into a record, an
//! error or a receipt. It compiles for `wasm32-unknown-unknown`.

pub mod access;
pub mod catalogue;
pub mod engine;
pub mod names;
pub mod papers;
pub mod profile;
pub mod refusal;
pub mod token;
pub mod welcome;
