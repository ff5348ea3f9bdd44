//! The lines of a run's list: which one a key gets, and which get none for now.
//!
//! A line whose enrollment failed for a reason of its own (its person, the realm, the PIN, a
//! limit) is set aside after that first key. The key serves the next line, and the line comes
//! back when somebody says so.

use core::time::Duration;

use keys::device::KeySerial;

use super::plan::Assignment;
use super::{Claim, KeyResult, Run, RunState, Standing, Target};
use crate::refusal::{Code, Refusal};

/// How many lines in a row may be set aside before the run is paused: then it is not the lines.
pub(super) const MOST_IN_A_ROW: u32 = 20;

/// Why a line gets no key for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// Whether an operator skipped it; else it failed for a reason of its own.
    pub skipped: bool,
    /// The reason.
    pub code: Option<Code>,
    /// Since when, since 1970.
    pub at: Duration,
}

impl Aside {
    /// An operator skips a line.
    pub const fn skipped(at: Duration) -> Self {
        Self { skipped: true, code: None, at }
    }

    /// A line fails for a reason of its own.
    pub const fn failed(code: Code, at: Duration) -> Self {
        Self { skipped: false, code: Some(code), at }
    }

    /// The word for it.
    pub const fn word(&self) -> &'static str {
        if self.skipped { "skipped" } else { "set-aside" }
    }
}

/// Whether a refusal is about whom a line names, what that person may have, and the PIN of the line: another line
/// may do better with the same key.
pub const fn is_of_the_line(code: Code) -> bool {
    matches!(
        code,
        Code::PersonUnknown
            | Code::AssignRefused
            | Code::PolicyForbids
            | Code::RandomPin
            | Code::RegistrationRefused
    )
}

impl KeyResult {
    /// Why the line that the key had is set aside by this, if it is.
    pub fn sets_aside(&self) -> Option<(u32, Aside)> {
        let code = self.code.filter(|code| self.standing != Standing::Done && is_of_the_line(*code))?;
        Some((self.line?, Aside::failed(code, self.at)))
    }
}

impl Run {
    /// The line of the list for a key: its own, the one it had before, or the next. Without a key:
    /// for one that no line names, and that was not here before.
    pub(super) fn line(&self, list: &[Assignment], key: Option<KeySerial>) -> Claim {
        let numbered = || (0_u32..).zip(list);
        if let Some(key) = key {
            let mut named = numbered().filter(|(_, entry)| entry.names(key)).map(|(line, _)| line);
            if let Some(line) = named.clone().find(|line| self.is_open(*line)) {
                return Claim::Take(Some(line));
            }
            // The list says whose it is, so nobody else gets it.
            if let Some((line, aside)) = named.find_map(|line| Some((line, self.aside.get(&line)?))) {
                let code = aside.code.map(|code| format!(", {code}")).unwrap_or_default();
                let text = format!("line {} is for this key: {}{code}", u64::from(line) + 1, aside.word());
                return Claim::Refuse(Refusal::new(Code::LineAside, text));
            }
        }
        let for_any = |line: &u32| list.get(*line as usize).is_some_and(|entry| entry.key.is_none());
        let free = |line: &u32| for_any(line) && self.is_open(*line);
        let earlier = key.and_then(|key| self.keys.get(&key)?.line);
        if let Some(line) = earlier.filter(free).or_else(|| numbered().map(|(line, _)| line).find(free)) {
            return Claim::Take(Some(line));
        }
        if self.in_work.values().flatten().any(for_any) {
            return Claim::Full;
        }
        Claim::Refuse(Refusal::new(Code::NotWelcome, key.map(|key| key.to_string()).unwrap_or_default()))
    }

    /// Whether a line waits for a key.
    pub(super) fn is_open(&self, line: u32) -> bool {
        !self.done.contains(&line) && !self.aside.contains_key(&line) && !self.is_taken(line)
    }

    fn is_taken(&self, line: u32) -> bool {
        self.in_work.values().any(|taken| *taken == Some(line))
    }

