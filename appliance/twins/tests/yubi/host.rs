//! The host's side of the protocol, as small as a test needs it, and written for
//! the tests alone.

use std::time::Duration;

use keys::device::Firmware;
use twins::key::{KeyTwin, KeyboardReport, TwinError};
use twins::yubikey::{Faults, Model, YubiKeyTwin};

pub(crate) const RFC4226: &[u8; 20] = b"12345678901234567890";
pub(crate) const SERIAL: u32 = 12_345_678;

/// A new key of that firmware.
pub(crate) fn key(major: u8, minor: u8, build: u8) -> YubiKeyTwin {
    YubiKeyTwin::new(Model::new(Firmware::new(major, minor, build), SERIAL).unwrap(), 7)
}

/// Faults, from what is different about them.
pub(crate) fn with(set: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    set(&mut faults);
    faults
}

pub(crate) fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0xffff_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            let odd = crc & 1 == 1;
            crc >>= 1;
            if odd {
                crc ^= 0x8408;
            }
        }
    }
    crc
}

/// The reports of a command.
pub(crate) fn reports(command: u8, payload: &[u8]) -> Vec<[u8; 8]> {
    let mut frame = payload.to_vec();
    frame.resize(64, 0);
    let check = crc(&frame);
    frame.push(command);
    frame.extend(check.to_le_bytes());
    frame.extend([0; 3]);
    let mut reports = Vec::new();
    for (sequence, chunk) in frame.chunks(7).enumerate() {
        if matches!(sequence, 0 | 9) || chunk.iter().any(|byte| *byte != 0) {
            let mut report = [0; 8];
            report[..7].copy_from_slice(chunk);
            report[7] = 0x80 | u8::try_from(sequence).unwrap();
            reports.push(report);
        }
    }
    reports
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The status afterwards: version, sequence, touch level.
    Status([u8; 6]),
    /// A response with a right checksum, with checksum and padding.
    Data(Vec<u8>),
    /// The key wants to be touched.
    Touch,
}

/// Sends a command and waits for what comes of it, as hosts do.
pub(crate) fn send(key: &mut impl KeyTwin, command: u8, payload: &[u8]) -> Result<Outcome, TwinError> {
    for report in reports(command, payload) {
        ready(key)?;
        key.set_feature(&report)?;
    }
    collect(key)
}

fn ready(key: &mut impl KeyTwin) -> Result<(), TwinError> {
    for _ in 0..100 {
        if key.get_feature()?[7] & 0x80 == 0 {
            return Ok(());
        }
        key.advance(Duration::from_millis(10))?;
    }
    panic!("never ready");
}

/// Waits until the key is no longer busy, and reads what there is.
pub(crate) fn collect(key: &mut impl KeyTwin) -> Result<Outcome, TwinError> {
    let mut data = Vec::new();
    for _ in 0..500 {
        let report = key.get_feature()?;
        match report[7] {
            0 => return Ok(Outcome::Status(report[1..7].try_into().unwrap())),
            control if control & 0x40 != 0 => {
                if control == 0x40 && !data.is_empty() {
                    key.set_feature(&[0, 0, 0, 0, 0, 0, 0, 0xff])?;
                    return Ok(Outcome::Data(data));
                }
                assert_eq!(usize::from(control & 0x1f), data.len() / 7);
                data.extend(&report[..7]);
            }
            control if control & 0x20 != 0 => return Ok(Outcome::Touch),
            _ => key.advance(Duration::from_millis(10))?,
        }
    }
    panic!("busy for ever");
}

/// Sends a command that changes something; whether the key took it, by the rule
/// that yubikit uses.
pub(crate) fn change(key: &mut impl KeyTwin, command: u8, payload: &[u8]) -> bool {
    let before = status(key)[3];
    let Outcome::Status(after) = send(key, command, payload).unwrap() else {
        panic!("an answer to a change")
    };
    after[3] == before.wrapping_add(1) && after[3] != 0 || (after[3] == 0 && before > 0 && after[4] & 3 == 0)
}

