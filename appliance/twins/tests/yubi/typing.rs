//! What comes out of the keyboard, and when.

use std::time::Duration;

use keys::device::Slot;
use twins::key::{KeyTwin, Press};
use twins::yubikey::YubiKeyTwin;

use crate::host::{Config, change, key, send, text};

fn written(config: &Config) -> YubiKeyTwin {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &config.payload()));
    key
}

fn typed(config: &Config) -> String {
    text(&written(config).touch(Press::Short).unwrap())
}

fn milliseconds(config: &Config, press: Press) -> Vec<u128> {
    written(config).press(press).unwrap().iter().map(|stroke| stroke.after.as_millis()).collect()
}

#[test]
fn token_ids_are_typed_in_four_ways() {
    let fixed = vec![0xe1, 0xe2, 0x00, 0x11, 0x22, 0x33];
    for (cfg, wanted) in
        [(0x00, "e1e200112233"), (0x10, "ube200112233"), (0x40, "ubud00112233"), (0x50, "ubudccbbddee")]
    {
        let config = Config { fixed: fixed.clone(), cfg, ..Config::hotp() };
        assert_eq!(typed(&config), format!("{wanted}755224\n"));
    }
    let hexadecimal = Config { fixed: vec![0xab, 0xcd, 0xef], cfg: 0, ..Config::hotp() };
    assert_eq!(typed(&hexadecimal), "abcdef755224\n");
    let short = Config { fixed: vec![0xe1], ..Config::hotp() };
    assert_eq!(typed(&short), "ub755224\n");
}

#[test]
fn tabs_and_return_are_typed_where_the_flags_say() {
    let fixed = vec![0xe1, 0xe2];
    let with = |tkt| typed(&Config { fixed: fixed.clone(), tkt, ..Config::hotp() });
    assert_eq!(with(0x40), "ubud755224");
    assert_eq!(with(0x41), "\tubud755224");
    assert_eq!(with(0x42), "ubud\t755224");
    assert_eq!(with(0x44), "ubud755224\t");
    assert_eq!(with(0x67), "\tubud\t755224\t\n");
}

#[test]
fn digits_come_from_the_keypad_when_asked() {
    let mut key = written(&Config { ext: 0x2c, ..Config::hotp() });
    let reports = key.touch(Press::Short).unwrap();
    let usages: Vec<u8> = reports.iter().step_by(2).map(|report| report[2]).collect();
    // 7 5 5 2 2 4 and Return.
    assert_eq!(usages, [0x5f, 0x5d, 0x5d, 0x5a, 0x5a, 0x5c, 0x28]);
}

#[test]
fn reports_are_those_of_a_boot_keyboard() {
    let reports = written(&Config::hotp()).touch(Press::Short).unwrap();
    assert_eq!(reports.len(), 14);
    assert_eq!(reports[0], [0, 0, 0x24, 0, 0, 0, 0, 0]);
    assert_eq!(reports[1], [0; 8]);
    assert_eq!(reports[12], [0, 0, 0x28, 0, 0, 0, 0, 0]);
}

#[test]
fn delays_and_pacing_take_their_time() {
    let plain = Config { ext: 0x24, tkt: 0x40, ..Config::hotp() };
    assert_eq!(milliseconds(&plain, Press::Short)[..3], [510, 10, 10]);
    let paced = |cfg| milliseconds(&Config { cfg, ..plain.clone() }, Press::Short)[1];
    assert_eq!([paced(0x44), paced(0x48), paced(0x4c)], [20, 30, 40]);
    let delayed = Config { fixed: vec![0xe1, 0xe2], tkt: 0x78, ..plain };
    let times = milliseconds(&delayed, Press::Short);
    let long: Vec<usize> = (1..times.len()).filter(|at| times[*at] == 510).collect();
    // Before the code's first digit, and before Return.
    assert_eq!(long, [8, 20]);
}

#[test]
fn slot_1_fires_sooner_when_it_is_alone_and_may() {
    let fast = Config::hotp();
    assert_eq!(milliseconds(&fast, Press::Short)[0], 110);
    // It fires before anybody can press long.
    assert_eq!(milliseconds(&fast, Press::Long)[0], 110);
    let slow = Config { ext: 0x24, ..Config::hotp() };
    assert_eq!(milliseconds(&slow, Press::Short)[0], 510);
    assert!(milliseconds(&slow, Press::Long).is_empty());
    let mut both = written(&fast);
    both.occupy(Slot(2), None);
    assert_eq!(both.press(Press::Short).unwrap()[0].after, Duration::from_millis(510));
    assert_eq!(both.press(Press::Long).unwrap()[0].after, Duration::from_millis(2510));
}

