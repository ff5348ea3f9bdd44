//! The scheduler's own task: what comes and goes, and what is done about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keys::device::{KeyInfo, KeySerial};
use station::engine::enrollment::Ending;
use station::engine::mode::{Decision, Mode, Situation, Wait, Why, decide};
use station::engine::step::KeyFault;
use station::refusal::{Code, Refusal};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

use super::owners::left;
use super::pace::Paced;
use super::port::{Begun, Pending, Port, Postponed, Work};
use super::runs::Present;
use super::steps::Tee;
use super::view::{Doing, Ended, Gone, SchedulerEvent, Tally, Unsettled};
use super::work::{self, Books, Finished};
use super::{Command, Hotplug, SchedulerParts, SchedulerSettings, TicketId};
use crate::clock::SystemClock;
use crate::driver::Station;
use crate::key_thread::Key;
use crate::receipts::Receipts;
use crate::server::ServerPort;
use crate::store::Store;

/// How long a shutdown may take. Undoing at a server that answers takes two to three
/// seconds; recovery at the next start does what is left.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Everything the scheduler knows.
pub(super) struct Task {
    pub(super) settings: SchedulerSettings,
    pub(super) server: Option<Arc<dyn ServerPort>>,
    pub(super) store: Store,
    pub(super) clock: SystemClock,
    pub(super) receipts: Option<Receipts>,
    tee: Tee,
    events: broadcast::Sender<SchedulerEvent>,
    pub(super) ports: BTreeMap<String, Port>,
    insertions: u64,
    pub(super) tasks: JoinSet<Finished>,
    pub(super) works: HashMap<task::Id, Work>,
    /// The serials that something is being done with.
    pub(super) locked: BTreeSet<KeySerial>,
    pub(super) requests: Vec<Pending>,
    /// Errands that wait for their keys.
    pub(super) key_orders: Vec<Postponed>,
    pub(super) tickets: u64,
    /// The orders that everybody was told of.
    pub(super) orders_told: Vec<TicketId>,
    pub(super) present: Option<Present>,
    pub(super) unsettled: Vec<Unsettled>,
    pub(super) retry_at: Option<Instant>,
    pub(super) retries: u32,
    pub(super) tally: Tally,
    pub(super) lost: Option<String>,
    pub(super) stopping: bool,
}

/// Runs a scheduler to its end.
pub(super) async fn run(
    parts: SchedulerParts,
    mut inbox: mpsc::Receiver<Command>,
    events: broadcast::Sender<SchedulerEvent>,
) {
    let SchedulerParts { settings, server, store, clock, watcher, receipts, hotplug } = parts;
    let (steps, mut heard) = mpsc::unbounded_channel();
    let tee = Tee { watcher, events: events.clone(), steps, insertion: 0 };
    let mut scheduler = Task {
        server: server.map(|server| paced(server, &settings)),
        settings,
        store,
        clock,
        receipts,
        tee,
        events,
        ports: BTreeMap::new(),
        insertions: 0,
        tasks: JoinSet::new(),
        works: HashMap::new(),
        locked: BTreeSet::new(),
        requests: Vec::new(),
        key_orders: Vec::new(),
        tickets: 0,
        orders_told: Vec::new(),
        present: None,
        unsettled: Vec::new(),
        retry_at: None,
        retries: 0,
        tally: Tally::default(),
        lost: None,
        stopping: false,
    };
    scheduler.recover_all().await;
    scheduler.take_up_run().await;
    let mut hotplug = Some(hotplug);
    let mut waits_for_end: Vec<oneshot::Sender<()>> = Vec::new();
    let mut end_by = None;
    loop {
        let time_limit = scheduler.first_limit();
        tokio::select! {
            biased;
            left = left(&mut scheduler.requests, &mut scheduler.key_orders, &mut scheduler.works) => scheduler.owner_left(left),
            Some((insertion, event)) = heard.recv() => scheduler.stepped(insertion, event),
            Some(finished) = scheduler.tasks.join_next_with_id() => scheduler.finished(finished).await,
            command = inbox.recv(), if end_by.is_none() => match command {
                Some(Command::Shutdown(reply)) => {
                    waits_for_end.push(reply);
                    end_by = Some(Instant::now() + SHUTDOWN);
                    scheduler.begin_shutdown();
                }
                None => {
                    end_by = Some(Instant::now() + SHUTDOWN);
                    scheduler.begin_shutdown();
                }
                Some(command) => scheduler.obey(command).await,
            },
            news = next(&mut hotplug) => match news {
                Some(news) => scheduler.heard(news),
                None => hotplug = None,
            },
            () = at(scheduler.retry_at) => scheduler.recover_unsettled(),
            () = at(time_limit) => scheduler.limit_reached(),
            () = at(end_by) => break,
        }
        if end_by.is_some() && scheduler.tasks.is_empty() {
            break;
        }
        scheduler.consider_all().await;
        if scheduler.resume_errands() {
            scheduler.consider_all().await;
        }
        scheduler.tell_orders();
    }
    scheduler.close_run().await;
    for reply in waits_for_end {
        // Whoever asked may have gone.
        let _ = reply.send(());
    }
}

