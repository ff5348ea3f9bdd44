//! Runs: named stretches of mass enrollment, as values.
//!
//! A run has a target: so many keys, or a list of people and keys, or none. It counts
//! *keys*, each once: a key that was refused and is enrolled later counts as
//! done, and one that is inserted again after it is done is recognised by its serial.
//! Who keeps the run writes every change down, so that it goes on after a restart.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keys::device::KeySerial;
use serde::{Deserialize, Serialize};

use crate::engine::outcome::Ending;
use crate::engine::record::{Actor, Record, Remains, State};
use crate::engine::server::Person;
use crate::refusal::{Code, Refusal};

mod lines;
mod plan;

pub use lines::{Aside, is_of_the_line};
pub use plan::{Assignment, RunPlan, Target};

/// How many of the last completions the rate is taken from.
const RATE_OVER: usize = 20;

/// The number of a run in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whether a run takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It takes keys.
    Running,
    /// It takes none until it is resumed.
    Paused,
    /// An operator ended it. It can be resumed.
    Stopped,
    /// Its target is reached.
    Finished,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Stopped, Self::Finished];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// How a key stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is enrolled.
    Done,
    /// It was refused, or taken back.
    Refused,
    /// It has to be inserted again, or recovery has something left to do for it.
    Quarantined,
}

impl Standing {
    /// All standings.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Quarantined];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
        }
    }

    /// The standing of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.word() == word)
    }

    /// How a key stands by the newest record of its enrollment. `None` while that is open: a
    /// proven key may be finished, or have to be taken back.
    pub fn of_record(record: &Record) -> Option<Self> {
        match (record.state, record.remains) {
            (State::Done, _) => Some(Self::Done),
            (State::Proven, _) => None,
            (State::Undone, Remains::Nothing) => Some(Self::Refused),
            _ => Some(Self::Quarantined),
        }
    }
}

/// What became of a key in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyResult {
    pub standing: Standing,
    /// Why it is not done.
    pub code: Option<Code>,
    /// The line of the list that it took, counted from 0.
    pub line: Option<u32>,
    /// When, since 1970.
    pub at: Duration,
}

/// What a run says of a key that was plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It takes the key, for that line of its list.
    Take(Option<u32>),
    /// All that is left to do is in work.
    Full,
    /// It does not take the key.
    Refuse(Refusal),
}

/// A run as it stands.
#[derive(Debug, Clone)]
pub struct Run {
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
    /// For how long it took keys before the present stretch.
    active: Duration,
    /// When the present stretch began (monotonic).
    since: Option<Duration>,
    keys: BTreeMap<KeySerial, KeyResult>,
    in_work: BTreeMap<KeySerial, Option<u32>>,
    /// The lines of the list that have their key. No line is here and in `aside`.
    done: BTreeSet<u32>,
    /// The lines of the list that get no key for now.
    aside: BTreeMap<u32, Aside>,
    /// How many lines were set aside since a key was last enrolled.
    streak: u32,
    /// Whether it had ended when its list got more to do. RAM alone: it is resumed at once.
    reopened: bool,
    unnamed: u32,
    /// How long it had been taking keys at each of the last completions.
    recent: VecDeque<Duration>,
}

/// The least time between keys that a rate is told of.
const LEAST_SPAN: Duration = Duration::from_secs(30);

/// A run in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Keys that are enrolled.
    pub done: u32,
    /// Keys that were refused or taken back, and are not done since.
    pub refused: u32,
    /// Keys that have to be inserted again.
    pub quarantined: u32,
    /// Keys in work.
    pub in_work: u32,
    /// Lines of the list that get no key for now.
    pub aside: u32,
    /// Keys that are still to be enrolled; `None` without a target.
    pub to_go: Option<u32>,
    /// Keys an hour, over the last 20; `None` before there are two, half a minute apart: of keys that end
    /// within a second of each other nobody can tell how many an hour makes.
    pub per_hour: Option<f64>,
    /// How long it takes at that rate until all are done.
    pub left: Option<Duration>,
}

impl Run {
    /// A run that begins now, or was begun and is read back.
    pub fn new(id: RunId, plan: RunPlan, by: Actor, begun: Duration) -> Self {
        Self {
            id,
            plan,
            state: RunState::Paused,
            by,
            begun,
            active: Duration::ZERO,
            since: None,
            keys: BTreeMap::new(),
            in_work: BTreeMap::new(),
            done: BTreeSet::new(),
            aside: BTreeMap::new(),
            streak: 0,
            reopened: false,
            unnamed: 0,
            recent: VecDeque::new(),
        }
    }

