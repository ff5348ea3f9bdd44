//! `station-sim run`: many keys, several ports at a time, one run.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use dispatch::clock::SystemClock;
use dispatch::event::{Event, What};
use dispatch::receipts::Receipts;
use dispatch::scheduler::{
    Doing, Ended, Hotplug, Scheduler, SchedulerEvent, SchedulerHandle, SchedulerParts, SchedulerSettings,
    Secrets,
};
use dispatch::store::Store;
use journal::receipts::Limits;
use keys::device::ProofWay;
use serde::Serialize;
use station::engine::mode::{Fits, NamedProfile, Wait};
use station::engine::record::Actor;
use station::engine::run::{RunPlan, RunState, Target};
use station::papers::people;
use station::refusal::Code;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use crate::args::Run;
use crate::enroll;
use crate::key::{Finger, SimKey};
use crate::report::KeyReport;
use crate::server;
use crate::tell::Teller;

/// Carries the command out; true when every key is enrolled.
pub fn run(args: &Run) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(all(args));
    runtime.shutdown_background();
    result
}

async fn all(args: &Run) -> anyhow::Result<bool> {
    let teller = Teller::new(args.quiet);
    let keys = keys(args)?;
    let server = server::open(&args.server).await?;
    let clock = SystemClock::new();
    let (store, receipts) = match &args.state {
        None => (Store::in_memory()?, None),
        Some(state) => {
            std::fs::create_dir_all(state).with_context(|| format!("state {}", state.display()))?;
            let store = Store::open(&state.join("journal.db")).context("the journal")?;
            let receipts = state.join("receipts");
            let receipts = Receipts::open_beside(&store, &receipts, "station-sim", Limits::default(), clock)?;
            (store, Some(receipts))
        }
    };
    let (hotplug, news) = mpsc::channel(64);
    let profile = enroll::profile(&args.profile, args.profiles.as_deref())?;
    let settings = SchedulerSettings {
        profiles: vec![NamedProfile { name: args.profile.clone(), fits: Fits::default(), profile }],
        in_flight: args.in_flight,
        ..SchedulerSettings::new("station-sim")
    };
    let scheduler = Scheduler::start(SchedulerParts {
        settings,
        server: Some(Arc::clone(&server.port)),
        store,
        clock,
        watcher: Arc::new(|_: Event| ()),
        receipts: receipts.clone(),
        hotplug: news,
    });
    let events = scheduler.events();
    begin(&scheduler, args).await?;
    teller.line(&format!("server at {}, {} keys, {} ports", server.address, keys.len(), args.ports));

    let started = Instant::now();
    let mut hall = Hall {
        hotplug,
        ports: BTreeMap::new(),
        waiting: keys,
        tally: Tally::default(),
        leaving: Vec::new(),
        args,
        teller,
    };
    let interrupted = hall.work(events).await?;
    scheduler.shutdown().await;
    let tally = hall.tally;
    let seconds = started.elapsed().as_secs_f64();
    let checked = match receipts {
        None => None,
        Some(receipts) => Some(receipts.check().await?.receipts),
    };
    teller.line(&format!(
        "{} enrolled, {} enrolled before, {} not; {seconds:.1} s",
        tally.enrolled, tally.before, tally.not
    ));
    if args.json {
        print(&Summary { run: &args.name, tally, seconds, receipts: checked })?;
    }
    Ok(!interrupted && tally.not == 0)
}

/// Begins the run, or goes on with it.
async fn begin(scheduler: &SchedulerHandle, args: &Run) -> anyhow::Result<()> {
    let known = scheduler.runs().await?.into_iter().find(|run| run.plan.name == args.name);
    match known {
        Some(run) if run.state == RunState::Running => {}
        Some(run) => scheduler.run_resume(run.id, Secrets::default()).await?,
        None => {
            let plan = RunPlan {
                name: args.name.clone(),
                target: args.list.as_deref().map(list).transpose()?.unwrap_or(Target::Endless),
                profile: Some(args.profile.clone()),
                overwrite_confirmed: false,
                factory: false,
            };
            let by = std::env::var("USER").unwrap_or_else(|_| "sim".to_owned());
            scheduler.run_start(plan, Secrets::default(), Actor::Operator(by)).await?;
        }
    }
    Ok(())
}

