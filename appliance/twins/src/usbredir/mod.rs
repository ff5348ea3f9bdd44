//! Key twins as USB devices, for an emulated machine: enumerated by its kernel exactly
//! as a stick is.
//!
//! The protocol is usbredir (spice, `usbredirproto.h` 0.7), of which this is the side
//! that has the device; QEMU's `usb-redir` is the other. [`proto`] are its messages,
//! [`KeyDevice`] is what a key answers to transfers, with the descriptors of the real one,
//! and [`Exporter`] serves one device on a Unix socket:
//!
//! ```text
//! key-twin yubikey --usbredir /run/key.sock --control /run/key.ctl
//! qemu-system-aarch64 … -chardev socket,id=k,path=/run/key.sock -device usb-redir,chardev=k
//! ```
//!
//! [`control`] has the lines by which the person at the desk is played: plug it in, pull it
//! out, touch it, let it hang.

mod ccid;
pub mod control;
mod descriptors;
mod device;
mod export;
mod key_device;
pub mod proto;
mod serve;

pub use control::Command;
pub use device::{Device, EndpointInfo, Identity, InterfaceInfo, Outcome, Setup};
pub use export::{ExportError, Exporter};
pub use key_device::{KeyDevice, Product};
pub use serve::{Sockets, serve};
