//! A walk over what can happen to a station: keys, fingers, orders, runs, modes, logins, a server that goes and
//! comes. Wherever it leads, `status` and the display say the same, what stops the next key is what is shown, and
//! every state has its exit.
#![cfg(test)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{Client, Incoming, Secret};
use enrolld::service::Ring;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sim::args::{Args, Command};
use sim::whole::Simulation;
use twins::privacyidea::{ADMIN, Fault, Mode as Wrong, Options, ServerTwin, front};
use zeroize::Zeroizing;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long status and display may say different things: the display is drawn when something happens, and some
/// of its scenes take turns.
const SOON: Duration = Duration::from_secs(30);

/// For how long it is told what became of a key that was pulled out too early, and a little longer.
const TOLD: Duration = Duration::from_secs(32);

/// Steps of a walk.
const STEPS: usize = 16;

/// How many walks go on side by side.
const AT_ONCE: usize = 8;

/// How many walks. `WALKS=100` takes many minutes.
fn walks() -> u64 {
    std::env::var("WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// A station, its server, and what somebody does with them.
struct Walk {
    client: Client,
    twin: Arc<Mutex<ServerTwin>>,
    front: Option<front::Server>,
    address: SocketAddr,
    /// Orders whose clients are there.
    listened: Vec<Incoming<Event>>,
    /// Serials by port.
    keys: Vec<(String, u32)>,
    last: u32,
    /// When a key was pulled out last. What became of it may be told for a while.
    pulled: Option<Instant>,
    runs: u32,
    dice: StdRng,
    /// Every state that was seen.
    seen: BTreeSet<String>,
}

fn login() -> ServerLogIn {
    ServerLogIn {
        user: ADMIN.0.to_owned(),
        realm: None,
        password: Secret::new(Zeroizing::new(ADMIN.1.to_owned())),
    }
}

/// A whole station at this server.
async fn started(directory: &Path, address: SocketAddr) -> (Simulation, Client) {
    let operator = directory.join("op.pub");
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let password = directory.join("password");
    std::fs::write(&password, ADMIN.1).unwrap();
    let text = |path: &Path| path.display().to_string();
    let (house, operator, password) = (text(&directory.join("house")), text(&operator), text(&password));
    let url = format!("http://{address}");
    let words = [
        ["station-sim", "station", "--directory", &house, "--operator-key", &operator].as_slice(),
        &["--server", &url, "--allow-plain-http", "--user", ADMIN.0, "--password-file", &password],
    ]
    .concat();
    let Command::Station(station) = Args::parse_from(words).command else { panic!("not a station") };
    let simulation = Simulation::start(&station, Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    for (path, value) in [("server.lag-seconds", "1"), ("server.timeout-seconds", "5")] {
        let set = ConfigSet { path: path.to_owned(), value: Some(value.to_owned()), ..ConfigSet::default() };
        client.config_set(&set).await.unwrap();
    }
    client.config_commit(&ConfigCommit::default()).await.unwrap();
    client.server_log_in(&login()).await.unwrap();
    (simulation, client)
}

/// The key in a port, as far as the display speaks of it.
fn shown(port: &&Port) -> bool {
    let waits_for_others = port.text.as_deref().is_some_and(|text| {
        text.ends_with("to be unlocked") || text.ends_with("server login") || text.ends_with("of the run")
    });
    match port.activity {
        Activity::Idle | Activity::Stranger | Activity::Empty => false,
        Activity::Waiting => !waits_for_others,
        Activity::Working => port.text.as_deref() != Some("finding out what it is"),
        _ => true,
    }
}

/// Whether the display says what `status` says.
fn agrees(status: &Status, words: &str) -> bool {
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    let ports: Vec<&Port> = status.ports.iter().filter(shown).collect();
    match ports.as_slice() {
        [] => match (&status.not_ready, status.orders.as_slice(), &status.run) {
            (Some(refusal), ..) if ["E3008", "E2013", "E2014"].contains(&refusal.code.as_str()) => {
                says(&["Locked"])
            }
            (Some(refusal), ..) => says(&[&refusal.code, "No server"]),
            (None, [_, ..], _) => says(&["An order waits"]),
            (None, [], Some(run)) if run.state == RunState::Running => says(&[&run.name]),
            (None, [], _) => says(&["Insert a key"]),
        },
        [port] => {
            let text = port.text.clone().unwrap_or_default();
            let code = text.split_once(": ").map_or(text.as_str(), |(_, text)| text);
            let code: String = code.chars().take(5).collect();
            match port.activity {
                Activity::Touch => says(&["Touch"]),
                Activity::Done => says(&["Done", "Remove"]),
                Activity::Quarantined => says(&["Quarantined", &code]),
                Activity::Refused => says(&[&code]),
                _ => says(&["Reading", "Writing", "Checking"]),
            }
        }
        many => many.iter().all(|port| {
            let number = port.number.unwrap();
            let words: &[&str] = match port.activity {
                Activity::Touch => &["Touch"],
                Activity::Done => &["Done", "Remove"],
                Activity::Quarantined => &["Aside", "Refused"],
                Activity::Refused => &["Refused"],
                _ => &["Reads", "Writes", "Checks"],
            };
            words.iter().any(|word| says(&[&format!("{number} {word}")]))
        }),
    }
}

/// Whether the display tells what became of a key that is not there any more.
fn is_aftermath(status: &Status, words: &str) -> bool {
    let code =
        words.strip_prefix('E').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    !status.ports.iter().any(|port| shown(&port)) && (code || words.contains("Quarantined"))
}

impl Walk {
    /// What is shown, once status and display say the same.
    async fn agree(&mut self, after: &str) {
        let client = self.client.clone();
        let (mut status, mut words) = (None, String::new());
        let tells = self.pulled.is_some_and(|at| at.elapsed() < TOLD);
        let agreeing = async {
            loop {
                let before = client.status().await.unwrap();
                words = client.panel().await.unwrap().words.join(" ").replace('\u{a0}', " ");
                let good = agrees(&before, &words) || (tells && is_aftermath(&before, &words));
                status = Some(before);
                if good {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let agreed = tokio::time::timeout(SOON, agreeing).await;
        let status = status.unwrap();
        assert!(agreed.is_ok(), "after {after}: the display says {words:?}, and status {status:#?}");
        let code = status.not_ready.as_ref().map_or("ready", |refusal| refusal.code.as_str());
        let doing: Vec<&str> = status.ports.iter().map(|port| port.activity.word()).collect();
        let run = status.run.as_ref().map_or("no run", |run| run.state.word());
        let (orders, mode) = (status.orders.len().min(1), status.mode.word());
        self.seen.insert(format!("{mode}, {code}, {doing:?}, orders {orders}, {run}"));
    }

    fn one_of(&mut self, count: usize) -> usize {
        self.dice.random_range(0..count)
    }

    fn key(&mut self) -> Option<(String, u32)> {
        let at = self.dice.random_range(0..self.keys.len().max(1));
        self.keys.get(at).cloned()
    }

    async fn plug(&mut self) -> String {
        let free = (1..=3).map(|port| format!("1-1.{port}"));
        let free = free.into_iter().find(|port| self.keys.iter().all(|(taken, _)| taken != port));
        let Some(port) = free else { return "nothing: every port is taken".to_owned() };
        // A key that was here before, or a new one.
        let known = self.dice.random_bool(0.4) && self.last > 700;
        let serial = if known { self.dice.random_range(701..=self.last) } else { self.last + 1 };
        if self.keys.iter().any(|(_, there)| *there == serial) {
            return "nothing: that key is there".to_owned();
        }
        self.last = self.last.max(serial);
        let plug = Plug { serial: Some(serial), port: Some(port.clone()), ..Plug::default() };
        self.client.sim_plug(&plug).await.unwrap();
        self.keys.push((port, serial));
        format!("key {serial} is plugged in")
    }

    async fn pull(&mut self) -> String {
        let Some((port, serial)) = self.key() else { return "nothing: no key is there".to_owned() };
        self.keys.retain(|(there, _)| *there != port);
        self.pulled = Some(Instant::now());
        self.client.sim_pull(&Pull { key: Some(port) }).await.unwrap();
        format!("key {serial} is pulled out")
    }

    async fn order(&mut self) -> String {
        let absent = self.dice.random_bool(0.3).then(|| "99999999".to_owned());
        let detach = self.dice.random_bool(0.5);
        let enroll = Enroll {
            profile: Some("hotp6".to_owned()),
            person: self.dice.random_bool(0.5).then(|| "alice@office".to_owned()),
            key: absent.or_else(|| self.key().map(|(_, serial)| serial.to_string())),
            detach: Some(detach),
            unchecked: Some(true),
            ..Enroll::default()
        };
        let taken = self.client.enroll(&enroll).await;
        if let Ok(mut events) = taken {
            // Once it is taken, its client may go.
            let _ = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap();
            self.listened.push(events);
        }
        format!("an order for {:?}, detached: {detach}", enroll.key)
    }

    async fn key_order(&mut self) -> String {
        let key = self.key().map_or_else(|| "99999998".to_owned(), |(_, serial)| serial.to_string());
        let wait_ms = Some(600_000);
        let what = self.dice.random_bool(0.5);
        let taken = if what {
            self.client.verify(&Verify { key: key.clone(), wait_ms, ..Verify::default() }).await
        } else {
            self.client.release(&Release { key: key.clone(), wait_ms, ..Release::default() }).await
        };
        if let Ok(mut events) = taken {
            let _ = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap();
            self.listened.push(events);
        }
        format!("{} of key {key}", if what { "a verification" } else { "a release" })
    }

    async fn run(&mut self) -> String {
        let present = ByRun::default();
        // Whatever is refused leaves everything as it is.
        match self.one_of(4) {
            0 | 1 => {
                self.runs += 1;
                let name = format!("run {}", self.runs);
                let start = RunStart { name: Some(name), count: Some(2), ..RunStart::default() };
                let _ = self.client.run_start(&start).await;
                "a run is started".to_owned()
            }
            2 => {
                let _ = self.client.run_pause(&present).await;
                "the run is paused".to_owned()
            }
            _ => {
                let _ = self.client.run_resume(&present).await;
                "the run is resumed".to_owned()
            }
        }
    }

    /// Somebody does something, or something happens.
    async fn step(&mut self) -> String {
        match self.one_of(20) {
            0..=4 => self.plug().await,
            5 | 6 => self.pull().await,
            7..=9 => self.order().await,
            10 => self.key_order().await,
            11 | 12 => {
                let Some((port, serial)) = self.key() else { return "nothing: no key is there".to_owned() };
                // A key that waits for nothing types all the same.
                let _ = self.client.sim_touch(&TouchKey { key: Some(port), long: false }).await;
                format!("key {serial} is touched")
            }
            13 => {
                let _ = self.client.cancel(&Cancel::default()).await;
                "everything is called off".to_owned()
            }
            14 => {
                self.listened.clear();
                "the clients go away".to_owned()
            }
            15 => {
                let mode = [Mode::Armed, Mode::Attended, Mode::Locked][self.one_of(3)];
                let _ = self.client.set_mode(&SetMode { mode: Some(mode), profile: None }).await;
                format!("the mode is to be {mode:?}")
            }
            16 => self.run().await,
            17 => match self.front.take() {
                Some(front) => {
                    front.stop().await;
                    "the server goes away".to_owned()
                }
                None => {
                    self.server_comes_back().await;
                    "the server comes back".to_owned()
                }
            },
            18 => {
                if self.dice.random_bool(0.5) {
                    let _ = self.client.server_log_out().await;
                    "the server is logged out of".to_owned()
                } else {
                    let _ = self.client.server_log_in(&login()).await;
                    "the server is logged in to".to_owned()
                }
            }
            _ => {
                let path = ["/token/init", "/token/assign", "/validate/check", "/token/UBOM"][self.one_of(4)];
                let mut fault = Fault::new(path, [Wrong::Lost, Wrong::Cut][self.one_of(2)]);
                fault.shots = [1, 6][self.one_of(2)];
                self.twin.lock().unwrap().fault_add(fault);
                format!("{path} fails")
            }
        }
    }

    /// Waits until nothing goes on by itself any more.
    async fn rest(&self) {
        let mut watching = self.client.watch().await.unwrap();
        let resting = async {
            let works = |port: &Port| matches!(port.activity, Activity::Working);
            while self.client.status().await.unwrap().ports.iter().any(works) {
                watching.next().await.unwrap().unwrap();
            }
        };
        tokio::time::timeout(TIMEOUT, resting).await.unwrap();
    }

    async fn server_comes_back(&mut self) {
        let listener = front::listen(self.address.port()).await.unwrap();
        self.front = Some(front::serve(Arc::clone(&self.twin), listener, None, Duration::ZERO).unwrap());
    }

    /// Out of wherever the walk has led to: what `status` and the display ask for is done, and the next key is enrolled.
    async fn leave(&mut self, story: &str) {
        self.twin.lock().unwrap().fault_clear();
        if self.front.is_none() {
            self.server_comes_back().await;
        }
        self.listened.clear();
        self.pulled = None;
        for (port, _) in std::mem::take(&mut self.keys) {
            self.client.sim_pull(&Pull { key: Some(port) }).await.unwrap();
        }
        let attended = SetMode { mode: Some(Mode::Attended), profile: None };
        self.client.server_log_in(&login()).await.unwrap();
        self.client.set_mode(&attended).await.unwrap();
        self.client.cancel(&Cancel::default()).await.unwrap();
        // There may be none.
        let _ = self.client.run_stop(&ByRun::default()).await;
        let mut watching = self.client.watch().await.unwrap();
        let client = self.client.clone();
        let resting = async {
            loop {
                let status = client.status().await.unwrap();
                let quiet =
                    status.ports.is_empty() && status.orders.is_empty() && status.unsettled.is_empty();
                if quiet && status.not_ready.is_none() && status.run.is_none() {
                    return;
                }
                watching.next().await.unwrap().unwrap();
            }
        };
        let rested = tokio::time::timeout(TIMEOUT, resting).await;
        assert!(rested.is_ok(), "no exit from {:#?}", self.client.status().await.unwrap());
        self.client.sim_plug(&Plug { serial: Some(self.last + 1), ..Plug::default() }).await.unwrap();
        let enroll = Enroll { profile: Some("hotp6".to_owned()), ..Enroll::default() };
        let mut events = self.client.enroll(&enroll).await.unwrap();
        let ended = async {
            loop {
                let event = events.next().await.unwrap().unwrap();
                if event.kind == EventKind::Touch {
                    self.client.sim_touch(&TouchKey::default()).await.unwrap();
                }
                if let Some(outcome) = event.outcome {
                    return outcome;
                }
            }
        };
        let outcome = tokio::time::timeout(TIMEOUT, ended).await.unwrap();
        assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
        self.agree(&format!("the way out of {story}")).await;
        self.client.sim_pull(&Pull::default()).await.unwrap();
        self.agree(&format!("the last key after {story}")).await;
    }
}

/// One walk and the way out of it; every state that was seen.
async fn walked(number: u64) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let twin = Arc::new(Mutex::new(ServerTwin::new(Options { image_chars: 0, ..Options::default() })));
    let listener = front::listen(0).await.unwrap();
    let front = front::serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
    let address = front.address();
    let (simulation, client) = started(directory.path(), address).await;
    let mut walk = Walk {
        client,
        twin,
        front: Some(front),
        address,
        listened: Vec::new(),
        keys: Vec::new(),
        last: 700,
        pulled: None,
        runs: 0,
        dice: StdRng::seed_from_u64(number),
        seen: BTreeSet::new(),
    };
    let mut story = Vec::new();
    for _ in 0..STEPS {
        story.push(walk.step().await);
        if walk.dice.random_bool(0.4) {
            walk.rest().await;
            story.push("rest".to_owned());
        }
        walk.agree(&format!("walk {number}: {}", story.join("; "))).await;
    }
    walk.leave(&format!("walk {number}: {}", story.join("; "))).await;
    simulation.stop().await.unwrap();
    walk.seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_leads_status_and_display_say_the_same_and_there_is_an_exit() {
    let first: u64 = std::env::var("WALK").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut seen = BTreeSet::new();
    // They wait most of the time.
    let mut walking = tokio::task::JoinSet::new();
    for number in first..first + walks() {
        if walking.len() >= AT_ONCE {
            seen.extend(walking.join_next().await.unwrap().unwrap());
        }
        walking.spawn(walked(number));
    }
    while let Some(more) = walking.join_next().await {
        seen.extend(more.unwrap());
    }
    println!("{} walks of {STEPS} steps, {} states", walks(), seen.len());
    for state in &seen {
        println!("    {state}");
    }
    let of = |word: &str| seen.iter().filter(|state| state.contains(word)).count();
    for word in ["E2013", "touch", "done", "refused", "orders 1", "running", "armed", "locked"] {
        assert!(walks() < 8 || of(word) > 0, "no state with {word} was seen");
    }
}
