//! The card as a device of this machine.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::layout::{RECORD, RECORDS, SECTOR, SIGNATURE, Slot};
use crate::mbr::Mbr;
use crate::record::{Copies, Record};

/// The disk with our signature.
#[derive(Debug)]
pub struct Card {
    name: String,
    table: Mbr,
    sectors: u64,
}

impl Card {
    /// Looks at every disk there is; none while its partitions are not there yet.
    pub fn find() -> Option<Self> {
        let disks = fs::read_dir("/sys/block").ok()?;
        disks.filter_map(|disk| disk.ok()?.file_name().into_string().ok()).find_map(|name| {
            let mut sector = [0; SECTOR as usize];
            File::open(format!("/dev/{name}")).ok()?.read_exact_at(&mut sector, 0).ok()?;
            let table = Mbr::read(&sector).filter(|table| table.signature() == SIGNATURE)?;
            let sectors = fs::read_to_string(format!("/sys/block/{name}/size")).ok()?.trim().parse().ok()?;
            let card = Self { name, table, sectors };
            Slot::ALL.iter().all(|slot| Path::new(&card.partition(slot.partition())).exists()).then_some(card)
        })
    }

    /// `/dev/mmcblk0`.
    pub fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }

    /// `/dev/mmcblk0p2`, `/dev/vda2`.
    pub fn partition(&self, number: u8) -> String {
        partition(&self.path(), number)
    }

    /// Its partition table.
    pub fn table(&self) -> &Mbr {
        &self.table
    }

    /// Its size, in sectors of 512 bytes.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }
}

/// The kernel puts a "p" between a name that ends in a digit and the partition's number.
fn partition(disk: &str, number: u8) -> String {
    let between = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{between}{number}")
}

/// Reads both copies of the boot record of a disk, or of an image of one.
///
/// # Errors
/// When it cannot be read. A copy that is damaged is no error.
pub fn records(disk: &File) -> io::Result<Copies> {
    let [mut first, mut second] = [[0; RECORD]; 2];
    let [at_first, at_second] = RECORDS;
    disk.read_exact_at(&mut first, at_first)?;
    disk.read_exact_at(&mut second, at_second)?;
    Ok(Copies::read(&first, &second))
}

/// Changes the boot record: the copy that does not count is written, and is on the card when this
/// returns. Gives what was there and what is there now; nothing is written when they say the same.
///
/// # Errors
/// When the disk cannot be read or written.
pub fn change(disk: &File, to: impl FnOnce(&Record) -> Record) -> io::Result<(Record, Record)> {
    let copies = records(disk)?;
    // Where both copies are gone, U-Boot has started slot A for want of better.
    let was = copies.newest().cloned().unwrap_or_else(Record::new_card);
    let now = to(&was);
    let same = Record { generation: was.generation, ..now.clone() } == was;
    if same && copies.newest().is_some() {
        return Ok((was.clone(), was));
    }
    let [first, second] = RECORDS;
    let at = if copies.older() == 0 { first } else { second };
    disk.write_all_at(&now.bytes(), at)?;
    disk.sync_all()?;
    Ok((was, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_as_the_kernel_does() {
        assert_eq!(partition("/dev/mmcblk0", 2), "/dev/mmcblk0p2");
        assert_eq!(partition("/dev/vda", 3), "/dev/vda3");
    }

    fn disk(records: &[Record]) -> File {
        let disk = tempfile::tempfile().unwrap();
        disk.set_len(4 << 20).unwrap();
        for (record, at) in records.iter().zip(RECORDS) {
            disk.write_all_at(&record.bytes(), at).unwrap();
        }
        disk
    }

    #[test]
    fn a_change_writes_the_other_copy() {
        let first = Record::new_card();
        let disk = disk(&[first.clone(), first.clone()]);
        let (was, now) = change(&disk, |record| record.bad(Slot::B).good(Slot::B)).unwrap();
        assert_eq!((was, now.attempts(Slot::B)), (first.clone(), 3));
        let copies = records(&disk).unwrap();
        assert_eq!(copies.newest(), Some(&now));
        let mut kept = [0; RECORD];
        disk.read_exact_at(&mut kept, RECORDS[0]).unwrap();
        assert_eq!(Record::read(&kept), Some(first), "the first copy is untouched");
    }

    #[test]
    fn what_says_the_same_is_not_written() {
        let disk = disk(&[Record::new_card(), Record::new_card()]);
        let (was, now) = change(&disk, |record| record.good(Slot::A)).unwrap();
        assert_eq!(was, now);
        assert_eq!(records(&disk).unwrap().newest(), Some(&Record::new_card()));
    }

    #[test]
    fn a_card_without_a_readable_record_gets_one() {
        let disk = disk(&[]);
        let (_, now) = change(&disk, |record| record.good(Slot::A)).unwrap();
        assert_eq!(records(&disk).unwrap().newest(), Some(&now));
    }
}
