//! The partition table in the card's first sector.
//!
//! Source: UEFI specification 2.10, section 5.2.1, "Legacy Master Boot Record".

use crate::{le16, le32};

/// Where the table's four entries of sixteen bytes begin.
const TABLE: usize = 446;
const ENTRY: usize = 16;

/// Sectors to which the state partition's end is rounded: a MiB.
const ALIGN: u64 = 2048;

/// A partition table, kept as the sector it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mbr {
    sector: [u8; 512],
}

/// Where a partition lies, in sectors of 512 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first sector.
    pub start: u64,
    /// How many there are.
    pub length: u64,
}

impl Mbr {
    /// Takes a sector that ends as a partition table does.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let sector = *bytes.first_chunk::<512>()?;
        (le16(&sector, 510)? == 0xaa55).then_some(Self { sector })
    }

    /// The disk signature.
    pub fn signature(&self) -> u32 {
        le32(&self.sector, 440).unwrap_or_default()
    }

    /// The sector, to be written.
    pub fn bytes(&self) -> &[u8; 512] {
        &self.sector
    }

    /// A partition, counted from 1; none when its entry is empty.
    pub fn partition(&self, number: u8) -> Option<Extent> {
        let at = Self::entry(number)?;
        let start = u64::from(le32(&self.sector, at + 8)?);
        let length = u64::from(le32(&self.sector, at + 12)?);
        (length > 0).then_some(Extent { start, length })
    }

    /// The table with this partition reaching to the end of a disk of that many sectors, when it
    /// does not yet. Only the length of one entry changes: nothing is moved.
    #[must_use]
    pub fn grown(&self, number: u8, disk: u64) -> Option<Self> {
        let now = self.partition(number)?;
        // An entry counts in 32 bits: 2 TiB, beyond any card.
        let end = (disk / ALIGN * ALIGN).min(u64::from(u32::MAX));
        let length = u32::try_from(end.checked_sub(now.start)?).ok()?;
        if u64::from(length) <= now.length {
            return None;
        }
        let mut sector = self.sector;
        let at = Self::entry(number)? + 12;
        sector.get_mut(at..at + 4)?.copy_from_slice(&length.to_le_bytes());
        Some(Self { sector })
    }

    fn entry(number: u8) -> Option<usize> {
        (1..=4).contains(&number).then(|| TABLE + ENTRY * (usize::from(number) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Mbr {
        let mut sector = [0; 512];
        sector[440..444].copy_from_slice(&crate::layout::SIGNATURE.to_le_bytes());
        let at = TABLE + 3 * ENTRY;
        sector[at + 8..at + 12].copy_from_slice(&1_000_000_u32.to_le_bytes());
        sector[at + 12..at + 16].copy_from_slice(&2048_u32.to_le_bytes());
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        Mbr::read(&sector).unwrap()
    }

    #[test]
    fn the_last_partition_grows_to_the_last_whole_mib() {
        let grown = sample().grown(4, 31_116_289).unwrap();
        let extent = grown.partition(4).unwrap();
        assert_eq!(extent.start, 1_000_000);
        assert_eq!(extent.start + extent.length, 31_115_264);
        assert_eq!(grown.signature(), crate::layout::SIGNATURE);
        assert_eq!(grown.grown(4, 31_116_289), None, "it has its size");
    }

    #[test]
    fn it_neither_shrinks_nor_grows_what_is_not_there() {
        assert_eq!(sample().grown(4, 1_000_100), None);
        assert_eq!(sample().grown(4, 10), None);
        assert_eq!(sample().grown(3, 31_116_289), None);
        assert_eq!(sample().grown(0, 31_116_289), None);
        assert_eq!(sample().grown(5, 31_116_289), None);
    }

    #[test]
    fn other_sectors_are_no_table() {
        assert_eq!(Mbr::read(&[0; 512]), None);
        assert_eq!(Mbr::read(&[0x55; 100]), None);
    }
}
