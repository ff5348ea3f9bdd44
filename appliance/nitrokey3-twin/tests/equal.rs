//! The small twin of the station's own tests (`twins::nitrokey3`) is packet for packet
//! what Nitrokey's code is, over long random sequences of everything that a host, a
//! finger and a power cut can do. But for the salt, which is random.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use nitrokey3_twin::{Model, Nitrokey3Twin};
use twins::key::{KeyTwin, Press};
use twins::nitrokey3::{self, SecretsTwin};

const FIRMWARE: Option<[u8; 3]> = Some([1, 9, 0]);
const SERIAL: u32 = 0x1122_3344;

/// Both keys, which are treated alike.
struct Pair {
    real: Nitrokey3Twin,
    small: SecretsTwin,
    /// The channel that asked last.
    asked: u32,
    /// What was done, for whoever has to find out why they differ.
    story: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let (serial, firmware, seed) = (SERIAL, FIRMWARE, 1);
        Self {
            real: Nitrokey3Twin::new(Model { serial, firmware, seed }).unwrap(),
            small: SecretsTwin::new(nitrokey3::Model { serial, firmware, seed }),
            asked: 0,
            story: Vec::new(),
        }
    }

    /// Does something with both, and compares what they send.
    fn act(&mut self, what: &str, act: impl Fn(&mut dyn KeyTwin)) -> Vec<Vec<u8>> {
        self.story.push(what.to_owned());
        act(&mut self.real);
        act(&mut self.small);
        let (real, small) = (drain(&mut self.real), drain(&mut self.small));
        let tail = self.story.len().saturating_sub(30);
        assert_eq!(
            real,
            small,
            "after {} things, of which the last are\n{}",
            self.story.len(),
            self.story[tail..].join("\n")
        );
        real
    }

    fn message(&mut self, channel: u32, command: u8, data: &[u8]) -> Vec<Vec<u8>> {
        let packets = packets(channel, command, data);
        self.act(&format!("channel {channel} {command:02x} {data:02x?}"), |key| {
            for packet in &packets {
                key.out(packet).unwrap();
            }
        })
    }
}

fn drain(key: &mut dyn KeyTwin) -> Vec<Vec<u8>> {
    let mut packets: Vec<_> = std::iter::from_fn(|| key.input().unwrap()).collect();
    for packet in &mut packets {
        if packet[7..11] == [0x90, 0, 0x79, 3] && packet[14..16] == [0x71, 8] {
            packet[16..24].fill(0);
        }
    }
    packets
}

fn packets(channel: u32, command: u8, data: &[u8]) -> Vec<[u8; 64]> {
    let (head, tail) = data.split_at(data.len().min(57));
    let mut packets =
        vec![[&channel.to_be_bytes()[..], &[command | 0x80, 0, data.len() as u8], head].concat()];
    for (sequence, chunk) in tail.chunks(59).enumerate() {
        packets.push([&channel.to_be_bytes()[..], &[sequence as u8], chunk].concat());
    }
    packets
        .into_iter()
        .map(|mut packet| {
            packet.resize(64, 0);
            packet.try_into().unwrap()
        })
        .collect()
}

/// splitmix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % count as u64) as usize
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

fn field(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, value.len() as u8], value].concat()
}

fn apdu(instruction: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    if data.is_empty() {
        return vec![0, instruction, p1, p2];
    }
    [&[0, instruction, p1, p2, data.len() as u8], data].concat()
}

/// A command of the application, sensible more often than not.
fn command(chance: &mut Chance) -> Vec<u8> {
    let labels = [b"a".to_vec(), b"b".to_vec(), b"corp:NK11223344_1".to_vec(), vec![b'n'; 127]];
    let label = field(0x71, &chance.pick(&labels));
    let pin = chance.pick(&[b"1111".to_vec(), b"2222".to_vec(), b"1111".to_vec()]);
    match chance.below(20) {
        0..=1 => apdu(0xa4, 4, 0, &[0xa0, 0, 0, 5, 0x27, 0x21, 1]),
        2..=3 => apdu(0xa1, 0, 0, chance.pick(&[&[][..], &[1], &[0]])),
        4..=8 => {
            let kind = chance.pick(&[0x11, 0x21, 0x22, 0x11]);
            let secret = vec![7; chance.pick(&[10, 20, 32, 64])];
            let mut data =
                [label, field(0x73, &[&[kind, chance.pick(&[6, 8])], &secret[..]].concat())].concat();
            data.extend([0x78, chance.pick(&[0, 0, 0, 2, 4, 6])]);
            if kind == 0x11 && chance.below(4) > 0 {
                data.extend(field(0x7a, &(chance.below(300) as u32).to_be_bytes()));
            }
            apdu(1, 0, 0, &data)
        }
        9..=12 => {
            let step = (chance.below(1 << 20) as u64).to_be_bytes();
            apdu(0xa2, 0, 1, &[label, field(0x74, &step)].concat())
        }
        13 => apdu(2, 0, 0, &label),
        14 => apdu(0xb4, 0, 0, &field(0x80, &pin)),
        15..=16 => apdu(0xb2, 0, 0, &field(0x80, &pin)),
        17 => apdu(
            0xb3,
            0,
            0,
            &[field(0x80, &pin), field(0x81, &chance.pick(&[b"1111", b"2222"]).to_vec())].concat(),
        ),
        18 => apdu(0xa5, 0, 0, &[]),
        _ => chance.pick(&[
            apdu(0x04, 0xde, 0xad, &[]),
            apdu(0xee, 0, 0, &[]),
            apdu(0xa2, 0, 1, &label),
            apdu(1, 0, 0, &label),
            apdu(0xb2, 0, 0, &[0x80, 9, 1]),
            vec![0, 0xa4],
        ]),
    }
}

