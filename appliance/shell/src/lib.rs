//! The SSH server of the station: who may come in, what they may say, and how it is answered.
//!
//! It never holds a seed, a server's credential or a key of a device, and it decides nothing:
//! every command becomes a call to the station's daemon, which knows each operator's
//! role and refuses what the role may not.

pub mod command;
pub mod editor;
#[cfg(feature = "door")]
mod perform;
#[cfg(feature = "door")]
pub mod program;
#[cfg(feature = "door")]
pub mod render;
#[cfg(feature = "door")]
mod session;
#[cfg(feature = "door")]
pub mod ssh;
#[cfg(feature = "door")]
mod watch;
pub mod words;
