//! Everything that is plugged in, at once: one enrollment a port, several ports at a time.
//!
//! The scheduler is one task that decides, and one task a port that works. It hears
//! from the USB rim what comes and goes ([`Hotplug`]), from operators what they want
//! ([`SchedulerHandle`]), and tells everybody what happens ([`SchedulerEvent`]).
//!
//! * A key is known by its **serial**. Whatever is done with it locks the serial, so a
//!   key that is moved to another port in the middle of a write waits there
//!   until its first enrollment has ended, and no two ports ever work on one key.
//! * At most [`in_flight`](SchedulerSettings::in_flight) keys are in work; others queue in the
//!   order in which they came.
//! * What was unfinished when the station stopped is put right at the start and when
//!   its key is inserted. A server that is away postpones that, and blocks nothing else.
//! * A run, a wish or the mode decides what is done with a key: [`station::engine::mode`].
//! * An order has an owner: whoever waits for its end. When its owner has gone, it is called off, unless it
//!   was detached; a run goes on.
//!
//! It never enrolls a key that nobody asked for, and decides nothing that the engine decides.

use std::sync::Arc;
use std::time::Duration;

use keys::device::{KeySerial, Slot};
use keys::secret::{AccessCode, Pin};
use station::access::Codes;
use station::engine::check::Forecast;
use station::engine::mode::{Mode, NamedProfile};
use station::engine::record::Actor;
use station::engine::run::{Assignment, RunId, RunPlan};
use station::engine::server::Person;
use station::engine::slots::Handled;
use station::engine::verify::Verified;
use station::refusal::{Code, Refusal};
use station::welcome::Welcome;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::clock::SystemClock;
use crate::driver::Report;
use crate::event::Watcher;
use crate::key_thread::Plugged;
use crate::receipts::Receipts;
use crate::server::ServerPort;
use crate::store::Store;

mod begin;
mod handle;
mod key_orders;
mod orders;
mod owners;
mod pace;
mod port;
mod recover;
mod runs;
mod steps;
mod task;
mod view;
mod work;

pub use pace::Paced;
pub use port::{is_port, is_serial, port_number};
pub use view::{
    Doing, Ended, Gone, OrderView, PortView, RunView, SchedulerEvent, Snapshot, Tally, Touch, Unsettled,
};

/// How many events a slow listener may be behind before it loses the oldest.
const EVENTS: usize = 1024;

/// What the USB rim reports, or the simulation in its place.
pub enum Hotplug {
    /// A key was plugged in.
    Arrived(Plugged),
    /// What was in that port is gone.
    Left {
        /// Which port, as a USB port path.
        port: String,
    },
    /// Something was plugged in that is no key.
    Stranger {
        port: String,
        /// What it calls itself.
        what: String,
    },
    /// Ports are not watched any more, for the reason given; operators should know.
    Lost(String),
}

/// What does not change from key to key.
#[derive(Clone)]
pub struct SchedulerSettings {
    /// The station's name.
    pub station: String,
    /// What people call the server, for the names of credentials on keys.
    pub server_name: String,
    /// What the station does by itself.
    pub mode: Mode,
    pub profiles: Vec<NamedProfile>,
    /// The profile that decides between those that fit a key equally well.
    pub default_profile: Option<String>,
    /// How many keys may be in work at once; at least 1.
    pub in_flight: usize,
    /// How many requests may be on their way to the server at once; at least 1.
    pub server_at_once: usize,
    /// Access codes of slots, where the station was given any.
    pub codes: Codes,
    /// Which keys are welcome; without it, all are.
    pub welcome: Option<Arc<Welcome>>,
    /// Whether the token at the server names its receipt.
    pub note_receipts: bool,
}

impl SchedulerSettings {
    /// Settings of a station of that name, with every default and without profiles.
    pub fn new(station: impl Into<String>) -> Self {
        Self {
            station: station.into(),
            server_name: "privacyIDEA".to_owned(),
            mode: Mode::Attended,
            profiles: Vec::new(),
            default_profile: None,
            in_flight: 8,
            server_at_once: 8,
            codes: Codes::default(),
            welcome: None,
            note_receipts: true,
        }
    }
}

