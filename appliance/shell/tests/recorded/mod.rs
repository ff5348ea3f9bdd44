//! A daemon that answers from a record: every call of the interface, with the checks of the real
//! one (arguments, roles), and no station behind it. What it says is in `answers.json`.

#![allow(dead_code)] // Each program that uses it needs only part.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::interface::Answer;
use control::server::{Credentials, Handler, Interface};
use control::types::{DoorKnows, LogIn, Operator, Role};
use control::wire::{self, Call, Fault};
use control::{Method, Refusal};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::{Notify, watch};

const ANSWERS: &str = include_str!("answers.json");

/// What the record knows, and what was asked of it.
pub(crate) struct Recorded {
    answers: HashMap<String, Value>,
    door: watch::Sender<Value>,
    operators: Mutex<Vec<Operator>>,
    /// Calls with their arguments, oldest first.
    pub(crate) calls: Mutex<Vec<(String, String)>>,
    /// An enrollment waits for this, or for being cancelled.
    pub(crate) go_on: Notify,
    cancelled: Notify,
    answered: Notify,
    /// Events that `Watch` sends a second time and again, this far apart.
    pub(crate) pace: Mutex<Option<Duration>>,
}

/// Whoever makes calls.
#[derive(Default)]
pub(crate) struct Peer {
    name: Option<(String, Role)>,
}

impl Recorded {
    pub(crate) fn new(operators: Vec<Operator>, listen: &str, idle: Duration) -> Arc<Self> {
        let door = json!({
            "station": "desk-1",
            "listen": [listen],
            "idle_ms": u64::try_from(idle.as_millis()).unwrap(),
            "post_quantum": false,
        });
        Arc::new(Self {
            answers: serde_json::from_str(ANSWERS).unwrap(),
            door: watch::Sender::new(door),
            operators: Mutex::new(operators),
            calls: Mutex::default(),
            go_on: Notify::new(),
            cancelled: Notify::new(),
            answered: Notify::new(),
            pace: Mutex::default(),
        })
    }

    /// Lets other operators in from now on.
    pub(crate) fn set_operators(&self, operators: Vec<Operator>) {
        *self.operators.lock().unwrap() = operators;
        // The SSH server says that it is open once more: a test waits for that.
        self.door.send_modify(|_| {});
    }

    /// Answers calls at a socket.
    pub(crate) fn serve(self: &Arc<Self>, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(control::server::serve(listener, Arc::new(Served(Arc::clone(self)))));
    }

