//! What is said: arguments and answers of the calls.
//!
//! Times are [`jiff::Timestamp`]s, RFC 3339 in messages. Durations are whole
//! milliseconds, in members that end in `_ms`. A member that may be missing is an
//! `Option`, and `null` means the same.

mod configuration;
mod event;
mod key;
mod log;
mod order;
mod phone;
mod receipt;
mod registration;
mod report;
mod run;
mod sealed;
mod server;
mod session;
mod station;
mod token;
mod welcome;

pub use configuration::*;
pub use event::*;
pub use key::*;
pub use log::*;
pub use order::*;
pub use phone::*;
pub use receipt::*;
pub use registration::*;
pub use report::*;
pub use run::*;
pub use sealed::*;
pub use server::*;
pub use session::*;
pub use station::*;
pub use token::*;
pub use welcome::*;
