//! What Nitrokey's client recorded from the firmware's code, replayed at the twin; the
//! crate `nitrokey3-twin` compares the twin with that code itself.

#![cfg(test)]
#![allow(clippy::string_slice)]

use std::time::Duration;

use keys::device::{
    Answer, Credential, Digits, Guard, HashAlgorithm, KeyError, Kind, Operation, Slot, Unlock,
};
use keys::secret::{Entropy, Pin, Seed};
use keys::wire::{Failure, WireFault};
use twins::key::{KeyTwin, Press};
use twins::nitrokey3::{Faults, Model, SecretsTwin};
use twins::shared::SharedKey;

const VECTORS: &str = include_str!("../../keys/tests/vectors/nitrokey3_secrets.json");
const SECRET: &[u8] = b"12345678901234567890";

fn twin(firmware: Option<[u8; 3]>) -> SecretsTwin {
    SecretsTwin::new(Model { serial: 0x1122_3344, firmware, seed: 1 })
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Sends a message by hand, so that no codec of ours is between; touches the key
/// when it waits for that.
fn call(key: &mut SecretsTwin, channel: [u8; 4], command: u8, data: &[u8]) -> Vec<u8> {
    let (head, tail) = data.split_at(data.len().min(57));
    let mut packets = vec![[&channel[..], &[command | 0x80, 0, data.len() as u8], head].concat()];
    for (sequence, chunk) in tail.chunks(59).enumerate() {
        packets.push([&channel[..], &[sequence as u8], chunk].concat());
    }
    for mut packet in packets {
        packet.resize(64, 0);
        key.out(&packet).unwrap();
    }
    if key.wants_touch() {
        assert_eq!(key.input(), Ok(None));
        key.touch(Press::Short).unwrap();
    }
    let first = key.input().unwrap().unwrap();
    assert_eq!(first[4], command | 0x80, "{first:x?}");
    let length = usize::from(u16::from_be_bytes([first[5], first[6]]));
    let mut answer = first[7..].to_vec();
    while answer.len() < length {
        answer.extend(&key.input().unwrap().unwrap()[5..]);
    }
    answer.truncate(length);
    answer
}

#[test]
fn every_answer_is_that_of_the_firmware() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let mut key = twin(None);
    let channel = call(&mut key, [0xff; 4], 0x06, b"12345678")[8..12].try_into().unwrap();
    let mut compared = 0;
    // In the order in which they were recorded: each check builds on the ones before.
    for check in ["select", "hotp", "totp", "listing", "no_silent_overwrite", "pin"] {
        for entry in vectors["checks"][check]["apdus"].as_array().unwrap() {
            let apdu = hex(entry["apdu"].as_str().unwrap());
            let mut expected = hex(entry["sw_then_data"].as_str().unwrap());
            let mut answer = call(&mut key, channel, 0x70, &apdu);
            if apdu[1] == 0xa4 && answer.get(7) == Some(&0x71) {
                // The salt.
                answer[9..17].fill(0);
                expected[9..17].fill(0);
            }
            assert_eq!(answer, expected, "{check} {compared}");
            compared += 1;
        }
    }
    assert_eq!(compared, 31);
}

fn ask(key: &SharedKey<SecretsTwin>, operation: Operation) -> Result<Answer, Failure> {
    let entropy = Entropy::from_array(&[7; 32]);
    let mut conversation = keys::identify::start(Model::USB_IDS, None, operation, &entropy)?;
    let person = key.clone();
    keys::wire::run(conversation.as_mut(), &mut key.clone(), &mut key.clone(), |hint| {
        if hint.is_some() {
            person.with(|key| key.touch(Press::Short)).unwrap();
        }
    })
}

fn program(label: &str) -> Operation {
    let credential = Credential::Totp {
        seed: Seed::new(SECRET).unwrap(),
        digits: Digits::Eight,
        hash: HashAlgorithm::Sha1,
        period: 30,
    };
    Operation::Program {
        slot: Slot(1),
        credential,
        unlock: Unlock::None,
        new_code: None,
        label: label.to_owned(),
        guard: Guard::Nothing,
    }
}

fn code(label: &str) -> Operation {
    Operation::AskCode {
        slot: Slot(1),
        kind: Kind::Totp,
        challenge: 1_u64.to_be_bytes().to_vec(),
        digits: Digits::Eight,
        label: label.to_owned(),
        unlock: Unlock::None,
    }
}

#[test]
fn our_conversations_work_with_it() {
    let key = SharedKey::new(twin(Some([1, 9, 0])));
    assert!(matches!(ask(&key, program("one")), Ok(Answer::Programmed)));
    // RFC 6238, appendix B, at 59 s.
    assert!(matches!(ask(&key, code("one")), Ok(Answer::Code(text)) if text.expose() == "94287082"));
    assert_eq!(key.with(|key| key.holder_of(SECRET)).map(|view| view.label).as_deref(), Some("one"));
    let pin = || Pin::new("1234".to_owned().into()).unwrap();
    let set = Operation::ChangePin { old: None, new: pin() };
    assert!(matches!(ask(&key, set), Ok(Answer::PinChanged)));
    assert_eq!(key.with(|key| key.pin_tries()), Some(8));
    key.with(KeyTwin::power).unwrap();
    let erase =
        Operation::Erase { slot: Slot(1), kind: Kind::Totp, unlock: Unlock::None, label: "one".to_owned() };
    assert!(matches!(ask(&key, erase), Ok(Answer::Erased)));
    assert!(key.with(|key| key.credentials().is_empty()));
}

#[test]
fn a_full_key_and_one_that_is_busy_say_so() {
    let key = SharedKey::new(twin(Some([1, 9, 0])));
    key.with(|key| {
        key.fill();
        let faults = Faults { busy: 3, ..Faults::default() };
        key.set_faults(faults);
    });
    assert!(matches!(ask(&key, program("one")), Err(Failure::Key(KeyError::Full))));
    assert!(key.elapsed() >= Duration::from_millis(600), "it was asked again");
    key.with(|key| {
        let faults = Faults { busy: 100, ..Faults::default() };
        key.set_faults(faults);
    });
    assert!(matches!(ask(&key, Operation::Inspect), Err(Failure::Key(KeyError::TimedOut(_)))));
}

#[test]
fn a_key_that_is_gone_is_gone_until_it_is_back() {
    let key = SharedKey::new(twin(Some([1, 9, 0])));
    key.with(SecretsTwin::pull_out);
    assert!(matches!(ask(&key, Operation::Inspect), Err(Failure::Wire(WireFault::Gone))));
    key.with(KeyTwin::power).unwrap();
    assert!(matches!(ask(&key, Operation::Inspect), Ok(Answer::Inspected(_))));
}
