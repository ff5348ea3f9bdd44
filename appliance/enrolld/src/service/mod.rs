//! What shells may ask of the daemon: `org.enrollmentstation.Control`, answered.
//!
//! [`Service`] holds all that the answers need; [`call_handler`] decides who may ask for what, and notes
//! it in the audit; `calls` answers. Who makes a call is decided here and not in the
//! shell: the shell only says which SSH key logged in and from where, and the roles come
//! from the configuration.
//!
//! It never gives a secret back, and never acts without the scheduler: what happens to keys is
//! the scheduler's business.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::server::Handler;
use control::types::{Counts, Outcome};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{broadcast, watch};

use crate::board::Board;
use crate::config::{Config, Parsed, Problem};
use dispatch::scheduler::{Doing, SchedulerEvent, SchedulerHandle, SchedulerSettings};
use dispatch::store::Store;

mod answers;
mod audit;
pub mod call_handler;
mod calls;
mod changes;
mod chores;
mod configure;
mod credential;
mod enroll;
pub mod face;
mod handle;
pub mod keeping;
mod letters;
mod logs;
mod manage;
mod orders;
mod paging;
mod people;
mod phones;
mod ports;
mod power;
mod print;
mod proof;
mod receipts;
mod redact;
mod refuse;
mod report;
mod runs;
mod sealed;
mod sessions;
mod status;
mod streams;
mod translate;
mod verdict;
mod welcome;

pub(crate) use credential::mends_itself;
pub use face::Face;
pub use logs::{Ring, RingLayer};
pub use power::Power;
pub use refuse::told;
pub(crate) use status::addresses;

use audit::Audit;
use changes::{Brought, Changes};
use credential::CredentialStore;
use keeping::{Condition, Keeping};
use paging::Places;
use ports::Torn;
use sealed::SealedDirectories;

/// Reads what may be an SSH signature of a change, and forgets it: for fuzzing.
pub fn examine_signature(text: &str) {
    proof::examine(text);
}

/// Where the configuration is and where changes are kept.
pub struct Files {
    /// `enrollment.toml`.
    pub config: PathBuf,
    /// The state partition's directory; without it, everything is gone with the process.
    pub state: Option<PathBuf>,
}

/// The configuration at the start, read.
pub struct Loaded {
    changes: Changes,
    credentials: CredentialStore,
    sealed_directories: Option<SealedDirectories>,
    /// It, and what is wrong with it.
    pub parsed: Parsed,
}

impl Loaded {
    /// Reads the configuration, and what operators have changed. A file that cannot be read is a
    /// problem like others: the station shows it and enrolls nothing.
    pub fn read(files: &Files) -> Self {
        let (changes, Brought { parsed, key_withheld }) =
            Changes::open(&files.config, files.state.as_deref());
        let sealed_directories =
            files.state.as_deref().and_then(|state| match SealedDirectories::open(state) {
                Ok(sealed_directories) => Some(sealed_directories),
                Err(error) => {
                    tracing::error!("there is no place for sealed files: {error}");
                    None
                }
            });
        if let Some(sealed_directories) = &sealed_directories {
            sealed_directories.configure(&parsed.config);
        }
        let tokens = sealed_directories.as_ref().map(|sealed_directories| sealed_directories.tokens.clone());
        let credentials = CredentialStore::new(&parsed.config, key_withheld, tokens);
        Self { changes, credentials, sealed_directories, parsed }
    }

    /// The journal, with a place for what is to be handed over.
    pub fn furnished(&self, store: Store) -> Store {
        match &self.sealed_directories {
            Some(sealed_directories) => store.with_hand_over(Arc::new(sealed_directories.secrets.clone())),
            None => store,
        }
    }

    /// What the scheduler speaks to at the start: the server, when the configuration has an API key.
    pub fn server(&self) -> Option<Arc<dyn dispatch::server::ServerPort>> {
        self.credentials.port()
    }
}

/// What a desk is made of.
pub struct Parts {
    /// The configuration.
    pub loaded: Loaded,
    /// Where changes are kept.
    pub state: Option<PathBuf>,
    /// Everything that is plugged in.
    pub scheduler: SchedulerHandle,
    /// The journal.
    pub store: Store,
    /// The display.
    pub face: Arc<Face>,
    /// Where the receipts are, when there are any.
    pub receipts: Option<PathBuf>,
    /// The newest lines of the log.
    pub ring: Ring,
    /// What switches the machine off.
    pub power: Power,
    /// How the card was found.
    pub condition: Condition,
    /// Why journal or receipts could not be opened, and are in memory only.
    pub unopened: Option<station::refusal::Refusal>,
    pub board: Board,
}

