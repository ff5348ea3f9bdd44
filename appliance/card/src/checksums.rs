//! Whether the checksums of an ext4 file system's superblock and group descriptors are right.
//!
//! `e2fsck -p` believes a group descriptor whose checksum is wrong, and may delete the journal for it (seen with 1.47.0: one bit
//! in the descriptor of group 0). The copies of both are right then nearly always, so who repairs has to know first.
//!
//! Source: Linux, Documentation/filesystems/ext4/checksums.rst, group_descr.rst and super.rst.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::ext4::{LENGTH, START, Superblock};
use crate::{le16, le32};

/// The most groups that are looked at: 8 TiB with blocks of 4 KiB. No flash card is so large.
const MOST_GROUPS: u64 = 1 << 16;

/// What checksums say of superblock and group descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All are right.
    Right,
    /// One is wrong, or there is no superblock.
    Wrong,
    /// The file system has none.
    None,
}

/// A copy of the superblock that is whole, in the words of `e2fsck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The block in which it stands (`-b`).
    pub at: u64,
    /// Bytes in a block (`-B`).
    pub block: u64,
}

/// Looks at the superblock in front, and the descriptors behind it.
///
/// # Errors
/// When they cannot be read.
pub fn in_front(device: &File) -> io::Result<Verdict> {
    let mut bytes = [0; LENGTH];
    device.read_exact_at(&mut bytes, START)?;
    let Some(superblock) = Superblock::read(&bytes) else { return Ok(Verdict::Wrong) };
    let Some(right) = superblock_is_right(&bytes) else { return Ok(Verdict::None) };
    if !right {
        return Ok(Verdict::Wrong);
    }
    let Some(table) = Table::of(&bytes, &superblock) else { return Ok(Verdict::Wrong) };
    let mut all = vec![0; table.length()];
    device.read_exact_at(&mut all, table.at)?;
    let mut groups = (0_u32..).zip(all.chunks_exact(table.size));
    Ok(if groups.all(|(group, bytes)| table.is_right(group, bytes)) {
        Verdict::Right
    } else {
        Verdict::Wrong
    })
}

/// The first copy of the superblock that is whole and belongs to a file system with that label, in a partition of so many bytes.
#[must_use]
pub fn copy(device: &File, label: &str, length: u64) -> Option<Copy> {
    // mke2fs takes blocks of 1 KiB below 512 MiB (mke2fs.conf, "small"), and of 4 KiB from there on.
    let blocks = if length < 512 << 20 { [1024, 4096, 2048] } else { [4096, 1024, 2048] };
    blocks.into_iter().find_map(|block: u64| {
        // As many blocks as bits of one block; with blocks of 1 KiB, the first holds no superblock. `sparse_super` leaves
        // copies in the groups 1, 3, 5, 7 and their powers.
        let group = block.saturating_mul(8);
        let first = u64::from(block == 1024);
        [1_u64, 3, 5, 7, 9].into_iter().find_map(|number| {
            let at = number.saturating_mul(group).saturating_add(first);
            let mut bytes = [0; LENGTH];
            device.read_exact_at(&mut bytes, at.saturating_mul(block)).ok()?;
            let read = Superblock::read(&bytes)?;
            // s_block_group_nr says whose copy it is.
            let fits = read.block == block
                && read.label == label
                && read.blocks.saturating_mul(block) <= length
                && u64::from(le16(&bytes, 0x5a)?) == number
                && superblock_is_right(&bytes)?;
            fits.then_some(Copy { at, block })
        })
    })
}

/// Bytes of the table of group descriptors that a superblock says there is; for the fuzz targets.
#[must_use]
pub fn table_length(bytes: &[u8]) -> Option<usize> {
    Table::of(bytes, &Superblock::read(bytes)?).map(|table| table.length())
}

/// None when it has no checksum.
fn superblock_is_right(bytes: &[u8]) -> Option<bool> {
    // s_feature_ro_compat, METADATA_CSUM.
    if le32(bytes, 0x64)? & 0x400 == 0 {
        return None;
    }
    Some(crc32c(!0, bytes.get(..0x3fc)?) == le32(bytes, 0x3fc)?)
}

/// The table of group descriptors.
struct Table {
    at: u64,
    size: usize,
    groups: usize,
    seed: u32,
}

impl Table {
    fn of(bytes: &[u8], superblock: &Superblock) -> Option<Self> {
        let incompatible = le32(bytes, 0x60)?;
        // META_BG spreads them over the disk; mke2fs does not use it below 16 TiB.
        if incompatible & 0x10 != 0 {
            return None;
        }
        let size = if incompatible & 0x80 != 0 { usize::from(le16(bytes, 0xfe)?) } else { 32 };
        let first = u64::from(le32(bytes, 0x14)?);
        let per_group = u64::from(le32(bytes, 0x20)?);
        let groups = superblock
            .blocks
            .checked_sub(first)?
            .checked_add(per_group.checked_sub(1)?)?
            .checked_div(per_group)?;
        if !(32..=1024).contains(&size) || groups > MOST_GROUPS {
            return None;
        }
        let seed =
            if incompatible & 0x2000 != 0 { le32(bytes, 0x270)? } else { crc32c(!0, bytes.get(0x68..0x78)?) };
        let at = first.checked_add(1)?.checked_mul(superblock.block)?;
        Some(Self { at, size, groups: usize::try_from(groups).ok()?, seed })
    }

    fn length(&self) -> usize {
        self.groups.saturating_mul(self.size)
    }

    /// bg_checksum stands at 0x1e, and counts as zeros.
    fn is_right(&self, group: u32, bytes: &[u8]) -> bool {
        let sum = crc32c(self.seed, &group.to_le_bytes());
        let sum = crc32c(sum, bytes.get(..0x1e).unwrap_or_default());
        let sum = crc32c(crc32c(sum, &[0; 2]), bytes.get(0x20..).unwrap_or_default());
        le16(bytes, 0x1e).is_some_and(|there| u32::from(there) == sum & 0xffff)
    }
}

/// CRC-32C (RFC 3720, appendix B.4) without the inversion at the end, as ext4 has it.
fn crc32c(begin: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(begin, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0x82f6_3b78 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }
}
