//! The 52 bytes that make a slot, and what they mean to the key.
//!
//! Layout: ykdef.h, `struct config_st`. Flag names: the same file.

use zeroize::{Zeroize, ZeroizeOnDrop};

use keys::device::Firmware;

use super::frame::crc16;

/// Flags of the `ext` byte.
pub mod ext {
    /// The serial is shown at a press while being plugged in.
    pub const SERIAL_BTN_VISIBLE: u8 = 0x01;
    /// The serial is the USB iSerial string.
    pub const SERIAL_USB_VISIBLE: u8 = 0x02;
    /// The serial is told when asked.
    pub const SERIAL_API_VISIBLE: u8 = 0x04;
    /// Digits are typed on the numeric keypad.
    pub const USE_NUMERIC_KEYPAD: u8 = 0x08;
    /// Slot 1 fires sooner when slot 2 is empty.
    pub const FAST_TRIG: u8 = 0x10;
    /// The flags may be changed without the secret.
    pub const ALLOW_UPDATE: u8 = 0x20;
    /// The slot sleeps until an update clears this.
    pub const DORMANT: u8 = 0x40;
    /// The LED is off rather than on when idle.
    pub const LED_INV: u8 = 0x80;
}

/// Flags of the `tkt` byte.
pub mod tkt {
    /// TAB before everything.
    pub const TAB_FIRST: u8 = 0x01;
    /// TAB after the fixed part.
    pub const APPEND_TAB1: u8 = 0x02;
    /// TAB after the second part.
    pub const APPEND_TAB2: u8 = 0x04;
    /// Half a second after the fixed part.
    pub const APPEND_DELAY1: u8 = 0x08;
    /// Half a second after the second part.
    pub const APPEND_DELAY2: u8 = 0x10;
    /// Return at the end.
    pub const APPEND_CR: u8 = 0x20;
    /// OATH-HOTP, or with a `cfg` bit challenge-response.
    pub const OATH_HOTP: u8 = 0x40;
    /// In slot 1: slot 2 is written only when it has this flag too.
    pub const PROTECT_CFG2: u8 = 0x80;
}

/// Flags of the `cfg` byte; their meaning depends on the mode.
pub mod cfg {
    /// Send the modhex alphabet first; with `STRONG_PW2`, '!'.
    pub const SEND_REF: u8 = 0x01;
    /// Half a ticket, or scan codes.
    pub const SHORT_TICKET: u8 = 0x02;
    /// HOTP: eight digits.
    pub const OATH_HOTP8: u8 = 0x02;
    /// 10 ms between characters.
    pub const PACING_10MS: u8 = 0x04;
    /// HMAC: the challenge may be shorter than 64 bytes.
    pub const HMAC_LT64: u8 = 0x04;
    /// 20 ms between characters.
    pub const PACING_20MS: u8 = 0x08;
    /// A challenge needs a touch.
    pub const CHAL_BTN_TRIG: u8 = 0x08;
    /// Static ticket: the first two letters are capitals.
    pub const STRONG_PW1: u8 = 0x10;
    /// HOTP: first byte of the fixed part as modhex.
    pub const OATH_FIXED_MODHEX1: u8 = 0x10;
    /// Static ticket, or with `tkt::OATH_HOTP` challenge-response.
    pub const STATIC_TICKET: u8 = 0x20;
    /// Challenge-response with HMAC, together with `tkt::OATH_HOTP`.
    pub const CHAL_HMAC: u8 = 0x22;
    /// Static ticket: eight letters become digits.
    pub const STRONG_PW2: u8 = 0x40;
    /// HOTP: first two bytes of the fixed part as modhex.
    pub const OATH_FIXED_MODHEX2: u8 = 0x40;
}

/// `tkt` bits that an update changes.
const UPDATE_TKT: u8 = 0x3f;
/// `cfg` bits that an update changes.
const UPDATE_CFG: u8 = 0x0c;

