//! Keys that are pulled out, fail, or are spoken to by somebody else as well.

use std::time::Duration;

use keys::device::{Answer, Guard, KeyError, Operation, Unlock};
use keys::wire::{Failure, WireFault};
use twins::key::KeyTwin;

use crate::desk::{Desk, RFC4226, ask_hotp, code, erase, expected, hotp, key_error, program, program_with};

#[test]
fn a_key_pulled_out_anywhere_has_all_of_a_credential_or_nothing() {
    let mut left = 0;
    for transfers in 0..200 {
        let mut desk = Desk::new();
        desk.fault(|faults| faults.pull_out_after_transfers = Some(transfers));
        match desk.ask(program("new", hotp(RFC4226))) {
            Ok(Answer::Programmed) => break,
            Err(Failure::Wire(WireFault::Gone)) => {}
            other => panic!("{transfers}: {other:?}"),
        }
        desk.key.with(KeyTwin::power).unwrap();
        let names = desk.names();
        if names.is_empty() {
            assert_eq!(key_error(desk.ask(ask_hotp("new"))), KeyError::Empty);
        } else {
            assert_eq!(names, ["new"]);
            assert_eq!(code(desk.ask(ask_hotp("new"))), expected(RFC4226, 0), "{transfers}");
            left += 1;
        }
        // It can be put right.
        assert!(matches!(desk.ask(erase("new")), Ok(Answer::Erased)));
        desk.program("new", hotp(RFC4226));
    }
    assert!(left > 0, "it was pulled out before it had the credential, every time");
}

#[test]
fn a_key_pulled_out_while_it_waits_for_a_touch_is_gone() {
    let mut desk = Desk::new();
    desk.program("kept", hotp(RFC4226));
    for transfers in 0..200 {
        desk.fault(|faults| faults.pull_out_after_transfers = Some(transfers));
        match desk.ask(erase("kept")) {
            Ok(Answer::Erased) => return,
            Err(Failure::Wire(WireFault::Gone)) => {}
            other => panic!("{transfers}: {other:?}"),
        }
        desk.key.with(KeyTwin::power).unwrap();
        if desk.names().is_empty() {
            desk.program("kept", hotp(RFC4226));
        }
    }
    panic!("it was never erased");
}

#[test]
fn a_transfer_that_fails_ends_the_operation_and_the_next_one_works() {
    let mut desk = Desk::new();
    desk.fault(|faults| faults.nack = 1);
    assert!(matches!(desk.ask(Operation::Inspect), Err(Failure::Wire(WireFault::Failed(_)))));
    desk.program("new", hotp(RFC4226));
}

#[test]
fn a_dead_key_fails_and_works_again_after_a_replug() {
    let mut desk = Desk::new();
    desk.program("touchy", hotp(RFC4226));
    desk.fault(|faults| faults.dead_after = Some(Duration::from_millis(50)));
    desk.attentive = false;
    assert!(matches!(desk.ask(erase("touchy")), Err(Failure::Wire(_))));
    desk.key.with(KeyTwin::power).unwrap();
    desk.attentive = true;
    assert_eq!(code(desk.ask(ask_hotp("touchy"))), expected(RFC4226, 0));
}

#[test]
fn a_message_cut_off_by_somebody_before_does_no_harm() {
    let mut desk = Desk::new();
    desk.program("kept", hotp(RFC4226));
    // A browser was killed between the first and the second packet of 300 bytes.
    let mut packet = vec![0, 0, 0, 1, 0x90, 1, 44];
    packet.resize(64, 0);
    desk.key.with(|key| key.out(&packet)).unwrap();
    assert_eq!(code(desk.ask(ask_hotp("kept"))), expected(RFC4226, 0));
}

#[test]
fn what_another_program_left_waiting_for_a_touch_is_called_off() {
    let mut desk = Desk::new();
    desk.ask(program_with("touchy", hotp(RFC4226), Guard::Touch, Unlock::None)).unwrap();
    // Somebody asked for a code and went away without taking it.
    let asked = desk.key.clone();
    let mut packet = vec![0xff, 0xff, 0xff, 0xff, 0x86, 0, 8];
    packet.extend([9; 8]);
    packet.resize(64, 0);
    asked.with(|key| key.out(&packet)).unwrap();
    let channel = asked.with(KeyTwin::input).unwrap().unwrap()[15..19].to_vec();
    // CALCULATE of "touchy".
    let apdu = [&[0, 0xa2, 0, 1, 18, 0x71, 6][..], b"touchy", &[0x74, 8, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut packet = [&channel[..], &[0xf0, 0, apdu.len() as u8], &apdu].concat();
    packet.resize(64, 0);
    asked.with(|key| key.out(&packet)).unwrap();
    asked.pass(Duration::from_secs(1)).unwrap();
    assert!(asked.with(KeyTwin::input).unwrap().is_none(), "it waits for a touch");
    // A new channel ends what others have at work (usbd-ctaphid, `pipe.rs`), so that no
    // touch that the station asks for gives somebody else a code.
    assert_eq!(desk.names(), ["touchy"]);
    assert_eq!(code(desk.ask(ask_hotp("touchy"))), expected(RFC4226, 0));
}
