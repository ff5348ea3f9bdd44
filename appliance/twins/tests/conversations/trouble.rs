//! Keys that are asleep, slow, stuck, pulled out or lying.

use std::num::NonZeroU32;
use std::time::Duration;

use keys::device::{Answer, Credential, Firmware, KeyError, Operation, Slot, Unlock};
use keys::wire::{Failure, WireFault};
use twins::key::KeyTwin;
use twins::shared::SharedKey;
use twins::yubikey::{Mode, Model, YubiKeyTwin};

use crate::desk::{Desk, erase, hotp, refused, seed, write};

#[test]
fn a_neo_is_shaken_awake() {
    for slot in [1, 2] {
        let desk = Desk::with((3, 4, 9));
        desk.key.with(|key| key.occupy(Slot(slot), None));
        desk.faults(|faults| {
            faults.stale_status = true;
            faults.starting = Duration::from_millis(700);
        });
        desk.replug();
        assert_eq!(desk.occupied(), [slot == 1, slot == 2]);
        desk.replug();
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    }
}

#[test]
fn a_key_that_just_spoke_through_the_card_is_waited_for() {
    for firmware in [(3, 4, 9), (4, 3, 4), (5, 4, 3)] {
        let desk = Desk::with(firmware);
        desk.key.with(|key| key.occupy(Slot(1), None));
        desk.key.with(|key| key.apdu(&[0, 0xa4, 4, 0])).unwrap();
        assert!(desk.inspect().serial.is_some());
        desk.key.with(|key| key.apdu(&[0, 0xa4, 4, 0])).unwrap();
        assert!(matches!(desk.run(hotp(2)), Ok(Answer::Programmed)), "{firmware:?}");
    }
}

#[test]
fn a_key_with_otp_switched_off_is_not_spoken_to() {
    let model = Model::new(Firmware::new(5, 4, 3), 1).unwrap().with_product_id(0x0406).unwrap();
    let desk = Desk { key: SharedKey::new(YubiKeyTwin::new(model, 1)), firmware: Firmware::new(5, 4, 3) };
    let error = desk.run(Operation::Inspect).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::InterfaceOff(_))));
}

#[test]
fn what_another_program_left_behind_does_no_harm() {
    let leftovers: [&[[u8; 8]]; 4] = [
        // Half a frame.
        &[[1, 2, 3, 4, 5, 6, 7, 0x80], [1, 2, 3, 4, 5, 6, 7, 0x81]],
        // A serial that nobody read.
        &[[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89]],
        // A challenge that waits for a touch.
        &[[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x38, 0x6b, 0x5b, 0, 0, 0, 0x89]],
        // A reset.
        &[[0, 0, 0, 0, 0, 0, 0, 0x8f]],
    ];
    for left in leftovers {
        for pause in [0, 5, 50] {
            let desk = Desk::with((5, 4, 3));
            let credential = Credential::ChallengeResponse { seed: seed(), touch: true };
            desk.run(write(2, credential, Unlock::None, None)).unwrap();
            for report in left {
                desk.key.with(|key| key.set_feature(report)).unwrap();
            }
            desk.key.pass(Duration::from_millis(pause)).unwrap();
            assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        }
    }
}

#[test]
fn a_cut_at_any_transfer_leaves_the_slot_old_or_new_and_a_second_try_ends_it() {
    let known = Desk::with((5, 4, 3)).inspect();
    let mut written = Vec::new();
    for transfers in 0.. {
        for late in [false, true] {
            let desk = Desk::with((5, 4, 3));
            desk.key.with(|key| key.occupy(Slot(1), None));
            desk.faults(|faults| {
                faults.pull_out_after_transfers = Some(transfers);
                faults.commit_late = late;
            });
            let result = desk.do_with(Some(&known), hotp(1), false);
            if matches!(result, Ok(Answer::Programmed)) {
                let first = written.iter().position(|held| *held).unwrap();
                assert!(written[first..].iter().all(|held| *held), "old again after new");
                return;
            }
            assert_eq!(result.unwrap_err(), Failure::Wire(WireFault::Gone));
            desk.replug();
            if !late {
                written.push(desk.holds(1));
            }
            assert_eq!(desk.occupied(), [true, false]);
            assert!(matches!(desk.do_with(Some(&known), hotp(1), false), Ok(Answer::Programmed)));
            assert!(desk.holds(1));
        }
    }
}

#[test]
fn a_slow_key_is_waited_for() {
    for firmware in [(2, 3, 0), (3, 4, 9), (5, 7, 1)] {
        let desk = Desk::with(firmware);
        desk.faults(|faults| {
            faults.slow = Duration::from_millis(800);
            faults.slow_reports = Duration::from_millis(20);
        });
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        assert!(matches!(desk.run(erase(1, Unlock::None)), Ok(Answer::Erased)));
    }
}

#[test]
fn a_key_that_hangs_is_given_up_and_works_again_after_a_replug() {
    let desk = Desk::with((5, 4, 3));
    desk.faults(|faults| faults.stuck_busy = true);
    let error = desk.run(hotp(1)).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::TimedOut(_))), "{error:?}");
    assert!(desk.key.elapsed() < Duration::from_secs(30));
    desk.replug();
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));

    desk.faults(|faults| faults.dead_after = Some(Duration::ZERO));
    assert!(matches!(desk.run(Operation::Inspect).unwrap_err(), Failure::Wire(WireFault::Failed(_))));
    desk.replug();
    assert_eq!(desk.occupied(), [true, false]);
}

#[test]
fn a_refusal_is_a_refusal() {
    for desk in Desk::every() {
        desk.faults(|faults| faults.refuse_writes = 1);
        assert!(refused(desk.run(hotp(1))), "{}", desk.firmware);
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    }
}

#[test]
fn a_write_that_only_counts_is_found_out_when_the_slot_was_empty() {
    let desk = Desk::with((5, 4, 3));
    desk.faults(|faults| faults.lose_writes = 1);
    assert!(desk.run(hotp(1)).is_err());
    // Over a slot that was full nobody can tell; the proof will.
    desk.key.with(|key| key.occupy(Slot(1), None));
    desk.faults(|faults| faults.lose_writes = 1);
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    assert!(!desk.holds(1));
    assert_eq!(
        desk.key.with(|key| key.snapshot().slots[0].as_ref().map(|slot| slot.mode)),
        Some(Mode::YubicoOtp)
    );
}

#[test]
fn garbled_reports_never_make_a_slot_believed_that_is_not_written() {
    for every in 1..60 {
        for seed in 0..4 {
            let firmware = Firmware::new(5, 4, 3);
            let key = YubiKeyTwin::new(Model::new(firmware, 12_345_678).unwrap(), seed);
            let desk = Desk { key: SharedKey::new(key), firmware };
            desk.faults(|faults| faults.garble_every = NonZeroU32::new(every));
            if let Ok(Answer::Programmed) = desk.run(hotp(1)) {
                assert!(desk.holds(1), "believed with every {every}, seed {seed}");
            }
            desk.faults(|_| {});
            assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        }
    }
}
