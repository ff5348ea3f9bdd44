//! Varlink on a stream: JSON objects, each ended by a NUL byte
//! (<https://varlink.org/Method-Call>).
//!
//! A message may hold a password, so buffers are wiped, and no error quotes a message.
//! A message that cannot be read as a call closes the connection; one that asks for
//! what is not there, or asks it wrongly, is answered with the error that says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::{Zeroize, Zeroizing};

use crate::Refusal;

/// The longest message either side takes, in bytes. A list of 10 000 people fits.
pub const LONGEST: usize = 1 << 20;

/// The name of [`Refusal`] as a Varlink error.
pub const REFUSED: &str = "org.enrollmentstation.Control.Refused";

const METHOD_NOT_FOUND: &str = "org.varlink.service.MethodNotFound";
const INVALID_PARAMETER: &str = "org.varlink.service.InvalidParameter";
const EXPECTED_MORE: &str = "org.varlink.service.ExpectedMore";
const PERMISSION_DENIED: &str = "org.varlink.service.PermissionDenied";

/// Bytes that are wiped when they are dropped.
pub type Message = Zeroizing<Vec<u8>>;

/// Why a message was not carried over.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The other side closed the stream in the middle of a message.
    #[error("the connection was closed in the middle of a message")]
    Torn,
    /// A message is longer than [`LONGEST`].
    #[error("a message is longer than {LONGEST} bytes")]
    TooLong,
    /// A message is not what it has to be.
    #[error("a message cannot be read: {0}")]
    Garbled(String),
}

/// What is wrong with a call, or with the state of the station.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The station says no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There is no such call.
    #[error("there is no call {0}")]
    MethodNotFound(String),
    /// An argument is missing, unknown or wrong.
    #[error("wrong argument: {0}")]
    InvalidParameter(String),
    /// The call answers more than once, and was not made with `more`.
    #[error("the call answers more than once; make it with 'more'")]
    ExpectedMore,
    /// Whoever is connected may not make calls.
    #[error("this user may not speak to the station")]
    PermissionDenied,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// A call as it came in.
#[derive(Deserialize)]
pub struct Call<'a> {
    /// Interface and name.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The arguments, as they stand in the message.
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    /// Whether several answers are wanted.
    #[serde(default)]
    pub more: bool,
    /// Whether no answer is wanted.
    #[serde(default)]
    pub oneway: bool,
}

impl<'a> Call<'a> {
    /// Reads a call.
    pub fn read(message: &'a [u8]) -> Result<Self, WireError> {
        serde_json::from_slice(message).map_err(garbled)
    }

    /// The arguments; an empty object when there are none.
    pub fn arguments(&self) -> &'a str {
        self.parameters.map_or("{}", RawValue::get)
    }
}

#[derive(Serialize)]
struct CallOut<'a, P> {
    method: &'a str,
    parameters: &'a P,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

#[derive(Serialize)]
struct ReplyOut<'a, P> {
    parameters: &'a P,
    #[serde(skip_serializing_if = "is_false")]
    continues: bool,
}

#[derive(Serialize)]
struct FaultOut<'a, P> {
    error: &'a str,
    parameters: P,
}

#[derive(Deserialize)]
struct ReplyIn<'a> {
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(default)]
    continues: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply<T> {
    /// The answer.
    pub parameters: T,
    /// Whether more follow.
    pub continues: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so.
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Never with serde's words for a value: they may quote a secret.
fn garbled(error: serde_json::Error) -> WireError {
    WireError::Garbled(place(&error))
}

fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// Reads the arguments of a call.
pub fn arguments<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| {
        let words = error.to_string();
        // Of these only the name of a member is quoted.
        let named = ["missing field `", "unknown field `", "duplicate field `"];
        Fault::InvalidParameter(if named.iter().any(|start| words.starts_with(start)) {
            words
        } else {
            format!("a wrong value at {}", place(&error))
        })
    })
}

