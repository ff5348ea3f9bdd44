//! Keys that something else left in the middle of something.

use std::time::Duration;

use keys::device::{Answer, KeyError, Operation, Unlock};
use keys::yubikey::command::{self, OtpSlot};

use crate::{hmac, key_error, program, yubikey5};

#[test]
fn a_half_sent_frame_of_before_does_no_harm() {
    use keys::wire::Wire;
    let mut key = yubikey5();
    let old = command::challenge_hmac(OtpSlot::One, &[0x5a; 63]).unwrap();
    for report in old.reports().take(6) {
        key.set_feature(&report).unwrap();
    }
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
}

#[test]
fn an_unread_response_of_before_is_aborted() {
    use keys::wire::Wire;
    let mut key = yubikey5();
    for report in command::read_serial().reports() {
        key.set_feature(&report).unwrap();
    }
    assert!(!key.response.is_empty());
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
}

#[test]
fn a_wait_for_touch_of_before_is_cancelled() {
    use keys::wire::Wire;
    let mut key = yubikey5().with(2, hmac(true));
    for report in command::challenge_hmac(OtpSlot::Two, &[1]).unwrap().reports() {
        key.set_feature(&report).unwrap();
    }
    assert!(key.touch_wait.is_some());
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
}

#[test]
fn a_key_that_hangs_busy_is_aborted_after_the_slowest_command_would_have_ended() {
    let mut key = yubikey5();
    key.stuck = true;
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
    assert!(key.elapsed() > Duration::from_millis(1150));
}

#[test]
fn a_spoilt_answer_is_asked_for_again() {
    for spoil in [
        (|reports| reports[0][0] ^= 1) as fn(&mut Vec<[u8; 8]>),
        |reports| reports.insert(1, [0, 0, 0, 0, 0, 0, 0, 0x41]),
        |reports| reports[0] = [0, 0, 0, 0, 0, 0, 0, 0x43],
    ] {
        let mut key = yubikey5();
        key.spoil.push_back(spoil);
        assert_eq!(key.inspect().serial.unwrap().number, 12_345_678);
        let mut key = yubikey5();
        key.spoil.extend([spoil; 3]);
        assert!(matches!(key_error(key.ask(None, Operation::Inspect)), KeyError::Garbled(_)));
    }
}

#[test]
fn an_abort_that_got_lost_is_repeated() {
    let mut key = yubikey5();
    key.loses_aborts = 2;
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
}