/// What the answers need. Everybody shares one.
pub struct Service {
    scheduler: SchedulerHandle,
    store: Store,
    face: Arc<Face>,
    ring: Ring,
    power: Power,
    receipts: Option<PathBuf>,
    audit: Audit,
    /// The long answers that are being read.
    places: Places,
    /// Whole logs are checked one after the other.
    checking: tokio::sync::Semaphore,
    credentials: CredentialStore,
    sealed_directories: Option<SealedDirectories>,
    changes: Mutex<Changes>,
    config: watch::Sender<Arc<Config>>,
    problems: Mutex<Vec<Problem>>,
    door: watch::Sender<Option<OpenDoor>>,
    sessions: Mutex<sessions::Sessions>,
    proofs: Mutex<proof::Proofs>,
    memory: Mutex<Memory>,
    phones: Mutex<phones::Phones>,
    keeping: Keeping,
    board: Board,
    server_changed: broadcast::Sender<()>,
    addresses: Mutex<Vec<String>>,
    /// The day on which people were forgotten last.
    forgot: Mutex<Option<Date>>,
    started: Timestamp,
}

/// The SSH server, as it told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDoor {
    /// The fingerprint of its host key.
    pub host_key: String,
    pub listen: String,
}

/// What happened since the start, as far as it is asked for later.
struct Memory {
    counts: Counts,
    /// The tokens of what was counted as postponed.
    postponed: BTreeSet<String>,
    outcomes: BTreeMap<String, Outcome>,
    tickets: BTreeMap<String, u64>,
    /// Codes that did not arrive whole, by port.
    torn: BTreeMap<String, Torn>,
}

impl Service {
    pub fn open(parts: Parts) -> Arc<Self> {
        let Parts {
            loaded,
            state,
            scheduler,
            store,
            face,
            receipts,
            ring,
            power,
            condition,
            unopened,
            board,
        } = parts;
        let audit = Audit::open(state.as_deref(), &store, loaded.parsed.config.station.name.as_str());
        let (config, _) = watch::channel(Arc::new(loaded.parsed.config));
        let server_changed = loaded.credentials.moved();
        let counts = Counts { enrolled: 0, refused: 0, undone: 0, quarantined: 0, postponed: 0 };
        let service = Arc::new(Self {
            scheduler,
            store,
            face,
            ring,
            power,
            receipts,
            audit,
            places: Places::default(),
            checking: tokio::sync::Semaphore::new(1),
            credentials: loaded.credentials,
            sealed_directories: loaded.sealed_directories,
            changes: Mutex::new(loaded.changes),
            config,
            problems: Mutex::new(loaded.parsed.problems),
            door: watch::channel(None).0,
            sessions: Mutex::default(),
            proofs: Mutex::default(),
            phones: Mutex::default(),
            keeping: Keeping::new(state, condition, unopened),
            board,
            memory: Mutex::new(Memory {
                counts,
                postponed: BTreeSet::new(),
                outcomes: BTreeMap::new(),
                tickets: BTreeMap::new(),
                torn: BTreeMap::new(),
            }),
            server_changed,
            addresses: Mutex::new(addresses()),
            forgot: Mutex::default(),
            started: credential::now(),
        });
        tokio::spawn(Arc::clone(&service).remember());
        service
    }

