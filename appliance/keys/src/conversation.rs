//! How a protocol is spoken without doing the I/O.
//!
//! A driver asks a [`Conversation`] for its next [`Turn`], does what the turn
//! says, and comes back with the [`Reply`]. Time is an argument: `now` is a
//! duration since any fixed instant, the same for the whole conversation.
//!
//! When the device is gone or an operation fails at the rim, the driver drops
//! the conversation; there is no reply for that, because no protocol here can
//! go on without its device.

use core::time::Duration;

use zeroize::Zeroizing;

use crate::bytes::joined_padded;
use crate::device::{Answer, KeyError};

/// The bytes of one HID report or packet, without a report id: up to 64.
/// They may carry a secret, so they are wiped and have no `Debug`.
pub struct Report {
    bytes: Zeroizing<[u8; 64]>,
    /// Never more than 64.
    length: usize,
}

impl Report {
    /// Takes up to 64 bytes; longer input is no report.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut own = Zeroizing::new([0; 64]);
        own.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: own, length: bytes.len() })
    }

    /// A report of eight bytes, as YubiKeys use.
    pub fn short(bytes: &[u8; 8]) -> Self {
        Self { bytes: joined_padded(bytes), length: 8 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What the driver is to do next.
pub enum Request {
    /// HID SET_REPORT(Feature). Answered by [`Reply::Sent`].
    SetFeature(Report),
    /// HID GET_REPORT(Feature) of so many bytes. Answered by [`Reply::Report`].
    GetFeature {
        /// 8 (YubiKey) or 64 (Nitrokey Pro).
        length: usize,
    },
    /// One interrupt OUT packet (CTAPHID). Answered by [`Reply::Sent`].
    Out(Report),
    /// The next interrupt IN packet, or silence when none came by `until`.
    /// Answered by [`Reply::Report`] or [`Reply::Silence`].
    In {
        /// When to stop waiting.
        until: Duration,
    },
    /// Let time pass. Answered by [`Reply::Silence`].
    Wait {
        /// When to come back.
        until: Duration,
    },
}

/// What came of a [`Request`].
pub enum Reply {
    /// The report or packet was sent.
    Sent,
    /// The report or packet that was read.
    Report(Report),
    /// The time given passed.
    Silence,
}

/// One turn of a conversation.
pub enum Turn<T> {
    /// Do this, then call [`Conversation::turn`] with the reply.
    Do(Request),
    /// The conversation is over; it must not be called again.
    Done(T),
}

/// Something a person should know while a conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The key waits for a touch, for so many more seconds.
    TouchWanted {
        /// As the key says it; 0 when it does not say.
        seconds_left: u8,
    },
}

/// A conversation that does one operation, whose type does not matter to the driver.
pub type BoxedConversation = Box<dyn Conversation<Output = Answer> + Send>;

/// A protocol exchange that ends in an `Output` or in a [`KeyError`].
pub trait Conversation {
    /// What is known at the end.
    type Output;

    /// Takes the reply to the previous turn (`None` on the first call) and says
    /// what to do next. After an error the conversation is over.
    ///
    /// A reply that does not fit the request is [`KeyError::Confused`], never a panic.
    fn turn(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<Self::Output>, KeyError>;

    /// What the person at the desk should do while this goes on.
    fn hint(&self) -> Option<Hint> {
        None
    }
}
