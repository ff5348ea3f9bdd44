//! Reading a log: entry by entry, or whole to see whether it holds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use station::receipt::{Body, Bytes32, Chain, Flaw, LONGEST_LINE, Line, Receipt};

use super::key::fits;
use super::{ReceiptError, Written, files};

/// A receipt with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The hash of its line.
    pub hash: Bytes32,
    /// The line itself, without its end: what an export hands on, and others can check.
    pub line: String,
    /// What it says.
    pub receipt: Receipt,
}

/// Receipts, oldest first. A line that cannot be read is left out; [`check`] names it.
pub struct Entries {
    files: std::vec::IntoIter<(u32, PathBuf)>,
    lines: Option<Lines>,
}

/// Reads the receipts of the log in `directory`.
pub fn entries(directory: &Path) -> Result<Entries, ReceiptError> {
    Ok(Entries { files: files(directory)?.into_iter(), lines: None })
}

impl Iterator for Entries {
    type Item = Result<Entry, ReceiptError>;

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
                Ok(Some(Text::Whole(text))) => {
                    if let Ok(Line { number, hash, body: Body::Receipt(receipt), .. }) = Line::parse(&text) {
                        return Some(Ok(Entry { number, hash, line: text, receipt: *receipt }));
                    }
                }
                Ok(Some(_)) => {}
            }
        }
    }
}

/// A log that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many receipts there are.
    pub receipts: u64,
    /// The number of the first line that is kept.
    pub first: u64,
    /// The last line.
    pub head: Written,
    /// The keys that signed, in order. More than one means that the station got a new key.
    pub keys: Vec<Bytes32>,
    /// How many lines are earlier than the one before them: the clock was set back.
    pub set_back: u64,
    /// Whether the very last line is torn: the power went while it was written, or it is being
    /// written now.
    pub torn: bool,
}

/// Why a log does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The first record that breaks it.
    #[error("{file}, line {line}{}: {flaw}", .number.map(|number| format!(" (record {number})")).unwrap_or_default())]
    At {
        /// In which file.
        file: String,
        /// On which line, counted from 1.
        line: u64,
        /// The number that the record has or should have, when that is known.
        number: Option<u64>,
        /// What is wrong.
        flaw: Flaw,
    },
    /// There is nothing.
    #[error("there are no receipts in {0}")]
    Nothing(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReceiptError),
}

/// Checks the log in `directory` from its first line to its last. With `known`, only these keys may have signed.
pub fn check(directory: &Path, known: Option<&[Bytes32]>) -> Result<Checked, Broken> {
    let mut chain = Chain::default();
    let mut torn = false;
    let files = files(directory).map_err(ReceiptError::from)?;
    let last = files.len().saturating_sub(1);
    for (index, (_, path)) in files.iter().enumerate() {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        chain.begin_file();
        let mut lines = Lines::open(path).map_err(ReceiptError::from)?;
        let mut number = 0_u64;
        while let Some(text) = lines.next().map_err(ReceiptError::from)? {
            number += 1;
            let at = |flaw| {
                let number_in_log = chain.head().map(|(head, _)| head + 1);
                Broken::At { file: file.clone(), line: number, number: number_in_log, flaw }
            };
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
            let is_known = |key: &Bytes32| known.is_none_or(|known| known.contains(key));
            let mut next = chain.clone();
            next.push(&text, is_known, fits).map_err(at)?;
            chain = next;
        }
    }
    let (Some((number, hash)), Some(first)) = (chain.head(), chain.first) else {
        return Err(Broken::Nothing(directory.to_owned()));
    };
    Ok(Checked {
        receipts: chain.receipts,
        first,
        head: Written { number, hash },
        keys: chain.keys,
        set_back: chain.set_back,
        torn,
    })
}

/// A line as found.
enum Text {
    Whole(String),
    /// Without an end.
    Torn,
    TooLong,
    Binary,
}

/// The lines of a file, none of them longer in RAM than a line may be.
struct Lines {
    file: BufReader<File>,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?) })
    }

    fn next(&mut self) -> io::Result<Option<Text>> {
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
