//! What a key gives once it was programmed.

use keys::device::{Answer, Credential, Digits, HashAlgorithm, KeyError};

use crate::desk::{
    Desk, RFC4226, RFC6238_SHA256, ask_hotp, ask_totp, code, erase, expected, hotp, key_error, program, seed,
    totp,
};

#[test]
fn hotp_codes_are_those_of_rfc_4226_one_after_the_other() {
    let mut desk = Desk::new();
    desk.program("corp:NK11223344_1", hotp(RFC4226));
    for counter in 0..10 {
        assert_eq!(code(desk.ask(ask_hotp("corp:NK11223344_1"))), expected(RFC4226, counter));
    }
    assert_eq!(desk.touches, 0);
}

#[test]
fn totp_codes_are_those_of_rfc_6238() {
    // RFC 6238 appendix B; 59 s, 1111111109 s and 20000000000 s are these steps.
    const STEPS: [u64; 3] = [1, 0x0235_23ec, 0x27bc_86aa];
    let sha1 = ["94287082", "07081804", "65353130"];
    let sha256 = ["46119246", "68084774", "77737706"];
    let mut desk = Desk::new();
    desk.program("sha1", totp(RFC4226, HashAlgorithm::Sha1, Digits::Eight));
    desk.program("sha256", totp(RFC6238_SHA256, HashAlgorithm::Sha256, Digits::Eight));
    desk.program("six", totp(RFC4226, HashAlgorithm::Sha1, Digits::Six));
    for (at, step) in STEPS.into_iter().enumerate() {
        assert_eq!(code(desk.ask(ask_totp("sha1", step, Digits::Eight))), sha1[at]);
        assert_eq!(code(desk.ask(ask_totp("sha256", step, Digits::Eight))), sha256[at]);
        assert_eq!(code(desk.ask(ask_totp("six", step, Digits::Six))), sha1[at][2..]);
    }
}

#[test]
fn hotp_can_have_eight_digits() {
    let mut desk = Desk::new();
    desk.program("eight", Credential::Hotp { seed: seed(RFC4226), digits: Digits::Eight });
    // RFC 4226 appendix D: the truncated number 1284755224.
    let ask = crate::desk::ask_code(
        "eight",
        keys::device::Kind::Hotp,
        Vec::new(),
        Digits::Eight,
        keys::device::Unlock::None,
    );
    assert_eq!(code(desk.ask(ask)), "84755224");
    // A profile that expects something else is told so.
    assert!(matches!(key_error(desk.ask(ask_hotp("eight"))), KeyError::DoesNotFit(_)));
}

#[test]
fn secrets_of_every_length_are_taken() {
    let mut desk = Desk::new();
    for length in [16, 20, 32, 40, 64] {
        let secret: Vec<u8> = (1..=length).collect();
        let label = format!("of {length} bytes");
        desk.program(&label, hotp(&secret));
        assert_eq!(code(desk.ask(ask_hotp(&label))), expected(&secret, 0), "{length}");
    }
}

#[test]
fn what_no_key_of_this_kind_can_is_refused_at_once() {
    let mut desk = Desk::new();
    let sha512 = totp(&[7; 64], HashAlgorithm::Sha512, Digits::Six);
    assert!(matches!(key_error(desk.ask(program("sha512", sha512))), KeyError::DoesNotFit(_)));
    for label in [String::new(), "x".repeat(128)] {
        let result = desk.ask(program(&label, hotp(RFC4226)));
        assert!(matches!(key_error(result), KeyError::DoesNotFit(_)), "{}", label.len());
    }
    assert!(desk.names().is_empty());
}

#[test]
fn names_are_kept_as_they_are() {
    let mut desk = Desk::new();
    let longest = "n".repeat(127);
    for label in ["a", "Büro:NK11223344_1", "a b:c/d@e", longest.as_str()] {
        desk.program(label, hotp(RFC4226));
        assert!(desk.names().contains(&label.to_owned()));
        assert_eq!(code(desk.ask(ask_hotp(label))), expected(RFC4226, 0));
    }
}

#[test]
fn a_name_that_is_taken_is_never_replaced() {
    let mut desk = Desk::new();
    desk.program("mine", hotp(RFC4226));
    assert_eq!(key_error(desk.ask(program("mine", hotp(&[9; 20])))), KeyError::Occupied);
    assert_eq!(code(desk.ask(ask_hotp("mine"))), expected(RFC4226, 0));
}

#[test]
fn what_was_erased_is_gone_and_the_rest_is_not() {
    let mut desk = Desk::new();
    desk.program("one", hotp(RFC4226));
    desk.program("other", hotp(&[9; 20]));
    assert!(matches!(desk.ask(erase("one")), Ok(Answer::Erased)));
    assert_eq!(desk.touches, 1);
    assert_eq!(key_error(desk.ask(ask_hotp("one"))), KeyError::Empty);
    assert_eq!(code(desk.ask(ask_hotp("other"))), expected(&[9; 20], 0));
    // Nothing to do, and no touch for it.
    assert!(matches!(desk.ask(erase("one")), Ok(Answer::Erased)));
    assert_eq!(desk.touches, 1);
    desk.program("one", hotp(RFC4226));
}