/// What a scheduler is made of.
pub struct SchedulerParts {
    /// What does not change from key to key.
    pub settings: SchedulerSettings,
    /// The server, when there is a credential for it.
    pub server: Option<Arc<dyn ServerPort>>,
    /// The journal, which keeps the runs, too.
    pub store: Store,
    pub clock: SystemClock,
    /// Who hears every step as it happens, before it becomes a [`SchedulerEvent`].
    pub watcher: Arc<dyn Watcher>,
    /// Where receipts are kept; without it, there are none.
    pub receipts: Option<Receipts>,
    /// What comes and goes.
    pub hotplug: mpsc::Receiver<Hotplug>,
}

/// What unlocks slots and tokens, for one key or for a whole run. In RAM only.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The PIN of the tokens.
    pub pin: Option<Arc<Pin>>,
    /// The access code of the slots, where slots have them.
    pub unlock: Option<Arc<AccessCode>>,
    /// The PIN of the keys, where keys have one and it is not the one with which they are sold.
    pub key_pin: Option<Arc<Pin>>,
}

/// Which key is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one that prints this serial, now or when it is inserted.
    Serial(String),
    /// The one in this port: a USB port path, or the number beside the socket.
    Port(String),
    /// The one that waits for an operator; else the next that is inserted.
    Next,
}

impl Selector {
    /// The key or port as it is named, if it is.
    pub fn named(&self) -> Option<&str> {
        match self {
            Self::Next => None,
            Self::Port(named) | Self::Serial(named) => Some(named),
        }
    }
}

/// An operator's word for one key.
#[derive(Clone)]
pub struct EnrollRequest {
    /// The profile; without it, the one that fits the key.
    pub profile: Option<String>,
    /// Whom the token is for.
    pub person: Option<Person>,
    pub key: Selector,
    /// Whether the operator confirmed that a foreign credential may be overwritten.
    pub overwrite_confirmed: bool,
    /// Whether the Yubico OTP that the key was sold with may be overwritten.
    pub factory: bool,
    /// The token whose finished enrollment may be replaced.
    pub replace: Option<String>,
    /// What unlocks it.
    pub secrets: Secrets,
    /// Who wishes it.
    pub by: Actor,
    /// Whether it goes on when nobody waits for its end any more.
    pub detached: bool,
    /// How long it waits for its key; without it, for ever.
    pub within: Option<Duration>,
}

/// What an operator wants of a key that is enrolled.
#[derive(Clone)]
pub struct KeyRequest {
    /// Which key; [`Selector::Next`] means the only one that is there.
    pub key: Selector,
    /// Which slot; `None` where only one is enrolled.
    pub slot: Option<Slot>,
    /// What unlocks it.
    pub secrets: Secrets,
    /// Who wants it.
    pub by: Actor,
    /// How long it waits for its key; without it, the key has to be there.
    pub within: Option<Duration>,
}

/// Names a wish that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TicketId(pub u64);

/// A wish that was accepted.
pub struct Ticket {
    /// Its name, for [`SchedulerHandle::cancel`].
    pub id: TicketId,
    /// How the enrollment ended, or why there was none. Who drops it has gone: the wish is called off,
    /// unless it is detached.
    pub report: oneshot::Receiver<Result<Box<Report>, Refusal>>,
}

/// What is to be called off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// What is done with a key, and what waits for it: its serial, its port path, or the number
    /// beside the socket.
    Key(String),
    /// A wish.
    Ticket(TicketId),
    /// All that is done and all that waits.
    All,
}

type Reply<T> = oneshot::Sender<T>;

