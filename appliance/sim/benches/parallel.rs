//! Eight keys at once against one: keys whose reports take as long as over USB, at a
//! server that answers in 50 ms. The two aims: at most 1.25 times one key's time, and
//! at most 1 MiB of memory more for each key in flight. Twins and server are in this
//! process, so the memory is theirs, too.
//!
//! Not criterion's: one round takes seconds, and what counts is the ratio of two.
#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use clap::Parser;
use sim::args::{Args, Command};

fn main() {
    // `cargo bench` says so; anything else only wants to see that it still runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 5 } else { 1 };
    // The first fills caches and starts threads, for both alike.
    time(1, 0);
    let base = most_memory();
    let one = (1..=rounds).map(|round| time(1, round)).min().expect("there is a round");
    let eight = (1..=rounds).map(|round| time(8, 100 * round)).min().expect("there is a round");
    let each = most_memory().saturating_sub(base) / 7;
    let ratio = eight.as_secs_f64() / one.as_secs_f64();
    println!(
        "# 8 keys at once take {ratio:.2} times one key's time (at most 1.25): {:.0} ms against {:.0} ms",
        eight.as_secs_f64() * 1e3,
        one.as_secs_f64() * 1e3
    );
    println!("# each key in flight takes {each} KiB more (at most 1024)");
}

/// How long so many keys take, each in a port of its own.
fn time(keys: u32, serial: u32) -> Duration {
    let (keys, serial) = (keys.to_string(), (serial * 1000 + 1).to_string());
    let line =
        ["station-sim", "run", "--quiet", "--latency", "50", "--report-ms", "1", "--keys", &keys, "--serial"];
    let args = Args::parse_from(line.into_iter().chain([serial.as_str()]));
    let Command::Run(run) = args.command else { unreachable!("the command line says run") };
    let started = Instant::now();
    assert!(sim::run::run(&run).expect("the run can be carried out"), "a key was not enrolled");
    started.elapsed()
}

/// The most memory that this process has had, in KiB (proc(5), VmHWM).
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
