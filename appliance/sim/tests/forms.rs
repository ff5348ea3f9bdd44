//! What a station leaves behind that outlives a release, of the whole station: the names of files on the state
//! partition and of sealed files, what is kept of the configuration, and the names that stand at
//! the server (docs/forms.md). A name that changes here is one that the next release would not find.

#![cfg(test)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use control::Client;
use control::sim::{Plug, TouchKey};
use control::types::*;
use enrolld::service::Ring;
use sha2::{Digest, Sha256};
use sim::args::{Args, Command, Station};
use sim::whole::Simulation;
use twins::privacyidea::{ADMIN, Options, ServerTwin, front};

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const MORE: &str = "[hand-over]
to = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]
[profile.server]
kind = \"hotp\"
slot = 1
new-access-code = \"random\"
access-code-to = \"server\"
[profile.file]
kind = \"hotp\"
slot = 1
new-access-code = \"random\"
access-code-to = \"hand-over\"
";

fn args(directory: &Path, server: &str) -> Station {
    let operator = directory.join("op.pub");
    // A key that nobody has.
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let (house, operator) = (directory.join("house"), operator.display().to_string());
    let house = house.display().to_string();
    let password = directory.join("password");
    std::fs::write(&password, ADMIN.1).unwrap();
    let password = password.display().to_string();
    let words = [
        ["station-sim", "station", "--directory", &house, "--operator-key", &operator],
        ["--server", server, "--user", ADMIN.0, "--password-file", &password],
    ];
    let words = words.into_iter().flatten().chain(["--allow-plain-http"]);
    let Command::Station(mut station) = Args::parse_from(words).command else { panic!("not a station") };
    MORE.clone_into(&mut station.more);
    *station
}

/// A run over a list of one person, with a PIN that is made up.
async fn enrolled(client: &Client, serial: u32, profile: &str) -> Outcome {
    let list = RunStartList {
        name: Some(format!("run {serial}")),
        lines: ["user,pin", "alice,random"].map(str::to_owned).into(),
        realm: Some("office".to_owned()),
        profile: Some(profile.to_owned()),
        ..RunStartList::default()
    };
    client.run_start_list(&list).await.unwrap();
    let mut watching = client.watch().await.unwrap();
    client.sim_plug(&Plug { serial: Some(serial), ..Plug::default() }).await.unwrap();
    loop {
        let event = tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap().unwrap().unwrap();
        match event.kind {
            EventKind::Touch => {
                let key = Some(format!("{serial:08}"));
                client.sim_touch(&TouchKey { key, ..TouchKey::default() }).await.unwrap();
            }
            EventKind::Outcome => break event.outcome.unwrap(),
            _ => {}
        }
    }
}

/// Every file below a directory, in order.
fn files(directory: &Path, below: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
    found.sort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_station_leaves_behind_has_the_names_that_it_always_had() {
    let directory = tempfile::tempdir().unwrap();
    let twin = Arc::new(Mutex::new(ServerTwin::new(Options::default())));
    let listener = front::listen(0).await.unwrap();
    let server = front::serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
    let url = format!("http://{}", server.address());
    let simulation = Simulation::start(&args(directory.path(), &url), Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    let state = simulation.state();

    let kept_there = enrolled(&client, 5, "server").await;
    let handed_over = enrolled(&client, 6, "file").await;
    for outcome in [&kept_there, &handed_over] {
        assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
    }

    // At the server.
    let token = client.token_show(&ByToken { serial: "UBOM00000005_1".to_owned() }).await.unwrap();
    let id = token.info.get("hotp.enrollment").or_else(|| token.info.get("enrollment")).unwrap();
    assert!(id.len() == 24 && id.bytes().all(|c| c.is_ascii_hexdigit()), "{id}");
    // The station shows the code to nobody, so it is looked at where it is kept.
    assert_eq!(token.info["enrollment.access_code"], "(secret)");
    let code = twin.lock().unwrap().token("UBOM00000005_1").unwrap().info["enrollment.access_code"].clone();
    assert!(code.len() == 12 && code.bytes().all(|c| c.is_ascii_hexdigit()), "{code}");
    for name in ["enrollment.port", "enrollment.by"] {
        assert!(token.info.contains_key(name), "{name}: {:?}", token.info);
    }
    assert!(token.description.ends_with(": 00000005"), "{}", token.description);

    // Sealed files.
    let mut sealed: Vec<String> =
        client.sealed_list().await.unwrap().files.into_iter().map(|file| file.name).collect();
    sealed.sort();
    let other = client.token_show(&ByToken { serial: "UBOM00000006_1".to_owned() }).await.unwrap();
    let other_id = other.info.get("hotp.enrollment").or_else(|| other.info.get("enrollment")).unwrap();
    assert_eq!(
        sealed,
        [
            format!("UBOM00000005_1.{id}.pin"),
            format!("UBOM00000006_1.{other_id}.code"),
            format!("UBOM00000006_1.{other_id}.pin"),
        ]
    );

    // The configuration that operators committed, beside the hash of the card's file.
    let set = ConfigSet {
        path: "shell.idle-minutes".to_owned(),
        value: Some("7".to_owned()),
        ..ConfigSet::default()
    };
    client.config_set(&set).await.unwrap();
    let card = client.config_commit(&ConfigCommit::default()).await.unwrap().file;
    let kept = std::fs::read_to_string(state.join("committed.toml")).unwrap();
    assert!(kept.contains("idle-minutes = 7"), "{kept}");
    let hash: String =
        Sha256::digest(std::fs::read(card).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(std::fs::read_to_string(state.join("committed.of")).unwrap().trim(), hash);

    simulation.stop().await.unwrap();
    let mut found = Vec::new();
    files(&state, "", &mut found);
    for name in [
        "audit/audit-000001.jsonl",
        "committed.of",
        "committed.toml",
        "journal.db",
        "receipts/receipts-000001.jsonl",
        "receipts/station.key",
        "receipts/station.pub",
        &format!("hand-over/UBOM00000005_1.{id}.pin.age"),
        &format!("hand-over/UBOM00000006_1.{other_id}.code.age"),
    ] {
        assert!(found.iter().any(|found| found == name), "{name}: {found:?}");
    }
    let audit = std::fs::read_to_string(state.join("audit/audit-000001.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(audit.lines().nth(1).unwrap()).unwrap();
    for member in ["at", "by", "from", "session", "what", "result", "took_ms"] {
        assert!(line["deed"].get(member).is_some(), "{member}: {line}");
    }
}
