//! What firmware does differently, seen from the bus.

use std::time::Duration;

use keys::device::{Firmware, Kind};
use keys::nitrokey_pro::crc::crc32;
use twins::key::{KeyTwin, Press, TwinError};
use twins::nitrokey_pro::{Faults, Model, NitrokeyProTwin, Product};

use crate::desk::{RFC4226, place};

fn key(product: Product, minor: u8) -> NitrokeyProTwin {
    NitrokeyProTwin::new(Model::new(product, Firmware::new(0, minor, 0), 0x1234_5678).unwrap(), 1)
}

fn report(bytes: &[u8]) -> [u8; 64] {
    let mut report = [0; 64];
    report[..bytes.len()].copy_from_slice(bytes);
    let crc = crc32(&report[..60]);
    report[60..].copy_from_slice(&crc.to_le_bytes());
    report
}

/// Sends a command and waits as long as any takes.
fn ask(key: &mut NitrokeyProTwin, bytes: &[u8]) -> Vec<u8> {
    key.set_feature(&report(bytes)).unwrap();
    key.advance(Duration::from_secs(5)).unwrap();
    key.get_feature().unwrap()
}

fn login(temporary: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 51];
    bytes[0] = 7;
    bytes[1..9].copy_from_slice(b"12345678");
    bytes[26..26 + temporary.len()].copy_from_slice(temporary);
    bytes
}

fn authorize(next: &[u8], temporary: &[u8]) -> Vec<u8> {
    let mut bytes = vec![8];
    bytes.extend(&report(next)[60..]);
    bytes.extend(temporary);
    bytes
}

#[test]
fn a_pro_says_received_then_busy_then_ready() {
    let mut key = key(Product::Pro, 15);
    key.set_feature(&report(&login(b"t"))).unwrap();
    assert_eq!(key.get_feature().unwrap()[0], 3);
    key.advance(Duration::from_millis(2)).unwrap();
    let busy = key.get_feature().unwrap();
    assert_eq!(busy[..2], [1, 7]);
    assert_eq!(busy[60..], [0; 4], "there is no CRC yet");
    // Dropped without a sign.
    key.set_feature(&report(&[0x0f])).unwrap();
    key.advance(Duration::from_secs(1)).unwrap();
    let ready = key.get_feature().unwrap();
    assert_eq!(ready[..2], [0, 7]);
    assert_eq!(ready[60..], crc32(&ready[..60]).to_le_bytes());
}

#[test]
fn a_storage_never_says_that_it_is_busy() {
    let mut key = key(Product::Storage, 54);
    ask(&mut key, &[0]);
    key.set_feature(&report(&login(b"t"))).unwrap();
    assert_eq!(key.get_feature().unwrap()[..2], [0, 0], "the older answer");
    key.advance(Duration::from_millis(2)).unwrap();
    let begun = key.get_feature().unwrap();
    assert_eq!(begun[..2], [0, 7]);
    assert_eq!(begun[60..], [0; 4]);
    key.advance(Duration::from_secs(1)).unwrap();
    assert_ne!(key.get_feature().unwrap()[60..], [0; 4]);
    // A report that was not begun is overwritten.
    key.set_feature(&report(&[0x0f])).unwrap();
    key.set_feature(&report(&[0x00])).unwrap();
    key.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(key.get_feature().unwrap()[1], 0);
}

#[test]
fn the_temporary_password_of_0_7_serves_one_command() {
    let mut key = key(Product::Pro, 7);
    key.occupy(place(Kind::Hotp, 0), RFC4226);
    key.occupy(place(Kind::Hotp, 1), RFC4226);
    let erase = |slot: u8| [6, 0x10 | slot];
    assert_eq!(ask(&mut key, &erase(0))[6], 5);
    assert_eq!(ask(&mut key, &login(b"t"))[6], 0);
    assert_eq!(ask(&mut key, &authorize(&erase(0), b"wrong"))[6], 4);
    assert_eq!(ask(&mut key, &authorize(&erase(0), b"t"))[6], 0);
    // Only the command that was named.
    assert_eq!(ask(&mut key, &erase(1))[6], 5);
    assert_eq!(ask(&mut key, &erase(0))[6], 0);
    // "Ok" again, and nothing is authorized.
    assert_eq!(ask(&mut key, &authorize(&erase(1), b"t"))[6], 0);
    assert_eq!(ask(&mut key, &erase(1))[6], 5);
    assert!(key.slot(place(Kind::Hotp, 0)).is_none() && key.slot(place(Kind::Hotp, 1)).is_some());
}

