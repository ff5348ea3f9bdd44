//! The few kernel calls that neither the standard library nor rustix has: three requests of the device
//! mapper, and the re-reading of a partition table.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{self, NoArg, Opcode, Updater, opcode};

/// `struct dm_ioctl` (linux/dm-ioctl.h) is 312 bytes; what follows it in the buffer is the table.
const HEADER: usize = 312;
/// `struct dm_target_spec`.
const TARGET: usize = 40;
/// Bytes given to each request, table included.
const BUFFER: usize = 2048;

type Request = [u8; BUFFER];

const fn dm(number: u8) -> Opcode {
    opcode::read_write::<[u8; HEADER]>(0xfd, number)
}
const CREATE: Opcode = dm(3);
const SUSPEND: Opcode = dm(6);
const LOAD: Opcode = dm(9);
/// `BLKRRPART`, linux/fs.h.
const REREAD: Opcode = opcode::none(0x12, 95);

/// `WDIOC_SETTIMEOUT`, linux/watchdog.h.
const SET_TIMEOUT: Opcode = opcode::read_write::<core::ffi::c_int>(b'W', 6);

const READ_ONLY: u32 = 1;

/// Makes the read-only device `name` with one target that covers all of it, and starts it.
///
/// # Errors
/// What the kernel says, with the step in front.
pub fn map(control: &impl AsFd, name: &str, sectors: u64, kind: &str, table: &str) -> io::Result<()> {
    let mut create = request(name, 0, None)?;
    let mut load = request(name, READ_ONLY, Some((sectors, kind, table)))?;
    let mut resume = request(name, 0, None)?;
    let said = |what: &'static str| {
        move |error: rustix::io::Errno| {
            io::Error::new(io::Error::from(error).kind(), format!("{what}: {error}"))
        }
    };
    // SAFETY: each buffer is longer than its `data_size` says, that is larger than the header, and the
    // kernel writes no more than `data_size` bytes back (dm-ioctl.h).
    unsafe {
        ioctl::ioctl(control, Updater::<CREATE, Request>::new(&mut create))
            .map_err(said("the device mapper makes no device"))?;
        ioctl::ioctl(control, Updater::<LOAD, Request>::new(&mut load))
            .map_err(said("the kernel does not take the slot's table"))?;
        ioctl::ioctl(control, Updater::<SUSPEND, Request>::new(&mut resume))
            .map_err(said("the device mapper does not start the device"))
    }
}

/// Has the kernel read a disk's partition table again. Fails while one of its partitions is in use.
///
/// # Errors
/// What the kernel says.
pub fn reread(disk: &impl AsFd) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument.
    Ok(unsafe { ioctl::ioctl(disk, NoArg::<REREAD>::new()) }?)
}

/// Has a watchdog restart the machine when nobody has patted it for so many seconds. It runs once it is open.
///
/// # Errors
/// What the kernel says: a watchdog may not count so far.
pub fn set_watchdog(watchdog: &impl AsFd, seconds: u16) -> io::Result<()> {
    let mut seconds = core::ffi::c_int::from(seconds);
    // SAFETY: the request reads and writes one int.
    Ok(unsafe { ioctl::ioctl(watchdog, Updater::<SET_TIMEOUT, core::ffi::c_int>::new(&mut seconds)) }?)
}

/// A request of the device mapper, in version 4.0 of its interface.
fn request(name: &str, flags: u32, target: Option<(u64, &str, &str)>) -> io::Result<Request> {
    let mut bytes: Vec<u8> = Vec::with_capacity(BUFFER);
    for word in [4, 0, 0, BUFFER as u32, HEADER as u32, u32::from(target.is_some()), 0, flags, 0, 0, 0, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(name.as_bytes());
    bytes.resize(HEADER, 0);
    if let Some((sectors, kind, table)) = target {
        bytes.extend(0_u64.to_ne_bytes());
        bytes.extend(sectors.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(kind.as_bytes());
        bytes.resize(HEADER + TARGET, 0);
        bytes.extend(table.as_bytes());
        // The text ends with a NUL.
        bytes.push(0);
    }
    if bytes.len() > BUFFER {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the table is too long"));
    }
    bytes.resize(BUFFER, 0);
    bytes.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the table is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_header_files() {
        // From a C program that prints DM_DEV_CREATE, DM_TABLE_LOAD, DM_DEV_SUSPEND, BLKRRPART, WDIOC_SETTIMEOUT.
        assert_eq!(CREATE, 0xc138_fd03);
        assert_eq!(LOAD, 0xc138_fd09);
        assert_eq!(SUSPEND, 0xc138_fd06);
        assert_eq!(REREAD, 0x125f);
        assert_eq!(SET_TIMEOUT, 0xc004_5706);
    }

    #[test]
    fn a_request_has_the_shape_of_the_structures() {
        let bytes = request("root", READ_ONLY, Some((8000, "verity", "1 /dev/vda2"))).unwrap();
        assert_eq!(bytes[0], 4);
        assert_eq!(bytes[12..16], (BUFFER as u32).to_ne_bytes());
        assert_eq!(bytes[16..20], 312_u32.to_ne_bytes());
        assert_eq!(bytes[20], 1, "one target");
        assert_eq!(bytes[28], 1, "read-only");
        assert_eq!(&bytes[48..53], b"root\0");
        assert_eq!(bytes[320..328], 8000_u64.to_ne_bytes());
        assert_eq!(&bytes[336..343], b"verity\0");
        assert_eq!(&bytes[352..364], b"1 /dev/vda2\0");
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        assert!(request("root", 0, Some((1, "verity", &"x".repeat(BUFFER)))).is_err());
    }
}
