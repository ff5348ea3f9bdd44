//! The key's half of the protocol, which the crate does not need: frames put together, responses cut, slots read. It is written
//! after the same documents (`ykdef.h`, yubikit) as the crate, and shares only the CRC and the flags with it.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use keys::device::Digits;
use keys::secret::{AccessCode, Seed};
use keys::yubikey::config::{Mode, SlotConfig};
use keys::yubikey::crc::{crc16, is_intact, seal};
use keys::yubikey::flags::{CfgFlags, ExtFlags, TktFlags};
use keys::yubikey::frame::Frame;
use keys::yubikey::status::Status;

/// A frame as a key has received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received(pub [u8; 70]);

impl Received {
    pub fn payload(&self) -> &[u8; 64] {
        self.0.first_chunk().unwrap()
    }

    pub fn command(&self) -> u8 {
        self.0[64]
    }
}

impl From<&Frame> for Received {
    fn from(frame: &Frame) -> Self {
        Self(*frame.bytes())
    }
}

/// What a written report made of the frame under way.
#[derive(Debug, PartialEq, Eq)]
pub enum Assembly {
    /// The frame wants more chunks.
    More,
    Complete(Received),
    /// The host asked to forget everything.
    Aborted,
    /// A wrong CRC, or a chunk out of order: the key behaves as if nothing had come.
    Spoilt(Spoilt),
    /// No write flag: not part of a frame.
    Ignored,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Spoilt {
    Crc,
    OutOfOrder,
}

/// Puts reports together, with zeros where chunks were left out. Chunk 0 begins anew; chunks must ascend; chunk 9 ends the frame.
pub struct Assembler {
    bytes: [u8; 70],
    after: Option<u8>,
}

impl Assembler {
    pub fn new() -> Self {
        Self { bytes: [0; 70], after: None }
    }

    pub fn is_under_way(&self) -> bool {
        self.after.is_some()
    }

    pub fn push(&mut self, report: &[u8; 8]) -> Assembly {
        let [data @ .., control] = report;
        if control & 0x80 == 0 {
            return Assembly::Ignored;
        }
        let sequence = control & 0x7f;
        if sequence > 9 {
            *self = Self::new();
            return Assembly::Aborted;
        }
        if sequence == 0 {
            *self = Self::new();
        } else if self.after.is_none_or(|after| sequence <= after) {
            *self = Self::new();
            return Assembly::Spoilt(Spoilt::OutOfOrder);
        }
        self.bytes[7 * usize::from(sequence)..][..7].copy_from_slice(data);
        self.after = Some(sequence);
        if sequence < 9 {
            return Assembly::More;
        }
        let received = Received(self.bytes);
        *self = Self::new();
        if received.0[65..67] == crc16(received.payload()).to_le_bytes() {
            Assembly::Complete(received)
        } else {
            Assembly::Spoilt(Spoilt::Crc)
        }
    }
}

/// The reports of a response, with the one that ends it. Five bits count them, so that 222 bytes are the most.
pub fn response(data: &[u8]) -> Vec<[u8; 8]> {
    assert!(data.len() <= 222);
    let sealed = [data, &seal(data)].concat();
    let mut reports: Vec<[u8; 8]> = sealed.chunks(7).zip(0..).map(|(data, at)| chunk(at, data)).collect();
    reports.push(chunk(0, &[]));
    reports
}

/// One chunk of a response.
pub fn chunk(sequence: u8, data: &[u8]) -> [u8; 8] {
    let mut report = [0; 8];
    report[..data.len()].copy_from_slice(data);
    report[7] = 0x40 | sequence;
    report
}

/// The status, with what stands in the last byte: 0, or a wait for a touch.
pub fn status_report(status: &Status, control: u8) -> [u8; 8] {
    let [low, high] = status.touch_level.to_le_bytes();
    let firmware = status.firmware;
    [0, firmware.major, firmware.minor, firmware.build, status.sequence, low, high, control]
}

/// A page of device information; `more` announces another.
pub fn page(tags: &[(u8, &[u8])], more: bool) -> Vec<u8> {
    let more: &[(u8, &[u8])] = if more { &[(0x10, &[1])] } else { &[] };
    let body = tags.iter().chain(more).flat_map(|(tag, value)| {
        [*tag, u8::try_from(value.len()).unwrap()].into_iter().chain(value.iter().copied())
    });
    let mut page = vec![0];
    page.extend(body);
    page[0] = u8::try_from(page.len() - 1).unwrap();
    page
}

/// What a slot for short challenges takes of a payload: all but the trailing bytes that are like the last.
pub fn stripped_challenge(payload: &[u8; 64]) -> &[u8] {
    let kept = payload.iter().rposition(|byte| *byte != payload[63]).map_or(0, |at| at + 1);
    &payload[..kept]
}

/// The 52 bytes of a configuration, as a slot holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held(pub [u8; 52]);

/// What a write does to a slot, and the access code that came with it.
pub fn written(payload: &[u8; 64]) -> Option<(Option<Held>, AccessCode)> {
    let config: [u8; 52] = *payload.first_chunk().unwrap();
    let current = AccessCode::new(&payload[52..58]).unwrap();
    if config == [0; 52] {
        return Some((None, current));
    }
    let well_formed = is_intact(&config) && config[44] <= 16 && config[48..50] == [0, 0];
    well_formed.then_some((Some(Held(config)), current))
}

impl Held {
    pub fn of(config: &SlotConfig) -> Self {
        Self(*config.encode())
    }

