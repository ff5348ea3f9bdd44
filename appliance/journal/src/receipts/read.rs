//! Reading a log: entry by entry, or whole to see whether it holds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use station::papers::receipt::{Body, Book, Bytes32, Chain, Flaw, LONGEST_LINE, Line, Receipt, SetBack};

use super::key::fits;
use super::{Known, ReceiptError, Written, files, first_line, first_number};

/// A receipt with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    /// The hash of its line.
    pub hash: Bytes32,
    /// The line itself, without its end: what an export hands on, and others can check.
    pub line: String,
    /// What it says.
    pub receipt: Receipt,
}

/// A line of a log that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub number: u64,
    pub hash: Bytes32,
    /// The line itself, without its end.
    pub line: String,
    /// What it says.
    pub body: Body,
}

/// Lines, oldest first. One that cannot be read is left out; [`check`] names it.
pub struct Rows {
    files: std::vec::IntoIter<(u32, PathBuf)>,
    lines: Option<Lines>,
}

/// Reads the lines of the log in `directory`, checkpoints too.
pub fn rows(book: Book, directory: &Path) -> Result<Rows, ReceiptError> {
    Ok(Rows { files: files(book, directory)?.into_iter(), lines: None })
}

impl Rows {
    /// Passes over the files that end before the line of that number.
    #[must_use]
    pub fn from(self, number: u64) -> Self {
        let files: Vec<_> = self.files.collect();
        let begins_before =
            |(_, path): &(u32, PathBuf)| first_number(path).is_some_and(|first| first <= number);
        let at = files.iter().rposition(begins_before).unwrap_or(0);
        let files: Vec<_> = files.into_iter().skip(at).collect();
        Self { files: files.into_iter(), lines: None }
    }
}

impl Iterator for Rows {
    type Item = Result<Kept, ReceiptError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(lines) = &mut self.lines else {
                let (_, path) = self.files.next()?;
                match Lines::open(&path) {
                    Ok(lines) => self.lines = Some(lines),
                    // Rotation may have deleted it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Some(Err(error.into())),
                }
                continue;
            };
            match lines.next() {
                Ok(None) => self.lines = None,
                Err(error) => return Some(Err(error.into())),
                Ok(Some(Text::Whole(line))) => {
                    if let Ok(Line { number, hash, body, .. }) = Line::parse(&line) {
                        return Some(Ok(Kept { number, hash, line, body }));
                    }
                }
                Ok(Some(_)) => {}
            }
        }
    }
}

/// Receipts, oldest first. A line that cannot be read is left out; [`check`] names it.
pub struct Entries(Rows);

/// Reads the receipts of the log in `directory`.
pub fn entries(directory: &Path) -> Result<Entries, ReceiptError> {
    Ok(Entries(rows(Book::Receipts, directory)?))
}

impl Entries {
    /// Passes over the files that end before the line of that number.
    #[must_use]
    pub fn from(self, number: u64) -> Self {
        Self(self.0.from(number))
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, ReceiptError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.next()? {
                Ok(Kept { number, hash, line, body: Body::Receipt(receipt) }) => {
                    return Some(Ok(Entry { number, hash, line, receipt: *receipt }));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The keys that the files of a log name, each with the number of the first line it signed.
pub fn keys(book: Book, directory: &Path) -> Result<Vec<(Bytes32, u64)>, ReceiptError> {
    let mut keys: Vec<(Bytes32, u64)> = Vec::new();
    for (_, path) in files(book, directory)? {
        if let Some(Line { number, body: Body::Checkpoint(checkpoint), .. }) = first_line(&path)
            && !keys.iter().any(|(key, _)| *key == checkpoint.key)
        {
            keys.push((checkpoint.key, number));
        }
    }
    Ok(keys)
}

/// A log that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many lines there are beside the checkpoints: receipts, or deeds.
    pub receipts: u64,
    /// The number of the first line that is kept.
    pub first: u64,
    /// The last line.
    pub head: Written,
    /// The keys that signed, in order, each with the first line that it signed. More than one means that the
    /// station got a new key.
    pub keys: Vec<(Bytes32, u64)>,
    /// How many lines are earlier than the one before them: the clock was set back.
    pub set_back: u64,
    /// The first of them.
    pub set_backs: Vec<SetBack>,
    /// Whether the very last line is torn: the power went while it was written, or it is being
    /// written now.
    pub torn: bool,
}

/// Why a log does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The first record that breaks it.
    #[error("{file}, line {line}{}: {flaw}", .number.map(|number| format!(" (record {number})")).unwrap_or_default())]
    At {
        file: String,
        /// On which line, counted from 1.
        line: u64,
        /// The number that the record has or should have, when that is known.
        number: Option<u64>,
        /// What is wrong.
        flaw: Flaw,
    },
    /// It ends before the last line that is known.
    #[error("the log ends at record {}, and record {} was written: {} at its end are missing", .found.number, .known.number, .known.number.saturating_sub(.found.number))]
    Short {
        /// Its last line.
        found: Written,
        /// The line that is known.
        known: Written,
    },
    /// It begins behind the oldest line that is to be kept.
    #[error("the log begins at record {first}, and the records from {oldest} on are to be kept: {} at its beginning are missing", .first.saturating_sub(*.oldest))]
    Late {
        /// Its first line.
        first: u64,
        /// The line that it should begin with.
        oldest: u64,
    },
    /// A line is whole, and another one was written with its number.
    #[error("record {number} is not the one that the journal knows: it was replaced")]
    Replaced { number: u64 },
    #[error("there are no receipts in {0}")]
    Nothing(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReceiptError),
}

impl Broken {
    /// The number of the first line that is wrong, or missing, when that is known.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::At { number, .. } => *number,
            Self::Short { found, .. } => Some(found.number + 1),
            Self::Late { oldest, .. } => Some(*oldest),
            Self::Replaced { number } => Some(*number),
            Self::Nothing(_) | Self::Unreadable(_) => None,
        }
    }
}

