//! Key twins over a line of text, so that a program in another process, or in
//! another language, can use one.
//!
//! One request per line, one reply per line, ASCII, ended by `\n`. Hexadecimal is
//! lower case; a report has no report-id byte.
//!
//! | request | reply |
//! |---|---|
//! | `SET_FEATURE <hex>` | `OK` |
//! | `GET_FEATURE` | `<hex>` |
//! | `OUT <hex>` | `OK` |
//! | `IN` | `<hex>` or `NONE` |
//! | `APDU <hex>` | `<hex>`, the status word last |
//! | `TOUCH 1` or `TOUCH 2` (a long press) | `REPORTS <hex>,<hex>…`, or `REPORTS` alone |
//! | `POWER` | `OK` |
//! | `ADVANCE <ms>` | `OK` |
//! | anything that cannot be done | `ERR <word> <sentence>` |
//!
//! A line is at most [`MAX_LINE`] bytes long. Neither side trusts the other: what
//! is not exactly one of the above is an error, never a panic and never a guess.

mod client;
mod server;

use core::fmt;
use core::time::Duration;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};

pub use client::LineKey;
pub use server::{Listener, Pace, Server};

/// The longest line, without its end: an extended APDU fits.
pub const MAX_LINE: usize = 8192;
/// The most a single `ADVANCE` may ask for: a day.
const MAX_ADVANCE: u64 = 24 * 60 * 60 * 1000;

/// A request; its bytes may carry a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// [`KeyTwin::set_feature`].
    SetFeature(Zeroizing<Vec<u8>>),
    /// [`KeyTwin::get_feature`].
    GetFeature,
    /// [`KeyTwin::out`].
    Out(Zeroizing<Vec<u8>>),
    /// [`KeyTwin::input`].
    In,
    /// [`KeyTwin::apdu`].
    Apdu(Zeroizing<Vec<u8>>),
    /// [`KeyTwin::touch`].
    Touch(Press),
    /// [`KeyTwin::power`].
    Power,
    /// [`KeyTwin::advance`], whole milliseconds.
    Advance(Duration),
}

#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    Done,
    /// A report, a packet or an APDU's answer.
    Bytes(Zeroizing<Vec<u8>>),
    /// No packet.
    Nothing,
    /// What was typed.
    Reports(Zeroizing<Vec<KeyboardReport>>),
    /// It did not happen.
    Failed(TwinError),
}

/// Why a line is not a request or not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No such request or reply.
    #[error("unknown word")]
    Unknown,
    /// Hexadecimal was expected: an even number of lower-case digits, at least two.
    #[error("bad hexadecimal")]
    Hex,
    /// A number was expected, or it is out of bounds.
    #[error("bad number")]
    Number,
    /// Longer than [`MAX_LINE`].
    #[error("line too long")]
    TooLong,
}

impl Request {
    /// Reads a line without its end.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        let (word, argument) = match line.split_once(' ') {
            Some((word, argument)) => (word, Some(argument)),
            None => (line, None),
        };
        match (word, argument) {
            _ if line.len() > MAX_LINE => Err(LineError::TooLong),
            ("SET_FEATURE", Some(hex)) => bytes(hex).map(Self::SetFeature),
            ("GET_FEATURE", None) => Ok(Self::GetFeature),
            ("OUT", Some(hex)) => bytes(hex).map(Self::Out),
            ("IN", None) => Ok(Self::In),
            ("APDU", Some(hex)) => bytes(hex).map(Self::Apdu),
            ("TOUCH", Some("1")) => Ok(Self::Touch(Press::Short)),
            ("TOUCH", Some("2")) => Ok(Self::Touch(Press::Long)),
            ("TOUCH", Some(_)) => Err(LineError::Number),
            ("POWER", None) => Ok(Self::Power),
            ("ADVANCE", Some(number)) => milliseconds(number).map(Self::Advance),
            _ => Err(LineError::Unknown),
        }
    }

    /// The line, without its end.
    pub fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::SetFeature(bytes) => format!("SET_FEATURE {}", HEXLOWER.encode(bytes)),
            Self::GetFeature => "GET_FEATURE".to_owned(),
            Self::Out(bytes) => format!("OUT {}", HEXLOWER.encode(bytes)),
            Self::In => "IN".to_owned(),
            Self::Apdu(bytes) => format!("APDU {}", HEXLOWER.encode(bytes)),
            Self::Touch(Press::Short) => "TOUCH 1".to_owned(),
            Self::Touch(Press::Long) => "TOUCH 2".to_owned(),
            Self::Power => "POWER".to_owned(),
            Self::Advance(by) => format!("ADVANCE {}", by.as_millis()),
        })
    }

    /// Does what is asked to a key.
    pub fn apply(&self, key: &mut (impl KeyTwin + ?Sized)) -> Reply {
        let done = |result: Result<(), TwinError>| result.map(|()| Reply::Done);
        let bytes =
            |result: Result<Vec<u8>, TwinError>| result.map(|bytes| Reply::Bytes(Zeroizing::new(bytes)));
        let result = match self {
            Self::SetFeature(report) => done(key.set_feature(report)),
            Self::GetFeature => bytes(key.get_feature()),
            Self::Out(packet) => done(key.out(packet)),
            Self::In => key
                .input()
                .map(|packet| packet.map_or(Reply::Nothing, |packet| Reply::Bytes(Zeroizing::new(packet)))),
            Self::Apdu(command) => bytes(key.apdu(command)),
            Self::Touch(press) => key.touch(*press).map(|typed| Reply::Reports(Zeroizing::new(typed))),
            Self::Power => done(key.power()),
            Self::Advance(by) => done(key.advance(*by)),
        };
        result.unwrap_or_else(Reply::Failed)
    }
}

