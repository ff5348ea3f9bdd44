//! What goes wrong, goes wrong as asked.

use std::num::NonZeroU32;
use std::time::Duration;

use keys::device::Slot;
use twins::key::{KeyTwin, Press, TwinError};

use crate::host::{
    Config, Outcome, RFC4226, SERIAL, change, collect, deletion, key, reports, send, serial, status, with,
};

#[test]
fn a_key_pulled_out_at_any_report_is_as_before_unless_it_had_the_last() {
    let payload = Config::hotp().payload();
    let all = u32::try_from(reports(0x01, &payload).len()).unwrap();
    for taken in 0..=all {
        let mut key = key(5, 4, 3);
        key.occupy(Slot(1), None);
        key.set_faults(with(|faults| faults.pull_out_after_reports = Some(taken)));
        assert_eq!(send(&mut key, 0x01, &payload), Err(TwinError::Gone));
        assert_eq!(key.get_feature(), Err(TwinError::Gone));
        assert_eq!(key.set_feature(&[0; 8]), Err(TwinError::Gone));
        assert_eq!(key.apdu(&[0, 3, 0, 0]), Err(TwinError::Gone));
        assert_eq!(key.touch(Press::Short), Err(TwinError::Gone));
        assert_eq!(key.product_id(), None);
        key.power().unwrap();
        assert_eq!(key.slot_holds(Slot(1), RFC4226), taken == all, "after {taken}");
        assert_eq!(status(&mut key)[3], if taken == all { 2 } else { 1 });
        // The fault has worn off.
        assert!(change(&mut key, 0x01, &payload));
    }
}

#[test]
fn a_key_pulled_out_at_any_transfer_is_one_of_two_things() {
    let payload = Config::hotp().payload();
    let mut outcomes = Vec::new();
    for taken in 0.. {
        let mut key = key(5, 4, 3);
        key.set_faults(with(|faults| faults.pull_out_after_transfers = Some(taken)));
        let result = send(&mut key, 0x01, &payload);
        key.power().unwrap();
        outcomes.push(key.slot_holds(Slot(1), RFC4226));
        if result.is_ok() {
            break;
        }
        assert_eq!(result, Err(TwinError::Gone));
    }
    // First never, then always, with one change between.
    let written = outcomes.iter().filter(|held| **held).count();
    assert!(written >= 3 && outcomes.len() > 15);
    assert!(outcomes[outcomes.len() - written..].iter().all(|held| *held));
}

#[test]
fn a_late_commit_is_lost_while_the_key_is_busy() {
    for (wait, held) in [(0, false), (19, false), (61, true)] {
        let mut key = key(5, 4, 3);
        key.set_faults(with(|faults| faults.commit_late = true));
        for report in reports(0x01, &Config::hotp().payload()) {
            key.set_feature(&report).unwrap();
        }
        key.advance(Duration::from_millis(wait)).unwrap();
        key.pull_out();
        key.power().unwrap();
        assert_eq!(key.slot_holds(Slot(1), RFC4226), held, "after {wait} ms");
    }
    let mut key = key(5, 4, 3);
    key.set_faults(with(|faults| faults.commit_late = true));
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    assert!(!change(&mut key, 0x01, &[1; 58]));
    assert_eq!(serial(&mut key), Some(SERIAL));
}

#[test]
fn a_stuck_key_needs_a_replug() {
    let mut key = key(5, 4, 3);
    key.set_faults(with(|faults| faults.stuck_busy = true));
    for report in reports(0x01, &Config::hotp().payload()) {
        key.set_feature(&report).unwrap();
    }
    key.advance(Duration::from_secs(3600)).unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0x89);
    key.power().unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0);
    assert_eq!(key.snapshot().slots, [None, None]);
}

