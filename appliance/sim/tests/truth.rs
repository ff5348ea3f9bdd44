//! What status, keys and display say is compared with the server, the key and the disk as they are.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use enrolld::control::sim::{Plug, Pull, TouchKey};
use enrolld::control::types::*;
use enrolld::control::{Client, Secret};
use enrolld::service::Ring;
use sim::args::{Args, Command};
use sim::whole::Simulation;
use twins::privacyidea::{ADMIN, Fault, Mode as Wrong, front};
use zeroize::Zeroizing;

// What the tests of runs use of it and these do not.
#[allow(dead_code)]
#[path = "runs/room.rs"]
mod room;

use room::Site;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A whole station at this server.
async fn started(directory: &Path, site: &Site) -> (Simulation, Client) {
    let operator = directory.join("op.pub");
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let password = directory.join("password");
    std::fs::write(&password, ADMIN.1).unwrap();
    let url = format!("http://{}", site.front.address());
    let (house, operator, password) = (directory.join("house"), operator.display().to_string(), password);
    let (house, password) = (house.display().to_string(), password.display().to_string());
    let words = [
        ["station-sim", "station", "--directory", &house, "--operator-key", &operator].as_slice(),
        &["--server", &url, "--allow-plain-http", "--user", ADMIN.0, "--password-file", &password],
    ]
    .concat();
    let Command::Station(station) = Args::parse_from(words).command else { panic!("not a station") };
    let simulation = Simulation::start(&station, Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    (simulation, client)
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
    let outcome = tokio::time::timeout(PATIENCE, ending).await.unwrap();
    (key.serial, outcome)
}

/// What is wrong with what the station says of a key, and of itself, now that the server is well.
async fn untrue(client: &Client, site: &Site, serial: &str, outcome: &Outcome) -> Vec<String> {
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
    let counting = site.counting();
    let enrolled = usize::try_from(status.counts.enrolled).unwrap();
    let ours = counting.iter().filter(|token| token.starts_with("UBOM")).count();
    // What recovery has to finish counts already, or does not yet.
    let open = status.unsettled.len();
    claim(
        ours >= enrolled && ours <= enrolled + open,
        format!("{enrolled} enrolled, {open} unsettled, {ours} tokens count"),
    );
    let keys = client.keys().await.unwrap().keys;
    let key = keys.iter().find(|key| key.serial.as_deref() == Some(serial)).unwrap();
    let token = format!("UBOM{serial:0>8}_1");
    let wanted = match outcome.ending {
        Ending::Enrolled => (SlotContent::Ours, Some(token.clone())),
        Ending::Refused | Ending::Undone => (SlotContent::Empty, None),
        _ => return wrong,
    };
    let is = (key.slots[0].content, key.slots[0].token.clone());
    claim(is == wanted, format!("keys says {is:?} of slot 1 after {:?}", outcome.ending));
    let counts = counting.contains(&token);
    claim(counts == (outcome.ending == Ending::Enrolled), format!("{token} counts: {counts}"));
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_fault_status_says_what_is_so() {
    let (site, directory) = (Site::new().await, tempfile::tempdir().unwrap());
    let (simulation, client) = started(directory.path(), &site).await;
    let paths = ["/token/init", "/validate/check", "/token/assign", "/token/UBOM", "/token/enable"];
    let modes = [Wrong::Status, Wrong::Lost, Wrong::Cut, Wrong::Html, Wrong::Truncate];
    // All of them take minutes; by name: TRUTH=all cargo test -p sim --test truth.
    let (modes, often): (&[Wrong], &[u32]) =
        if std::env::var_os("TRUTH").is_some() { (&modes, &[1, 4]) } else { (&modes[..3], &[1]) };
    let mut all = Vec::new();
    for path in paths {
        for &mode in modes {
            for &shots in often {
                let mut fault = Fault::new(path, mode);
                fault.shots = shots;
                site.twin.lock().unwrap().fault_add(fault);
                let (serial, outcome) = enroll(&client).await;
                site.twin.lock().unwrap().fault_clear();
                for wrong in untrue(&client, &site, &serial, &outcome).await {
                    all.push(format!("{path} {mode:?} {shots}: {:?}: {wrong}", outcome.ending));
                }
                client.sim_pull(&Pull { key: Some(serial) }).await.unwrap();
            }
        }
    }
    assert_eq!(all, Vec::<String>::new());
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
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{wanted} is not shown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back_is_known_to_whoever_asks() {
    let (site, directory) = (Site::new().await, tempfile::tempdir().unwrap());
    let (simulation, client) = started(directory.path(), &site).await;
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
    let (simulation, client) = started(directory.path(), &site).await;
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
    assert_eq!(untrue(&client, &site, &serial, &outcome).await, Vec::<String>::new());
    // The display says that this key may go, and nothing of it when it has gone.
    display(&client, "Remove").await;
    client.sim_pull(&Pull { key: Some(serial) }).await.unwrap();
    display(&client, "Insert").await;
    simulation.stop().await.unwrap();
}
