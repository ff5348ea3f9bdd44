//! The whole station, wired: configuration, journal, scheduler, display, control socket.
//!
//! [`run`] is what the program `enrolld` does and what the simulation does with other
//! hardware. It comes back when it is told to stop, after writes have ended.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc as blocking;

use journal::receipts::Limits;
use panel::hardware::{DisplayConfig, LampPins, OpenBus, Panel, PanelConfig, PinError, Pins};
use panel::{Glass, Press, View};
use station::refusal::{Code, Refusal};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use crate::board::{self, Board};
use crate::config::{Config, DisplayKind, Speech};
use crate::notify::{Beat, Manager};
use crate::service::call_handler::{Admitted, More};
use crate::service::keeping::{self, Condition};
use crate::service::{Face, Files, Loaded, Parts as ServiceParts, Power, Ring, Service, scheduler_settings};
use crate::time;
use dispatch::clock::SystemClock;
use dispatch::event::Event;
use dispatch::receipts::Receipts;
use dispatch::scheduler::{Hotplug, Scheduler, SchedulerParts};
use dispatch::store::Store;

mod job;
mod scene;

/// Where keys come from.
pub enum Source {
    /// The machine's USB ports.
    Usb,
    /// Whoever has the other end.
    Channel(mpsc::Receiver<Hotplug>),
}

/// What the panel is made of.
pub enum Hardware {
    /// The machine's I2C bus and pins, as the configuration says.
    Board,
    /// This bus and these pins in their place; what is wired to them, the configuration says.
    Given {
        /// Opens the bus of this number for a display at this address.
        bus: Box<dyn FnOnce(u8, u8) -> OpenBus + Send>,
        /// The pins for lamp, buzzer and button.
        pins: Result<Box<dyn Pins>, PinError>,
    },
    /// Nothing: pictures can still be looked at through the control socket.
    None,
}

/// What a station is made of.
pub struct Parts {
    /// The configuration, and where changes, journal and receipts are kept.
    pub files: Files,
    /// The control socket.
    pub control: PathBuf,
    pub control_mode: u32,
    /// Who may connect to it.
    pub admitted: Admitted,
    /// Where keys come from.
    pub source: Source,
    /// What the panel is made of.
    pub hardware: Hardware,
    /// What switches the machine off.
    pub power: Power,
    /// The newest lines of the log.
    pub ring: Ring,
    /// Calls of another interface.
    pub more: Option<Arc<dyn More>>,
    /// The service manager.
    pub manager: Manager,
}

/// Why there is no station.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The journal cannot be opened, and nothing may happen that it does not know.
    #[error(
        "the journal {file} cannot be opened: {error}. See that the state partition is there, writable and not full."
    )]
    Journal { file: String, error: journal::JournalError },
    /// The receipts cannot be opened.
    #[error(
        "the receipts in {directory} cannot be opened: {error}. See that the state partition is there, writable and not full."
    )]
    Receipts { directory: String, error: journal::receipts::ReceiptError },
    /// The control socket cannot be opened.
    #[error(
        "the control socket {socket} cannot be opened: {error}. See that its directory is there and writable."
    )]
    Socket { socket: String, error: io::Error },
    /// The control socket failed.
    #[error("the control socket failed: {0}. The station has to be restarted.")]
    Control(io::Error),
    /// The kernel has no thread for the service manager's watchdog.
    #[error("there is no thread for the watchdog: {0}. The station has to be restarted.")]
    Watchdog(io::Error),
}

/// What somebody wants of a running station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To end in order.
    Stop,
    /// To read the configuration anew.
    Reload,
}

