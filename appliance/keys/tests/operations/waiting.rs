//! Keys that do not answer at once.

use std::time::Duration;

use crate::key::ToyKey;
use keys::device::{Answer, KeyError, KeyInfo, Occupancy, Operation, Unlock};
use keys::secret::AccessCode;
use keys::yubikey::command::{self, Command, OtpSlot};
use keys::yubikey::conversations::{Exchange, Outcome, Settle};
use keys::yubikey::frame::ABORT;

use crate::{hotp, key_error, program, yubikey5};

#[test]
fn a_key_that_spoke_fido_before_is_asked_until_it_listens() {
    let mut key = yubikey5();
    key.asleep_until = Duration::from_millis(2200);
    assert_eq!(key.inspect().serial.unwrap().number, 12_345_678);
    assert!(key.elapsed() < Duration::from_millis(3500), "{:?}", key.elapsed());
}

#[test]
fn a_hidden_serial_is_taken_from_device_information_without_waiting() {
    let mut key = yubikey5();
    key.hides_serial = true;
    assert_eq!(key.inspect().serial.unwrap().number, 12_345_678);
    assert!(key.elapsed() < Duration::from_millis(500), "{:?}", key.elapsed());
}

#[test]
fn a_neo_that_hides_its_serial_is_asked_six_times() {
    let mut key = ToyKey::new(3, 4, 9).with(1, hotp());
    key.hides_serial = true;
    assert_eq!(key.ask_as(0x0116, None, Operation::Inspect).map(serial_of).unwrap(), None);
    let asked = key.commands().into_iter().filter(|&command| command == Command::Serial).count();
    assert_eq!(asked, 6);
    assert!(key.elapsed() > Duration::from_millis(2500));
}

#[test]
fn a_key_with_nothing_but_otp_is_asked_once() {
    let mut key = ToyKey::new(2, 3, 1);
    key.hides_serial = true;
    assert_eq!(key.ask_as(0x0010, None, Operation::Inspect).map(serial_of).unwrap(), None);
    assert_eq!(key.commands(), [Command::Serial]);
}

fn serial_of(answer: Answer) -> Option<u32> {
    let Answer::Inspected(KeyInfo { serial, .. }) = answer else { panic!("not inspected") };
    serial.map(|serial| serial.number)
}

#[test]
fn a_neo_that_starts_is_not_written_to() {
    let mut key = ToyKey::new(3, 4, 9);
    key.starting_until = Duration::from_millis(900);
    assert!(key.ask_as(0x0110, None, Operation::Inspect).is_ok());
    key.starting_until = Duration::from_secs(60);
    let error = key_error(key.ask_as(0x0110, None, Operation::Inspect));
    assert_eq!(error, KeyError::TimedOut(Duration::from_secs(3)));
}

#[test]
fn a_neo_is_shaken_awake_before_its_sequence_is_believed() {
    let mut key = ToyKey::new(3, 4, 9).with(1, hotp());
    key.sequence = 7;
    key.cached_sequence = Some(4);
    let Answer::Programmed = key.ask_as(0x0110, None, program(2, Unlock::None, None)).unwrap() else {
        panic!()
    };
    assert_eq!(key.commands(), [Command::ScanMap, Command::Serial, Command::Write(OtpSlot::Two)]);
    let probe: Vec<_> = command::neo_wakeup_probe().reports().collect();
    assert_eq!(key.written[0], ABORT);
    assert_eq!(key.written[1..=probe.len()], probe);
    assert_eq!(key.sequence, 8);
}

#[test]
fn no_other_key_gets_the_probe() {
    for version in [(2, 4, 2), (4, 3, 4), (5, 4, 3)] {
        let mut key = ToyKey::new(version.0, version.1, version.2);
        key.ask(None, program(1, Unlock::None, None)).unwrap();
        assert!(!key.commands().contains(&Command::ScanMap));
    }
}

#[test]
fn a_slow_key_is_waited_for_between_chunks() {
    let mut key = yubikey5();
    key.slow = Duration::from_millis(40);
    assert!(matches!(key.ask(None, program(1, Unlock::None, None)), Ok(Answer::Programmed)));
}

#[test]
fn a_swap_of_920_ms_is_waited_for() {
    let mut key = yubikey5().with(1, hotp());
    let status = key.drive(&mut Settle::new()).unwrap();
    key.works_for = Duration::from_millis(920);
    let frame = command::swap(&AccessCode::from_array(&[0; 6]));
    let outcome = key.drive(&mut Exchange::new(frame, status)).unwrap();
    let Outcome::Taken(after) = outcome else { panic!("not taken") };
    assert_eq!(after.occupancy(OtpSlot::Two), Occupancy::Occupied);
}

#[test]
fn a_key_that_stays_busy_is_given_up() {
    let mut key = yubikey5();
    key.works_for = Duration::from_secs(60);
    let error = key_error(key.ask_as(0x0401, None, Operation::Inspect));
    assert!(matches!(error, KeyError::TimedOut(_)));
    assert!(key.elapsed() < Duration::from_secs(10), "{:?}", key.elapsed());
}
