//! What the scheduler and the engine say, in the words of the control interface.

use std::time::Duration;

use control::types::{
    Activity, Counts, Ending as Ended, Event, EventKind, Finger, Finished, Key, KeyEnrollment, Mode as Told,
    Outcome, Port, Problem, Run, RunState as RunTold, Slot, SlotContent, Step, Touch,
};
use jiff::Timestamp;
use keys::device::{KeyInfo, Occupancy, ProofWay};
use station::engine::enrollment::Ending;
use station::engine::mode::{Mode, Wait};
use station::engine::record::{Record, State};
use station::engine::run::{RunState, Target};

use super::credential::{at, now};
use super::refuse::told;
use dispatch::driver::Report;
use dispatch::event::What;
use dispatch::scheduler::{Doing, PortView, RunView, SchedulerEvent};

pub(super) fn mode(mode: Mode) -> Told {
    match mode {
        Mode::Armed => Told::Armed,
        Mode::Attended => Told::Attended,
        Mode::Locked => Told::Locked,
    }
}

pub(super) fn mode_of(mode: Told) -> Mode {
    match mode {
        Told::Armed => Mode::Armed,
        Told::Attended => Mode::Attended,
        Told::Locked => Mode::Locked,
    }
}

/// What is wrong with a configuration, and where.
pub(super) fn problem(found: crate::config::Problem) -> Problem {
    Problem {
        line: found.place.and_then(|(line, _)| i64::try_from(line).ok()),
        column: found.place.and_then(|(_, column)| i64::try_from(column).ok()),
        field: Some(found.field).filter(|field| !field.is_empty()),
        text: found.text,
        remedy: found.remedy,
    }
}

pub(super) fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn milliseconds(time: Duration) -> i64 {
    whole(time.as_millis())
}

/// A key as far as it is known; its slots as the journal knows them.
pub(super) fn key(info: &KeyInfo, port: Option<&str>, records: &[Record]) -> Key {
    let slots = info.slots.iter().map(|state| {
        let of_slot = |record: &&Record| record.slot == state.slot && !record.token.is_trial();
        let last = records.iter().rev().filter(of_slot).find(|record| record.state != State::Undone);
        let content = match (last.map(|record| record.state), state.occupancy) {
            (Some(State::Done), Occupancy::Occupied) => SlotContent::Ours,
            (Some(State::Done), Occupancy::Empty) | (None, Occupancy::Empty) => SlotContent::Empty,
            (Some(_), _) => SlotContent::Unsettled,
            (None, Occupancy::Occupied) => SlotContent::Foreign,
        };
        let kind = match state.abilities.as_slice() {
            [only] => Some(format!("{:?}", only.kind).to_lowercase()),
            _ => None,
        };
        Slot {
            slot: i64::from(state.slot.0),
            kind,
            content,
            token: last.filter(|_| content != SlotContent::Empty).map(|record| record.token.to_string()),
        }
    });
    Key {
        serial: info.serial.map(|serial| serial.to_string()),
        model: info.model.clone(),
        firmware: info.firmware.to_string(),
        port: port.map(str::to_owned),
        slots: slots.collect(),
    }
}

pub(super) fn enrollment(record: &Record) -> KeyEnrollment {
    KeyEnrollment {
        enrollment: record.enrollment.to_string(),
        state: record.state.word().to_owned(),
        at: at(record.at),
        token: record.token.to_string(),
        slot: i64::from(record.slot.0),
        profile: record.profile.clone(),
        person: record.person.as_ref().map(ToString::to_string),
        operator: record.actor.to_string(),
        reason: record.reason.map(|code| code.to_string()),
    }
}

