//! One-time passwords and answers to challenges, against published vectors.

use std::time::Duration;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use keys::device::Slot;
use twins::key::{KeyTwin, Press};
use twins::yubikey::YubiKeyTwin;

use crate::host::{Config, Outcome, ask, change, crc, key, send, text};

const MODHEX: &str = "cbdefghijklnrtuv";

#[test]
fn rfc_4226_appendix_d_is_typed() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    let typed: Vec<_> = (0..10).map(|_| text(&key.touch(Press::Short).unwrap())).collect();
    let wanted =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    assert_eq!(typed, wanted.map(|code| format!("{code}\n")));
}

#[test]
fn the_counter_starts_at_sixteen_times_the_last_two_bytes_and_survives() {
    let mut config = Config::hotp();
    config.uid[4..].copy_from_slice(&[0x01, 0x02]);
    let mut new = key(5, 4, 3);
    assert!(change(&mut new, 0x01, &config.payload()));
    assert_eq!(new.snapshot().slots[0].as_ref().unwrap().hotp_counter, 0x1020);
    new.touch(Press::Short).unwrap();
    new.power().unwrap();
    assert_eq!(new.snapshot().slots[0].as_ref().unwrap().hotp_counter, 0x1021);
    // Writing again starts again.
    assert!(change(&mut new, 0x01, &config.payload()));
    assert_eq!(new.snapshot().slots[0].as_ref().unwrap().hotp_counter, 0x1020);
    // Initial counters came with 2.2.
    let mut old = key(2, 1, 3);
    assert!(change(&mut old, 0x01, &Config { ext: 0, ..config }.payload()));
    assert_eq!(old.snapshot().slots[0].as_ref().unwrap().hotp_counter, 0);
}

#[test]
fn hmac_answers_the_vector_of_the_manual() {
    // NIST PUB 198 A.2, in the manual of ykchalresp(1).
    let seed: [u8; 20] = std::array::from_fn(|at| 0x30 + u8::try_from(at).unwrap());
    let mut key = key(5, 4, 3);
    let config = Config { tkt: 0x40, cfg: 0x26, ..Config::new(&seed, 0x24, 0x40, 0x26) };
    assert!(change(&mut key, 0x03, &config.payload()));
    let answer = ask(&mut key, 0x38, b"Sample #2", 20).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&answer), "0922d3405faa3d194f82a45830737d5cc6c75d24");
    assert_eq!(ask(&mut key, 0x30, b"Sample #2", 20), None);
    assert_eq!(ask(&mut key, 0x28, b"Sample", 16), None);
    assert!(key.touch(Press::Long).unwrap().is_empty());
}

#[test]
fn padding_is_whatever_the_last_byte_is() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { tkt: 0x40, cfg: 0x26, ..Config::hotp() }.payload()));
    let mut padded = |challenge: &[u8], with: u8| {
        let mut bytes = challenge.to_vec();
        bytes.resize(64, with);
        ask(&mut key, 0x30, &bytes, 20).unwrap()
    };
    assert_eq!(padded(b"abc", 0), padded(b"abc", 1));
    assert_eq!(padded(b"abc", 0), padded(b"abc", 0xff));
    assert_ne!(padded(b"abc\0", 1), padded(b"abc", 1));
    // Nothing but padding is the empty challenge.
    assert_eq!(padded(b"", 7), padded(b"zzz", b'z'));
}

#[test]
fn without_the_flag_all_64_bytes_count() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { tkt: 0x40, cfg: 0x22, ..Config::hotp() }.payload()));
    let zeros = ask(&mut key, 0x30, b"abc", 20).unwrap();
    let mut ones = b"abc".to_vec();
    ones.resize(64, 1);
    assert_ne!(ask(&mut key, 0x30, &ones, 20).unwrap(), zeros);
}

/// What is inside a typed Yubico OTP.
struct Otp {
    uid: [u8; 6],
    counter: u16,
    timestamp: u32,
    session: u8,
    random: u16,
}

fn otp(key: &mut YubiKeyTwin, config: &Config) -> Otp {
    let typed = text(&key.touch(Press::Short).unwrap());
    let word = typed.strip_suffix('\n').unwrap();
    let digits: Vec<u8> = word.chars().map(|c| u8::try_from(MODHEX.find(c).unwrap()).unwrap()).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let (fixed, block) = bytes.split_at(bytes.len() - 16);
    assert_eq!(fixed, config.fixed);
    let mut plain = aes::Block::try_from(block).unwrap();
    Aes128::new(&config.key.into()).decrypt_block(&mut plain);
    assert_eq!(crc(&plain), 0xf0b8);
    Otp {
        uid: plain[..6].try_into().unwrap(),
        counter: u16::from_le_bytes([plain[6], plain[7]]),
        timestamp: u32::from_le_bytes([plain[8], plain[9], plain[10], 0]),
        session: plain[11],
        random: u16::from_le_bytes([plain[12], plain[13]]),
    }
}

