//! One port, and the work that is done for a key.

use std::task::{Context, Poll};
use std::time::Duration;

use keys::device::{KeyInfo, KeySerial};
use station::engine::check::Forecast;
use station::engine::mode::Why;
use station::engine::record::Actor;
use station::engine::run::RunId;
use station::engine::server::Person;
use station::engine::slots::Handled;
use station::engine::verify::Verified;
use station::refusal::Refusal;
use tokio::sync::{oneshot, watch};
use tokio::task;
use tokio::time::Instant;

use super::view::{Doing, Gone, Touch};
use super::{EnrollRequest, KeyRequest, Selector, TicketId};
use crate::driver::Report;
use crate::key_thread::Key;

/// A port that something is in.
pub(super) struct Port {
    /// Counts insertions: an answer about an earlier key in this port is told apart by it.
    pub(super) insertion: u64,
    /// The key, unless a task has it at the moment.
    pub(super) key: Option<Key>,
    /// What it is, as soon as that is known.
    pub(super) info: Option<KeyInfo>,
    /// What is done here.
    pub(super) doing: Doing,
    /// Since when (monotonic).
    pub(super) since: Duration,
    /// Whether this insertion has had its enrollment; only a wish begins another.
    pub(super) over: bool,
    /// Whether what an earlier enrollment left was looked at.
    pub(super) settled: bool,
    /// The task that has the key.
    pub(super) task: Option<task::Id>,
    /// Whether what is plugged in is no key.
    pub(super) stranger: bool,
    /// The touch that is wanted.
    pub(super) touch: Option<Touch>,
    /// Whom the token is for that is made here.
    pub(super) person: Option<Person>,
    /// What did not come back when the enrollment here was taken back.
    pub(super) gone: Option<Gone>,
}

impl Port {
    /// A port that a key was just plugged into.
    pub(super) fn new(insertion: u64, key: Option<Key>, doing: Doing, now: Duration) -> Self {
        Self {
            insertion,
            key,
            info: None,
            doing,
            since: now,
            over: false,
            settled: false,
            task: None,
            stranger: false,
            touch: None,
            person: None,
            gone: None,
        }
    }

    /// The key's serial, when it is known.
    pub(super) fn serial(&self) -> Option<KeySerial> {
        self.info.as_ref()?.serial
    }
}

/// Who waits for the end of an enrollment.
pub(super) type Waiter = oneshot::Sender<Result<Box<Report>, Refusal>>;

/// A wish that waits for its key.
pub(super) struct Pending {
    pub(super) id: TicketId,
    pub(super) request: EnrollRequest,
    pub(super) waiter: Waiter,
    /// Since when it waits (monotonic).
    pub(super) since: Duration,
    pub(super) until: Option<Instant>,
}

/// An errand that waits for its key: to be plugged in, or to be looked at.
pub(super) struct Postponed {
    pub(super) id: TicketId,
    pub(super) key_request: KeyRequest,
    pub(super) asked: Asked,
    /// Since when it waits (monotonic).
    pub(super) since: Duration,
    pub(super) until: Option<Instant>,
}

impl Postponed {
    /// Whether the key in `port` is meant.
    pub(super) fn means(&self, name: &str, port: &Port) -> bool {
        match &self.key_request.key {
            Selector::Next => port.info.is_some(),
            Selector::Port(wanted) => is_port(name, wanted),
            Selector::Serial(wanted) => port.serial().is_some_and(|serial| is_serial(serial, wanted)),
        }
    }
}

impl Pending {
    /// Whether the key in `port` is meant.
    pub(super) fn means(&self, name: &str, port: &Port) -> bool {
        match &self.request.key {
            Selector::Next => !port.over,
            Selector::Port(wanted) => is_port(name, wanted),
            Selector::Serial(wanted) => port.serial().is_some_and(|serial| is_serial(serial, wanted)),
        }
    }
}

/// The number that a person reads beside the socket: the last of the port path.
pub fn port_number(path: &str) -> Option<u8> {
    path.rsplit(['.', '-']).next()?.parse().ok().filter(|number| *number > 0)
}

