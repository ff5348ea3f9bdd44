//! What a flow asks of the world, one step at a time, and what comes back.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use keys::device::{Answer, KeyError, KeySerial, Operation, ProofWay, Slot};
use keys::secret::{AccessCode, Pin};
use zeroize::Zeroizing;

use crate::engine::phone::question::Question;
use crate::engine::phone::uri::PhoneCode;
use crate::engine::record::{EnrollmentId, Record};
use crate::engine::server::{Person, ServerAnswer, ServerCall, ServerFault};
use crate::token::TokenSerial;

/// Two clocks, as arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Since any fixed instant; never goes back. Deadlines are in it.
    pub monotonic: Duration,
    /// Since 1970-01-01T00:00:00Z, as far as the station knows. Journal and receipts carry it.
    pub unix: Duration,
}

/// What is to be done next.
pub enum Step {
    /// Read what the journal knows of a key. Answered by [`StepResult::Recalled`].
    Recall(KeySerial),
    /// Write a record so that it survives a power cut. Answered by
    /// [`StepResult::Recorded`] or [`StepResult::NotRecorded`].
    Record(Box<Record>),
    /// Ask something of the key. Answered by [`StepResult::Key`].
    Key(Operation),
    /// Wait for the key to type a code. Codes typed before this step do not count.
    /// Answered by [`StepResult::Typed`].
    AwaitTyped {
        /// Which touch makes the wanted slot type.
        way: ProofWay,
        /// When to stop waiting (monotonic).
        until: Duration,
        /// Which attempt this is, from 1.
        attempt: u8,
        /// How many there are.
        attempts: u8,
        /// How many codes have not arrived whole so far. They are asked for again.
        torn: u8,
    },
    /// Ask something of the server. Answered by [`StepResult::Server`].
    Server(ServerCall),
    /// Put a secret into the hand-over file, encrypted for whoever it is meant for, so that it
    /// survives a power cut. Answered by [`StepResult::Recorded`] or [`StepResult::NotRecorded`].
    HandOver(Box<HandOver>),
    /// Show a secret to the person at the terminal, for a phone to read. Answered by
    /// [`StepResult::Recorded`] or [`StepResult::NotRecorded`].
    ShowPhone(Box<PhoneCode>),
    /// Ask the operator. Answered by [`StepResult::Answered`].
    AskOperator {
        question: Question,
        /// When to stop waiting (monotonic).
        until: Duration,
    },
    /// Let time pass. Answered by [`StepResult::Waited`].
    Wait {
        /// When to come back (monotonic).
        until: Duration,
    },
}

/// What a person gets besides the key. The secrets in it are not for logs and not for the
/// disk as they are.
pub struct HandOver {
    pub key: KeySerial,
    /// The slot in it.
    pub slot: Slot,
    pub token: TokenSerial,
    pub enrollment: EnrollmentId,
    /// Whose token it is.
    pub person: Option<Person>,
    /// What opens the slot from now on.
    pub access_code: Option<Arc<AccessCode>>,
    /// The PIN of the key's administrator from now on; the one before, should the key
    /// not get it any more.
    pub admin_pin: Option<Arc<Pin>>,
    /// The token's PIN, where the station made it up.
    pub pin: Option<Arc<Pin>>,
}

impl HandOver {
    /// What belongs to the enrollment of a record, still without a secret.
    pub fn of(record: &Record) -> Self {
        Self {
            key: record.key,
            slot: record.slot,
            token: record.token.clone(),
            enrollment: record.enrollment,
            person: record.person.clone(),
            access_code: None,
            admin_pin: None,
            pin: None,
        }
    }
}

/// What came of a [`Step`].
pub enum StepResult {
    /// What the journal has: the newest record of each enrollment of that key, oldest first.
    Recalled(Vec<Record>),
    /// It is on the disk.
    Recorded,
    /// It is not on the disk, for the reason given.
    NotRecorded(String),
    /// What the key said.
    Key(Result<Answer, KeyFault>),
    Typed(Result<Typed, KeyFault>),
    /// What the server said.
    Server(Result<ServerAnswer, ServerFault>),
    /// What the operator typed; `None` when nothing came in time.
    Answered(Option<Zeroizing<String>>),
    /// The time has passed.
    Waited,
}

/// What became of waiting for typing.
pub enum Typed {
    /// A whole code; it is the key's one-time password, so it is wiped and never shown in a log.
    Code(Zeroizing<String>),
    /// Something that cannot be a code of this kind (too short, too long, other characters).
    Unfit,
    /// Nothing came in time.
    Nothing,
}

/// Why a step with the key failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It was pulled out, or it vanished from the bus.
    #[error("the key is gone")]
    Gone,
    /// It is there, but its transport failed.
    #[error("the key cannot be reached: {0}")]
    Unreachable(String),
    /// It answers, but too late each time.
    #[error("the key is too slow: {0}")]
    Slow(String),
    /// It answered, and the answer is an error.
    #[error(transparent)]
    Protocol(#[from] KeyError),
}

/// Where a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Finding out what the key is.
    Inspecting,
    /// Asking journal and server whether the enrollment can succeed.
    Checking,
    /// Making the token at the server.
    Registering,
    /// Writing the slot.
    Writing,
    /// Waiting for the key's code and having it checked.
    Proving,
    /// Letting the token count.
    Finishing,
    /// Writing down what was done: the token counts and is its person's, and the key is not needed any more.
    Noting,
    /// Taking everything back.
    Undoing,
    /// Putting right what an earlier enrollment left.
    Recovering,
}

impl Phase {
    /// All phases, in the order of an enrollment.
    pub const ALL: [Self; 9] = [
        Self::Inspecting,
        Self::Checking,
        Self::Registering,
        Self::Writing,
        Self::Proving,
        Self::Finishing,
        Self::Noting,
        Self::Undoing,
        Self::Recovering,
    ];

    /// The word for it in JSON and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inspecting => "inspecting",
            Self::Checking => "checking",
            Self::Registering => "registering",
            Self::Writing => "writing",
            Self::Proving => "proving",
            Self::Finishing => "finishing",
            Self::Noting => "noting",
            Self::Undoing => "undoing",
            Self::Recovering => "recovering",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
