//! The device as a whole: information, settings, interfaces, memory.

use std::time::Duration;

use data_encoding::HEXLOWER;
use keys::device::{Firmware, Slot};
use twins::key::{Interface, KeyTwin, Press, TwinError};
use twins::yubikey::{FormFactor, Model, YubiKeyTwin};

use crate::host::{Config, SERIAL, ask, change, deletion, key, serial, text};

fn page(key: &mut YubiKeyTwin, page: u8, length: usize) -> Option<String> {
    ask(key, 0x13, &[page], length).map(|bytes| HEXLOWER.encode(&bytes))
}

#[test]
fn the_answer_of_a_real_5_1_2_comes_out() {
    // yubikey-manager issue 264: CCID with OATH only, eject after 30 s, locked.
    let mut key = YubiKeyTwin::new(Model::new(Firmware::new(5, 1, 2), 9_072_403).unwrap(), 1);
    let settings = [
        &[0x03, 2, 0x00, 0x24][..],
        &[0x06, 2, 0x00, 0x1e],
        &[0x07, 1, 0x0f],
        &[0x08, 1, 0x80],
        &[0x0e, 2, 0x00, 0x00],
        &[0x0a, 16],
        &[0x55; 16],
    ]
    .concat();
    let payload = [&[u8::try_from(settings.len()).unwrap()], settings.as_slice()].concat();
    assert!(change(&mut key, 0x15, &payload));
    let real = "2b0102023f030200240204008a6f130401010503050102060\
                2001e07010f0801800d02023f0e0200000a0101";
    assert_eq!(page(&mut key, 0, 44).as_deref(), Some(real));
}

#[test]
fn information_came_with_4_1_and_pages_with_5_7() {
    assert_eq!(page(&mut key(4, 0, 0), 0, 13), None);
    let four = Some("0c01013f020400bc614e03013f");
    // The Edge.
    assert_eq!(page(&mut key(4, 1, 0), 0, 13).as_deref(), Some("0c010107020400bc614e03013f"));
    assert_eq!(key(4, 1, 0).product_id(), Some(0x0403));
    assert_eq!(page(&mut key(4, 3, 4), 0, 13).as_deref(), four);
    // 4.2.4 is known to be wrong.
    assert_eq!(page(&mut key(4, 2, 4), 0, 13).as_deref(), Some("0c010107020400bc614e03013f"));
    // YubiHSM Auth came with 5.4.3.
    assert!(page(&mut key(5, 4, 2), 0, 44).unwrap().starts_with("2b0102023f0302023f"));
    assert!(page(&mut key(5, 4, 3), 0, 44).unwrap().starts_with("2b0102033f0302033f"));
    // One page: the number is not looked at.
    assert_eq!(page(&mut key(5, 4, 3), 3, 44), page(&mut key(5, 4, 3), 0, 44));
    let mut key = key(5, 7, 1);
    assert!(page(&mut key, 0, 47).unwrap().ends_with("100101"));
    assert!(page(&mut key, 1, 41).unwrap().starts_with("281304354e4643"));
    assert_eq!(page(&mut key, 2, 41), None);
}

#[test]
fn form_factors_without_nfc_do_not_speak_of_it() {
    let mut model = Model::new(Firmware::new(5, 4, 3), SERIAL).unwrap();
    model.form_factor = FormFactor::CNano;
    let mut key = YubiKeyTwin::new(model, 1);
    let info = page(&mut key, 0, 36).unwrap();
    assert!(info.contains("040104") && !info.contains("0d02"));
    assert!(!change(&mut key, 0x15, &[4, 0x0e, 2, 0x00, 0x20]));
}

#[test]
fn settings_are_taken_whole_or_not_at_all() {
    let mut key = key(5, 4, 3);
    let before = page(&mut key, 0, 44);
    for wrong in [
        &[][..],
        &[5, 0x03, 2, 0x00, 0x01],
        &[4, 0x03, 3, 0x00, 0x01],
        &[3, 0x03, 2, 0x00],
        &[4, 0x03, 2, 0x00, 0x00],
        &[4, 0x03, 2, 0x80, 0x01],
        &[3, 0x0a, 1, 0x01],
        &[3, 0x55, 1, 0x01],
        &[3, 0x17, 1, 0x01],
        &[6, 0x07, 1, 0x20, 0x02, 1, 0x00],
        &[0xff, 0x07, 1, 0x20],
    ] {
        let taken = change(&mut key, 0x15, wrong);
        // An empty list of settings is a change of nothing.
        assert_eq!(taken, wrong.is_empty(), "{wrong:?}");
        assert_eq!(page(&mut key, 0, 44), before, "{wrong:?}");
    }
}

