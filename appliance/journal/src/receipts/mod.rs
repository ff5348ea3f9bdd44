//! The receipt log: an append-only file of signed, chained lines.
//!
//! What a line is, [`station::receipt`] says; here is how lines get onto the disk and
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

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use station::receipt::{Begins, Body, Bytes32, Checkpoint, LONGEST_LINE, Line, Receipt, signed, unsigned};
use station::stamp::Stamp;

mod csv;
mod disk;
mod key;
mod read;

pub use csv::{HEADER, row};
pub use disk::{Card, Disk};
pub use key::StationKey;
pub use read::{Broken, Checked, Entries, Entry, check, entries};

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
#[non_exhaustive]
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
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Bytes32,
}

/// The log, open for writing.
pub struct Log {
    directory: PathBuf,
    station: String,
    limits: Limits,
    key: StationKey,
    disk: Box<dyn Disk>,
    end: End,
    _lock: File,
}

/// Where the log ends.
struct End {
    file: File,
    /// The number in the file's name.
    serial: u32,
    length: u64,
    head: Written,
    /// The number of the oldest line that is kept.
    oldest: u64,
    /// Whether a write failed midway, so that the file has to be looked at before the next.
    doubtful: bool,
    /// How many bytes of a torn line were cut off when it was opened.
    torn: u64,
}

impl Log {
    /// Opens the log in `directory`, or makes it, for the station of that name.
    pub fn open(directory: &Path, station: &str, limits: Limits, at: Stamp) -> Result<Self, ReceiptError> {
        Self::open_on(Box::new(Card), directory, station, limits, at)
    }