#[test]
fn scan_codes_end_at_a_zero_and_use_all_38_places() {
    let password = |codes: &[u8]| {
        let mut all = [0; 38];
        all[..codes.len()].copy_from_slice(codes);
        Config {
            fixed: all[..16].to_vec(),
            uid: all[16..22].try_into().unwrap(),
            key: all[22..].try_into().unwrap(),
            tkt: 0x20,
            cfg: 0x02,
            ..Config::hotp()
        }
    };
    assert_eq!(typed(&password(&[0x84, 0x05, 0x1e])), "Ab1\n");
    assert_eq!(typed(&password(&[0x04, 0x00, 0x05])), "a\n");
    assert_eq!(typed(&password(&[0x04; 38])), format!("{}\n", "a".repeat(38)));
}

#[test]
fn a_static_ticket_is_always_the_same() {
    let config = Config { fixed: vec![1, 2], tkt: 0x20, cfg: 0x20, ..Config::hotp() };
    let mut key = written(&config);
    let ticket = text(&key.touch(Press::Short).unwrap());
    assert_eq!(ticket.len(), 4 + 32 + 1);
    key.power().unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), ticket);
    assert_eq!(typed(&Config { cfg: 0x22, ..config.clone() }), format!("{}\n", ticket.get(..20).unwrap()));
    assert_eq!(typed(&Config { cfg: 0x21, ..config.clone() }), format!("cbdefghijklnrtuv{ticket}"));
    // "cbcd" is the fixed part 01 02 in modhex.
    assert!(ticket.starts_with("cbcd"));
    assert_eq!(typed(&Config { cfg: 0x30, ..config.clone() }), format!("CB{}", ticket.get(2..).unwrap()));
    let digits = typed(&Config { cfg: 0x60, ..config.clone() });
    assert!(digits.starts_with("0102") && !digits.contains(['c', 'b', 'd', 'e', 'f', 'g', 'h', 'i']));
    assert_eq!(digits.len(), ticket.len());
    let all = typed(&Config { cfg: 0x71, ..config });
    assert!(all.starts_with("!0102"));
    assert_eq!(all.chars().filter(char::is_ascii_uppercase).count(), 2);
}

#[test]
fn the_reference_string_comes_first() {
    let config = Config { tkt: 0x20, cfg: 0x01, ..Config::hotp() };
    assert!(typed(&config).starts_with("cbdefghijklnrtuv"));
}

#[test]
fn a_dormant_slot_types_nothing() {
    let mut key = written(&Config { ext: 0x64, ..Config::hotp() });
    assert!(key.touch(Press::Short).unwrap().is_empty());
    assert!(change(&mut key, 0x04, &Config::flags(0x24, 0x20, 0).payload()));
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "755224\n");
}

#[test]
fn a_scan_map_is_kept_until_it_is_cleared() {
    let mut map = *b"\x06\x05\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x11\x15\x17\x18\x19\
        \x86\x85\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x91\x95\x97\x98\x99\
        \x27\x1e\x1f\x20\x21\x22\x23\x24\x25\x26\x9e\x2b\x28";
    // The two keys in question change places.
    map.swap(39, 34);
    let mut key = written(&Config::hotp());
    assert!(change(&mut key, 0x12, &map));
    key.power().unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "255774\n");
    let mut twice = map;
    twice[0] = twice[1];
    assert!(!change(&mut key, 0x12, &twice));
    assert!(!change(&mut key, 0x12, &[b'c'; 51]));
    assert!(change(&mut key, 0x12, &[]));
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "287082\n");
    assert!(!change(&mut crate::host::key(2, 4, 0), 0x12, &map));
}

#[test]
fn a_busy_key_types_nothing() {
    let mut key = written(&Config::hotp());
    for report in crate::host::reports(0x03, &Config::hotp().payload()) {
        key.set_feature(&report).unwrap();
    }
    assert!(key.touch(Press::Short).unwrap().is_empty());
    key.advance(Duration::from_millis(60)).unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "755224\n");
}

#[test]
fn half_a_frame_does_not_stop_typing() {
    let mut key = written(&Config::hotp());
    key.set_feature(&[0, 0, 0, 0, 0, 0, 0, 0x80]).unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "755224\n");
    assert!(send(&mut key, 0x10, &[]).is_ok());
}
