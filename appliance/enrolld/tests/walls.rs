//! The walls, from the inside: who may ask for what, what an SSH server that was taken over gets, and whether
//! a crowd keeps an admin out.

#![cfg(test)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::types::LogIn;
use control::{CallError, Client, Method};
use enrolld::daemon::{self, DaemonError, Hardware, Parts, Signal, Source};
use enrolld::notify::Manager;
use enrolld::service::call_handler::Admitted;
use enrolld::service::{Files, Power, Ring};
use serde_json::{Value, json};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[path = "walls/crowd.rs"]
mod crowd;
#[path = "walls/door.rs"]
mod door;
#[path = "walls/kept.rs"]
mod kept;
#[path = "walls/refused.rs"]
mod refused;
#[path = "walls/roles.rs"]
mod roles;
#[path = "walls/stolen.rs"]
mod stolen;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Without one a configuration is not right.
const PROFILE: &str = "[profile.desk]\nkind = \"hotp\"\n";

/// Somebody with an SSH key.
struct Person {
    name: &'static str,
    key: PrivateKey,
}

impl Person {
    fn new(name: &'static str) -> Self {
        Self { name, key: PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap() }
    }

    fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    fn line(&self) -> String {
        self.key.public_key().to_openssh().unwrap()
    }

    /// The table of an operator.
    fn table(&self, role: &str) -> String {
        format!("[[operators]]\nname = \"{}\"\nrole = \"{role}\"\nkeys = [\"{}\"]\n", self.name, self.line())
    }

    /// The key in a file, as OpenSSH reads it.
    fn file(&self, directory: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = directory.join(self.name);
        std::fs::write(&file, self.key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    fn log_in(&self, session: &str) -> LogIn {
        LogIn {
            operator: self.fingerprint(),
            address: "192.0.2.7:50312".to_owned(),
            session: session.to_owned(),
        }
    }

    async fn enter(&self, station: &Station, session: &str) -> Client {
        Client::connect(&station.control(), self.log_in(session)).await.unwrap().0
    }
}

/// A daemon that believes this process as much as the SSH server.
struct Station {
    directory: PathBuf,
    running: JoinHandle<Result<(), DaemonError>>,
    signals: mpsc::Sender<Signal>,
}

impl Station {
    async fn start(directory: &Path, config: &str) -> Self {
        let (card, state) = (directory.join("card"), directory.join("state"));
        for part in [&card, &state] {
            std::fs::create_dir_all(part).unwrap();
        }
        std::fs::write(card.join("enrollment.toml"), config).unwrap();
        let (hotplug, told) = mpsc::channel(1);
        // Nothing is ever plugged in.
        std::mem::forget(hotplug);
        let (signals, heard) = mpsc::channel(1);
        let own = rustix::process::geteuid().as_raw();
        let control = directory.join("control.sock");
        let parts = Parts {
            files: Files { config: card.join("enrollment.toml"), state: Some(state) },
            control: control.clone(),
            control_mode: 0o600,
            admitted: Admitted { trusted: Vec::new(), shells: vec![own] },
            source: Source::Channel(told),
            hardware: Hardware::None,
            power: Power::none(),
            ring: Ring::new(),
            more: None,
            manager: Manager::default(),
        };
        let running = tokio::spawn(daemon::run(parts, heard));
        let station = Self { directory: directory.to_owned(), running, signals };
        while let Err(CallError::Unreachable(_)) = Client::local(&control).version().await {
            assert!(!station.running.is_finished(), "the daemon ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        station
    }

    fn control(&self) -> PathBuf {
        self.directory.join("control.sock")
    }

    async fn stop(self) {
        self.signals.send(Signal::Stop).await.unwrap();
        self.running.await.unwrap().unwrap();
    }
}

/// What messages straight onto the socket are answered with.
async fn said(socket: &Path, messages: Vec<String>) -> Vec<Value> {
    let socket = socket.to_owned();
    let ask = move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        for message in &messages {
            stream.write_all(message.as_bytes()).unwrap();
            stream.write_all(&[0]).unwrap();
        }
        let (mut all, mut bytes) = (Vec::new(), [0; 65536]);
        // A stream never ends by itself; what is there is enough.
        while all.iter().filter(|byte| **byte == 0).count() < messages.len() {
            match stream.read(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(count) => all.extend_from_slice(&bytes[..count]),
            }
        }
        let text = String::from_utf8(all).unwrap();
        text.split_terminator('\0').map(|part| serde_json::from_str(part).unwrap()).collect()
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

/// A connection straight to the socket.
fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// One message on a connection, and its answer.
async fn asked(mut stream: UnixStream, message: String) -> (UnixStream, Value) {
    let ask = move || {
        stream.write_all(message.as_bytes()).unwrap();
        stream.write_all(&[0]).unwrap();
        let (mut all, mut bytes) = (Vec::new(), [0; 65536]);
        while !all.contains(&0) {
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the daemon hung up");
            all.extend_from_slice(&bytes[..count]);
        }
        let first = all.split(|byte| *byte == 0).next().unwrap();
        (stream, serde_json::from_slice(first).unwrap())
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

fn call(method: Method, parameters: &Value) -> String {
    let method_name = format!("{}.{}", Method::INTERFACE, method.name());
    json!({ "method": method_name, "parameters": parameters, "more": true }).to_string()
}
