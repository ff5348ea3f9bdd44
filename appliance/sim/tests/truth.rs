//! What status, keys and display say is compared with the server, the key and the disk as they are.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{Client, Secret};
use enrolld::service::Ring;
use sim::args::{Args, Command};
use sim::whole::Simulation;
use twins::privacyidea::{ADMIN, Mode as Wrong, front};
use zeroize::Zeroizing;

#[path = "truth/place.rs"]
mod place;

// The contract has more of it.
#[allow(dead_code)]
#[path = "contract/request.rs"]
mod request;

// What the tests of runs use of it and these do not.
#[allow(dead_code)]
#[path = "runs/room.rs"]
mod room;

use place::Place;
use request::{At, EVERYWHERE, PART_LASTING, PART_ONCE, WAYS, Way, fault};
use room::Site;

/// How long an answer may take here: as short as it can be set.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How many requests a fault meets that lasts.
const LASTING: u32 = 50;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A whole station at this server.
async fn started(directory: &Path, url: &str, ca: Option<&Path>) -> (Simulation, Client) {
    let operator = directory.join("op.pub");
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let password = directory.join("password");
    std::fs::write(&password, ADMIN.1).unwrap();
    let (house, operator, password) = (directory.join("house"), operator.display().to_string(), password);
    let (house, password) = (house.display().to_string(), password.display().to_string());
    let ca = ca.map(|file| file.display().to_string());
    let trust = ca.as_ref().map_or_else(|| vec!["--allow-plain-http"], |file| vec!["--ca", file]);
    let words = [
        ["station-sim", "station", "--directory", &house, "--operator-key", &operator].as_slice(),
        &["--server", url, "--user", ADMIN.0, "--password-file", &password],
        &trust,
    ]
    .concat();
    let Command::Station(station) = Args::parse_from(words).command else { panic!("not a station") };
    let simulation = Simulation::start(&station, Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    (simulation, client)
}

/// At a twin.
async fn started_at(directory: &Path, site: &Site) -> (Simulation, Client) {
    started(directory, &format!("http://{}", site.front.address()), None).await
}

/// Enrolls a new key for alice, and gives back its serial and how that ended. It stays in.
async fn enroll(client: &Client) -> (String, Outcome) {
    let key = client.sim_plug(&Plug::default()).await.unwrap();
    let wanted = Enroll {
        profile: Some("hotp6".to_owned()),
        person: Some("alice@office".to_owned()),
        key: Some(key.serial.clone()),
        ..Enroll::default()
    };
    let mut events = client.enroll(&wanted).await.unwrap();
    let ending = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.kind == EventKind::Touch {
                client.sim_touch(&TouchKey { key: Some(key.serial.clone()), long: false }).await.unwrap();
            }
            if let Some(outcome) = event.outcome {
                return outcome;
            }
        }
    };
    let outcome = tokio::time::timeout(TIMEOUT, ending).await.unwrap();
    (key.serial, outcome)
}

/// Waits until recovery has nothing left to do.
async fn at_rest(client: &Client) {
    let mut watching = client.watch().await.unwrap();
    let resting = async {
        while !client.status().await.unwrap().unsettled.is_empty() {
            watching.next().await.unwrap().unwrap();
        }
    };
    tokio::time::timeout(TIMEOUT, resting).await.unwrap();
}

/// How enrollments have ended so far, by what the station counts: enrolled, and all.
async fn counted(client: &Client) -> (i64, i64) {
    let Counts { enrolled, refused, undone, quarantined, postponed } = client.status().await.unwrap().counts;
    (enrolled, enrolled + refused + undone + quarantined + postponed)
}