/// The moment that was so long ago.
pub(super) fn ago(time: Duration) -> Timestamp {
    now()
        .checked_sub(jiff::SignedDuration::try_from(time).unwrap_or_default())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn port(view: &PortView) -> Port {
    Port {
        since: ago(view.since),
        key: view.key.as_ref().map(|info| key(info, Some(&view.port), &[])),
        ..doing(&view.port, &view.doing)
    }
}

/// The number that a person reads beside the socket.
fn number(path: &str) -> Option<i64> {
    crate::display::port(path).map(|port| i64::from(port.number()))
}

/// What is done in a port, as far as that alone tells.
pub(super) fn doing(path: &str, doing: &Doing) -> Port {
    let mut port = Port {
        port: path.to_owned(),
        number: number(path),
        activity: Activity::Idle,
        since: now(),
        key: None,
        ticket: None,
        phase: None,
        outcome: None,
        text: None,
    };
    let waiting = |text: &str| (Activity::Waiting, Some(text.to_owned()));
    (port.activity, port.text) = match doing {
        Doing::Inspecting => (Activity::Working, Some("finding out what it is".to_owned())),
        Doing::Nothing(refusal) => (Activity::Stranger, Some(refusal.to_string())),
        Doing::Waiting(Wait::Locked) => waiting("for the station to be unlocked"),
        Doing::Waiting(Wait::Credential) => waiting("for a server login"),
        Doing::Waiting(Wait::Operator) => (Activity::Idle, None),
        Doing::Waiting(Wait::Run) => waiting("for the rest of the run"),
        Doing::SameKey => waiting("for the same key to be done with elsewhere"),
        Doing::Queued => waiting("for its turn"),
        Doing::Settling => (Activity::Working, Some("putting right what was left".to_owned())),
        Doing::Working { profile, phase, by, .. } => {
            port.phase = Some(phase.word().to_owned());
            (Activity::Working, Some(format!("{profile}, for {by}")))
        }
        Doing::Releasing => (Activity::Working, Some("being released".to_owned())),
        Doing::Rearranging => (Activity::Working, Some("its slots are being changed".to_owned())),
        Doing::Verifying => (Activity::Working, Some("being asked for a code".to_owned())),
        Doing::Released => (Activity::Done, Some("released".to_owned())),
        Doing::Verified(Ok(())) => (Activity::Done, Some("it answers for its token".to_owned())),
        Doing::Verified(Err(refusal)) => (Activity::Refused, Some(refusal.to_string())),
        Doing::Enrolled(token) | Doing::Done(token) => (Activity::Done, Some(token.to_string())),
        Doing::Refused { ending, refusal } => {
            let activity = if *ending == "quarantined" { Activity::Quarantined } else { Activity::Refused };
            (activity, Some(format!("{ending}: {refusal}")))
        }
    };
    port
}

pub(super) fn run(view: &RunView) -> Run {
    let progress = &view.progress;
    let (target, next) = match &view.plan.target {
        Target::Count(count) => (Some(i64::from(*count)), None),
        Target::List(list) => {
            let next = view.next.and_then(|line| list.get(line as usize)?.person());
            (Some(whole(list.len())), next.map(|person| person.to_string()))
        }
        _ => (None, None),
    };
    let trouble = view.stalled.then(|| "it was paused: too many lines in a row were set aside".to_owned());
    Run {
        run: view.id.0,
        name: view.plan.name.clone(),
        state: run_state(view.state),
        profile: view.plan.profile.clone(),
        target,
        counts: Counts {
            enrolled: i64::from(progress.done),
            refused: i64::from(progress.refused),
            undone: 0,
            quarantined: i64::from(progress.quarantined),
            postponed: 0,
        },
        next,
        next_line: view.next.map(|line| i64::from(line) + 1),
        aside: Some(i64::from(progress.aside)).filter(|_| matches!(view.plan.target, Target::List(_))),
        trouble,
        started: at(view.begun),
        ended: ended(view).map(at),
        operator: view.by.to_string(),
        per_hour: progress.per_hour.filter(|rate| rate.is_finite()).map(|rate| {
            #[allow(clippy::cast_possible_truncation)] // A rate of keys an hour is small.
            let rate = rate.round() as i64;
            rate
        }),
    }
}

/// When a run ended: at its last key. When an operator stopped it, nobody wrote down.
fn ended(view: &RunView) -> Option<Duration> {
    let last = || view.results.iter().map(|(_, result)| result.at).max();
    (view.state == RunState::Finished).then(last).flatten()
}

const fn run_state(state: RunState) -> RunTold {
    match state {
        RunState::Running => RunTold::Running,
        RunState::Paused => RunTold::Paused,
        RunState::Stopped => RunTold::Stopped,
        _ => RunTold::Finished,
    }
}

/// How an enrollment ended; what only the scheduler knows is left out.
pub(super) fn outcome(outcome: &station::engine::enrollment::Outcome) -> Outcome {
    let proof = match &outcome.ending {
        Ending::Enrolled(proof) => Some(proof),
        _ => None,
    };
    let ending = match &outcome.ending {
        Ending::Enrolled(_) => Ended::Enrolled,
        Ending::Refused(_) => Ended::Refused,
        Ending::Undone(_) => Ended::Undone,
        Ending::Quarantined(_) => Ended::Quarantined,
        Ending::Released => Ended::Released,
        Ending::Postponed(_) => Ended::Postponed,
    };
    Outcome {
        ending,
        refusal: outcome.ending.refusal().map(told),
        enrollment: outcome.enrollment.to_string(),
        key: outcome.key.as_ref().and_then(|key| key.serial).map(|serial| serial.to_string()),
        model: outcome.key.as_ref().map(|key| key.model.clone()),
        firmware: outcome.key.as_ref().map(|key| key.firmware.to_string()),
        token: outcome.token.as_ref().map(ToString::to_string),
        profile: None,
        person: None,
        counter: proof.map(|proof| whole(proof.counter)),
        attempts: proof.map(|proof| i64::from(proof.attempts)),
        receipt: None,
        server: outcome.server.clone(),
        took_ms: 0,
        in_the_way: outcome.in_the_way.as_deref().map(finished),
        gone: outcome.gone.as_deref().map(finished),
        given_up: outcome.given_up.clone(),
    }
}

/// A finished enrollment, as far as people want to know of it.
fn finished(record: &Record) -> Finished {
    Finished {
        token: record.token.to_string(),
        person: record.person.as_ref().map(ToString::to_string),
        proven: at(record.at),
    }
}

/// The outcome of an enrollment that never had a report: it was refused before it began.
pub(super) fn refused(refusal: &station::refusal::Refusal) -> Outcome {
    Outcome {
        ending: Ended::Refused,
        refusal: Some(told(refusal)),
        enrollment: String::new(),
        key: None,
        model: None,
        firmware: None,
        token: None,
        profile: None,
        person: None,
        counter: None,
        attempts: None,
        receipt: None,
        server: None,
        took_ms: 0,
        in_the_way: None,
        gone: None,
        given_up: None,
    }
}

pub(super) fn report(report: &Report) -> Outcome {
    let took: Duration = report.steps.iter().map(|step| step.took).sum();
    Outcome { took_ms: milliseconds(took), ..outcome(&report.outcome) }
}

/// What happened, when it is for shells.
pub(super) fn event(event: &SchedulerEvent) -> Option<Event> {
    // Recovery works without a key, and so without a port.
    let of = |kind, port: &str| Event {
        port: Some(port.to_owned()).filter(|port| !port.is_empty()),
        ..Event::new(now(), kind)
    };
    Some(match event {
        SchedulerEvent::Arrived { port } => of(EventKind::Arrived, port),
        SchedulerEvent::Recognised { port, key: info } => {
            Event { key: Some(key(info, Some(port), &[])), ..of(EventKind::Arrived, port) }
        }
        SchedulerEvent::Left { port } => of(EventKind::Left, port),
        SchedulerEvent::Doing { port, doing: what } => {
            let now = doing(port, what);
            match what {
                Doing::Nothing(refusal) => {
                    Event { text: Some(refusal.to_string()), now: Some(now), ..of(EventKind::Stranger, port) }
                }
                Doing::Working { phase, .. } => Event {
                    phase: Some(phase.word().to_owned()),
                    now: Some(now),
                    ..of(EventKind::Phase, port)
                },
                _ => Event { text: now.text.clone(), now: Some(now), ..of(EventKind::Note, port) },
            }
        }
        SchedulerEvent::Step(told) => match &told.what {
            What::Entered(phase) => {
                Event { phase: Some(phase.word().to_owned()), ..of(EventKind::Phase, &told.port) }
            }
            What::Step(step) => Event {
                step: Some(Step {
                    step: step.step.clone(),
                    phase: step.phase.word().to_owned(),
                    took_us: whole(step.took.as_micros()),
                    trouble: step.trouble.clone(),
                }),
                ..of(EventKind::Step, &told.port)
            },
            What::TouchWanted { way, within, attempt, attempts, torn } => Event {
                touch: Some(Touch {
                    finger: if *way == ProofWay::TypedLong { Finger::Long } else { Finger::Short },
                    within_ms: milliseconds(*within),
                    attempt: i64::from(*attempt),
                    attempts: i64::from(*attempts),
                    torn: (*torn > 0).then(|| i64::from(*torn)),
                }),
                ..of(EventKind::Touch, &told.port)
            },
            What::KeyWaits { waiting: true } => Event {
                touch: Some(Touch {
                    finger: Finger::Confirm,
                    within_ms: 15_000,
                    attempt: 1,
                    attempts: 1,
                    torn: None,
                }),
                ..of(EventKind::Touch, &told.port)
            },
            What::KeyWaits { waiting: false } | What::Typed { .. } => of(EventKind::Touched, &told.port),
            What::Enrolled(_) => return None,
            // It comes again, with more, when the scheduler is done with it.
            _ => return None,
        },
        SchedulerEvent::Ended(ended) => Event {
            outcome: Some(Outcome { profile: Some(ended.profile.clone()), ..report(&ended.report) }),
            text: Some(ended.by.to_string()),
            ..of(EventKind::Outcome, &ended.port)
        },
        SchedulerEvent::Orders(_) => Event::new(now(), EventKind::Orders),
        SchedulerEvent::Run(view) => Event { run: Some(run(view)), ..Event::new(now(), EventKind::Run) },
        SchedulerEvent::Mode { mode: new, by } => Event {
            mode: Some(mode(*new)),
            text: by.as_ref().map(ToString::to_string),
            ..Event::new(now(), EventKind::Mode)
        },
        SchedulerEvent::Server(_) => Event::new(now(), EventKind::Server),
        SchedulerEvent::Settled { record, left } => {
            let how = left.as_ref().map_or_else(|| "put right".to_owned(), ToString::to_string);
            let text = format!("unfinished enrollment of key {}, token {}: {how}", record.key, record.token);
            Event { text: Some(text), ..Event::new(now(), EventKind::Note) }
        }
        SchedulerEvent::Lost(why) => {
            let text = format!("the USB ports are not watched any more: {why}");
            Event { text: Some(text), ..Event::new(now(), EventKind::Note) }
        }
        SchedulerEvent::Storage(why) => {
            Event { text: Some(format!("nothing is enrolled: {why}")), ..Event::new(now(), EventKind::Note) }
        }
    })
}