/// A call as a message.
pub fn call<P: Serialize>(method: &str, parameters: &P, more: bool) -> Result<Message, WireError> {
    message(&CallOut { method, parameters, more })
}

/// An answer as a message.
pub fn reply<P: Serialize>(parameters: &P, continues: bool) -> Result<Message, WireError> {
    message(&ReplyOut { parameters, continues })
}

/// An error as a message.
pub fn fault(fault: &Fault) -> Result<Message, WireError> {
    let named = |error, name: &'static str, value: &str| {
        message(&FaultOut { error, parameters: BTreeMap::from([(name, value)]) })
    };
    match fault {
        Fault::Refused(refusal) => message(&FaultOut { error: REFUSED, parameters: refusal.as_ref() }),
        Fault::MethodNotFound(method) => named(METHOD_NOT_FOUND, "method", method),
        Fault::InvalidParameter(text) => named(INVALID_PARAMETER, "parameter", text),
        Fault::ExpectedMore => {
            message(&FaultOut { error: EXPECTED_MORE, parameters: crate::types::Nothing {} })
        }
        Fault::PermissionDenied => {
            message(&FaultOut { error: PERMISSION_DENIED, parameters: crate::types::Nothing {} })
        }
    }
}

/// Reads an answer.
pub fn read_reply<T: for<'a> Deserialize<'a>>(message: &[u8]) -> Result<Result<Reply<T>, Fault>, WireError> {
    let reply: ReplyIn<'_> = serde_json::from_slice(message).map_err(garbled)?;
    let parameters = reply.parameters.map_or("{}", RawValue::get);
    let Some(error) = reply.error else {
        let value = serde_json::from_str(parameters).map_err(garbled)?;
        return Ok(Ok(Reply { parameters: value, continues: reply.continues }));
    };
    let named = |name: &str| {
        let mut values: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(parameters).unwrap_or_default();
        values.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    Ok(Err(match error.as_ref() {
        REFUSED => Fault::Refused(serde_json::from_str(parameters).map_err(garbled)?),
        METHOD_NOT_FOUND => Fault::MethodNotFound(named("method")),
        INVALID_PARAMETER => Fault::InvalidParameter(named("parameter")),
        EXPECTED_MORE => Fault::ExpectedMore,
        PERMISSION_DENIED => Fault::PermissionDenied,
        other => {
            return Err(WireError::Garbled(format!("an error that is not known: {}", short(other))));
        }
    }))
}

fn short(text: &str) -> String {
    crate::clean::shown(&crate::clean::cut(text, 80))
}

fn message<T: Serialize>(value: &T) -> Result<Message, WireError> {
    let mut out = Wiped(Message::default());
    // Serializing these types fails only when the writer does.
    serde_json::to_writer(&mut out, value).map_err(|_| WireError::TooLong)?;
    append(&mut out.0, &[0]);
    Ok(out.0)
}

/// A writer that leaves nothing behind when it grows.
struct Wiped(Message);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() >= LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        append(&mut self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends bytes; when there is no room the old memory is wiped before it is given back.
fn append(to: &mut Message, bytes: &[u8]) {
    let wanted = to.len() + bytes.len();
    if to.capacity() < wanted {
        let mut larger = Message::new(Vec::with_capacity(wanted.max(to.capacity() * 2).max(512)));
        larger.extend_from_slice(to);
        *to = larger;
    }
    to.extend_from_slice(bytes);
}

/// Takes messages out of a stream. Waiting for one may be given up and begun again.
#[derive(Default)]
pub struct Receiver {
    held: Message,
    searched: usize,
}

impl Receiver {
    /// The next message without its NUL; `None` when the stream ends between messages.
    pub async fn next(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Message>, WireError> {
        loop {
            if let Some(message) = self.take() {
                return Ok(Some(message));
            }
            if self.held.len() >= LONGEST {
                return Err(WireError::TooLong);
            }
            let mut chunk = Zeroizing::new([0; 4096]);
            let count = from.read(chunk.as_mut_slice()).await?;
            if count == 0 {
                return if self.held.is_empty() { Ok(None) } else { Err(WireError::Torn) };
            }
            append(&mut self.held, chunk.get(..count).unwrap_or_default());
        }
    }

    /// Whether part of a message is here already.
    pub fn begun(&self) -> bool {
        !self.held.is_empty()
    }

    fn take(&mut self) -> Option<Message> {
        let found = self.held.get(self.searched..).unwrap_or_default().iter().position(|byte| *byte == 0);
        let Some(end) = found.map(|offset| self.searched + offset) else {
            self.searched = self.held.len();
            return None;
        };
        let (message, rest) = self.held.split_at(end);
        let message = Message::new(message.to_vec());
        let rest = Message::new(rest.get(1..).unwrap_or_default().to_vec());
        self.searched = 0;
        self.held.zeroize();
        append(&mut self.held, &rest);
        Some(message)
    }
}

/// Sends a message.
pub async fn send(to: &mut (impl AsyncWrite + Unpin), message: &Message) -> Result<(), WireError> {
    to.write_all(message).await?;
    to.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Done, ServerLogIn};

    #[tokio::test]
    async fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let stream = b"{\"a\":1}\0{\"b\":2}\0\0{\"c\"";
        for cut in 1..stream.len() {
            let (mut near, mut far) = tokio::io::duplex(64);
            let (first, second) = stream.split_at(cut);
            let mut receiver = Receiver::default();
            let mut got = Vec::new();
            let sender = async {
                near.write_all(first).await.unwrap();
                tokio::task::yield_now().await;
                near.write_all(second).await.unwrap();
                drop(near);
            };
            let reader = async {
                loop {
                    match receiver.next(&mut far).await {
                        Ok(Some(message)) => got.push(message.to_vec()),
                        Ok(None) => panic!("the last message is torn"),
                        Err(error) => return assert!(matches!(error, WireError::Torn)),
                    }
                }
            };
            tokio::join!(sender, reader);
            assert_eq!(got, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec(), Vec::new()]);
        }
    }

    #[tokio::test]
    async fn too_long_a_message_is_not_kept() {
        let mut endless = tokio::io::repeat(b'x');
        let error = Receiver::default().next(&mut endless).await.unwrap_err();
        assert!(matches!(error, WireError::TooLong));
    }

    #[test]
    fn wrong_arguments_are_named_and_never_quoted() {
        let said = |json: &str| arguments::<ServerLogIn>(json).map(|_| ()).unwrap_err().to_string();
        assert!(said(r#"{"user":"a"}"#).contains("missing field `password`"));
        assert!(said(r#"{"user":"a","pasword":"eA=="}"#).contains("unknown field `pasword`"));
        let words = said(r#"{"user":"a","password":12345678}"#);
        assert!(!words.contains("12345678") && words.contains("column"), "{words}");
        let words = said(r#"{"user":"a","password":"hunter2"}"#);
        assert!(!words.contains("hunter2"), "{words}");
    }

    #[test]
    fn faults_read_back_as_written() {
        let refusal = Refusal {
            code: "E3010".to_owned(),
            title: "Not allowed".to_owned(),
            cause: "Because.".to_owned(),
            remedy: "Ask.".to_owned(),
            detail: String::new(),
        };
        for one in [
            Fault::from(refusal),
            Fault::MethodNotFound("x.Y".to_owned()),
            Fault::InvalidParameter("z".to_owned()),
            Fault::ExpectedMore,
            Fault::PermissionDenied,
        ] {
            let message = fault(&one).unwrap();
            let body = message.strip_suffix(&[0]).unwrap();
            assert_eq!(read_reply::<Done>(body).unwrap().unwrap_err(), one);
        }
    }
}
