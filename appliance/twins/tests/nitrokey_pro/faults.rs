//! Keys that are busy, lose reports, garble them, or are pulled out.

use std::num::NonZeroU32;
use std::time::Duration;

use keys::device::{Answer, KeyError, Kind, Operation};
use keys::wire::{Failure, WireFault};
use twins::key::KeyTwin;

use crate::desk::{ADMIN, Desk, RFC4226, admin, erase, every_key, expected, hotp, key_error, place, program};

#[test]
fn dropped_reports_are_sent_again() {
    for drops in 1..3 {
        for desk in every_key() {
            let mut desk = desk.with_faults(|faults| faults.drop_reports = drops);
            assert_eq!(desk.inspect().slots[0].label, None);
            desk.fault(|faults| faults.drop_reports = drops);
            desk.ask(program(0, hotp(RFC4226))).unwrap();
            desk.fault(|faults| faults.drop_reports = drops);
            assert_eq!(desk.code(Kind::Hotp, 0, 0).unwrap(), expected(RFC4226, 0));
        }
    }
}

#[test]
fn a_key_that_drops_everything_is_silent() {
    for desk in every_key() {
        let mut desk = desk.with_faults(|faults| faults.drop_reports = u32::MAX);
        assert!(matches!(key_error(desk.ask(Operation::Inspect)), KeyError::TimedOut(_)));
        assert!(desk.key.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn slow_keys_are_waited_for() {
    for desk in every_key() {
        let mut desk = desk.with_faults(|faults| faults.slow = Duration::from_millis(1500));
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        assert!(desk.holds(Kind::Hotp, 0, RFC4226));
        assert_eq!(desk.code(Kind::Hotp, 0, 0).unwrap(), expected(RFC4226, 0));
        assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
    }
}

#[test]
fn a_key_that_is_busy_for_ever_is_given_up() {
    for desk in every_key() {
        let mut desk = desk.with_faults(|faults| faults.stuck_busy = true);
        assert!(matches!(key_error(desk.ask(Operation::Inspect)), KeyError::TimedOut(_)));
        desk.key.with(KeyTwin::power).unwrap();
        desk.inspect();
    }
}

#[test]
fn garbled_reports_are_read_again() {
    for every in 2..7 {
        for desk in every_key() {
            let mut desk = desk.with_faults(|faults| faults.garble_every = NonZeroU32::new(every));
            assert!(matches!(desk.ask(program(0, hotp(RFC4226))), Ok(Answer::Programmed)), "{every}");
            assert!(desk.holds(Kind::Hotp, 0, RFC4226));
        }
    }
}

#[test]
fn reports_spoilt_on_their_way_to_the_key_are_sent_again() {
    for spoilt in 1..3 {
        for desk in every_key() {
            let mut desk = desk.with_faults(|faults| faults.garble_incoming = spoilt);
            desk.ask(program(0, hotp(RFC4226))).unwrap();
            assert!(desk.holds(Kind::Hotp, 0, RFC4226));
            assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
        }
    }
}

#[test]
fn answers_with_wrong_crcs_are_not_believed() {
    let mut desk = Desk::pro().with_faults(|faults| faults.wrong_crc = 1);
    // A pause, then the same question again.
    assert!(matches!(key_error(desk.ask(Operation::Inspect)), KeyError::TimedOut(_)));
    desk.inspect();
}

#[test]
fn a_key_pulled_out_anywhere_is_gone_and_keeps_one_or_the_other_secret() {
    for desk in every_key() {
        let (product, minor) = desk.key.with(|key| (key.model().product, key.model().firmware.minor));
        for late in [false, true] {
            for transfers in 0..80 {
                let mut desk = Desk::new(product, minor);
                desk.ask(program(0, hotp(&[9; 20]))).unwrap();
                desk.fault(|faults| {
                    faults.commit_late = late;
                    faults.pull_out_after_transfers = Some(transfers);
                });
                let result = desk.ask(program(0, hotp(RFC4226)));
                if result.is_ok() {
                    break;
                }
                assert!(matches!(result, Err(Failure::Wire(WireFault::Gone))), "{result:?}");
                desk.key.with(KeyTwin::power).unwrap();
                let (old, new) = (desk.holds(Kind::Hotp, 0, &[9; 20]), desk.holds(Kind::Hotp, 0, RFC4226));
                assert!(old != new, "{product:?} {minor} {transfers}");
                assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
                // It can be put right.
                desk.ask(erase(Kind::Hotp, 0, admin(ADMIN))).unwrap();
                assert!(desk.key.with(|key| key.slot(place(Kind::Hotp, 0))).is_none());
            }
        }
    }
}

#[test]
fn a_dead_key_fails_and_works_again_after_a_replug() {
    let mut desk = Desk::pro().with_faults(|faults| faults.dead_after = Some(Duration::from_millis(30)));
    assert!(matches!(desk.ask(Operation::Inspect), Err(Failure::Wire(WireFault::Failed(_)))));
    desk.key.with(KeyTwin::power).unwrap();
    desk.inspect();
}
