//! Codes, as the proof asks for them.

use keys::device::{Digits, KeyError, Kind, Operation, ProofWay};

use crate::desk::{
    ADMIN, Desk, RFC4226, admin, ask_code, ask_code_with, erase, every_key, expected, hotp, key_error, place,
    program, seed, totp,
};

#[test]
fn hotp_counts_from_zero_and_one_by_one() {
    for mut desk in every_key() {
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        for counter in 0..12 {
            assert_eq!(desk.code(Kind::Hotp, 0, 0).unwrap(), expected(RFC4226, counter));
        }
    }
}

#[test]
fn totp_follows_the_time_step_it_is_told() {
    for mut desk in every_key() {
        desk.ask(program(3, totp(RFC4226))).unwrap();
        for step in [1, 37_037_036, 37_037_037, 59_000_000, 58_000_000] {
            assert_eq!(desk.code(Kind::Totp, 3, step).unwrap(), expected(RFC4226, step), "{step}");
        }
    }
}

#[test]
fn eight_digits_are_eight_digits() {
    for mut desk in every_key() {
        let credential = keys::device::Credential::Hotp { seed: seed(RFC4226), digits: Digits::Eight };
        desk.ask(program(0, credential)).unwrap();
        let result = desk.ask(ask_code(Kind::Hotp, 0, 0, Digits::Six));
        assert!(matches!(key_error(result), KeyError::DoesNotFit(_)));
        let keys::device::Answer::Code(code) = desk.ask(ask_code(Kind::Hotp, 0, 0, Digits::Eight)).unwrap()
        else {
            panic!()
        };
        assert_eq!(code.expose(), "94287082");
    }
}

#[test]
fn another_step_is_another_code_whatever_the_period() {
    let mut desk = Desk::pro();
    let credential = keys::device::Credential::Totp {
        seed: seed(RFC4226),
        digits: Digits::Six,
        hash: keys::device::HashAlgorithm::Sha1,
        period: 600,
    };
    desk.ask(program(0, credential)).unwrap();
    assert_eq!(desk.code(Kind::Totp, 0, 1_000_000).unwrap(), expected(RFC4226, 1_000_000));
}

#[test]
fn an_empty_slot_gives_nothing() {
    for mut desk in every_key() {
        assert_eq!(key_error(desk.code(Kind::Hotp, 0, 0)), KeyError::Empty);
        assert_eq!(key_error(desk.code(Kind::Totp, 0, 5)), KeyError::Empty);
        let challenge = Operation::AskCode {
            slot: keys::device::Slot(0),
            kind: Kind::Totp,
            challenge: vec![1],
            digits: Digits::Six,
            label: String::new(),
            unlock: keys::device::Unlock::None,
        };
        assert!(matches!(key_error(desk.ask(challenge)), KeyError::DoesNotFit(_)));
    }
}

#[test]
fn a_key_that_wants_its_users_pin_says_so_before_anything_is_written() {
    for mut desk in every_key() {
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        desk.key.with(|key| key.set_user_pin_for_codes(true));
        assert!(desk.inspect().slots.iter().all(|slot| slot.abilities[0].proof == ProofWay::BehindPin));
        assert!(matches!(key_error(desk.code(Kind::Hotp, 0, 0)), KeyError::PinNeeded(_)));
        assert_eq!(desk.key.with(|key| key.slot(place(Kind::Hotp, 0))).unwrap().counter, 0);
        desk.ask(erase(Kind::Hotp, 0, admin(ADMIN))).unwrap();
    }
}

#[test]
fn the_users_pin_opens_codes_and_is_never_put_at_risk() {
    let guarded = |pin: &str| {
        ask_code_with(Kind::Hotp, 0, 0, Digits::Six, keys::device::Unlock::UserPin(crate::desk::pin(pin)))
    };
    for mut desk in every_key() {
        desk.ask(program(0, hotp(RFC4226))).unwrap();
        desk.key.with(|key| key.set_user_pin_for_codes(true));
        for counter in 0..2 {
            let keys::device::Answer::Code(code) = desk.ask(guarded("123456")).unwrap() else { panic!() };
            assert_eq!(code.expose(), expected(RFC4226, counter));
        }
        assert_eq!(key_error(desk.ask(guarded("111111"))), KeyError::WrongPin { tries_left: 2 });
        assert_eq!(key_error(desk.ask(guarded("123456"))), KeyError::PinAtRisk { tries_left: 2 });
        assert_eq!(desk.key.with(|key| key.fewest_tries()), 2);
    }
}
