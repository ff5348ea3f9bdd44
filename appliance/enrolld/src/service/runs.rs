//! Runs, as operators start and steer them.

use control::Refusal;
use control::types::{Assignment as Line, ByRun, RunDetails, RunEntry, RunStart};
use station::record::Actor;
use station::refusal::Code;
use station::run::{Assignment, RunId, RunPlan, RunState, Target};

use super::Desk;
use super::credential::now;
use super::door::Caller;
use super::enroll::{person, secrets};
use super::refuse::{no, told};
use super::translate::run;
use crate::floor::{RunView, Secrets};

/// How many earlier runs are told.
const EARLIER: usize = 50;

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
        Ok(RunDetails { run: wanted.map(run), entries: wanted.map(entries).unwrap_or_default(), earlier })
    }

    async fn runs_known(&self) -> Result<Vec<RunView>, Refusal> {
        self.floor.runs().await.map_err(|refusal| told(&refusal))
    }
}

fn assignment(line: &Line) -> Result<Assignment, Refusal> {
    let person = line.person.as_deref().map(person).transpose()?;
    Ok(Assignment { key: line.key.clone(), person: person.map(|person| (person.user, person.realm)) })
}

/// The list of a run. Lines are taken in their order, so those that are done come first.
fn entries(view: &RunView) -> Vec<RunEntry> {
    let Target::List(list) = &view.plan.target else { return Vec::new() };
    let entry = |(at, line): (usize, &Assignment)| RunEntry {
        line: i64::try_from(at + 1).unwrap_or(i64::MAX),
        person: line.person().map(|person| person.to_string()),
        key: line.key.clone(),
        token: None,
        state: "open".to_owned(),
        code: None,
    };
    list.iter().enumerate().map(entry).collect()
}
