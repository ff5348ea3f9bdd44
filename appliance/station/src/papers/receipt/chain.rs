//! Walking along a log, from one line to the next.

use super::{Body, Book, Bytes32, Flaw, Line, to_be_signed};
use crate::papers::stamp::Stamp;

/// How many set-backs of the clock are remembered one by one.
const SET_BACKS: usize = 100;

/// A line that is earlier than the one before it: the clock was set back meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetBack {
    /// The number of the line.
    pub number: u64,
    /// What the line before it says.
    pub from: Stamp,
    /// What it says itself.
    pub to: Stamp,
}

/// Walks along a log and says where it breaks.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    book: Book,
    key: Option<Bytes32>,
    last: Option<(u64, Bytes32)>,
    newest: Option<Stamp>,
    /// How many lines were earlier than the one before: the clock was set back. No flaw.
    pub set_back: u64,
    /// The first of them.
    pub set_backs: Vec<SetBack>,
    /// How many lines there were beside the checkpoints.
    pub receipts: u64,
    /// The number of the first line.
    pub first: Option<u64>,
    /// The number of the oldest line that was kept when the newest checkpoint was written.
    pub oldest: Option<u64>,
    /// The keys that signed, in order, each with the number of the first line that it signed.
    pub keys: Vec<(Bytes32, u64)>,
}

impl Chain {
    /// At the beginning of a log.
    pub fn of(book: Book) -> Self {
        Self { book, ..Self::default() }
    }

    /// Number and hash of the last line.
    pub const fn head(&self) -> Option<(u64, Bytes32)> {
        self.last
    }

    /// Says that a file begins: its first line has to be a checkpoint.
    pub fn begin_file(&mut self) {
        self.key = None;
    }

    /// Takes the next line; after one with a flaw, the chain is where it was before it. `fits` says
    /// whether a signature of a key fits bytes; `known` whether a key of the station's may have
    /// signed the line of that number.
    pub fn push(
        &mut self,
        text: &str,
        known: impl Fn(&Bytes32, u64) -> bool,
        fits: impl Fn(&Bytes32, &[u8], &[u8; 64]) -> bool,
    ) -> Result<Line, Flaw> {
        let line = Line::parse(text)?;
        if !self.book.takes(&line.body) {
            return Err(Flaw::Elsewhere);
        }
        if let Some((number, hash)) = self.last {
            let wanted = number.saturating_add(1);
            if line.number != wanted {
                return Err(Flaw::Number { found: line.number, wanted });
            }
            if line.previous != hash {
                return Err(Flaw::Hash);
            }
        }
        let key = match (&line.body, self.key) {
            (Body::Checkpoint(checkpoint), None) => checkpoint.key,
            (Body::Receipt(_) | Body::Deed(_), Some(key)) => key,
            (Body::Receipt(_) | Body::Deed(_), None) => return Err(Flaw::NoCheckpoint),
            (Body::Checkpoint(_), Some(_)) => {
                return Err(Flaw::Garbled("a checkpoint in the middle of a file".to_owned()));
            }
        };
        if !known(&key, line.number) {
            return Err(Flaw::Stranger(key));
        }
        if !fits(&key, &to_be_signed(self.book, line.unsigned(text)), &line.signature) {
            return Err(Flaw::Signature);
        }
        self.take(&line, key);
        Ok(line)
    }

    /// Notes what a line without a flaw says.
    fn take(&mut self, line: &Line, key: Bytes32) {
        self.key = Some(key);
        if self.keys.last().map(|(last, _)| last) != Some(&key) {
            self.keys.push((key, line.number));
        }
        let to = line.body.at();
        if let Some(from) = self.newest.filter(|newest| to.unix() < newest.unix()) {
            self.set_back += 1;
            if self.set_backs.len() < SET_BACKS {
                self.set_backs.push(SetBack { number: line.number, from, to });
            }
        }
        self.newest = Some(to);
        match &line.body {
            Body::Checkpoint(checkpoint) => self.oldest = Some(checkpoint.oldest),
            Body::Receipt(_) | Body::Deed(_) => self.receipts += 1,
        }
        self.first = self.first.or(Some(line.number));
        self.last = Some((line.number, line.hash));
    }
}
