//! The run that takes the keys of a world, kept as the station keeps it: in the journal, and
//! taken up again after a restart.

use std::time::Duration;

use journal::{Journal, JournalError};
use keys::device::KeySerial;
use station::engine::enrollment::Ending;
use station::engine::record::{Actor, Record, State};
use station::engine::run::{Assignment, Claim, KeyResult, Run, RunId, RunPlan, Target};
use station::engine::server::Person;

use super::driver;
use super::power::PowerCut;
use super::world::{World, serial};

pub(super) fn begin(disk: &mut Journal) -> Result<Run, JournalError> {
    let plan = RunPlan {
        name: "drawer".to_owned(),
        target: Target::Endless,
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    let id = disk.run_new(&plan, &Actor::Armed, Duration::ZERO)?;
    Ok(Run::new(id, plan, Actor::Armed, Duration::ZERO))
}

/// Begins a run over a list of people of the realm `office`.
pub(super) fn begin_list(world: &mut World, people: &[&str]) -> Result<(), JournalError> {
    let line = |user: &&str| Assignment {
        person: Some(((*user).to_owned(), "office".to_owned())),
        ..Assignment::default()
    };
    let plan = RunPlan {
        name: "list".to_owned(),
        target: Target::List(people.iter().map(line).collect()),
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    let id = world.disk.run_new(&plan, &Actor::Armed, Duration::ZERO)?;
    world.run = Run::new(id, plan, Actor::Armed, Duration::ZERO);
    Ok(())
}

impl World {
    /// For whom the run would have a key enrolled; `None` when it does not take the key.
    pub(super) fn run_wants(&self, key: usize) -> Option<(u32, Option<Person>)> {
        let family = self.keys.get(key).map(super::key::Key::family)?;
        match self.run.claim(KeySerial { family, number: serial(key) }) {
            Claim::Take(Some(line)) => Some((line, self.run.person(Some(line)))),
            _ => None,
        }
    }

    /// Lets all lines that failed get keys again.
    pub(super) fn run_retries(&mut self) {
        let chosen = self.run.retry(&[]).unwrap_or_default();
        let lines: Vec<_> = chosen.into_iter().map(|line| (line, None)).collect();
        // As above: the disk may be full.
        let _ = self.disk.run_lines(self.run.id, &lines);
    }

    /// The run as it would be taken up from the disk now, and what would be put right in it.
    pub(super) fn run_on_disk(&self) -> (Run, Vec<(KeySerial, KeyResult)>) {
        match self.disk.runs().unwrap_or_default().pop() {
            Some(stored) => stored.restored(|key| self.disk.recall(key).unwrap_or_default()),
            // It is made with the world; a disk without it counts nothing, which is noticed.
            None => (Run::new(RunId(0), self.run.plan.clone(), Actor::Armed, Duration::ZERO), Vec::new()),
        }
    }

    /// Takes the run up after a restart.
    pub(super) fn take_up_run(&mut self) -> Result<(), PowerCut> {
        let (run, put_right) = self.run_on_disk();
        for (key, result) in put_right {
            self.write_result(run.id, key, &result)?;
        }
        self.run = run;
        Ok(())
    }

    /// Whether the run takes a key; then its serial.
    pub(super) fn run_takes(&mut self, key: usize) -> Result<Option<KeySerial>, PowerCut> {
        let Some(family) = self.keys.get(key).map(super::key::Key::family) else { return Ok(None) };
        let serial = KeySerial { family, number: serial(key) };
        let Claim::Take(line) = self.run.claim(serial) else { return Ok(None) };
        if self.run.is_in_work(serial) {
            return Ok(Some(serial));
        }
        self.run.begin(serial, line);
        self.point()?;
        let now = driver::now(&self.shared).unix;
        // As at the station: counts are for people, and no reason not to enroll.
        let _ = self.disk.run_claim(self.run.id, serial, line, now);
        self.point()?;
        Ok(Some(serial))
    }

    /// A key of the run is over.
    pub(super) fn run_settles(&mut self, key: KeySerial, ending: &Ending) -> Result<(), PowerCut> {
        let records = self.disk.recall(key).unwrap_or_default();
        let Some(standing) = self.run.standing_after(ending, &records) else { return Ok(()) };
        let code = ending.refusal().map(|refusal| refusal.code);
        let now = driver::now(&self.shared);
        let result = self.run.settle(key, standing, code, now.unix, now.monotonic);
        self.write_result(self.run.id, key, &result)
    }

    /// Recovery has come to the end of an enrollment.
    pub(super) fn run_hears(&mut self, record: &Record) -> Result<(), PowerCut> {
        let now = driver::now(&self.shared);
        match self.run.recovered(record, now.unix, now.monotonic) {
            Some(result) => self.write_result(self.run.id, record.key, &result),
            None => Ok(()),
        }
    }

    /// Something else that was done with a key brought earlier enrollments of it to their end.
    pub(super) fn run_finished(&mut self, records: &[Record]) -> Result<(), PowerCut> {
        let mut done = records.iter().filter(|record| record.state == State::Done);
        done.try_for_each(|record| self.run_hears(record))
    }

    /// What the disk has of the run, but for the times.
    pub(super) fn run_in_words(&self) -> String {
        let runs = self.disk.runs().unwrap_or_default();
        let keys = runs.iter().flat_map(|run| &run.keys).map(|(key, result)| {
            let KeyResult { standing, code, line, .. } = result;
            format!("{key} {standing:?} {code:?} {line:?}\n")
        });
        let claimed = runs.iter().flat_map(|run| &run.claimed);
        let aside = runs.iter().flat_map(|run| &run.aside);
        let aside = aside.map(|(line, aside)| format!("line {line} {} {:?}\n", aside.word(), aside.code));
        keys.chain(aside).chain(claimed.map(|(key, line, _)| format!("{key} {line:?}\n"))).collect()
    }

    fn write_result(&mut self, run: RunId, key: KeySerial, result: &KeyResult) -> Result<(), PowerCut> {
        self.point()?;
        // As above.
        let _ = self.disk.run_result(run, key, result);
        self.point()
    }
}