/// Whether somebody means this port: by its path, or by the number beside the socket.
pub fn is_port(name: &str, wanted: &str) -> bool {
    let number = || port_number(name).map(|number| number.to_string());
    name == wanted || number().as_deref() == Some(wanted)
}

/// Whether somebody means this key. Leading zeros are often left out, and case is nobody's concern.
pub fn is_serial(serial: KeySerial, wanted: &str) -> bool {
    let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
    plain(&serial.to_string()) == plain(wanted)
}

/// What a task is about.
pub(super) struct Work {
    /// Where its key is or was; `None` for recovery, which needs no key.
    pub(super) place: Option<(String, u64)>,
    /// The serial that it has locked.
    pub(super) serial: Option<KeySerial>,
    /// The enrollment, when it is one.
    pub(super) begun: Option<Begun>,
    /// Who waits for a release or a verification, when it is one.
    pub(super) asked: Option<Asked>,
    /// How it is called off, when it can be.
    pub(super) cancel: Option<watch::Sender<bool>>,
    /// Whether it is of no account that nobody waits for its end: it was ordered so, or it was
    /// called off already.
    pub(super) unowned: bool,
}

impl Work {
    /// Whether this is what became of a wish.
    pub(super) fn has_ticket(&self, id: TicketId) -> bool {
        let ticket = self.begun.as_ref().and_then(|begun| begun.ticket.as_ref());
        ticket.is_some_and(|(ticket, _)| *ticket == id)
    }

    /// Whether whoever ordered it is gone; never when nobody did.
    pub(super) fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.unowned {
            return Poll::Pending;
        }
        let begun = self.begun.as_mut().and_then(|begun| begun.ticket.as_mut());
        match (begun, &mut self.asked) {
            (Some((_, waiter)), _) => waiter.poll_closed(context),
            (None, Some(asked)) => asked.poll_left(context),
            (None, None) => Poll::Pending,
        }
    }

    /// A task that cannot be called off, and that nobody waits for.
    pub(super) fn new(place: Option<(String, u64)>, serial: Option<KeySerial>) -> Self {
        Self { place, serial, begun: None, asked: None, cancel: None, unowned: false }
    }
}

/// Who waits for the end of an errand.
pub(super) enum Asked {
    Release(oneshot::Sender<Result<Box<Report>, Refusal>>),
    Verify(oneshot::Sender<Result<Box<Verified>, Refusal>>),
    Swap(oneshot::Sender<Result<Box<Handled>, Refusal>>),
    Wipe(oneshot::Sender<Result<Box<Handled>, Refusal>>),
    Check(String, oneshot::Sender<Result<Box<Forecast>, Refusal>>),
}

impl Asked {
    /// Whether whoever asked is gone.
    pub(super) fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Release(reply) => reply.poll_closed(context),
            Self::Verify(reply) => reply.poll_closed(context),
            Self::Swap(reply) | Self::Wipe(reply) => reply.poll_closed(context),
            Self::Check(_, reply) => reply.poll_closed(context),
        }
    }

    /// What it is called.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Release(_) => "release",
            Self::Verify(_) => "verify",
            Self::Swap(_) => "swap",
            Self::Wipe(_) => "wipe",
            Self::Check(..) => "check",
        }
    }

    /// Says that nothing came of it.
    pub(super) fn refuse(self, refusal: Refusal) {
        // Whoever asked may have gone.
        match self {
            Self::Release(reply) => drop(reply.send(Err(refusal))),
            Self::Verify(reply) => drop(reply.send(Err(refusal))),
            Self::Swap(reply) | Self::Wipe(reply) => drop(reply.send(Err(refusal))),
            Self::Check(_, reply) => drop(reply.send(Err(refusal))),
        }
    }
}

/// An enrollment that was begun.
pub(super) struct Begun {
    pub(super) why: Why,
    pub(super) by: Actor,
    pub(super) profile: String,
    pub(super) run: Option<RunId>,
    pub(super) ticket: Option<(TicketId, Waiter)>,
}
