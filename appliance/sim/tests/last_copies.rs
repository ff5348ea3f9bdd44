//! What exists once is not lost by accident, and what nobody needs any more does not stay: the access code
//! that a token keeps, and the PINs of tokens that were taken back. Through the control socket.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{CallError, Client};
use enrolld::service::Ring;
use sim::args::{Args, Command, Station};
use sim::whole::Simulation;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Somebody who can read what is handed over: the example of age's own documentation.
const READER: &str =
    "[hand-over]\nto = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\n";

fn args(directory: &Path, more: &str) -> Station {
    let operator = directory.join("op.pub");
    // A key that nobody has.
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let (house, operator) = (directory.join("house"), operator.display().to_string());
    let house = house.display().to_string();
    let words = ["station-sim", "station", "--directory", &house, "--operator-key", &operator];
    let Command::Station(mut station) = Args::parse_from(words).command else { panic!("not a station") };
    more.clone_into(&mut station.more);
    *station
}

async fn started(directory: &Path, more: &str) -> (Simulation, Client) {
    let simulation = Simulation::start(&args(directory, more), Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    assert_eq!(client.config_check(&ConfigCheck::default()).await.unwrap().problems, []);
    (simulation, client)
}

fn code(error: &CallError) -> String {
    error.refusal().map(|refusal| refusal.code.clone()).unwrap_or_else(|| error.to_string())
}

/// What is to be done when a touch is wanted.
#[derive(Clone, Copy, PartialEq)]
enum AtTouch {
    Touch,
    Cancel,
    Pull,
}

/// Enrolls the only key, and does that at the touch.
async fn enrolled(client: &Client, enroll: &Enroll, serial: u32, at_touch: AtTouch) -> Outcome {
    let mut events = client.enroll(enroll).await.unwrap();
    let mut outcome = None;
    while let Some(event) = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap() {
        let event = event.unwrap();
        if event.kind == EventKind::Touch {
            match at_touch {
                AtTouch::Touch => drop(client.sim_touch(&TouchKey::default()).await.unwrap()),
                AtTouch::Cancel => {
                    let cancel = Cancel { ticket: event.ticket, ..Cancel::default() };
                    client.cancel(&cancel).await.unwrap();
                }
                AtTouch::Pull => {
                    client.sim_pull(&Pull { key: Some(serial.to_string()) }).await.unwrap();
                }
            }
        }
        outcome = event.outcome.or(outcome);
    }
    outcome.unwrap()
}

fn delete(serial: &str, lose: Option<bool>) -> TokenDelete {
    TokenDelete { serial: serial.to_owned(), lose_access_code: lose }
}

fn profile(new_code: &str, to: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!("access-code-to = \"{to}\"\n") };
    format!("[profile.locked]\nkind = \"hotp\"\nslot = 1\nnew-access-code = \"{new_code}\"\n{to}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_keeps_the_only_copy_of_a_code_goes_only_when_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let more = format!("{READER}{}", profile("random", "server"));
    let (simulation, client) = started(directory.path(), &more).await;
    for serial in [1_u32, 7, 12_345_678, 4_294_967_295] {
        client.sim_plug(&Plug { serial: Some(serial), ..Plug::default() }).await.unwrap();
        let enroll = Enroll { profile: Some("locked".to_owned()), ..Enroll::default() };
        assert_eq!(enrolled(&client, &enroll, serial, AtTouch::Touch).await.ending, Ending::Enrolled);
        let token = format!("UBOM{serial:08}_1");
        for lose in [None, Some(false)] {
            let refused = client.token_delete(&delete(&token, lose)).await.unwrap_err();
            assert_eq!(code(&refused), "E3018", "{token}");
            assert!(refused.refusal().unwrap().detail.contains(&token), "{refused}");
        }
        let kept = client.token_show(&ByToken { serial: token.clone() }).await.unwrap();
        assert!(kept.active, "{kept:?}");
        // That there is one is told to whoever may look, the code to nobody.
        let list = TokenList { serial: Some(token.clone()), ..TokenList::default() };
        let listed = client.token_list(&list).await.unwrap().tokens.remove(0);
        for shown in [&kept, &listed] {
            assert_eq!(shown.info["enrollment.access_code"], "(secret)", "{shown:?}");
        }
        // Released, the key gives its code back first, so that nothing is lost.
        if serial == 7 {
            let release = Release { key: "00000007".to_owned(), ..Release::default() };
            let mut events = client.release(&release).await.unwrap();
            let mut outcome = None;
            while let Some(event) = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap() {
                outcome = event.unwrap().outcome.or(outcome);
            }
            assert_eq!(outcome.unwrap().ending, Ending::Released);
        } else {
            client.token_delete(&delete(&token, Some(true))).await.unwrap();
        }
        assert!(client.token_show(&ByToken { serial: token }).await.is_err());
        client.sim_pull(&Pull { key: None }).await.unwrap();
    }
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_code_is_elsewhere_or_that_has_none_goes_without_a_word() {
    for (new_code, to) in [("none", ""), ("random", "hand-over")] {
        let directory = tempfile::tempdir().unwrap();
        let more = format!("{READER}{}", profile(new_code, to));
        let (simulation, client) = started(directory.path(), &more).await;
        client.sim_plug(&Plug { serial: Some(5), ..Plug::default() }).await.unwrap();
        let enroll = Enroll { profile: Some("locked".to_owned()), ..Enroll::default() };
        assert_eq!(enrolled(&client, &enroll, 5, AtTouch::Touch).await.ending, Ending::Enrolled);
        client.token_delete(&delete("UBOM00000005_1", None)).await.unwrap();
        // The code of the slot stays where it is: the key still wants it.
        let files = client.sealed_list().await.unwrap().files;
        assert_eq!(files.len(), usize::from(to == "hand-over"), "{files:?}");
        simulation.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pin_of_a_token_that_was_taken_back_does_not_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), READER).await;
    let pins = |files: SealedFiles| files.files.iter().filter(|file| file.name.ends_with(".pin")).count();
    let list = |name: &str| RunStartList {
        name: Some(name.to_owned()),
        lines: ["user,pin", "alice,random"].map(str::to_owned).into(),
        realm: Some("office".to_owned()),
        profile: Some("hotp6".to_owned()),
        ..RunStartList::default()
    };
    for (serial, at_touch, left) in
        [(11, AtTouch::Cancel, 0), (12, AtTouch::Pull, 0), (13, AtTouch::Touch, 1)]
    {
        let name = format!("run {serial}");
        client.run_start_list(&list(&name)).await.unwrap();
        let mut watching = client.watch().await.unwrap();
        client.sim_plug(&Plug { serial: Some(serial), ..Plug::default() }).await.unwrap();
        let mut touched = false;
        loop {
            let next = tokio::time::timeout(TIMEOUT, watching.next()).await.unwrap();
            let event = next.unwrap().unwrap();
            if event.kind == EventKind::Touch && !touched {
                touched = true;
                assert_eq!(
                    pins(client.sealed_list().await.unwrap()),
                    1,
                    "handed over before the token is made"
                );
                match at_touch {
                    AtTouch::Touch => drop(client.sim_touch(&TouchKey::default()).await.unwrap()),
                    AtTouch::Cancel => drop(client.cancel(&Cancel::default()).await.unwrap()),
                    AtTouch::Pull => {
                        client.sim_pull(&Pull { key: None }).await.unwrap();
                    }
                }
            }
            if event.kind == EventKind::Outcome {
                break;
            }
        }
        assert_eq!(pins(client.sealed_list().await.unwrap()), left, "{serial}");
        let _ = client.run_stop(&ByRun::default()).await;
        let _ = client.sim_pull(&Pull { key: None }).await;
    }
    // A token that an operator deletes takes its PIN along.
    client.token_delete(&delete("UBOM00000013_1", None)).await.unwrap();
    assert_eq!(pins(client.sealed_list().await.unwrap()), 0);
    simulation.stop().await.unwrap();
}