/// The people of a list. Its profiles and PINs are for stations with an operator.
fn list(file: &Path) -> anyhow::Result<Target> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    match people::read(&text, None) {
        Ok(list) => match people::unasked(&list) {
            Ok(people) => Ok(Target::List(people::assignments(&list, &people))),
            Err(problems) => {
                bail!("{}: {}", file.display(), problems.first().map(ToString::to_string).unwrap_or_default())
            }
        },
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            bail!("{}: {}", file.display(), problems.join("; "))
        }
    }
}

/// A key that has to be enrolled, and how often it may still be inserted.
struct Waiting {
    key: SimKey,
    insertions: u32,
}

fn keys(args: &Run) -> anyhow::Result<VecDeque<Waiting>> {
    let report = Duration::from_millis(args.report_ms);
    let twins = (args.serial..).take(args.keys as usize).map(|serial| SimKey::yubikey(args.firmware, serial));
    let attached = args.attach.iter().map(|text| SimKey::attached(text));
    attached
        .chain(twins)
        .map(|key| Ok(Waiting { key: key?.with_report_time(report), insertions: args.again }))
        .collect()
}

/// How the keys ended.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Tally {
    /// Enrolled in this call.
    enrolled: u32,
    /// Enrolled already.
    before: u32,
    /// Not enrolled.
    not: u32,
    /// Not looked at, since everybody on the list had a key by then.
    spare: u32,
}

/// The ports and the people at them.
struct Hall<'a> {
    hotplug: mpsc::Sender<Hotplug>,
    ports: BTreeMap<String, (Waiting, Arc<Finger>)>,
    waiting: VecDeque<Waiting>,
    tally: Tally,
    /// The ports whose key we pulled, until the scheduler has seen that.
    leaving: Vec<String>,
    args: &'a Run,
    teller: Teller,
}