    /// A run as it was written down: its keys, the lines that were set aside, and for how long it
    /// had taken keys.
    #[must_use]
    pub fn restored(
        mut self,
        active: Duration,
        keys: impl IntoIterator<Item = (KeySerial, KeyResult)>,
        aside: impl IntoIterator<Item = (u32, Aside)>,
    ) -> Self {
        self.active = active;
        self.keys = keys.into_iter().collect();
        let done = self.keys.values().filter(|result| result.standing == Standing::Done);
        self.done = done.filter_map(|result| result.line).collect();
        let done = &self.done;
        self.aside = aside.into_iter().filter(|(line, _)| !done.contains(line)).collect();
        self
    }

    /// Takes keys from now on (monotonic). A finished run stays finished.
    pub fn resume(&mut self, now: Duration) -> Result<(), Refusal> {
        if self.to_go() == Some(0) {
            self.state = RunState::Finished;
        }
        match self.state {
            RunState::Finished => Err(Refusal::new(Code::RunInvalid, "it has reached its target")),
            RunState::Running if self.since.is_some() => Ok(()),
            _ => {
                (self.streak, self.reopened) = (0, false);
                self.state = RunState::Running;
                self.since = Some(now);
                // The pause is not part of the rate.
                self.recent.clear();
                Ok(())
            }
        }
    }

    /// Takes no further keys; what is in work goes on.
    pub fn pause(&mut self, now: Duration) {
        self.halt(RunState::Paused, now);
    }

    /// Ends it before its target.
    pub fn stop(&mut self, now: Duration) {
        self.halt(RunState::Stopped, now);
    }

    fn halt(&mut self, state: RunState, now: Duration) {
        self.active = self.active(now);
        self.since = None;
        if self.state != RunState::Finished {
            self.state = state;
        }
    }