/// Checks the receipts in `directory` from the first line to the last. With `known`, only these keys may
/// have signed. That nothing is missing at the end only [`compare`] can tell.
pub fn check(directory: &Path, known: Option<&[Bytes32]>) -> Result<Checked, Broken> {
    let may_sign = |key: &Bytes32, _| known.is_none_or(|known| known.contains(key));
    walk(Book::Receipts, directory, may_sign, &Known::default())
}

/// Checks a log, and that it is the one that is known.
pub fn compare(book: Book, directory: &Path, known: &Known) -> Result<Checked, Broken> {
    for _ in 0..3 {
        match walk(book, directory, |key, number| known.may_sign(key, number), known) {
            // Rotation may have deleted a file meanwhile.
            Err(Broken::Unreadable(ReceiptError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
    }
    walk(book, directory, |key, number| known.may_sign(key, number), known)
}

fn walk(
    book: Book,
    directory: &Path,
    may_sign: impl Fn(&Bytes32, u64) -> bool,
    known: &Known,
) -> Result<Checked, Broken> {
    let mut chain = Chain::of(book);
    let mut torn = false;
    let mut replaced = None;
    let files = files(book, directory).map_err(ReceiptError::from)?;
    let last = files.len().saturating_sub(1);
    for (index, (_, path)) in files.iter().enumerate() {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        chain.begin_file();
        let mut lines = Lines::open(path).map_err(ReceiptError::from)?;
        let mut number = 0_u64;
        while let Some(text) = lines.next().map_err(ReceiptError::from)? {
            number += 1;
            let number_in_log = chain.head().map(|(head, _)| head + 1);
            let at = |flaw| Broken::At { file: file.clone(), line: number, number: number_in_log, flaw };
            let text = match text {
                Text::Whole(text) => text,
                Text::Torn if index == last => {
                    torn = true;
                    continue;
                }
                Text::Torn => return Err(at(Flaw::Garbled("it is torn".to_owned()))),
                Text::TooLong => return Err(at(Flaw::Garbled("it is too long".to_owned()))),
                Text::Binary => return Err(at(Flaw::Garbled("it is not text".to_owned()))),
            };
            let line = chain.push(&text, &may_sign, fits).map_err(at)?;
            let head = known.head.filter(|head| head.number == line.number).map(|head| head.hash);
            let wanted = head.or_else(|| known.marks.get(&line.number).copied());
            if wanted.is_some_and(|wanted| wanted != line.hash) {
                replaced = replaced.or(Some(line.number));
            }
        }
    }
    let (Some((number, hash)), Some(first)) = (chain.head(), chain.first) else {
        return Err(Broken::Nothing(directory.to_owned()));
    };
    let head = Written { number, hash };
    if let Some(number) = replaced {
        return Err(Broken::Replaced { number });
    }
    if let Some(oldest) = chain.oldest.max(known.oldest).filter(|oldest| *oldest < first) {
        return Err(Broken::Late { first, oldest });
    }
    if let Some(known) = known.head.filter(|known| known.number > number) {
        return Err(Broken::Short { found: head, known });
    }
    Ok(Checked {
        receipts: chain.receipts,
        first,
        head,
        keys: chain.keys,
        set_back: chain.set_back,
        set_backs: chain.set_backs,
        torn,
    })
}

/// A line as found.
pub(super) enum Text {
    Whole(String),
    /// Without an end.
    Torn,
    TooLong,
    Binary,
}

/// The lines of a file, none of them longer in RAM than a line may be.
pub(super) struct Lines {
    file: BufReader<File>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?) })
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Text>> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.pop() != Some(b'\n') {
            let long = read > LONGEST_LINE;
            if long {
                io::copy(&mut self.file, &mut io::sink())?;
            }
            return Ok(Some(if long { Text::TooLong } else { Text::Torn }));
        }
        Ok(Some(String::from_utf8(bytes).map_or(Text::Binary, Text::Whole)))
    }
}