#[test]
fn yubico_otps_count_uses_and_sessions() {
    let config = Config { fixed: vec![0, 1, 2, 3, 4, 5], tkt: 0x20, cfg: 0, ..Config::hotp() };
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &config.payload()));
    let first = otp(&mut key, &config);
    assert_eq!(first.uid, config.uid);
    assert_eq!((first.counter, first.session), (1, 0));
    let second = otp(&mut key, &config);
    assert_eq!((second.counter, second.session), (1, 1));
    assert_ne!(first.random, second.random);
    key.power().unwrap();
    let third = otp(&mut key, &config);
    assert_eq!((third.counter, third.session), (2, 0));
    for _ in 0..255 {
        otp(&mut key, &config);
    }
    let next = otp(&mut key, &config);
    assert_eq!((next.counter, next.session), (3, 0));
    // Plugging in alone counts nothing.
    key.power().unwrap();
    key.power().unwrap();
    assert_eq!(otp(&mut key, &config).counter, 4);
    // Writing starts again, in the same session.
    assert!(change(&mut key, 0x01, &config.payload()));
    let again = otp(&mut key, &config);
    assert_eq!((again.counter, again.session), (1, 0));
}

#[test]
fn a_swap_keeps_the_session_and_the_last_use_is_the_last() {
    let config = Config { ext: 0x24, tkt: 0x20, cfg: 0, ..Config::hotp() };
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x03, &config.payload()));
    key.touch(Press::Long).unwrap();
    key.touch(Press::Long).unwrap();
    assert!(change(&mut key, 0x06, &[]));
    let third = otp(&mut key, &config);
    assert_eq!((third.counter, third.session), (1, 2));
    // The counter has 15 bits and stops.
    let saved = key.save().replace(" 0 1 0\n", " 0 32766 0\n");
    let mut old = YubiKeyTwin::restore(key.model().clone(), &saved, 1).unwrap();
    for counter in [0x7fff, 0x7fff] {
        assert_eq!(otp(&mut old, &config).counter, counter);
        old.power().unwrap();
    }
}

#[test]
fn a_dormant_slot_answers_no_challenge() {
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &Config { ext: 0x64, tkt: 0x40, cfg: 0x26, ..Config::hotp() }.payload()));
    assert_eq!(ask(&mut key, 0x30, b"x", 20), None);
    assert!(change(&mut key, 0x04, &Config::flags(0x24, 0, 0x04).payload()));
    assert!(ask(&mut key, 0x30, b"x", 20).is_some());
}

#[test]
fn the_timestamp_runs_at_eight_a_second_from_a_random_start() {
    let config = Config { tkt: 0x20, cfg: 0, ..Config::hotp() };
    let mut key = key(5, 4, 3);
    assert!(change(&mut key, 0x01, &config.payload()));
    let start = otp(&mut key, &config).timestamp;
    key.advance(Duration::from_secs(1000)).unwrap();
    assert_eq!((otp(&mut key, &config).timestamp.wrapping_sub(start)) & 0xff_ffff, 8000);
    key.power().unwrap();
    let other = otp(&mut key, &config).timestamp;
    assert_ne!(other, start);
    // Two to the 24th eighths later it is where it was.
    key.advance(Duration::from_millis((1 << 24) * 125)).unwrap();
    assert_eq!(otp(&mut key, &config).timestamp, other);
}

#[test]
fn yubico_challenges_have_answers_that_never_repeat() {
    let config = Config { tkt: 0x40, cfg: 0x20, ..Config::hotp() };
    let mut key = key(2, 2, 3);
    assert!(change(&mut key, 0x01, &Config { ext: 0x04, ..config }.payload()));
    let first = ask(&mut key, 0x20, &[1, 2, 3, 4, 5, 6], 16).unwrap();
    let second = ask(&mut key, 0x20, &[1, 2, 3, 4, 5, 6], 16).unwrap();
    assert_ne!(first, second);
    assert_eq!(key.snapshot().slots[0].as_ref().unwrap().use_counter, 1);
}

#[test]
fn the_same_seed_gives_the_same_key() {
    let run = || {
        let mut key = key(5, 4, 3);
        key.occupy(Slot(1), None);
        let typed = key.touch(Press::Short).unwrap();
        let outcome = send(&mut key, 0x01, &Config::hotp().payload()).unwrap();
        (typed, outcome == Outcome::Status([5, 4, 3, 2, 5, 5]))
    };
    assert_eq!(run(), run());
    assert!(run().1);
}
