//! What a slot gives: one-time passwords, tickets, passwords, and answers to
//! challenges.

use core::time::Duration;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use keys::device::{Digits, HashAlgorithm};
use keys::secret::Seed;
use sha1::Sha1;
use zeroize::{Zeroize, Zeroizing};

use super::config::{Config, Mode, cfg, ext, tkt};
use super::frame::crc16;
use super::memory::Slot;
use super::typing::{self, CHARACTERS, Keystroke, Typist};

/// What changes between two Yubico OTPs of the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// OTPs since power-up, this one not counted.
    pub session_use: u8,
    /// 24 bits at about 8 Hz, from a random start.
    pub timestamp: u32,
    pub random: u16,
}

/// Half a second: `tkt::APPEND_DELAY1` and 2.
const DELAY: Duration = Duration::from_millis(500);

/// What the slot types when it is touched, and its counters after that.
pub(super) fn type_slot(
    slot: &mut Slot,
    map: &[u8; CHARACTERS],
    moment: Moment,
    touch: Duration,
) -> Vec<Keystroke> {
    let config = &slot.config;
    let mode = config.mode();
    if matches!(mode, Mode::HmacChallenge | Mode::YubicoChallenge) || config.has(ext::DORMANT) {
        return Vec::new();
    }
    let mut typist = Typist::new(map, config.has(ext::USE_NUMERIC_KEYPAD), pacing(config), touch);
    let flag = |bit: u8| config.tkt & bit != 0;
    if flag(tkt::TAB_FIRST) {
        typist.character(b'\t');
    }
    if mode == Mode::ScanCodes {
        let codes = config.fixed.iter().chain(&config.uid).chain(&config.key);
        codes.take_while(|code| **code != 0).for_each(|code| typist.usage(*code));
    } else {
        type_fixed(&mut typist, config, mode);
        if flag(tkt::APPEND_TAB1) {
            typist.character(b'\t');
        }
        if flag(tkt::APPEND_DELAY1) {
            typist.pause(DELAY);
        }
        match mode {
            Mode::Hotp => typist.text(hotp(config, slot.hotp_counter).as_bytes()),
            Mode::StaticTicket => typist.text(&static_ticket(config)),
            _ => typist.modhex(encrypt(config, &config.uid, fields(slot.use_counter, moment)).as_slice()),
        }
        if flag(tkt::APPEND_TAB2) {
            typist.character(b'\t');
        }
        if flag(tkt::APPEND_DELAY2) {
            typist.pause(DELAY);
        }
    }
    if flag(tkt::APPEND_CR) {
        typist.character(b'\r');
    }
    if mode == Mode::Hotp {
        slot.hotp_counter = slot.hotp_counter.wrapping_add(1);
    }
    typist.done()
}

/// The code of an HOTP slot at a counter.
pub(super) fn hotp(config: &Config, counter: u64) -> String {
    let digits = if config.cfg & cfg::OATH_HOTP8 != 0 { Digits::Eight } else { Digits::Six };
    // Twenty bytes are always a seed.
    Seed::new(config.hmac_key().as_slice())
        .map(|seed| keys::otp::hotp(&seed, counter, digits, HashAlgorithm::Sha1))
        .unwrap_or_default()
}

/// HMAC-SHA1 over a challenge. A slot for short challenges takes every byte at
/// the end that equals the 64th as padding.
pub(super) fn hmac_answer(config: &Config, challenge: &[u8; 64]) -> Vec<u8> {
    let [.., padding] = challenge;
    let length = if config.cfg & cfg::HMAC_LT64 != 0 {
        challenge.iter().rposition(|byte| byte != padding).map_or(0, |at| at + 1)
    } else {
        challenge.len()
    };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(config.hmac_key().as_slice()) else {
        return Vec::new();
    };
    mac.update(challenge.get(..length).unwrap_or_default());
    mac.finalize().into_bytes().to_vec()
}

