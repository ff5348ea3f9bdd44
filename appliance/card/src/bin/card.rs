//! `card`: what the running system asks of the card. See its `--help`.

use std::fs::File;
use std::process::ExitCode;

use card::device::{self, Card};
use card::layout::Slot;
use card::trial::{self, Kept};
use card::update_facts::Facts;
use card::{begin, cmdline, install, job, watch};

const HELP: &str = "\
card begin     before everything else: state partition, settings, name, network
card watch     beside the services: count errors of the card, light the board's LED
card good      the slot that runs is good: it is started from now on
card trial     wait until a slot on trial does its job; then the same
card install   do one order about updates, which comes over standard input (appliance/card/src/install.rs)
card switch    the next start is that of the slot that waits to be tried
card reboot    ask for a restart, as the daemon may; also: card poweroff
card record    show which slot is started next, and how many attempts each has
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["begin"] => begin::run(),
        ["good"] => mark_good(),
        ["trial"] => on_trial(),
        ["install"] => install::order(std::io::stdin().lock(), std::io::stdout().lock()),
        ["switch"] => find().and_then(|card| install::switch(&card, running()?)),
        ["watch"] => watch::run(),
        [what @ ("reboot" | "poweroff")] => ask_for(what),
        ["record"] => show_record(),
        ["-h" | "--help"] => Ok(HELP.to_owned()),
        _ => Err(format!("what is to be done?\n{HELP}")),
    };
    match done {
        Ok(said) => {
            println!("{}", said.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("card: {error}");
            ExitCode::FAILURE
        }
    }
}

type Said = Result<String, String>;

fn find() -> Result<Card, String> {
    Card::find().ok_or_else(|| "no disk bears the signature of the station's card".to_owned())
}

fn running() -> Result<Slot, String> {
    let line = std::fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?;
    cmdline::read(&line).map(|request| request.slot).map_err(|error| error.to_string())
}

fn on_trial() -> Said {
    let facts = Facts::read().map_err(|error| format!("nothing is known about this start: {error}"))?;
    let kept = Kept::at(trial::PLACE);
    let done = job::run(&facts, &kept, &job::Places::default())?;
    let said = mark_good()?;
    kept.good(facts.running.floor).map_err(|error| format!("{}: {error}", trial::PLACE))?;
    Ok(format!("{done}; {said}"))
}

fn mark_good() -> Said {
    let slot = running()?;
    let path = find()?.path();
    let disk =
        File::options().read(true).write(true).open(&path).map_err(|error| format!("{path}: {error}"))?;
    let (was, now) =
        device::change(&disk, |record| record.good(slot)).map_err(|error| format!("{path}: {error}"))?;
    let news = if was == now { "is known to be good" } else { "is good" };
    Ok(format!("slot {slot} {news}{}", so_far()))
}

/// What the start has cost, for whoever reads the serial line or the log.
fn so_far() -> String {
    let number = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<f64>().ok()
    };
    let memory = |name| number("/proc/meminfo", name);
    // What neither a cache nor anybody else could be asked to give back.
    let used = || {
        let freed = ["MemFree:", "Buffers:", "Cached:", "SReclaimable:"];
        let freed: f64 = freed.into_iter().map(memory).sum::<Option<f64>>()?;
        Some(memory("MemTotal:")? - freed + memory("Shmem:")?)
    };
    let (Some(seconds), Some(used), Some(programs), Some(files)) =
        (number("/proc/uptime", ""), used(), memory("AnonPages:"), memory("Shmem:"))
    else {
        return String::new();
    };
    let megabytes = |kilobytes: f64| (kilobytes / 1024.0).round();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
        let numbered =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
        // A thread of the kernel has no command line; udev's workers end when they had nothing to do for some seconds.
        numbered && !read("cmdline").is_empty() && !read("comm").starts_with(b"(udev-worker")
    });
    format!(
        "; {seconds:.1} s after the start, {} MB used by {} processes ({} MB), files in memory ({} MB) and kernel",
        megabytes(used),
        processes.count().saturating_sub(1),
        megabytes(programs),
        megabytes(files),
    )
}

/// The daemon may not switch anything off itself: a path unit looks for the file.
fn ask_for(what: &str) -> Said {
    let path = format!("/run/enrolld/{what}");
    File::create(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(format!("{what} is asked for"))
}

fn show_record() -> Said {
    let path = find()?.path();
    let disk = File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    let copies = device::records(&disk).map_err(|error| format!("{path}: {error}"))?;
    let record = copies.newest().ok_or("neither copy of the boot record can be read; slot A is started")?;
    let order: Vec<String> = record.order.iter().map(Slot::to_string).collect();
    Ok(format!(
        "order {}\nA {} attempts\nB {} attempts\non trial {}\nchange {}",
        order.join(" "),
        record.a,
        record.b,
        record.trial.map_or_else(|| "none".to_owned(), |slot| slot.to_string()),
        record.generation
    ))
}
