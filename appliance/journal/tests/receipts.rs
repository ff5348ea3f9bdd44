//! Receipts survive what disks, power and clocks do to them; what was changed is named.
#![cfg(test)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use journal::receipts::{
    Broken, Card, Checked, Disk, HEADER, Limits, Log, ReceiptError, check, entries, row,
};
use proptest::prelude::*;
use station::papers::receipt::{
    Begins, Body, Bytes32, Chain, Durations, Flaw, KeyFacts, Line, ProfileFacts, ProofFacts, Receipt, SetBack,
};
use station::papers::stamp::Stamp;

fn at(second: u64) -> Stamp {
    Stamp::new(Duration::from_secs(1_795_219_200 + second), 60)
}

fn receipt(second: u64) -> Receipt {
    Receipt {
        at: at(second),
        enrollment: format!("{second:024x}"),
        by: "ada".to_owned(),
        station: "desk \"one\"".to_owned(),
        key: Some(KeyFacts {
            vendor: Some("Yubico".to_owned()),
            model: Some("YubiKey 5 NFC".to_owned()),
            serial: Some("12345678".to_owned()),
            firmware: Some("5.4.3".to_owned()),
            port: "1-1.3".to_owned(),
        }),
        token: Some("UBOM12345678_1".to_owned()),
        profile: ProfileFacts { name: "desk".to_owned(), hash: Some(Bytes32([7; 32])) },
        run: None,
        proof: Some(ProofFacts {
            kind: "hotp".to_owned(),
            counter: 0,
            attempts: 1,
            verified_by_policy: false,
        }),
        outcome: "enrolled".to_owned(),
        code: None,
        replaced: None,
        given_up: None,
        server: Some("privacyIDEA 3.14".to_owned()),
        took: Some(Durations::of([
            ("inspecting", Duration::from_millis(12)),
            ("proving", Duration::from_millis(900)),
        ])),
        recovered: false,
        clock_unknown: false,
    }
}

fn open(directory: &Path) -> Log {
    open_with(directory, Limits::default())
}

fn open_with(directory: &Path, limits: Limits) -> Log {
    Log::open(directory, "desk", limits, at(0)).unwrap()
}

/// A log of so many receipts, closed again.
fn filled(directory: &Path, receipts: u64) {
    let mut log = open(directory);
    for second in 1..=receipts {
        log.append(receipt(second)).unwrap();
    }
}

fn file(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("receipts-{number:06}.jsonl"))
}

fn broken_at(directory: &Path) -> (u64, Flaw) {
    match check(directory, None) {
        Err(Broken::At { line, flaw, .. }) => (line, flaw),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_back_and_holds() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 3);
    let mut log = open(directory.path());
    let last = log.append(receipt(4)).unwrap();
    assert_eq!((last.number, log.head()), (5, last));
    let read: Vec<_> = entries(directory.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.iter().map(|entry| entry.receipt.clone()).collect::<Vec<_>>(), [1, 2, 3, 4].map(receipt));
    let checked = check(directory.path(), Some(&[log.public_key()])).unwrap();
    let keys = vec![(log.public_key(), 1)];
    let wanted =
        Checked { receipts: 4, first: 1, head: last, keys, set_back: 0, set_backs: vec![], torn: false };
    assert_eq!(checked, wanted);
    let refused = Log::open(directory.path(), "desk", Limits::default(), at(0));
    assert!(matches!(refused, Err(ReceiptError::InUse(_))));
}

#[test]
fn the_key_is_for_the_station_alone() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let key = directory.path().join("station.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Log::open(directory.path(), "desk", Limits::default(), at(0));
    assert!(matches!(refused, Err(ReceiptError::Key { .. })));
}

#[test]
fn the_first_changed_record_is_named() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 4);
    let path = file(directory.path(), 1);
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let with = |lines: &[&str]| fs::write(&path, lines.join("\n") + "\n").unwrap();

    let changed = lines[2].replace("\"ada\"", "\"eve\"");
    with(&[lines[0], lines[1], &changed, lines[3], lines[4]]);
    assert_eq!(broken_at(directory.path()), (3, Flaw::Signature));
    with(&[lines[0], lines[1], lines[3], lines[4]]);
    assert_eq!(broken_at(directory.path()), (3, Flaw::Number { found: 4, wanted: 3 }));
    with(&[lines[0], lines[2], lines[1]]);
    assert_eq!(broken_at(directory.path()).0, 2);
    with(&lines[1..]);
    assert_eq!(broken_at(directory.path()), (1, Flaw::NoCheckpoint));
    with(&[lines[0], "{}", lines[2]]);
    assert_eq!(broken_at(directory.path()), (2, Flaw::Unsigned));
    fs::write(&path, [&good.as_bytes()[..900], &[0xff, b'\n']].concat()).unwrap();
    assert!(matches!(broken_at(directory.path()).1, Flaw::Garbled(_)));
    with(&lines);
    let stranger = check(directory.path(), Some(&[Bytes32([1; 32])]));
    assert!(matches!(stranger, Err(Broken::At { line: 1, flaw: Flaw::Stranger(_), .. })));
    assert!(check(directory.path(), None).is_ok());
}

