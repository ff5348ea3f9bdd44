//! Ports as shells see them: what the scheduler knows, with what only the control service remembers.

use control::types::{Activity, Ending, Event, EventKind, Outcome, Port};
use station::engine::record::{Record, Remains, State};

use station::refusal::Code;

use super::translate::{doing, port, whole};
use super::{Memory, Service, lock};
use dispatch::event::What;
use dispatch::scheduler::{Doing, PortView, SchedulerEvent};

/// Codes of a port that did not arrive whole.
#[derive(Debug, Default)]
pub(super) struct Torn {
    /// Since the start.
    all: u64,
    /// Those of the proof that goes on.
    now: u8,
}

impl Torn {
    /// A code is asked for, and so many of this proof were torn before it.
    fn asked(&mut self, torn: u8) {
        // Fewer than before: it is another proof.
        let before = if torn < self.now { 0 } else { self.now };
        self.all += u64::from(torn.saturating_sub(before));
        self.now = torn;
    }
}

impl Memory {
    /// Counts codes that did not arrive whole.
    pub(super) fn note_torn(&mut self, event: &SchedulerEvent) {
        match event {
            SchedulerEvent::Step(told) => {
                if let What::TouchWanted { torn, .. } = told.what {
                    self.torn.entry(told.port.clone()).or_default().asked(torn);
                }
            }
            SchedulerEvent::Ended(ended) => {
                // The last one, after which nothing was asked for any more.
                let last = ended.report.outcome.ending.refusal();
                if last.is_some_and(|refusal| refusal.code == Code::CodeTorn) {
                    self.torn.entry(ended.port.clone()).or_default().all += 1;
                }
            }
            _ => {}
        }
    }

    /// Which ports codes did not arrive whole from, and how many.
    pub(super) fn torn(&self) -> Vec<(&str, u64)> {
        let torn = self.torn.iter().filter(|(_, torn)| torn.all > 0);
        torn.map(|(port, torn)| (port.as_str(), torn.all)).collect()
    }

    /// Counts how an enrollment ended.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.counted(outcome.ending, 1);
        if outcome.ending == Ending::Postponed {
            self.postponed.extend(outcome.token.clone());
        }
    }

    /// An enrollment that was postponed has come to its end, and is what it is now.
    pub(super) fn settled(&mut self, record: &Record) {
        let token = record.token.as_str();
        if !self.postponed.remove(token) {
            return;
        }
        let ending = match (record.state, record.remains) {
            (State::Done, _) => Ending::Enrolled,
            (_, Remains::Nothing) => Ending::Undone,
            _ => Ending::Quarantined,
        };
        self.counted(Ending::Postponed, -1);
        self.counted(ending, 1);
        let postponed = |outcome: &&mut Outcome| {
            outcome.ending == Ending::Postponed && outcome.token.as_deref() == Some(token)
        };
        for outcome in self.outcomes.values_mut().filter(postponed) {
            outcome.ending = ending;
            outcome.refusal = outcome.refusal.take().filter(|_| ending != Ending::Enrolled);
        }
    }

    fn counted(&mut self, ending: Ending, more: i64) {
        let counts = &mut self.counts;
        match ending {
            Ending::Enrolled => counts.enrolled += more,
            Ending::Refused => counts.refused += more,
            Ending::Undone => counts.undone += more,
            Ending::Quarantined => counts.quarantined += more,
            Ending::Postponed => counts.postponed += more,
            Ending::Released => {}
        }
    }

    /// A port with all that is known of it.
    pub(super) fn port(&self, view: &PortView) -> Port {
        let mut port = port(view);
        port.outcome = self.outcomes.get(&view.port).cloned();
        port.ticket = self.tickets.get(&view.port).copied().map(whole);
        if port.activity == Activity::Working && view.touch.is_some() {
            port.activity = Activity::Touch;
        }
        port
    }
}

impl Service {
    /// The event with how its port is now, when that is another than before.
    pub(super) async fn with_port(&self, mut event: Event) -> Event {
        let Some(path) = event.port.clone().filter(|_| moves(&event)) else { return event };
        let Some(snapshot) = self.scheduler.snapshot().await else { return event };
        let view = snapshot.ports.iter().find(|view| view.port == path);
        let mut now = match view {
            Some(view) => lock(&self.memory).port(view),
            None => Port { activity: Activity::Empty, text: None, ..doing(&path, &Doing::Inspecting) },
        };
        // What is remembered may be an event behind.
        now.activity = match (event.kind, now.activity) {
            (EventKind::Touch, Activity::Working) => Activity::Touch,
            (EventKind::Touched, Activity::Touch) => Activity::Working,
            (_, activity) => activity,
        };
        event.now = Some(now);
        event
    }
}

/// Whether a port is another after such an event.
const fn moves(event: &Event) -> bool {
    match event.kind {
        EventKind::Step => false,
        EventKind::Phase => event.now.is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_codes_are_counted_over_all_proofs_of_a_port() {
        let mut torn = Torn::default();
        for asked in [0, 1, 2, 2, 0, 1, 0, 0, 3] {
            torn.asked(asked);
        }
        assert_eq!(torn.all, 6);
    }
}
