//! What all conversations with a YubiKey share: which reply is due, and how
//! often to look again.

use core::time::Duration;

use crate::conversation::{Reply, Report, Request, Turn};
use crate::device::KeyError;
use crate::yubikey::report::KeyReport;

/// Remembers which reply is due, and takes no other.
#[derive(Default)]
pub(super) struct Port {
    due: Due,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Due {
    #[default]
    Start,
    Sent,
    Report,
    Silence,
}

/// What happened since the last turn.
pub(super) enum Event {
    Started,
    Sent,
    Shown(KeyReport),
    Rested,
}

impl Port {
    pub(super) fn take(&mut self, reply: Option<Reply>) -> Result<Event, KeyError> {
        match (self.due, reply) {
            (Due::Start, None) => Ok(Event::Started),
            (Due::Sent, Some(Reply::Sent)) => Ok(Event::Sent),
            (Due::Silence, Some(Reply::Silence)) => Ok(Event::Rested),
            (Due::Report, Some(Reply::Report(report))) => report
                .bytes()
                .try_into()
                .map(|bytes: &[u8; 8]| Event::Shown(KeyReport::parse(bytes)))
                .map_err(|_| KeyError::Garbled("a feature report that is not eight bytes long")),
            (_, None) => Err(KeyError::Confused("a reply is missing")),
            (_, Some(_)) => Err(KeyError::Confused("a reply that was not asked for")),
        }
    }

    /// Asks for the report that the key shows.
    pub(super) fn read<T>(&mut self) -> Turn<T> {
        self.due = Due::Report;
        Turn::Do(Request::GetFeature { length: 8 })
    }

    pub(super) fn write<T>(&mut self, report: &[u8; 8]) -> Turn<T> {
        self.due = Due::Sent;
        Turn::Do(Request::SetFeature(Report::short(report)))
    }

    pub(super) fn rest<T>(&mut self, until: Duration) -> Turn<T> {
        self.due = Due::Silence;
        Turn::Do(Request::Wait { until })
    }
}

/// How long to wait between looks: 1 ms at first, twice as long each time up
/// to a limit, until a deadline.
pub(super) struct Pace {
    step: Duration,
    longest: Duration,
    deadline: Duration,
    allowed: Duration,
    /// A second bound, for a driver whose clock stands still.
    looks_left: u16,
}

impl Pace {
    /// For `allowed` from `now`, with at most 50 ms between two looks.
    pub(super) fn begin(now: Duration, allowed: Duration) -> Self {
        Self {
            step: Duration::from_millis(1),
            longest: Duration::from_millis(50),
            deadline: now.saturating_add(allowed),
            allowed,
            looks_left: 100,
        }
    }

    /// For waits that a person ends: one look every 100 ms.
    pub(super) fn begin_slowly(now: Duration, allowed: Duration) -> Self {
        let step = Duration::from_millis(100);
        Self { step, longest: step, looks_left: 1000, ..Self::begin(now, allowed) }
    }

    /// When to look again, or that it has taken too long.
    pub(super) fn next(&mut self, now: Duration) -> Result<Duration, KeyError> {
        self.looks_left = self.looks_left.saturating_sub(1);
        if now >= self.deadline || self.looks_left == 0 {
            return Err(KeyError::TimedOut(self.allowed));
        }
        let until = now.saturating_add(self.step).min(self.deadline);
        self.step = (self.step * 2).min(self.longest);
        Ok(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_get_rarer_until_the_deadline() {
        let allowed = Duration::from_millis(1200);
        let mut pace = Pace::begin(Duration::from_secs(5), allowed);
        let mut now = Duration::from_secs(5);
        let mut steps = Vec::new();
        while let Ok(until) = pace.next(now) {
            steps.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(steps[..8], [1, 2, 4, 8, 16, 32, 50, 50]);
        assert_eq!(now, Duration::from_millis(6200));
        assert!(steps.len() < 40);
        assert_eq!(pace.next(now), Err(KeyError::TimedOut(allowed)));
    }

    #[test]
    fn a_clock_that_stands_still_ends_it_too() {
        let mut pace = Pace::begin(Duration::ZERO, Duration::from_secs(1));
        assert!((0..100).any(|_| pace.next(Duration::ZERO).is_err()));
    }

    #[test]
    fn only_the_reply_that_is_due_is_taken() {
        let mut port = Port::default();
        assert!(matches!(port.take(Some(Reply::Sent)), Err(KeyError::Confused(_))));
        let _: Turn<()> = port.read();
        assert!(matches!(port.take(Some(Reply::Silence)), Err(KeyError::Confused(_))));
        assert!(matches!(port.take(None), Err(KeyError::Confused(_))));
        let short = Report::new(&[0; 7]).unwrap();
        assert!(matches!(port.take(Some(Reply::Report(short))), Err(KeyError::Garbled(_))));
    }
}
