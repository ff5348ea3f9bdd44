//! Every operation, when all goes well or is refused.

use keys::device::{
    Answer, Credential, Digits, Family, Firmware, Guard, KeyError, KeySerial, Kind, Lock, Occupancy,
    Operation, Slot, Unlock,
};
use keys::secret::{AesKey, Pin, PrivateId};
use keys::wire::Failure;
use twins::key::Press;

use crate::desk::{CODE, Desk, RFC4226, challenge, code, erase, hotp, refused, seed, write};

#[test]
fn every_firmware_is_inspected() {
    for desk in Desk::every() {
        let info = desk.inspect();
        let firmware = desk.firmware;
        assert_eq!(info.firmware, firmware);
        let serial = KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 };
        let told = firmware >= Firmware::new(2, 2, 0);
        assert_eq!(info.serial, told.then_some(serial), "{firmware}");
        assert_eq!(info.slots.len(), 2);
        assert!(info.slots.iter().all(|slot| slot.occupancy == Occupancy::Empty));
        assert_eq!(info.lock, Lock::Open);
        assert!(!info.config_locked);
        assert_eq!(info.fips == Some(true), firmware.major == 4 && firmware.minor == 4);
        let name = match (firmware.major, firmware.minor) {
            (2, _) => "YubiKey",
            (3, _) => "YubiKey NEO",
            (4, 0) => "YubiKey Plus",
            (4, 1) => "YubiKey Edge",
            (4, 4) => "YubiKey 4 FIPS",
            (4, _) => "YubiKey 4",
            _ => "YubiKey 5 NFC",
        };
        assert_eq!(info.model, name, "{firmware}");
    }
}

#[test]
fn the_beta_of_the_neo_has_one_slot() {
    let desk = Desk::with((2, 1, 4));
    assert_eq!(desk.inspect().slots.len(), 1);
    let error = desk.run(hotp(2)).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::NotAble { .. })));
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
}

#[test]
fn hotp_is_programmed_typed_and_erased_everywhere() {
    for desk in Desk::every() {
        for (slot, press) in [(1, Press::Short), (2, Press::Long)] {
            assert!(matches!(desk.run(hotp(slot)), Ok(Answer::Programmed)), "{}", desk.firmware);
            assert!(desk.holds(slot));
            assert_eq!(desk.hotp(press), "755224");
            assert_eq!(desk.hotp(press), "287082");
        }
        assert_eq!(desk.occupied(), [true, true]);
        assert_eq!(desk.inspect().lock, Lock::MaybeAccessCode);
        // The flags that the firmware knows are kept: the serial stays visible.
        assert_eq!(desk.inspect().serial.is_some(), desk.firmware >= Firmware::new(2, 2, 0));
        for slot in [2, 1] {
            assert!(matches!(desk.run(erase(slot, Unlock::None)), Ok(Answer::Erased)), "{}", desk.firmware);
            assert!(!desk.holds(slot));
            // To erase what is empty is no mistake.
            assert!(matches!(desk.run(erase(slot, Unlock::None)), Ok(Answer::Erased)));
        }
        assert_eq!(desk.occupied(), [false, false]);
    }
}

#[test]
fn eight_digits_are_typed_everywhere() {
    for desk in Desk::every() {
        let credential = Credential::Hotp { seed: seed(), digits: Digits::Eight };
        desk.run(write(1, credential, Unlock::None, None)).unwrap();
        assert_eq!(desk.typed(Press::Short).hotp("", Digits::Eight).unwrap(), "84755224");
    }
}

#[test]
fn yubico_otp_is_programmed_and_typed_everywhere() {
    for desk in Desk::every() {
        let credential = Credential::YubicoOtp {
            public_id: vec![0, 0, 0, 0xbc, 0x61, 0x4e],
            private_id: PrivateId::new(b"secret").unwrap(),
            key: AesKey::new(&RFC4226[..16]).unwrap(),
        };
        desk.run(write(2, credential, Unlock::None, None)).unwrap();
        let mut counters = Vec::new();
        for replug in [false, false, true] {
            if replug {
                desk.replug();
            }
            let typed = desk.typed(Press::Long);
            let otp = typed.yubico_otp().unwrap();
            let inside = otp.decrypt(&AesKey::new(&RFC4226[..16]).unwrap()).unwrap();
            counters.push((inside.use_counter, inside.session_use));
        }
        assert_eq!(counters, [(1, 0), (1, 1), (2, 0)], "{}", desk.firmware);
    }
}