    /// Answers calls on a socket, those of `more` too, until it fails.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::UnixListener,
        admitted: call_handler::Admitted,
        more: Option<Arc<dyn call_handler::More>>,
    ) -> std::io::Result<()> {
        let handler = Arc::new(call_handler::CallHandler::new(self, admitted, more));
        debug_assert!(!handler.interfaces().is_empty());
        control::server::serve(listener, handler).await
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// The configuration, now and whenever it changes.
    pub fn configs(&self) -> watch::Receiver<Arc<Config>> {
        self.config.subscribe()
    }

    /// What is wrong with the configuration that is in force.
    pub fn problems(&self) -> Vec<Problem> {
        lock(&self.problems).clone()
    }

    /// Something about the server or its credential changed.
    pub fn server_changes(&self) -> broadcast::Receiver<()> {
        self.server_changed.subscribe()
    }

    /// Asks the server how it is, when there was trouble with it or nothing is known.
    pub async fn freshen(&self) {
        self.credentials.freshen().await;
    }

    /// Looks whether the station's addresses are others than before, and tells it.
    pub fn notice_addresses(&self) {
        let now = addresses();
        if std::mem::replace(&mut *lock(&self.addresses), now.clone()) != now {
            self.server_moved();
        }
    }

    /// Has the card looked at: whether what the station does can be kept.
    pub fn look_at_the_card(&self) {
        self.keeping.look();
    }

    /// Looks at the board; a new trouble is told.
    pub fn look_at_the_board(&self) {
        if self.board.look() {
            self.server_moved();
        }
    }

    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// The time of day has become known: it is kept, and what rested on a guess is looked at anew.
    pub async fn time_is_known(&self) {
        self.keeping.note_time();
        self.server_moved();
        self.freshen().await;
    }

    /// The server and its credential, without asking.
    pub fn server(&self) -> control::types::Server {
        self.credentials.shown()
    }

    /// The SSH server, once it is open.
    pub fn door(&self) -> watch::Receiver<Option<OpenDoor>> {
        self.door.subscribe()
    }

    /// Reads the card's configuration anew.
    pub async fn reload(&self) {
        let brought = lock(&self.changes).reopen();
        for note in self.apply(brought).await {
            tracing::info!("the configuration: {note}");
        }
    }

    /// Brings a configuration into force, and ends the sessions of those whose rights it changes. What becomes of
    /// the credential is told.
    async fn apply(&self, brought: Brought) -> Vec<String> {
        let Brought { mut parsed, key_withheld } = brought;
        self.keeping.condition().restrict(&mut parsed.config);
        let config = Arc::new(parsed.config);
        let wrong = !parsed.problems.is_empty() || self.keeping.trouble().is_some();
        *lock(&self.problems) = parsed.problems;
        let told = self.credentials.configure(&config, key_withheld);
        if let Some(sealed_directories) = &self.sealed_directories {
            sealed_directories.configure(&config);
        }
        self.scheduler.set_settings(scheduler_settings(&config, wrong)).await;
        self.scheduler.set_server(self.credentials.port()).await;
        self.config.send_replace(Arc::clone(&config));
        lock(&self.sessions).follow(&config);
        self.server_moved();
        told
    }

    fn server_moved(&self) {
        // Nobody may be watching.
        let _ = self.server_changed.send(());
    }

    /// Keeps what status and shells ask for later.
    async fn remember(self: Arc<Self>) {
        let mut events = self.scheduler.events();
        loop {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            let mut memory = lock(&self.memory);
            memory.note_torn(&event);
            match event {
                SchedulerEvent::Ended(ended) => {
                    let outcome =
                        Outcome { profile: Some(ended.profile.clone()), ..translate::report(&ended.report) };
                    memory.count(&outcome);
                    // What is told of a port is about the key in it.
                    if ended.there {
                        memory.tickets.remove(&ended.port);
                        memory.outcomes.insert(ended.port.clone(), outcome);
                    }
                    self.keeping.look();
                }
                SchedulerEvent::Doing { port, doing: Doing::Working { ticket: Some(ticket), .. } } => {
                    memory.tickets.insert(port, ticket.0);
                }
                SchedulerEvent::Settled { record, left: None } => memory.settled(&record),
                SchedulerEvent::Arrived { port } | SchedulerEvent::Left { port } => {
                    memory.outcomes.remove(&port);
                    memory.tickets.remove(&port);
                }
                _ => {}
            }
        }
    }
}

/// What the scheduler has to know of a configuration. With a wrong one nothing is enrolled.
pub fn scheduler_settings(config: &Config, wrong: bool) -> SchedulerSettings {
    use crate::config::StartMode;
    use station::access::Codes;
    use station::engine::mode::{Mode, NamedProfile};
    let mode = match config.station.mode {
        _ if wrong => Mode::Locked,
        StartMode::Armed => Mode::Armed,
        StartMode::Attended => Mode::Attended,
        StartMode::Locked => Mode::Locked,
    };
    let named = |(name, section): (&String, &crate::config::ProfileSection)| NamedProfile {
        name: name.clone(),
        fits: section.fits.clone(),
        profile: section.profile.clone(),
    };
    let mut settings = SchedulerSettings::new(config.station.name.as_str());
    settings.server_name = config.server.name.as_str().to_owned();
    settings.mode = mode;
    settings.profiles = config.profiles.iter().map(named).collect();
    settings.default_profile = config.run.profile.as_ref().map(|name| name.as_str().to_owned());
    settings.welcome = Some(Arc::new(config.welcome.clone()));
    let codes = &config.access_codes;
    settings.codes = Codes {
        table: codes.table_file.as_ref().map(|file| Arc::clone(&file.secret)),
        fixed: codes.fixed_file.as_ref().map(|file| Arc::clone(&file.secret)),
        secret: codes.secret_file.as_ref().map(|file| Arc::clone(&file.secret)),
    };
    settings.note_receipts = config.receipts.on_server;
    settings.in_flight = usize::try_from(config.run.in_flight.number()).unwrap_or(8);
    settings
}

/// A panic elsewhere does not make what is kept here worse.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
