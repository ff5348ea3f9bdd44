//! A list of 200 people as lists are: ten whom the server does not know, five who may not have what
//! the list gives them. 185 keys on eight ports serve everybody else in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{Client as Station, Incoming};
use enrolld::service::Ring;
use privacyidea::transport::Https;
use privacyidea::{Client, TokenFilter};
use sim::args::{Args, Command};
use sim::whole::Simulation;
use std::io::{Read, Write};
use std::net::TcpStream;

use twins::privacyidea::{ADMIN, REALM, Request};

use super::{Site, of_the_list};

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The serial before the first key's.
const FIRST: u32 = 20_000_000;

/// How many of them may have no further token, and how many a PIN that is no good.
const LIMITED: usize = 3;
const PINNED: usize = 2;

/// Of so many people one is unknown.
const ONE_OF: usize = 20;

/// How many people are on the list. `LIST=200` takes minutes.
fn size() -> usize {
    std::env::var("LIST").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

impl Site {
    /// A request as it is, to a server that speaks plain HTTP.
    fn plain(&self, request: &Request) -> serde_json::Value {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n",
            request.method, request.path
        );
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
        stream.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let begin = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        serde_json::from_slice(&answer[begin..]).unwrap()
    }

    /// Lets some have one token at most, which they have, and others a PIN that nobody gave them.
    fn restrict(&self, limited: &[String], pinned: &[String]) {
        let login = Request::new("POST", "/auth")
            .json(&serde_json::json!({"username": ADMIN.0, "password": ADMIN.1}));
        let jwt = self.plain(&login)["result"]["value"]["token"].as_str().unwrap().to_owned();
        let post = |path: &str, body: serde_json::Value| {
            let answer = self.plain(&Request::new("POST", path).json(&body).token(&jwt));
            assert_eq!(answer["result"]["status"], true, "{path}: {answer}");
        };
        for person in limited {
            let token =
                serde_json::json!({"type": "pw", "otpkey": "known before", "user": person, "realm": REALM});
            post("/token/init", token);
        }
        // All rights beside it, since the first policy of this scope makes it a white list.
        self.preset("admin-rights");
        let policy = |scope: &str, action: &str, users: &[String]| serde_json::json!({"scope": scope, "action": action, "user": users.join(","), "realm": REALM, "active": true});
        post("/policy/one-token-each", policy("enrollment", "max_token_per_user=1", limited));
        post("/policy/long-pins", policy("admin", "otp_pin_minlength=6", pinned));
    }

    fn preset(&self, name: &str) {
        match &self.twin {
            Some(twin) => twin.lock().unwrap().policy_set(name).unwrap(),
            None => fixture(&["policy", "set", name]),
        }
    }

    /// Lets people's directories fail in each way that this server knows, and says what those are called; with
    /// `None` they answer again.
    fn directories(&self, how: Option<&str>) {
        match &self.twin {
            Some(twin) => twin.lock().unwrap().directories_away(how.is_some()),
            None => fixture(&["directory", how.unwrap_or("back")]),
        }
    }

    /// How many people the server shows of so many when it is asked for all of them.
    async fn shown(&self, client: &Client<Https>) -> usize {
        let shown = client.users(REALM, "*").await.unwrap();
        let listed = self.people();
        shown.iter().filter(|user| listed.contains(&user.username)).count()
    }
}

/// Changes something of the real server.
fn fixture(words: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/privacyidea-fixture");
    assert!(std::process::Command::new(script).args(words).status().unwrap().success(), "{words:?}");
}

/// The station, its ports, and what is in them.
struct Hall {
    station: Station,
    watching: Incoming<Event>,
    /// The ports whose key waits to be touched.
    touchable: BTreeSet<String>,
    /// Serials by port.
    keys: BTreeMap<String, u32>,
    last: u32,
    steps: usize,
}

impl Hall {
    async fn details(&self) -> RunDetails {
        self.station.run_status(&ByRun::default()).await.unwrap()
    }

    /// What the station says that the next key gets.
    async fn next(&self) -> Option<i64> {
        self.details().await.run.unwrap().next_line
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(TIMEOUT, self.watching.next()).await.unwrap().unwrap().unwrap();
        assert!(event.missed.is_none(), "events were lost");
        if event.kind == EventKind::Touch {
            self.touchable.extend(event.port.clone());
        }
        event
    }