#[test]
fn static_passwords_are_programmed_and_typed_everywhere() {
    for desk in Desk::every() {
        let password =
            Pin::new(zeroize::Zeroizing::new("Desk, Card & Key: 38 characters or so?".to_owned())).unwrap();
        desk.run(write(1, Credential::StaticPassword { password }, Unlock::None, None)).unwrap();
        assert_eq!(desk.typed(Press::Short).text(), "Desk, Card & Key: 38 characters or so?");
    }
}

#[test]
fn challenges_are_answered_with_and_without_touch() {
    for desk in Desk::every() {
        for touch in [false, true] {
            let credential = Credential::ChallengeResponse { seed: seed(), touch };
            let written = desk.run(write(2, credential, Unlock::None, None));
            if desk.firmware < Firmware::new(2, 2, 0) {
                assert!(matches!(written, Err(Failure::Key(KeyError::NotAble { .. }))));
                continue;
            }
            written.unwrap();
            // RFC 6238, appendix B: step 1 of SHA-1 is 94287082.
            let step = 1_u64.to_be_bytes();
            match desk.do_with(None, challenge(2, Kind::Totp, &step), touch) {
                Ok(Answer::Code(code)) => assert_eq!(code.expose(), "94287082", "{}", desk.firmware),
                other => panic!("{}: {other:?}", desk.firmware),
            }
            // A challenge that ends in what others pad with.
            for end in [0x00, 0x01, 0xff] {
                let answer = desk.do_with(None, challenge(2, Kind::ChallengeResponse, &[7, end]), touch);
                let Ok(Answer::Code(hex)) = answer else { panic!("no answer") };
                assert_eq!(hex.expose().len(), 40);
            }
        }
    }
}

#[test]
fn without_a_touch_a_challenge_runs_out_and_the_key_goes_on() {
    let desk = Desk::with((5, 4, 3));
    let credential = Credential::ChallengeResponse { seed: seed(), touch: true };
    desk.run(write(2, credential, Unlock::None, None)).unwrap();
    let begin = desk.key.elapsed();
    let error = desk.run(challenge(2, Kind::Totp, &[0; 8])).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::NotTouched));
    let took = (desk.key.elapsed() - begin).as_millis();
    assert!((15_000..16_000).contains(&took), "{took} ms");
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
}

#[test]
fn a_challenge_to_the_wrong_slot_is_refused() {
    let desk = Desk::with((5, 4, 3));
    desk.run(hotp(1)).unwrap();
    assert!(refused(desk.run(challenge(1, Kind::Totp, &[0; 8]))));
    let error = desk.run(challenge(2, Kind::Totp, &[0; 8])).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::Empty));
}

#[test]
fn access_codes_are_set_used_and_refused_everywhere() {
    for desk in Desk::every() {
        let guarded = || Credential::Hotp { seed: seed(), digits: Digits::Six };
        desk.run(write(1, guarded(), Unlock::None, Some(code(CODE)))).unwrap();
        assert!(desk.key.with(|key| key.access_code_is(Slot(1), CODE)));
        assert!(refused(desk.run(hotp(1))), "{}", desk.firmware);
        assert!(refused(desk.run(erase(1, Unlock::None))));
        let wrong = || Unlock::AccessCode(code([6, 5, 4, 3, 2, 1]));
        assert!(refused(desk.run(erase(1, wrong()))));
        assert!(refused(desk.run(write(1, guarded(), wrong(), None))));
        assert!(desk.holds(1));
        desk.run(write(1, guarded(), Unlock::AccessCode(code(CODE)), Some(code(CODE)))).unwrap();
        assert!(matches!(desk.run(erase(1, Unlock::AccessCode(code(CODE)))), Ok(Answer::Erased)));
    }
}

