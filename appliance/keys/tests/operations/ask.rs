//! Asking for codes.

use std::time::Duration;

use crate::key::{Person, totp_of};
use keys::conversation::Hint;
use keys::device::{Answer, KeyError, Kind};
use keys::yubikey::start;

use crate::{ask_code, hmac, hotp, key_error, seed, yubikey5};

#[test]
fn a_challenge_is_answered() {
    let mut key = yubikey5().with(2, hmac(false));
    let Answer::Code(hex) = key.ask(None, ask_code(2, Kind::ChallengeResponse, &[0])).unwrap() else {
        panic!()
    };
    // Vector calc_hmac_zero_end.
    assert_eq!(hex.expose(), "733a50db22d7f04c8ee27c9f7ff303af5706c649");
}

#[test]
fn totp_comes_out_of_a_challenge_of_the_time_step() {
    let mut key = yubikey5().with(2, hmac(false));
    for unix_seconds in [59, 1_111_111_109, 7680 * 30] {
        let step: u64 = unix_seconds / 30;
        let answer = key.ask(None, ask_code(2, Kind::Totp, &step.to_be_bytes())).unwrap();
        let Answer::Code(digits) = answer else { panic!() };
        assert_eq!(digits.expose(), totp_of(&seed(), unix_seconds));
    }
}

#[test]
fn a_touch_is_asked_for_and_the_seconds_are_counted_down() {
    let mut key = yubikey5().with(2, hmac(true));
    key.person = Person::TouchesAfter(Duration::from_secs(4));
    let mut conversation = start(0x0407, None, ask_code(2, Kind::ChallengeResponse, &[0])).unwrap();
    let (answer, hints) = key.drive_hinted(conversation.as_mut());
    assert!(matches!(answer, Ok(Answer::Code(_))));
    let wanted = |seconds_left| Some(Hint::TouchWanted { seconds_left });
    assert_eq!(hints, [wanted(14), wanted(13), wanted(12), wanted(11), None]);
}

#[test]
fn nobody_touches() {
    let mut key = yubikey5().with(2, hmac(true));
    assert_eq!(key_error(key.ask(None, ask_code(2, Kind::ChallengeResponse, &[0]))), KeyError::NotTouched);
    assert!(key.elapsed() > Duration::from_secs(15) && key.elapsed() < Duration::from_secs(17));
}

#[test]
fn an_empty_slot_and_one_that_types_answer_nothing() {
    let mut key = yubikey5().with(1, hotp());
    assert_eq!(key_error(key.ask(None, ask_code(2, Kind::ChallengeResponse, &[0]))), KeyError::Empty);
    assert_eq!(key_error(key.ask(None, ask_code(1, Kind::ChallengeResponse, &[0]))), KeyError::Refused);
}
