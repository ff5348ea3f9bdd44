//! Answers that nobody reads cost a page each, whatever they are answers to.

#![cfg(test)]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use control::types::{Audit, AuditList, Logs, ReceiptsExport, ReceiptsList};
use control::{CallError, Client, Incoming};
use enrolld::service::Ring;
use journal::receipts::{Disk, Limits, Log};
use sim::args::{Args, Command};
use sim::whole::Simulation;
use station::papers::receipt::{ProfileFacts, Receipt};
use station::papers::stamp::Stamp;

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
        clock_unknown: false,
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

/// Asks for twelve answers that nobody reads, and measures what they cost.
async fn costs(what: &str, mut ask: impl AsyncFnMut()) {
    let before = resident();
    for _ in 0..12 {
        ask().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cost = resident().saturating_sub(before);
    println!("12 unread {what} cost {cost} bytes");
    assert!(cost < 2 << 20, "12 unread {what} cost {cost} bytes");
}

/// Closes answers, and waits until their places are free again: a caller has sixteen.
async fn drop_all<T>(client: &Client, unread: &mut Vec<Incoming<T>>) {
    unread.clear();
    let mut all = Vec::new();
    for _ in 0..600 {
        match client.receipts_export(&ReceiptsExport::default()).await {
            Ok(one) => all.push(one),
            Err(_) => {
                all.clear();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        if all.len() == 16 {
            return;
        }
    }
    panic!("places stay taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_answers_that_nobody_reads_cost_a_page_each() {
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

    // As many looks as are kept, each as long as may be.
    for number in 0..200 {
        let command = format!("{number} {}", "x".repeat(490));
        client.audit(&Audit { command, exit: 0, took_ms: 1 }).await.unwrap();
    }
    // The first is read, so that what a first one needs is there.
    let export = ReceiptsExport::default();
    let pages = client.receipts_export(&export).await.unwrap().all().await.unwrap();
    let read: usize = pages.iter().map(|page| page.lines.len()).sum();
    assert_eq!(read, lines, "checkpoints are lines too");
    drop(pages);
    let list = ReceiptsList { newest: Some(1000), about: None };
    let pages = client.receipts_list(&list).await.unwrap().all().await.unwrap();
    let numbers: Vec<i64> =
        pages.iter().flat_map(|page| &page.receipts).map(|receipt| receipt.number).collect();
    assert!(numbers.len() == 1000 && numbers.is_sorted_by(|one, next| one > next), "{numbers:?}");
    assert!(pages.iter().all(|page| page.receipts.len() <= 50 && page.total >= 1000));
    let audit = AuditList { newest: Some(1000) };
    let pages = client.audit_list(&audit).await.unwrap().all().await.unwrap();
    let looks: usize = pages.iter().map(|page| page.entries.len()).sum();
    assert!(pages.len() > 5 && looks >= 200, "{} pages, {looks} looks", pages.len());
    drop(pages);

    let mut unread = Vec::new();
    costs("exports", async || unread.push(client.receipts_export(&export).await.unwrap())).await;
    let mut lists = Vec::new();
    drop_all(&client, &mut unread).await;
    costs("lists of receipts", async || lists.push(client.receipts_list(&list).await.unwrap())).await;
    drop_all(&client, &mut lists).await;
    let mut audits = Vec::new();
    costs("lists of the audit", async || audits.push(client.audit_list(&audit).await.unwrap())).await;
    drop_all(&client, &mut audits).await;
    costs("exports again", async || unread.push(client.receipts_export(&export).await.unwrap())).await;

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
    drop(follow);
    drop_all(&client, &mut unread).await;
    client.receipts_export(&export).await.unwrap();
    simulation.stop().await.unwrap();
}
