//! How bytes get onto the disk: the one place where tests let it fail.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, fstatvfs};
use rustix::io::Errno;

/// How much has to be left for the journal beside the receipts, in bytes: its write-ahead
/// log begins to be taken back into the file at 1000 pages of 4 KiB (SQLite, wal_autocheckpoint),
/// but one enrollment writes fewer than 100 of them.
const FOR_JOURNAL: u64 = 512 * 1024;

/// What is done to files.
pub trait Disk: Send {
    /// Takes room behind the first `length` bytes of a file, without changing how long it looks.
    fn reserve(&mut self, file: &File, length: u64, room: u64) -> io::Result<()>;

    /// Writes behind what was written last, and comes back when it is on the disk. What
    /// it could not write whole it takes back, as far as it can.
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
}

/// A real disk.
#[derive(Debug, Clone, Copy)]
pub struct Card;

impl Disk for Card {
    fn reserve(&mut self, file: &File, length: u64, room: u64) -> io::Result<()> {
        let system = fstatvfs(file)?;
        if system.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let mut wanted = FOR_JOURNAL;
        match fallocate(file, FallocateFlags::KEEP_SIZE, length, room) {
            Ok(()) => {}
            // FAT and some others cannot; then it is counted.
            Err(Errno::OPNOTSUPP) => wanted += room,
            Err(error) => return Err(error.into()),
        }
        if system.f_bavail.saturating_mul(system.f_frsize) < wanted {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let before = file.stream_position()?;
        let result = file.write_all(bytes).and_then(|()| file.sync_data());
        if result.is_err() {
            // The first error is the one to tell; what is left is cut off at the next opening.
            let _ = file.set_len(before).and_then(|()| file.seek(SeekFrom::Start(before)));
        }
        result
    }
}
