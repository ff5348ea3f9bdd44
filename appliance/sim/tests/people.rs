//! A list of people, eight ports, keys that are pulled out at random, and a station that is killed once:
//! in the end everybody has exactly one token, and it answers.
//!
//! Against the server twin with a few people, or against the real server and with the list of
//! `scripts/privacyidea-fixture run --people N` (the stage `people`). The station is the program
//! `station-sim`; the keys outlive it here, behind the line protocol.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keys::device::Firmware;
use privacyidea::transport::{Https, Trust};
use privacyidea::{Client, Credentials, SecretString, Serial, Token, TokenFilter, Whose};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use twins::key::{KeyTwin, Press};
use twins::line::{Listener, Pace, Server as LineServer};
use twins::privacyidea::{ADMIN, Options, REALM, ServerTwin, front};
use twins::yubikey::{Faults, Model, YubiKeyTwin};

#[path = "people/list.rs"]
mod list;

/// How many people are on the list of the twin.
const PEOPLE: usize = 24;

/// Reports to a key in an enrollment, about: one that is pulled out goes at one of the first so many.
const REPORTS: u32 = 25;

/// Whether a real server is there for the test of lists; else it is for the other one.
fn of_the_list() -> bool {
    std::env::var_os("LIST").is_some()
}

/// A server and the list of those who are to get a key.
struct Site {
    url: String,
    ca: Option<PathBuf>,
    list: PathBuf,
    twin: Option<Arc<Mutex<ServerTwin>>>,
    _front: Option<front::Server>,
}

impl Site {
    async fn new(directory: &Path) -> Self {
        Self::of(directory, PEOPLE).await
    }

    /// With so many people at the twin; a real server has its own.
    async fn of(directory: &Path, people: usize) -> Self {
        if let (Ok(url), Some(list)) = (std::env::var("PI_URL"), std::env::var_os("PI_PEOPLE")) {
            let ca = std::env::var_os("PI_CA").map(PathBuf::from);
            return Self { url, ca, list: list.into(), twin: None, _front: None };
        }
        let mut twin = ServerTwin::new(Options { image_chars: 0, ..Options::default() });
        twin.invite(people);
        let names = (1..=people).map(|n| match n % 10 {
            0 => format!("müller-{n:03}"),
            1 => format!("o'hara-{n:03}"),
            _ => format!("person-{n:03}"),
        });
        let lines: String = names.map(|name| format!("{name},{REALM}\n")).collect();
        let list = directory.join("people.csv");
        std::fs::write(&list, format!("user,realm\n{lines}")).unwrap();
        let listener = front::listen(0).await.unwrap();
        let twin = Arc::new(Mutex::new(twin));
        let front = front::serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
        let url = format!("http://{}", front.address());
        Self { url, ca: None, list, twin: Some(twin), _front: Some(front) }
    }

    fn people(&self) -> BTreeSet<String> {
        self.listed().into_iter().collect()
    }

    /// Everybody, in the order of the list.
    fn listed(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.list).unwrap();
        text.lines().skip(1).filter_map(|line| line.split(',').next().map(str::to_owned)).collect()
    }

    fn client(&self) -> Client<Https> {
        let trust = match &self.ca {
            Some(file) => Trust::pem(&std::fs::read(file).unwrap()).unwrap(),
            None => Trust::system(),
        };
        let mut https = Https::builder(&self.url, trust, "people test").timeout(Duration::from_secs(60));
        if self.ca.is_none() {
            https = https.allow_plain_http();
        }
        let credentials = Credentials::password(ADMIN.0, SecretString::copy_of(ADMIN.1));
        Client::new(https.build().unwrap(), credentials)
    }
}

/// A key that outlives the station.
struct Key {
    server: LineServer<YubiKeyTwin>,
    path: PathBuf,
    serial: u32,
}