/// What reaches the task.
enum Command {
    Snapshot(Reply<Snapshot>),
    Mode(Mode, Actor),
    Server(Option<Arc<dyn ServerPort>>),
    Settings(Box<SchedulerSettings>),
    PacedServer(Reply<Option<Arc<dyn ServerPort>>>),
    Enroll(Box<EnrollRequest>, Reply<Result<Ticket, Refusal>>),
    Cancel(Cancelled, Reply<Result<usize, Refusal>>),
    RunStart(RunPlan, Vec<u32>, Secrets, Actor, Reply<Result<RunId, Refusal>>),
    RunSkip(Option<RunId>, Vec<u32>, Reply<Result<RunId, Refusal>>),
    RunRetry(Option<RunId>, Vec<u32>, Reply<Result<RunId, Refusal>>),
    RunAdd(Option<RunId>, Vec<Assignment>, Vec<u32>, Reply<Result<RunId, Refusal>>),
    RunResume(RunId, Secrets, Reply<Result<(), Refusal>>),
    RunPause(Reply<Result<RunId, Refusal>>),
    RunStop(Option<RunId>, Reply<Result<RunId, Refusal>>),
    Runs(Reply<Result<Vec<RunView>, Refusal>>),
    Release(Box<KeyRequest>, Reply<Result<Box<Report>, Refusal>>),
    Verify(Box<KeyRequest>, Reply<Result<Box<Verified>, Refusal>>),
    Swap(Box<KeyRequest>, Reply<Result<Box<Handled>, Refusal>>),
    Wipe(Box<KeyRequest>, Reply<Result<Box<Handled>, Refusal>>),
    Check(Box<KeyRequest>, String, Reply<Result<Box<Forecast>, Refusal>>),
    SeeTo(KeySerial),
    Shutdown(Reply<()>),
}

/// Starts floors.
pub struct Scheduler;

impl Scheduler {
    /// Starts the scheduler's task: reads the runs, begins recovery, then takes what comes.
    /// It ends with [`SchedulerHandle::shutdown`], or when the last handle is dropped.
    ///
    /// Must be called within a tokio runtime with time and I/O enabled.
    pub fn start(parts: SchedulerParts) -> SchedulerHandle {
        let (commands, inbox) = mpsc::channel(64);
        let (events, _) = broadcast::channel(EVENTS);
        tokio::spawn(task::run(parts, inbox, events.clone()));
        SchedulerHandle { commands, events }
    }
}

/// How everybody else speaks with the scheduler. Copies reach the same one.
#[derive(Clone)]
pub struct SchedulerHandle {
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<SchedulerEvent>,
}