    /// The arguments of the calls of one method.
    pub(crate) fn arguments(&self, method: &str) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name == method).map(|(_, arguments)| arguments.clone()).collect()
    }

    fn log_in(&self, peer: &mut Peer, arguments: &str) -> Result<Answer, Fault> {
        let who: LogIn = wire::arguments(arguments)?;
        let operators = self.operators.lock().unwrap();
        let found = operators.iter().find(|operator| operator.fingerprints.contains(&who.operator));
        let found = found.ok_or_else(|| refusal("E9001", "Unknown operator"))?;
        peer.name = Some((found.name.clone(), found.role));
        let door = self.door.borrow();
        let last = (found.name != "grace").then_some("2026-11-20T08:15:00Z");
        one(&json!({
            "name": found.name, "role": found.role, "station": "desk-1", "idle_ms": door["idle_ms"],
            "last_login": last, "last_address": last.map(|_| "192.0.2.44"),
        }))
    }

    /// As the daemon has it; of `from`, that nobody comes from there.
    fn knows(&self, arguments: &str) -> Result<Answer, Fault> {
        let asked: DoorKnows = wire::arguments(arguments)?;
        let operators = self.operators.lock().unwrap();
        let found = operators.iter().find(|operator| operator.fingerprints.contains(&asked.fingerprint));
        one(&json!({ "known": found.is_some_and(|operator| operator.from.is_empty()) }))
    }

    async fn enroll(self: &Arc<Self>, arguments: &str) -> Result<Answer, Fault> {
        let request: Value = serde_json::from_str(arguments).unwrap_or_default();
        let mut events = self.answers["Enroll"].as_array().unwrap().clone();
        // A person of this name never touches the key.
        if request["person"] == "nobody" {
            let undone = self.answers["Undone"].clone();
            let this = Arc::clone(self);
            events.truncate(4);
            let ends = futures_util::stream::once(async move {
                tokio::select! {
                    () = this.cancelled.notified() => {}
                    () = this.go_on.notified() => {}
                }
                reply(&undone, false)
            });
            let begins = futures_util::stream::iter(events.into_iter().map(|event| reply(&event, true)));
            return Ok(Answer::Many(Box::pin(futures_util::StreamExt::chain(begins, ends))));
        }
        Ok(many(events))
    }

    /// A phone: what follows a question follows its answer.
    fn phone(self: &Arc<Self>) -> Answer {
        let news = self.answers["PhoneEnroll"].as_array().unwrap().clone();
        let begun = (Arc::clone(self), news, 0_usize);
        Answer::Many(Box::pin(futures_util::stream::unfold(begun, |(this, news, at)| async move {
            let told = news.get(at)?.clone();
            if at > 0 && ["part", "code"].contains(&news[at - 1]["wish"].as_str().unwrap()) {
                this.answered.notified().await;
            }
            let continues = at + 1 < news.len();
            Some((reply(&told, continues), (this, news, at + 1)))
        })))
    }

    fn watch(self: &Arc<Self>) -> Answer {
        let events = self.answers["Watch"].as_array().unwrap().clone();
        let Some(pace) = *self.pace.lock().unwrap() else {
            let stay = futures_util::stream::pending();
            let begins = futures_util::stream::iter(events.into_iter().map(|event| reply(&event, true)));
            return Answer::Many(Box::pin(futures_util::StreamExt::chain(begins, stay)));
        };
        let begun = (events, 0_usize);
        Answer::Many(Box::pin(futures_util::stream::unfold(begun, move |(events, number)| async move {
            if number > 0 {
                tokio::time::sleep(pace).await;
            }
            // The snapshot comes once.
            let at = if number < events.len() { number } else { 1 + number % (events.len() - 1) };
            Some((reply(&events[at], true), (events, number + 1)))
        })))
    }
}

/// What the server takes.
struct Served(Arc<Recorded>);

impl Handler for Served {
    type Peer = Peer;

    fn interfaces(&self) -> Vec<Interface> {
        vec![Interface { name: Method::INTERFACE, description: Method::description() }]
    }

    fn connected(&self, _: Credentials) -> Peer {
        Peer::default()
    }

    async fn handle(&self, peer: &mut Peer, call: Call<'_>) -> Result<Answer, Fault> {
        let method = Method::from_full_name(&call.method)
            .ok_or_else(|| Fault::MethodNotFound(call.method.to_string()))?;
        let arguments = call.arguments().to_owned();
        method.check(&arguments)?;
        self.0.calls.lock().unwrap().push((method.name().to_owned(), method.info().shown(&arguments)));
        if let Some((_, role)) = &peer.name
            && *role < method.role()
        {
            return Err(refusal("E9003", "Not allowed"));
        }
        let text = arguments.as_str();
        match method {
            Method::LogIn => self.0.log_in(peer, text),
            Method::DoorKnows => self.0.knows(text),
            Method::Stay => {
                let first = futures_util::stream::iter([reply(&json!({ "number": 1 }), true)]);
                let stay = futures_util::StreamExt::chain(first, futures_util::stream::pending());
                Ok(Answer::Many(Box::pin(stay)))
            }
            Method::Audit | Method::DoorOpened => one(&json!({})),
            Method::Door => {
                let doors = futures_util::stream::unfold(self.0.door.subscribe(), |mut door| async move {
                    door.changed().await.ok()?;
                    let value = door.borrow_and_update().clone();
                    Some((reply(&value, true), door))
                });
                let now = self.0.door.borrow().clone();
                let now = futures_util::stream::iter([reply(&now, true)]);
                Ok(Answer::Many(Box::pin(futures_util::StreamExt::chain(now, doors))))
            }
            Method::Operators => one(&json!({ "operators": *self.0.operators.lock().unwrap() })),
            Method::Enroll => self.0.enroll(text).await,
            Method::Cancel => {
                self.0.cancelled.notify_waiters();
                one(&json!({ "enrollments": 1 }))
            }
            Method::Watch => Ok(self.0.watch()),
            Method::PhoneEnroll => Ok(self.0.phone()),
            Method::PhoneAnswer => {
                self.0.answered.notify_one();
                one(&json!({}))
            }
            // What has "MISSING" in its arguments is not there.
            _ if text.contains("MISSING") => Err(refusal("E2041", "There is no such thing")),
            _ => {
                let answer = self
                    .0
                    .answers
                    .get(method.name())
                    .unwrap_or_else(|| panic!("no answer to {}", method.name()));
                match answer {
                    Value::Array(answers) => Ok(many(answers.clone())),
                    answer => one(answer),
                }
            }
        }
    }
}