/// The data of an answer of that many bytes; `None` when the key refused.
pub(crate) fn ask(key: &mut impl KeyTwin, command: u8, payload: &[u8], length: usize) -> Option<Vec<u8>> {
    match send(key, command, payload).unwrap() {
        Outcome::Data(data) => {
            assert_eq!(data.len(), (length + 2).div_ceil(7) * 7, "number of chunks");
            assert_eq!(crc(&data[..length + 2]), 0xf0b8);
            assert!(data[length + 2..].iter().all(|byte| *byte == 0));
            Some(data[..length].to_vec())
        }
        Outcome::Status(_) => None,
        Outcome::Touch => panic!("touch wanted"),
    }
}

pub(crate) fn status(key: &mut impl KeyTwin) -> [u8; 6] {
    key.get_feature().unwrap()[1..7].try_into().unwrap()
}

pub(crate) fn serial(key: &mut impl KeyTwin) -> Option<u32> {
    ask(key, 0x10, &[], 4).map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
}

/// A configuration to write.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) fixed: Vec<u8>,
    pub(crate) uid: [u8; 6],
    pub(crate) key: [u8; 16],
    pub(crate) new_code: [u8; 6],
    pub(crate) ext: u8,
    pub(crate) tkt: u8,
    pub(crate) cfg: u8,
    /// The access code that is presented.
    pub(crate) code: [u8; 6],
}

impl Config {
    pub(crate) fn new(seed: &[u8; 20], ext: u8, tkt: u8, cfg: u8) -> Self {
        let mut uid = [0; 6];
        uid[..4].copy_from_slice(&seed[16..]);
        let key = seed[..16].try_into().unwrap();
        Self { fixed: Vec::new(), uid, key, new_code: [0; 6], ext, tkt, cfg, code: [0; 6] }
    }

    /// HOTP, six digits, Return.
    pub(crate) fn hotp() -> Self {
        Self::new(RFC4226, 0x34, 0x60, 0x40)
    }

    /// Flags alone, for an update.
    pub(crate) fn flags(ext: u8, tkt: u8, cfg: u8) -> Self {
        Self::new(&[0; 20], ext, tkt, cfg)
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut bytes = self.fixed.clone();
        bytes.resize(16, 0);
        bytes.extend(self.uid);
        bytes.extend(self.key);
        bytes.extend(self.new_code);
        bytes.extend([u8::try_from(self.fixed.len()).unwrap(), self.ext, self.tkt, self.cfg, 0, 0]);
        bytes.extend((!crc(&bytes)).to_le_bytes());
        bytes.extend(self.code);
        bytes
    }
}

/// Deletes: an empty configuration, and the access code.
pub(crate) fn deletion(code: [u8; 6]) -> Vec<u8> {
    let mut payload = vec![0; 52];
    payload.extend(code);
    payload
}

/// What reports spell on a US keyboard, checking that each press is let go.
pub(crate) fn text(reports: &[KeyboardReport]) -> String {
    let mut text = String::new();
    for pair in reports.chunks(2) {
        let [press, release] = pair else { panic!("a key stays down") };
        assert_eq!(release, &[0; 8]);
        assert_eq!(press[1], 0);
        assert!(press[3..].iter().all(|byte| *byte == 0));
        let plain = match press[2] {
            letter @ 0x04..=0x1d => char::from(b'a' + letter - 0x04),
            digit @ 0x1e..=0x26 => char::from(b'1' + digit - 0x1e),
            0x27 => '0',
            0x28 => '\n',
            0x2b => '\t',
            0x37 => '.',
            keypad @ 0x59..=0x61 => char::from(b'1' + keypad - 0x59),
            0x62 => '0',
            other => panic!("usage {other:02x}"),
        };
        text.push(match (press[0], plain) {
            (0, plain) => plain,
            (0x02, '1') => '!',
            (0x02, letter @ 'a'..='z') => letter.to_ascii_uppercase(),
            other => panic!("{other:?}"),
        });
    }
    text
}
