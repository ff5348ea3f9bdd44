//! The present run: which keys it takes, and how that is written down.

use std::collections::BTreeMap;
use std::time::Duration;

use journal::StoredRun;
use keys::device::{KeyInfo, KeySerial};
use station::engine::enrollment::Ending;
use station::engine::record::{Actor, Record, State};
use station::engine::run::{Aside, Assignment, Claim, Run, RunId, RunPlan, RunState, Standing, Target};
use station::refusal::{Code, Refusal};

use super::Secrets;
use super::task::Task;
use super::view::{RunView, SchedulerEvent};

/// The run that takes keys, or was the last to.
pub(super) struct Present {
    pub(super) run: Run,
    pub(super) secrets: Secrets,
}

impl Task {
    /// Goes on with the run that took keys when the station stopped.
    pub(super) async fn take_up_run(&mut self) {
        let stored = match self.store.with(|journal| journal.runs()).await {
            Ok(stored) => stored,
            Err(why) => return self.emit(SchedulerEvent::Storage(why)),
        };
        let current =
            stored.into_iter().rev().find(|run| matches!(run.state, RunState::Running | RunState::Paused));
        if let Some(stored) = current {
            let take_keys = stored.state == RunState::Running;
            let run = self.restore(stored).await;
            self.present = Some(Present { run, secrets: Secrets::default() });
            self.set_running(take_keys).await;
        }
    }

    /// A run as it was written down, with what was cut short put right from the journal.
    async fn restore(&mut self, stored: StoredRun) -> Run {
        let mut records = BTreeMap::new();
        for (key, ..) in &stored.claimed {
            records.insert(*key, self.store.recall(*key).await.unwrap_or_default());
        }
        let id = stored.id;
        let (run, put_right) = stored.restored(|key| records.remove(&key).unwrap_or_default());
        for (key, result) in put_right {
            self.write(move |journal| journal.run_result(id, key, &result)).await;
        }
        run
    }

    async fn set_running(&mut self, take_keys: bool) {
        let now = self.monotonic();
        if let Some(present) = &mut self.present {
            if take_keys {
                // A run that has reached its target meanwhile says so below.
                let _ = present.run.resume(now);
            } else {
                present.run.pause(now);
            }
        }
        self.note_run().await;
    }

    /// Writes the present run down and tells everybody.
    async fn note_run(&mut self) {
        let Some(view) = self.run_view() else { return };
        let (id, state, active) = (view.id, view.state, view.active);
        self.write(move |journal| journal.run_state(id, state, active)).await;
        self.emit(SchedulerEvent::Run(Box::new(view)));
    }

    /// Writes something down that the journal can do without if need be: counts are for people.
    async fn write(
        &self,
        work: impl FnOnce(&mut journal::Journal) -> Result<(), journal::JournalError> + Send + 'static,
    ) {
        if let Err(why) = self.store.with(work).await {
            self.emit(SchedulerEvent::Storage(why));
        }
    }

    /// What the present run says of a key.
    pub(super) fn claim(&self, info: &KeyInfo) -> Option<Claim> {
        let present = self.present.as_ref().filter(|present| present.run.state == RunState::Running)?;
        Some(match info.serial {
            Some(serial) => present.run.claim(serial),
            None => Claim::Refuse(Refusal::new(Code::SerialHidden, info.model.clone())),
        })
    }

    /// The present run has taken a key.
    pub(super) async fn run_begin(&mut self, key: KeySerial, line: Option<u32>) {
        let at = self.clock.now().unix;
        let Some(present) = &mut self.present else { return };
        if present.run.is_in_work(key) {
            // Recovery has not finished it yet: what the journal has of it belongs to the earlier claim.
            return;
        }
        present.run.begin(key, line);
        let id = present.run.id;
        self.write(move |journal| journal.run_claim(id, key, line, at)).await;
    }

