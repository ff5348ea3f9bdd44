//! The SSH server: an SSH server that lets in whom the daemon names, and gives each a session.
//!
//! It takes public keys only, opens no port, forwards nothing, starts no program. A
//! connection that misbehaves, or panics, ends alone.

pub(crate) mod alive;
mod authorizer;
pub mod gate;
mod handler;
mod host_key;
mod pool;
mod stream;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use control::types::{Door as Wanted, DoorOpened};
use control::{CallError, Client};
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::session::Shared;
use crate::session::inbox::Inbox;
use authorizer::Authorizer;
use gate::{GRACE, Gate, Progress, Verdict};
use handler::{Connection, Login};
pub use host_key::{HostKeyError, fingerprint, host_key};
use pool::Pool;
use stream::{Cuttable, Scissors};

/// How long a connection may be open without a session.
const WITHOUT_SESSION: Duration = Duration::from_secs(30);

/// How often a client is asked whether it is there; after three questions without an answer it is not.
const ALIVE: Duration = Duration::from_secs(30);

/// How long to wait before the daemon is asked again that could not be reached.
const AGAIN: Duration = Duration::from_secs(1);

/// What the SSH server has to be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The daemon's socket.
    pub control: PathBuf,
    /// Where the host key is kept.
    pub state: PathBuf,
    /// Where to listen; what the daemon says when empty.
    pub listen: Vec<String>,
}

/// Why the SSH server cannot be opened.
#[derive(Debug, Error)]
pub enum SshError {
    /// There is no host key.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// It cannot listen there.
    #[error(
        "it is impossible to listen at {listen}: {error}. See that the address is this machine's, and that nothing else listens there."
    )]
    Listen { listen: String, error: std::io::Error },
}

/// What all connections share.
struct Door {
    /// For every client, and for those only that know ML-KEM.
    configs: [Arc<Config>; 2],
    post_quantum: AtomicBool,
    shared: Arc<Shared>,
    authorizer: Authorizer,
    gate: Mutex<Gate>,
    knocking: Mutex<HashMap<u64, Arc<Scissors>>>,
    /// Places for sessions, and what ends each.
    places: Mutex<Pool<Arc<Inbox>>>,
    named: AtomicU64,
}

