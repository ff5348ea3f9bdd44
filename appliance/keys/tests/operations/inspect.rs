//! What inspection finds out.

use std::time::Duration;

use crate::key::ToyKey;
use crate::key_half::page;
use keys::device::{
    Answer, Family, Firmware, KeyError, KeySerial, Kind, Lock, Occupancy, Operation, ProofWay, Slot, Unlock,
};
use keys::yubikey::command::Command;

use crate::{hotp, key_error, program, yubikey5, yubikey5_page};

#[test]
fn a_yubikey_5_is_inspected() {
    let mut key = yubikey5().with(1, hotp());
    let info = key.inspect();
    assert_eq!(info.family, Family::YubiKeyOtp);
    assert_eq!(info.model, "YubiKey 5C NFC");
    assert_eq!(info.serial, Some(KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 }));
    assert_eq!(info.firmware, Firmware::new(5, 4, 3));
    assert_eq!(info.form_factor, Some("USB-C keychain"));
    assert_eq!((info.fips, info.config_locked), (Some(false), false));
    assert_eq!(info.lock, Lock::MaybeAccessCode);
    let occupancies: Vec<_> = info.slots.iter().map(|slot| (slot.slot, slot.occupancy)).collect();
    assert_eq!(occupancies, [(Slot(1), Occupancy::Occupied), (Slot(2), Occupancy::Empty)]);
    let ways: Vec<_> = info
        .slots
        .iter()
        .map(|slot| slot.abilities.iter().find(|ability| ability.kind == Kind::Hotp).unwrap())
        .map(|ability| (ability.eight_digits, ability.longest_seed, ability.proof))
        .collect();
    assert_eq!(ways, [(true, 20, ProofWay::TypedShort), (true, 20, ProofWay::TypedLong)]);
    assert_eq!(key.commands(), [Command::Serial, Command::DeviceInfo]);
    assert!(key.elapsed() < Duration::from_millis(100));
}

#[test]
fn inspection_changes_nothing() {
    let mut key = yubikey5().with(1, hotp());
    let before = (key.sequence, key.slots.clone());
    key.inspect();
    assert!(before == (key.sequence, key.slots));
}

#[test]
fn device_information_of_two_pages_is_put_together() {
    let mut key = yubikey5();
    key.info_pages = vec![yubikey5_page(&[(0x04, &[])], true), page(&[(0x04, &[0x82])], false)];
    let info = key.inspect();
    assert_eq!((info.model.as_str(), info.fips), ("YubiKey 5 Nano FIPS", Some(true)));
    assert_eq!(key.commands(), [Command::Serial, Command::DeviceInfo, Command::DeviceInfo]);
    assert_eq!(key.frames()[2].payload()[0], 1);
}

#[test]
fn a_key_that_always_promises_another_page_is_believed_eight_times() {
    let mut key = yubikey5();
    key.info_pages = vec![yubikey5_page(&[], true); 256];
    key.inspect();
    assert_eq!(key.commands().len(), 1 + 8);
}

#[test]
fn a_locked_configuration_is_seen() {
    let mut key = yubikey5();
    key.info_pages = vec![yubikey5_page(&[(0x0a, &[1])], false)];
    assert!(key.inspect().config_locked);
}

#[test]
fn a_key_before_4_1_is_not_asked_for_device_information() {
    let mut key = ToyKey::new(2, 4, 2).with(1, hotp());
    let info = match key.ask_as(0x0010, None, Operation::Inspect).unwrap() {
        Answer::Inspected(info) => info,
        other => panic!("{other:?}"),
    };
    assert_eq!(key.commands(), [Command::Serial]);
    assert_eq!((info.model.as_str(), info.form_factor, info.fips), ("YubiKey", None, None));
}

#[test]
fn firmware_2_1_has_no_serial_and_no_challenge_response() {
    let mut key = ToyKey::new(2, 1, 2);
    let Answer::Inspected(info) = key.ask_as(0x0010, None, Operation::Inspect).unwrap() else { panic!() };
    assert!(key.commands().is_empty());
    assert_eq!(info.serial, None);
    let kinds: Vec<_> = info.slots[0].abilities.iter().map(|ability| ability.kind).collect();
    assert_eq!(kinds, [Kind::YubicoOtp, Kind::Hotp, Kind::StaticPassword]);
}

#[test]
fn the_neo_beta_has_one_slot() {
    let mut key = ToyKey::new(2, 1, 7);
    let Answer::Inspected(info) = key.ask_as(0x0110, None, Operation::Inspect).unwrap() else { panic!() };
    assert_eq!(info.slots.len(), 1);
    assert_eq!(info.serial.unwrap().number, 12_345_678);
    let error = key_error(key.ask_as(0x0110, None, program(2, Unlock::None, None)));
    assert_eq!(error, KeyError::NotAble { what: "it has one slot", firmware: Firmware::new(2, 1, 7) });
}

#[test]
fn noise_in_the_touch_level_is_not_a_slot() {
    for noise in [0x0300, 0x0500, 0xffe0] {
        let mut key = yubikey5();
        key.touch_noise = noise;
        let info = key.inspect();
        assert!(info.slots.iter().all(|slot| slot.occupancy == Occupancy::Empty), "{noise:#06x}");
        assert_eq!(info.lock, Lock::Open);
    }
}