    /// Waits until the key in a port wants to be touched; it has the line that was said to be next.
    async fn works_for(&mut self, port: &str, next: Option<i64>) {
        while !self.touchable.contains(port) {
            self.event().await;
        }
        let serial = format!("{:08}", self.keys[port]);
        let entries = self.details().await.entries;
        let mut working = entries.iter().filter(|entry| entry.state == "working");
        let mine = working.find(|entry| entry.key.as_deref() == Some(serial.as_str()));
        assert_eq!(mine.map(|entry| entry.line), next, "{serial} in {port}");
        self.steps += 1;
    }

    async fn plug(&mut self, port: &str) {
        let next = self.next().await;
        self.last += 1;
        let plug = Plug { serial: Some(self.last), port: Some(port.to_owned()), ..Plug::default() };
        self.station.sim_plug(&plug).await.unwrap();
        self.keys.insert(port.to_owned(), self.last);
        self.works_for(port, next).await;
    }

    /// Touches the key in a port. Whether it was enrolled; if not, it serves another line by now.
    async fn touch(&mut self, port: &str) -> bool {
        self.touchable.remove(port);
        let next = self.next().await;
        self.station.sim_touch(&TouchKey { key: Some(port.to_owned()), long: false }).await.unwrap();
        loop {
            let event = self.event().await;
            let Some(outcome) = event.outcome.filter(|_| event.port.as_deref() == Some(port)) else {
                continue;
            };
            if outcome.ending == Ending::Enrolled {
                self.station.sim_pull(&Pull { key: Some(port.to_owned()) }).await.unwrap();
                self.keys.remove(port);
                return true;
            }
            assert_eq!(outcome.ending, Ending::Undone, "{outcome:?}");
            self.works_for(port, next).await;
            return false;
        }
    }
}

fn started(site: &Site, directory: &Path) -> Args {
    let operator = directory.join("op.pub");
    // A key that nobody has.
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let password = directory.join("password");
    std::fs::write(&password, ADMIN.1).unwrap();
    let path = |path: &Path| path.display().to_string();
    let words = [
        "station-sim",
        "station",
        "--directory",
        &path(&directory.join("house")),
        "--operator-key",
        &path(&operator),
        "--server",
        &site.url,
        "--allow-plain-http",
        "--user",
        ADMIN.0,
        "--password-file",
        &path(&password),
    ];
    Args::parse_from(words)
}

/// The list with some names misspelt, and who they are.
fn list(people: &[String]) -> (Vec<String>, Vec<String>) {
    let mut lines = vec!["user,realm".to_owned()];
    let mut unknown = Vec::new();
    for (at, person) in people.iter().enumerate() {
        if at % ONE_OF == 7 {
            unknown.push(format!("{person}x"));
            lines.push(format!("{person}x,{REALM}"));
        } else {
            lines.push(format!("{person},{REALM}"));
        }
    }
    (lines, unknown)
}

fn start(lines: &[String], skip_unknown: bool) -> RunStartList {
    RunStartList {
        name: Some("autumn".to_owned()),
        lines: lines.to_vec(),
        profile: Some("hotp6".to_owned()),
        skip_unknown: skip_unknown.then_some(true),
        ..RunStartList::default()
    }
}

async fn owners(client: &Client<Https>) -> BTreeMap<String, usize> {
    let filter =
        TokenFilter { kind: Some("hotp".to_owned()), page_size: Some(1000), ..TokenFilter::default() };
    let mut owners = BTreeMap::new();
    for token in client.tokens(&filter).await.unwrap().tokens {
        assert!(token.active, "{}", token.serial);
        *owners.entry(token.owner.unwrap().login).or_default() += 1;
    }
    owners
}

