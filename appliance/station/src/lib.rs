//! The enrollment engine: what happens to a key, in which order, and what is done
//! when it goes wrong.
//!
//! An enrollment ([`enroll`](enrollment::enroll)) is a flow of [`Step`](step::Step)s:
//! inspect the key, look at the server, write a journal record, register, write
//! the slot, wait for a code. Whoever drives it carries the step out and hands in
//! the result; the daemon does that with USB and HTTPS, tests with twins.
//!
//! A finished enrollment is taken back by [`release`](release::release), and asked
//! whether it still holds by [`verify`](verify::verify).
//!
//! The order is the product: *server first, key second, proof third, and a journal
//! record before each*. [`recovery`] says what each record means after a power cut.
//!
//! This crate does no I/O, reads no clock, starts no thread and speaks to no
//! server; randomness is an argument. It never puts a secret into a record, an
//! error or a receipt. It compiles for `wasm32-unknown-unknown`.

pub mod access;
pub mod catalogue;
pub mod check;
pub mod enrollment;
pub mod errand;
pub mod export;
pub mod flow;
pub mod hand_over;
pub mod import;
pub mod lag;
pub mod mode;
pub mod people;
pub mod phone;
pub mod profile;
pub mod receipt;
pub mod record;
pub mod recovery;
pub mod refusal;
pub mod registration;
pub mod release;
pub mod run;
pub mod server;
pub mod slots;
pub mod stamp;
pub mod step;
pub mod token;
pub mod verify;
pub mod welcome;

mod calls;
mod factory;
mod key_pin;
mod material;
mod outcome;
mod preflight;
mod proof;
mod register;
mod slot;
mod torn;
mod trial;
mod twostep;
mod undo;