impl Key {
    fn new(directory: &Path, serial: u32) -> Self {
        let twin = YubiKeyTwin::new(Model::new(Firmware::new(5, 4, 3), serial).unwrap(), serial.into());
        let server = LineServer::new(twin, Pace::Manual);
        let path = directory.join(format!("{serial}.sock"));
        let listener = Listener::bind(&path).unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(&listener).await });
        Self { server, path, serial }
    }

    /// Somebody will pull it out after so many reports, once.
    fn pull_out_after(&self, reports: u32) {
        let faults = Faults { pull_out_after_reports: Some(reports), ..Faults::default() };
        self.server.with(|twin| twin.set_faults(faults));
    }

    /// What it types next on somebody's own computer.
    fn code(&self) -> String {
        self.server.with(|twin| {
            twin.power().unwrap();
            let usages =
                twin.touch(Press::Short).unwrap().into_iter().flat_map(|report| report[2..].to_vec());
            // HID Usage Tables, page 7: 0x1e is the digit 1, 0x27 the digit 0.
            usages
                .filter(|usage| (0x1e..=0x27).contains(usage))
                .map(|usage| char::from(b'0' + (usage - 0x1d) % 10))
                .collect()
        })
    }
}

/// The station with eight ports and all keys in reach.
fn station(site: &Site, keys: &[Key], state: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_station-sim"));
    command.args(["run", "--keys", "0", "--ports", "8", "--again", "3", "--name", "course", "--json"]);
    command.arg("--list").arg(&site.list).arg("--state").arg(state).args(["--server", &site.url]);
    match &site.ca {
        Some(ca) => command.arg("--ca").arg(ca),
        None => command.arg("--allow-plain-http"),
    };
    command.args(["--user", ADMIN.0, "--timeout", "60"]).arg("--password-file").arg(state.join("password"));
    for key in keys {
        command.arg("--attach").arg(format!("yubikey@{}", key.path.display()));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads what the station says; kills it after that many keys.
async fn watched(mut child: Child, kill_after: Option<usize>) -> (bool, Vec<String>) {
    let watch = move || {
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            lines.push(line);
            if kill_after == Some(lines.len()) {
                child.kill().unwrap();
            }
        }
        let mut errors = String::new();
        let read = std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut errors);
        read.unwrap();
        lines.extend(errors.lines().map(str::to_owned));
        (child.wait().unwrap().success(), lines)
    };
    tokio::task::spawn_blocking(watch).await.unwrap()
}

/// Every token that the server has.
async fn tokens(client: &Client<Https>) -> Vec<Token> {
    let filter = TokenFilter { page_size: Some(1000), ..TokenFilter::default() };
    client.tokens(&filter).await.unwrap().tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_on_a_list_ends_with_one_token_that_answers() {
    if std::env::var_os("PI_URL").is_some() && of_the_list() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (site, began) = (Site::new(directory.path()).await, Instant::now());
    let state = directory.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("password"), ADMIN.1).unwrap();
    let people = site.people();
    let mut chance = StdRng::seed_from_u64(9);
    let keys: Vec<_> = (0..people.len())
        .map(|n| Key::new(directory.path(), 8_000_000 + u32::try_from(n).unwrap()))
        .collect();
    let mut pulled = 0;
    for key in &keys {
        if chance.random_ratio(1, 3) {
            key.pull_out_after(chance.random_range(0..REPORTS));
            pulled += 1;
        }
    }
    let half = people.len() / 2;
    let (ended_well, said) = watched(station(&site, &keys, &state), Some(half)).await;
    assert!(!ended_well && said.len() < people.len() + pulled, "it was not killed in the middle: {said:?}");
    let (ended_well, said) = watched(station(&site, &keys, &state), None).await;
    assert!(ended_well, "{said:?}");

    let client = site.client();
    let tokens = tokens(&client).await;
    let mut of: BTreeMap<&str, Vec<&Token>> = BTreeMap::new();
    for token in &tokens {
        of.entry(token.owner.as_ref().map_or("", |owner| owner.login.as_str())).or_default().push(token);
    }
    let owners: BTreeSet<String> = of.keys().map(|owner| (*owner).to_owned()).collect();
    assert_eq!(owners, people, "{said:?}");
    for (person, theirs) in &of {
        let [token] = theirs[..] else { panic!("{person} has {} tokens", theirs.len()) };
        assert!(token.active, "{} of {person} does not count", token.serial);
        let key = keys.iter().find(|key| token.serial == format!("UBOM{:08}_1", key.serial)).unwrap();
        let (serial, code) = (Serial::new(&token.serial).unwrap(), SecretString::copy_of(&key.code()));
        let verdict = client.check(Whose::Serial(&serial), &code).await.unwrap();
        assert!(verdict.accepted, "{person}: {:?}", verdict.message);
    }
    let seconds = began.elapsed().as_secs();
    println!("{} people, {pulled} keys pulled out, killed after {half} keys, {seconds} s", people.len());
}
