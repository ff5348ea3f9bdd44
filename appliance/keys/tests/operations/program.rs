//! Writing and emptying slots.

use crate::key::ToyKey;
use keys::device::{Answer, Credential, Digits, Guard, KeyError, Kind, Operation, Slot, Unlock};
use keys::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};
use keys::yubikey::command::{Command, OtpSlot};
use keys::yubikey::config::Mode;
use keys::yubikey::flags::{ExtFlags, TktFlags};
use keys::yubikey::ids::Identity;
use keys::yubikey::start;
use zeroize::Zeroizing;

use crate::{ask_code, code, erase, hmac, hotp, key_error, program, seed, yubikey5};

#[test]
fn an_hotp_slot_is_written_as_documented() {
    let mut key = yubikey5();
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
    let config = key.slots[0].as_ref().unwrap();
    assert_eq!(config.mode(), Mode::Hotp(Digits::Six));
    assert!(config.oath_key().same_as(&seed()));
    assert_eq!(config.initial_counter(), 0);
    assert!(config.fixed().is_empty());
    assert_eq!(config.tkt(), TktFlags::OATH | TktFlags::ENTER);
    assert!(config.ext().contains(ExtFlags::SERIAL_BY_API | ExtFlags::ALLOW_UPDATE));
    assert!(!config.ext().contains(ExtFlags::FAST_TRIGGER));
    assert!(config.new_code().is_none());
}

