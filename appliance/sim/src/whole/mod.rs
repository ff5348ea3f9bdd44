//! `station-sim station`: the whole station on any Linux machine, with keys made of software
//! that are plugged, touched and pulled by hand.
//!
//! What runs is the daemon as the image has it ([`enrolld::daemon`]) and the SSH server; only
//! the USB rim is [`Hands`], and the server an embedded twin unless one is named. Everything it
//! makes, an SSH key for the occasion included, is in one directory that goes with it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use control::types::ServerLogIn;
use control::{Client, Secret};
use enrolld::daemon::{self, DaemonError, Hardware, Parts, Signal, Source};
use enrolld::notify::Manager;
use enrolld::service::call_handler::Admitted;
use enrolld::service::{Files, Power, Ring};
use panel::Glass;
use panel::hardware::{Breadboard, PinError, Pins};
use privacyidea::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::args::Station;

mod hands;
mod house;
mod place;

pub use hands::Hands;
use house::House;
use place::Place;

/// Where the display is on its bus.
const DISPLAY: u8 = 0x3c;

/// A simulated station that runs, without its SSH server.
pub struct Simulation {
    /// What plugs, touches and pulls keys.
    pub hands: Arc<Hands>,
    /// The bus with its display, 128 by 64 pixels at address 0x3c.
    pub board: Breadboard,
    house: House,
    place: Place,
    running: JoinHandle<Result<(), DaemonError>>,
    signals: mpsc::Sender<Signal>,
}

impl Simulation {
    /// Starts one, and logs it in at its server.
    pub async fn start(args: &Station, ring: Ring) -> anyhow::Result<Self> {
        Self::wired(args, ring, Err(PinError::NoPins("a simulated station has none".to_owned()))).await
    }

    /// The same with a lamp, a buzzer, a button on these pins, as far as the configuration names them.
    pub async fn wired(
        args: &Station,
        ring: Ring,
        pins: Result<Box<dyn Pins>, PinError>,
    ) -> anyhow::Result<Self> {
        let board = Breadboard::new(Glass::Tall, DISPLAY);
        let wires = board.clone();
        let mut place = place::find(&args.server).await?;
        let house = House::build(args, &place)?;
        let (hotplug, told) = mpsc::channel(64);
        let hands = Arc::new(Hands::new(hotplug));
        let (signals, heard) = mpsc::channel(4);
        let parts = Parts {
            files: Files { config: house.config(), state: Some(house.state()) },
            control: house.control(),
            control_mode: 0o600,
            admitted: Admitted { trusted: vec![house::own_user()?], shells: Vec::new() },
            source: Source::Channel(told),
            hardware: Hardware::Given { bus: Box::new(move |_, address| wires.opener(address)), pins },
            power: Power::none(),
            ring,
            more: Some(Arc::clone(&hands) as Arc<_>),
            manager: Manager::default(),
        };
        let mut running = tokio::spawn(daemon::run(parts, heard));
        let login = place.login.take();
        let client = Client::local(&house.control());
        tokio::select! {
            ended = &mut running => {
                ended?.context("the station could not begin")?;
                bail!("the station ended before it had begun");
            }
            ready = ready(&client, login) => ready?,
        }
        hands.plug_first(args.keys).await?;
        Ok(Self { hands, board, house, place, running, signals })
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.house.control()
    }

    /// Where it keeps what outlives a start.
    pub fn state(&self) -> PathBuf {
        self.house.state()
    }

    /// Ends it in order.
    pub async fn stop(self) -> anyhow::Result<()> {
        // It may have ended already.
        let _ = self.signals.send(Signal::Stop).await;
        self.running.await?.context("the station")?;
        drop(self.place);
        Ok(())
    }
}

/// Runs the station until it is told to stop.
pub fn run(args: &Station) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(station(args));
    runtime.shutdown_background();
    result.map(|()| true)
}

async fn station(args: &Station) -> anyhow::Result<()> {
    let ring = Ring::new();
    enrolld::logging::begin(&ring);
    let simulation = Simulation::start(args, ring).await?;
    let (house, address) = (simulation.house.clone(), simulation.place.address.clone());
    let opened = move |addresses: &[std::net::SocketAddr]| {
        if let Some(listens) = addresses.first() {
            eprintln!("{}", house.greeting(*listens, &address));
        }
    };
    let door = shell::ssh::run(simulation.house.door(&args.listen), opened);
    let door = tokio::select! {
        door = door => door.context("the SSH server could not be opened"),
        () = told_to_stop() => Ok(()),
    };
    simulation.stop().await?;
    door?;
    eprintln!("the station has ended");
    Ok(())
}

/// Waits for the daemon to answer, then logs it in.
async fn ready(client: &Client, login: Option<(String, SecretString)>) -> anyhow::Result<()> {
    for attempt in 0.. {
        match client.version().await {
            Ok(_) => break,
            Err(error) if attempt > 400 => return Err(error).context("the daemon does not answer"),
            // The socket is not there yet, and a file that appears is no event without watching.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    let Some((user, password)) = login else { return Ok(()) };
    let password = Secret::new(Zeroizing::new(password.reveal().to_owned()));
    client.server_log_in(&ServerLogIn { user, realm: None, password }).await.context("the server login")?;
    Ok(())
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
