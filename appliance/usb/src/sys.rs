//! The one call of the kernel that has no safe wrapper.

#![allow(unsafe_code)]

use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::{IntegerSetter, Opcode, ioctl, opcode};

/// `_IOW('E', 0x90, int)` (linux/input.h).
const EVIOCGRAB: Opcode = opcode::write::<core::ffi::c_int>(b'E', 0x90);

/// Takes an input device for ourselves, until it is closed: what it types reaches no
/// console and no other program.
pub(crate) fn grab(device: impl AsFd) -> io::Result<()> {
    // SAFETY: EVIOCGRAB takes its argument by value, as an integer, and touches no
    // memory of ours (drivers/input/evdev.c, evdev_do_ioctl).
    unsafe { ioctl(device, IntegerSetter::<EVIOCGRAB>::new_usize(1)) }
}