/// Anything that can be done to a key.
fn anything(pair: &mut Pair, chance: &mut Chance) {
    // What two messages at a time on one channel do is the host's fault.
    let channel = match chance.pick(&[1, 1, 1, 2]) {
        channel if pair.small.wants_touch() && channel == pair.asked => 3 - channel,
        channel => channel,
    };
    match chance.below(40) {
        0..=23 => {
            if !pair.small.wants_touch() {
                pair.asked = channel;
            }
            pair.message(channel, 0x70, &command(chance));
        }
        24..=32 => {
            pair.act("a touch", |key| {
                key.touch(Press::Short).unwrap();
            });
        }
        33 => {
            pair.message(u32::MAX, 0x06, &[9; 8]);
        }
        34 => {
            let channel = chance.pick(&[1, 2]);
            pair.message(channel, 0x11, &[]);
        }
        35 => {
            pair.message(channel, 0x61, &[1]);
        }
        36 => {
            let data = vec![5; chance.pick(&[0, 3, 57, 58, 200])];
            pair.message(channel, 0x01, &data);
        }
        37 => {
            let milliseconds = chance.pick(&[50, 300, 700, 5_000, 15_100]);
            pair.act(&format!("{milliseconds} ms"), |key| {
                // As a host's clock does: in small steps.
                for _ in 0..milliseconds / 50 {
                    key.advance(Duration::from_millis(50)).unwrap();
                }
            });
        }
        38 => {
            // A message whose end does not come.
            let packets = packets(channel, 0x70, &apdu(1, 0, 0, &[0; 120]));
            pair.act("the first packet of two", |key| key.out(&packets[0]).unwrap());
        }
        _ => {
            pair.act("a replug", |key| key.power().unwrap());
            pair.message(u32::MAX, 0x06, &[9; 8]);
            pair.message(u32::MAX, 0x06, &[9; 8]);
        }
    }
}

#[test]
fn the_small_twin_is_what_nitrokeys_code_is() {
    for seed in 0..20 {
        let mut pair = Pair::new();
        let mut chance = Chance(seed);
        pair.message(u32::MAX, 0x06, &[9; 8]);
        pair.message(u32::MAX, 0x06, &[9; 8]);
        for _ in 0..400 {
            anything(&mut pair, &mut chance);
        }
    }
}

#[test]
fn a_list_of_several_messages_and_a_full_key_are_alike() {
    let mut pair = Pair::new();
    pair.message(u32::MAX, 0x06, &[9; 8]);
    for number in 0..52 {
        let label = format!("a name that makes the list long, longer, and too long for a message {number}");
        let data =
            [field(0x71, label.as_bytes()), field(0x73, &[&[0x11, 6][..], &[7; 20]].concat()), vec![0x78, 0]]
                .concat();
        pair.message(1, 0x70, &apdu(1, 0, 0, &data));
    }
    pair.message(1, 0x70, &apdu(0xa1, 0, 0, &[1]));
    pair.message(1, 0x70, &apdu(0xa5, 0, 0, &[]));
    pair.message(1, 0x70, &apdu(0xa5, 0, 0, &[]));
}

#[test]
fn a_pin_is_counted_down_and_blocked_alike() {
    let mut pair = Pair::new();
    pair.message(u32::MAX, 0x06, &[9; 8]);
    let touch = |pair: &mut Pair| {
        pair.act("a touch", |key| {
            key.touch(Press::Short).unwrap();
        });
    };
    pair.message(1, 0x70, &apdu(0xb4, 0, 0, &field(0x80, b"1111")));
    touch(&mut pair);
    for _ in 0..10 {
        pair.message(1, 0x70, &apdu(0xb2, 0, 0, &field(0x80, b"wrong")));
        touch(&mut pair);
        pair.message(1, 0x70, &apdu(0xa4, 4, 0, &[0xa0, 0, 0, 5, 0x27, 0x21, 1]));
    }
    pair.message(1, 0x70, &apdu(0xb2, 0, 0, &field(0x80, b"1111")));
    touch(&mut pair);
}
