//! Writing, deleting, counting.

use keys::device::Slot;
use twins::key::{KeyTwin, Press};

use crate::host::{Config, RFC4226, SERIAL, change, deletion, key, serial, status, text};

#[test]
fn a_new_key_is_empty_and_tells_its_serial() {
    let mut key = key(5, 4, 3);
    assert_eq!(status(&mut key), [5, 4, 3, 0, 0, 5]);
    assert_eq!(serial(&mut key), Some(SERIAL));
    assert!(key.touch(Press::Short).unwrap().is_empty());
    assert!(key.touch(Press::Long).unwrap().is_empty());
}

#[test]
fn slots_are_counted_and_the_last_deletion_brings_zero() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    assert_eq!(status(&mut key)[3..5], [1, 0x05]);
    assert!(change(&mut key, 0x03, &Config::hotp().payload()));
    assert_eq!(status(&mut key)[3..5], [2, 0x0f]);
    assert!(change(&mut key, 0x01, &deletion([0; 6])));
    assert_eq!(status(&mut key)[3..5], [3, 0x0a]);
    assert!(change(&mut key, 0x03, &deletion([0; 6])));
    assert_eq!(status(&mut key)[3..5], [0, 0]);
}

#[test]
fn the_count_is_never_zero_while_something_is_programmed() {
    let mut key = key(5, 4, 3);
    for _ in 0..255 {
        assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    }
    assert_eq!(status(&mut key)[3], 255);
    // yubikit would call this a refusal.
    assert!(!change(&mut key, 0x01, &Config::hotp().payload()));
    assert_eq!(status(&mut key)[3], 1);
}

#[test]
fn short_is_slot_1_and_long_is_slot_2() {
    let mut key = key(5, 4, 3);
    let eight = Config { cfg: 0x42, ext: 0x24, ..Config::hotp() };
    assert!(change(&mut key, 0x01, &Config { ext: 0x24, ..Config::hotp() }.payload()));
    assert!(key.touch(Press::Long).unwrap().is_empty());
    assert!(change(&mut key, 0x03, &eight.payload()));
    assert_eq!(text(&key.touch(Press::Long).unwrap()), "84755224\n");
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "755224\n");
    assert_eq!(key.snapshot().slots[1].as_ref().unwrap().hotp_counter, 1);
    assert_eq!(key.next_hotp(Slot(3)), None);
}

#[test]
fn a_deletion_of_what_is_empty_changes_nothing_on_an_empty_key() {
    let mut key = key(5, 4, 3);
    assert!(!change(&mut key, 0x01, &deletion([0; 6])));
    assert_eq!(status(&mut key)[3..5], [0, 0]);
}

#[test]
fn a_wrong_checksum_inside_the_configuration_is_refused() {
    let mut key = key(5, 4, 3);
    let good = Config::hotp().payload();
    for bit in 0..52 * 8 {
        let mut payload = good.clone();
        payload[bit / 8] ^= 1 << (bit % 8);
        assert!(!change(&mut key, 0x01, &payload), "bit {bit}");
    }
    assert_eq!(key.snapshot().slots, [None, None]);
    assert!(change(&mut key, 0x01, &good));
}

#[test]
fn a_fixed_part_longer_than_its_room_is_refused() {
    let mut payload = Config::hotp().payload();
    payload.truncate(50);
    payload[44] = 17;
    let check = !crate::host::crc(&payload);
    payload.extend(check.to_le_bytes());
    let mut key = key(5, 4, 3);
    assert!(!change(&mut key, 0x01, &payload));
}

/// Which `ext` flags a firmware takes, one by one.
fn known_flags(major: u8, minor: u8, build: u8) -> u8 {
    (0..8)
        .map(|bit| 1 << bit)
        .filter(|flag| {
            let config = Config { ext: *flag, tkt: 0x20, cfg: 0, ..Config::hotp() };
            change(&mut key(major, minor, build), 0x01, &config.payload())
        })
        .sum()
}

#[test]
fn unknown_flags_make_an_old_key_refuse_everything() {
    assert_eq!(known_flags(2, 1, 3), 0x00);
    assert_eq!(known_flags(2, 2, 3), 0x07);
    assert_eq!(known_flags(2, 3, 0), 0x7f);
    assert_eq!(known_flags(2, 4, 0), 0xff);
    assert_eq!(known_flags(3, 0, 0), 0x7f);
    assert_eq!(known_flags(3, 1, 0), 0xff);
    assert_eq!(known_flags(5, 7, 1), 0xff);
    // One that is unknown spoils the others: what yubikit writes by default.
    assert!(!change(&mut key(2, 2, 3), 0x01, &Config::hotp().payload()));
}

