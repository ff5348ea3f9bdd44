//! Who may speak to the control socket, by the kernel's word for who connects.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use control::wire::Fault;
use control::{CallError, Client};
use enrolld::daemon::{self, Hardware, Parts, Signal, Source};
use enrolld::notify::Manager;
use enrolld::service::call_handler::Admitted;
use enrolld::service::{Files, Power, Ring};
use tokio::sync::mpsc;

/// What a call by this process comes to when these users are admitted.
async fn called(directory: &Path, admitted: Admitted) -> Result<String, CallError> {
    let (card, state) = (directory.join("card"), directory.join("state"));
    for part in [&card, &state] {
        std::fs::create_dir_all(part).unwrap();
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/enrollment.toml");
    std::fs::copy(example, card.join("enrollment.toml")).unwrap();
    let control = directory.join("control.sock");
    let (_hotplug, hotplug) = mpsc::channel(1);
    let (signals, heard) = mpsc::channel(1);
    let parts = Parts {
        files: Files { config: card.join("enrollment.toml"), state: Some(state) },
        control: control.clone(),
        control_mode: 0o666,
        admitted,
        source: Source::Channel(hotplug),
        hardware: Hardware::None,
        power: Power::none(),
        ring: Ring::new(),
        more: None,
        manager: Manager::default(),
    };
    let running = tokio::spawn(daemon::run(parts, heard));
    let client = Client::local(&control);
    let answer = loop {
        match client.version().await {
            // The socket is not there yet.
            Err(CallError::Unreachable(_)) if !running.is_finished() => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            answer => break answer,
        }
    };
    signals.send(Signal::Stop).await.unwrap();
    running.await.unwrap().unwrap();
    assert!(!control.exists(), "the socket is left behind");
    answer.map(|version| version.station)
}

#[tokio::test]
async fn only_admitted_users_are_answered_and_a_shell_has_to_name_an_operator() {
    let directory = tempfile::tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    let nobody =
        called(&directory.path().join("1"), Admitted { trusted: vec![own + 1], shells: vec![own + 2] }).await;
    assert!(matches!(nobody, Err(CallError::Misfit(Fault::PermissionDenied))), "{nobody:?}");
    let shell = called(&directory.path().join("2"), Admitted { trusted: Vec::new(), shells: vec![own] })
        .await
        .unwrap_err();
    assert_eq!(shell.refusal().map(|refusal| refusal.code.as_str()), Some("E3011"), "{shell}");
    let trusted =
        called(&directory.path().join("3"), Admitted { trusted: vec![own], shells: Vec::new() }).await;
    assert_eq!(trusted.unwrap(), "desk-1");
}
