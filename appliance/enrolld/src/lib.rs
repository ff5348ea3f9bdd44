//! The wiring of the station: keys, engine, journal and server, made one.
//!
//! This library carries out what the engine ([`station`]) asks for: its steps with
//! a key go to that key's own thread ([`bench`](mod@bench)), those with the server to
//! privacyIDEA ([`server`]), its records to the journal's thread ([`store`]); what
//! happens meanwhile is told as [`event`]s. The programs and the simulation differ
//! only in what they plug in.
//!
//! It decides nothing that the engine decides, keeps no secret longer than a step
//! needs it, and contains no twin.

/// What is wired, for programs that wire it anew.
pub use {control, journal, keys, panel, privacyidea, station, usb};

pub mod bench;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod display;
pub mod drive;
pub mod event;
pub mod export;
pub mod floor;
pub mod hand_over;
pub mod harden;
pub mod logging;
pub mod notify;
pub mod people;
pub mod phone;
pub mod receipts;
pub mod registration;
pub mod rim;
pub mod seal;
pub mod server;
pub mod service;
pub mod store;
pub mod sys;
pub mod time;
