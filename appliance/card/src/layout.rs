//! Where things are on the card. `image/steps` writes it so, `image/boot.cmd` reads it.

use std::fmt;

/// The MBR's disk signature of every card of ours: "enrl" in ASCII. The kernel and U-Boot write
/// it as eight hexadecimal digits.
pub const SIGNATURE: u32 = 0x656e_726c;

/// Bytes in a sector, as MBR and kernel count.
pub const SECTOR: u64 = 512;

/// Where the two copies of the boot record begin, in bytes. A MiB apart, so that a card which
/// spoils more than one sector at a power cut does not spoil both.
pub const RECORDS: [u64; 2] = [1 << 20, 2 << 20];

/// Bytes of one copy of the boot record.
pub const RECORD: usize = 4096;

/// The partition with the firmware and the operator's files.
pub const BOOT_PARTITION: u8 = 1;

/// The partition that remembers.
pub const STATE_PARTITION: u8 = 4;

/// The label of the state partition's file system once it is whole.
pub const STATE_LABEL: &str = "state";

/// One of the two places for a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Partition 2.
    A,
    /// Partition 3.
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Its partition's number.
    pub const fn partition(self) -> u8 {
        match self {
            Self::A => 2,
            Self::B => 3,
        }
    }

    /// The one that it is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The slot of that letter.
    pub fn named(letter: &str) -> Option<Self> {
        match letter {
            "A" => Some(Self::A),
            "B" => Some(Self::B),
            _ => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards in the field are laid out so, and U-Boot's script on them reads there.
    #[test]
    fn things_are_where_they_always_were() {
        assert_eq!(SIGNATURE.to_be_bytes(), *b"enrl");
        assert_eq!((RECORDS, RECORD), ([0x10_0000, 0x20_0000], 0x1000));
        assert_eq!((BOOT_PARTITION, STATE_PARTITION, STATE_LABEL), (1, 4, "state"));
        let slots = Slot::ALL.map(|slot| (slot.to_string(), slot.partition()));
        assert_eq!(slots, [("A".to_owned(), 2), ("B".to_owned(), 3)]);
        let script = include_str!("../../../image/boot/boot.cmd");
        for line in [
            "read ${rec_a} 0x800 ${sectors}",
            "read ${rec_b} 0x1000 ${sectors}",
            "env import -c ${rec_a} 0x1000",
        ] {
            assert!(script.contains(line), "{line}");
        }
    }
}