/// The answer to a six-byte challenge: a Yubico OTP with the challenge in its
/// private id, so that the same challenge is never answered twice the same
/// (docs.yubico.com, `ChallengeResponseAlgorithm`). That the challenge is put in by
/// exclusive-or is an assumption.
pub(super) fn yubico_answer(slot: &Slot, challenge: &[u8; 64], moment: Moment) -> Vec<u8> {
    let mut uid = slot.config.uid;
    for (byte, with) in uid.iter_mut().zip(challenge) {
        *byte ^= with;
    }
    encrypt(&slot.config, &uid, fields(slot.use_counter, moment)).to_vec()
}

/// What a Yubico OTP says besides its private id (YubiKey manual, "OTP
/// generation").
const fn fields(use_counter: u16, moment: Moment) -> [u8; 8] {
    let [use_low, use_high] = use_counter.to_le_bytes();
    let [time_low, time_middle, time_high, _] = moment.timestamp.to_le_bytes();
    let [random_low, random_high] = moment.random.to_le_bytes();
    [use_low, use_high, time_low, time_middle, time_high, moment.session_use, random_low, random_high]
}

/// uid, eight bytes of counters and chance, checksum; AES-128.
fn encrypt(config: &Config, uid: &[u8; 6], fields: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut block = Zeroizing::new([0; 16]);
    for (to, from) in block.iter_mut().zip(uid.iter().chain(&fields)) {
        *to = *from;
    }
    if let Some((body, checksum)) = block.split_last_chunk_mut::<2>() {
        *checksum = (!crc16(body)).to_le_bytes();
    }
    let mut inout = aes::Block::from(*block);
    Aes128::new(&config.key.into()).encrypt_block(&mut inout);
    block.copy_from_slice(&inout);
    inout.as_mut_slice().zeroize();
    block
}

/// The same ticket every time, with its fixed part: no counters, nothing random
/// (what is in their place is an assumption). For the sake of password rules it may
/// get digits in place of the first eight letters of the modhex alphabet, and
/// capitals in place of its first two letters (ykpersonalize(1)).
fn static_ticket(config: &Config) -> Vec<u8> {
    let block = encrypt(config, &config.uid, [0; 8]);
    let mut ticket = typing::modhex(block.as_slice());
    if config.cfg & cfg::SHORT_TICKET != 0 {
        ticket.truncate(16);
    }
    let mut text = typing::modhex(config.fixed_part());
    text.extend(ticket);
    if config.cfg & cfg::STRONG_PW2 != 0 {
        for character in &mut text {
            if let Some(digit) = b"cbdefghi".iter().zip(b'0'..).find(|(letter, _)| *letter == character) {
                *character = digit.1;
            }
        }
    }
    if config.cfg & cfg::STRONG_PW1 != 0 {
        text.iter_mut().filter(|c| c.is_ascii_lowercase()).take(2).for_each(u8::make_ascii_uppercase);
    }
    text
}

fn type_fixed(typist: &mut Typist<'_>, config: &Config, mode: Mode) {
    let fixed = config.fixed_part();
    match mode {
        Mode::Hotp => {
            let one = config.cfg & cfg::OATH_FIXED_MODHEX1 != 0;
            let two = config.cfg & cfg::OATH_FIXED_MODHEX2 != 0;
            let modhex = match (one, two) {
                (true, true) => fixed.len(),
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 0,
            };
            let (head, tail) = fixed.split_at_checked(modhex).unwrap_or((fixed, &[]));
            typist.modhex(head);
            typist.hex(tail);
        }
        // The fixed part belongs to what the password rules change.
        Mode::StaticTicket => match (config.cfg & cfg::SEND_REF != 0, config.cfg & cfg::STRONG_PW2 != 0) {
            (true, true) => typist.character(b'!'),
            (true, false) => typist.text(typing::REFERENCE),
            (false, _) => {}
        },
        _ => {
            if config.cfg & cfg::SEND_REF != 0 {
                typist.text(typing::REFERENCE);
            }
            typist.modhex(fixed);
        }
    }
}

const fn pacing(config: &Config) -> Duration {
    // With HOTP the same two bits; challenge-response types nothing.
    let mut milliseconds = 0;
    if config.cfg & cfg::PACING_10MS != 0 {
        milliseconds += 10;
    }
    if config.cfg & cfg::PACING_20MS != 0 {
        milliseconds += 20;
    }
    Duration::from_millis(milliseconds)
}