    /// The line that the next key gets, unless a line names it or it had one before.
    pub fn next(&self) -> Option<u32> {
        match (&self.plan.target, self.state) {
            (Target::List(list), RunState::Running | RunState::Paused) => match self.line(list, None) {
                Claim::Take(line) => line,
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes what a result means for the line that it is about.
    pub(super) fn note_line(&mut self, result: &KeyResult) {
        if result.standing == Standing::Done {
            self.streak = 0;
            if let Some(line) = result.line {
                self.done.insert(line);
                self.aside.remove(&line);
            }
        } else if let Some((line, aside)) = result.sets_aside().filter(|(line, _)| !self.done.contains(line))
        {
            self.streak += 1;
            self.aside.insert(line, aside);
        }
    }

    /// Puts right what was cut short by a restart.
    pub fn put_right(&mut self, key: KeySerial, result: KeyResult) {
        self.keys.insert(key, result);
        self.note_line(&result);
    }

    /// The lines that get no key for now.
    pub fn aside(&self) -> impl Iterator<Item = (u32, Aside)> {
        self.aside.iter().map(|(line, aside)| (*line, *aside))
    }

    /// Whether a line gets no key for now.
    pub fn is_aside(&self, line: u32) -> bool {
        self.aside.contains_key(&line)
    }

    /// Whether it was paused since too many lines in a row were set aside.
    pub const fn is_stalled(&self) -> bool {
        self.streak >= MOST_IN_A_ROW
    }

    /// Sets lines aside before they had a key: an operator skips them, or their people are unknown.
    /// (`now` is monotonic.)
    ///
    /// # Errors
    /// Lines that there are none of, that are done or that are in work. Nothing is changed then.
    pub fn set_aside(&mut self, lines: &[(u32, Aside)], now: Duration) -> Result<(), Refusal> {
        for (line, _) in lines {
            self.named(*line)?;
            if self.done.contains(line) {
                return Err(wrong(*line, "has its key already"));
            }
            if self.is_taken(*line) {
                return Err(wrong(*line, "is in work"));
            }
        }
        self.aside.extend(lines.iter().copied());
        self.end_if_through(now);
        Ok(())
    }

    /// Lets lines that were set aside get keys again; all that failed when none is named. A run that
    /// had ended is paused then. Says which.
    ///
    /// # Errors
    /// Lines that there are none of, or that were not set aside. Nothing is changed then.
    pub fn retry(&mut self, lines: &[u32]) -> Result<Vec<u32>, Refusal> {
        let chosen: Vec<u32> = if lines.is_empty() {
            self.aside.iter().filter(|(_, aside)| !aside.skipped).map(|(line, _)| *line).collect()
        } else {
            lines.to_vec()
        };
        for line in &chosen {
            self.named(*line)?;
            if !self.aside.contains_key(line) {
                return Err(wrong(*line, "was not set aside"));
            }
        }
        self.aside.retain(|line, _| !chosen.contains(line));
        self.reopen();
        Ok(chosen)
    }

    /// Puts lines behind the last one of the list. A run that had ended is paused then.
    ///
    /// # Errors
    /// A run without a list; a list that would be too long.
    pub fn add(&mut self, more: Vec<Assignment>) -> Result<(), Refusal> {
        let mut plan = self.plan.clone();
        let Target::List(list) = &mut plan.target else {
            return Err(Refusal::new(Code::RunInvalid, "this run has no list"));
        };
        list.extend(more);
        plan.check()?;
        self.plan = plan;
        self.reopen();
        Ok(())
    }

    fn reopen(&mut self) {
        if self.state == RunState::Finished && self.to_go() != Some(0) {
            self.state = RunState::Paused;
            self.reopened = true;
        }
    }

    /// Whether it had ended, and has more to do now.
    pub fn is_reopened(&self) -> bool {
        self.reopened && self.state == RunState::Paused
    }

    fn named(&self, line: u32) -> Result<(), Refusal> {
        match &self.plan.target {
            Target::List(list) if list.get(line as usize).is_some() => Ok(()),
            Target::List(_) => Err(wrong(line, "is not in the list")),
            _ => Err(Refusal::new(Code::RunInvalid, "this run has no list")),
        }
    }
}

fn wrong(line: u32, what: &str) -> Refusal {
    Refusal::new(Code::RunInvalid, format!("line {} {what}", u64::from(line) + 1))
}
