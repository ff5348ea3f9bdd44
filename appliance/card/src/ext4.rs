//! The few fields of an ext4 superblock that say what a partition holds.
//!
//! Source: Linux, Documentation/filesystems/ext4/super.rst.

use crate::{le16, le32};

/// Where the superblock begins, and how many bytes of it are read.
pub const START: u64 = 1024;
/// Bytes of the superblock.
pub const LENGTH: usize = 1024;

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Blocks of the file system.
    pub blocks: u64,
    /// Bytes in a block.
    pub block: u64,
    /// `s_volume_name`, up to sixteen bytes.
    pub label: String,
}

impl Superblock {
    /// Reads one; `None` when the bytes are no superblock of ext4.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if le16(bytes, 0x38)? != 0xef53 {
            return None;
        }
        let shift = le32(bytes, 0x18)?;
        // s_log_block_size: 2 to the power of 10 + n; ext4 knows up to 64 KiB.
        if shift > 6 {
            return None;
        }
        let low = u64::from(le32(bytes, 0x04)?);
        // INCOMPAT_64BIT says whether the upper half of the count means anything.
        let wide = le32(bytes, 0x60)? & 0x80 != 0;
        let high = if wide { u64::from(le32(bytes, 0x150)?) } else { 0 };
        let name = bytes.get(0x78..0x88)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let label = String::from_utf8_lossy(name.get(..end)?).into_owned();
        Some(Self { blocks: high << 32 | low, block: 1024 << shift, label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = vec![0; LENGTH];
        bytes[0x04..0x08].copy_from_slice(&1000_u32.to_le_bytes());
        bytes[0x18] = 2;
        bytes[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
        bytes[0x78..0x7d].copy_from_slice(b"state");
        bytes
    }

    #[test]
    fn size_and_label_are_read() {
        let read = Superblock::read(&sample()).unwrap();
        assert_eq!(read, Superblock { blocks: 1000, block: 4096, label: "state".to_owned() });
    }

    #[test]
    fn the_upper_half_counts_only_where_the_feature_says_so() {
        let mut bytes = sample();
        bytes[0x150] = 1;
        assert_eq!(Superblock::read(&bytes).unwrap().blocks, 1000);
        bytes[0x60] = 0x80;
        assert_eq!(Superblock::read(&bytes).unwrap().blocks, (1 << 32) + 1000);
    }

    #[test]
    fn other_bytes_are_no_file_system() {
        assert_eq!(Superblock::read(&[0; LENGTH]), None);
        assert_eq!(Superblock::read(&sample()[..0x70]), None);
    }
}
