//! The whole station through its control socket: daemon, scheduler, journal, server twin and keys made of
//! software, in this process.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{CallError, Client, Method, Role, Secret};
use enrolld::config::SshKey;
use enrolld::service::Ring;
use sim::args::{Args, Command, Station};
use sim::whole::Simulation;
use tracing_subscriber::layer::SubscriberExt;
use zeroize::Zeroizing;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The line of a key that nobody has, and its fingerprint.
fn key(byte: u8) -> SshKey {
    use base64::Engine;
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend([byte; 32]);
    let base64 = base64::engine::general_purpose::STANDARD.encode(blob);
    SshKey::parse(&format!("ssh-ed25519 {base64}")).unwrap()
}

fn operators() -> String {
    [(1, "vera", "viewer"), (2, "otto", "operator"), (3, "ada", "admin")]
        .map(|(byte, name, role)| {
            let from = if name == "vera" { "from = [\"192.0.2.0/24\"]\n" } else { "" };
            format!(
                "[[operators]]\nname = \"{name}\"\nrole = \"{role}\"\n{from}keys = [\"{}\"]\n",
                key(byte).line
            )
        })
        .concat()
}

/// Arguments for a station in a directory of its own.
fn args(directory: &Path, options: &[&str]) -> Station {
    let operator = directory.join("op.pub");
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(&operator, key(9).line).unwrap();
    let mut words = vec!["station-sim", "station", "--directory"];
    let (house, operator) = (directory.join("house"), operator.display().to_string());
    let house = house.display().to_string();
    words.extend([house.as_str(), "--operator-key", operator.as_str()]);
    words.extend(options);
    let Command::Station(mut station) = Args::parse_from(words).command else { panic!("not a station") };
    station.more = operators();
    *station
}

async fn started(directory: &Path, options: &[&str]) -> Simulation {
    Simulation::start(&args(directory, options), Ring::new()).await.unwrap()
}

async fn logged_in(socket: &Path, byte: u8, session: &str) -> Client {
    let caller = LogIn {
        operator: key(byte).fingerprint,
        address: "192.0.2.7:50312".to_owned(),
        session: session.to_owned(),
    };
    Client::connect(socket, caller).await.unwrap().0
}

/// What a message straight onto the socket is answered with.
fn said(socket: &PathBuf, messages: &[String]) -> Vec<serde_json::Value> {
    use std::io::Read;
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    for message in messages {
        stream.write_all(message.as_bytes()).unwrap();
        stream.write_all(&[0]).unwrap();
    }
    let mut all = Vec::new();
    // A stream never ends by itself; what is there is enough.
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => all.extend_from_slice(&bytes[..count]),
        }
        if all.iter().filter(|byte| **byte == 0).count() >= messages.len() {
            break;
        }
    }
    // What a stream says next may have begun to come.
    let whole = all.split_inclusive(|byte| *byte == 0).filter_map(|part| part.strip_suffix(&[0]));
    whole.take(messages.len()).map(|part| serde_json::from_slice(part).unwrap()).collect()
}

async fn audit(client: &Client) -> Vec<AuditEntry> {
    let pages = client.audit_list(&AuditList::default()).await.unwrap().all().await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).collect()
}

fn call(method: &str, parameters: &serde_json::Value, more: bool) -> String {
    serde_json::json!({ "method": method, "parameters": parameters, "more": more }).to_string()
}

fn full(method: Method) -> String {
    format!("{}.{}", Method::INTERFACE, method.name())
}

