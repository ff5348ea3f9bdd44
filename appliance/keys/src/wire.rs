//! What carries a conversation: the transport's side, and the loop between the two.
//!
//! A [`Wire`] is hidraw in the appliance and a twin in tests. A [`Clock`] is the
//! kernel's in the appliance and a number in the crash explorer. [`run`] is the
//! same for all of them.

use core::time::Duration;

use crate::conversation::{Conversation, Hint, Reply, Report, Request, Turn};
use crate::device::KeyError;

/// The reports of one plugged-in key. Every call may block as long as the
/// transport's own limit; none is repeated by the implementation.
pub trait Wire {
    /// Waits until the key can be spoken to: just after it was plugged in there may be
    /// nothing to open yet. Called before a conversation's time begins.
    fn ready(&mut self) -> Result<(), WireFault> {
        Ok(())
    }

    /// HID SET_REPORT(Feature), without report id.
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault>;

    /// HID GET_REPORT(Feature) of `length` bytes, without report id.
    fn feature(&mut self, length: usize) -> Result<Report, WireFault>;

    /// One interrupt OUT packet.
    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault>;

    /// The next interrupt IN packet, or `None` when none came within `timeout`.
    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault>;
}

/// Why a transport failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireFault {
    /// The key was pulled out.
    #[error("the key is gone")]
    Gone,
    /// It is there, but the transfer failed.
    #[error("the transfer failed: {0}")]
    Failed(String),
    /// It answers, but each time so late that a conversation has no end in sight.
    #[error("each of its last {MOST_LATE} answers took longer than {} s", LATE.as_secs())]
    Slow,
}

/// A healthy key answers a report within milliseconds. Now and then one is held up for seconds: all of Linux's hidraw waits for a
/// transfer to another key that hangs.
const LATE: Duration = Duration::from_secs(1);

/// So many late answers in a row are the key's own doing.
const MOST_LATE: u8 = 5;

/// Time, for a conversation.
pub trait Clock {
    /// Since any fixed instant; never goes back.
    fn now(&self) -> Duration;

    /// Comes back at `until`, or later.
    fn wait_until(&mut self, until: Duration);
}

/// How a conversation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The transport failed.
    #[error(transparent)]
    Wire(#[from] WireFault),
    /// The key or the protocol failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Carries a conversation to its end. `on_hint` hears what the person at the desk
/// should do, each time that changes. A key that answers late again and again is given up: [`WireFault::Slow`].
pub fn run<T>(
    conversation: &mut (impl Conversation<Output = T> + ?Sized),
    wire: &mut (impl Wire + ?Sized),
    clock: &mut (impl Clock + ?Sized),
    mut on_hint: impl FnMut(Option<Hint>),
) -> Result<T, Failure> {
    wire.ready()?;
    let mut reply = None;
    let mut hint = None;
    let mut late = 0_u8;
    loop {
        let turn = conversation.turn(clock.now(), reply.take())?;
        if conversation.hint() != hint {
            hint = conversation.hint();
            on_hint(hint);
        }
        let asked = clock.now();
        let (answer, answers) = match turn {
            Turn::Done(output) => return Ok(output),
            Turn::Do(Request::SetFeature(report)) => {
                wire.set_feature(report.bytes())?;
                (Reply::Sent, true)
            }
            Turn::Do(Request::GetFeature { length }) => (Reply::Report(wire.feature(length)?), true),
            Turn::Do(Request::Out(packet)) => {
                wire.output(packet.bytes())?;
                (Reply::Sent, true)
            }
            Turn::Do(Request::In { until }) => match wire.input(until.saturating_sub(asked))? {
                // A key that waits for a finger is not late.
                Some(packet) => (Reply::Report(packet), hint.is_none()),
                None => (Reply::Silence, false),
            },
            Turn::Do(Request::Wait { until }) => {
                clock.wait_until(until);
                (Reply::Silence, false)
            }
        };
        if answers {
            late = if clock.now().saturating_sub(asked) < LATE { 0 } else { late.saturating_add(1) };
            if late >= MOST_LATE {
                return Err(WireFault::Slow.into());
            }
        }
        reply = Some(answer);
    }
}
