//! Bytes that yubikit 5.9.2 made, fed to the twin.

use data_encoding::HEXLOWER;
use keys::device::Slot;
use serde_json::Value;
use twins::key::{KeyTwin, Press};

use crate::host::{Config, RFC4226, change, collect, key, send, text, with};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../keys/tests/vectors/yubikey_otp.json")).unwrap()
}

fn vector(name: &str) -> Value {
    let all = vectors();
    let found = all["vectors"].as_array().unwrap().iter().find(|vector| vector["name"] == name);
    found.unwrap_or_else(|| panic!("no vector {name}")).clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// Sends a vector's reports, and checks the answer when the vector has one.
fn play(key: &mut impl KeyTwin, vector: &Value) {
    let mut answers = vector["feature_reports_in"].as_array().map(|list| list.iter());
    for report in vector["feature_reports_out"].as_array().unwrap() {
        let report = bytes(report);
        if report[7] == 0xff {
            while key.get_feature().unwrap()[7] & 0xc0 == 0x80 {
                key.advance(std::time::Duration::from_millis(1)).unwrap();
            }
            // The first chunk was read by the loop.
            let mut answers = answers.take().unwrap().skip(1);
            let wanted = answers.by_ref().map(bytes).collect::<Vec<_>>();
            let got: Vec<_> = wanted.iter().map(|_| key.get_feature().unwrap()).collect();
            assert_eq!(got, wanted, "{}", vector["name"]);
        }
        key.set_feature(&report).unwrap();
    }
}

fn stored(name: &str, slot: u8) {
    let vector = vector(name);
    let mut key = key(5, 7, 1);
    play(&mut key, &vector);
    let config = key.config52(Slot(slot)).unwrap();
    assert_eq!(config.to_vec(), bytes(&vector["config52"]), "{name}");
}

#[test]
fn configurations_are_stored_as_sent() {
    for name in ["hotp6_slot1", "hotp6_tokenid", "hotp6_key16", "hotp6_keypad_serial_usb", "static_scancodes"]
    {
        stored(name, 1);
    }
    stored("chalresp_hmac", 2);
}

#[test]
fn every_vector_is_played() {
    let played = [
        "hotp6_slot1",
        "hotp6_tokenid",
        "hotp6_key16",
        "hotp6_keypad_serial_usb",
        "static_scancodes",
        "chalresp_hmac",
        "update_slot1_remove_acc",
        "delete_slot1_acc",
        "ndef_uri",
        "read_serial",
        "calc_hmac_zero_end",
        "write_device_info",
    ];
    let all = vectors();
    let names: Vec<_> =
        all["vectors"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(names, played);
}

#[test]
fn the_worked_example_types_rfc_4226() {
    let mut key = key(5, 7, 1);
    play(&mut key, &vector("hotp6_slot1"));
    collect(&mut key).unwrap();
    assert_eq!(key.get_feature().unwrap(), [0, 5, 7, 1, 1, 5, 5, 0]);
    assert!(key.slot_holds(Slot(1), RFC4226));
    for code in ["755224", "287082", "359152"] {
        assert_eq!(key.next_hotp(Slot(1)).as_deref(), Some(code));
        assert_eq!(text(&key.touch(Press::Short).unwrap()), format!("{code}\n"));
    }
}

#[test]
fn a_static_password_is_typed_as_scan_codes() {
    let mut key = key(5, 7, 1);
    play(&mut key, &vector("static_scancodes"));
    collect(&mut key).unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "vvccccHello.\n");
}

#[test]
fn update_and_deletion_need_the_access_code() {
    let code = [1, 2, 3, 4, 5, 6];
    let mut key = key(5, 7, 1);
    assert!(change(&mut key, 0x01, &Config { new_code: code, ..Config::hotp() }.payload()));
    assert!(key.access_code_is(Slot(1), code));
    play(&mut key, &vector("update_slot1_remove_acc"));
    collect(&mut key).unwrap();
    assert!(key.access_code_is(Slot(1), [0; 6]));

    let protecting = Config { new_code: code, ..Config::hotp() };
    assert!(change(&mut key, 0x01, &protecting.payload()));
    play(&mut key, &vector("delete_slot1_acc"));
    collect(&mut key).unwrap();
    assert_eq!(key.snapshot().slots[0], None);
    assert_eq!(key.snapshot().sequence, 0);
}

#[test]
fn answers_are_cut_as_real_ones() {
    let mut key = key(5, 7, 1);
    play(&mut key, &vector("read_serial"));
    play(&mut key, &vector("chalresp_hmac"));
    collect(&mut key).unwrap();
    play(&mut key, &vector("calc_hmac_zero_end"));
    assert_eq!(key.get_feature().unwrap()[7], 0);
}

#[test]
fn an_ndef_record_is_kept() {
    let mut key = key(5, 7, 1);
    key.occupy(Slot(2), None);
    play(&mut key, &vector("ndef_uri"));
    let (kind, data) = key.ndef(Slot(1)).unwrap();
    assert_eq!((kind, data.as_slice()), (b'U', b"\x04my.yubico.com/yk/#".as_slice()));
}

#[test]
fn interfaces_change_at_the_restart_and_the_lock_holds() {
    let mut key = key(5, 7, 1);
    assert_eq!(key.product_id(), Some(0x0407));
    play(&mut key, &vector("write_device_info"));
    collect(&mut key).unwrap();
    assert_eq!(key.product_id(), Some(0x0407));
    key.advance(std::time::Duration::from_secs(1)).unwrap();
    // OTP and OATH are left: keyboard and smart card.
    assert_eq!(key.product_id(), Some(0x0405));
    let without_code = [4, 0x03, 2, 0x02, 0x3f];
    assert!(!change(&mut key, 0x15, &without_code));
    let mut with_code = vec![22, 0x0b, 16];
    with_code.extend([0xaa; 16]);
    with_code.extend([0x03, 2, 0x02, 0x3f]);
    assert!(change(&mut key, 0x15, &with_code));
}

#[test]
fn a_neo_refuses_the_probe_and_then_shows_what_it_has() {
    let mut key = key(3, 4, 9);
    key.occupy(Slot(1), None);
    key.set_faults(with(|faults| faults.stale_status = true));
    key.power().unwrap();
    assert_eq!(key.get_feature().unwrap()[4..6], [0, 0]);
    let all = vectors();
    for report in all["extra"]["neo_wakeup_probe"].as_array().unwrap() {
        key.set_feature(&bytes(report)).unwrap();
    }
    collect(&mut key).unwrap();
    assert_eq!(key.get_feature().unwrap()[4..6], [1, 5]);
    send(&mut key, 0x12, &[b'c'; 51]).unwrap();
    assert_eq!(key.get_feature().unwrap()[4..6], [1, 5]);
}
