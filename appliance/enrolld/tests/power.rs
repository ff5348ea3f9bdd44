//! What switching off comes to, when somebody does it and when nobody does.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use control::types::Done;
use control::{CallError, Client};
use enrolld::daemon::{self, DaemonError, Hardware, Parts, Signal, Source};
use enrolld::notify::Manager;
use enrolld::service::call_handler::Admitted;
use enrolld::service::{Files, Power, Ring};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A station that is switched off by that program.
struct Station {
    client: Client,
    signals: mpsc::Sender<Signal>,
    running: JoinHandle<Result<(), DaemonError>>,
    _hotplug: mpsc::Sender<dispatch::scheduler::Hotplug>,
}

async fn station(directory: &Path, program: &str) -> Station {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/enrollment.toml");
    let config = directory.join("enrollment.toml");
    std::fs::copy(example, &config).unwrap();
    let control = directory.join("control.sock");
    let (hotplug_sender, hotplug) = mpsc::channel(1);
    let (signals, heard) = mpsc::channel(1);
    let parts = Parts {
        files: Files { config, state: None },
        control: control.clone(),
        control_mode: 0o600,
        admitted: Admitted { trusted: vec![rustix::process::geteuid().as_raw()], shells: Vec::new() },
        source: Source::Channel(hotplug),
        hardware: Hardware::None,
        power: Power::by(program.into()),
        ring: Ring::new(),
        more: None,
        manager: Manager::default(),
    };
    let running = tokio::spawn(daemon::run(parts, heard));
    while !control.exists() {
        tokio::task::yield_now().await;
    }
    Station { client: Client::local(&control), signals, running, _hotplug: hotplug_sender }
}

fn code(answer: Result<Done, CallError>) -> Option<String> {
    answer.err()?.refusal().map(|refusal| refusal.code.clone())
}

#[tokio::test]
async fn it_is_answered_once_the_station_stops() {
    let directory = tempfile::tempdir().unwrap();
    let Station { client, signals, running, _hotplug } = station(directory.path(), "true").await;
    let asked = tokio::spawn(async move { client.power_off().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!asked.is_finished(), "nobody has stopped it yet");
    signals.send(Signal::Stop).await.unwrap();
    // It says so, or is gone first.
    let answer = asked.await.unwrap();
    assert!(matches!(answer, Ok(_) | Err(CallError::Lost(_))), "{answer:?}");
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_station_that_stays_says_so_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let Station { client, signals, running, _hotplug } = station(directory.path(), "true").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(code(client.power_off().await).as_deref(), Some("E5013"));
    // The paused clock runs ahead while the program is waited for, so there is no upper bound to ask for.
    let took = begun.elapsed().as_secs();
    assert!(took >= 30, "{took} s");
    assert_eq!(code(client.reboot().await).as_deref(), Some("E5013"));
    assert!(client.status().await.is_ok());
    signals.send(Signal::Stop).await.unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_program_that_does_not_do_it_is_quoted_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let Station { client, signals, running, _hotplug } = station(directory.path(), "false").await;
    assert_eq!(code(client.power_off().await).as_deref(), Some("E5005"));
    signals.send(Signal::Stop).await.unwrap();
    running.await.unwrap().unwrap();
}
