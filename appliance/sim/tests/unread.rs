//! Answers that nobody reads cost a page each, whatever they are answers to.

#![cfg(test)]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use enrolld::control::types::{Logs, ReceiptsExport};
use enrolld::control::{CallError, Client};
use enrolld::journal::receipts::{Disk, Limits, Log};
use enrolld::service::Ring;
use enrolld::station::receipt::{ProfileFacts, Receipt};
use enrolld::station::stamp::Stamp;
use sim::args::{Args, Command};
use sim::whole::Simulation;

/// A disk that waits for nothing.
struct Quick;

impl Disk for Quick {
    fn reserve(&mut self, _: &File, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}

/// A log as full as it becomes, of some thousand lines; gives back how many there are, checkpoints too.
fn full_log(directory: &Path) -> usize {
    let at = Stamp::new(Duration::from_secs(1_795_219_200), 60);
    let receipt = Receipt {
        at,
        enrollment: "0".repeat(24),
        by: "ada".to_owned(),
        station: "desk".to_owned(),
        key: None,
        token: None,
        profile: ProfileFacts { name: "desk".to_owned(), hash: None },
        run: None,
        proof: None,
        outcome: "enrolled".to_owned(),
        code: None,
        server: Some("s".repeat(11_000)),
        took: None,
        recovered: false,
        replaced: None,
        given_up: None,
    };
    let limits = Limits::default();
    let mut log = Log::open_on(Box::new(Quick), directory, "desk", limits, at).unwrap();
    while log.oldest() == 1 {
        log.append(receipt.clone()).unwrap();
    }
    usize::try_from(log.head().number - log.oldest() + 1).unwrap()
}

/// What this process, client and station in one, holds in memory, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_exports_of_a_full_log_that_nobody_reads_cost_a_page_each() {
    let directory = tempfile::tempdir().unwrap();
    let house = directory.path().join("house");
    let lines = full_log(&house.join("state/receipts"));
    let size: u64 = std::fs::read_dir(house.join("state/receipts"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size > 14 << 20, "{size}");
    let words = ["station-sim", "station", "--directory", house.to_str().unwrap()];
    let Command::Station(station) = Args::parse_from(words).command else { panic!("not a station") };
    let simulation = Simulation::start(&station, Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());

    // The first is read, so that what a first one needs is there.
    let export = ReceiptsExport::default();
    let mut read = 0;
    let mut incoming = client.receipts_export(&export).await.unwrap();
    while let Some(page) = incoming.next().await {
        read += page.unwrap().lines.len();
    }
    assert_eq!(read, lines, "checkpoints are lines too");
    let before = resident();
    let mut unread = Vec::new();
    for _ in 0..12 {
        unread.push(client.receipts_export(&export).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cost = resident().saturating_sub(before);
    assert!(cost < 4 << 20, "12 unread exports cost {cost} bytes");

    // The caller's share is bounded, and there again when they are closed.
    let (mut refused, mut follow) = (None, Vec::new());
    for _ in 0..8 {
        match client.logs(&Logs { follow: true, ..Logs::default() }).await {
            Ok(logs) => follow.push(logs),
            Err(CallError::Refused(refusal)) => refused = Some(refusal.code),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((follow.len(), refused.as_deref()), (4, Some("E3030")));
    drop((unread, follow));
    let mut tries = 0;
    while let Err(error) = client.receipts_export(&export).await {
        tries += 1;
        assert!(tries < 600, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    simulation.stop().await.unwrap();
}