/// Arguments that no call carries out: the key, token, run is not there.
fn arguments(method: Method) -> serde_json::Value {
    use control::shape::{Body, Shape};
    let Body::Struct(members) = method.info().request.body else { panic!("a call takes an object") };
    let value = |shape: &Shape| match shape {
        Shape::Bool => serde_json::json!(false),
        Shape::Int => serde_json::json!(424_242),
        Shape::Secret => serde_json::json!("eA=="),
        Shape::List(_) => serde_json::json!([]),
        _ => serde_json::json!("nothing"),
    };
    let needed = members.iter().filter(|member| !matches!(member.shape, Shape::Optional(_)));
    needed.map(|member| (member.name.to_owned(), value(&member.shape))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_do_what_its_calls_say_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &[]).await;
    let socket = simulation.control();
    for (byte, role) in [(1, Role::Viewer), (2, Role::Operator), (3, Role::Admin)] {
        let log_in = call(
            &full(Method::LogIn),
            &serde_json::json!({ "operator": key(byte).fingerprint, "address": "192.0.2.7:1", "session": "m" }),
            false,
        );
        for method in Method::ALL.iter().copied().filter(|method| *method != Method::LogIn) {
            let message = call(&full(method), &arguments(method), true);
            let socket = socket.clone();
            let log_in = log_in.clone();
            let answers =
                tokio::task::spawn_blocking(move || said(&socket, &[log_in, message])).await.unwrap();
            assert_eq!(answers.len(), 2, "{} as {role}: {answers:?}", method.name());
            let [code, detail] = ["code", "detail"].map(|name| answers[1]["parameters"][name].as_str());
            // `hand-over.to` says which operators get sealed files, and names nobody here.
            let refused = code == Some("E3010") && !detail.is_some_and(|text| text.starts_with("hand-over"));
            assert_eq!(refused, method.role() > role, "{} as {role}: {}", method.name(), answers[1]);
        }
    }
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_operator_and_who_comes_from_elsewhere_does_not_get_in() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &[]).await;
    for (byte, address) in [(7, "192.0.2.7:1"), (1, "198.51.100.1:1"), (1, "nonsense")] {
        let caller =
            LogIn { operator: key(byte).fingerprint, address: address.to_owned(), session: "x".to_owned() };
        let error = Client::connect(&simulation.control(), caller).await.map(|_| ()).unwrap_err();
        assert_eq!(error.refusal().map(|refusal| refusal.code.as_str()), Some("E3011"), "{address}");
    }
    let client = Client::local(&simulation.control());
    let entries = audit(&client).await;
    assert_eq!(entries.iter().filter(|entry| entry.result == "E3011").count(), 3, "{entries:?}");
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_ends_with_its_session_unless_it_was_detached() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &["--keys", "1"]).await;
    let socket = simulation.control();
    let otto = logged_in(&socket, 2, "first").await;
    let mut watching = logged_in(&socket, 1, "watch").await.watch().await.unwrap();
    let order = |profile: &str, detach| Enroll {
        profile: Some(profile.to_owned()),
        detach: Some(detach),
        ..Enroll::default()
    };
    let mut events = otto.enroll(&order("hotp8", false)).await.unwrap();
    // Until the key waits for a finger; then the session dies.
    loop {
        let event = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap().unwrap().unwrap();
        if event.kind == EventKind::Touch {
            break;
        }
    }
    drop((events, otto));
    let outcome = ended(&mut watching).await;
    let code = outcome.refusal.as_ref().map(|refusal| refusal.code.as_str());
    assert_eq!((outcome.ending, code), (Ending::Undone, Some("E4003")), "{outcome:?}");

    let otto = logged_in(&socket, 2, "another").await;
    let mut events = otto.enroll(&order("hotp6", true)).await.unwrap();
    let accepted = events.next().await.unwrap().unwrap();
    assert!(accepted.orders.is_some_and(|orders| orders[0].detached), "it says which order it is");
    assert!(events.next().await.is_none());
    drop((events, otto));
    loop {
        let event = tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap().unwrap().unwrap();
        if event.kind == EventKind::Touch {
            break;
        }
    }
    Client::local(&socket).sim_touch(&TouchKey::default()).await.unwrap();
    let outcome = ended(&mut watching).await;
    assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
    let fresh = logged_in(&socket, 2, "second").await;
    let status = fresh.status().await.unwrap();
    assert_eq!((status.counts.enrolled, status.ports[0].activity), (1, Activity::Done), "{status:?}");
    let token = fresh.token_show(&ByToken { serial: "UBOM12345678_1".to_owned() }).await.unwrap();
    assert!(token.active);
    let receipts = fresh.receipts_list(&ReceiptsList::default()).await.unwrap().all().await.unwrap();
    assert_eq!(receipts[0].receipts[0].token.as_deref(), Some("UBOM12345678_1"));
    assert!(fresh.receipts_verify().await.unwrap().good);
    simulation.stop().await.unwrap();
}

