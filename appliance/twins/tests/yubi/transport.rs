//! Reports, one at a time.

use std::time::Duration;

use twins::key::{KeyTwin, Press, TwinError};
use twins::yubikey::YubiKeyTwin;

use crate::host::{Config, Outcome, SERIAL, ask, change, key, reports, send, serial, status, with};

const RESET: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 0x8f];

fn put(key: &mut YubiKeyTwin, command: u8, payload: &[u8]) {
    for report in reports(command, payload) {
        key.set_feature(&report).unwrap();
    }
}

fn control(key: &mut YubiKeyTwin) -> u8 {
    key.get_feature().unwrap()[7]
}

fn after(key: &mut YubiKeyTwin, milliseconds: u64) -> u8 {
    key.advance(Duration::from_millis(milliseconds)).unwrap();
    control(key)
}

/// How many milliseconds the key is busy.
fn busy(key: &mut YubiKeyTwin) -> u64 {
    (0..2000).find(|_| after(key, 1) & 0x80 == 0).unwrap() + 1
}

/// A key whose slot 2 answers HMAC challenges after a touch.
fn wanting_touch() -> YubiKeyTwin {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x03, &Config { tkt: 0x40, cfg: 0x2e, ..Config::hotp() }.payload()));
    key
}

#[test]
fn a_write_takes_20_to_60_ms_and_a_swap_up_to_920() {
    let mut key = key(5, 4, 3);
    for _ in 0..20 {
        put(&mut key, 0x01, &Config::hotp().payload());
        assert_eq!(control(&mut key), 0x89);
        assert!((20..=60).contains(&busy(&mut key)));
        put(&mut key, 0x06, &[]);
        assert!((300..=920).contains(&busy(&mut key)));
    }
    assert_eq!(status(&mut key)[3], 40);
}

#[test]
fn the_status_is_the_old_one_while_the_key_is_busy() {
    let mut key = key(5, 4, 3);
    put(&mut key, 0x01, &Config::hotp().payload());
    assert_eq!(status(&mut key)[3..5], [0, 0]);
    busy(&mut key);
    assert_eq!(status(&mut key)[3..5], [1, 5]);
}

#[test]
fn reports_to_a_busy_key_are_lost() {
    let mut key = key(5, 4, 3);
    put(&mut key, 0x01, &Config::hotp().payload());
    put(&mut key, 0x03, &Config::hotp().payload());
    busy(&mut key);
    assert_eq!(status(&mut key)[3..5], [1, 5]);
    // The next command is whole again.
    assert!(change(&mut key, 0x03, &Config::hotp().payload()));
}

#[test]
fn a_slow_key_wants_the_host_to_wait_between_reports() {
    let slow = with(|faults| faults.slow_reports = Duration::from_millis(3));
    let mut hasty = key(5, 4, 3);
    hasty.set_faults(slow);
    put(&mut hasty, 0x01, &Config::hotp().payload());
    assert_eq!(after(&mut hasty, 100), 0);
    assert_eq!(status(&mut hasty)[3], 0);
    let mut patient = key(5, 4, 3);
    patient.set_faults(slow);
    assert!(change(&mut patient, 0x01, &Config::hotp().payload()));
}

#[test]
fn a_response_stays_until_it_is_reset() {
    for reset in [RESET, [0, 0, 0, 0, 0, 0, 0, 0xff]] {
        let mut key = key(5, 4, 3);
        put(&mut key, 0x10, &[]);
        assert!(busy(&mut key) <= 8);
        // One chunk was read on the way.
        for _ in 0..3 {
            assert_eq!(control(&mut key), 0x40);
        }
        key.set_feature(&reset).unwrap();
        assert_eq!(control(&mut key), 0);
        assert_eq!(serial(&mut key), Some(SERIAL));
    }
}

#[test]
fn any_write_ends_a_response_and_is_not_looked_at() {
    let mut key = key(5, 4, 3);
    put(&mut key, 0x10, &[]);
    busy(&mut key);
    // A host that forgot to reset loses its first report, and so its command.
    put(&mut key, 0x01, &Config::hotp().payload());
    assert_eq!(after(&mut key, 100), 0);
    assert_eq!(status(&mut key)[3], 0);
}

#[test]
fn a_reset_drops_an_answer_on_its_way_but_no_change() {
    let mut key = key(5, 4, 3);
    put(&mut key, 0x10, &[]);
    key.set_feature(&RESET).unwrap();
    assert_eq!(after(&mut key, 10), 0);
    put(&mut key, 0x01, &Config::hotp().payload());
    key.set_feature(&RESET).unwrap();
    assert_eq!(after(&mut key, 60), 0);
    assert_eq!(status(&mut key)[3], 1);
}

#[test]
fn a_reset_in_the_middle_of_a_frame_forgets_it() {
    let mut key = key(5, 4, 3);
    let reports = reports(0x01, &Config::hotp().payload());
    for cut in 1..reports.len() {
        for report in &reports[..cut] {
            key.set_feature(report).unwrap();
        }
        key.set_feature(&RESET).unwrap();
        for report in &reports[cut..] {
            key.set_feature(report).unwrap();
        }
        assert_eq!(after(&mut key, 100), 0);
        assert_eq!(status(&mut key)[3], 0, "cut at {cut}");
    }
}

