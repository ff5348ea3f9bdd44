//! What somebody with the card can do to a log, and that it is noticed: at once, and after the station has
//! been started again and has written on.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use journal::Journal;
use journal::receipts::{Broken, Known, Limits, Log, Written, check, compare, rows};
use station::papers::receipt::{Body, Book, Bytes32, Deed, Flaw, ProfileFacts, Receipt};
use station::papers::stamp::Stamp;

const LIMITS: Limits = Limits { file: 8 * 1024, files: 4 };

fn at(second: u64) -> Stamp {
    Stamp::new(Duration::from_secs(1_795_219_200 + second), 60)
}

fn receipt(second: u64) -> Receipt {
    Receipt {
        at: at(second),
        enrollment: format!("{second:024x}"),
        by: "ada".to_owned(),
        station: "desk".to_owned(),
        key: None,
        token: Some(format!("UBOM{second:08}_1")),
        profile: ProfileFacts { name: "desk".to_owned(), hash: None },
        run: None,
        proof: None,
        outcome: "enrolled".to_owned(),
        code: None,
        server: None,
        took: None,
        recovered: false,
        clock_unknown: false,
        replaced: None,
        given_up: None,
    }
}

/// A station's journal and its receipts.
struct Station(tempfile::TempDir);

impl Station {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("receipts")
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.0.path().join("journal.db")).unwrap()
    }

    /// Starts, writes so many receipts, and ends.
    fn write(&self, receipts: u64) {
        let mut journal = self.journal();
        let log = self.log();
        let mut log =
            Log::open_beside(&mut journal, Book::Receipts, [&log, &log], "desk", LIMITS, at(0)).unwrap();
        for second in 1..=receipts {
            log.append(receipt(second)).unwrap();
            journal.note_head(Book::Receipts, log.head(), log.oldest()).unwrap();
        }
    }

    fn verdict(&self) -> Result<u64, Broken> {
        let known = self.journal().known(Book::Receipts).unwrap();
        compare(Book::Receipts, &self.log(), &known).map(|checked| checked.receipts)
    }

    /// It is noticed now, and when the station has been started again and has written on, and again.
    fn noticed(&self) -> Broken {
        let first = self.verdict().unwrap_err();
        for _ in 0..3 {
            self.write(2);
            assert!(self.verdict().is_err(), "forgotten after a start: {first}");
        }
        first
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.log()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        files
    }

    /// The lines of a file, cut to so many.
    fn cut(path: &Path, lines: usize) {
        let text = fs::read_to_string(path).unwrap();
        let kept: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
        fs::write(path, kept).unwrap();
    }
}

#[test]
fn an_untouched_log_holds_however_often_it_was_rotated_and_the_station_started() {
    let station = Station::new();
    for count in [0, 3, 0, 60, 1, 100] {
        station.write(count);
        station.verdict().unwrap();
    }
    assert_eq!(station.files().len(), LIMITS.files);
    let known = station.journal().known(Book::Receipts).unwrap();
    assert_eq!(known.since, 1);
    assert!(known.oldest.unwrap() > 1);
}

#[test]
fn a_tail_that_was_cut_off_is_missed() {
    for kept in 0..4 {
        let station = Station::new();
        station.write(4);
        Station::cut(&station.files()[0], kept);
        let broken = station.noticed();
        match kept {
            0 => assert!(matches!(broken, Broken::Nothing(_)), "{broken}"),
            _ => assert!(matches!(broken, Broken::Short { .. }), "{broken}"),
        }
    }
}

#[test]
fn files_that_were_deleted_are_missed() {
    // The first, one in the middle, the last, the last two, and all of them.
    for (from, to) in [(0, 1), (1, 2), (2, 3), (1, 3), (0, 3)] {
        let station = Station::new();
        station.write(50);
        let files = station.files();
        assert_eq!(files.len(), 3);
        files[from..to].iter().for_each(|path| fs::remove_file(path).unwrap());
        station.noticed();
    }
}

