//! Which key gets what: ports, orders and runs, and the driver of the engine's steps.
//!
//! The [`scheduler`] hears of keys ([`hotplug`]), of operators' orders and of runs, and starts an
//! enrollment where one is due. The [`driver`] carries out what the engine ([`station`]) asks for: its
//! steps with a key go to that key's own thread ([`key_thread`]), those with the server to
//! privacyIDEA ([`server`]), its records to the journal's thread ([`store`]); what happens
//! meanwhile is told as [`event`]s. The daemon and the simulation differ only in what they plug in.
//!
//! It decides nothing that the engine decides, keeps no secret longer than a step
//! needs it, knows nothing of configuration, operators or display, and contains no twin.

pub mod clock;
pub mod driver;
pub mod event;
pub mod export;
pub mod hand_over;
pub mod hotplug;
pub mod key_thread;
pub mod people;
pub mod phone;
mod random;
pub mod receipts;
pub mod scheduler;
pub mod server;
pub mod store;