/// Works a list off; `cut` is where the server cuts its lists of people.
async fn worked_off(cut: Option<usize>) {
    let directory = tempfile::tempdir().unwrap();
    let size = size();
    let site = Site::of(directory.path(), size).await;
    if site.twin.is_none() && !of_the_list() {
        return;
    }
    if let (Some(most), Some(twin)) = (cut, &site.twin) {
        twin.lock().unwrap().limit_lists(most);
    }
    let people: Vec<String> = site.listed().into_iter().take(size).collect();
    let (lines, unknown) = list(&people);
    let servable: Vec<String> =
        people.iter().filter(|one| !unknown.contains(&format!("{one}x"))).cloned().collect();
    // Two of them stand one after the other.
    let limited = [10, 11, servable.len() - 20].map(|at| servable[at].clone());
    let pinned = [servable.len() * 4 / 10, servable.len() * 7 / 10].map(|at| servable[at].clone());
    assert_eq!((limited.len(), pinned.len(), unknown.len()), (LIMITED, PINNED, size / ONE_OF));
    site.restrict(&limited, &pinned);

    let Command::Station(arguments) = started(&site, directory.path()).command else { panic!("a station") };
    let simulation = Simulation::start(&arguments, Ring::new()).await.unwrap();
    let station = Station::local(&simulation.control());
    // Nobody is called unknown while a directory is away. A server that cannot look into one answers nothing at
    // all, or nobody of it, or says whom it left out.
    for (how, codes) in [("away", ["E2072", "E2051"]), ("beside", ["E2072", "E2072"])] {
        site.directories(Some(how));
        let away = station.run_start_list(&start(&lines, true)).await.unwrap_err();
        assert!(codes.contains(&away.refusal().unwrap().code.as_str()), "{how}: {away}");
    }
    site.directories(None);
    let refused = station.run_start_list(&start(&lines, false)).await.unwrap_err();
    let refusal = refused.refusal().unwrap();
    assert_eq!(refusal.code, "E2060", "{refusal:?}");
    for person in &unknown {
        let line = lines.iter().position(|line| line.starts_with(person.as_str())).unwrap() + 1;
        assert!(refusal.detail.contains(&format!("line {line}: {person}@{REALM}")), "{}", refusal.detail);
    }
    assert_eq!(owners(&site.client()).await.len(), 0);
    let begun = station.run_start_list(&start(&lines, true)).await.unwrap();
    let unknown_lines = i64::try_from(unknown.len()).unwrap();
    assert_eq!(begun.run.unwrap().aside, Some(unknown_lines));

    let watching = station.watch().await.unwrap();
    let (touchable, keys) = (BTreeSet::new(), BTreeMap::new());
    let mut hall = Hall { station: station.clone(), watching, touchable, keys, last: FIRST, steps: 0 };
    let ports: Vec<String> = (1..=8).map(|port| format!("1-1.{port}")).collect();
    let lines_to_serve = size - unknown.len() - LIMITED - PINNED;
    for port in &ports {
        hall.plug(port).await;
    }
    // Each is touched in turn, so that several are in work whenever one ends.
    let mut turn = 0;
    while !hall.keys.is_empty() {
        let port = &ports[turn % ports.len()];
        turn += 1;
        if !hall.keys.contains_key(port) {
            continue;
        }
        if hall.touch(port).await && hall.next().await.is_some() {
            hall.plug(port).await;
        }
    }
    let served = u32::try_from(lines_to_serve).unwrap();
    assert_eq!(hall.last, FIRST + served, "the last key");
    let details = hall.details().await;
    let run = details.run.unwrap();
    assert_eq!(run.state, RunState::Finished);
    let aside = unknown_lines + 5;
    assert_eq!((run.counts.enrolled, run.aside, run.next_line), (i64::from(served), Some(aside), None));
    let reported: BTreeMap<&str, usize> = details
        .entries
        .iter()
        .filter(|entry| entry.state == "set-aside")
        .fold(BTreeMap::new(), |mut all, entry| {
            *all.entry(entry.code.as_deref().unwrap_or_default()).or_default() += 1;
            all
        });
    assert_eq!(reported.values().sum::<usize>(), unknown.len() + LIMITED + PINNED, "{reported:?}");
    assert_eq!(reported.get("E2060"), Some(&unknown.len()), "{reported:?}");
    let owners = owners(&site.client()).await;
    let served: BTreeSet<&String> =
        servable.iter().filter(|one| !limited.contains(one) && !pinned.contains(one)).collect();
    assert_eq!(owners.keys().collect::<BTreeSet<_>>(), served);
    assert!(owners.values().all(|tokens| *tokens == 1) && owners.len() == lines_to_serve);
    let shown = site.shown(&site.client()).await;
    println!(
        "{size} people, of whom {shown} are shown at once, {} keys, next was right {} times",
        owners.len(),
        hall.steps
    );
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_unknown_is_told_before_the_first_key_and_who_fails_costs_nobody_a_key() {
    worked_off(Some(size() / 2)).await;
}
