//! What a flow asks of the world, one step at a time, and what comes back.

use core::fmt;
use core::time::Duration;

use keys::device::{Answer, KeyError, KeySerial, Operation, ProofWay};
use zeroize::Zeroizing;

use crate::record::Record;
use crate::server::{ServerAnswer, ServerCall, ServerFault};

/// Two clocks, as arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Since any fixed instant; never goes back. Deadlines are in it.
    pub monotonic: Duration,
    /// Since 1970-01-01T00:00:00Z, as far as the station knows. Journal and receipts carry it.
    pub unix: Duration,
}

/// What is to be done next.
#[non_exhaustive]
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
    },
    /// Ask something of the server. Answered by [`StepResult::Server`].
    Server(ServerCall),
    /// Let time pass. Answered by [`StepResult::Waited`].
    Wait {
        /// When to come back (monotonic).
        until: Duration,
    },
}

/// What came of a [`Step`].
#[non_exhaustive]
pub enum StepResult {
    /// What the journal has: the newest record of each enrollment of that key, oldest first.
    Recalled(Vec<Record>),
    /// It is on the disk.
    Recorded,
    /// It is not on the disk, for the reason given.
    NotRecorded(String),
    /// What the key said.
    Key(Result<Answer, KeyFault>),
    /// What was typed.
    Typed(Result<Typed, KeyFault>),
    /// What the server said.
    Server(Result<ServerAnswer, ServerFault>),
    /// The time has passed.
    Waited,
}

/// What became of waiting for typing.
#[non_exhaustive]
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
#[non_exhaustive]
pub enum KeyFault {
    /// It was pulled out, or it vanished from the bus.
    #[error("the key is gone")]
    Gone,
    /// It is there, but its transport failed.
    #[error("the key cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, and the answer is an error.
    #[error(transparent)]
    Protocol(#[from] KeyError),
}

/// Where a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
    /// Taking everything back.
    Undoing,
    /// Putting right what an earlier enrollment left.
    Recovering,
}

impl Phase {
    /// All phases, in the order of an enrollment.
    pub const ALL: [Self; 8] = [
        Self::Inspecting,
        Self::Checking,
        Self::Registering,
        Self::Writing,
        Self::Proving,
        Self::Finishing,
        Self::Undoing,
        Self::Recovering,
    ];

    /// The word for it in JSON and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inspecting => "inspecting",
            Self::Checking => "checking",
            Self::Registering => "registering",
            Self::Writing => "writing",
            Self::Proving => "proving",
            Self::Finishing => "finishing",
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
