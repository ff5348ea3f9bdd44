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

/// Where bitmaps of blocks and inodes begin whose checksums are wrong, in bytes.
///
/// `e2fsck` does not see each of them: it takes blocks that belong to groups without content for used whatever the bitmap says, and
/// then finds no difference and looks at no checksum (seen with 1.47.0: bits of the inode tables of groups 1 to 4). Linux does, when it
/// looks for a free block, and closes the file system for it.
///
/// # Errors
/// When they cannot be read.
pub fn wrong_bitmaps(device: &File) -> io::Result<Vec<u64>> {
    let mut bytes = [0; LENGTH];
    device.read_exact_at(&mut bytes, START)?;
    let found = Superblock::read(&bytes).filter(|_| superblock_is_right(&bytes) == Some(true));
    let Some((superblock, table)) =
        found.and_then(|superblock| Table::of(&bytes, &superblock).map(|table| (superblock, table)))
    else {
        return Ok(Vec::new());
    };
    let mut all = vec![0; table.length()];
    device.read_exact_at(&mut all, table.at)?;
    let mut wrong = Vec::new();
    let mut bitmap = Vec::new();
    for group in all.chunks_exact(table.size) {
        for kind in [Bitmap::BLOCKS, Bitmap::INODES] {
            let Some((block, sum)) = kind.of(group) else { continue };
            // s_clusters_per_group and s_inodes_per_group, a bit each.
            let length = le32(&bytes, kind.per_group).map_or(0, |bits| bits / 8);
            let length = usize::try_from(u64::from(length).min(superblock.block)).unwrap_or_default();
            let at = block.saturating_mul(superblock.block);
            bitmap.resize(length, 0);
            device.read_exact_at(&mut bitmap, at)?;
            let mask = if sum.wide { u32::MAX } else { 0xffff };
            if crc32c(table.seed, &bitmap) & mask != sum.value {
                wrong.push(at);
            }
        }
    }
    Ok(wrong)
}

/// Where a group descriptor has what of a bitmap (Linux, Documentation/filesystems/ext4/group_descr.rst).
struct Bitmap {
    /// Of the superblock's field that says for how many the bitmap is.
    per_group: usize,
    low: usize,
    high: usize,
    sum_low: usize,
    sum_high: usize,
    /// Of bg_flags: the bitmap was never written.
    unwritten: u16,
}

struct Sum {
    value: u32,
    wide: bool,
}

impl Bitmap {
    const BLOCKS: Self =
        Self { per_group: 0x24, low: 0x00, high: 0x20, sum_low: 0x18, sum_high: 0x38, unwritten: 2 };
    const INODES: Self =
        Self { per_group: 0x28, low: 0x04, high: 0x24, sum_low: 0x1a, sum_high: 0x3a, unwritten: 1 };

    /// Its block, and its checksum; nothing for one that was never written.
    fn of(&self, group: &[u8]) -> Option<(u64, Sum)> {
        if le16(group, 0x12)? & self.unwritten != 0 {
            return None;
        }
        // Descriptors of 32 bytes have lower halves alone.
        let block = u64::from(le32(group, self.low)?) | u64::from(le32(group, self.high).unwrap_or(0)) << 32;
        let (low, high) = (le16(group, self.sum_low)?, le16(group, self.sum_high));
        let value = u32::from(low) | u32::from(high.unwrap_or(0)) << 16;
        Some((block, Sum { value, wide: high.is_some() }))
    }
}

/// The first copy of the superblock that is whole and belongs to a file system with that label, in a partition of so many bytes.
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