/// Runs a station until it is told to stop.
pub async fn run(parts: Parts, mut signals: mpsc::Receiver<Signal>) -> Result<(), DaemonError> {
    let Parts { files, control, control_mode, admitted, source, hardware, power, ring, more, manager } =
        parts;
    manager.tell("STATUS=starting");
    let mut loaded = Loaded::read(&files);
    let condition = Condition::read(Path::new(keeping::CONDITION));
    condition.restrict(&mut loaded.parsed.config);
    for problem in &loaded.parsed.problems {
        tracing::error!("{}", problem.line(&files.config.display().to_string()));
    }
    let config = loaded.parsed.config.clone();
    let wrong = !loaded.parsed.problems.is_empty();
    let (face, presses) = face(&config, hardware);
    // Without them nothing is enrolled, but operators get in and hear why.
    let mut unopened = None;
    let store = open_journal(files.state.as_deref()).or_else(|error| {
        tracing::error!("{error}");
        unopened = Some(Refusal::new(Code::CardDamaged, error.to_string()));
        open_journal(None)
    })?;
    let store = loaded.furnished(store);
    let clock = SystemClock::new();
    job::take_back(&control);
    let (hotplug, _watcher, unwatched) = rim(source, &config);
    let receipts = files.state.as_ref().map(|state| state.join("receipts"));
    let log = receipts.as_deref().map(|directory| {
        Receipts::open_beside(&store, directory, config.station.name.as_str(), Limits::default(), clock)
            .map_err(|error| DaemonError::Receipts { directory: directory.display().to_string(), error })
    });
    let log = log.transpose().unwrap_or_else(|error| {
        tracing::error!("{error}");
        unopened = Some(Refusal::new(Code::CardDamaged, error.to_string()));
        None
    });
    let wrong = wrong || unopened.is_some() || condition.forbids();
    let scheduler = Scheduler::start(SchedulerParts {
        settings: scheduler_settings(&config, wrong),
        server: loaded.server(),
        store: store.clone(),
        clock,
        watcher: Arc::new(log_event),
        receipts: log,
        hotplug,
    });
    let service = Service::open(ServiceParts {
        loaded,
        state: files.state.clone(),
        scheduler: scheduler.clone(),
        store,
        face: Arc::clone(&face),
        receipts,
        ring,
        power,
        condition,
        unopened,
        board: Board::new(board::Places::default()),
    });
    let (runtime, known) = (tokio::runtime::Handle::current(), Arc::downgrade(&service));
    time::begin(time::Places::default(), move || {
        if let Some(service) = known.upgrade() {
            drop(runtime.spawn(async move { service.time_is_known().await }));
        }
    });
    let listener = listen(&control, control_mode)?;
    let serving = Arc::clone(&service).serve(listener, admitted, more);
    tokio::pin!(serving);
    let watching = tokio::spawn(keeping::watch(Arc::clone(&service)));
    let drawing = tokio::spawn(scene::draw(Arc::clone(&service), scheduler.clone(), face, presses));
    manager.tell("READY=1\nSTATUS=ready");
    job::tell(&control, unwatched.as_deref());
    tracing::info!("station {} is ready, its control socket is {}", config.station.name, control.display());

    let beat = Beat::new(manager.watchdog).map_err(DaemonError::Watchdog)?;
    let ended = loop {
        tokio::select! {
            served = &mut serving => break served.map_err(DaemonError::Control),
            signal = signals.recv() => match signal {
                Some(Signal::Reload) => {
                    manager.tell("STATUS=reading the configuration anew");
                    service.reload().await;
                    manager.tell("STATUS=ready");
                }
                Some(Signal::Stop) | None => break Ok(()),
            },
            // The scheduler answers, so the station is alive; a scheduler that has ended is silent.
            () = beat.tick() => {
                if scheduler.snapshot().await.is_some() {
                    manager.tell("WATCHDOG=1");
                }
                // The machine is awake anyway: a cable that was plugged in or out is seen.
                service.notice_addresses();
                service.look_at_the_card();
                service.look_at_the_board();
                service.forget_people().await;
            }
        }
    };
    manager.tell("STOPPING=1\nSTATUS=letting writes end");
    tracing::info!("stopping: writes end, what waits for a touch is taken back");
    tokio::join!(scheduler.shutdown(), service.hang_up());
    drawing.abort();
    watching.abort();
    // It may be gone with its directory already.
    let _ = std::fs::remove_file(&control);
    ended
}

fn open_journal(state: Option<&Path>) -> Result<Store, DaemonError> {
    let file = state.map(|state| state.join("journal.db"));
    let opened = match &file {
        Some(file) => Store::open(file),
        None => Store::in_memory(),
    };
    opened
        .map_err(|error| DaemonError::Journal { file: file.unwrap_or_default().display().to_string(), error })
}