/// How the next enrollment ended.
async fn ended(watching: &mut control::Incoming<Event>) -> Outcome {
    loop {
        let event = tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap().unwrap().unwrap();
        if let Some(outcome) = event.outcome {
            return outcome;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_verified_and_released_again() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &["--keys", "1"]).await;
    let client = Client::local(&simulation.control());
    let enroll = Enroll { profile: Some("hotp6".to_owned()), ..Enroll::default() };
    let enrolled = last(&client, client.enroll(&enroll).await.unwrap()).await;
    assert_eq!(enrolled.outcome.unwrap().ending, Ending::Enrolled);
    let key = "12345678".to_owned();
    let verify = Verify { key: key.clone(), ..Verify::default() };
    let verified = last(&client, client.verify(&verify).await.unwrap()).await;
    let verification = verified.verification.unwrap();
    assert!(verification.accepted, "{verification:?}");
    // It waits for its key, when it is told so.
    client.sim_pull(&Pull::default()).await.unwrap();
    let token = Some("UBOM12345678_1".to_owned());
    let release = Release { key: key.clone(), token, ..Release::default() };
    let absent = client.release(&release).await;
    let absent = match absent {
        Err(error) => error,
        Ok(mut events) => events.next().await.unwrap().unwrap_err(),
    };
    assert_eq!(absent.refusal().map(|refusal| refusal.code.as_str()), Some("E4010"), "{absent}");
    let mut events = client.release(&Release { wait_ms: Some(60_000), ..release }).await.unwrap();
    let accepted = events.next().await.unwrap().unwrap();
    let order = accepted.orders.and_then(|orders| orders.into_iter().next()).unwrap();
    assert_eq!((order.what.as_str(), order.key.as_deref()), ("release", Some("12345678")));
    client.sim_plug(&Plug { serial: Some(12_345_678), ..Plug::default() }).await.unwrap();
    let released = last(&client, events).await;
    assert!(released.port.is_some(), "{released:?}");
    assert_eq!(released.outcome.unwrap().ending, Ending::Released);
    let gone = client.token_show(&ByToken { serial: "UBOM12345678_1".to_owned() }).await.unwrap_err();
    assert_eq!(gone.refusal().map(|refusal| refusal.code.as_str()), Some("E2064"));
    simulation.stop().await.unwrap();
}

/// The last event; the only key is touched whenever that is wanted.
async fn last(client: &Client, mut events: control::Incoming<Event>) -> Event {
    let mut last = None;
    while let Some(event) = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap() {
        let event = event.unwrap();
        if event.kind == EventKind::Touch {
            client.sim_touch(&TouchKey::default()).await.unwrap();
        }
        last = Some(event);
    }
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_enrollment_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &["--keys", "1"]).await;
    let client = Client::local(&simulation.control());
    let mut events =
        client.enroll(&Enroll { profile: Some("hotp6".to_owned()), ..Enroll::default() }).await.unwrap();
    let mut outcome = None;
    while let Some(event) = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap() {
        let event = event.unwrap();
        if event.kind == EventKind::Touch {
            let cancel = Cancel { ticket: event.ticket, ..Cancel::default() };
            assert_eq!(client.cancel(&cancel).await.unwrap().enrollments, 1);
        }
        outcome = event.outcome.or(outcome);
    }
    let outcome = outcome.unwrap();
    assert_eq!(outcome.ending, Ending::Undone, "{outcome:?}");
    assert_eq!(outcome.refusal.unwrap().code, "E4003");
    let tokens = client.token_list(&TokenList::default()).await.unwrap();
    assert!(tokens.tokens.iter().all(|token| !token.serial.starts_with("UBOM")), "{tokens:?}");
    simulation.stop().await.unwrap();
}