#[test]
fn the_reports_of_a_programming_are_these() {
    let mut key = yubikey5();
    key.ask(None, program(1, Unlock::None, None)).unwrap();
    let hex: Vec<String> =
        key.written.iter().map(|report| report.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    assert_eq!(
        hex,
        [
            "00000000000000ff", // abort
            "0000000000000080", // read serial
            "00106b5b00000089",
            "00000000000000ff", // abort behind the answer
            "0000000000000080", // the configuration of vector hotp6_slot1, without fast trigger
            "0000373839300082",
            "0031323334353683",
            "3738393031323384",
            "3435360000000085",
            "0000002460000086",
            "0069720000000087",
            "0001955600000089",
        ]
    );
}

#[test]
fn all_kinds_that_fit_are_written() {
    let credentials = || {
        [
            Credential::Hotp { seed: seed(), digits: Digits::Eight },
            Credential::YubicoOtp {
                public_id: vec![1; 6],
                private_id: PrivateId::from_array(&[2; 6]),
                key: AesKey::from_array(&[3; 16]),
            },
            Credential::ChallengeResponse { seed: seed(), touch: true },
            Credential::StaticPassword {
                password: Pin::new(Zeroizing::new("Hello, World!".into())).unwrap(),
            },
        ]
    };
    let modes = [Mode::Hotp(Digits::Eight), Mode::YubicoOtp, Mode::ChallengeHmac, Mode::ScanCodes];
    for version in [(2, 2, 3), (2, 3, 1), (3, 0, 1), (3, 4, 9), (4, 3, 4), (5, 7, 1)] {
        for (credential, mode) in credentials().into_iter().zip(modes) {
            let mut key = ToyKey::new(version.0, version.1, version.2);
            let operation = Operation::Program {
                slot: Slot(2),
                credential,
                unlock: Unlock::None,
                new_code: None,
                label: String::new(),
                guard: Guard::Nothing,
            };
            let answer = key.ask(None, operation);
            assert!(matches!(answer, Ok(Answer::Programmed)), "{version:?} {mode:?} {answer:?}");
            assert_eq!(key.slots[1].as_ref().unwrap().mode(), mode);
        }
    }
}

#[test]
fn a_2_2_3_gets_no_flag_that_it_does_not_know() {
    // ykman issue 368: it refuses the whole configuration otherwise.
    let mut key = ToyKey::new(2, 2, 3);
    assert!(matches!(key.ask_as(0x0010, None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
    assert_eq!(key.slots[0].as_ref().unwrap().ext(), ExtFlags::SERIAL_BY_API);
}

#[test]
fn firmware_that_cannot_do_it_is_not_written_to() {
    for (version, slot) in [((1, 3, 0), 1), ((2, 0, 2), 1)] {
        let mut key = ToyKey::new(version.0, version.1, version.2);
        let error = key_error(key.ask_as(0x0010, None, program(slot, Unlock::None, None)));
        assert!(matches!(error, KeyError::NotAble { what: "this kind of credential", .. }), "{error:?}");
        assert!(key.commands().is_empty());
    }
}

#[test]
fn a_slot_with_an_access_code_refuses_silently_without_it() {
    let guarded = || yubikey5().with(1, hotp().with_new_code(&code(b"secret")));
    for unlock in [Unlock::None, Unlock::AccessCode(code(b"wrong!"))] {
        let mut key = guarded();
        assert_eq!(key_error(key.ask(None, program(1, unlock, None))), KeyError::Refused);
        assert_eq!(key.sequence, 1);
    }
    let mut key = guarded();
    let renewed = program(1, Unlock::AccessCode(code(b"secret")), Some(code(b"better")));
    assert!(matches!(key.ask(None, renewed), Ok(Answer::Programmed)));
    assert!(key.slots[0].as_ref().unwrap().new_code().same_as(&code(b"better")));
    assert_eq!(key_error(key.ask(None, erase(1, Unlock::None))), KeyError::Refused);
    assert!(matches!(key.ask(None, erase(1, Unlock::AccessCode(code(b"better")))), Ok(Answer::Erased)));
}

#[test]
fn the_sequence_may_go_over_255() {
    let mut key = yubikey5().with(2, hotp());
    key.sequence = 255;
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
    assert_eq!(key.sequence, 0);
}

#[test]
fn a_sequence_that_jumps_is_not_taken_for_our_write() {
    let mut key = yubikey5();
    key.disturbed = true;
    assert!(matches!(key_error(key.ask(None, program(1, Unlock::None, None))), KeyError::Garbled(_)));
}

#[test]
fn a_write_that_leaves_the_slot_empty_is_not_believed() {
    let mut key = yubikey5();
    key.forgets = true;
    assert!(matches!(key_error(key.ask(None, program(1, Unlock::None, None))), KeyError::Garbled(_)));
}

#[test]
fn nothing_is_written_to_another_key_than_the_inspected() {
    let mut key = yubikey5();
    let known = key.inspect();
    assert!(matches!(key.ask(Some(&known), program(1, Unlock::None, None)), Ok(Answer::Programmed)));
    let mut other = yubikey5();
    other.serial = 87_654_321;
    for operation in
        [program(1, Unlock::None, None), erase(1, Unlock::None), ask_code(1, Kind::ChallengeResponse, &[1])]
    {
        assert_eq!(key_error(other.ask(Some(&known), operation)), KeyError::AnotherKey);
    }
    assert!(!other.commands().contains(&Command::Write(OtpSlot::One)));
}

#[test]
fn what_no_yubikey_can_do_is_refused_before_a_word_is_said() {
    let refused = |operation| match start(0x0407, None, operation) {
        Err(KeyError::DoesNotFit(why)) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("not refused"),
    };
    let with = |credential| Operation::Program {
        slot: Slot(1),
        credential,
        unlock: Unlock::None,
        new_code: None,
        label: String::new(),
        guard: Guard::Nothing,
    };
    let long = || Seed::new(&[1; 21]).unwrap();
    refused(with(Credential::Hotp { seed: long(), digits: Digits::Six }));
    refused(with(Credential::ChallengeResponse { seed: long(), touch: false }));
    refused(with(Credential::Totp {
        seed: seed(),
        digits: Digits::Six,
        hash: keys::device::HashAlgorithm::Sha1,
        period: 30,
    }));
    refused(program(3, Unlock::None, None));
    refused(program(1, Unlock::AdminPin(Pin::new(Zeroizing::new("12345678".into())).unwrap()), None));
    refused(program(1, Unlock::None, Some(AccessCode::from_array(&[0; 6]))));
    refused(ask_code(1, Kind::ChallengeResponse, &[1; 64]));
    refused(ask_code(1, Kind::YubicoOtp, &[1; 6]));
}

#[test]
fn a_key_without_its_otp_interface_is_told_apart() {
    for product_id in (0..=0xffff).filter(|&id| Identity::of(id).is_some_and(|identity| !identity.otp)) {
        let error = start(product_id, None, Operation::Inspect).map(drop).unwrap_err();
        assert_eq!(error, KeyError::InterfaceOff("OTP over USB"));
    }
}

#[test]
fn erasing_the_last_slot_sets_the_sequence_to_zero_and_counts() {
    let mut key = yubikey5().with(1, hotp());
    key.sequence = 9;
    assert!(matches!(key.ask(None, erase(1, Unlock::None)), Ok(Answer::Erased)));
    assert_eq!(key.sequence, 0);
}

#[test]
fn erasing_one_of_two_slots_leaves_the_other() {
    let mut key = yubikey5().with(1, hotp()).with(2, hmac(false));
    assert!(matches!(key.ask(None, erase(1, Unlock::None)), Ok(Answer::Erased)));
    assert!(key.slots[0].is_none() && key.slots[1].is_some());
}

#[test]
fn an_empty_slot_is_erased_already() {
    let mut key = yubikey5().with(2, hotp());
    assert!(matches!(key.ask(None, erase(1, Unlock::None)), Ok(Answer::Erased)));
    assert_eq!(key.commands(), [Command::Serial]);
}
