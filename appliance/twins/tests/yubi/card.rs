//! The same application through the smart-card interface.

use std::time::Duration;

use keys::device::Slot;
use twins::key::{Interface, KeyTwin, TwinError};
use twins::yubikey::{Model, YubiKeyTwin};

use crate::host::{Config, RFC4226, deletion, key, send, status};

const OTP: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01];
const MANAGEMENT: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

fn apdu(key: &mut YubiKeyTwin, head: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
    let mut command = head.to_vec();
    if !data.is_empty() {
        command.push(u8::try_from(data.len()).unwrap());
        command.extend(data);
    }
    let mut answer = key.apdu(&command).unwrap();
    let word = answer.split_off(answer.len() - 2);
    (answer, u16::from_be_bytes(word.try_into().unwrap()))
}

fn select(key: &mut YubiKeyTwin, aid: &[u8]) -> (Vec<u8>, u16) {
    apdu(key, [0, 0xa4, 4, 0], aid)
}

#[test]
fn selecting_answers_the_status() {
    assert_eq!(select(&mut key(5, 4, 3), OTP), (vec![5, 4, 3, 0, 0, 5], 0x9000));
    // The NEO adds its USB mode: all three interfaces.
    assert_eq!(select(&mut key(3, 4, 0), OTP), (vec![3, 4, 0, 0, 0, 3, 6], 0x9000));
    let (name, word) = select(&mut key(5, 4, 3), MANAGEMENT);
    assert_eq!((name.as_slice(), word), (b"Virtual mgr - FW version 5.4.3".as_slice(), 0x9000));
    assert_eq!(select(&mut key(5, 4, 3), &[0xa0, 0x00, 0x00, 0x03, 0x08]), (vec![], 0x6a82));
}

#[test]
fn commands_need_their_applet() {
    let mut key = key(5, 4, 3);
    assert_eq!(apdu(&mut key, [0, 0x03, 0, 0], &[]), (vec![], 0x6d00));
    select(&mut key, OTP);
    assert_eq!(apdu(&mut key, [0, 0x03, 0, 0], &[]).1, 0x9000);
    assert_eq!(apdu(&mut key, [0, 0x1d, 0, 0], &[]).1, 0x6d00);
    select(&mut key, MANAGEMENT);
    assert_eq!(apdu(&mut key, [0, 0x03, 0, 0], &[]).1, 0x6d00);
    let (info, word) = apdu(&mut key, [0, 0x1d, 0, 0], &[]);
    assert_eq!((usize::from(info[0]) + 1, word), (info.len(), 0x9000));
    // A failed SELECT leaves nothing selected, and so does power.
    select(&mut key, OTP);
    select(&mut key, &[1, 2, 3]);
    assert_eq!(apdu(&mut key, [0, 0x03, 0, 0], &[]).1, 0x6d00);
    select(&mut key, OTP);
    key.power().unwrap();
    assert_eq!(apdu(&mut key, [0, 0x03, 0, 0], &[]).1, 0x6d00);
}

#[test]
fn slots_are_written_and_refusals_show_in_the_status() {
    let mut key = key(5, 4, 3);
    select(&mut key, OTP);
    let payload = Config { new_code: [1; 6], ..Config::hotp() }.payload();
    assert_eq!(apdu(&mut key, [0, 1, 1, 0], &payload), (vec![5, 4, 3, 1, 5, 5], 0x9000));
    assert!(key.slot_holds(Slot(1), RFC4226));
    assert_eq!(apdu(&mut key, [0, 1, 1, 0], &payload), (vec![5, 4, 3, 1, 5, 5], 0x9000));
    let serial = apdu(&mut key, [0, 1, 0x10, 0], &[]);
    assert_eq!(serial, (12_345_678_u32.to_be_bytes().to_vec(), 0x9000));
    let hmac = Config { tkt: 0x40, cfg: 0x26, ..Config::hotp() }.payload();
    assert_eq!(apdu(&mut key, [0, 1, 3, 0], &hmac).0[3], 2);
    let mut challenge = b"x".to_vec();
    challenge.resize(64, 0);
    assert_eq!(apdu(&mut key, [0, 1, 0x38, 0], &challenge).0.len(), 20);
    assert_eq!(apdu(&mut key, [0, 1, 0x30, 0], &challenge), (vec![], 0x6a82));
}

#[test]
fn a_challenge_that_wants_a_touch_cannot_be_asked_here() {
    let mut key = key(5, 4, 3);
    select(&mut key, OTP);
    apdu(&mut key, [0, 1, 3, 0], &Config { tkt: 0x40, cfg: 0x2e, ..Config::hotp() }.payload());
    assert_eq!(apdu(&mut key, [0, 1, 0x38, 0], b"x"), (vec![], 0x6985));
}

