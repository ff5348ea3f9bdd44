//! Keys on the USB of a Linux machine: which are plugged in and where, their HID
//! reports, and what they type.
//!
//! [`Watcher`] tells what comes and goes. A key that came has a [`HidWire`], which
//! conversations of `keys` use as their wire, and a [`Typing`], which hands on its
//! keystrokes. Both know by themselves when the key is pulled out.
//!
//! Everything waits for an event of the kernel: libusb's hotplug events say that a
//! device came or went, inotify says that its nodes in `/dev` may be opened. Nothing
//! here looks at anything periodically. What is told is always taken from sysfs as it
//! is at that moment, so that a lost event costs time and never truth.
//!
//! This crate never opens "the first YubiKey" but always the node below a device's own
//! sysfs path; never detaches a kernel driver; never reads characters, only usages;
//! never lets a key that hangs hold up another; and never writes to sysfs: which device
//! may be spoken to at all is decided by the kernel and udev's rules (`systemd/udev`).

mod descriptors;
mod error;
mod libusb;
mod nodes;
mod opener;
mod policy;
mod port;
mod session;
mod signals;
mod sys;
pub mod sysfs;
pub mod tracker;
mod typist;
mod wake;
mod watcher;
mod wire;

pub use descriptors::{Function, functions};
pub use error::StartError;
pub use policy::{Policy, Standing};
pub use port::{BadPort, PortPath, PortPattern};
pub use session::Keystroke;
pub use typist::Typing;
pub use watcher::{Arrived, Event, Places, Watcher};
pub use wire::HidWire;