#[test]
fn a_first_file_that_was_deleted_is_missed_by_whoever_has_the_log_alone() {
    let station = Station::new();
    station.write(50);
    fs::remove_file(&station.files()[0]).unwrap();
    assert!(matches!(check(&station.log(), None), Err(Broken::Late { oldest: 1, .. })));
}

#[test]
fn a_log_under_another_key_is_a_strangers() {
    // Shorter than ours, as long, and longer; with its key, and without.
    for (length, with_key) in [(1, true), (4, true), (9, true), (1, false), (4, false), (9, false)] {
        let (ours, theirs) = (Station::new(), Station::new());
        ours.write(4);
        theirs.write(length);
        for path in ours.files() {
            fs::remove_file(path).unwrap();
        }
        for path in theirs.files() {
            fs::copy(&path, ours.log().join(path.file_name().unwrap())).unwrap();
        }
        if with_key {
            for name in ["station.key", "station.pub"] {
                fs::copy(theirs.log().join(name), ours.log().join(name)).unwrap();
            }
        }
        let broken = ours.noticed();
        assert!(matches!(broken, Broken::At { flaw: Flaw::Stranger(_), .. }), "{broken}");
    }
}

#[test]
fn a_strangers_file_behind_ours_is_a_strangers() {
    let (ours, theirs) = (Station::new(), Station::new());
    ours.write(4);
    // The stranger takes up our chain as it is, but has no key of ours.
    for path in ours.files() {
        fs::create_dir_all(theirs.log()).unwrap();
        fs::copy(&path, theirs.log().join(path.file_name().unwrap())).unwrap();
    }
    theirs.write(2);
    let file = theirs.files().pop().unwrap();
    fs::copy(&file, ours.log().join(file.file_name().unwrap())).unwrap();
    assert!(check(&ours.log(), None).is_ok(), "the chain itself holds");
    let broken = ours.noticed();
    assert!(matches!(broken, Broken::At { flaw: Flaw::Stranger(_), .. }), "{broken}");
}

#[test]
fn a_log_that_its_own_key_signed_anew_is_not_the_one_that_is_known() {
    let (ours, forged) = (Station::new(), Station::new());
    ours.write(4);
    fs::create_dir_all(forged.log()).unwrap();
    fs::copy(ours.log().join("station.key"), forged.log().join("station.key")).unwrap();
    let mut log = Log::open(&forged.log(), "desk", LIMITS, at(0)).unwrap();
    for second in [1, 2, 77, 4] {
        log.append(receipt(second)).unwrap();
    }
    fs::copy(&forged.files()[0], &ours.files()[0]).unwrap();
    let broken = ours.noticed();
    assert!(matches!(broken, Broken::Replaced { number: 5 }), "{broken}");
}

#[test]
fn a_new_key_of_the_station_itself_is_no_strangers_and_is_named() {
    let station = Station::new();
    station.write(3);
    fs::remove_file(station.log().join("station.key")).unwrap();
    station.write(3);
    let known = station.journal().known(Book::Receipts).unwrap();
    let checked = compare(Book::Receipts, &station.log(), &known).unwrap();
    assert_eq!(checked.keys.iter().map(|(_, since)| *since).collect::<Vec<_>>(), [1, 5]);
    assert_eq!(known.keys, checked.keys);
}

#[test]
fn the_power_may_go_between_log_and_journal() {
    let station = Station::new();
    station.write(2);
    {
        // Written, and nobody told the journal.
        let mut log = Log::open(&station.log(), "desk", LIMITS, at(0)).unwrap();
        log.append(receipt(3)).unwrap();
    }
    assert_eq!(station.verdict().unwrap(), 3);
    station.write(1);
    assert_eq!(station.verdict().unwrap(), 4);
}

