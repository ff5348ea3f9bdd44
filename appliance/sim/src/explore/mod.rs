//! The crash explorer: every flow, with the power cut at every point, and what is
//! left in the world afterwards.
//!
//! A *point* is any instant at which the power can go: before and after each step
//! of the engine, before and after each HID report, before each request to the
//! server and after it was acted upon but not answered. The explorer runs a flow
//! once to count its points, then once for each of them with the power cut there,
//! restarts with what the disk, the key and the server hold, lets recovery and the
//! next insertion run, and checks the [`invariants`](check). For two cuts it does
//! the same again inside what follows the first.
//!
//! Everything is real but the hardware: the engine, the conversations with the
//! key, the privacyIDEA client, the journal in SQLite; the key and the server are
//! the twins. Time is virtual, nothing sleeps, and a run is a function of its seed.

pub mod check;
pub mod client;
pub mod command;
pub mod defect;
pub mod driver;
pub mod exhaustive;
pub mod flows;
pub mod key;
mod list;
pub mod phone;
pub mod power;
pub mod random;
mod run;
mod story;
pub mod transport;
pub mod world;
mod yubikey;