#[test]
fn a_log_of_another_key_is_not_taken_for_ours() {
    // Every line of it is signed and chained as it should be, by a key that is not ours.
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(ours.path(), 2);
    filled(theirs.path(), 2);
    let key = fs::read_to_string(ours.path().join("station.pub")).unwrap();
    let key = Bytes32::try_from(key.trim().to_owned()).unwrap();
    assert!(check(ours.path(), Some(&[key])).is_ok());
    assert!(check(theirs.path(), Some(&[key])).is_err());
    let theirs = fs::read_to_string(file(theirs.path(), 1)).unwrap();
    let mut mixed = fs::read_to_string(file(ours.path(), 1)).unwrap();
    mixed.push_str(theirs.lines().next_back().unwrap());
    fs::write(file(ours.path(), 1), mixed + "\n").unwrap();
    assert_eq!(broken_at(ours.path()).0, 4);
}

#[test]
fn a_torn_last_record_is_cut_off_wherever_it_was_torn() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let path = file(directory.path(), 1);
    let good = fs::read(&path).unwrap();
    let last = good[..good.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in (last..good.len()).step_by(41).chain([good.len() - 1]) {
        // As it is after the power went: half a line, then perhaps zeros.
        let mut bytes = good[..end].to_vec();
        if end % 2 == 0 {
            bytes.extend([0; 100]);
        }
        fs::write(&path, &bytes).unwrap();
        let torn = bytes.len() > last;
        assert_eq!(check(directory.path(), None).unwrap().torn, torn);
        let mut log = open(directory.path());
        assert_eq!(log.torn() > 0, torn, "cut at {end}");
        assert_eq!(log.append(receipt(3)).unwrap().number, 3);
        drop(log);
        assert_eq!(check(directory.path(), None).unwrap().receipts, 2);
    }
}

#[test]
fn damage_is_left_for_everybody_to_see_and_counting_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let mut old = OpenOptions::new().append(true).open(file(directory.path(), 1)).unwrap();
    old.write_all(b"not a receipt\n").unwrap();
    let mut log = open(directory.path());
    assert_eq!(log.append(receipt(3)).unwrap().number, 6);
    let second = fs::read_to_string(file(directory.path(), 2)).unwrap();
    let Body::Checkpoint(checkpoint) = Line::parse(second.lines().next().unwrap()).unwrap().body else {
        panic!("no checkpoint")
    };
    assert_eq!((checkpoint.begins, checkpoint.oldest), (Begins::Damage, 1));
    assert_eq!(broken_at(directory.path()), (4, Flaw::Unsigned));
    assert_eq!(entries(directory.path()).unwrap().count(), 3);
}

#[test]
fn a_new_key_begins_a_new_file_of_the_same_chain() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    fs::remove_file(directory.path().join("station.key")).unwrap();
    filled(directory.path(), 2);
    let checked = check(directory.path(), None).unwrap();
    assert_eq!((checked.receipts, checked.keys.len()), (4, 2));
    let keys: Vec<Bytes32> = checked.keys.iter().map(|(key, _)| *key).collect();
    assert!(check(directory.path(), Some(&keys)).is_ok());
    assert!(check(directory.path(), Some(&keys[1..])).is_err());
}

#[test]
fn the_log_stays_within_its_bounds_and_still_holds() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { file: 16 * 1024, files: 3 };
    let mut log = open_with(directory.path(), limits);
    for second in 1..=200 {
        log.reserve(2, at(second)).unwrap();
        log.append(receipt(second)).unwrap();
        let files: Vec<_> =
            (1..100).map(|number| file(directory.path(), number)).filter(|path| path.exists()).collect();
        assert!(files.len() <= 3);
        assert!(files.iter().all(|path| fs::metadata(path).unwrap().len() <= limits.file));
    }
    let checked = check(directory.path(), None).unwrap();
    assert!(checked.first > 1 && checked.receipts < 200);
    assert_eq!(checked.head, log.head());
    assert_eq!(entries(directory.path()).unwrap().last().unwrap().unwrap().receipt, receipt(200));
    // A file that is missing in the middle is noticed.
    let middle = (1..100).map(|number| file(directory.path(), number)).filter(|path| path.exists()).nth(1);
    fs::remove_file(middle.unwrap()).unwrap();
    assert!(matches!(broken_at(directory.path()), (1, Flaw::Number { .. })));
}