#[test]
fn a_journal_that_is_new_takes_the_log_as_it_is_and_says_since_when() {
    let station = Station::new();
    station.write(3);
    for entry in fs::read_dir(station.0.path()).unwrap().map(Result::unwrap) {
        if entry.path().is_file() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    station.write(1);
    assert_eq!(station.verdict().unwrap(), 4);
    assert_eq!(station.journal().known(Book::Receipts).unwrap().since, 4);
    Station::cut(&station.files()[0], 2);
    station.noticed();
}

#[test]
fn deeds_are_kept_like_receipts_and_neither_fits_into_the_others_log() {
    let station = Station::new();
    station.write(1);
    let mut journal = station.journal();
    let directory = station.0.path().join("audit");
    let keys = station.log();
    let open = |journal: &mut Journal| {
        Log::open_beside(journal, Book::Audit, [&directory, &keys], "desk", LIMITS, at(0)).unwrap()
    };
    let mut log = open(&mut journal);
    let deed = |number: u64| Deed {
        at: at(number),
        by: "ada".to_owned(),
        from: "192.0.2.7".to_owned(),
        session: "s".to_owned(),
        what: format!("SetMode {number}"),
        result: "ok".to_owned(),
        took_ms: 2,
    };
    for number in 0..100 {
        log.put(&Body::Deed(Box::new(deed(number)))).unwrap();
    }
    journal.note_head(Book::Audit, log.head(), log.oldest()).unwrap();
    drop(log);
    let known = journal.known(Book::Audit).unwrap();
    assert_eq!(compare(Book::Audit, &directory, &known).unwrap().head, known.head.unwrap());
    let last = rows(Book::Audit, &directory).unwrap().last().unwrap().unwrap();
    assert_eq!(last.body, Body::Deed(Box::new(deed(99))));
    // Under the other's name it is of no use.
    let name = |book: &str| format!("{book}-000001.jsonl");
    fs::copy(station.files()[0].clone(), directory.join(name("audit"))).unwrap();
    assert!(compare(Book::Audit, &directory, &known).is_err());
}

#[test]
fn what_the_journal_knows_of_a_log_is_read() {
    let station = Station::new();
    drop(station.journal());
    let (key, hash) = ("7f".repeat(32), "ab".repeat(32));
    let rows = format!(
        "INSERT INTO chain (log, number, hash, oldest, since) VALUES ('receipts', 42, '{hash}', 7, 3);
         INSERT INTO chain_key (log, key, since) VALUES ('receipts', '{key}', 5);"
    );
    let file = station.0.path().join("journal.db");
    rusqlite::Connection::open(file).unwrap().execute_batch(&rows).unwrap();
    let known = station.journal().known(Book::Receipts).unwrap();
    let head = Written { number: 42, hash: Bytes32([0xab; 32]) };
    assert_eq!((known.head, known.oldest, known.since), (Some(head), Some(7), 3));
    assert_eq!(known.keys, [(Bytes32([0x7f; 32]), 5)]);
    assert_eq!(station.journal().known(Book::Audit).unwrap(), Known::default());
}

/// The program that docs/receipts.md prints, as it is printed there.
fn documented() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/receipts.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_documents_own_program_checks_an_export_of_a_rotated_log() {
    let station = Station::new();
    station.write(100);
    assert_eq!(station.files().len(), LIMITS.files);
    let check = station.0.path().join("check.py");
    fs::write(&check, documented()).unwrap();
    let export: Vec<String> =
        rows(Book::Receipts, &station.log()).unwrap().map(|row| row.unwrap().line).collect();
    let export: Vec<&str> = export.iter().map(String::as_str).collect();
    let run = |lines: &[&str]| {
        let input = station.0.path().join("export.jsonl");
        fs::write(&input, lines.join("\n") + "\n").unwrap();
        let output = Command::new("python3")
            .arg(&check)
            .arg(station.log().join("station.pub"))
            .stdin(fs::File::open(input).unwrap())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (good, told) = run(&export);
    assert!(!told.contains("No module named"), "python3-cryptography is missing; scripts/setup installs it");
    assert!(good, "{told}");
    assert!(run(&export[5..]).0, "from any line on");
    let changed = export[9].replace("ada", "eve");
    assert!(!run(&[&export[..9], &[changed.as_str()], &export[10..]].concat()).0);
    assert!(!run(&[&export[..9], &export[10..]].concat()).0);
    let other = Station::new();
    other.write(1);
    fs::copy(other.log().join("station.pub"), station.log().join("station.pub")).unwrap();
    assert!(!run(&export).0);
}