#[test]
fn newer_firmware_knows_no_authorization_before_the_command() {
    for minor in [8, 15] {
        let mut key = key(Product::Pro, minor);
        assert_eq!(ask(&mut key, &authorize(&[6, 0x10], b"t"))[6], 9);
    }
    // A Storage says "ok", and from then on to everything.
    let mut key = key(Product::Storage, 54);
    key.occupy(place(Kind::Hotp, 0), RFC4226);
    assert_eq!(ask(&mut key, &[6, 0x10])[6], 5);
    assert_eq!(ask(&mut key, &authorize(&[6, 0x10], b"t"))[6], 0);
    assert_eq!(ask(&mut key, &[6, 0x10])[6], 0);
    assert!(key.slot(place(Kind::Hotp, 0)).is_some());
}

#[test]
fn a_wrong_login_forgets_the_right_one_from_0_9_on() {
    for (minor, status) in [(8, 0), (9, 5)] {
        let mut key = key(Product::Pro, minor);
        key.occupy(place(Kind::Hotp, 0), RFC4226);
        ask(&mut key, &login(b"t"));
        assert_eq!(ask(&mut key, b"\x07wrong")[6], 4);
        let mut erase = vec![6, 0x10];
        erase.extend(b"t");
        assert_eq!(ask(&mut key, &erase)[6], status, "0.{minor}");
    }
}

#[test]
fn locking_forgets_unless_it_does_as_the_published_firmware_says() {
    for keeps in [false, true] {
        let mut key = key(Product::Pro, 15);
        let faults = Faults { lock_keeps_passwords: keeps, ..Faults::default() };
        key.set_faults(faults);
        key.occupy(place(Kind::Hotp, 0), RFC4226);
        ask(&mut key, &login(b"t"));
        ask(&mut key, &[0x12]);
        let mut erase = vec![6, 0x10];
        erase.extend(b"t");
        assert_eq!(ask(&mut key, &erase)[6], if keeps { 0 } else { 5 });
    }
}

#[test]
fn the_clock_goes_forward_only_unless_it_is_forced_and_is_lost_without_power() {
    let mut key = key(Product::Pro, 15);
    let set = |force: u8, unix: u64| {
        let mut bytes = vec![0x0b, force];
        bytes.extend(unix.to_le_bytes());
        bytes
    };
    assert_eq!(ask(&mut key, &set(0, 1_700_000_000))[6], 6, "it was never set");
    assert_eq!(ask(&mut key, &set(1, 1_700_000_000))[6], 0);
    assert_eq!(ask(&mut key, &set(0, 1_600_000_000))[6], 6);
    assert_eq!(ask(&mut key, &set(0, 1_700_000_100))[6], 0);
    key.occupy(place(Kind::Totp, 0), RFC4226);
    key.power().unwrap();
    // It counts from 1970 again: five seconds later, step 0.
    let shown = ask(&mut key, &[4, 0x20]);
    assert_eq!(u32::from_le_bytes(shown[7..11].try_into().unwrap()), 755_224);
}

#[test]
fn there_is_no_button_and_no_other_interface() {
    let mut key = key(Product::LibremKey, 10);
    assert_eq!(key.touch(Press::Short), Ok(Vec::new()));
    assert!(matches!(key.out(&[0; 64]), Err(TwinError::NoInterface(_))));
    assert!(matches!(key.input(), Err(TwinError::NoInterface(_))));
    assert!(matches!(key.apdu(&[0; 5]), Err(TwinError::NoInterface(_))));
    assert_eq!(key.set_feature(&[0; 8]), Err(TwinError::Length { wanted: 64, got: 8 }));
    key.pull_out();
    assert_eq!(key.get_feature(), Err(TwinError::Gone));
    assert_eq!(key.touch(Press::Short), Err(TwinError::Gone));
}

#[test]
fn the_reserved_slot_is_there_from_0_9_on_and_gives_no_code() {
    for (minor, written) in [(8, 2), (9, 0)] {
        let mut key = key(Product::Pro, minor);
        ask(&mut key, &login(b"t"));
        let mut name = vec![0x17];
        name.extend(*b"t\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        name.extend(*b"N\0boot");
        assert_eq!(ask(&mut key, &name)[6], 0);
        let mut write = vec![1];
        write.extend(*b"t\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        write.push(0x13);
        assert_eq!(ask(&mut key, &write)[6], written, "0.{minor}");
        assert_eq!(ask(&mut key, &[4, 0x13])[6], 2);
    }
}