fn one(value: &Value) -> Result<Answer, Fault> {
    wire::reply(value, false).map(Answer::One).map_err(|_| Fault::InvalidParameter("too long".to_owned()))
}

fn reply(value: &Value, continues: bool) -> Result<(wire::Message, bool), Fault> {
    wire::reply(value, continues)
        .map(|message| (message, continues))
        .map_err(|_| Fault::InvalidParameter("too long".to_owned()))
}

fn many(values: Vec<Value>) -> Answer {
    let last = values.len().saturating_sub(1);
    let replies: Vec<_> =
        values.iter().enumerate().map(|(number, value)| reply(value, number < last)).collect();
    Answer::Many(Box::pin(futures_util::stream::iter(replies)))
}

fn refusal(code: &str, title: &str) -> Fault {
    Fault::from(Refusal {
        code: code.to_owned(),
        title: title.to_owned(),
        cause: "It is so in the record.".to_owned(),
        remedy: "Ask for something else.".to_owned(),
        detail: String::new(),
    })
}

/// An operator with a key.
pub(crate) fn operator(name: &str, role: Role, key: &str) -> Operator {
    let parsed = russh::keys::PublicKey::from_openssh(key).unwrap();
    Operator {
        name: name.to_owned(),
        role,
        keys: vec![key.to_owned()],
        fingerprints: vec![parsed.fingerprint(russh::keys::HashAlg::Sha256).to_string()],
        from: Vec::new(),
        sessions: 1,
        last_login: Some("2026-11-20T08:15:00Z".parse().unwrap()),
    }
}

/// A directory with a recorded daemon, and a key file for each operator.
pub(crate) struct Shared {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) recorded: Arc<Recorded>,
    pub(crate) socket: PathBuf,
}

impl Shared {
    /// `ada` is an admin, `oscar` an operator, `vera` a viewer, `grace` an admin who never was here.
    /// Each has a key file of that name; `mallory` has one that nobody knows.
    pub(crate) fn new(idle: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut operators = Vec::new();
        for (name, role) in
            [("ada", Role::Admin), ("oscar", Role::Operator), ("vera", Role::Viewer), ("grace", Role::Admin)]
        {
            operators.push(operator(name, role, &key_file(directory.path(), name)));
        }
        key_file(directory.path(), "mallory");
        let recorded = Recorded::new(operators, "127.0.0.1:0", idle);
        let socket = directory.path().join("control");
        recorded.serve(&socket);
        Self { directory, recorded, socket }
    }

    pub(crate) fn settings(&self) -> shell::ssh::Settings {
        shell::ssh::Settings {
            control: self.socket.clone(),
            state: self.directory.path().to_owned(),
            listen: Vec::new(),
        }
    }
}

fn key_file(directory: &Path, name: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let key = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, key.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap().as_bytes()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    key.public_key().to_openssh().unwrap()
}
