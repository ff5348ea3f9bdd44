//! The receipt log: an append-only file of signed, chained lines.
//!
//! What a line is, [`station::papers::receipt`] says; here is how lines get onto the disk and
//! stay there. A log is a directory:
//!
//! ```text
//! station.key              the Ed25519 key that signs, 0600: 64 hex digits
//! station.pub              its public half, to be given to whoever checks
//! receipts-000001.jsonl    the lines; each file begins with a checkpoint
//! lock                     held by the one program that writes
//! ```
//!
//! A receipt is on the disk when [`Log::append`] returns. Room for the next ones is taken
//! beforehand ([`Log::reserve`]), so that a full disk is noticed before a key is touched
//! and not after. A last line that a power cut tore is cut off at the next opening; whole lines
//! are never changed. The log is bounded: a full file is closed, a new one takes up the chain, and the
//! oldest file is deleted when there are too many.
//!
//! The audit is kept in the same way, under its own name ([`Book`]) and by the same key.
//!
//! A log alone cannot show that its end was cut off, or that all of it was replaced. So the journal keeps
//! what it was told of the log ([`Known`]), and both are compared when the log is opened and when
//! it is checked. What does not fit stays for everybody to see: counting goes on behind it in a new file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use station::papers::receipt::{Begins, Body, Book, Bytes32, LONGEST_LINE, Line, Receipt};
use station::papers::stamp::Stamp;

use crate::Journal;

mod csv;
mod disk;
mod end;
mod key;
mod known;
mod read;

use end::{End, Opening, line};

pub use csv::{HEADER, row};
pub use disk::{Card, Disk};
pub use key::StationKey;
pub use known::Known;
pub use read::{Broken, Checked, Entries, Entry, Kept, Rows, check, compare, entries, keys, rows};

/// How much room one receipt may take, in bytes: several times what one does.
pub const ROOM: u64 = 4096;

/// How large a log may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// When a file is full, in bytes.
    pub file: u64,
    /// How many files are kept; at least two.
    pub files: usize,
}

impl Default for Limits {
    /// 16 MiB: some 20 000 receipts.
    fn default() -> Self {
        Self { file: 1 << 20, files: 16 }
    }
}

/// Why a receipt cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// No room.
    #[error("the disk is full")]
    Full,
    /// The file system is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// Another program writes this log.
    #[error("another program writes the receipts in {0}")]
    InUse(PathBuf),
    /// The file with the station's key cannot be used.
    #[error("{path} is not a key of a station: {why}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The journal, which knows where the log ends, cannot be used.
    #[error("the log cannot be compared with the journal: {0}")]
    Journal(#[from] crate::JournalError),
    /// Anything else.
    #[error("receipts cannot be used: {0}")]
    Io(io::Error),
}

impl From<io::Error> for ReceiptError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io(error),
        }
    }
}

/// A line that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub number: u64,
    pub hash: Bytes32,
}

/// The log, open for writing.
pub struct Log {
    book: Book,
    directory: PathBuf,
    station: String,
    limits: Limits,
    key: StationKey,
    disk: Box<dyn Disk>,
    end: End,
    _lock: File,
}

impl Log {
    /// Opens the log in `directory`, or makes it, for the station of that name.
    pub fn open(directory: &Path, station: &str, limits: Limits, at: Stamp) -> Result<Self, ReceiptError> {
        Self::open_on(Box::new(Card), directory, station, limits, at)
    }

    /// As [`Self::open`], on a disk that may be made to fail.
    pub fn open_on(
        disk: Box<dyn Disk>,
        directory: &Path,
        station: &str,
        limits: Limits,
        at: Stamp,
    ) -> Result<Self, ReceiptError> {
        let key = StationKey::load_or_make(directory)?;
        Self::open_knowing(disk, Book::Receipts, directory, key, station, limits, at, &Known::default())
    }

    /// Opens the log of a book in `directory`, or makes it, and compares it with what the journal knows; what
    /// it is now, the journal knows then. The key is in the directory `keys`, and made if it is not.
    pub fn open_beside(
        journal: &mut Journal,
        book: Book,
        [directory, keys]: [&Path; 2],
        station: &str,
        limits: Limits,
        at: Stamp,
    ) -> Result<Self, ReceiptError> {
        let key = StationKey::load_or_make(keys)?;
        make(directory)?;
        let mut known = journal.known(book)?;
        let mut fresh = Vec::new();
        if known.keys.is_empty() {
            // The journal is new, or from a version that did not ask: the log is taken as it is.
            fresh = read::keys(book, directory)?;
        }
        if !known.keys.iter().chain(&fresh).any(|(known, _)| *known == key.public()) {
            fresh.push((key.public(), known.head.map_or(0, |head| head.number) + 1));
        }
        for (key, since) in fresh {
            // Before the key signs anything: the power may go in between.
            journal.note_key(book, key, since)?;
            known.keys.push((key, since));
        }
        let card = Box::new(Card);
        let log = Self::open_knowing(card, book, directory, key, station, limits, at, &known)?;
        journal.note_head(book, log.head(), log.oldest())?;
        Ok(log)
    }