    /// A key of the present run is over. Whether it serves another line: its own was set aside,
    /// and the key is as it was before.
    pub(super) async fn run_settle(&mut self, key: Option<KeySerial>, ending: &Ending) -> bool {
        let records = match key {
            Some(key) => self.store.recall(key).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let Some(present) = &self.present else { return false };
        // Whatever recovery is to finish stays in work: nobody else gets its person meanwhile.
        let Some(standing) = present.run.standing_after(ending, &records) else {
            self.note_run().await;
            return false;
        };
        let code = ending.refusal().map(|refusal| refusal.code);
        let aside = self.run_result(key, standing, code).await;
        let running = self.present.as_ref().is_some_and(|present| present.run.state == RunState::Running);
        aside && running && standing == Standing::Refused
    }

    /// Recovery has come to the end of an enrollment.
    pub(super) async fn run_recovered(&mut self, record: &Record) {
        let now = self.clock.now();
        let Some(present) = &mut self.present else { return };
        let Some(result) = present.run.recovered(record, now.unix, now.monotonic) else { return };
        let (id, key) = (present.run.id, record.key);
        self.write(move |journal| journal.run_result(id, key, &result)).await;
        self.note_run().await;
    }

    /// Something else that was done with a key brought earlier enrollments of it to their end.
    pub(super) async fn run_finished(&mut self, records: &[Record]) {
        for record in records {
            self.unsettled.retain(|unsettled| unsettled.token != record.token);
            if record.state == State::Done {
                self.run_recovered(record).await;
            }
            self.emit(SchedulerEvent::Settled { record: Box::new(record.clone()), left: None });
        }
    }

    /// The present run did not take a key.
    pub(super) async fn run_refuse(&mut self, key: Option<KeySerial>, refusal: &Refusal) {
        // A key that is done already is nothing new.
        let new = key.is_none_or(|key| {
            self.present.as_ref().is_none_or(|present| present.run.standing(key) != Some(Standing::Done))
        });
        if new {
            self.run_result(key, Standing::Refused, Some(refusal.code)).await;
        }
    }

    /// Notes a result. Whether it set a line aside.
    async fn run_result(&mut self, key: Option<KeySerial>, standing: Standing, code: Option<Code>) -> bool {
        let now = self.clock.now();
        let Some(present) = &mut self.present else { return false };
        let mut aside = false;
        match key {
            Some(key) => {
                let result = present.run.settle(key, standing, code, now.unix, now.monotonic);
                aside = result.sets_aside().is_some_and(|(line, _)| present.run.is_aside(line));
                let id = present.run.id;
                self.write(move |journal| journal.run_result(id, key, &result)).await;
            }
            None => present.run.refuse_unnamed(),
        }
        self.note_run().await;
        aside
    }

    pub(super) async fn run_start(
        &mut self,
        plan: RunPlan,
        unknown: &[u32],
        secrets: Secrets,
        by: Actor,
    ) -> Result<RunId, Refusal> {
        plan.check()?;
        if self.stopping {
            return Err(Refusal::new(Code::Stopping, ""));
        }
        self.nobody_in_the_way(None)?;
        if let Some(name) = &plan.profile
            && !self.settings.profiles.iter().any(|named| named.name == *name)
        {
            return Err(Refusal::new(Code::ProfileUnknown, name.clone()));
        }
        let known = self.stored().await?;
        if known.iter().any(|run| run.plan.name == plan.name) {
            let text = format!("there is a run '{}' already; resume it, or choose another name", plan.name);
            return Err(Refusal::new(Code::RunInvalid, text));
        }
        let now = self.clock.now();
        let begun = now.unix;
        let (kept, actor) = (plan.clone(), by.clone());
        let aside: Vec<(u32, Aside)> =
            unknown.iter().map(|line| (*line, Aside::failed(Code::PersonUnknown, begun))).collect();
        let mut run = Run::new(RunId(0), plan, by, begun);
        run.set_aside(&aside, now.monotonic)?;
        run.id = self
            .store
            .with(move |journal| {
                let id = journal.run_new(&kept, &actor, begun)?;
                let lines: Vec<_> = aside.into_iter().map(|(line, aside)| (line, Some(aside))).collect();
                journal.run_lines(id, &lines).map(|()| id)
            })
            .await
            .map_err(|why| Refusal::new(Code::JournalFailed, why))?;
        let id = run.id;
        self.present = Some(Present { run, secrets });
        self.set_running(true).await;
        Ok(id)
    }

    pub(super) async fn run_resume(&mut self, id: RunId, secrets: Secrets) -> Result<(), Refusal> {
        self.nobody_in_the_way(Some(id))?;
        if self.present.as_ref().is_none_or(|present| present.run.id != id) {
            let stored = self.stored().await?.into_iter().find(|run| run.id == id);
            let stored = stored.ok_or_else(|| Refusal::new(Code::RunUnknown, id.to_string()))?;
            let run = self.restore(stored).await;
            self.present = Some(Present { run, secrets: Secrets::default() });
        }
        let now = self.monotonic();
        if let Some(present) = &mut self.present {
            present.run.resume(now)?;
            present.secrets = secrets;
        }
        self.note_run().await;
        Ok(())
    }

    pub(super) async fn run_pause(&mut self) -> Result<RunId, Refusal> {
        let id = self.running()?;
        self.set_running(false).await;
        Ok(id)
    }

    pub(super) async fn run_stop(&mut self, id: Option<RunId>) -> Result<RunId, Refusal> {
        let now = self.monotonic();
        let current = self.present.as_ref().map(|present| present.run.id);
        let Some(id) = id.or(current) else { return Err(Refusal::new(Code::RunUnknown, "no run is on")) };
        match &mut self.present {
            Some(present) if present.run.id == id => present.run.stop(now),
            _ => {
                let stored = self.stored().await?.into_iter().find(|run| run.id == id);
                let stored = stored.ok_or_else(|| Refusal::new(Code::RunUnknown, id.to_string()))?;
                if stored.state != RunState::Finished {
                    self.write(move |journal| journal.run_state(id, RunState::Stopped, stored.active)).await;
                }
                return Ok(id);
            }
        }
        self.note_run().await;
        Ok(id)
    }

    /// Makes a run the present one, so that its list can be changed. The present or last one when none is named.
    async fn take_up(&mut self, wanted: Option<RunId>) -> Result<RunId, Refusal> {
        let current = self.present.as_ref().map(|present| present.run.id);
        if let Some(id) = current.filter(|id| wanted.is_none_or(|wanted| wanted == *id)) {
            return Ok(id);
        }
        self.nobody_in_the_way(wanted)?;
        let stored = self.stored().await?.into_iter().rev().find(|run| wanted.is_none_or(|id| run.id == id));
        let unknown = || Refusal::new(Code::RunUnknown, wanted.map_or(String::new(), |id| id.to_string()));
        let stored = stored.ok_or_else(unknown)?;
        let id = stored.id;
        let run = self.restore(stored).await;
        self.present = Some(Present { run, secrets: Secrets::default() });
        Ok(id)
    }

    /// Lines of a run's list get no key for now.
    pub(super) async fn run_skip(&mut self, run: Option<RunId>, lines: &[u32]) -> Result<RunId, Refusal> {
        let id = self.take_up(run).await?;
        let now = self.clock.now();
        let lines: Vec<(u32, Aside)> = lines.iter().map(|line| (*line, Aside::skipped(now.unix))).collect();
        if let Some(present) = &mut self.present {
            present.run.set_aside(&lines, now.monotonic)?;
        }
        let written: Vec<_> = lines.into_iter().map(|(line, aside)| (line, Some(aside))).collect();
        self.write(move |journal| journal.run_lines(id, &written)).await;
        self.note_run().await;
        Ok(id)
    }

    /// Lines that were set aside get keys again; all that failed when none is named. A run that had ended goes on.
    pub(super) async fn run_retry(&mut self, run: Option<RunId>, lines: &[u32]) -> Result<RunId, Refusal> {
        let id = self.take_up(run).await?;
        let chosen = match &mut self.present {
            Some(present) => present.run.retry(lines)?,
            None => Vec::new(),
        };
        let written: Vec<_> = chosen.into_iter().map(|line| (line, None)).collect();
        self.write(move |journal| journal.run_lines(id, &written)).await;
        self.go_on().await;
        Ok(id)
    }

    /// Puts lines behind the last one of a run's list, some of them set aside. A run that had ended goes on.
    pub(super) async fn run_add(
        &mut self,
        run: Option<RunId>,
        more: Vec<Assignment>,
        unknown: &[u32],
    ) -> Result<RunId, Refusal> {
        let id = self.take_up(run).await?;
        let now = self.clock.now();
        let Some(present) = &mut self.present else { return Ok(id) };
        let Target::List(list) = &present.run.plan.target else {
            return Err(Refusal::new(Code::RunInvalid, "this run has no list"));
        };
        let before = u32::try_from(list.len()).unwrap_or(u32::MAX);
        present.run.add(more)?;
        let plan = present.run.plan.clone();
        let aside = unknown
            .iter()
            .map(|line| (before.saturating_add(*line), Aside::failed(Code::PersonUnknown, now.unix)));
        let aside: Vec<_> = aside.collect();
        present.run.set_aside(&aside, now.monotonic)?;
        self.store
            .with(move |journal| {
                let lines: Vec<_> = aside.into_iter().map(|(line, aside)| (line, Some(aside))).collect();
                journal.run_plan(id, &plan).and_then(|()| journal.run_lines(id, &lines))
            })
            .await
            .map_err(|why| Refusal::new(Code::JournalFailed, why))?;
        self.go_on().await;
        Ok(id)
    }

    /// Lets the present run take keys again when it had come to its end and has more to do now.
    async fn go_on(&mut self) {
        let now = self.monotonic();
        if let Some(present) = &mut self.present
            && present.run.is_reopened()
        {
            // With nothing left to do it stays finished, which it says itself.
            let _ = present.run.resume(now);
        }
        self.note_run().await;
    }

    pub(super) async fn runs(&mut self) -> Result<Vec<RunView>, Refusal> {
        let stored = self.stored().await?;
        let present = self.run_view();
        let view = |stored: StoredRun| {
            let StoredRun { id, plan, state, by, begun, active, keys, aside, .. } = stored;
            let mut run = Run::new(id, plan, by, begun).restored(active, keys, aside);
            run.state = state;
            view(&run, Duration::ZERO)
        };
        Ok(stored
            .into_iter()
            .map(|stored| match &present {
                Some(present) if present.id == stored.id => present.clone(),
                _ => view(stored),
            })
            .collect())
    }

    /// Writes down how long the present run has taken keys; at the next start it goes on.
    pub(super) async fn close_run(&mut self) {
        if self.present.is_some() {
            self.note_run().await;
        }
    }

    async fn stored(&self) -> Result<Vec<StoredRun>, Refusal> {
        let runs = self.store.with(|journal| journal.runs()).await;
        runs.map_err(|why| Refusal::new(Code::JournalFailed, why))
    }

    fn running(&self) -> Result<RunId, Refusal> {
        let running = self.present.as_ref().filter(|present| present.run.state == RunState::Running);
        running.map(|present| present.run.id).ok_or_else(|| Refusal::new(Code::RunUnknown, "no run is on"))
    }

    /// Only one run takes keys, and none is forgotten while keys of it are in work.
    fn nobody_in_the_way(&self, wanted: Option<RunId>) -> Result<(), Refusal> {
        let Some(present) = &self.present else { return Ok(()) };
        let other = Some(present.run.id) != wanted;
        let busy = present.run.state == RunState::Running || present.run.progress().in_work > 0;
        if other && busy {
            return Err(Refusal::new(Code::RunInTheWay, format!("'{}'", present.run.plan.name)));
        }
        Ok(())
    }

    pub(super) fn run_view(&self) -> Option<RunView> {
        Some(view(&self.present.as_ref()?.run, self.monotonic()))
    }
}

fn view(run: &Run, now: Duration) -> RunView {
    RunView {
        id: run.id,
        plan: run.plan.clone(),
        state: run.state,
        by: run.by.clone(),
        begun: run.begun,
        active: run.active(now),
        progress: run.progress(),
        results: run.keys().collect(),
        in_work: run.in_work().collect(),
        aside: run.aside().collect(),
        next: run.next(),
        stalled: run.is_stalled(),
    }
}