/// What the rim says next; never anything once it has ended.
async fn next(hotplug: &mut Option<mpsc::Receiver<Hotplug>>) -> Option<Hotplug> {
    match hotplug {
        Some(hotplug) => hotplug.recv().await,
        None => std::future::pending().await,
    }
}

/// Comes back at that time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

pub(super) fn paced(server: Arc<dyn ServerPort>, settings: &SchedulerSettings) -> Arc<dyn ServerPort> {
    Arc::new(Paced::new(server, settings.server_at_once))
}

impl Task {
    pub(super) fn emit(&self, event: SchedulerEvent) {
        // Without listeners nobody hears it.
        let _ = self.events.send(event);
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.clock.now().monotonic
    }

    /// The station as the task of an insertion wants it, when there is a server.
    pub(super) fn station(&self, insertion: u64) -> Option<Station> {
        Some(Station {
            server: Arc::clone(self.server.as_ref()?),
            store: self.store.clone(),
            clock: self.clock,
            watcher: Arc::new(Tee { insertion, ..self.tee.clone() }),
        })
    }

    /// Journal and receipts, for a task.
    pub(super) fn books(&self, run: Option<String>) -> Books {
        Books {
            store: self.store.clone(),
            receipts: self.receipts.clone(),
            run,
            // Each enrollment may bring an earlier one of its key to its end, too.
            room: 2 * u64::try_from(self.settings.in_flight.max(1)).unwrap_or(u64::MAX / 2),
            noted: self.settings.note_receipts,
        }
    }

    /// Tells everybody that something could not be written.
    fn storage(&self, why: Option<String>) {
        if let Some(why) = why {
            self.emit(SchedulerEvent::Storage(why));
        }
    }

    pub(super) fn set_doing(&mut self, name: &str, doing: Doing) {
        let now = self.monotonic();
        let Some(port) = self.ports.get_mut(name).filter(|port| port.doing != doing) else { return };
        port.doing = doing.clone();
        port.since = now;
        port.touch = None;
        self.emit(SchedulerEvent::Doing { port: name.to_owned(), doing });
    }

    /// What comes and goes.
    fn heard(&mut self, news: Hotplug) {
        match news {
            Hotplug::Arrived(plugged) => {
                let name = plugged.port.clone();
                self.insertions += 1;
                let key = Key::start(plugged, self.clock);
                let handle = self.tasks.spawn(work::inspect(key, self.store.clone()));
                let place = Some((name.clone(), self.insertions));
                self.works.insert(handle.id(), Work::new(place, None));
                let mut port = Port::new(self.insertions, None, Doing::Inspecting, self.monotonic());
                port.task = Some(handle.id());
                self.ports.insert(name.clone(), port);
                self.emit(SchedulerEvent::Arrived { port: name });
            }
            Hotplug::Left { port } => {
                // A task that has the key notices by itself, and sees to what it has begun.
                if self.ports.remove(&port).is_some() {
                    self.emit(SchedulerEvent::Left { port });
                }
            }
            Hotplug::Stranger { port: name, what } => {
                self.insertions += 1;
                let doing = Doing::Nothing(Refusal::new(Code::KeyUnknown, what));
                let mut port = Port::new(self.insertions, None, doing.clone(), self.monotonic());
                (port.over, port.stranger) = (true, true);
                self.ports.insert(name.clone(), port);
                self.emit(SchedulerEvent::Doing { port: name, doing });
            }
            Hotplug::Lost(why) => {
                self.lost = Some(why.clone());
                self.emit(SchedulerEvent::Lost(why));
            }
        }
    }

