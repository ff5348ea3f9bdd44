//! The daemon: its configuration, what operators may call, what the display shows, and its start.
//!
//! [`service`] answers the operators' calls, [`display`] draws what the scheduler ([`dispatch`]) tells,
//! [`config`] reads `enrollment.toml`, and [`daemon`] starts all of them with real hardware. The
//! simulation starts the same with twins.
//!
//! It decides nothing that the engine ([`station`]) or the scheduler decides, and contains no twin.

pub mod board;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod display;
pub mod harden;
pub mod logging;
pub mod notify;
pub mod registration;
pub mod service;
pub mod sys;
pub mod time;