impl Hall<'_> {
    /// Plugs keys in and out until all had their turn; true when a signal ended it before.
    async fn work(&mut self, mut events: broadcast::Receiver<SchedulerEvent>) -> anyhow::Result<bool> {
        for number in 1..=self.args.ports {
            self.plug(format!("1-1.{number}")).await?;
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        while !self.ports.is_empty() {
            let event = tokio::select! {
                event = events.recv() => event,
                () = either(&mut interrupt, &mut terminate) => return Ok(true),
            };
            match event {
                Ok(SchedulerEvent::Step(event)) => self.touch(event),
                Ok(SchedulerEvent::Ended(ended)) => self.ended(&ended)?,
                Ok(SchedulerEvent::Doing { port, doing }) => self.doing(port, &doing).await?,
                Ok(SchedulerEvent::Left { port }) => self.left(port).await?,
                Ok(SchedulerEvent::Settled { record, left }) => {
                    let left = left.map_or_else(|| "put right".to_owned(), |refusal| refusal.to_string());
                    self.teller.line(&format!("unfinished enrollment of {}: {left}", record.token));
                }
                Ok(SchedulerEvent::Storage(why)) => self.teller.line(&format!("not written: {why}")),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(lost)) => bail!("{lost} events were lost"),
                Err(broadcast::error::RecvError::Closed) => bail!("the scheduler has ended"),
            }
        }
        Ok(false)
    }

    /// Plugs the next key into a port.
    async fn plug(&mut self, port: String) -> anyhow::Result<()> {
        let Some(waiting) = self.waiting.pop_front() else { return Ok(()) };
        let (plugged, finger) = waiting.key.plug(&port);
        self.ports.insert(port, (waiting, Arc::new(finger)));
        self.hotplug.send(Hotplug::Arrived(plugged)).await.ok().context("the scheduler has ended")
    }

    /// Touches the key in a port when that is wanted.
    fn touch(&self, event: Event) {
        let way = match event.what {
            What::TouchWanted { way, .. } => way,
            What::KeyWaits { waiting: true } => ProofWay::Returned { touch: true },
            _ => return,
        };
        if let Some((_, finger)) = self.ports.get(&event.port) {
            let finger = Arc::clone(finger);
            // A key that cannot be touched is not touched in time, which the scheduler notices.
            tokio::spawn(async move { finger.touch(way).await });
        }
    }

    /// Tells how an enrollment ended.
    fn ended(&self, ended: &Ended) -> anyhow::Result<()> {
        let outcome = &ended.report.outcome;
        let token = outcome.token.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = outcome.ending.refusal().map(|refusal| format!(" ({refusal})")).unwrap_or_default();
        self.teller.line(&format!("{:<8} {:<16} {}{why}", ended.port, token, outcome.ending.word()));
        if self.args.json {
            print(&Line { port: &ended.port, report: KeyReport::from(&ended.report) })?;
        }
        Ok(())
    }

    /// Says that the key in a port is pulled.
    async fn pull(&mut self, port: &str) -> anyhow::Result<()> {
        self.leaving.push(port.to_owned());
        self.hotplug
            .send(Hotplug::Left { port: port.to_owned() })
            .await
            .ok()
            .context("the scheduler has ended")
    }

    /// A key that left by itself, before anything was done with it, is inserted again.
    async fn left(&mut self, port: String) -> anyhow::Result<()> {
        if let Some(at) = self.leaving.iter().position(|leaving| *leaving == port) {
            self.leaving.swap_remove(at);
            return Ok(());
        }
        let Some((mut waiting, _)) = self.ports.remove(&port) else { return Ok(()) };
        waiting.key.pull()?;
        if waiting.insertions > 0 {
            waiting.insertions -= 1;
            self.waiting.push_back(waiting);
        } else {
            self.tally.not += 1;
        }
        self.plug(port).await
    }

    /// Pulls a key that nobody is left for.
    async fn spare(&mut self, port: String) -> anyhow::Result<()> {
        let Some((waiting, _)) = self.ports.remove(&port) else { return Ok(()) };
        self.pull(&port).await?;
        waiting.key.pull()?;
        self.tally.spare += 1;
        self.plug(port).await
    }

    /// Pulls a key whose turn is over, and plugs the next one in.
    async fn doing(&mut self, port: String, doing: &Doing) -> anyhow::Result<()> {
        let refusal = match doing {
            Doing::Done(_) => None,
            Doing::Refused { refusal, .. } | Doing::Nothing(refusal) => Some(refusal),
            // The run is over: its list is through.
            Doing::Waiting(Wait::Operator) if self.args.list.is_some() => return self.spare(port).await,
            _ => return Ok(()),
        };
        let Some((mut waiting, finger)) = self.ports.remove(&port) else { return Ok(()) };
        drop(finger);
        self.pull(&port).await?;
        waiting.key.pull()?;
        match refusal {
            None => self.tally.enrolled += 1,
            Some(refusal) if matches!(refusal.code, Code::AlreadyEnrolled | Code::SomebodysKey) => {
                self.tally.before += 1;
            }
            Some(_) if waiting.insertions > 0 => {
                waiting.insertions -= 1;
                self.waiting.push_back(waiting);
            }
            Some(_) => self.tally.not += 1,
        }
        self.plug(port).await
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

#[derive(Serialize)]
struct Line<'a> {
    port: &'a str,
    #[serde(flatten)]
    report: KeyReport,
}

#[derive(Serialize)]
struct Summary<'a> {
    run: &'a str,
    #[serde(flatten)]
    tally: Tally,
    seconds: f64,
    /// How many receipts the log holds; it was checked.
    receipts: Option<u64>,
}

fn print(line: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    Ok(())
}
