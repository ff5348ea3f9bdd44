//! The station's SD card: how it is laid out, and what reads and writes that layout.
//!
//! | from | what |
//! |---|---|
//! | sector 0 | MBR; its disk signature names the card |
//! | 1 MiB and 2 MiB | two copies of the [boot record](record): which slot is started, how many attempts it has left |
//! | partition 1 | FAT: firmware, U-Boot, and what the operator wrote |
//! | partitions 2, 3 | slots A and B: a read-only root with its kernel, [verified](verity) block by block |
//! | partition 4 | what the station remembers; made, and grown to the card's size, at the first start |
//!
//! Two programs use it. `card-init` is the first process there is: it finds the card, loads the few
//! modules that needs, has the kernel verify the slot, and hands over. `card` stands in the slot: before
//! the services it makes the state partition and takes over what the operator wrote on the FAT partition;
//! beside them it says that a slot is good, counts what the kernel says of a card that fails, and lights the board's LED.
//!
//! It never computes a checksum that guards against people (the kernel verifies the slot), never
//! looks at a key, and never talks to a network.

pub mod begin;
pub mod checksums;
pub mod clock;
pub mod cmdline;
pub mod device;
pub mod early;
pub mod errors;
pub mod examine;
pub mod ext4;
pub mod from_card;
pub mod install;
pub mod job;
pub mod layout;
pub mod log;
pub mod mbr;
pub mod name;
pub mod network;
pub mod record;
pub mod remember;
pub mod secrets;
pub mod settings;
pub mod slots;
pub mod state;
pub mod sys;
pub mod there;
pub mod trial;
pub mod update_facts;
pub mod verity;
pub mod watch;

/// A little-endian number of two, four or eight bytes at an offset; none beyond the end.
fn le<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    le(bytes, at).map(u16::from_le_bytes)
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    le(bytes, at).map(u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    le(bytes, at).map(u64::from_le_bytes)
}
