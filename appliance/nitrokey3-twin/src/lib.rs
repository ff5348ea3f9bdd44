//! A Nitrokey 3 in software: not our idea of one, but Nitrokey's own application
//! code, run on this computer.
//!
//! The Secrets application, the FIDO2 authenticator, the system under them (Trussed,
//! littlefs) and the driver that cuts messages into CTAPHID packets are the crates
//! that are in the firmware. Ours is the USB bus, which is two queues, the button,
//! and time, which passes only when it is told to. Of the admin application there is
//! the version alone.
//!
//! Not there: CCID, and with it OpenPGP and PIV; NFC; the bootloader.
//!
//! This crate is for tests and for the simulated station. Nothing that goes into
//! the appliance depends on it.

mod bus;
mod dispatch;
mod faults;
mod firmware;
mod presence;
mod twin;
mod usb;
mod version;

pub use faults::Faults;
pub use twin::{Model, Nitrokey3Twin};
