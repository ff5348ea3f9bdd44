//! The YubiKey OTP application, spoken over eight-byte HID feature reports.
//!
//! From the wire upwards:
//!
//! | room | what is in it |
//! |---|---|
//! | [`crc`] | the CRC-16 under everything |
//! | [`frame`] | commands, cut into reports and put together again |
//! | [`report`], [`status`], [`response`] | what the key shows when it is read |
//! | [`command`] | the command bytes, and frames for each |
//! | [`flags`], [`config`], [`build`], [`slot_write`] | what a slot holds |
//! | [`device_info`], [`device_config`] | the rest of the payloads |
//! | [`firmware`], [`ids`] | which key can do what |
//! | [`conversations`] | how they are strung together |
//! | [`yubico_otp`], [`typed`] | what comes out of a key |
//!
//! What a key does with these bytes is not here: the twins and `tests/key_half` share nothing with this.

pub mod build;
pub mod command;
pub mod config;
pub mod conversations;
pub mod crc;
pub mod device_config;
pub mod device_info;
pub mod firmware;
pub mod flags;
pub mod frame;
pub mod ids;
pub mod report;
pub mod response;
pub mod slot_write;
pub mod status;
pub mod typed;
pub mod yubico_otp;

pub use conversations::start;
