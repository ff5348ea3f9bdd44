//! Runs, as operators start and steer them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::Refusal;
use control::types::{
    Assignment as Line, ByRun, RunAdd, RunDetails, RunEntry, RunLines, RunStart, RunStartList,
};
use keys::device::KeySerial;
use station::engine::record::{Actor, State};
use station::engine::run::{Assignment, RunId, RunPlan, RunState, Standing, Target};
use station::engine::server::Person;
use station::papers::people::{self, Entry, List, PinPolicy, Reading};
use station::refusal::Code;
use table::Encoding;

use super::Service;
use super::call_handler::Caller;
use super::credential::now;
use super::enroll::secrets;
use super::people::{Listed, named, said};
use super::refuse::{no, told};
use super::translate::run;
use crate::config::lists_encoding;
use dispatch::scheduler::{RunView, Secrets};

/// A list as it came.
struct Written<'a> {
    lines: &'a [String],
    /// The whole file in base64, in place of the lines.
    file: Option<&'a str>,
    encoding: Option<&'a str>,
    reading: Reading<'a>,
}

/// How many earlier runs are told.
const EARLIER: usize = 50;

impl Service {
    pub(super) async fn start_run(&self, caller: &Caller, request: RunStart) -> Result<RunDetails, Refusal> {
        let mut unknown = Vec::new();
        let target = match (request.count, request.endless.unwrap_or(false), request.list) {
            (Some(count), false, None) => match u32::try_from(count) {
                Ok(count) if count > 0 => Target::Count(count),
                _ => return Err(no(Code::InputInvalid, "a run has at least one key")),
            },
            (None, true, None) => Target::Endless,
            (None, false, Some(list)) => {
                let (skip, unchecked) = (request.skip_unknown, request.unchecked);
                let (list, without) =
                    self.assigned(&list, skip.unwrap_or(false), unchecked.unwrap_or(false)).await?;
                unknown = without;
                Target::List(list)
            }
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
            factory: request.factory.unwrap_or(false),
        };
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let by = Actor::Operator(caller.name.clone());
        let started = self.scheduler.run_start_without(plan, unknown, secrets, by).await;
        let id = started.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    /// The lines of a list that came as values, and which of them are for people that the server does not know.
    async fn assigned(
        &self,
        list: &[Line],
        skip_unknown: bool,
        unchecked: bool,
    ) -> Result<(Vec<Assignment>, Vec<u32>), Refusal> {
        let entry = |(at, line): (usize, &Line)| match line.person.as_deref() {
            None => Ok(None),
            Some(text) => Ok(Some(Entry {
                person: named(text)?,
                profile: None,
                key: line.key.clone(),
                pin: PinPolicy::None,
                line: at + 1,
            })),
        };
        let entries: Vec<Option<Entry>> =
            list.iter().enumerate().map(entry).collect::<Result<_, Refusal>>()?;
        let people: Vec<Entry> = entries.iter().flatten().cloned().collect();
        if people.is_empty() {
            let nobody = |line: &Line| Assignment { key: line.key.clone(), person: None, random_pin: false };
            return Ok((list.iter().map(nobody).collect(), Vec::new()));
        }
        let Listed { people, unknown } = self.people_of(&people, skip_unknown, unchecked).await?;
        let places: Vec<u32> =
            (0_u32..).zip(&entries).filter(|(_, e)| e.is_some()).map(|(at, _)| at).collect();
        let unknown = unknown.iter().filter_map(|at| places.get(*at as usize).copied()).collect();
        let mut people = people.into_iter();
        let assignment = |(line, entry): (&Line, &Option<Entry>)| Assignment {
            key: line.key.clone(),
            person: entry.as_ref().and_then(|_| people.next()).map(|person| (person.user, person.realm)),
            random_pin: false,
        };
        Ok((list.iter().zip(&entries).map(assignment).collect(), unknown))
    }

    /// Starts a run over a list of people.
    pub(super) async fn start_list(
        &self,
        caller: &Caller,
        request: RunStartList,
    ) -> Result<RunDetails, Refusal> {
        let List { entries: list, ignored } = self.list(&Written {
            lines: &request.lines,
            file: request.file.as_deref(),
            encoding: request.encoding.as_deref(),
            reading: Reading {
                default_realm: request.realm.as_deref(),
                user_column: request.user_column.as_deref(),
            },
        })?;
        let (skip, unchecked) = (request.skip_unknown.unwrap_or(false), request.unchecked.unwrap_or(false));
        let Listed { people, unknown } = self.people_of(&list, skip, unchecked).await?;
        let name = request.name.unwrap_or_else(|| format!("run {}", now().strftime("%Y-%m-%d %H:%M:%S")));
        let plan = people::plan(&name, &list, &people);
        let mut plan = plan.map_err(|problem| no(Code::RunInvalid, problem.to_string()))?;
        plan.profile = plan.profile.or(request.profile);
        plan.overwrite_confirmed = request.overwrite_confirmed;
        plan.factory = request.factory.unwrap_or(false);
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let by = Actor::Operator(caller.name.clone());
        let started = self.scheduler.run_start_without(plan, unknown, secrets, by).await;
        let id = started.map_err(|refusal| told(&refusal))?;
        let details = self.run_told(ByRun { run: Some(id.0) }).await?;
        Ok(RunDetails { ignored: Some(ignored), ..details })
    }

    /// A list as it was written, when a run can do what it says.
    fn list(&self, written: &Written<'_>) -> Result<List, Refusal> {
        let text = self.list_text(written)?;
        let whole = people::read_with(&text, &written.reading).map_err(|problems| said(&problems))?;
        let list = &whole.entries;
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
        Ok(whole)
    }

    /// The text of a list. Where its encoding cannot be known, the answer shows what the choices are.
    fn list_text(&self, written: &Written<'_>) -> Result<String, Refusal> {
        let Some(file) = written.file else { return Ok(written.lines.join("\n")) };
        let bytes = STANDARD.decode(file).map_err(|_| no(Code::InputInvalid, "the list is not base64"))?;
        let said = match written.encoding {
            Some(name) => Some(Encoding::named(name).ok_or_else(|| {
                let known = Encoding::ALL.map(Encoding::name).join(", ");
                no(
                    Code::InputInvalid,
                    format!("there is no encoding {}; there are {known}", control::clean::shown(name)),
                )
            })?),
            None => lists_encoding(&self.config().station),
        };
        table::decode(&bytes, said).map_err(|undecided| {
            let line = undecided.line;
            let reading = |(encoding, text): &(Encoding, String)| format!("{encoding}: {text}");
            let readings: Vec<String> = undecided.readings.iter().map(reading).collect();
            let why = match (said, readings.as_slice()) {
                (_, []) => format!("line {line} is in no encoding that is known here; save the list as UTF-8"),
                (Some(said), _) => format!("line {line} is not {said}; it may read {}", readings.join(" | ")),
                (None, _) => format!(
                    "line {line}: the encoding cannot be known; choose by how the line reads, and say --encoding NAME: {}",
                    readings.join(" | ")
                ),
            };
            no(Code::RunInvalid, why)
        })
    }

    /// Puts people behind the last one of a run's list.
    pub(super) async fn add_to_run(&self, request: RunAdd) -> Result<RunDetails, Refusal> {
        let List { entries: list, ignored } = self.list(&Written {
            lines: &request.lines,
            file: request.file.as_deref(),
            encoding: request.encoding.as_deref(),
            reading: Reading {
                default_realm: request.realm.as_deref(),
                user_column: request.user_column.as_deref(),
            },
        })?;
        let run = self.meant(request.run).await?;
        if let Some(entry) =
            list.iter().find(|entry| entry.profile.is_some() && entry.profile != run.plan.profile)
        {
            let why = "a run has one profile, and this line names another; make a run of each";
            return Err(no(Code::RunInvalid, format!("line {}: {why}", entry.line)));
        }
        let (skip, unchecked) = (request.skip_unknown.unwrap_or(false), request.unchecked.unwrap_or(false));
        let Listed { people, unknown } = self.people_of(&list, skip, unchecked).await?;
        let there =
            |person: &Person| lines(&run).iter().any(|line| line.person().is_some_and(|p| p.is(person)));
        if let Some((entry, person)) = list.iter().zip(&people).find(|(_, person)| there(person)) {
            return Err(no(Code::RunInvalid, format!("line {}: {person} is in the run already", entry.line)));
        }
        let more = people::assignments(&list, &people);
        let added = self.scheduler.run_add(Some(run.id), more, unknown).await;
        let details = self.run_told(ByRun { run: Some(added.map_err(|refusal| told(&refusal))?.0) }).await?;
        Ok(RunDetails { ignored: Some(ignored), ..details })
    }

    /// Lets lines of a run's list get no key for now.
    pub(super) async fn skip_lines(&self, request: RunLines) -> Result<RunDetails, Refusal> {
        let (run, lines) = (self.meant(request.run).await?, numbers(&request.lines)?);
        let skipped = self.scheduler.run_skip(Some(run.id), lines).await;
        self.run_told(ByRun { run: Some(skipped.map_err(|refusal| told(&refusal))?.0) }).await
    }

    /// Lets lines that were set aside get keys again. Those whose person was unknown are looked up again.
    pub(super) async fn retry_lines(&self, request: RunLines) -> Result<RunDetails, Refusal> {
        let (run, chosen) = (self.meant(request.run).await?, numbers(&request.lines)?);
        let unknown = run.aside.iter().filter(|(line, aside)| {
            aside.code == Some(Code::PersonUnknown) && (chosen.is_empty() || chosen.contains(line))
        });
        for (line, _) in unknown.clone() {
            if let Some(person) = lines(&run).get(*line as usize).and_then(Assignment::person) {
                let checked = self.person_again(&person, request.unchecked.unwrap_or(false)).await;
                checked.map_err(|refusal| Refusal {
                    detail: format!("line {}: {}", u64::from(*line) + 1, refusal.detail),
                    ..refusal
                })?;
            }
        }
        let retried = self.scheduler.run_retry(Some(run.id), chosen).await;
        self.run_told(ByRun { run: Some(retried.map_err(|refusal| told(&refusal))?.0) }).await
    }

    /// The run of that number; the present or last one when none is named.
    async fn meant(&self, number: Option<i64>) -> Result<RunView, Refusal> {
        let runs = self.runs_known().await?;
        let found = match number {
            Some(number) => runs.into_iter().find(|view| view.id.0 == number),
            None => {
                let present = |view: &RunView| matches!(view.state, RunState::Running | RunState::Paused);
                let at = runs.iter().rposition(present).or(runs.len().checked_sub(1));
                at.and_then(|at| runs.into_iter().nth(at))
            }
        };
        found.ok_or_else(|| no(Code::RunUnknown, number.map_or(String::new(), |number| number.to_string())))
    }

    pub(super) async fn pause_run(&self) -> Result<RunDetails, Refusal> {
        let id = self.scheduler.run_pause().await.map_err(|refusal| told(&refusal))?;
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
        self.scheduler.run_resume(id, Secrets::default()).await.map_err(|refusal| told(&refusal))?;
        self.run_told(ByRun { run: Some(id.0) }).await
    }

    pub(super) async fn stop_run(&self, request: ByRun) -> Result<RunDetails, Refusal> {
        let id = self.scheduler.run_stop(request.run.map(RunId)).await.map_err(|refusal| told(&refusal))?;
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
        Ok(RunDetails { run: wanted.map(run), entries, earlier, ignored: None })
    }

    pub(super) async fn runs_known(&self) -> Result<Vec<RunView>, Refusal> {
        self.scheduler.runs().await.map_err(|refusal| told(&refusal))
    }
}

impl Service {
    /// What became of each line of a run's list.
    async fn entries(&self, view: &RunView) -> Vec<RunEntry> {
        let Target::List(list) = &view.plan.target else { return Vec::new() };
        // A journal that cannot be read costs the tokens' names and nothing else.
        let records = self.store.with(|journal| journal.all()).await.unwrap_or_default();
        let token = |key: KeySerial| {
            let mut mine = records
                .iter()
                .rev()
                .filter(|record| record.key == key && record.at >= view.begun && !record.token.is_trial());
            mine.find(|record| record.state == State::Done).map(|record| record.token.to_string())
        };
        let entry = |(at, line): (u32, &Assignment)| {
            let working = view.in_work.iter().find(|(_, taken)| *taken == Some(at));
            let mut mine = view.results.iter().filter(|(_, result)| result.line == Some(at));
            // A key that is enrolled says more than one that was refused before, and the last more than the first.
            let done = mine.clone().find(|(_, result)| result.standing == Standing::Done);
            let last = mine.by_ref().max_by_key(|(_, result)| result.at);
            let aside = view.aside.iter().find(|(line, _)| *line == at).map(|(_, aside)| aside);
            let (key, state, code) = match (done, working, aside, last) {
                (Some((key, _)), ..) => (Some(*key), "enrolled", None),
                (None, Some((key, _)), ..) => (Some(*key), "working", None),
                // Its key may serve another line by now.
                (None, None, Some(aside), _) => (None, aside.word(), aside.code),
                (None, None, None, Some((key, result))) => (Some(*key), result.standing.word(), result.code),
                (None, None, None, None) => (None, "open", None),
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

fn lines(run: &RunView) -> &[Assignment] {
    match &run.plan.target {
        Target::List(list) => list,
        _ => &[],
    }
}

/// Lines as a run counts them, from 0.
fn numbers(lines: &[i64]) -> Result<Vec<u32>, Refusal> {
    let number = |line: &i64| line.checked_sub(1).and_then(|line| u32::try_from(line).ok());
    let all: Option<Vec<u32>> = lines.iter().map(number).collect();
    all.ok_or_else(|| no(Code::InputInvalid, "lines are counted from 1"))
}