#[test]
fn modes_came_one_after_the_other() {
    let plain = |cfg| Config { ext: 0, cfg, ..Config::hotp() }.payload();
    let (hotp, hmac, yubico) = (plain(0x40), plain(0x22), plain(0x20));
    let takes =
        |build: (u8, u8, u8), payload: &[u8]| change(&mut key(build.0, build.1, build.2), 0x01, payload);
    assert!(!takes((2, 0, 0), &hotp) && takes((2, 1, 0), &hotp));
    assert!(!takes((2, 1, 0), &hmac) && takes((2, 2, 0), &hmac));
    assert!(!takes((2, 1, 0), &yubico) && takes((2, 2, 0), &yubico));
}

#[test]
fn the_neo_beta_has_one_slot() {
    let plain = Config { ext: 0, ..Config::hotp() }.payload();
    assert!(change(&mut key(2, 1, 4), 0x01, &plain));
    assert!(!change(&mut key(2, 1, 4), 0x03, &plain));
    assert!(!change(&mut key(2, 1, 9), 0x03, &plain));
    assert!(change(&mut key(2, 1, 3), 0x03, &plain));
    assert!(change(&mut key(2, 2, 0), 0x03, &plain));
}

#[test]
fn the_neo_beta_had_some_things_before_others() {
    assert_eq!(serial(&mut key(2, 1, 4)), Some(SERIAL));
    assert_eq!(known_flags(2, 1, 4), 0x04);
    let scan_codes = Config { ext: 0, tkt: 0x20, cfg: 0x02, ..Config::hotp() }.payload();
    assert!(!change(&mut key(2, 1, 4), 0x01, &scan_codes));
    assert!(change(&mut key(2, 1, 5), 0x01, &scan_codes));
    let mut later = Config { ext: 0, ..Config::hotp() };
    later.uid[5] = 1;
    for (build, counter) in [(6, 0), (7, 16)] {
        let mut key = key(2, 1, build);
        assert!(change(&mut key, 0x01, &later.payload()));
        assert_eq!(key.snapshot().slots[0].as_ref().unwrap().hotp_counter, counter);
        assert!(change(&mut key, 0x08, &[1, b'T', b'a']));
        assert!(!change(&mut key, 0x09, &[1, b'T', b'a']));
    }
}

#[test]
fn an_access_code_is_needed_for_everything() {
    let code = [9, 8, 7, 6, 5, 4];
    for command in [0x01, 0x04] {
        let mut key = key(5, 4, 3);
        assert!(change(&mut key, 0x01, &Config { new_code: code, ..Config::hotp() }.payload()));
        for wrong in [[0; 6], [9, 8, 7, 6, 5, 5], [4, 5, 6, 7, 8, 9]] {
            assert!(!change(&mut key, command, &Config { code: wrong, ..Config::hotp() }.payload()));
            assert!(!change(&mut key, 0x01, &deletion(wrong)));
        }
        assert!(key.access_code_is(Slot(1), code));
        assert!(change(&mut key, command, &Config { code, ..Config::hotp() }.payload()));
        assert!(key.access_code_is(Slot(1), [0; 6]));
        assert!(change(&mut key, 0x01, &deletion([0; 6])));
    }
}

#[test]
fn a_code_for_an_open_slot_is_not_looked_at() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { code: [1; 6], ..Config::hotp() }.payload()));
    assert!(change(&mut key, 0x01, &deletion([2; 6])) && key.snapshot().slots[0].is_none());
}

#[test]
fn an_update_changes_flags_and_nothing_else() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { cfg: 0x42, ..Config::hotp() }.payload()));
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "84755224\n");
    // tkt 0x40 and cfg 0x42 may not be touched, so that they need not be named.
    assert!(change(&mut key, 0x04, &Config::flags(0x24, 0x01, 0x0c).payload()));
    let slot = key.snapshot().slots[0].clone().unwrap();
    assert_eq!((slot.ext, slot.tkt, slot.cfg), (0x24, 0x41, 0x4e));
    assert!(key.slot_holds(Slot(1), RFC4226));
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "\t94287082");
    // The update may take the right to update away.
    assert!(change(&mut key, 0x04, &Config::flags(0x04, 0x20, 0).payload()));
    assert!(!change(&mut key, 0x04, &Config::flags(0x24, 0x20, 0).payload()));
}

#[test]
fn an_update_needs_a_slot_that_allows_it_and_firmware_2_3() {
    let update = Config::flags(0x04, 0x20, 0).payload();
    let mut new = key(5, 4, 3);
    assert!(!change(&mut new, 0x04, &update));
    assert!(change(&mut new, 0x01, &Config { ext: 0x04, ..Config::hotp() }.payload()));
    assert!(!change(&mut new, 0x04, &update));
    let mut old = key(2, 2, 3);
    assert!(change(&mut old, 0x01, &Config { ext: 0x04, ..Config::hotp() }.payload()));
    assert!(!change(&mut old, 0x04, &update));
    assert!(!change(&mut old, 0x06, &[]));
}