#[test]
fn a_lock_code_guards_the_settings_until_it_is_zero() {
    let mut key = key(5, 4, 3);
    let with = |tag: u8, code: [u8; 16], more: &[u8]| {
        let length = u8::try_from(18 + more.len()).unwrap();
        [&[length, tag, 16], code.as_slice(), more].concat()
    };
    assert!(change(&mut key, 0x15, &with(0x0a, [7; 16], &[])));
    assert!(page(&mut key, 0, 44).unwrap().ends_with("0a0101"));
    assert!(!change(&mut key, 0x15, &[3, 0x07, 1, 20]));
    assert!(!change(&mut key, 0x15, &with(0x0b, [8; 16], &[0x07, 1, 20])));
    assert!(change(&mut key, 0x15, &with(0x0b, [7; 16], &[0x07, 1, 20])));
    // Slots are another matter.
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    let unlock = [&[36, 0x0b, 16], [7; 16].as_slice(), &[0x0a, 16], [0; 16].as_slice()].concat();
    assert!(change(&mut key, 0x15, &unlock));
    assert!(change(&mut key, 0x15, &[3, 0x07, 1, 25]));
    assert!(!change(&mut crate::host::key(4, 3, 4), 0x15, &[3, 0x07, 1, 25]));
}

#[test]
fn interfaces_follow_the_settings_after_power_up() {
    let mut key = key(5, 4, 3);
    assert_eq!(key.product_id(), Some(0x0407));
    // FIDO2 alone.
    assert!(change(&mut key, 0x15, &[4, 0x03, 2, 0x02, 0x00]));
    assert_eq!(key.product_id(), Some(0x0407));
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    key.power().unwrap();
    assert_eq!(key.product_id(), Some(0x0402));
    assert_eq!(key.get_feature(), Err(TwinError::NoInterface(Interface::Feature)));
    assert_eq!(key.set_feature(&[0; 8]), Err(TwinError::NoInterface(Interface::Feature)));
    assert_eq!(key.apdu(&[0, 3, 0, 0]), Err(TwinError::NoInterface(Interface::Ccid)));
    assert!(key.touch(Press::Short).unwrap().is_empty());
}

#[test]
fn a_restart_comes_by_itself() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x15, &[6, 0x0c, 0, 0x03, 2, 0x00, 0x01]));
    assert_eq!(key.product_id(), Some(0x0407));
    key.advance(Duration::from_millis(200)).unwrap();
    assert_eq!(key.product_id(), Some(0x0401));
}

#[test]
fn modes_are_for_firmware_3_and_4() {
    let mode = [0x02, 0, 0, 0];
    for (firmware, taken) in [((2, 4, 0), false), ((3, 4, 0), true), ((4, 3, 4), true), ((5, 1, 2), false)] {
        let mut key = key(firmware.0, firmware.1, firmware.2);
        key.occupy(Slot(1), None);
        assert_eq!(change(&mut key, 0x11, &mode), taken, "{firmware:?}");
    }
    let mut neo = key(3, 4, 0);
    neo.occupy(Slot(1), None);
    assert_eq!(neo.product_id(), Some(0x0116));
    assert!(change(&mut neo, 0x11, &mode));
    assert!(!change(&mut neo, 0x11, &[0x07]));
    neo.power().unwrap();
    assert_eq!(neo.product_id(), Some(0x0111));
    // Nothing programmed: it is done, and the count stays 0.
    let mut empty = key(4, 3, 4);
    assert!(!change(&mut empty, 0x11, &[0x00]));
    empty.power().unwrap();
    assert_eq!(empty.product_id(), Some(0x0401));
    // A Plus has one combination.
    let mut plus = key(4, 0, 0);
    plus.occupy(Slot(1), None);
    assert_eq!(plus.product_id(), Some(0x0410));
    assert!(!change(&mut plus, 0x11, &[0x00]));
    assert!(change(&mut plus, 0x11, &[0x04]));
}

#[test]
fn a_mode_brings_its_times() {
    let mut key = key(4, 3, 4);
    assert!(change(&mut key, 0x03, &Config { tkt: 0x40, cfg: 0x2e, ..Config::hotp() }.payload()));
    assert!(change(&mut key, 0x11, &[0x81, 4, 6, 0]));
    // Tens of seconds; the flag is the mode's.
    assert!(key.save().contains("\neject 60 128\n"));
    assert_eq!(crate::host::send(&mut key, 0x38, b"x").unwrap(), crate::host::Outcome::Touch);
    key.advance(Duration::from_secs(4)).unwrap();
    assert_eq!(key.get_feature().unwrap()[7], 0);
}