    /// For how long it has taken keys.
    pub fn active(&self, now: Duration) -> Duration {
        self.active + self.since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// What it says of a key.
    pub fn claim(&self, key: KeySerial) -> Claim {
        if self.standing(key) == Some(Standing::Done) {
            return Claim::Refuse(Refusal::new(
                Code::AlreadyEnrolled,
                format!("in run '{}'", self.plan.name),
            ));
        }
        // What recovery has still to finish keeps its place: it is for whom it was begun.
        if let Some(line) = self.in_work.get(&key) {
            return Claim::Take(*line);
        }
        match &self.plan.target {
            Target::Endless => Claim::Take(None),
            Target::Count(_) if self.to_take() == Some(0) => Claim::Full,
            Target::Count(_) => Claim::Take(None),
            Target::List(list) => self.line(list, Some(key)),
        }
    }

    /// The person of a line.
    pub fn person(&self, line: Option<u32>) -> Option<Person> {
        match &self.plan.target {
            Target::List(list) => list.get(line? as usize)?.person(),
            _ => None,
        }
    }

    /// Whether the line of a list is for that very key: then what is finished on it may be replaced.
    pub fn names(&self, line: Option<u32>, key: KeySerial) -> bool {
        match (&self.plan.target, line) {
            (Target::List(list), Some(line)) => list.get(line as usize).is_some_and(|line| line.names(key)),
            _ => false,
        }
    }

    /// Whether the token of a line gets a PIN that the station makes up.
    pub fn random_pin(&self, line: Option<u32>) -> bool {
        match (&self.plan.target, line) {
            (Target::List(list), Some(line)) => list.get(line as usize).is_some_and(|line| line.random_pin),
            _ => false,
        }
    }

    /// Whether a key is in work, recovery included.
    pub fn is_in_work(&self, key: KeySerial) -> bool {
        self.in_work.contains_key(&key)
    }

    /// Notes that a key is in work.
    pub fn begin(&mut self, key: KeySerial, line: Option<u32>) {
        self.in_work.insert(key, line);
    }

    /// Notes that a key is in work no more, without a result.
    pub fn abandon(&mut self, key: KeySerial) {
        self.in_work.remove(&key);
    }

    /// Notes what recovery made of a key's enrollment, if the run still waits for that, and
    /// gives back what is to be written down. An enrollment for somebody else than the run's line
    /// says was not begun by it.
    pub fn recovered(&mut self, record: &Record, unix: Duration, now: Duration) -> Option<KeyResult> {
        let waits = self.in_work.contains_key(&record.key)
            || self.standing(record.key) == Some(Standing::Quarantined);
        let waits = waits && self.is_meant(record) && record.state.is_final();
        let standing = Standing::of_record(record).filter(|_| waits)?;
        let code = record.reason.filter(|_| standing != Standing::Done);
        Some(self.settle(record.key, standing, code, unix, now))
    }

    /// Whether an enrollment is for whom the run has the key, as far as it says that.
    fn is_meant(&self, record: &Record) -> bool {
        let line = self.in_work.get(&record.key).copied();
        let line = line.or_else(|| self.keys.get(&record.key).map(|result| result.line)).flatten();
        line.is_none() || self.person(line) == record.person
    }

    /// How a key stands when what was done at its insertion has ended so, with the newest record of
    /// each of its enrollments. `None`: it is proven, and recovery will finish that, or take it back.
    pub fn standing_after(&self, ending: &Ending, records: &[Record]) -> Option<Standing> {
        let waits = |record: &Record| Standing::of_record(record).is_none() && self.is_meant(record);
        match ending {
            Ending::Enrolled(_) => Some(Standing::Done),
            _ if records.iter().any(waits) => None,
            Ending::Quarantined(_) | Ending::Postponed(_) => Some(Standing::Quarantined),
            _ => Some(Standing::Refused),
        }
    }

    /// Notes what became of a key, and gives back what is to be written down.
    pub fn settle(
        &mut self,
        key: KeySerial,
        standing: Standing,
        code: Option<Code>,
        unix: Duration,
        now: Duration,
    ) -> KeyResult {
        let begun = self.in_work.remove(&key);
        let before = self.keys.get(&key);
        if let Some(before) = before.filter(|before| before.standing == Standing::Done) {
            return *before;
        }
        // What recovery settles was begun for the line that it had.
        let line = begun.unwrap_or_else(|| before?.line);
        let result = KeyResult { standing, code, line, at: unix };
        self.keys.insert(key, result);
        if standing == Standing::Done {
            self.recent.push_back(self.active(now));
            if self.recent.len() > RATE_OVER {
                self.recent.pop_front();
            }
        }
        // Who has a line no more says nothing about it: another key may have it by now.
        self.note_line(&KeyResult {
            line: line.filter(|_| begun.is_some() || standing == Standing::Done),
            ..result
        });
        self.end_if_through(now);
        if self.is_stalled() && self.state == RunState::Running {
            self.pause(now);
        }
        result
    }

    /// Ends the run when nothing is left to do.
    fn end_if_through(&mut self, now: Duration) {
        if self.to_go() == Some(0) && self.state == RunState::Running {
            self.halt(RunState::Finished, now);
            self.state = RunState::Finished;
        }
    }

    /// Counts a key that hides its serial, which cannot be enrolled.
    pub fn refuse_unnamed(&mut self) {
        self.unnamed += 1;
    }

    /// How a key stands.
    pub fn standing(&self, key: KeySerial) -> Option<Standing> {
        self.keys.get(&key).map(|result| result.standing)
    }

    /// Every key that came, with what became of it.
    pub fn keys(&self) -> impl Iterator<Item = (KeySerial, KeyResult)> {
        self.keys.iter().map(|(key, result)| (*key, *result))
    }

    /// The keys in work, each with its line of the list.
    pub fn in_work(&self) -> impl Iterator<Item = (KeySerial, Option<u32>)> {
        self.in_work.iter().map(|(key, line)| (*key, *line))
    }

    fn count(&self, standing: Standing) -> u32 {
        let count = self.keys.values().filter(|result| result.standing == standing).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn to_go(&self) -> Option<u32> {
        let whole = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match &self.plan.target {
            Target::Endless => None,
            Target::Count(count) => Some(count.saturating_sub(self.count(Standing::Done))),
            Target::List(list) => {
                Some(whole(list.len().saturating_sub(self.done.len()).saturating_sub(self.aside.len())))
            }
        }
    }

    /// How many keys it could take now beside those in work.
    fn to_take(&self) -> Option<u32> {
        let in_work = u32::try_from(self.in_work.len()).unwrap_or(u32::MAX);
        self.to_go().map(|to_go| to_go.saturating_sub(in_work))
    }

    /// The run in numbers.
    pub fn progress(&self) -> Progress {
        let span = match (self.recent.front(), self.recent.back()) {
            (Some(first), Some(last)) => {
                let span = last.saturating_sub(*first);
                (span >= LEAST_SPAN).then_some(span.as_secs_f64())
            }
            _ => None,
        };
        let completions = u32::try_from(self.recent.len()).unwrap_or(1).saturating_sub(1);
        let per_hour = span.map(|seconds| f64::from(completions) * 3600.0 / seconds);
        let to_go = self.to_go();
        let left = per_hour
            .zip(to_go)
            .and_then(|(rate, to_go)| Duration::try_from_secs_f64(f64::from(to_go) * 3600.0 / rate).ok());
        Progress {
            done: self.count(Standing::Done),
            refused: self.count(Standing::Refused) + self.unnamed,
            quarantined: self.count(Standing::Quarantined),
            in_work: u32::try_from(self.in_work.len()).unwrap_or(u32::MAX),
            aside: u32::try_from(self.aside.len()).unwrap_or(u32::MAX),
            to_go,
            per_hour,
            left,
        }
    }
}

#[cfg(test)]
mod tests;
