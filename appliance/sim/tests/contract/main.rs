//! The contract of the main job: how an enrollment must end, whatever the server's
//! policies, the network's faults, the login, the certificate, the person and the key.
//!
//! One suite, run against the server twin and against real servers:
//!
//! ```text
//! cargo test -p sim --test contract                     the server twin, in four versions
//! scripts/contract [VERSION]...                         real servers, one after the other
//! cargo test -p sim --test contract -- WORD             cases whose name contains WORD
//! cargo test -p sim --test contract -- --list           the names
//! ```
//!
//! What is run is the daemon's own code (engine, driver, client, journal) over real HTTPS with
//! a private authority, with a YubiKey twin plugged in. Each case says what it expects; whether
//! that came is judged by the ending, by the requests that were sent, by the server's state as
//! a second administrator sees it, by the key's memory, by the journal, and, where a token counts,
//! by the next code of the key, which must be accepted once and never again.

// This is a test with a runner of its own; JSON bodies are made by index.
#![allow(clippy::indexing_slicing)]

mod cases;
mod judge;
mod key;
mod observer;
mod plan;
mod play;
mod real;
mod request;
mod room;
mod runner;
mod site;
mod story;
mod wire;

use std::process::ExitCode;

/// Why a case could not be carried out, which is not what it is about.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    runner::main()
}