#[test]
fn an_access_code_stands_in_the_way_of_the_mode() {
    let mut key = key(4, 3, 4);
    key.occupy(Slot(2), Some([1; 6]));
    assert!(!change(&mut key, 0x11, &[0x00]));
    assert!(change(&mut key, 0x03, &deletion([1; 6])) && key.snapshot().sequence == 0);
}

#[test]
fn settings_count_on_an_empty_key_until_it_is_pulled_out() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x15, &[3, 0x07, 1, 25]));
    assert_eq!(key.snapshot().sequence, 1);
    key.power().unwrap();
    assert_eq!(key.snapshot().sequence, 0);
}

#[test]
fn an_occupied_key_is_as_from_the_factory() {
    let mut key = key(5, 4, 3);
    key.occupy(Slot(1), None);
    key.occupy(Slot(2), Some([1, 2, 3, 4, 5, 6]));
    // vv + serial 12345678 = 00 bc 61 4e, in modhex.
    assert!(text(&key.touch(Press::Short).unwrap()).starts_with("ccccccnrhbfu"));
    assert_eq!(serial(&mut key), Some(SERIAL));
    key.hide_serial();
    assert_eq!(serial(&mut key), None);
    assert!(!change(&mut key, 0x03, &Config::hotp().payload()));
    key.occupy(Slot(3), None);
    assert_eq!(key.snapshot().sequence, 2);
}

#[test]
fn a_saved_key_comes_back_whole() {
    let mut key = key(5, 7, 1);
    let code = [1, 2, 3, 4, 5, 6];
    assert!(change(&mut key, 0x01, &Config { new_code: code, ..Config::hotp() }.payload()));
    key.occupy(Slot(2), None);
    key.touch(Press::Short).unwrap();
    key.touch(Press::Long).unwrap();
    let ndef = [&[3, b'T', b'a', b'b', b'c'], [0; 51].as_slice(), &code].concat();
    assert!(change(&mut key, 0x08, &ndef));
    let lock = [&[21, 0x0a, 16], [9; 16].as_slice(), &[0x07, 1, 33]].concat();
    assert!(change(&mut key, 0x15, &lock));
    let saved = key.save();

    let model = key.model().clone();
    let again = YubiKeyTwin::restore(model.clone(), &saved, 99).unwrap();
    assert_eq!(again.snapshot(), key.snapshot());
    assert_eq!(again.next_hotp(Slot(1)).as_deref(), Some("287082"));
    assert_eq!(again.config52(Slot(2)).unwrap(), key.config52(Slot(2)).unwrap());
    assert_eq!(again.ndef(Slot(1)), Some((b'T', b"abc".to_vec())));
    assert_eq!(*again.save(), *saved);

    let other = Model::new(Firmware::new(5, 7, 1), 1).unwrap();
    assert!(YubiKeyTwin::restore(other, &saved, 1).is_err());
    assert!(YubiKeyTwin::restore(model.clone(), "", 1).is_err());
    for broken in
        [saved.replace("slot1 ", "slot1 0"), saved.replace("scanmap 06", "scanmap "), format!("{}x", *saved)]
    {
        assert!(YubiKeyTwin::restore(model.clone(), &broken, 1).is_err());
    }
}

#[test]
fn what_a_slot_went_through_is_saved_with_it() {
    let mut key = key(4, 3, 3);
    assert!(change(&mut key, 0x01, &Config { new_code: [1; 6], ..Config::hotp() }.payload()));
    let update = Config { code: [1; 6], ..Config::flags(0x24, 0x20, 0) }.payload();
    assert!(change(&mut key, 0x04, &update) && change(&mut key, 0x04, &update));
    let mut again = YubiKeyTwin::restore(key.model().clone(), &key.save(), 1).unwrap();
    // The third one spoils it.
    assert!(change(&mut again, 0x04, &update) && !change(&mut again, 0x04, &update));
}

#[test]
fn the_revision_tells_when_to_save() {
    let mut key = key(5, 4, 3);
    let mut last = key.revision();
    let mut changed = |key: &YubiKeyTwin| core::mem::replace(&mut last, key.revision()) != key.revision();
    assert_eq!(serial(&mut key), Some(SERIAL));
    assert!(!changed(&key));
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    assert!(changed(&key));
    key.touch(Press::Short).unwrap();
    assert!(changed(&key));
    assert!(!change(&mut key, 0x01, &[1; 58]));
    assert!(!changed(&key));
}
