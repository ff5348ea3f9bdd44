//! Writing, deleting, counting.

use keys::device::Slot;
use twins::key::{KeyTwin, Press};

use crate::host::{Config, SERIAL, change, deletion, key, serial, status, text};

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