/// Lines that were logged.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_secret_is_in_any_log_file_or_answer() {
    let lines = Lines::default();
    let written = lines.clone();
    let ring = Ring::new();
    let subscriber = tracing_subscriber::registry().with(ring.layer()).with(
        tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(move || written.clone()),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    // Eight digits do not turn up by chance. One thread, so that every event of the station's tasks comes here.
    let typed = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let simulation =
                Simulation::start(&args(directory.path(), &["--keys", "1"]), ring).await.unwrap();
            let client = Client::local(&simulation.control());
            let secret = |text: &str| Secret::new(Zeroizing::new(text.to_owned()));
            let password = secret("wrong-Geheimnis-1");
            let log_in = ServerLogIn { user: "admin".to_owned(), realm: None, password };
            assert!(client.server_log_in(&log_in).await.is_err());
            let pin = Some(secret("Pin-Geheimnis-2"));
            let enroll = Enroll { profile: Some("hotp8".to_owned()), pin, ..Enroll::default() };
            let mut events = client.enroll(&enroll).await.unwrap();
            let mut typed = String::new();
            while let Some(event) = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap() {
                if event.unwrap().kind == EventKind::Touch {
                    typed =
                        client.sim_touch(&TouchKey { key: None, long: true }).await.unwrap().typed.unwrap();
                }
            }
            let set_pin = TokenSetPin { serial: "UBOM12345678_2".to_owned(), pin: secret("Pin-Geheimnis-3") };
            client.token_set_pin(&set_pin).await.unwrap();
            let shown: Vec<String> = audit(&client).await.into_iter().map(|entry| entry.what).collect();
            assert!(shown.iter().any(|what| what.contains("pin=(secret)")), "{shown:?}");
            simulation.stop().await.unwrap();
            typed
        })
    });
    let mut searched = lines.0.lock().unwrap().clone();
    assert!(searched.windows(5).any(|part| part == b"TRACE"), "nothing was logged at TRACE");
    for entry in walk(directory.path()) {
        searched.extend(std::fs::read(entry).unwrap());
    }
    let base64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    for secret in ["admin-password", "wrong-Geheimnis-1", "Pin-Geheimnis-2", "Pin-Geheimnis-3", &typed] {
        assert!(secret.len() >= 8, "{}", secret.len());
        for form in [secret.to_owned(), base64(secret)] {
            let found = searched.windows(form.len()).position(|part| part == form.as_bytes());
            let around = found
                .map(|at| String::from_utf8_lossy(&searched[at.saturating_sub(200)..at + 40]).into_owned());
            assert!(found.is_none(), "a secret is in a log or file: {around:?}");
        }
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(walk(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_look_as_they_always_did() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &["--keys", "1"]).await;
    let client = Client::local(&simulation.control());
    // What the key is has to be known first.
    let mut watching = client.watch().await.unwrap();
    while client.keys().await.unwrap().keys.is_empty() {
        tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap().unwrap().unwrap();
    }
    // And the display has to be set up, which happens on a thread of its own.
    while client.status().await.unwrap().display.text != "The display works." {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut golden = BTreeMap::new();
    golden.insert("keys", serde_json::to_value(client.keys().await.unwrap()).unwrap());
    golden.insert("profiles", serde_json::to_value(client.profiles().await.unwrap()).unwrap());
    golden.insert("operators", serde_json::to_value(client.operators().await.unwrap()).unwrap());
    let explain = Explain { code: Some("E2041".to_owned()) };
    golden.insert("explain", serde_json::to_value(client.explain(&explain).await.unwrap()).unwrap());
    golden.insert(
        "run_status",
        serde_json::to_value(client.run_status(&ByRun::default()).await.unwrap()).unwrap(),
    );
    let status = serde_json::to_value(client.status().await.unwrap()).unwrap();
    golden.insert("status", still(status));
    let text = serde_json::to_string_pretty(&golden).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/station/answers.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "after a wanted change run it with BLESS=1");
    simulation.stop().await.unwrap();
}

/// What changes from run to run, made to stand still.
fn still(mut value: serde_json::Value) -> serde_json::Value {
    match &mut value {
        serde_json::Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                let moves =
                    ["at", "since", "started", "until", "answered", "file", "url", "ahead_ms", "addresses"];
                *value = if moves.contains(&name.as_str()) && !value.is_null() {
                    serde_json::json!("(moves)")
                } else {
                    still(value.take())
                };
            }
        }
        serde_json::Value::Array(array) => array.iter_mut().for_each(|value| *value = still(value.take())),
        _ => {}
    }
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_takes_every_key_that_is_plugged_in() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &[]).await;
    let client = Client::local(&simulation.control());
    let mut watching = client.watch().await.unwrap();
    let run = RunStart { count: Some(2), profile: Some("hotp6".to_owned()), ..RunStart::default() };
    let begun = client.run_start(&run).await.unwrap().run.unwrap();
    assert_eq!((begun.state, begun.target), (RunState::Running, Some(2)));
    for _ in 0..2 {
        let key = client.sim_plug(&Plug::default()).await.unwrap();
        loop {
            let event = tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap().unwrap().unwrap();
            if event.kind == EventKind::Touch {
                client.sim_touch(&TouchKey { key: key.port.clone(), long: false }).await.unwrap();
            }
            if event.kind == EventKind::Outcome {
                assert_eq!(event.outcome.unwrap().ending, Ending::Enrolled);
                break;
            }
        }
        client.sim_pull(&Pull { key: key.port }).await.unwrap();
    }
    let ended = client.run_status(&ByRun { run: Some(begun.run) }).await.unwrap().run.unwrap();
    assert_eq!((ended.state, ended.counts.enrolled), (RunState::Finished, 2));
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credential_is_forgotten_and_the_configuration_changed_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let simulation = started(directory.path(), &[]).await;
    let ada = logged_in(&simulation.control(), 3, "a").await;
    let server = ada.server_status().await.unwrap();
    assert_eq!((server.credential, server.user.as_deref()), (Credential::Login, Some("admin")));
    assert!(server.rights_known && server.rights_missing.is_empty() && server.until.is_some(), "{server:?}");
    assert_eq!(ada.server_log_out().await.unwrap().credential, Credential::None);
    let refused = ada.token_show(&ByToken { serial: "X1".to_owned() }).await.unwrap_err();
    assert_eq!(refused.refusal().map(|refusal| refusal.code.as_str()), Some("E2013"));
    let set = |value: &str| ConfigSet {
        path: "shell.idle-minutes".to_owned(),
        value: Some(value.to_owned()),
        ..ConfigSet::default()
    };
    assert!(matches!(ada.config_set(&set("0")).await.unwrap_err(), CallError::Refused(_)));
    assert!(ada.config_set(&set("7")).await.unwrap().text.contains("+idle-minutes = 7"));
    let mut door = Client::local(&simulation.control()).door().await.unwrap();
    assert_eq!(door.next().await.unwrap().unwrap().idle_ms, 15 * 60_000);
    ada.config_commit(&ConfigCommit { confirmed_minutes: Some(1), ..ConfigCommit::default() }).await.unwrap();
    assert_eq!(door.next().await.unwrap().unwrap().idle_ms, 7 * 60_000);
    ada.config_rollback(&ConfigRollback::default()).await.unwrap();
    assert_eq!(door.next().await.unwrap().unwrap().idle_ms, 15 * 60_000);
    simulation.stop().await.unwrap();
}
