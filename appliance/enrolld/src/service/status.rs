//! How everything is.

use std::net::UdpSocket;

use control::types::{Health, Part, Status, Unsettled};
use station::catalogue::Language;
use station::engine::phone::NO_KEY;
use station::engine::run::RunState;
use station::refusal::{Code, Refusal};

use super::credential::now;
use super::refuse::{no, told};
use super::translate::{mode, run};
use super::{Service, lock};
use dispatch::scheduler::Snapshot;

impl Service {
    /// Everything at a glance.
    pub(super) async fn status(&self) -> Result<Status, control::Refusal> {
        self.freshen().await;
        let snapshot = self.snapshot().await?;
        Ok(self.status_of(&snapshot))
    }

    /// The scheduler as it is now.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, control::Refusal> {
        self.scheduler.snapshot().await.ok_or_else(|| no(Code::Stopping, ""))
    }

    pub(super) fn status_of(&self, snapshot: &Snapshot) -> Status {
        let memory = lock(&self.memory);
        let ports = snapshot.ports.iter().map(|view| memory.port(view));
        let unsettled = snapshot.unsettled.iter().map(|one| Unsettled {
            key: if one.key == NO_KEY { "a phone".to_owned() } else { one.key.to_string() },
            token: one.token.to_string(),
            state: one.refusal.code.to_string(),
            since: self.started,
            remedy: one.refusal.code.text(Language::English).remedy.to_owned(),
        });
        let config = self.config();
        let door = self.door.borrow().clone();
        Status {
            station: config.station.name.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: now(),
            started: self.started,
            mode: mode(snapshot.mode),
            not_ready: self.not_ready(snapshot),
            server: self.credentials.shown(),
            ports: ports.collect(),
            orders: self.orders_told(snapshot),
            run: snapshot.run.as_ref().filter(|run| is_open(run)).map(run),
            unsettled: unsettled.collect(),
            counts: memory.counts.clone(),
            display: self.face.part(),
            usb: usb(snapshot, &memory.torn()),
            door: match &door {
                Some(door) => Part {
                    health: Health::Good,
                    text: format!("The SSH server listens on {}.", door.listen),
                    remedy: None,
                },
                None => Part {
                    health: Health::Absent,
                    text: "No door has said that it is open.".to_owned(),
                    remedy: Some("See whether enroll-shell runs.".to_owned()),
                },
            },
            records: self.keeping.part(),
            clock: crate::time::part(),
            board: self.board.part(),
            configuration: lock(&self.changes).shown(),
            host_key: door.map(|door| door.host_key),
            addresses: addresses(),
        }
    }

    /// Why what the station does cannot be kept.
    pub(crate) fn kept_trouble(&self) -> Option<Refusal> {
        self.keeping.trouble()
    }

    /// Why nothing can be enrolled now.
    pub(super) fn not_ready(&self, snapshot: &Snapshot) -> Option<control::Refusal> {
        if let Some(problem) = lock(&self.problems).first() {
            let place = problem.place.map(|(line, column)| format!("line {line}, column {column}: "));
            let detail = format!("{}{problem}", place.unwrap_or_default());
            return Some(told(&Refusal::new(Code::ConfigurationInvalid, detail)));
        }
        if snapshot.stopping {
            return Some(no(Code::Stopping, ""));
        }
        if let Some(refusal) = self.keeping.trouble() {
            return Some(told(&refusal));
        }
        if let Err(refusal) = self.credentials.ready() {
            return Some(refusal);
        }
        if snapshot.mode == station::engine::mode::Mode::Locked {
            return Some(no(Code::Locked, ""));
        }
        if let Some(why) = &snapshot.lost {
            return Some(told(&Refusal::new(Code::Internal, why.clone())));
        }
        self.credentials.shown().trouble
    }
}

/// Whether a run is not over.
fn is_open(run: &dispatch::scheduler::RunView) -> bool {
    matches!(run.state, RunState::Running | RunState::Paused)
}

fn usb(snapshot: &Snapshot, torn: &[(&str, u64)]) -> Part {
    match &snapshot.lost {
        None if !torn.is_empty() => {
            let ports: Vec<String> = torn.iter().map(|(port, count)| format!("{port}: {count}")).collect();
            Part {
                health: Health::Good,
                text: format!(
                    "The ports are watched. Codes that did not arrive whole, by port: {}.",
                    ports.join(", ")
                ),
                remedy: Some(Code::CodeTorn.text(Language::English).remedy.to_owned()),
            }
        }
        None => Part { health: Health::Good, text: "The ports are watched.".to_owned(), remedy: None },
        Some(why) => Part {
            health: Health::Bad,
            text: format!("The ports are not watched: {why}."),
            remedy: Some("Restart the station; if that does not help, see logs.".to_owned()),
        },
    }
}

/// The addresses that this machine would use to reach others. Nothing is sent: a
/// UDP socket that is connected only asks the kernel for the way.
pub(crate) fn addresses() -> Vec<String> {
    // Addresses of documentation (RFC 5737, RFC 3849), so nothing would answer anyway.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let own = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    };
    ways.into_iter().filter_map(own).collect()
}
