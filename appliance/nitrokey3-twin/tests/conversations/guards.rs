//! Touches: asked for when the key waits for one, and not otherwise.

use std::time::Duration;

use keys::device::{Answer, Guard, KeyError, Unlock};

use crate::desk::{Desk, RFC4226, ask_hotp, code, erase, expected, hotp, key_error, program_with};

fn guarded_by_touch() -> keys::device::Operation {
    program_with("touchy", hotp(RFC4226), Guard::Touch, Unlock::None)
}

#[test]
fn a_credential_can_want_a_touch_for_every_code() {
    let mut desk = Desk::new();
    assert!(matches!(desk.ask(guarded_by_touch()), Ok(Answer::Programmed)));
    let before = desk.touches;
    for counter in 0..3 {
        assert_eq!(code(desk.ask(ask_hotp("touchy"))), expected(RFC4226, counter));
    }
    assert_eq!(desk.touches, before + 3);
}

#[test]
fn without_a_touch_there_is_no_code_and_none_is_used_up() {
    let mut desk = Desk::new();
    desk.ask(guarded_by_touch()).unwrap();
    desk.attentive = false;
    let began = desk.key.elapsed();
    assert_eq!(key_error(desk.ask(ask_hotp("touchy"))), KeyError::NotTouched);
    assert!(desk.key.elapsed() - began < Duration::from_secs(21));
    desk.attentive = true;
    assert_eq!(code(desk.ask(ask_hotp("touchy"))), expected(RFC4226, 0));
}

#[test]
fn without_a_touch_nothing_is_erased() {
    let mut desk = Desk::new();
    desk.program("kept", hotp(RFC4226));
    let mut desk = desk.inattentive();
    assert_eq!(key_error(desk.ask(erase("kept"))), KeyError::NotTouched);
    assert_eq!(desk.touches, 1);
    assert_eq!(desk.names(), ["kept"]);
}

#[test]
fn a_late_touch_is_one_for_nothing() {
    let mut desk = Desk::new();
    desk.program("kept", hotp(RFC4226));
    let mut desk = desk.inattentive();
    assert_eq!(key_error(desk.ask(erase("kept"))), KeyError::NotTouched);
    desk.key.with(|key| twins::key::KeyTwin::touch(key, twins::key::Press::Short)).unwrap();
    assert_eq!(desk.names(), ["kept"]);
    assert_eq!(code(desk.ask(ask_hotp("kept"))), expected(RFC4226, 0));
}

#[test]
fn a_touch_that_is_not_felt_can_be_repeated() {
    let mut desk = Desk::new();
    desk.program("kept", hotp(RFC4226));
    desk.fault(|faults| faults.ignore_touches = 1);
    assert_eq!(key_error(desk.ask(erase("kept"))), KeyError::NotTouched);
    assert!(matches!(desk.ask(erase("kept")), Ok(Answer::Erased)));
}