#[test]
fn a_dead_key_needs_a_replug() {
    let mut key = key(5, 4, 3);
    key.set_faults(with(|faults| faults.dead_after = Some(Duration::from_secs(1))));
    assert!(key.get_feature().is_ok());
    key.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(key.get_feature(), Err(TwinError::Nack));
    assert_eq!(key.set_feature(&[0; 8]), Err(TwinError::Nack));
    assert!(key.touch(Press::Short).unwrap().is_empty());
    key.power().unwrap();
    assert!(key.get_feature().is_ok());
}

#[test]
fn failed_transfers_are_counted() {
    let mut key = key(5, 4, 3);
    key.set_faults(with(|faults| faults.nack = 2));
    assert_eq!(key.get_feature(), Err(TwinError::Nack));
    assert_eq!(key.set_feature(&[0; 8]), Err(TwinError::Nack));
    assert!(key.get_feature().is_ok());
}

#[test]
fn a_slow_key_takes_longer() {
    let mut key = key(5, 4, 3);
    key.set_faults(with(|faults| faults.slow = Duration::from_secs(2)));
    for report in reports(0x10, &[]) {
        key.set_feature(&report).unwrap();
    }
    key.advance(Duration::from_secs(2)).unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0x89);
    assert!(matches!(collect(&mut key).unwrap(), Outcome::Data(_)));
}

#[test]
fn changes_can_be_refused_or_lost() {
    let payload = Config::hotp().payload();
    let mut key = key(5, 4, 3);
    key.occupy(Slot(2), None);
    key.set_faults(with(|faults| faults.refuse_writes = 1));
    // What the key refuses by itself does not count.
    assert!(!change(&mut key, 0x01, &[1; 58]));
    assert!(!change(&mut key, 0x01, &payload));
    assert!(change(&mut key, 0x01, &payload));
    key.set_faults(with(|faults| faults.lose_writes = 1));
    assert!(change(&mut key, 0x01, &deletion([0; 6])));
    assert!(key.slot_holds(Slot(1), RFC4226));
    assert!(change(&mut key, 0x01, &deletion([0; 6])));
    assert!(!key.slot_holds(Slot(1), RFC4226));
}

#[test]
fn reports_can_be_garbled() {
    let mut key = key(5, 4, 3);
    let good = key.get_feature().unwrap();
    key.set_faults(with(|faults| faults.garble_every = NonZeroU32::new(3)));
    let wrong: Vec<u32> = (0..9)
        .map(|_| key.get_feature().unwrap().iter().zip(&good).map(|(a, b)| (a ^ b).count_ones()).sum())
        .collect();
    assert_eq!(wrong, [0, 0, 1, 0, 0, 1, 0, 0, 1]);
}

#[test]
fn touches_can_be_ignored() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    key.set_faults(with(|faults| faults.ignore_touches = 1));
    assert!(key.touch(Press::Short).unwrap().is_empty());
    assert_eq!(key.touch(Press::Short).unwrap().len(), 14);
}

#[test]
fn pulling_out_forgets_what_was_under_way() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x03, &Config { tkt: 0x40, cfg: 0x2e, ..Config::hotp() }.payload()));
    assert_eq!(send(&mut key, 0x38, b"challenge").unwrap(), Outcome::Touch);
    key.power().unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0);
    let reports = reports(0x01, &Config::hotp().payload());
    let (head, tail) = reports.split_at(4);
    head.iter().for_each(|report| key.set_feature(report).unwrap());
    key.power().unwrap();
    tail.iter().for_each(|report| key.set_feature(report).unwrap());
    key.advance(Duration::from_millis(100)).unwrap();
    assert!(key.snapshot().slots[0].is_none());
}

#[test]
fn a_key_that_starts_takes_no_writes() {
    let mut key = key(3, 4, 9);
    key.set_faults(with(|faults| faults.starting = Duration::from_millis(500)));
    key.power().unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0x9f);
    for report in reports(0x01, &Config::hotp().payload()) {
        key.set_feature(&report).unwrap();
    }
    key.advance(Duration::from_millis(500)).unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0);
    assert_eq!(status(&mut key)[3], 0);
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
}