impl Reply {
    /// Reads a line without its end.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        if line.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        match line.split_once(' ') {
            None if line == "OK" => Ok(Self::Done),
            None if line == "NONE" => Ok(Self::Nothing),
            None if line == "REPORTS" => Ok(Self::Reports(Zeroizing::new(Vec::new()))),
            None => bytes(line).map(Self::Bytes),
            Some(("REPORTS", list)) => {
                let mut reports = Zeroizing::new(Vec::new());
                for hex in list.split(',') {
                    let report = <[u8; 8]>::try_from(bytes(hex)?.as_slice()).map_err(|_| LineError::Hex)?;
                    reports.push(report);
                }
                Ok(Self::Reports(reports))
            }
            Some(("ERR", reason)) => Ok(Self::Failed(reason_parse(reason))),
            Some(_) => Err(LineError::Unknown),
        }
    }

    /// The line, without its end.
    pub fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Done => "OK".to_owned(),
            Self::Nothing => "NONE".to_owned(),
            Self::Bytes(bytes) => HEXLOWER.encode(bytes),
            Self::Reports(reports) if reports.is_empty() => "REPORTS".to_owned(),
            Self::Reports(reports) => {
                let list: Vec<String> = reports.iter().map(|report| HEXLOWER.encode(report)).collect();
                format!("REPORTS {}", list.join(","))
            }
            Self::Failed(error) => format!("ERR {}", Reason(error)),
        })
    }
}

/// An error as a word, what the word needs, and a sentence.
struct Reason<'a>(&'a TwinError);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        match error {
            TwinError::Gone => write!(f, "gone {error}"),
            TwinError::Nack => write!(f, "nack {error}"),
            TwinError::NoInterface(Interface::Feature) => write!(f, "no-feature {error}"),
            TwinError::NoInterface(Interface::Fido) => write!(f, "no-fido {error}"),
            TwinError::NoInterface(Interface::Ccid) => write!(f, "no-ccid {error}"),
            TwinError::Length { wanted, got } => write!(f, "length {wanted} {got} {error}"),
            TwinError::Memory(text) => write!(f, "memory {}", one_line(text)),
            TwinError::Line(text) => write!(f, "request {}", one_line(text)),
        }
    }
}

fn reason_parse(reason: &str) -> TwinError {
    let mut words = reason.split(' ');
    let word = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|number| number.parse().ok());
    match word {
        "gone" => TwinError::Gone,
        "nack" => TwinError::Nack,
        "no-feature" => TwinError::NoInterface(Interface::Feature),
        "no-fido" => TwinError::NoInterface(Interface::Fido),
        "no-ccid" => TwinError::NoInterface(Interface::Ccid),
        "length" => match (number(), number()) {
            (Some(wanted), Some(got)) => TwinError::Length { wanted, got },
            _ => TwinError::Line(reason.to_owned()),
        },
        "memory" => TwinError::Memory(reason.strip_prefix("memory ").unwrap_or_default().to_owned()),
        _ => TwinError::Line(reason.strip_prefix("request ").unwrap_or(reason).to_owned()),
    }
}

/// A reason stays on its line, whatever an error of the system says.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn bytes(hex: &str) -> Result<Zeroizing<Vec<u8>>, LineError> {
    match HEXLOWER.decode(hex.as_bytes()) {
        Ok(bytes) if !bytes.is_empty() => Ok(Zeroizing::new(bytes)),
        _ => Err(LineError::Hex),
    }
}

fn milliseconds(number: &str) -> Result<Duration, LineError> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<u64>() {
        Ok(number) if digits && number <= MAX_ADVANCE => Ok(Duration::from_millis(number)),
        _ => Err(LineError::Number),
    }
}

/// Cuts a stream of bytes into lines, and keeps no more than [`MAX_LINE`] of it.
pub(crate) struct Lines {
    buffer: Zeroizing<Vec<u8>>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        // With its full size from the start, so that no secret stays behind in a
        // buffer that was outgrown.
        Self { buffer: Zeroizing::new(Vec::with_capacity(2 * MAX_LINE)) }
    }

    /// How many more bytes it takes before the next line must be there.
    pub(crate) fn room(&self) -> usize {
        (2 * MAX_LINE).saturating_sub(self.buffer.len())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its end; what is not UTF-8 is no request, and
    /// comes out as one that is none either.
    pub(crate) fn next(&mut self) -> Result<Option<Zeroizing<String>>, LineError> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            return if self.buffer.len() > MAX_LINE { Err(LineError::TooLong) } else { Ok(None) };
        };
        if end > MAX_LINE {
            return Err(LineError::TooLong);
        }
        let line = self.buffer.get(..end).unwrap_or_default();
        let line = Zeroizing::new(str::from_utf8(line).unwrap_or("?").to_owned());
        self.buffer.drain(..=end);
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests;
