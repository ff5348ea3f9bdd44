//! What others see of the scheduler: snapshots and events, without secrets and codes.

use std::time::Duration;

use keys::device::{KeyInfo, KeySerial};
use station::engine::enrollment::Outcome;
use station::engine::mode::{Mode, Wait, Why};
use station::engine::record::{Actor, Record};
use station::engine::run::{Aside, KeyResult, Progress, RunId, RunPlan, RunState};
use station::engine::server::Person;
use station::engine::step::Phase;
use station::refusal::Refusal;
use station::token::TokenSerial;

use super::{Selector, TicketId};
use crate::driver::Report;
use crate::event::Event;

/// Everything as it is at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the station does by itself.
    pub mode: Mode,
    /// Whether there is a server to speak to.
    pub server: bool,
    /// Whether the station is shutting down.
    pub stopping: bool,
    /// Why ports are not watched any more.
    pub lost: Option<String>,
    /// Every port that something is in, by port path.
    pub ports: Vec<PortView>,
    /// The present run.
    pub run: Option<RunView>,
    /// Enrollments that recovery could not put right yet.
    pub unsettled: Vec<Unsettled>,
    /// What operators ordered and what waits for its key, oldest first.
    pub orders: Vec<OrderView>,
    /// What was done since the start.
    pub tally: Tally,
}

/// An order that waits for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// Its number.
    pub ticket: TicketId,
    /// What is to be done: `enroll`, `verify`, `release`, `swap`, `wipe`, `check`.
    pub what: &'static str,
    pub key: Selector,
    pub profile: Option<String>,
    pub person: Option<Person>,
    /// Who ordered it.
    pub by: Actor,
    /// For how long it has waited.
    pub waited: Duration,
    /// How much longer it waits; `None` where that is not limited.
    pub left: Option<Duration>,
    /// Whether it goes on without its client.
    pub detached: bool,
}

/// One port that something is in.
#[derive(Debug, Clone)]
pub struct PortView {
    /// Which, as a USB port path.
    pub port: String,
    /// What the key is, as soon as that is known.
    pub key: Option<KeyInfo>,
    /// What is done there.
    pub doing: Doing,
    /// For how long.
    pub since: Duration,
    /// Whether what is plugged in is no key, such as a mouse.
    pub stranger: bool,
    /// The touch that is wanted.
    pub touch: Option<Touch>,
    /// Whom the token is for that is made here.
    pub person: Option<Person>,
    /// What did not come back when the enrollment here was taken back.
    pub gone: Option<Gone>,
}

/// What does not come back although an enrollment did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The token that the key had.
    Token,
    /// The maker's Yubico OTP.
    MakersOtp,
}

impl Gone {
    /// What of it an enrollment took.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match (outcome.gone.is_some(), outcome.given_up.is_some()) {
            (true, _) => Some(Self::Token),
            (_, true) => Some(Self::MakersOtp),
            _ => None,
        }
    }
}

/// A touch that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// How long the station waits for it.
    pub within: Duration,
    /// Which attempt this is, from 1.
    pub attempt: u8,
    /// How many there are.
    pub attempts: u8,
    /// How many codes of the key have not arrived whole so far.
    pub torn: u8,
}

/// What is done in a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Finding out what the key is.
    Inspecting,
    /// Nothing: it is no key, or a key that cannot be spoken to.
    Nothing(Refusal),
    /// Waiting for something.
    Waiting(Wait),
    /// Waiting until the same key is done with elsewhere: it was moved, or recovery works on it.
    SameKey,
    /// Waiting until fewer keys are in work.
    Queued,
    /// Putting right what an earlier enrollment left.
    Settling,
    /// It is being enrolled.
    Working {
        why: Why,
        profile: String,
        /// How far it has come.
        phase: Phase,
        /// Who lets it happen.
        by: Actor,
        /// The wish it goes back to.
        ticket: Option<TicketId>,
    },
    /// It is being released: its token is deleted and its slot emptied.
    Releasing,
    /// Its code is being checked.
    Verifying,
    /// Its slots are exchanged, or one is emptied.
    Rearranging,
    /// Its token counts and is its person's: it may be pulled out. What is left to be done needs no key.
    Enrolled(TokenSerial),
    /// It was enrolled, and all that belongs to it is done.
    Done(TokenSerial),
    Released,
    /// It answers for its token, or not.
    Verified(Result<(), Refusal>),
    /// It was not enrolled.
    Refused {
        /// `refused`, `undone`, `quarantined` or `postponed`.
        ending: &'static str,
        refusal: Refusal,
    },
}

/// A run and how it stands.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// What was asked for.
    pub plan: RunPlan,
    /// Whether it takes keys.
    pub state: RunState,
    /// Who began it.
    pub by: Actor,
    /// When it was begun, since 1970.
    pub begun: Duration,
    /// For how long it has taken keys.
    pub active: Duration,
    /// The run in numbers.
    pub progress: Progress,
    /// Every key that came, with what became of it.
    pub results: Vec<(KeySerial, KeyResult)>,
    /// The keys in work, each with its line of the list.
    pub in_work: Vec<(KeySerial, Option<u32>)>,
    /// The lines of the list that get no key for now.
    pub aside: Vec<(u32, Aside)>,
    /// The line that the next key gets.
    pub next: Option<u32>,
    /// Whether it was paused since too many lines in a row were set aside.
    pub stalled: bool,
}

/// An enrollment that is neither done nor undone, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    pub key: KeySerial,
    pub token: TokenSerial,
    /// What stands in the way.
    pub refusal: Refusal,
}

/// How many enrollments ended how since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Enrolled.
    pub done: u64,
    /// Refused or taken back.
    pub refused: u64,
    /// To be inserted again, or postponed.
    pub quarantined: u64,
}

/// An enrollment that is over.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Where the key was.
    pub port: String,
    /// Whether it is still there; else another may be in that port by now.
    pub there: bool,
    /// Why it was enrolled.
    pub why: Why,
    /// Who let it happen.
    pub by: Actor,
    /// The profile's name.
    pub profile: String,
    /// The run it belonged to.
    pub run: Option<RunId>,
    /// How it ended, and every step.
    pub report: Report,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum SchedulerEvent {
    /// A key was plugged in.
    Arrived { port: String },
    /// It is known what the key is.
    Recognised { port: String, key: Box<KeyInfo> },
    /// What was in the port is gone.
    Left { port: String },
    /// Something else is done in the port than before.
    Doing { port: String, doing: Doing },
    /// A step of an enrollment.
    Step(Event),
    /// An enrollment is over.
    Ended(Box<Ended>),
    /// Other orders wait than before: all that wait now.
    Orders(Vec<OrderView>),
    /// The present run stands otherwise than before.
    Run(Box<RunView>),
    /// The station does something else by itself than before.
    Mode {
        mode: Mode,
        /// Who wanted it; `None` when a login unlocked the station.
        by: Option<Actor>,
    },
    /// There is a server now, or none any more.
    Server(bool),
    /// Recovery put an enrollment right, or could not.
    Settled {
        /// Its newest record.
        record: Box<Record>,
        /// What still stands in the way; `None` when all is well.
        left: Option<Refusal>,
    },
    /// Ports are not watched any more.
    Lost(String),
    /// The journal or the receipts cannot be written; nothing is begun meanwhile.
    Storage(String),
}