#[test]
fn a_swap_takes_counters_along_and_asks_both_slots() {
    let code = [1, 2, 3, 4, 5, 6];
    let mut key = key(5, 4, 3);
    assert!(!change(&mut key, 0x06, &[]));
    assert!(change(&mut key, 0x01, &Config { new_code: code, ..Config::hotp() }.payload()));
    key.touch(Press::Short).unwrap();
    assert!(!change(&mut key, 0x06, &[]));
    assert!(change(&mut key, 0x06, &deletion(code)));
    let slots = key.snapshot().slots;
    assert!(slots[0].is_none());
    assert_eq!(slots[1].as_ref().map(|slot| slot.hotp_counter), Some(1));
    assert!(change(&mut key, 0x01, &Config { ext: 0x04, ..Config::hotp() }.payload()));
    assert!(!change(&mut key, 0x06, &deletion(code)));
}

#[test]
fn slot_1_can_protect_slot_2() {
    let protecting = Config { tkt: 0xe0, ..Config::hotp() }.payload();
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &protecting));
    assert!(!change(&mut key, 0x03, &Config::hotp().payload()));
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    assert!(change(&mut key, 0x03, &protecting));
    assert!(change(&mut key, 0x01, &protecting));
    assert!(change(&mut key, 0x03, &deletion([0; 6])));
    assert!(!change(&mut key, 0x03, &Config::hotp().payload()));
}

#[test]
fn firmware_4_3_2_to_4_3_5_drops_changes_of_the_access_code() {
    let set = Config { new_code: [1; 6], ..Config::flags(0x24, 0x20, 0) };
    for (build, drops) in [(1, false), (2, true), (5, true), (6, false)] {
        let mut key = key(4, 3, build);
        assert!(change(&mut key, 0x01, &Config::hotp().payload()));
        assert!(change(&mut key, 0x04, &set.payload()));
        assert_eq!(key.access_code_is(Slot(1), [1; 6]), !drops, "4.3.{build}");
    }
    let keep = Config { code: [1; 6], ..set };
    for (build, spoilt) in [(3, true), (6, false)] {
        let mut key = key(4, 3, build);
        assert!(change(&mut key, 0x01, &Config { new_code: [1; 6], ..Config::hotp() }.payload()));
        for _ in 0..3 {
            assert!(change(&mut key, 0x04, &keep.payload()));
        }
        assert_eq!(change(&mut key, 0x04, &keep.payload()), !spoilt);
        assert_eq!(serial(&mut key).is_none(), spoilt);
        assert!(change(&mut key, 0x01, &deletion([1; 6])));
    }
}

#[test]
fn the_serial_is_told_when_some_slot_says_so_or_none_is_there() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { ext: 0x20, ..Config::hotp() }.payload()));
    assert_eq!(serial(&mut key), None);
    assert_eq!(key.usb_serial(), None);
    assert!(change(&mut key, 0x03, &Config { ext: 0x26, ..Config::hotp() }.payload()));
    assert_eq!(serial(&mut key), Some(SERIAL));
    assert_eq!(key.usb_serial().as_deref(), Some("0012345678"));
    assert!(change(&mut key, 0x03, &deletion([0; 6])));
    assert_eq!(serial(&mut key), None);
    assert!(change(&mut key, 0x01, &deletion([0; 6])));
    assert_eq!(serial(&mut key), Some(SERIAL));
}

#[test]
fn the_serial_came_with_2_2() {
    assert_eq!(serial(&mut key(2, 1, 3)), None);
    assert_eq!(serial(&mut key(2, 2, 0)), Some(SERIAL));
}

#[test]
fn what_the_touch_level_tells_grew_with_the_firmware() {
    for (firmware, low) in [((2, 0, 0), 0x00), ((2, 1, 0), 0x03), ((2, 4, 0), 0x03), ((3, 1, 0), 0x0f)] {
        let mut key = key(firmware.0, firmware.1, firmware.2);
        let plain = Config { ext: 0, tkt: 0x20, cfg: 0, ..Config::hotp() }.payload();
        assert!(change(&mut key, 0x01, &plain));
        assert!(change(&mut key, 0x03, &plain));
        assert_eq!(status(&mut key)[4], low, "{firmware:?}");
    }
    let mut key = key(5, 4, 3);
    // Challenges fire on touch only when they ask for it.
    assert!(change(&mut key, 0x01, &Config { cfg: 0x26, ..Config::hotp() }.payload()));
    assert!(change(&mut key, 0x03, &Config { cfg: 0x2e, ext: 0xa4, ..Config::hotp() }.payload()));
    assert_eq!(status(&mut key)[4..], [0x1b, 0x05]);
    assert_eq!(crate::host::key(4, 3, 4).get_feature().unwrap()[6], 0x03);
}