    /// The port of a task, if its key is still in it.
    pub(super) fn port_of(&mut self, work: &Work) -> Option<(String, &mut Port)> {
        let (name, insertion) = work.place.as_ref()?;
        let port = self.ports.get_mut(name).filter(|port| port.insertion == *insertion)?;
        port.task = None;
        Some((name.clone(), port))
    }

    /// A task has come back.
    async fn finished(&mut self, finished: Result<(task::Id, Finished), JoinError>) {
        let (id, finished) = match finished {
            Ok((id, finished)) => (id, Some(finished)),
            // A defect: the key is gone with its task, everything else goes on.
            Err(error) => (error.id(), None),
        };
        let Some(mut work) = self.works.remove(&id) else { return };
        if let Some(serial) = work.serial {
            self.locked.remove(&serial);
        }
        match finished {
            Some(Finished::Inspected { key, info, unfinished }) => {
                self.inspected(&work, key, info, unfinished)
            }
            Some(Finished::Settled { results, storage }) => {
                self.storage(storage);
                if let Some((_, port)) = self.port_of(&work) {
                    port.settled = true;
                }
                self.settled(work.serial, results).await;
            }
            Some(Finished::Released { key, report, info, storage }) => {
                self.storage(storage);
                if let Some((_, port)) = self.port_of(&work) {
                    port.info = info.map(|info| *info).or(port.info.take());
                }
                self.run_finished(&report.outcome.finished).await;
                self.released(work, key, report);
            }
            Some(Finished::Verified { key, verified }) => self.verified(work, key, verified),
            Some(Finished::Handled { key, handled, info }) => self.handled(work, key, handled, info),
            Some(Finished::Checked { key, forecast }) => self.checked(work, key, forecast),
            Some(Finished::Enrolled { key, report, info, storage }) => {
                self.storage(storage);
                if let Some((_, port)) = self.port_of(&work) {
                    port.key = Some(key);
                    // What it is now, and not what it was before.
                    port.info = info.map(|info| *info).or(port.info.take());
                }
                if let Some(begun) = work.begun.take() {
                    self.enrolled(work, begun, *report).await;
                }
            }
            None => {
                let refusal = Refusal::new(Code::Internal, "a task of the station ended early");
                if let (Some(run), Some(serial)) = (&mut self.present, work.serial) {
                    run.run.abandon(serial);
                }
                self.conclude(&work, "refused", refusal.clone());
                if let Some(asked) = work.asked {
                    asked.refuse(refusal.clone());
                }
                if let Some((_, waiter)) = work.begun.and_then(|begun| begun.ticket) {
                    drop(waiter.send(Err(refusal)));
                }
                self.retry_later();
            }
        }
    }

    fn inspected(&mut self, work: &Work, key: Key, info: Result<Box<KeyInfo>, KeyFault>, unfinished: bool) {
        // A key that has left meanwhile takes its thread with it here.
        let Some((name, port)) = self.port_of(work) else { return };
        port.key = Some(key);
        match info {
            Ok(info) => {
                port.info = Some((*info).clone());
                port.settled = !unfinished;
                self.emit(SchedulerEvent::Recognised { port: name, key: info });
            }
            Err(KeyFault::Gone) => {
                self.ports.remove(&name);
                self.emit(SchedulerEvent::Left { port: name });
            }
            Err(fault) => {
                port.over = true;
                let code = if matches!(fault, KeyFault::Slow(_)) { Code::KeySlow } else { Code::KeySilent };
                let refusal = Refusal::new(code, fault.to_string());
                self.set_doing(&name, Doing::Nothing(refusal));
            }
        }
    }