#[test]
fn a_clock_that_was_set_back_breaks_nothing_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    for second in [100, 50, 60] {
        log.append(receipt(second)).unwrap();
    }
    let checked = check(directory.path(), None).unwrap();
    let told = SetBack { number: 3, from: at(100), to: at(50) };
    assert_eq!((checked.set_back, checked.set_backs), (1, vec![told]));
}

/// A disk that fails when it is told to.
struct Failing {
    appends_left: u64,
    half: bool,
}

impl Disk for Failing {
    fn reserve(&mut self, file: &File, length: u64, room: u64) -> io::Result<()> {
        if self.appends_left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Card.reserve(file, length, room)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if self.appends_left == 0 {
            self.appends_left = 1;
            if self.half {
                file.write_all(&bytes[..bytes.len() / 2])?;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.appends_left -= 1;
        Card.append(file, bytes)
    }
}

#[test]
fn a_receipt_that_was_not_written_whole_is_as_if_it_had_never_been_begun() {
    for half in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let disk = Box::new(Failing { appends_left: 3, half });
        let mut log = Log::open_on(disk, directory.path(), "desk", Limits::default(), at(0)).unwrap();
        log.append(receipt(1)).unwrap();
        log.append(receipt(2)).unwrap();
        assert!(matches!(log.reserve(1, at(3)), Err(ReceiptError::Full)));
        assert!(matches!(log.append(receipt(3)), Err(ReceiptError::Full)));
        assert_eq!(log.append(receipt(3)).unwrap().number, 4);
        assert_eq!(check(directory.path(), None).unwrap().receipts, 3);
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

    fn read_only(&self, yes: bool) {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        assert!(Command::new("mount").args(["-o", how]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_real_disk_that_is_full_is_refused_beforehand_and_room_that_was_taken_stays() {
    let Some(disk) = Mounted::new("1200k") else { return };
    let directory = disk.0.path().join("receipts");
    let mut log = open(&directory);
    log.reserve(8, at(1)).unwrap();
    // Somebody else fills the disk now.
    let mut other = File::create(disk.0.path().join("other")).unwrap();
    while other.write_all(&[0; 4096]).is_ok() {}
    // What was begun can still be told ...
    for second in 1..=8 {
        log.append(receipt(second)).unwrap();
    }
    // ... and nothing new is begun.
    assert!(matches!(log.reserve(8, at(9)), Err(ReceiptError::Full)));
    drop(other);
    fs::remove_file(disk.0.path().join("other")).unwrap();
    log.reserve(8, at(10)).unwrap();
    log.append(receipt(10)).unwrap();
    assert_eq!(check(&directory, None).unwrap().receipts, 9);
}

#[test]
fn a_disk_that_becomes_read_only_is_refused_and_its_log_can_be_read() {
    let Some(disk) = Mounted::new("2m") else { return };
    let directory = disk.0.path().join("receipts");
    filled(&directory, 2);
    disk.read_only(true);
    let refused = Log::open(&directory, "desk", Limits::default(), at(0));
    assert!(matches!(refused, Err(ReceiptError::ReadOnly)));
    assert_eq!(check(&directory, None).unwrap().receipts, 2);
    disk.read_only(false);
    filled(&directory, 1);
    assert_eq!(check(&directory, None).unwrap().receipts, 3);
}

/// Logs of every format that was ever released, as they were written then.
#[test]
fn released_formats_are_still_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receipts/format-1");
    let known = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c".to_owned();
    let checked = check(&directory, Some(&[Bytes32::try_from(known).unwrap()])).unwrap();
    assert_eq!((checked.receipts, checked.first, checked.head.number), (3, 1, 4));
    let table: String = entries(&directory).unwrap().map(|entry| row(&entry.unwrap())).collect();
    let wanted = fs::read_to_string(directory.join("table.csv")).unwrap();
    // The table's line ends are those of RFC 4180; the file in the repository has ours.
    assert_eq!(format!("{HEADER}{table}").replace("\r\n", "\n"), wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_line_is_too_strange(text in "\\PC{0,300}") {
        prop_assert!(Line::parse(&text).is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed(bit in 0_usize..8, place in 0.0..1.0_f64) {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 1);
        let path = file(directory.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let index = (place * (bytes.len() - 2) as f64) as usize;
        bytes[index] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        prop_assert!(check(directory.path(), None).is_err());
    }
}

#[test]
fn a_chain_that_begins_later_holds_too() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let text = fs::read_to_string(file(directory.path(), 1)).unwrap();
    let mut chain = Chain::default();
    for line in text.lines() {
        chain.push(line, |_, _| true, |_, _, _| true).unwrap();
    }
    assert_eq!(chain.head().unwrap().0, 3);
}
