//! What happens at the bench, told to whoever watches: panel, shells, logs.
//!
//! No event holds a secret or a code.

use std::time::Duration;

use keys::device::ProofWay;
use station::engine::enrollment::Outcome;
use station::engine::step::Phase;
use station::token::TokenSerial;

/// Something that happened to the key in one port.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where, as a USB port path.
    pub port: String,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// The enrollment entered a phase.
    Entered(Phase),
    /// A step was carried out.
    Step(StepTime),
    /// The person at the desk is wanted: the key is to be touched.
    TouchWanted {
        /// How to touch it.
        way: ProofWay,
        /// How long the station waits.
        within: Duration,
        /// Which attempt this is, from 1.
        attempt: u8,
        /// How many there are.
        attempts: u8,
        /// How many codes of the key have not arrived whole so far.
        torn: u8,
    },
    /// A code came, or something that is none.
    Typed {
        /// Whether it could be a code of the wanted kind.
        fit: bool,
    },
    /// The key asks for a touch while it computes.
    KeyWaits {
        /// Whether it still does.
        waiting: bool,
    },
    /// The token counts and is its person's: the key may be pulled out. What is left to be done needs no key.
    Enrolled(TokenSerial),
    /// The enrollment is over.
    Ended(Box<Outcome>),
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTime {
    /// What was done: `inspect`, `register`, `journal planned` …
    pub step: String,
    pub phase: Phase,
    /// How long it took.
    pub took: Duration,
    /// What went wrong, in words without secrets.
    pub trouble: Option<String>,
}

/// Whoever wants to hear events. Called from the driver: must not block.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn saw(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> Watcher for F {
    fn saw(&self, event: Event) {
        self(event);
    }
}
