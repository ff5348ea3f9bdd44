//! The SSH server with a recorded daemon behind it, for programs that want to log in.
//!
//! Prints one line, `PORT DIRECTORY`: in the directory are key files for `ada` (admin), `oscar`
//! (operator), `vera` (viewer) and `mallory` (nobody). Ends when its standard input does.
//! With `--pace MS`, `watch` has an event every so often; with `--idle S`, sessions end sooner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/recorded/mod.rs"]
mod recorded;

use std::io::Read as _;
use std::time::Duration;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let shared = recorded::Shared::new(Duration::from_secs(number("--idle").unwrap_or(600)));
    *shared.recorded.pace.lock().unwrap() = number("--pace").map(Duration::from_millis);
    let directory = shared.directory.path().display().to_string();
    let door = shell::ssh::run(shared.settings(), move |addresses| {
        for address in addresses {
            println!("{} {directory}", address.port());
        }
    });
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    tokio::select! {
        ended = door => ended.unwrap(),
        _ = end => {}
    }
}
