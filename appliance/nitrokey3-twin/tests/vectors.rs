//! Every command of the vectors, sent to the twin over CTAPHID by hand: what the
//! twin answers is what Nitrokey's client got from the firmware's code, but for the
//! salt, which is random.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

use std::time::Duration;

use nitrokey3_twin::{Model, Nitrokey3Twin};
use twins::key::{KeyTwin, Press};

const VECTORS: &str = include_str!("../../keys/tests/vectors/nitrokey3_secrets.json");

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A host that speaks CTAPHID by hand, so that no codec of ours is between.
struct Host {
    key: Nitrokey3Twin,
    channel: [u8; 4],
}

impl Host {
    fn new() -> Self {
        let model = Model { serial: 0x1122_3344, firmware: None, seed: 1 };
        let mut host = Self { key: Nitrokey3Twin::new(model).unwrap(), channel: [0xff; 4] };
        let answer = host.call(0x06, b"12345678");
        assert_eq!(answer[..8], *b"12345678");
        host.channel = answer[8..12].try_into().unwrap();
        host
    }

    fn call(&mut self, command: u8, data: &[u8]) -> Vec<u8> {
        let (head, tail) = data.split_at(data.len().min(57));
        let mut packet = [&self.channel[..], &[command | 0x80, 0, data.len() as u8], head].concat();
        packet.resize(64, 0);
        self.key.out(&packet).unwrap();
        for (sequence, chunk) in tail.chunks(59).enumerate() {
            let mut packet = [&self.channel[..], &[sequence as u8], chunk].concat();
            packet.resize(64, 0);
            self.key.out(&packet).unwrap();
        }
        let first = self.read();
        assert_eq!(first[4], command | 0x80, "{first:x?}");
        let length = usize::from(u16::from_be_bytes([first[5], first[6]]));
        let mut answer = first[7..].to_vec();
        while answer.len() < length {
            answer.extend(&self.read()[5..]);
        }
        answer.truncate(length);
        answer
    }

    /// The next packet; touches the key when there is none.
    fn read(&mut self) -> Vec<u8> {
        for _ in 0..3 {
            if let Some(packet) = self.key.input().unwrap() {
                return packet;
            }
            self.key.advance(Duration::from_millis(500)).unwrap();
            self.key.touch(Press::Short).unwrap();
        }
        panic!("no answer");
    }
}

#[test]
fn every_answer_is_that_of_the_firmware() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let mut host = Host::new();
    let mut compared = 0;
    // In the order in which they were recorded: each check builds on the ones before.
    for check in ["select", "hotp", "totp", "listing", "no_silent_overwrite", "pin"] {
        for entry in vectors["checks"][check]["apdus"].as_array().unwrap() {
            let apdu = hex(entry["apdu"].as_str().unwrap());
            let mut expected = hex(entry["sw_then_data"].as_str().unwrap());
            let mut answer = host.call(0x70, &apdu);
            if apdu[1] == 0xa4 && answer.get(7) == Some(&0x71) {
                // The salt.
                answer[9..17].fill(0);
                expected[9..17].fill(0);
            }
            if apdu[1] == 0xa1 {
                // The order of a list is that of hashed names on the disk: compare as sets.
                answer = sorted(&answer);
                expected = sorted(&expected);
            }
            assert_eq!(answer, expected, "{check} {compared}");
            compared += 1;
        }
    }
    assert_eq!(compared, 31);
}

fn sorted(list: &[u8]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut rest = &list[2..];
    while let [_, length, ..] = rest {
        let (entry, behind) = rest.split_at(2 + usize::from(*length));
        entries.push(entry.to_vec());
        rest = behind;
    }
    entries.sort();
    entries.concat()
}

#[test]
fn the_fido2_authenticator_is_the_firmwares() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let facts = &vectors["checks"]["fido2_get_info"]["facts"];
    let mut host = Host::new();
    let info = host.call(0x10, &[4]);
    assert_eq!(info[0], 0, "authenticatorGetInfo");
    let contains = |text: &str| info.windows(text.len()).any(|window| window == text.as_bytes());
    for version in facts["versions"].as_array().unwrap() {
        assert!(contains(version.as_str().unwrap()), "{version}");
    }
    for option in facts["options"].as_object().unwrap().keys() {
        assert!(contains(option), "{option}");
    }
}
