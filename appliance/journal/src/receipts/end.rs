//! Where a log ends: found when it is opened, and compared with what is known of it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use station::papers::receipt::{
    Begins, Body, Book, Bytes32, Checkpoint, Line, signed, to_be_signed, unsigned,
};
use station::papers::stamp::Stamp;

use super::key::fits;
use super::read::{Lines, Text};
use super::{Disk, Known, ReceiptError, StationKey, Written, files, first_line, first_number};

/// The end of a log.
pub(super) struct End {
    pub(super) file: File,
    /// The number in the file's name.
    pub(super) serial: u32,
    pub(super) length: u64,
    pub(super) head: Written,
    /// The number of the oldest line that is to be there.
    pub(super) oldest: u64,
    /// Whether a write failed midway, so that the file has to be looked at before the next.
    pub(super) doubtful: bool,
    /// How many bytes of a torn line were cut off when it was opened.
    pub(super) torn: u64,
}

/// A line that follows `head`, with its end.
pub(super) fn line(book: Book, key: &StationKey, head: Written, body: &Body) -> (String, Written) {
    let unsigned = unsigned(head.number + 1, head.hash, body);
    let mut line = signed(&unsigned, &key.sign(book, &unsigned));
    let written = Written { number: head.number + 1, hash: Bytes32::hash_of(line.as_bytes()) };
    line.push('\n');
    (line, written)
}

/// What is wanted for finding the end, or for beginning a file.
pub(super) struct Opening<'a> {
    pub(super) book: Book,
    pub(super) directory: &'a Path,
    pub(super) station: &'a str,
    pub(super) key: &'a StationKey,
    pub(super) at: Stamp,
    pub(super) known: &'a Known,
}

impl Opening<'_> {
    /// Begins a file. It appears under its name only when its first line is on the disk.
    pub(super) fn begin(
        &self,
        disk: &mut dyn Disk,
        serial: u32,
        head: Written,
        oldest: u64,
        begins: Begins,
    ) -> Result<End, ReceiptError> {
        let checkpoint = Checkpoint {
            at: self.at,
            station: self.station.to_owned(),
            key: self.key.public(),
            oldest,
            begins,
        };
        let (text, written) = line(self.book, self.key, head, &Body::Checkpoint(checkpoint));
        let path = self.directory.join(format!("{}-{serial:06}.jsonl", self.book.word()));
        let unfinished = self.directory.join(format!("{}.new", self.book.word()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        disk.append(&mut file, text.as_bytes())?;
        fs::rename(&unfinished, &path)?;
        File::open(self.directory)?.sync_all()?;
        Ok(End { file, serial, length: text.len() as u64, head: written, oldest, doubtful: false, torn: 0 })
    }

    /// Finds the end of the log: cuts a torn line off, and begins a file where that is wanted.
    pub(super) fn find(&self, disk: &mut dyn Disk) -> Result<End, ReceiptError> {
        let files = files(self.book, self.directory)?;
        let Some((serial, path)) = files.last() else {
            return match self.known.head.filter(|head| head.number > 0) {
                None => self.begin(disk, 1, NOTHING, 1, Begins::First),
                Some(head) => self.begin(disk, 1, head, self.known.oldest.unwrap_or(1), Begins::Damage),
            };
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
        let (mut head, readable) = head(text);
        let checkpoint = match first_line(path).map(|line| line.body) {
            Some(Body::Checkpoint(checkpoint)) => Some(checkpoint),
            _ => None,
        };
        let told = checkpoint.as_ref().map(|checkpoint| checkpoint.oldest);
        let oldest = told.max(self.known.oldest);
        let oldest = oldest.or_else(|| first_number(&files.first()?.1)).unwrap_or(1);
        let mut begins = (!readable).then_some(Begins::Damage);
        if let Some(known) = self.known.head
            && !self.agrees(&files)?
        {
            // What was known is not there: counting goes on behind it, and the gap stays.
            head = Written { number: head.number.max(known.number), hash: known.hash };
            begins = Some(Begins::Damage);
        }
        if begins.is_none() && checkpoint.map(|checkpoint| checkpoint.key) != Some(self.key.public()) {
            begins = Some(Begins::Key);
        }
        match begins {
            Some(begins) => self.begin(disk, serial + 1, head, oldest, begins),
            None => {
                let length = whole as u64;
                Ok(End { file, serial: *serial, length, head, oldest, doubtful: false, torn })
            }
        }
    }

    /// Whether the log has the line that is known to be its last, and nothing behind it that a key of
    /// this station has not signed. What cannot be read behind it is damage, which is told elsewhere.
    fn agrees(&self, files: &[(u32, PathBuf)]) -> Result<bool, ReceiptError> {
        let Some(head) = self.known.head.filter(|head| head.number > 0) else { return Ok(true) };
        let begins_before =
            |(_, path): &(u32, PathBuf)| first_number(path).is_some_and(|number| number <= head.number);
        let Some(at) = files.iter().rposition(begins_before) else { return Ok(false) };
        let mut last = None;
        for (_, path) in files.iter().skip(at) {
            let mut key = None;
            let mut lines = Lines::open(path)?;
            while let Some(text) = lines.next()? {
                let Text::Whole(text) = text else { return Ok(last.is_some()) };
                let Ok(line) = Line::parse(&text) else {
                    // Before the line that is looked for, it may be skipped.
                    if last.is_some() {
                        return Ok(true);
                    }
                    continue;
                };
                if let Body::Checkpoint(checkpoint) = &line.body {
                    key = key.or(Some(checkpoint.key));
                }
                match last {
                    None if line.number == head.number && line.hash == head.hash => last = Some(head),
                    None if line.number < head.number => {}
                    None => return Ok(false),
                    Some(Written { number, hash }) => {
                        let signed = to_be_signed(self.book, line.unsigned(&text));
                        let by = key.filter(|key| self.known.may_sign(key, line.number));
                        let fits = by.is_some_and(|key| fits(&key, &signed, &line.signature));
                        if line.number != number + 1 || line.previous != hash || !fits {
                            return Ok(false);
                        }
                        last = Some(Written { number: line.number, hash: line.hash });
                    }
                }
            }
        }
        Ok(last.is_some())
    }
}

const NOTHING: Written = Written { number: 0, hash: Bytes32::NOTHING };

/// The last line of a text of whole lines, as far as it can be told, and whether it can be read.
fn head(text: &[u8]) -> (Written, bool) {
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = |line: &[u8]| Line::parse(std::str::from_utf8(line).ok()?).ok();
    let unreadable = lines().rev().take_while(|line| read(line).is_none()).count() as u64;
    match lines().next_back().filter(|_| unreadable == 0).and_then(read) {
        Some(last) => (Written { number: last.number, hash: last.hash }, true),
        None => {
            // Counting goes on behind the damage, which stays where it is for everybody to see.
            let known = lines().rev().find_map(read).map_or(0, |line| line.number);
            let hash = lines().next_back().map_or(Bytes32::NOTHING, Bytes32::hash_of);
            (Written { number: known + unreadable, hash }, false)
        }
    }
}
