//! The journal on disks that fill up, become read-only, or belong to a station whose clock was set back.
#![cfg(test)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use journal::{Journal, JournalError};
use keys::device::{Family, KeySerial, Kind, Slot};
use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use station::engine::run::{Aside, Assignment, KeyResult, RunPlan, Standing, Target};
use station::refusal::Code;
use station::token::TokenSerial;

fn record(number: u32) -> Record {
    let key = KeySerial { family: Family::YubiKeyOtp, number };
    Record {
        enrollment: EnrollmentId::random(&mut rand::rng()),
        state: State::Planned,
        at: Duration::from_millis(1_795_279_095_123),
        key,
        slot: Slot(1),
        kind: Kind::Hotp,
        remains: Remains::Nothing,
        token: TokenSerial::of(key, Kind::Hotp, Slot(1)),
        profile: "desk".to_owned(),
        person: None,
        actor: Actor::Armed,
        port: "1-1.3".to_owned(),
        reason: None,
        given_up: None,
    }
}

/// A small file system of its own, taken away at the end; `None` where we may not mount one.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read_only(&self, yes: bool) {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        assert!(Command::new("mount").args(["-o", how]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Writes enrollments until there is no room; gives back the last that was taken and the one that was not.
fn until_full(journal: &mut Journal) -> (Record, Record) {
    let mut last = record(0);
    journal.write(&last).unwrap();
    for number in 1..100_000 {
        let next = record(number);
        match journal.write(&next) {
            Ok(()) => last = next,
            Err(JournalError::Full) => return (last, next),
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk never fills up");
}

#[test]
fn what_does_not_fit_on_a_full_disk_is_refused_and_all_else_stays() {
    let Some(disk) = Mounted::new("600k") else { return };
    let path = disk.path().join("journal.db");
    let other = disk.path().join("other");
    File::create(&other).unwrap().write_all(&[0; 100_000]).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    let (mut last, refused) = until_full(&mut journal);
    // What it had is there, also for whoever opens it now, and nothing of the other.
    assert_eq!(journal.recall(last.key).unwrap(), [last.clone()]);
    assert!(journal.recall(refused.key).unwrap().is_empty());
    drop(journal);
    fs::remove_file(other).unwrap();
    // With room again, it goes on where it was.
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.recall(last.key).unwrap(), [last.clone()]);
    assert!(journal.recall(refused.key).unwrap().is_empty());
    last.state = State::Undone;
    journal.write(&last).unwrap();
    journal.write(&refused).unwrap();
}

#[test]
fn a_read_only_disk_is_told_as_that_and_can_be_read_later() {
    let Some(disk) = Mounted::new("2m") else { return };
    let path = disk.path().join("journal.db");
    let mut written = record(1);
    let mut journal = Journal::open(&path).unwrap();
    journal.write(&written).unwrap();
    drop(journal);
    disk.read_only(true);
    match Journal::open(&path) {
        // A write-ahead log cannot be opened without writing.
        Err(error) => assert!(matches!(error, JournalError::ReadOnly | JournalError::Other(_)), "{error:?}"),
        Ok(mut journal) => {
            assert_eq!(journal.unfinished().unwrap(), [written.clone()]);
            assert!(matches!(journal.write(&record(2)), Err(JournalError::ReadOnly)));
        }
    }
    disk.read_only(false);
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.unfinished().unwrap(), [written.clone()]);
    written.state = State::Undone;
    journal.write(&written).unwrap();
}

#[test]
fn a_clock_that_was_set_back_changes_no_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let mut first = record(1);
    let mut journal = Journal::open(&path).unwrap();
    journal.write(&first).unwrap();
    // Years earlier, in the middle of an enrollment; and another one of the same key.
    first.at = Duration::from_secs(1);
    first.state = State::Registered;
    journal.write(&first).unwrap();
    let mut second = Record { at: Duration::ZERO, ..record(1) };
    journal.write(&second).unwrap();
    drop(journal);
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.recall(first.key).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(journal.unfinished().unwrap(), [first.clone(), second.clone()]);
    for it in [&mut first, &mut second] {
        for state in [State::Undoing, State::Undone] {
            it.state = state;
            journal.write(it).unwrap();
        }
    }
    assert!(journal.unfinished().unwrap().is_empty());
}

