//! Receipts: the record of one enrollment that outlives everything else, as values
//! and as bytes.
//!
//! A receipt log is text, one JSON object a line. Each line is numbered, names the
//! SHA-256 of the line before it, and is signed:
//!
//! ```text
//! {"format":1,"number":7,"previous":"<64 hex>","receipt":{…},"signature":"<128 hex>"}
//! ```
//!
//! What is signed (Ed25519) is [`Book::signed_for`] and then the line up to, and without,
//! `,"signature":`. What is hashed is the whole line without its end. So anybody can
//! check a log with a few lines of any language. The first line of each file is a
//! *checkpoint*, which names the key and takes up the chain where the file before ended.
//!
//! No receipt holds a secret, a code, or the person whom a token is for: a log that
//! nothing can be taken out of is no place for people's names.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::papers::stamp::Stamp;

mod book;
mod chain;

pub use book::{Book, Deed};
pub use chain::{Chain, SetBack};

/// The format that is written.
pub const FORMAT: u32 = 1;

/// The longest line that is read, in bytes. What is written has less than a tenth of it.
pub const LONGEST_LINE: usize = 64 * 1024;

/// 32 bytes, written as 64 hex digits: a SHA-256, or a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes32(pub [u8; 32]);

impl Bytes32 {
    /// What stands in the place of the hash before the very first line.
    pub const NOTHING: Self = Self([0; 32]);

    /// The SHA-256 of these bytes.
    pub fn hash_of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Bytes32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Bytes32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Bytes32 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        unhex(&text).map(Self).ok_or("not 64 hex digits")
    }
}

impl From<Bytes32> for String {
    fn from(bytes: Bytes32) -> Self {
        bytes.to_string()
    }
}

/// Lower-case hex digits as bytes; anything else is `None`.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if digits.len() != 2 * N || !digits.iter().all(hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The record of one enrollment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When it ended.
    pub at: Stamp,
    /// The enrollment's name, as the token bears it: 24 hex digits.
    pub enrollment: String,
    /// The operator who let it happen, or `armed`.
    pub by: String,
    /// The station's name.
    pub station: String,
    /// The key, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyFacts>,
    /// The serial of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was in force.
    pub profile: ProfileFacts,
    /// The run that it belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How the key proved itself, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofFacts>,
    /// `enrolled`, `refused`, `undone`, `quarantined`, `postponed`, `released`.
    pub outcome: String,
    /// Why it was not enrolled, such as `E4001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The token whose finished enrollment was given up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The public id of the Yubico OTP that the key was sold with, when that was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// What the server calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Durations>,
    /// Whether the station was interrupted, so that this receipt was made from the
    /// journal afterwards and knows less.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub recovered: bool,
    /// Whether the time was not known then, so that `at` is a guess. The number gives the order.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub clock_unknown: bool,
}

/// A key as a receipt names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial, as its vendor prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Where it was plugged in, as a USB port path.
    pub port: String,
}

/// A profile as a receipt names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFacts {
    pub name: String,
    /// [`Profile::digest`](crate::profile::Profile::digest); missing when made from the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Bytes32>,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFacts {
    /// The kind of credential whose code was checked: `hotp`, `totp` …
    pub kind: String,
    /// The counter or time step of the code.
    pub counter: u64,
    /// How many attempts it took.
    pub attempts: u8,
    /// Whether the server itself kept the token from counting until it had verified it.
    pub verified_by_policy: bool,
}

/// Durations in whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Altogether.
    pub total_ms: u64,
    /// Of each phase, in the order in which they began.
    pub phases_ms: Vec<(String, u64)>,
}

impl Durations {
    /// From each step's phase and duration, in order.
    pub fn of<'a>(steps: impl IntoIterator<Item = (&'a str, Duration)>) -> Self {
        let mut phases: Vec<(String, Duration)> = Vec::new();
        for (phase, took) in steps {
            match phases.iter_mut().find(|(name, _)| name == phase) {
                Some((_, sum)) => *sum += took,
                None => phases.push((phase.to_owned(), took)),
            }
        }
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            total_ms: ms(phases.iter().map(|(_, took)| *took).sum()),
            phases_ms: phases.into_iter().map(|(name, took)| (name, ms(took))).collect(),
        }
    }
}

/// Why a file of the log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begins {
    /// It is the first of all.
    First,
    /// The file before was full.
    Full,
    /// The station has a new key.
    Key,
    /// The end of the file before cannot be read.
    Damage,
}