fn listen(socket: &Path, mode: u32) -> Result<UnixListener, DaemonError> {
    let open = || -> io::Result<UnixListener> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        // The umask decides at first; whoever connects before this is refused by its user.
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode))?;
        Ok(listener)
    };
    open().map_err(|error| DaemonError::Socket { socket: socket.display().to_string(), error })
}

fn rim(source: Source, config: &Config) -> (mpsc::Receiver<Hotplug>, Option<usb::Watcher>, Option<String>) {
    match source {
        Source::Channel(hotplug) => (hotplug, None, None),
        Source::Usb => {
            let (sender, hotplug) = mpsc::channel(dispatch::hotplug::BACKLOG);
            let ports = config.usb.ports.iter().map(|ports| ports.0.clone()).collect();
            let policy = usb::Policy { ports, ..usb::Policy::default() };
            match dispatch::hotplug::watch(policy, usb::Places::default(), sender.clone()) {
                Ok(watcher) => (hotplug, Some(watcher), None),
                Err(error) => {
                    tracing::error!("the USB ports are not watched: {error}");
                    // There is room: nothing was sent before.
                    let _ = sender.try_send(Hotplug::Lost(error.to_string()));
                    (hotplug, None, Some(error.to_string()))
                }
            }
        }
    }
}

fn face(config: &Config, hardware: Hardware) -> (Arc<Face>, blocking::Receiver<Press>) {
    let section = &config.panel;
    let narrow = |number: u32| u8::try_from(number).unwrap_or_default();
    let glass = if section.display == DisplayKind::Flat { Glass::Flat } else { Glass::Tall };
    let display = DisplayConfig {
        bus: narrow(section.i2c_bus.number()),
        address: narrow(section.i2c_address.number()),
        glass,
        upside_down: section.upside_down,
        contrast: narrow(section.contrast.number()),
    };
    let some = !matches!(hardware, Hardware::None);
    let wanted = some && section.display != DisplayKind::None;
    let pin = |number: crate::config::Whole<0, 27>| narrow(number.number());
    let mut panel = PanelConfig {
        display: wanted.then_some(display),
        language: match config.station.language {
            Speech::English => panel::Language::English,
            Speech::German => panel::Language::German,
        },
        ..PanelConfig::default()
    };
    if some {
        panel.lamp = match section.lamp.as_slice() {
            [one] => Some(LampPins::One(pin(*one))),
            [red, green, blue] => {
                Some(LampPins::Rgb { red: pin(*red), green: pin(*green), blue: pin(*blue) })
            }
            _ => None,
        };
        panel.active_low = section.lamp_active_low;
        panel.buzzer = section.buzzer.map(pin);
        panel.button = section.button.map(pin);
    }
    let (open, pins): (OpenBus, Result<Box<dyn Pins>, PinError>) = match hardware {
        Hardware::Board => (panel::hardware::i2c(display.bus, display.address), panel::hardware::pins()),
        Hardware::Given { bus, pins } => (bus(display.bus, display.address), pins),
        Hardware::None => (
            Box::new(|| Err(panel::hardware::BusError::NoBus)),
            Err(PinError::NoPins("there are none here".to_owned())),
        ),
    };
    let first = View::Starting { step: None };
    let (panel, presses) = Panel::start(&panel, open, pins, first.clone());
    (Arc::new(Face::new(panel, first, wanted)), presses)
}

/// Every step, for the log.
fn log_event(event: Event) {
    use dispatch::event::What;
    match event.what {
        What::Entered(phase) => tracing::debug!("port {}: {phase}", event.port),
        What::Step(step) => match step.trouble {
            Some(trouble) => tracing::info!("port {}: {}: {trouble}", event.port, step.step),
            None => tracing::debug!("port {}: {} took {:?}", event.port, step.step, step.took),
        },
        What::Ended(outcome) => {
            let token = outcome.token.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = outcome.ending.refusal().map(ToString::to_string).unwrap_or_default();
            tracing::info!("port {}: {} {token} {why}", event.port, outcome.ending.word());
        }
        _ => {}
    }
}