#[test]
fn a_run_counts_what_was_cut_short_by_how_it_ended() {
    let mut journal = Journal::in_memory().unwrap();
    let plan = RunPlan {
        name: "drawer".to_owned(),
        target: Target::Endless,
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    let id = journal.run_new(&plan, &Actor::Armed, Duration::ZERO).unwrap();
    let states = [
        (State::Registered, Some(Standing::Quarantined)),
        (State::Proven, None),
        (State::Done, Some(Standing::Done)),
        (State::Undone, Some(Standing::Refused)),
    ];
    let mut keys = Vec::new();
    for (number, (state, expected)) in (1..).zip(states) {
        let mut it = record(number);
        journal.run_claim(id, it.key, Some(number), it.at).unwrap();
        journal.write(&it).unwrap();
        let path: &[State] = match state {
            State::Registered => &[State::Registered],
            State::Proven => &[State::Registered, State::Written, State::Proven],
            State::Done => &[State::Registered, State::Written, State::Proven, State::Done],
            _ => &[State::Undone],
        };
        for state in path {
            it.state = *state;
            journal.write(&it).unwrap();
        }
        keys.push((it.key, expected));
    }
    // Recovery had finished it, and then the power went while it was tried whether it can be replaced.
    let mut trial = record(3);
    trial.token = TokenSerial::new(&format!("{}_TRIAL", trial.token)).unwrap();
    assert!(trial.token.is_trial());
    for state in [State::Planned, State::Undoing, State::Undone] {
        trial.state = state;
        journal.write(&trial).unwrap();
    }
    // Taken, and then the power went before anything was begun.
    let untouched = record(9).key;
    journal.run_claim(id, untouched, None, Duration::ZERO).unwrap();
    let stored = journal.runs().unwrap().pop().unwrap();
    let (run, put_right) = stored.restored(|key| journal.recall(key).unwrap());
    for (key, expected) in keys {
        assert_eq!(run.standing(key), expected, "{key}");
        assert_eq!(run.in_work().any(|(at_work, _)| at_work == key), expected.is_none(), "{key}");
    }
    assert_eq!((put_right.len(), run.standing(untouched)), (3, None));
}

#[test]
fn lines_that_are_set_aside_stay_so_and_what_was_cut_short_sets_its_line_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let line = |user: &str| Assignment {
        person: Some((user.to_owned(), "office".to_owned())),
        ..Assignment::default()
    };
    let plan = RunPlan {
        name: "autumn".to_owned(),
        target: Target::List(["ada", "bob", "cleo", "dora", "eve"].map(line).to_vec()),
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    let mut journal = Journal::open(&path).unwrap();
    let id = journal.run_new(&plan, &Actor::Armed, Duration::ZERO).unwrap();
    let refused =
        |line, code| KeyResult { standing: Standing::Refused, code, line, at: Duration::from_secs(9) };
    // One has its line when it fails, the other has it no more.
    journal.run_claim(id, record(1).key, Some(0), Duration::ZERO).unwrap();
    journal.run_result(id, record(1).key, &refused(Some(0), Some(Code::AssignRefused))).unwrap();
    journal.run_result(id, record(2).key, &refused(Some(1), Some(Code::AssignRefused))).unwrap();
    let skipped = Aside::skipped(Duration::from_secs(3));
    journal.run_lines(id, &[(2, Some(skipped)), (3, Some(skipped))]).unwrap();
    journal.run_lines(id, &[(3, None)]).unwrap();
    // The power goes after the enrollment was taken back and before the run heard of it.
    let mut it = Record { reason: Some(Code::PersonUnknown), ..record(3) };
    journal.run_claim(id, it.key, Some(4), it.at).unwrap();
    for state in [State::Planned, State::Undoing, State::Undone] {
        it.state = state;
        journal.write(&it).unwrap();
    }
    drop(journal);

    let mut journal = Journal::open(&path).unwrap();
    let stored = journal.runs().unwrap().pop().unwrap();
    let failed = Aside::failed(Code::AssignRefused, Duration::from_secs(9));
    assert_eq!(stored.aside, [(0, failed), (2, skipped)]);
    let (run, put_right) = stored.restored(|key| journal.recall(key).unwrap());
    assert_eq!(run.aside().map(|(line, _)| line).collect::<Vec<_>>(), [0, 2, 4]);
    for (key, result) in put_right {
        journal.run_result(id, key, &result).unwrap();
    }
    assert_eq!(journal.runs().unwrap().pop().unwrap().aside.len(), 3);

    // More lines; and a journal from before there were lines that are set aside.
    let Target::List(mut list) = plan.target.clone() else { panic!("a list") };
    list.push(line("flo"));
    let longer = RunPlan { target: Target::List(list), ..plan };
    journal.run_plan(id, &longer).unwrap();
    drop(journal);
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE run_line").unwrap();
    let stored = Journal::open(&path).unwrap().runs().unwrap().pop().unwrap();
    assert_eq!((stored.plan, stored.aside), (longer, Vec::new()));
}
