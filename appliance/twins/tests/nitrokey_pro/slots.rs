//! What is found in slots, put into them and taken out.

use keys::device::{Answer, Firmware, KeyError, Kind, Lock, Occupancy, Operation, ProofWay, Slot, Unlock};
use twins::nitrokey_pro::Product;

use crate::desk::{
    ADMIN, Desk, RFC4226, admin, erase, every_key, hotp, key_error, place, program, program_with, totp,
};

#[test]
fn inspection_names_model_serial_firmware_slots_and_tries() {
    let mut desk = Desk::pro();
    desk.key.with(|key| key.occupy(place(Kind::Totp, 3), RFC4226));
    let info = desk.inspect();
    assert_eq!(info.model, "Nitrokey Pro");
    assert_eq!(info.firmware, Firmware::new(0, 15, 0));
    assert_eq!(info.serial.unwrap().to_string(), "00005555");
    assert_eq!(info.lock, Lock::AdminPin { tries_left: 3 });
    assert_eq!(info.slots.len(), 18);
    for state in &info.slots {
        let kind = state.abilities[0].kind;
        let occupied = kind == Kind::Totp && state.slot == Slot(3);
        assert_eq!(state.occupancy == Occupancy::Occupied, occupied);
        assert_eq!(state.label.as_deref(), occupied.then_some("foreign"));
        assert_eq!(state.abilities[0].longest_seed, 40);
        assert_eq!(state.abilities[0].proof, ProofWay::Returned { touch: false });
    }
    assert!(info.slot_for(Kind::Hotp, Slot(2)).is_some());
    assert!(info.slot_for(Kind::Hotp, Slot(3)).is_none());
    assert!(info.slot_for(Kind::Totp, Slot(14)).is_some());
}

#[test]
fn a_storage_tells_its_firmware_and_serial_elsewhere() {
    for minor in [53, 54] {
        let info = Desk::new(Product::Storage, minor).inspect();
        assert_eq!(info.model, "Nitrokey Storage");
        assert_eq!(info.firmware, Firmware::new(0, minor, 0));
        assert_eq!(info.serial.unwrap().number, 0x5555);
        // From 0.54 on, the last TOTP slot lies in the memory of the first HOTP slot.
        assert_eq!(info.slot_for(Kind::Totp, Slot(14)).is_some(), minor == 53);
    }
}

#[test]
fn every_firmware_takes_both_kinds_and_gives_them_up() {
    for mut desk in every_key() {
        let model = desk.key.with(|key| *key.model());
        for (kind, slot) in [(Kind::Hotp, 0), (Kind::Hotp, 2), (Kind::Totp, 0), (Kind::Totp, 13)] {
            let credential = if kind == Kind::Hotp { hotp(RFC4226) } else { totp(RFC4226) };
            let answer = desk.ask(program(slot, credential));
            assert!(matches!(answer, Ok(Answer::Programmed)), "{model:?} {kind:?} {slot}: {answer:?}");
            assert!(desk.holds(kind, slot, RFC4226), "{model:?} {kind:?} {slot}");
            let view = desk.key.with(|key| key.slot(place(kind, slot))).unwrap();
            assert_eq!(view.name, *format!("{:\0<15}", format!("NK00005555_{slot}")).as_bytes());
            assert_eq!((view.counter, view.factor), (0, if kind == Kind::Hotp { 0 } else { 30 }));
        }
        let answer = desk.ask(erase(Kind::Hotp, 2, admin(ADMIN)));
        assert!(matches!(answer, Ok(Answer::Erased)), "{model:?} {answer:?}");
        assert!(desk.key.with(|key| key.slot(place(Kind::Hotp, 2))).is_none());
        assert!(desk.holds(Kind::Hotp, 0, RFC4226) && desk.holds(Kind::Totp, 13, RFC4226));
        assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
    }
}

#[test]
fn a_slot_is_written_anew_from_its_first_counter() {
    for mut desk in every_key() {
        desk.ask(program(1, hotp(&[7; 20]))).unwrap();
        desk.code(Kind::Hotp, 1, 0).unwrap();
        desk.ask(program(1, hotp(RFC4226))).unwrap();
        assert!(desk.holds(Kind::Hotp, 1, RFC4226));
        assert_eq!(desk.code(Kind::Hotp, 1, 0).unwrap(), "755224");
    }
}

#[test]
fn long_secrets_go_where_the_firmware_takes_them() {
    let long: Vec<u8> = (1..=40).collect();
    for mut desk in every_key() {
        let longest = desk.inspect().slots[0].abilities[0].longest_seed;
        let result = desk.ask(program(0, hotp(&long)));
        if longest == 40 {
            result.unwrap();
            assert!(desk.holds(Kind::Hotp, 0, &long));
            // What is behind a shorter secret is gone, even when a transfer broke off.
            desk.ask(program(0, hotp(RFC4226))).unwrap();
            assert!(desk.holds(Kind::Hotp, 0, RFC4226));
        } else {
            assert!(matches!(key_error(result), KeyError::NotAble { .. }));
        }
        let result = desk.ask(program(0, hotp(&[1; 41])));
        assert!(matches!(key_error(result), KeyError::NotAble { .. }));
    }
}