impl Door {
    fn gate<T>(&self, act: impl FnOnce(&mut Gate) -> T) -> T {
        act(&mut self.gate.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn knocking<T>(&self, act: impl FnOnce(&mut HashMap<u64, Arc<Scissors>>) -> T) -> T {
        act(&mut self.knocking.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn places<T>(&self, act: impl FnOnce(&mut Pool<Arc<Inbox>>) -> T) -> T {
        act(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn config(&self) -> Arc<Config> {
        let [any, post_quantum] = &self.configs;
        Arc::clone(if self.post_quantum.load(Ordering::Relaxed) { post_quantum } else { any })
    }

    fn session_name(&self) -> String {
        format!("{}-{}", std::process::id(), self.named.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A connection's place among those that are not logged in.
struct Place {
    door: Arc<Door>,
    entrant: u64,
}

impl Place {
    fn progress(&self, progress: Progress) {
        self.door.gate(|gate| gate.progress(self.entrant, progress));
    }

    fn enter(&self) {
        self.door.gate(|gate| gate.enter(self.entrant, Instant::now()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.gate(|gate| gate.leave(self.entrant));
        self.door.knocking(|knocking| knocking.remove(&self.entrant));
    }
}

/// Keeps the SSH server open until the future is dropped. `opened` is told the addresses.
///
/// # Errors
///
/// There is no host key, or it cannot listen where it is to.
pub async fn run(settings: Settings, mut opened: impl FnMut(&[SocketAddr]) + Send) -> Result<(), SshError> {
    // A card that has lost it, or takes no writes, shuts nobody out: operators' clients warn, and the display shows the new one.
    let key = host_key(&settings.state).or_else(|error| {
        tracing::error!("{error}. A key for this start alone takes its place");
        host_key::new()
    })?;
    let fingerprint = fingerprint(&key);
    let shared = Shared {
        socket: settings.control.clone(),
        fingerprint: fingerprint.clone(),
        picture: host_key::picture(&key),
        histories: Mutex::default(),
    };
    let door = Arc::new(Door {
        configs: [Arc::new(config(key.clone(), KEX)), Arc::new(config(key, POST_QUANTUM))],
        post_quantum: AtomicBool::new(false),
        shared: Arc::new(shared),
        authorizer: Authorizer::new(&settings.control),
        gate: Mutex::default(),
        knocking: Mutex::default(),
        places: Mutex::default(),
        named: AtomicU64::new(0),
    });
    let mut listeners = Listeners::default();
    if !settings.listen.is_empty() {
        opened(&listeners.open(&door, &settings.listen).await?);
    }
    let station = Client::local(&settings.control);
    let mut told = true;
    loop {
        let error = match station.door().await {
            Ok(mut wanted) => loop {
                match wanted.next().await {
                    Some(Ok(wanted)) => {
                        told = false;
                        let fresh = follow(&settings, &door, &mut listeners, &wanted).await?;
                        if let Some(addresses) = fresh {
                            opened(&addresses);
                        }
                        announce(&station, &listeners, &fingerprint).await;
                    }
                    Some(Err(error)) => break error.to_string(),
                    None => break "it ended the conversation".to_owned(),
                }
            },
            Err(error) => error.to_string(),
        };
        if !told {
            tracing::warn!("the daemon is away: {error}");
            told = true;
        }
        // The daemon starts anew; there is no event for a socket that is not there yet.
        tokio::time::sleep(AGAIN).await;
    }
}

/// Does as the daemon says; the addresses, when they are new.
async fn follow(
    settings: &Settings,
    door: &Arc<Door>,
    listeners: &mut Listeners,
    wanted: &Wanted,
) -> Result<Option<Vec<SocketAddr>>, SshError> {
    door.post_quantum.store(wanted.post_quantum, Ordering::Relaxed);
    if settings.listen.is_empty() && listeners.wanted != wanted.listen {
        return listeners.open(door, &wanted.listen).await.map(Some);
    }
    Ok(None)
}

async fn announce(station: &Client, listeners: &Listeners, fingerprint: &str) {
    let listen = listeners.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let opened = DoorOpened { host_key: fingerprint.to_owned(), listen };
    match station.door_opened(&opened).await {
        Ok(_) | Err(CallError::Unreachable(_)) => {}
        Err(error) => tracing::warn!("the daemon does not take note of the SSH server: {error}"),
    }
}

#[derive(Default)]
struct Listeners {
    wanted: Vec<String>,
    addresses: Vec<SocketAddr>,
    tasks: JoinSet<()>,
}

impl Listeners {
    /// Listens at these addresses and no others. Connections that are there stay.
    async fn open(&mut self, door: &Arc<Door>, wanted: &[String]) -> Result<Vec<SocketAddr>, SshError> {
        self.tasks.shutdown().await;
        self.addresses.clear();
        for listen in wanted {
            let failed = |error| SshError::Listen { listen: listen.clone(), error };
            let listener = TcpListener::bind(listen.as_str()).await.map_err(failed)?;
            self.addresses.push(listener.local_addr().map_err(failed)?);
            self.tasks.spawn(accept(Arc::clone(door), listener));
        }
        self.wanted = wanted.to_vec();
        Ok(self.addresses.clone())
    }
}

async fn accept(door: Arc<Door>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => knock(&door, stream, peer),
            Err(error) => {
                tracing::warn!("a connection cannot be accepted: {error}");
                // Too many files, most likely: the next try would fail at once, too.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn knock(door: &Arc<Door>, stream: TcpStream, peer: SocketAddr) {
    let talking = door.knocking(|knocking| {
        let heard = knocking.iter().filter(|(_, scissors)| scissors.heard() > 0);
        heard.map(|(entrant, _)| *entrant).collect::<Vec<_>>()
    });
    let verdict = door.gate(|gate| {
        talking.iter().for_each(|entrant| gate.progress(*entrant, Progress::Talking));
        gate.knock(peer.ip(), Instant::now())
    });
    let Verdict::Admitted { entrant, evicted } = verdict else { return };
    let scissors = Arc::new(Scissors::default());
    let evicted = door.knocking(|knocking| {
        knocking.insert(entrant, Arc::clone(&scissors));
        evicted.and_then(|evicted| knocking.remove(&evicted))
    });
    if let Some(evicted) = evicted {
        evicted.cut();
    }
    let _ = stream.set_nodelay(true);
    let place = Arc::new(Place { door: Arc::clone(door), entrant });
    tokio::spawn(connection(Arc::clone(door), Cuttable { stream, scissors }, peer, place));
}

async fn connection(door: Arc<Door>, stream: Cuttable, peer: SocketAddr, place: Arc<Place>) {
    let scissors = Arc::clone(&stream.scissors);
    let login = Arc::new(Login::default());
    let handler = Connection {
        door: Arc::clone(&door),
        place: Arc::clone(&place),
        login: Arc::clone(&login),
        peer,
        scissors: Arc::clone(&scissors),
        visitor: None,
        channels: HashMap::new(),
    };
    let deadline = tokio::time::Instant::now() + GRACE;
    let config = door.config();
    let greeted = tokio::time::timeout_at(deadline, russh::server::run_stream(config, stream, handler)).await;
    let Ok(Ok(mut running)) = greeted else { return };
    place.progress(Progress::Greeted);
    tokio::select! {
        _ = &mut running => return,
        () = login.done.notified() => {}
        () = tokio::time::sleep_until(deadline) => scissors.cut(),
    }
    drop(place);
    // Whoever is logged in and opens no session is asked to go.
    while login.is_done.load(Ordering::Acquire) {
        let idle = login.open.load(Ordering::Relaxed) == 0;
        tokio::select! {
            ended = &mut running => {
                if let Err(error) = ended {
                    tracing::debug!("the connection from {peer} ended: {error}");
                }
                return;
            }
            () = login.changed.notified() => {}
            () = tokio::time::sleep(WITHOUT_SESSION), if idle => {
                scissors.cut();
                break;
            }
        }
    }
    let _ = running.await;
}

/// How keys are exchanged. X25519 alone is for clients that do not know ML-KEM; whoever does, gets it.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The same without what a quantum computer could break.
const POST_QUANTUM: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// What is spoken: nothing that is known to be weak, and nothing that is not needed.
fn config(key: PrivateKey, kex: &'static [kex::Name]) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-EnrollmentStation")),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // A key that is offered is public; there is nothing to guess and thus nothing to slow down.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        window_size: 256 * 1024,
        maximum_packet_size: 32 * 1024,
        channel_buffer_size: 16,
        event_buffer_size: 8,
        preferred: Preferred {
            kex: Cow::Borrowed(kex),
            key: Cow::Borrowed(&[
                Algorithm::Ed25519,
                Algorithm::SkEd25519,
                Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
                Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
                Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
                Algorithm::SkEcdsaSha2NistP256,
            ]),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Borrowed(&[
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM]),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        max_auth_attempts: 10,
        // Answers to the questions whether the client is there count.
        inactivity_timeout: Some(ALIVE * 4),
        keepalive_interval: Some(ALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