/// The first line of each file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub at: Stamp,
    /// The station's name.
    pub station: String,
    /// The public key that signs this file, this line included.
    pub key: Bytes32,
    /// The number of the oldest line that is still kept.
    pub oldest: u64,
    pub begins: Begins,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// An enrollment.
    Receipt(Box<Receipt>),
    /// The beginning of a file.
    Checkpoint(Checkpoint),
    /// What an operator did: in the audit.
    Deed(Box<Deed>),
}

impl Body {
    /// When it was written.
    pub fn at(&self) -> Stamp {
        match self {
            Self::Receipt(receipt) => receipt.at,
            Self::Checkpoint(checkpoint) => checkpoint.at,
            Self::Deed(deed) => deed.at,
        }
    }
}

#[derive(Serialize)]
struct Unsigned<'a> {
    format: u32,
    number: u64,
    previous: Bytes32,
    #[serde(flatten)]
    body: &'a Body,
}

#[derive(Deserialize)]
struct Signed {
    format: u32,
    number: u64,
    previous: Bytes32,
    #[serde(default)]
    receipt: Option<Box<Receipt>>,
    #[serde(default)]
    checkpoint: Option<Checkpoint>,
    #[serde(default)]
    deed: Option<Box<Deed>>,
}

/// A line that is to be written, without its signature.
pub fn unsigned(number: u64, previous: Bytes32, body: &Body) -> String {
    let line = Unsigned { format: FORMAT, number, previous, body };
    // Nothing in these types can fail to be written as JSON: all names are text.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.pop();
    text
}

/// The bytes that are signed for a line of a log.
pub fn to_be_signed(book: Book, unsigned: &str) -> Vec<u8> {
    [book.signed_for().as_bytes(), unsigned.as_bytes()].concat()
}

/// The whole line, without its end.
pub fn signed(unsigned: &str, signature: &[u8; 64]) -> String {
    let mut line = format!("{unsigned}{MARK}");
    for byte in signature {
        line.push_str(&format!("{byte:02x}"));
    }
    line.push_str("\"}");
    line
}

const MARK: &str = ",\"signature\":\"";

/// A line as it was read. That its signature fits is for [`Chain`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1 over all files.
    pub number: u64,
    /// The hash of the line before it.
    pub previous: Bytes32,
    /// What it says.
    pub body: Body,
    /// Its own hash.
    pub hash: Bytes32,
    pub signature: [u8; 64],
    unsigned: usize,
}

/// What is wrong with a line, or with a log at that line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It does not end in a signature.
    #[error("the line does not end in a signature")]
    Unsigned,
    /// It is not JSON of a line.
    #[error("the line cannot be read: {0}")]
    Garbled(String),
    /// A newer version of the station wrote it.
    #[error("the line has format {0}, this version reads up to format {FORMAT}")]
    TooNew(u32),
    /// It does not have the number that follows.
    #[error("the line has number {found}, and {wanted} follows: lines are missing or out of order")]
    Number {
        /// The number that it has.
        found: u64,
        /// The number that it should have.
        wanted: u64,
    },
    /// It does not name the hash of the line before it.
    #[error("the line does not follow the one before it: one of them was changed")]
    Hash,
    /// Its signature does not fit.
    #[error("the signature does not fit: the line was changed, or another key signed it")]
    Signature,
    /// It belongs into another log.
    #[error("the line is none of this log")]
    Elsewhere,
    /// A file does not begin with a checkpoint.
    #[error("the file does not begin with a checkpoint")]
    NoCheckpoint,
    /// A key that is not known signed it.
    #[error("the key {0} is not one of this station")]
    Stranger(Bytes32),
}

impl Line {
    /// Reads a line, without its end.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let (unsigned, rest) = text.rsplit_once(MARK).ok_or(Flaw::Unsigned)?;
        let signature = rest.strip_suffix("\"}").and_then(unhex).ok_or(Flaw::Unsigned)?;
        let read: Signed = serde_json::from_str(text).map_err(|error| Flaw::Garbled(error.to_string()))?;
        if read.format > FORMAT {
            return Err(Flaw::TooNew(read.format));
        }
        let body = match (read.receipt, read.checkpoint, read.deed) {
            (Some(receipt), None, None) => Body::Receipt(receipt),
            (None, Some(checkpoint), None) => Body::Checkpoint(checkpoint),
            (None, None, Some(deed)) => Body::Deed(deed),
            _ => return Err(Flaw::Garbled("it is neither a receipt nor a checkpoint nor a deed".to_owned())),
        };
        Ok(Self {
            number: read.number,
            previous: read.previous,
            body,
            hash: Bytes32::hash_of(text.as_bytes()),
            signature,
            unsigned: unsigned.len(),
        })
    }

    /// What was signed of `text`, which this line was read from.
    pub fn unsigned<'a>(&self, text: &'a str) -> &'a str {
        text.get(..self.unsigned).unwrap_or_default()
    }
}