/// What is wrong with what the station says of a key, and of itself, now that the server is at rest. `enrolled` and
/// `all` are what it had counted before.
async fn untrue(
    client: &Client,
    place: &Place,
    serial: &str,
    outcome: &Outcome,
    (enrolled, all): (i64, i64),
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let status = client.status().await.unwrap();
    claim(status.not_ready.is_none(), format!("not ready: {:?}", status.not_ready));
    claim(status.server.trouble.is_none(), format!("trouble: {:?}", status.server.trouble));
    let answered = status.server.answered.map(|at| status.at.duration_since(at).as_secs());
    claim(answered.is_some_and(|ago| ago < 15), format!("the last answer was {answered:?} s ago"));
    claim(status.unsettled.is_empty() && status.orders.is_empty(), format!("something waits: {status:?}"));

    let (token, counting) = (format!("UBOM{serial:0>8}_1"), place.counting().await);
    let counts = counting.iter().find(|one| one.serial == token);
    let owner = counts.and_then(|one| one.owner.as_ref()).map(|owner| owner.login.as_str());
    claim(counts.is_none() || owner == Some("alice"), format!("{token} is {owner:?}'s"));
    claim(
        status.counts.enrolled == i64::try_from(counting.len()).unwrap(),
        format!("{} enrolled, {} tokens count", status.counts.enrolled, counting.len()),
    );
    let now = counted(client).await;
    let wanted = (enrolled + i64::from(counts.is_some()), all + 1);
    claim(now == wanted, format!("{now:?} are counted, and should be {wanted:?}"));
    claim(status.counts.postponed == 0, "something is counted as postponed".to_owned());

    let port = status
        .ports
        .iter()
        .find(|port| port.key.as_ref().and_then(|key| key.serial.as_deref()) == Some(serial));
    let port = port.unwrap();
    let shown = (port.activity == Activity::Done, port.outcome.as_ref().map(|outcome| outcome.ending));
    claim(
        shown.0 == counts.is_some() && (shown.1 == Some(Ending::Enrolled)) == counts.is_some(),
        format!("{shown:?} is shown, and the token counts: {}", counts.is_some()),
    );
    let keys = client.keys().await.unwrap().keys;
    let key = keys.iter().find(|key| key.serial.as_deref() == Some(serial)).unwrap();
    let is = (key.slots[0].content, key.slots[0].token.clone());
    let told = client.token_show(&ByToken { serial: token.clone() }).await.is_ok_and(|token| token.active);
    claim(told == counts.is_some(), format!("token show says of {token}: {told}"));
    let wanted = match (counts, outcome.ending) {
        (Some(_), _) => (SlotContent::Ours, Some(token)),
        (None, Ending::Refused | Ending::Undone) => (SlotContent::Empty, None),
        _ => return wrong,
    };
    claim(is == wanted, format!("keys says {is:?} of slot 1, and should say {wanted:?}"));
    wrong
}

/// Sets a field of the configuration, which counts from the next commit on.
async fn set(client: &Client, path: &str, value: &str) {
    let set = ConfigSet { path: path.to_owned(), value: Some(value.to_owned()), ..ConfigSet::default() };
    client.config_set(&set).await.unwrap();
}