#[test]
fn before_5_4_3_the_last_deletion_over_the_card_leaves_the_slot_bits() {
    for (build, bits) in [((5, 0, 0), 5), ((5, 4, 2), 5), ((5, 4, 3), 0), ((4, 3, 4), 0)] {
        let mut key = key(build.0, build.1, build.2);
        key.occupy(Slot(1), None);
        select(&mut key, OTP);
        let (answer, _) = apdu(&mut key, [0, 1, 1, 0], &deletion([0; 6]));
        assert_eq!(answer[3..5], [0, bits], "{build:?}");
        assert!(key.snapshot().slots[0].is_none());
        // Over HID, and after power-up, it is right.
        key.power().unwrap();
        assert_eq!(status(&mut key)[3..5], [0, 0]);
    }
    let mut key = key(5, 4, 2);
    key.occupy(Slot(1), None);
    send(&mut key, 0x01, &deletion([0; 6])).unwrap();
    assert_eq!(status(&mut key)[3..5], [0, 0]);
}

#[test]
fn a_neo_shows_changes_over_the_card_only_after_a_command() {
    let mut key = key(3, 4, 0);
    select(&mut key, OTP);
    apdu(&mut key, [0, 1, 1, 0], &Config::hotp().payload());
    key.advance(Duration::from_secs(3)).unwrap();
    assert_eq!(status(&mut key)[3..5], [0, 0]);
    send(&mut key, 0x12, &[b'c'; 51]).unwrap();
    assert_eq!(status(&mut key)[3..5], [1, 5]);
}

#[test]
fn a_locked_configuration_says_so_here() {
    let mut key = key(5, 4, 3);
    select(&mut key, MANAGEMENT);
    let lock = [&[18, 0x0a, 16], [7; 16].as_slice()].concat();
    assert_eq!(apdu(&mut key, [0, 0x1c, 0, 0], &lock), (vec![], 0x9000));
    assert_eq!(apdu(&mut key, [0, 0x1c, 0, 0], &[3, 0x07, 1, 20]), (vec![], 0x6982));
    let mut open = crate::host::key(5, 4, 3);
    select(&mut open, MANAGEMENT);
    assert_eq!(apdu(&mut open, [0, 0x1c, 0, 0], &[3, 0x07, 2, 20]), (vec![], 0x6a80));
    assert_eq!(apdu(&mut open, [0, 0x1c, 0, 0], &[2, 0x0c, 0]), (vec![], 0x9000));
    open.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(apdu(&mut open, [0, 0x1d, 0, 0], &[]).1, 0x6d00);
}

#[test]
fn commands_come_in_the_forms_of_iso_7816() {
    let mut key = key(5, 4, 3);
    let with_le = [&[0, 0xa4, 4, 0, 7], OTP, &[0]].concat();
    assert_eq!(key.apdu(&with_le).unwrap().len(), 8);
    let extended = [&[0, 0xa4, 4, 0, 0, 0, 7], OTP, &[0, 0]].concat();
    assert_eq!(key.apdu(&extended).unwrap().len(), 8);
    for (command, word) in [
        (vec![], [0x67, 0x00]),
        (vec![0, 0xa4, 4], [0x67, 0x00]),
        (vec![0, 0xa4, 4, 0, 7, 1], [0x67, 0x00]),
        (vec![0, 0xa4, 4, 0, 1, 1, 0, 0], [0x67, 0x00]),
        (vec![0, 0xa4, 4, 0, 0, 0, 0], [0x6a, 0x82]),
        (vec![0, 0xa4, 0, 0, 0], [0x6a, 0x86]),
        (vec![0x80, 0xa4, 4, 0], [0x6e, 0x00]),
        (vec![0, 0x99, 4, 0], [0x6d, 0x00]),
    ] {
        assert_eq!(key.apdu(&command).unwrap(), word, "{command:02x?}");
    }
    let too_long = [&[0, 1, 1, 0, 65], [0; 65].as_slice()].concat();
    key.apdu(&with_le).unwrap();
    assert_eq!(key.apdu(&too_long).unwrap(), [0x67, 0x00]);
}

#[test]
fn a_key_without_the_interface_has_no_card() {
    let model = Model::new(keys::device::Firmware::new(5, 4, 3), 1).unwrap().with_product_id(0x0401).unwrap();
    let mut key = YubiKeyTwin::new(model, 1);
    assert_eq!(key.product_id(), Some(0x0401));
    assert_eq!(key.apdu(&[0, 3, 0, 0]), Err(TwinError::NoInterface(Interface::Ccid)));
    assert_eq!(key.out(&[0; 64]), Err(TwinError::NoInterface(Interface::Fido)));
    assert_eq!(key.input(), Err(TwinError::NoInterface(Interface::Fido)));
}