    async fn enrolled(&mut self, work: Work, begun: Begun, report: crate::driver::Report) {
        let ending = &report.outcome.ending;
        match ending {
            Ending::Enrolled(_) => self.tally.done += 1,
            Ending::Refused(_) | Ending::Undone(_) => self.tally.refused += 1,
            _ => self.tally.quarantined += 1,
        }
        // What the key's enrollments before left, before what this one leaves.
        self.run_finished(&report.outcome.finished).await;
        if let (Some(serial), Some(token)) = (work.serial, &report.outcome.token) {
            match ending {
                Ending::Postponed(refusal) => {
                    self.keep_unsettled(serial, token, refusal.clone());
                    self.retry_later();
                }
                Ending::Enrolled(_) | Ending::Undone(_) | Ending::Quarantined(_) => {
                    self.unsettled.retain(|unsettled| unsettled.token != *token);
                }
                _ => {}
            }
        }
        let serves_another = begun.why == Why::Run && self.run_settle(work.serial, ending).await;
        let port = work.place.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        let there = self.port_of(&work).is_some();
        self.emit(SchedulerEvent::Ended(Box::new(Ended {
            port,
            there,
            why: begun.why,
            by: begun.by,
            profile: begun.profile,
            run: begun.run,
            report: report.clone(),
        })));
        let stopping = self.stopping;
        if let Some((name, port)) = self.port_of(&work).filter(|_| stopping || !serves_another) {
            port.over = true;
            port.gone = Gone::of(&report.outcome);
            let doing = match (ending, &report.outcome.token) {
                (Ending::Enrolled(_), Some(token)) => Doing::Done(token.clone()),
                (ending, _) => Doing::Refused {
                    ending: ending.word(),
                    refusal: ending.refusal().cloned().unwrap_or_else(|| Refusal::new(Code::Internal, "")),
                },
            };
            self.set_doing(&name, doing);
        }
        if let Some((_, waiter)) = begun.ticket {
            // Whoever wished it may have gone.
            let _ = waiter.send(Ok(Box::new(report)));
        }
    }

    /// Ends what is done in a task's port with a refusal.
    fn conclude(&mut self, work: &Work, ending: &'static str, refusal: Refusal) {
        if let Some((name, port)) = self.port_of(work) {
            port.over = true;
            self.set_doing(&name, Doing::Refused { ending, refusal });
        }
    }

    /// Looks at every key that nothing is done with, in the order in which they came.
    async fn consider_all(&mut self) {
        if self.stopping {
            return;
        }
        let idle = |(name, port): (&String, &Port)| {
            (port.task.is_none() && port.info.is_some() && port.key.is_some())
                .then(|| (port.insertion, name.clone()))
        };
        let mut names: Vec<_> = self.ports.iter().filter_map(idle).collect();
        names.sort_unstable();
        for (_, name) in names {
            self.consider(&name).await;
        }
    }

    async fn consider(&mut self, name: &str) {
        let Some(port) = self.ports.get(name) else { return };
        let wished = self.requests.iter().position(|pending| pending.means(name, port));
        if port.over && wished.is_none() {
            return;
        }
        let Some(info) = port.info.clone() else { return };
        if info.serial.is_some_and(|serial| self.locked.contains(&serial)) {
            return self.set_doing(name, Doing::SameKey);
        }
        let (settled, insertion) = (port.settled, port.insertion);
        // What an operator ordered of this very key comes before a run, and before what comes by itself.
        let key_order =
            wished.is_none() && self.key_orders.iter().any(|postponed| postponed.means(name, port));
        let claim = if wished.is_some() || key_order { None } else { self.claim(&info) };
        let situation = Situation {
            mode: self.settings.mode,
            server: self.server.is_some(),
            wished: wished.is_some(),
            run: claim.as_ref(),
        };
        let decision = match decide(situation) {
            Decision::Enroll(_) if key_order => Decision::Wait(Wait::Operator),
            decision => decision,
        };
        // An enrollment puts right what an earlier one left; without one it is done here.
        // Locked, or without a server, it has to wait.
        let station_works = self.server.is_some() && self.settings.mode != Mode::Locked;
        if !matches!(decision, Decision::Enroll(_))
            && !settled
            && station_works
            && let Some(serial) = info.serial
        {
            if self.settle(serial, Some((name.to_owned(), insertion))) {
                self.set_doing(name, Doing::Settling);
            }
            return;
        }
        match decision {
            Decision::Enroll(_) if self.in_work() >= self.settings.in_flight.max(1) => {
                self.set_doing(name, Doing::Queued);
            }
            Decision::Enroll(why) => {
                let pending = wished.map(|index| self.requests.remove(index));
                self.begin(name, &info, why, pending, claim).await;
            }
            // The errand begins in a moment.
            Decision::Wait(Wait::Operator) if key_order => {}
            Decision::Wait(wait) => self.set_doing(name, Doing::Waiting(wait)),
            Decision::Refuse(refusal) => {
                if let Some(port) = self.ports.get_mut(name) {
                    port.over = true;
                }
                self.run_refuse(info.serial, &refusal).await;
                self.set_doing(name, Doing::Refused { ending: "refused", refusal });
            }
        }
    }

    /// How many enrollments there are at the moment.
    pub(super) fn in_work(&self) -> usize {
        self.works.values().filter(|work| work.begun.is_some()).count()
    }
}