/// Which faults are tried, and how often each happens in a row: a part that is quick, or at a real server the
/// part that the contract has there. By name, every fault at every request: `TRUTH=all`, which takes many minutes.
fn faults(real: bool) -> Vec<(At, Way, u32)> {
    if std::env::var_os("TRUTH").is_some() {
        let everywhere = EVERYWHERE.iter().flat_map(|at| WAYS.iter().map(move |way| (*at, *way)));
        return everywhere.flat_map(|(at, way)| [(at, way, 1), (at, way, LASTING)]).collect();
    }
    let way = |name: &str| *WAYS.iter().find(|way| way.name == name).unwrap();
    let once = PART_ONCE.iter().map(|(at, name)| (*at, way(name), 1));
    let lasting = PART_LASTING.iter().map(|(at, name)| (*at, way(name), LASTING));
    let quick = |(_, way, shots): &(At, Way, u32)| way.mode != Wrong::Slow && way.status == 0 && *shots == 1;
    once.chain(lasting).filter(|fault| real || quick(fault)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_fault_status_says_what_is_so() {
    let (place, directory) = (Place::new().await, tempfile::tempdir().unwrap());
    let (simulation, client) = started(directory.path(), &place.url, place.ca.as_deref()).await;
    // A server that shows at once what it did, and whose slow answers do not take minutes.
    set(&client, "server.lag-seconds", "2").await;
    set(&client, "server.timeout-seconds", &TIME_LIMIT.as_secs().to_string()).await;
    client.config_commit(&ConfigCommit::default()).await.unwrap();
    let login = || ServerLogIn {
        user: ADMIN.0.to_owned(),
        realm: None,
        password: Secret::new(Zeroizing::new(ADMIN.1.to_owned())),
    };
    client.server_log_in(&login()).await.unwrap();
    let faults = faults(place.is_real());
    let (mut all, mut in_force) = (Vec::new(), None);
    for (at, way, shots) in &faults {
        let policy = match at {
            At::Verify => Some("verify-enrollment"),
            At::Delete => Some("hotp-defaults"),
            _ => None,
        };
        if policy != in_force {
            place.policy(policy);
            in_force = policy;
        }
        let before = counted(&client).await;
        place.add(&fault(*at, *way, *shots, TIME_LIMIT));
        if *at == At::Login {
            // What comes of it is told to the one who logs in.
            let _ = client.server_log_in(&login()).await;
        }
        let (serial, outcome) = enroll(&client).await;
        place.calm();
        at_rest(&client).await;
        for wrong in untrue(&client, &place, &serial, &outcome, before).await {
            all.push(format!("{at:?} {} {shots}: {:?}: {wrong}", way.name, outcome.ending));
        }
        println!("{at:?} {} {shots}: {:?}", way.name, outcome.ending);
        client.sim_pull(&Pull { key: Some(serial) }).await.unwrap();
    }
    assert_eq!(all, Vec::<String>::new());
    println!("status was compared after {} faults", faults.len());
    simulation.stop().await.unwrap();
}

/// The words on the display, once they hold these.
async fn display(client: &Client, wanted: &str) {
    let looking = async {
        loop {
            let words = client.panel().await.unwrap().words.join(" ");
            if words.contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, looking).await.unwrap_or_else(|_| panic!("{wanted} is not shown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back_is_known_to_whoever_asks() {
    let (site, directory) = (Site::new().await, tempfile::tempdir().unwrap());
    let (simulation, client) = started_at(directory.path(), &site).await;
    assert_eq!(client.status().await.unwrap().not_ready, None);
    // Nothing listens there any more; what was known was known ten seconds ago.
    let Site { twin, front: server } = site;
    let address = server.address();
    server.stop().await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let status = client.status().await.unwrap();
    assert_eq!(status.not_ready.map(|refusal| refusal.code), Some("E2001".to_owned()));
    let last = status.server.answered.expect("it had answered");
    assert!(status.at.duration_since(last).as_secs() >= 10);
    display(&client, "No server").await;
    let listener = front::listen(address.port()).await.unwrap();
    let _front = front::serve(twin, listener, None, Duration::ZERO).unwrap();
    let status = client.status().await.unwrap();
    assert_eq!((status.not_ready, status.server.trouble), (None, None));
    display(&client, "Insert").await;
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_login_is_the_failure_of_who_typed() {
    let (site, directory) = (Site::new().await, tempfile::tempdir().unwrap());
    let (simulation, client) = started_at(directory.path(), &site).await;
    let wrong = ServerLogIn {
        user: ADMIN.0.to_owned(),
        realm: None,
        password: Secret::new(Zeroizing::new("mistyped".to_owned())),
    };
    assert!(client.server_log_in(&wrong).await.is_err());
    let status = client.status().await.unwrap();
    assert_eq!((status.not_ready, status.server.trouble), (None, None));
    let (serial, outcome) = enroll(&client).await;
    assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
    assert_eq!(site.counting(), [format!("UBOM{serial:0>8}_1")]);
    // The display says that this key may go, and nothing of it when it has gone.
    display(&client, "Remove").await;
    client.sim_pull(&Pull { key: Some(serial) }).await.unwrap();
    display(&client, "Insert").await;
    simulation.stop().await.unwrap();
}