#[test]
fn a_key_that_hides_its_serial_is_seen_to_do_so() {
    for desk in Desk::every() {
        desk.key.with(|key| {
            key.occupy(Slot(1), None);
            key.hide_serial();
        });
        let info = desk.inspect();
        // Device information has the serial all the same.
        let told = desk.firmware >= Firmware::new(4, 1, 0);
        assert_eq!(info.serial.is_some(), told, "{}", desk.firmware);
        assert_eq!(info.slot(Slot(1)).unwrap().occupancy, Occupancy::Occupied);
    }
}

#[test]
fn another_key_is_not_written_to() {
    let desk = Desk::with((5, 4, 3));
    let mut known = desk.inspect();
    assert!(matches!(desk.do_with(Some(&known), hotp(1), false), Ok(Answer::Programmed)));
    known.serial = Some(KeySerial { family: Family::YubiKeyOtp, number: 1 });
    let error = desk.do_with(Some(&known), hotp(2), false).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::AnotherKey));
    assert!(!desk.holds(2));
}

#[test]
fn a_key_at_255_is_programmed_too() {
    let desk = Desk::with((5, 4, 3));
    for _ in 0..255 {
        desk.run(hotp(1)).unwrap();
    }
    assert_eq!(desk.key.with(|key| key.snapshot().sequence), 255);
    assert!(matches!(desk.run(hotp(2)), Ok(Answer::Programmed)));
    assert_eq!(desk.key.with(|key| key.snapshot().sequence), 1);
}

#[test]
fn an_access_code_is_set_where_the_firmware_can_and_nothing_else_changes() {
    for desk in Desk::every() {
        let firmware = desk.firmware;
        let set = |unlock, new_code| {
            let (slot, kind, guard) = (Slot(1), Kind::Hotp, Guard::Nothing);
            desk.run(Operation::SetCode { slot, kind, guard, unlock, new_code: code(new_code) })
        };
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        assert_eq!(desk.hotp(Press::Short), "755224");
        let able = firmware >= Firmware::new(2, 3, 0)
            && !(Firmware::new(4, 3, 2)..=Firmware::new(4, 3, 5)).contains(&firmware);
        if !able {
            let error = set(Unlock::None, CODE).unwrap_err();
            assert!(matches!(error, Failure::Key(KeyError::NotAble { .. })), "{firmware}");
            assert!(matches!(desk.run(erase(1, Unlock::None)), Ok(Answer::Erased)), "{firmware}");
            continue;
        }
        assert!(matches!(set(Unlock::None, CODE), Ok(Answer::CodeSet)), "{firmware}");
        assert_eq!(desk.hotp(Press::Short), "287082", "{firmware}");
        assert!(refused(set(Unlock::None, [9; 6])), "{firmware}");
        assert!(refused(desk.run(erase(1, Unlock::None))), "{firmware}");
        assert!(matches!(set(Unlock::AccessCode(code(CODE)), [9; 6]), Ok(Answer::CodeSet)), "{firmware}");
        assert!(refused(desk.run(erase(1, Unlock::AccessCode(code(CODE))))), "{firmware}");
        assert!(matches!(desk.run(erase(1, Unlock::AccessCode(code([9; 6])))), Ok(Answer::Erased)));
        let error = set(Unlock::None, CODE).unwrap_err();
        assert!(matches!(error, Failure::Key(KeyError::Empty)), "{firmware}");
    }
}

#[test]
fn slots_are_swapped_where_the_firmware_can() {
    for desk in Desk::every() {
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        let swapped = desk.run(Operation::Swap { unlock: Unlock::None });
        if desk.firmware < Firmware::new(2, 3, 0) {
            assert!(matches!(swapped, Err(Failure::Key(KeyError::NotAble { .. }))), "{}", desk.firmware);
            continue;
        }
        assert!(matches!(swapped, Ok(Answer::Swapped)), "{}: {swapped:?}", desk.firmware);
        assert_eq!(desk.occupied(), [false, true]);
        assert_eq!(desk.hotp(Press::Long), "755224");
    }
}