#[test]
fn a_new_first_chunk_begins_a_new_frame() {
    let mut key = key(5, 4, 3);
    key.set_feature(&[0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x80]).unwrap();
    key.set_feature(&[0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x83]).unwrap();
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
}

#[test]
fn reports_without_the_write_bit_are_nothing() {
    let mut key = key(5, 4, 3);
    for (at, report) in reports(0x01, &Config::hotp().payload()).iter().enumerate() {
        if at == 3 {
            key.set_feature(&[1; 8]).unwrap();
        }
        key.set_feature(report).unwrap();
    }
    busy(&mut key);
    assert_eq!(status(&mut key)[3], 1);
}

#[test]
fn a_report_has_eight_bytes() {
    let mut key = key(5, 4, 3);
    for length in [0, 7, 9, 64] {
        let error = key.set_feature(&vec![0; length]).unwrap_err();
        assert_eq!(error, TwinError::Length { wanted: 8, got: length });
    }
}

#[test]
fn a_wait_for_touch_counts_down_from_15() {
    let mut key = wanting_touch();
    put(&mut key, 0x38, b"challenge");
    assert_eq!(after(&mut key, 8) & 0xe0, 0x20);
    assert_eq!(control(&mut key), 0x20 | 15);
    assert_eq!(after(&mut key, 5000), 0x20 | 10);
    assert_eq!(after(&mut key, 9000), 0x20 | 1);
    let before = status(&mut key);
    assert_eq!(after(&mut key, 1000), 0);
    assert_eq!(status(&mut key), before);
    // Too late: what the touch does now is up to the slots.
    assert!(key.touch(Press::Short).unwrap().is_empty());
    assert_eq!(control(&mut key), 0);
}

#[test]
fn a_touch_of_any_length_answers_the_challenge_and_types_nothing() {
    for press in [Press::Short, Press::Long] {
        let mut key = wanting_touch();
        assert!(change(&mut key, 0x01, &Config::hotp().payload()));
        put(&mut key, 0x38, b"challenge");
        key.advance(Duration::from_millis(100)).unwrap();
        assert!(key.touch(press).unwrap().is_empty());
        let Outcome::Data(data) = crate::host::collect(&mut key).unwrap() else { panic!("no answer") };
        assert_eq!(data.len(), 28);
        assert_eq!(key.touch(Press::Short).unwrap().len(), 14);
    }
}

#[test]
fn a_touch_before_the_wait_does_not_count() {
    let mut key = wanting_touch();
    put(&mut key, 0x38, b"challenge");
    assert_eq!(control(&mut key), 0x89);
    assert!(key.touch(Press::Short).unwrap().is_empty());
    assert_eq!(after(&mut key, 100), 0x20 | 15);
}

#[test]
fn a_wait_is_called_off_by_a_reset() {
    let mut key = wanting_touch();
    assert_eq!(send(&mut key, 0x38, b"challenge").unwrap(), Outcome::Touch);
    key.set_feature(&RESET).unwrap();
    assert_eq!(control(&mut key), 0);
    assert_eq!(serial(&mut key), Some(SERIAL));
}

#[test]
fn the_settings_say_how_long_a_challenge_waits() {
    let mut key = wanting_touch();
    // Tag 07: challenge timeout.
    assert!(change(&mut key, 0x15, &[3, 0x07, 1, 40]));
    put(&mut key, 0x38, b"challenge");
    // Five bits have room for 31.
    assert_eq!(after(&mut key, 10), 0x20 | 31);
    assert_eq!(after(&mut key, 20_000), 0x20 | 20);
    assert_eq!(after(&mut key, 20_000), 0);
}

#[test]
fn an_unknown_command_is_refused_in_silence() {
    let mut key = key(5, 4, 3);
    for command in (0..=0xff).filter(|command| !matches!(command, 0x01 | 0x03 | 0x10 | 0x13 | 0x15)) {
        let before = key.get_feature().unwrap();
        assert_eq!(send(&mut key, command, &[0; 64]).unwrap(), Outcome::Status([5, 4, 3, 0, 0, 5]));
        assert_eq!(key.get_feature().unwrap(), before, "{command:02x}");
    }
}

#[test]
fn a_wrong_frame_checksum_is_refused_in_silence() {
    let mut key = key(5, 4, 3);
    for bit in 0..16 {
        let mut reports = reports(0x01, &Config::hotp().payload());
        let last = reports.last_mut().unwrap();
        last[2 + bit / 8] ^= 1 << (bit % 8);
        for report in &reports {
            key.set_feature(report).unwrap();
        }
        assert_eq!(after(&mut key, 100), 0);
        assert_eq!(status(&mut key)[3..5], [0, 0]);
    }
}

#[test]
fn after_the_card_was_used_otp_does_nothing_for_three_seconds() {
    let mut key = key(5, 4, 3);
    key.apdu(&[0x00, 0xa4, 0x04, 0x00, 0x07, 0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01]).unwrap();
    assert_eq!(ask(&mut key, 0x10, &[], 4), None);
    key.advance(Duration::from_secs(2)).unwrap();
    assert_eq!(ask(&mut key, 0x10, &[], 4), None);
    key.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(serial(&mut key), Some(SERIAL));
}