    /// As [`Self::open`], on a disk that may be made to fail.
    pub fn open_on(
        mut disk: Box<dyn Disk>,
        directory: &Path,
        station: &str,
        limits: Limits,
        at: Stamp,
    ) -> Result<Self, ReceiptError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(directory.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReceiptError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let key = StationKey::load_or_make(directory)?;
        let end = end(disk.as_mut(), directory, station, &key, at)?;
        Ok(Self {
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
    #[must_use]
    pub fn head(&self) -> Written {
        self.end.head
    }

    /// The key that signs, as others may see it.
    #[must_use]
    pub fn public_key(&self) -> Bytes32 {
        self.key.public()
    }

    /// How many bytes of a torn line were cut off when the log was opened.
    #[must_use]
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
        let at = receipt.at;
        self.settle(at)?;
        let body = Body::Receipt(Box::new(receipt));
        let (mut line, mut written) = self.line(&body);
        if self.end.length > ROOM && self.end.length + line.len() as u64 > self.limits.file {
            self.rotate(at)?;
            (line, written) = self.line(&body);
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
        line(&self.key, self.end.head, body)
    }

    /// Looks at the end of the file again, when a write failed midway.
    fn settle(&mut self, at: Stamp) -> Result<(), ReceiptError> {
        if self.end.doubtful {
            self.end = end(self.disk.as_mut(), &self.directory, &self.station, &self.key, at)?;
        }
        Ok(())
    }

    /// Closes a full file and begins the next.
    fn rotate(&mut self, at: Stamp) -> Result<(), ReceiptError> {
        let mut files = files(&self.directory)?;
        let surplus = (files.len() + 1).saturating_sub(self.limits.files);
        let doomed: Vec<_> = files.drain(..surplus.min(files.len())).collect();
        let oldest = match files.first() {
            Some((_, path)) if !doomed.is_empty() => first_number(path).unwrap_or(self.end.oldest),
            Some(_) => self.end.oldest,
            None => self.end.head.number + 1,
        };
        let begun = Beginning { station: &self.station, oldest, begins: Begins::Full, at };
        self.end = begin(
            self.disk.as_mut(),
            &self.directory,
            &self.key,
            self.end.serial + 1,
            self.end.head,
            &begun,
        )?;
        // Only now that the new file is on the disk.
        for (_, path) in doomed {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn line(key: &StationKey, head: Written, body: &Body) -> (String, Written) {
    let unsigned = unsigned(head.number + 1, head.hash, body);
    let mut line = signed(&unsigned, &key.sign(&unsigned));
    let written = Written { number: head.number + 1, hash: Bytes32::hash_of(line.as_bytes()) };
    line.push('\n');
    (line, written)
}

/// The log's files, oldest first.
pub(crate) fn files(directory: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let digits = name.and_then(|name| name.strip_prefix("receipts-")?.strip_suffix(".jsonl"));
        if let Some(serial) = digits.and_then(|digits| digits.parse().ok()) {
            files.push((serial, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn first_number(path: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST_LINE as u64).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    Some(Line::parse(std::str::from_utf8(line).ok()?).ok()?.number)
}

/// What a new file begins with.
struct Beginning<'a> {
    station: &'a str,
    oldest: u64,
    begins: Begins,
    at: Stamp,
}

/// Begins a file. It appears under its name only when its first line is on the disk.
fn begin(
    disk: &mut dyn Disk,
    directory: &Path,
    key: &StationKey,
    serial: u32,
    head: Written,
    beginning: &Beginning<'_>,
) -> Result<End, ReceiptError> {
    let checkpoint = Checkpoint {
        at: beginning.at,
        station: beginning.station.to_owned(),
        key: key.public(),
        oldest: beginning.oldest,
        begins: beginning.begins,
    };
    let (text, written) = line(key, head, &Body::Checkpoint(checkpoint));
    let path = directory.join(format!("receipts-{serial:06}.jsonl"));
    let unfinished = directory.join("receipts.new");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    disk.append(&mut file, text.as_bytes())?;
    fs::rename(&unfinished, &path)?;
    File::open(directory)?.sync_all()?;
    Ok(End {
        file,
        serial,
        length: text.len() as u64,
        head: written,
        oldest: beginning.oldest,
        doubtful: false,
        torn: 0,
    })
}

/// Finds the end of the log: cuts a torn line off, and begins a file where that is wanted.
fn end(
    disk: &mut dyn Disk,
    directory: &Path,
    station: &str,
    key: &StationKey,
    at: Stamp,
) -> Result<End, ReceiptError> {
    let begin_with = |disk: &mut dyn Disk, serial, head, oldest, begins| {
        begin(disk, directory, key, serial, head, &Beginning { station, oldest, begins, at })
    };
    let files = files(directory)?;
    let oldest = files.first().and_then(|(_, path)| first_number(path)).unwrap_or(1);
    let Some((serial, path)) = files.last() else {
        let nothing = Written { number: 0, hash: Bytes32::NOTHING };
        return begin_with(disk, 1, nothing, 1, Begins::First);
    };
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let torn = (bytes.len() - whole) as u64;
    if torn > 0 {
        file.set_len(whole as u64)?;
        file.sync_all()?;
    }
    file.seek(SeekFrom::Start(whole as u64))?;
    let text = bytes.get(..whole).unwrap_or_default();
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = |line: &[u8]| Line::parse(std::str::from_utf8(line).ok()?).ok();
    let unreadable = lines().rev().take_while(|line| read(line).is_none()).count() as u64;
    let Some(last) = lines().next_back().filter(|_| unreadable == 0).and_then(read) else {
        // Counting goes on behind the damage, which stays where it is for everybody to see.
        let known = lines().rev().find_map(read).map_or(0, |line| line.number);
        let hash = lines().next_back().map_or(Bytes32::NOTHING, Bytes32::hash_of);
        let head = Written { number: known + unreadable, hash };
        return begin_with(disk, serial + 1, head, oldest, Begins::Damage);
    };
    let head = Written { number: last.number, hash: last.hash };
    let signer = lines().next().and_then(read).and_then(|line| match line.body {
        Body::Checkpoint(checkpoint) => Some(checkpoint.key),
        Body::Receipt(_) => None,
    });
    if signer != Some(key.public()) {
        return begin_with(disk, serial + 1, head, oldest, Begins::Key);
    }
    Ok(End { file, serial: *serial, length: whole as u64, head, oldest, doubtful: false, torn })
}