#[test]
fn a_broken_transfer_leaves_nothing_in_the_next_secret() {
    // Name, both parts of a long secret; then the station is gone.
    let mut desk = Desk::pro();
    let long: Vec<u8> = (1..=40).collect();
    for reports in 4..9 {
        desk.fault(|faults| faults.pull_out_after_reports = Some(reports));
        assert!(desk.ask(program(0, hotp(&long))).is_err());
        // The twin is plugged in again, but a real one may have kept its power.
        desk.key.with(twins::key::KeyTwin::power).unwrap();
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        assert!(desk.holds(Kind::Hotp, 0, RFC4226));
    }
}

#[test]
fn a_secret_that_the_key_takes_for_none_is_refused() {
    let mut first_zero = [5; 20];
    first_zero[0] = 0;
    for mut desk in every_key() {
        desk.ask(program(0, hotp(&[9; 20]))).unwrap();
        let firmware = desk.inspect().firmware;
        let result = desk.ask(program(0, hotp(&first_zero)));
        if firmware == Firmware::new(0, 7, 0) {
            assert!(matches!(key_error(result), KeyError::DoesNotFit(_)));
            assert!(desk.holds(Kind::Hotp, 0, &[9; 20]));
        } else {
            result.unwrap();
            assert!(desk.holds(Kind::Hotp, 0, &first_zero));
        }
    }
    let mut desk = Desk::pro();
    assert!(matches!(key_error(desk.ask(program(0, hotp(&[0; 20])))), KeyError::DoesNotFit(_)));
}

#[test]
fn an_empty_slot_is_erased_without_a_pin() {
    for mut desk in every_key() {
        assert!(matches!(desk.ask(erase(Kind::Totp, 5, Unlock::None)), Ok(Answer::Erased)));
        desk.key.with(|key| key.occupy(place(Kind::Totp, 5), RFC4226));
        let result = desk.ask(erase(Kind::Totp, 5, Unlock::None));
        assert!(matches!(key_error(result), KeyError::PinNeeded(_)));
        assert!(desk.holds(Kind::Totp, 5, RFC4226));
    }
}

#[test]
fn the_overlapping_slot_of_a_storage_is_left_alone() {
    let mut desk = Desk::new(Product::Storage, 54);
    desk.key.with(|key| key.occupy(place(Kind::Hotp, 0), RFC4226));
    for operation in [program(14, totp(&[3; 20])), erase(Kind::Totp, 14, admin(ADMIN))] {
        assert!(matches!(key_error(desk.ask(operation)), KeyError::NotAble { .. }));
        assert!(desk.holds(Kind::Hotp, 0, RFC4226));
    }
}

#[test]
fn writes_that_are_not_made_are_noticed() {
    for mut desk in every_key() {
        desk.fault(|faults| faults.lose_writes = 1);
        assert_eq!(key_error(desk.ask(program(0, hotp(RFC4226)))), KeyError::Refused);
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        desk.fault(|faults| faults.lose_writes = 1);
        assert_eq!(key_error(desk.ask(erase(Kind::Hotp, 0, admin(ADMIN)))), KeyError::Refused);
    }
}

#[test]
fn nothing_is_written_to_another_key() {
    let mut desk = Desk::pro();
    let mut known = desk.inspect();
    known.serial.as_mut().unwrap().number += 1;
    for operation in [program(0, hotp(RFC4226)), erase(Kind::Hotp, 0, admin(ADMIN))] {
        let result = desk.ask_known(Some(&known), operation);
        assert_eq!(key_error(result), KeyError::AnotherKey);
    }
    assert!(desk.key.with(|key| key.slot(place(Kind::Hotp, 0))).is_none());
}

#[test]
fn what_no_such_key_can_do_is_refused_at_once() {
    let mut desk = Desk::pro();
    for operation in [
        program(3, hotp(RFC4226)),
        program(15, totp(RFC4226)),
        program_with(0, hotp(RFC4226), Unlock::None),
        erase(Kind::YubicoOtp, 0, admin(ADMIN)),
        Operation::ChangePin { old: None, new: crate::desk::pin("87654321") },
    ] {
        let error = key_error(desk.ask(operation));
        assert!(matches!(error, KeyError::DoesNotFit(_) | KeyError::PinNeeded(_)), "{error}");
    }
    assert!(desk.key.elapsed().is_zero());
}