    /// Opens the log of a book in `directory`, or makes it; what is known of it has to fit. Where it does not, what
    /// is there stays, and counting goes on behind it and behind what is known.
    #[expect(
        clippy::too_many_arguments,
        reason = "a log has as many parts, and one place puts them together"
    )]
    pub fn open_knowing(
        mut disk: Box<dyn Disk>,
        book: Book,
        directory: &Path,
        key: StationKey,
        station: &str,
        limits: Limits,
        at: Stamp,
        known: &Known,
    ) -> Result<Self, ReceiptError> {
        make(directory)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReceiptError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let end = Opening { book, directory, station, key: &key, at, known }.find(disk.as_mut())?;
        Ok(Self {
            book,
            directory: directory.to_owned(),
            station: station.to_owned(),
            limits: Limits { files: limits.files.max(2), ..limits },
            key,
            disk,
            end,
            _lock: lock,
        })
    }

    /// The last line.
    pub fn head(&self) -> Written {
        self.end.head
    }

    /// The number of the oldest line that is to be there.
    pub fn oldest(&self) -> u64 {
        self.end.oldest
    }

    /// The key that signs, as others may see it.
    pub fn public_key(&self) -> Bytes32 {
        self.key.public()
    }

    /// How many bytes of a torn line were cut off when the log was opened.
    pub fn torn(&self) -> u64 {
        self.end.torn
    }

    /// Takes room for so many receipts, so that they can be written even if the disk
    /// fills up meanwhile; and sees that the journal beside it has room, too.
    pub fn reserve(&mut self, receipts: u64, at: Stamp) -> Result<(), ReceiptError> {
        self.settle(at)?;
        let wanted = receipts.saturating_mul(ROOM);
        if self.end.length > ROOM && self.end.length.saturating_add(wanted) > self.limits.file {
            self.rotate(at)?;
        }
        Ok(self.disk.reserve(&self.end.file, self.end.length, wanted)?)
    }

    /// Puts a receipt on the disk.
    pub fn append(&mut self, receipt: Receipt) -> Result<Written, ReceiptError> {
        self.put(&Body::Receipt(Box::new(receipt)))
    }

    /// Puts a line on the disk.
    pub fn put(&mut self, body: &Body) -> Result<Written, ReceiptError> {
        let at = body.at();
        self.settle(at)?;
        let (mut line, mut written) = self.line(body);
        if self.end.length > ROOM && self.end.length + line.len() as u64 > self.limits.file {
            self.rotate(at)?;
            (line, written) = self.line(body);
        }
        self.end.doubtful = true;
        self.disk.append(&mut self.end.file, line.as_bytes())?;
        self.end.doubtful = false;
        self.end.length += line.len() as u64;
        self.end.head = written;
        Ok(written)
    }

    /// A line that follows the last one, with its end.
    fn line(&self, body: &Body) -> (String, Written) {
        line(self.book, &self.key, self.end.head, body)
    }

    /// Looks at the end of the file again, when a write failed midway.
    fn settle(&mut self, at: Stamp) -> Result<(), ReceiptError> {
        if self.end.doubtful {
            let known = Known {
                head: Some(self.end.head),
                oldest: Some(self.end.oldest),
                keys: vec![(self.key.public(), 0)],
                ..Known::default()
            };
            let Self { book, directory, station, key, disk, .. } = self;
            let opening = Opening { book: *book, directory, station, key, at, known: &known };
            self.end = opening.find(disk.as_mut())?;
        }
        Ok(())
    }

    /// Closes a full file and begins the next.
    fn rotate(&mut self, at: Stamp) -> Result<(), ReceiptError> {
        let mut files = files(self.book, &self.directory)?;
        let surplus = (files.len() + 1).saturating_sub(self.limits.files);
        let doomed: Vec<_> = files.drain(..surplus.min(files.len())).collect();
        // A file that somebody else took away is missed until it would have been deleted anyway.
        let oldest = match files.first() {
            Some((_, path)) if !doomed.is_empty() => first_number(path).unwrap_or(0).max(self.end.oldest),
            Some(_) => self.end.oldest,
            None => self.end.head.number + 1,
        };
        let Self { book, directory, station, key, disk, .. } = self;
        let opening = Opening { book: *book, directory, station, key, at, known: &Known::default() };
        self.end = opening.begin(disk.as_mut(), self.end.serial + 1, self.end.head, oldest, Begins::Full)?;
        // Only now that the new file is on the disk.
        for (_, path) in doomed {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Makes the directory of a log, for the station alone.
fn make(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The files of a log, oldest first.
pub(crate) fn files(book: Book, directory: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let digits =
            name.and_then(|name| name.strip_prefix(book.word())?.strip_prefix('-')?.strip_suffix(".jsonl"));
        if let Some(serial) = digits.and_then(|digits| digits.parse().ok()) {
            files.push((serial, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The number of the first line of a file, when it can be read.
fn first_number(path: &Path) -> Option<u64> {
    Some(first_line(path)?.number)
}

/// The first line of a file, when it can be read.
fn first_line(path: &Path) -> Option<Line> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST_LINE as u64).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    Line::parse(std::str::from_utf8(line).ok()?).ok()
}
