//! Runs, as operators start and steer them.

use control::Refusal;
use control::types::{Assignment as Line, ByRun, RunDetails, RunEntry, RunStart, RunStartList};
use keys::device::KeySerial;
use station::people::{self, PinPolicy};
use station::record::{Actor, State};
use station::refusal::Code;
use station::run::{Assignment, RunId, RunPlan, RunState, Standing, Target};

use super::Desk;
use super::credential::now;
use super::door::Caller;
use super::enroll::{person, secrets};
use super::refuse::{no, told};
use super::translate::run;
use crate::floor::{RunView, Secrets};

/// How many earlier runs are told.
const EARLIER: usize = 50;

/// How much that is wrong with a list is told at once.
const MOST_PROBLEMS: usize = 10;

impl Desk {
    pub(super) async fn start_run(&self, caller: &Caller, request: RunStart) -> Result<RunDetails, Refusal> {
        let target = match (request.count, request.endless.unwrap_or(false), request.list) {
            (Some(count), false, None) => match u32::try_from(count) {
                Ok(count) if count > 0 => Target::Count(count),
                _ => return Err(no(Code::InputInvalid, "a run has at least one key")),
            },
            (None, true, None) => Target::Endless,
            (None, false, Some(list)) => Target::List(list.iter().map(assignment).collect::<Result<_, _>>()?),
            _ => {
                return Err(no(
                    Code::InputInvalid,
                    "a run has a count, a list, or no end: exactly one of them",
                ));
            }
        };
        let plan = RunPlan {
            name: request.name.unwrap_or_else(|| format!("run {}", now().strftime("%Y-%m-%d %H:%M:%S"))),
            target,
            profile: request.profile,
            overwrite_confirmed: request.overwrite_confirmed,
        };
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let by = Actor::Operator(caller.name.clone());
        let id = self.floor.run_start(plan, secrets, by).await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    /// Starts a run over a list of people.
    pub(super) async fn start_list(
        &self,
        caller: &Caller,
        request: RunStartList,
    ) -> Result<RunDetails, Refusal> {
        let text = request.lines.join("\n");
        let list = people::read(&text, request.realm.as_deref()).map_err(|problems| {
            let more = problems.len().saturating_sub(MOST_PROBLEMS);
            let mut said: Vec<String> =
                problems.iter().take(MOST_PROBLEMS).map(ToString::to_string).collect();
            if more > 0 {
                said.push(format!("and {more} more"));
            }
            no(Code::RunInvalid, said.join("; "))
        })?;
        if let Some(entry) = list.iter().find(|entry| entry.pin == PinPolicy::Ask) {
            let why = "a run asks nobody for PINs; write none or random, or set it afterwards: token pin";
            return Err(no(Code::RunInvalid, format!("line {}: {why}", entry.line)));
        }
        if let Some(entry) = list.iter().find(|entry| entry.pin == PinPolicy::Random)
            && self.config().readers().is_none()
        {
            let why = "hand-over.to names nobody who could read a random PIN";
            return Err(no(Code::RunInvalid, format!("line {}: {why}", entry.line)));
        }
        let name = request.name.unwrap_or_else(|| format!("run {}", now().strftime("%Y-%m-%d %H:%M:%S")));
        let mut plan =
            people::plan(&name, &list).map_err(|problem| no(Code::RunInvalid, problem.to_string()))?;
        plan.profile = plan.profile.or(request.profile);
        plan.overwrite_confirmed = request.overwrite_confirmed;
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let by = Actor::Operator(caller.name.clone());
        let id = self.floor.run_start(plan, secrets, by).await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    pub(super) async fn pause_run(&self) -> Result<RunDetails, Refusal> {
        let id = self.floor.run_pause().await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    pub(super) async fn resume_run(&self, request: ByRun) -> Result<RunDetails, Refusal> {
        let id = match request.run {
            Some(run) => RunId(run),
            None => {
                let runs = self.runs_known().await?;
                let open = runs.iter().rev().find(|view| view.state != RunState::Finished);
                open.map(|view| view.id).ok_or_else(|| no(Code::RunUnknown, "no run can be resumed"))?
            }
        };
        self.floor.run_resume(id, Secrets::default()).await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    pub(super) async fn stop_run(&self, request: ByRun) -> Result<RunDetails, Refusal> {
        let id = self.floor.run_stop(request.run.map(RunId)).await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    pub(super) async fn run_told(&self, request: ByRun) -> Result<RunDetails, Refusal> {
        let runs = self.runs_known().await?;
        let wanted = match request.run {
            Some(number) => {
                let found = runs.iter().find(|view| view.id.0 == number);
                Some(found.ok_or_else(|| no(Code::RunUnknown, number.to_string()))?)
            }
            None => {
                let present = |view: &&RunView| matches!(view.state, RunState::Running | RunState::Paused);
                runs.iter().rev().find(present).or(runs.last())
            }
        };
        let number = wanted.map(|view| view.id);
        let earlier =
            runs.iter().rev().filter(|view| Some(view.id) != number).take(EARLIER).map(run).collect();
        let entries = match wanted {
            Some(view) => self.entries(view).await,
            None => Vec::new(),
        };
        Ok(RunDetails { run: wanted.map(run), entries, earlier })
    }

    async fn runs_known(&self) -> Result<Vec<RunView>, Refusal> {
        self.floor.runs().await.map_err(|refusal| told(&refusal))
    }
}

impl Desk {
    /// What became of each line of a run's list.
    async fn entries(&self, view: &RunView) -> Vec<RunEntry> {
        let Target::List(list) = &view.plan.target else { return Vec::new() };
        // A journal that cannot be read costs the tokens' names and nothing else.
        let records = self.store.with(|journal| journal.all()).await.unwrap_or_default();
        let token = |key: KeySerial| {
            let mut mine = records.iter().rev().filter(|record| record.key == key && record.at >= view.begun);
            mine.find(|record| record.state == State::Done).map(|record| record.token.to_string())
        };
        let entry = |(at, line): (u32, &Assignment)| {
            let working = view.in_work.iter().find(|(_, taken)| *taken == Some(at));
            let mut mine = view.results.iter().filter(|(_, result)| result.line == Some(at));
            // A key that is enrolled says more than one that was refused before, and the last more than the first.
            let done = mine.clone().find(|(_, result)| result.standing == Standing::Done);
            let last = mine.by_ref().max_by_key(|(_, result)| result.at);
            let (key, state, code) = match (done, working, last) {
                (Some((key, _)), ..) => (Some(*key), "enrolled", None),
                (None, Some((key, _)), _) => (Some(*key), "working", None),
                (None, None, Some((key, result))) => (Some(*key), result.standing.word(), result.code),
                (None, None, None) => (None, "open", None),
            };
            RunEntry {
                line: i64::from(at) + 1,
                person: line.person().map(|person| person.to_string()),
                key: key.map(|key| key.to_string()).or_else(|| line.key.clone()),
                token: done.and_then(|(key, _)| token(*key)),
                state: state.to_owned(),
                code: code.map(|code| code.to_string()),
            }
        };
        (0_u32..).zip(list).map(entry).collect()
    }
}

fn assignment(line: &Line) -> Result<Assignment, Refusal> {
    let person = line.person.as_deref().map(person).transpose()?;
    let person = person.map(|person| (person.user, person.realm));
    Ok(Assignment { key: line.key.clone(), person, random_pin: false })
}
