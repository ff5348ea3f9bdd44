//! The PIN: presented seldom, and never put at risk.

use keys::device::{Answer, Digits, Guard, KeyError, Kind, Operation, Unlock};
use twins::key::KeyTwin;

use crate::desk::{
    Desk, RFC4226, ask_code, ask_hotp, code, erase_with, expected, hotp, key_error, pin, program,
    program_with, user,
};

fn ask_with(unlock: Unlock) -> Operation {
    ask_code("guarded", Kind::Hotp, Vec::new(), Digits::Six, unlock)
}

fn guarded(unlock: Unlock) -> Operation {
    program_with("guarded", hotp(RFC4226), Guard::Pin, unlock)
}

#[test]
fn a_credential_can_want_the_pin_for_every_code() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    assert!(matches!(desk.ask(guarded(user("right"))), Ok(Answer::Programmed)));
    for counter in 0..2 {
        assert_eq!(code(desk.ask(ask_with(user("right")))), expected(RFC4226, counter));
    }
    // It cannot be seen without, so there is none.
    assert_eq!(key_error(desk.ask(ask_with(Unlock::None))), KeyError::Empty);
    assert!(desk.names().is_empty());
    assert!(matches!(desk.ask(erase_with("guarded", user("right"))), Ok(Answer::Erased)));
    assert_eq!(key_error(desk.ask(ask_with(user("right")))), KeyError::Empty);
}

#[test]
fn what_is_hidden_behind_the_pin_is_not_replaced() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    desk.ask(guarded(user("right"))).unwrap();
    assert_eq!(key_error(desk.ask(program("guarded", hotp(&[9; 20])))), KeyError::Occupied);
    assert_eq!(key_error(desk.ask(guarded(user("right")))), KeyError::Occupied);
    assert_eq!(code(desk.ask(ask_with(user("right")))), expected(RFC4226, 0));
}

#[test]
fn a_pin_needs_to_be_set_and_given_to_guard_a_credential() {
    let mut desk = Desk::new();
    assert!(matches!(key_error(desk.ask(guarded(Unlock::None))), KeyError::PinNeeded(_)));
    assert!(matches!(key_error(desk.ask(guarded(user("right")))), KeyError::PinNeeded(_)));
    desk.set_pin("right");
    desk.ask(guarded(user("right"))).unwrap();
}

#[test]
fn the_pin_does_not_stand_in_the_way_of_what_does_not_want_it() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    desk.program("free", hotp(RFC4226));
    assert_eq!(code(desk.ask(ask_hotp("free"))), expected(RFC4226, 0));
    assert_eq!(desk.names(), ["free"]);
}

#[test]
fn a_wrong_pin_is_counted_and_the_last_two_tries_are_not_the_stations() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    // It has eight tries.
    for tries_left in (2..8).rev() {
        let result = desk.ask(guarded(user("wrong")));
        assert_eq!(key_error(result), KeyError::WrongPin { tries_left });
    }
    for text in ["wrong", "right"] {
        let result = desk.ask(guarded(user(text)));
        assert_eq!(key_error(result), KeyError::PinAtRisk { tries_left: 2 });
    }
    let change = Operation::ChangePin { old: Some(pin("right")), new: pin("new") };
    assert_eq!(key_error(desk.ask(change)), KeyError::PinAtRisk { tries_left: 2 });
    // What does not want it goes on.
    desk.program("free", hotp(RFC4226));
}

#[test]
fn the_pin_can_be_changed() {
    let mut desk = Desk::new();
    desk.set_pin("first");
    let change = |old: &str, new: &str| Operation::ChangePin { old: Some(pin(old)), new: pin(new) };
    assert!(matches!(desk.ask(change("first", "second")), Ok(Answer::PinChanged)));
    assert_eq!(key_error(desk.ask(change("first", "third"))), KeyError::WrongPin { tries_left: 7 });
    desk.ask(guarded(user("second"))).unwrap();
    // A right one gives all tries back.
    assert_eq!(key_error(desk.ask(change("first", "third"))), KeyError::WrongPin { tries_left: 7 });
}

#[test]
fn a_pin_that_is_set_is_not_set_again() {
    let mut desk = Desk::new();
    desk.set_pin("first");
    let again = Operation::ChangePin { old: None, new: pin("second") };
    assert!(matches!(key_error(desk.ask(again)), KeyError::PinNeeded(_)));
    desk.ask(guarded(user("first"))).unwrap();
}

#[test]
fn without_a_touch_the_pin_is_not_tried() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    desk.attentive = false;
    for _ in 0..3 {
        assert_eq!(key_error(desk.ask(guarded(user("wrong")))), KeyError::NotTouched);
    }
    desk.attentive = true;
    let result = desk.ask(guarded(user("wrong")));
    assert_eq!(key_error(result), KeyError::WrongPin { tries_left: 7 });
}

#[test]
fn pin_and_credentials_are_there_after_a_replug() {
    let mut desk = Desk::new();
    desk.set_pin("right");
    desk.ask(guarded(user("right"))).unwrap();
    desk.program("free", hotp(RFC4226));
    assert_eq!(code(desk.ask(ask_hotp("free"))), expected(RFC4226, 0));
    desk.key.with(KeyTwin::power).unwrap();
    assert_eq!(code(desk.ask(ask_hotp("free"))), expected(RFC4226, 1));
    assert_eq!(code(desk.ask(ask_with(user("right")))), expected(RFC4226, 0));
}
