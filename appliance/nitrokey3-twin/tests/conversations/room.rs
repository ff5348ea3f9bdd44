//! How much a key holds, and how that is told.

use keys::device::{Family, Firmware, Guard, HashAlgorithm, KeyError, KeySerial, Kind, Lock};
use nitrokey3_twin::Model;

use crate::desk::{Desk, RFC4226, SERIAL, ask_hotp, code, erase, expected, hotp, key_error, program};

#[test]
fn inspection_tells_what_it_is() {
    let info = Desk::new().inspect();
    assert_eq!(info.family, Family::Nitrokey3);
    assert_eq!(info.model, "Nitrokey 3");
    assert_eq!(info.serial, Some(KeySerial { family: Family::Nitrokey3, number: SERIAL }));
    assert_eq!(info.serial.unwrap().to_string(), "11223344");
    assert_eq!(info.firmware, Firmware::new(1, 9, 0));
    assert_eq!(info.lock, Lock::Open);
    assert!(info.slots.is_empty());
    let named = info.named.unwrap();
    assert!(named.names.is_empty());
    let kinds: Vec<Kind> = named.abilities.iter().map(|ability| ability.kind).collect();
    assert_eq!(kinds, [Kind::Hotp, Kind::Totp]);
    assert!(named.abilities.iter().all(|ability| ability.guards.contains(&Guard::Touch)));
    assert_eq!(named.abilities[1].best_hash, HashAlgorithm::Sha256);
}

#[test]
fn old_firmware_is_told_to_be_updated_and_left_alone() {
    for firmware in [[1, 0, 0], [1, 6, 0], [1, 7, 0]] {
        let mut desk = Desk::of(Model { serial: SERIAL, firmware: Some(firmware), seed: 1 });
        for operation in [keys::device::Operation::Inspect, program("new", hotp(RFC4226))] {
            let error = key_error(desk.ask(operation));
            assert!(matches!(error, KeyError::NotAble { .. }), "{error:?}");
            assert!(error.to_string().contains("update"), "{error}");
        }
    }
    Desk::of(Model { serial: SERIAL, firmware: Some([1, 7, 1]), seed: 1 }).inspect();
}

#[test]
fn a_key_that_does_not_say_its_firmware_is_judged_by_its_application() {
    let mut desk = Desk::of(Model { serial: SERIAL, firmware: None, seed: 1 });
    // What secrets-app 0.16 says of itself.
    assert_eq!(desk.inspect().firmware, Firmware::new(4, 16, 0));
    desk.program("one", hotp(RFC4226));
}

#[test]
fn another_key_is_not_written_to() {
    let known = Desk::new().inspect();
    let mut desk = Desk::of(Model { serial: 0x5566_7788, firmware: Some([1, 9, 0]), seed: 1 });
    let result = desk.ask_known(Some(&known), program("mine", hotp(RFC4226)));
    assert_eq!(key_error(result), KeyError::AnotherKey);
    assert!(desk.names().is_empty());
}

#[test]
fn fifty_credentials_fit_and_one_more_does_not() {
    let mut desk = Desk::new();
    let mut labels: Vec<String> =
        (0..50).map(|number| format!("a rather long server name:NK11223344_{number}")).collect();
    for label in &labels {
        desk.program(label, hotp(RFC4226));
    }
    assert_eq!(key_error(desk.ask(program("one more", hotp(RFC4226)))), KeyError::Full);
    // A list of more than one message.
    labels.sort();
    assert_eq!(desk.names(), labels);
    for label in [&labels[0], &labels[25], &labels[49]] {
        assert_eq!(code(desk.ask(ask_hotp(label))), expected(RFC4226, 0));
    }
    desk.ask(erase(&labels[0])).unwrap();
    desk.program("one more", hotp(RFC4226));
}
