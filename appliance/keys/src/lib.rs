//! What YubiKeys and Nitrokeys understand, as codecs and conversations.
//!
//! This crate turns an [`Operation`](device::Operation) ("inspect", "program
//! slot 1") into a [`Conversation`](conversation::Conversation): a value that
//! says *send these bytes*, *read*, *wait until*, *done*. Whoever drives it does
//! the I/O: the station through hidraw, a test through a twin.
//!
//! It never opens a device, reads a clock, starts a thread, allocates by a
//! number that a device sent, or formats a secret. It compiles for
//! `wasm32-unknown-unknown`, which proves the first three.

mod bytes;
pub mod conversation;
pub mod device;
pub mod identify;
pub mod modhex;
pub mod nitrokey3;
pub mod nitrokey_pro;
pub mod otp;
mod script;
pub mod secret;
pub mod wire;
pub mod yubikey;