    pub fn ext(&self) -> ExtFlags {
        ExtFlags::from_bits(self.0[45])
    }

    pub fn tkt(&self) -> TktFlags {
        TktFlags::from_bits(self.0[46])
    }

    pub fn cfg(&self) -> CfgFlags {
        CfgFlags::from_bits(self.0[47])
    }

    pub fn mode(&self) -> Mode {
        Mode::of(self.tkt(), self.cfg())
    }

    pub fn fixed(&self) -> &[u8] {
        &self.0[..usize::from(self.0[44])]
    }

    pub fn new_code(&self) -> AccessCode {
        AccessCode::new(&self.0[38..44]).unwrap()
    }

    /// The 20-byte key of an HOTP or HMAC slot.
    pub fn oath_key(&self) -> Seed {
        assert!(matches!(self.mode(), Mode::Hotp(_) | Mode::ChallengeHmac));
        Seed::new(&[&self.0[22..38], &self.0[16..20]].concat()).unwrap()
    }

    /// The counter that an HOTP slot starts at.
    pub fn initial_counter(&self) -> u32 {
        assert!(matches!(self.mode(), Mode::Hotp(_)));
        u32::from(u16::from_be_bytes([self.0[20], self.0[21]])) * 16
    }

    /// The scan codes of a static password, up to the zero that ends it.
    pub fn scan_codes(&self) -> Vec<u8> {
        assert_eq!(self.mode(), Mode::ScanCodes);
        self.0[..38].iter().copied().take_while(|code| *code != 0).collect()
    }

    /// What an HOTP slot types before the code: its token id, in part or whole in modhex.
    pub fn token_id_text(&self) -> String {
        assert!(matches!(self.mode(), Mode::Hotp(Digits::Six | Digits::Eight)));
        let modhex = match self.0[47] & 0x50 {
            0x50 => 16,
            0x40 => 2,
            0x10 => 1,
            _ => 0,
        };
        let letters = b"cbdefghijklnrtuv";
        let typed = |(at, byte): (usize, &u8)| {
            let digits: &[u8; 16] = if at < modhex { letters } else { b"0123456789abcdef" };
            [byte >> 4, byte & 0x0f].map(|nibble| char::from(digits[usize::from(nibble)]))
        };
        self.fixed().iter().enumerate().flat_map(typed).collect()
    }

    /// Applies an update as the key does; false, and nothing changed, where the slot does not allow updates.
    pub fn update_with(&mut self, update: &Self) -> bool {
        if !self.ext().contains(ExtFlags::ALLOW_UPDATE) {
            return false;
        }
        self.0[38..44].copy_from_slice(&update.0[38..44]);
        self.0[45] = update.0[45];
        self.0[46] = self.0[46] & !0x3f | update.0[46] & 0x3f;
        self.0[47] = self.0[47] & !0x0c | update.0[47] & 0x0c;
        true
    }
}