impl SchedulerHandle {
    /// Everything as it is now; `None` when the scheduler has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.ask(Command::Snapshot).await.ok()
    }

    /// What happens from now on. A listener that is too slow loses the oldest events
    /// and is told how many ([`broadcast::error::RecvError::Lagged`]).
    pub fn events(&self) -> broadcast::Receiver<SchedulerEvent> {
        self.events.subscribe()
    }

    /// Changes what the station does by itself. What is in work goes on.
    pub async fn set_mode(&self, mode: Mode, by: Actor) {
        self.tell(Command::Mode(mode, by)).await;
    }

    /// Gives the station a server, or takes it away: an operator logged in or out.
    /// What is in work goes on with the server that it began with.
    pub async fn set_server(&self, server: Option<Arc<dyn ServerPort>>) {
        self.tell(Command::Server(server)).await;
    }

    /// The server as enrollments reach it: whoever asks it this way keeps their pace, and look-ups of people
    /// stand behind them.
    pub async fn server(&self) -> Option<Arc<dyn ServerPort>> {
        self.ask(Command::PacedServer).await.ok().flatten()
    }

    /// Changes the settings, the mode included, for every enrollment that begins from now on.
    pub async fn set_settings(&self, settings: SchedulerSettings) {
        self.tell(Command::Settings(Box::new(settings))).await;
    }

    /// Has a key enrolled: at once when it is there and nothing stands in the way, else as soon as it is.
    pub async fn enroll(&self, request: EnrollRequest) -> Result<Ticket, Refusal> {
        self.ask(|reply| Command::Enroll(Box::new(request), reply)).await?
    }

    /// Calls orders off, and says how many. What was done already is taken back; a token that counts stays.
    pub async fn cancel(&self, what: Cancelled) -> Result<usize, Refusal> {
        self.ask(|reply| Command::Cancel(what, reply)).await?
    }

    /// Begins a run. It goes on after a restart of the station, without its secrets:
    /// where they are wanted, [`Self::run_resume`] gives them again.
    pub async fn run_start(&self, plan: RunPlan, secrets: Secrets, by: Actor) -> Result<RunId, Refusal> {
        self.run_start_without(plan, Vec::new(), secrets, by).await
    }

    /// The same, for a list some of whose people the server does not know: these lines, counted from
    /// 0, are set aside from the start.
    pub async fn run_start_without(
        &self,
        plan: RunPlan,
        unknown: Vec<u32>,
        secrets: Secrets,
        by: Actor,
    ) -> Result<RunId, Refusal> {
        self.ask(|reply| Command::RunStart(plan, unknown, secrets, by, reply)).await?
    }

    /// Has lines of a list, counted from 0, get no key for now. Of the present or last run when none is named.
    pub async fn run_skip(&self, run: Option<RunId>, lines: Vec<u32>) -> Result<RunId, Refusal> {
        self.ask(|reply| Command::RunSkip(run, lines, reply)).await?
    }

    /// Lets lines that were set aside get keys again; all that failed when none is named.
    pub async fn run_retry(&self, run: Option<RunId>, lines: Vec<u32>) -> Result<RunId, Refusal> {
        self.ask(|reply| Command::RunRetry(run, lines, reply)).await?
    }

    /// Puts lines behind the last one of a list; `unknown` of them, counted from 0, are set aside.
    pub async fn run_add(
        &self,
        run: Option<RunId>,
        more: Vec<Assignment>,
        unknown: Vec<u32>,
    ) -> Result<RunId, Refusal> {
        self.ask(|reply| Command::RunAdd(run, more, unknown, reply)).await?
    }

    /// Lets a run that was paused or stopped take keys again.
    pub async fn run_resume(&self, run: RunId, secrets: Secrets) -> Result<(), Refusal> {
        self.ask(|reply| Command::RunResume(run, secrets, reply)).await?
    }

    /// Lets the present run take no further keys until it is resumed.
    pub async fn run_pause(&self) -> Result<RunId, Refusal> {
        self.ask(Command::RunPause).await?
    }

    /// Ends a run, the present one if none is named. What is in work goes on.
    pub async fn run_stop(&self, run: Option<RunId>) -> Result<RunId, Refusal> {
        self.ask(|reply| Command::RunStop(run, reply)).await?
    }

    /// All runs, oldest first.
    pub async fn runs(&self) -> Result<Vec<RunView>, Refusal> {
        self.ask(Command::Runs).await?
    }

    /// Takes back what was enrolled on a key: deletes its token, empties its slot. Comes back
    /// when it is over.
    pub async fn release(&self, key_request: KeyRequest) -> Result<Box<Report>, Refusal> {
        self.ask(|reply| Command::Release(Box::new(key_request), reply)).await?
    }

    /// Has a key give a code and the server check it; changes nothing else. Comes back when it is over.
    pub async fn verify(&self, key_request: KeyRequest) -> Result<Box<Verified>, Refusal> {
        self.ask(|reply| Command::Verify(Box::new(key_request), reply)).await?
    }

    /// Exchanges what is in the two slots of a key. Comes back when it is over.
    pub async fn swap(&self, key_request: KeyRequest) -> Result<Box<Handled>, Refusal> {
        self.ask(|reply| Command::Swap(Box::new(key_request), reply)).await?
    }

    /// Empties a slot, whoever's it is; an operator has confirmed it. Comes back when it is over.
    pub async fn wipe(&self, key_request: KeyRequest) -> Result<Box<Handled>, Refusal> {
        self.ask(|reply| Command::Wipe(Box::new(key_request), reply)).await?
    }

    /// Finds out what an enrollment of a key by that profile would come to. Changes nothing.
    pub async fn check(&self, key_request: KeyRequest, profile: String) -> Result<Box<Forecast>, Refusal> {
        self.ask(|reply| Command::Check(Box::new(key_request), profile, reply)).await?
    }

    /// Puts right what is unfinished of a serial, and writes the receipts that are owed for it.
    pub async fn see_to(&self, serial: KeySerial) {
        self.tell(Command::SeeTo(serial)).await;
    }

    /// Begins nothing new, has what waits for a touch taken back, lets writes finish, and
    /// comes back when all that is done or when its time is over (20 s): recovery
    /// sees to the rest.
    pub async fn shutdown(&self) {
        // A scheduler that has ended is what is wanted.
        let _ = self.ask(Command::Shutdown).await;
    }

    async fn tell(&self, command: Command) {
        // Nobody is there to hear it when the scheduler has ended.
        let _ = self.commands.send(command).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let stopping = |()| Refusal::new(Code::Stopping, "");
        self.commands.send(command(reply)).await.map_err(|_| stopping(()))?;
        answer.await.map_err(|_| stopping(()))
    }
}