/// What a slot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Types a Yubico OTP.
    YubicoOtp,
    /// Types an HOTP.
    Hotp,
    /// Types scan codes.
    ScanCodes,
    /// Types the same ticket every time.
    StaticTicket,
    /// Answers challenges with an AES block.
    YubicoChallenge,
    /// Answers challenges with HMAC-SHA1.
    HmacChallenge,
}

/// A configuration as the key keeps it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Config {
    pub fixed: [u8; 16],
    pub uid: [u8; 6],
    pub key: [u8; 16],
    /// All zero: none.
    pub access_code: [u8; 6],
    /// Never more than 16.
    pub fixed_length: u8,
    pub ext: u8,
    pub tkt: u8,
    pub cfg: u8,
}

impl Config {
    /// Reads a configuration; `None` when its checksum is wrong or its lengths are
    /// impossible.
    pub(super) fn parse(bytes: &[u8; 52]) -> Option<Self> {
        let (body, _) = bytes.split_first_chunk::<50>()?;
        if crc16(bytes) != 0xf0b8 {
            return None;
        }
        let (fixed, rest) = body.split_first_chunk::<16>()?;
        let (uid, rest) = rest.split_first_chunk::<6>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (access_code, rest) = rest.split_first_chunk::<6>()?;
        let &[fixed_length, ext, tkt, cfg, _, _] = rest else { return None };
        (fixed_length <= 16).then_some(Self {
            fixed: *fixed,
            uid: *uid,
            key: *key,
            access_code: *access_code,
            fixed_length,
            ext,
            tkt,
            cfg,
        })
    }

    /// The 52 bytes again.
    pub(super) fn bytes(&self) -> zeroize::Zeroizing<[u8; 52]> {
        let mut bytes = zeroize::Zeroizing::new([0; 52]);
        let head = [&self.fixed[..], &self.uid, &self.key, &self.access_code];
        let flags = [self.fixed_length, self.ext, self.tkt, self.cfg];
        let body = head.into_iter().flatten().chain(&flags);
        for (to, from) in bytes.iter_mut().zip(body) {
            *to = *from;
        }
        if let Some((body, end)) = bytes.split_last_chunk_mut::<2>() {
            *end = (!crc16(body)).to_le_bytes();
        }
        bytes
    }

    /// What the flags make of the slot. The order of the questions is the key's:
    /// HOTP's eight digits and HMAC share a bit.
    pub(super) const fn mode(&self) -> Mode {
        if self.tkt & tkt::OATH_HOTP != 0 {
            if self.cfg & cfg::CHAL_HMAC == cfg::CHAL_HMAC {
                Mode::HmacChallenge
            } else if self.cfg & cfg::STATIC_TICKET != 0 {
                Mode::YubicoChallenge
            } else {
                Mode::Hotp
            }
        } else if self.cfg & cfg::STATIC_TICKET != 0 {
            Mode::StaticTicket
        } else if self.cfg & cfg::SHORT_TICKET != 0 {
            Mode::ScanCodes
        } else {
            Mode::YubicoOtp
        }
    }

    /// Whether a touch makes the slot do something by itself or lets a challenge
    /// through: `SLOT1_TOUCH` in the status.
    pub(super) const fn wants_touch(&self) -> bool {
        match self.mode() {
            Mode::HmacChallenge | Mode::YubicoChallenge => self.cfg & cfg::CHAL_BTN_TRIG != 0,
            _ => true,
        }
    }

    /// Whether an `ext` flag is set.
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.ext & flag != 0
    }

    /// The fixed part, cut to its length.
    pub(super) fn fixed_part(&self) -> &[u8] {
        self.fixed.get(..usize::from(self.fixed_length)).unwrap_or(&self.fixed)
    }

    /// The 20 bytes of an HOTP or HMAC secret: 16 are in `key`, 4 in `uid`.
    pub(super) fn hmac_key(&self) -> zeroize::Zeroizing<[u8; 20]> {
        let mut key = zeroize::Zeroizing::new([0; 20]);
        for (to, from) in key.iter_mut().zip(self.key.iter().chain(&self.uid)) {
            *to = *from;
        }
        key
    }

    /// The counter that an HOTP slot starts with: the last two bytes of `uid`,
    /// big-endian, times 16. Firmware before 2.2 starts at 0, but for late betas of
    /// the NEO.
    pub(super) fn initial_counter(&self, firmware: Firmware) -> u64 {
        let [.., high, low] = self.uid;
        let known = firmware >= Firmware::new(2, 2, 0) || (is_neo_beta(firmware) && firmware.build > 6);
        if known { u64::from(u16::from_be_bytes([high, low])) * 16 } else { 0 }
    }

    /// Takes over from `new` what an update may change: some flags, and the access
    /// code.
    pub(super) fn update(&mut self, new: &Self) {
        self.ext = new.ext;
        self.tkt = (self.tkt & !UPDATE_TKT) | (new.tkt & UPDATE_TKT);
        self.cfg = (self.cfg & !UPDATE_CFG) | (new.cfg & UPDATE_CFG);
        self.access_code = new.access_code;
    }
}

/// The `ext` flags that a firmware knows. A configuration with any other is
/// refused as a whole (ykpers.c, `capability_has_*`; yubikey-manager issue 368).
pub(super) fn known_ext(firmware: Firmware) -> u8 {
    let since = Firmware::new;
    if is_neo_beta(firmware) {
        ext::SERIAL_API_VISIBLE
    } else if firmware < since(2, 2, 0) {
        0
    } else if firmware < since(2, 3, 0) {
        0x07
    } else if firmware < since(2, 4, 0) || (since(3, 0, 0)..since(3, 1, 0)).contains(&firmware) {
        0x7f
    } else {
        0xff
    }
}

/// The NEO's beta called itself 2.1.4 and up; it has one slot, and some things that
/// other keys got with 2.2 only (ykpers.c, `vcheck_neo`).
pub(super) fn is_neo_beta(firmware: Firmware) -> bool {
    (Firmware::new(2, 1, 4)..Firmware::new(2, 2, 0)).contains(&firmware)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_flags(tkt: u8, cfg: u8) -> Config {
        let fixed_length = 0;
        Config {
            fixed: [0; 16],
            uid: [0; 6],
            key: [0; 16],
            access_code: [0; 6],
            fixed_length,
            ext: 0,
            tkt,
            cfg,
        }
    }

    #[test]
    fn modes_follow_the_bits() {
        assert_eq!(with_flags(0x20, 0x00).mode(), Mode::YubicoOtp);
        assert_eq!(with_flags(0x20, 0x02).mode(), Mode::ScanCodes);
        assert_eq!(with_flags(0x20, 0x22).mode(), Mode::StaticTicket);
        assert_eq!(with_flags(0x60, 0x40).mode(), Mode::Hotp);
        assert_eq!(with_flags(0x60, 0x42).mode(), Mode::Hotp);
        assert_eq!(with_flags(0x40, 0x20).mode(), Mode::YubicoChallenge);
        assert_eq!(with_flags(0x40, 0x26).mode(), Mode::HmacChallenge);
    }

    #[test]
    fn an_update_keeps_what_makes_the_mode() {
        let mut old = with_flags(0xe0, 0x42);
        let new = with_flags(0x5f, 0xad);
        old.update(&new);
        assert_eq!((old.tkt, old.cfg), (0xdf, 0x4e));
    }

    #[test]
    fn a_configuration_survives_its_bytes() {
        let mut config = with_flags(0x60, 0x40);
        config.uid = [1, 2, 3, 4, 0x12, 0x34];
        let again = Config::parse(&config.bytes()).unwrap();
        assert_eq!(again.bytes(), config.bytes());
        assert_eq!(again.initial_counter(Firmware::new(5, 4, 3)), 0x12340);
        assert_eq!(again.initial_counter(Firmware::new(2, 1, 0)), 0);
        let mut broken = *config.bytes();
        broken[3] ^= 1;
        assert!(Config::parse(&broken).is_none());
    }
}
