//! What survives being pulled out: the two slots, their counters, and the
//! device's settings; and the rules by which they change.

use zeroize::{Zeroize, ZeroizeOnDrop};

use keys::device::Firmware;

use super::config::{Config, Mode, ext, is_neo_beta, known_ext, tkt};
use super::model::{Model, capabilities_on, interfaces_of};
use super::typing;

/// Access codes are six bytes; zero means none.
pub(super) type Code = [u8; 6];

/// One of the two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    One,
    Two,
}

/// A slot that holds something.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Slot {
    pub config: Config,
    /// The next HOTP counter.
    pub hotp_counter: u64,
    /// Yubico OTP: how often it was used after a power-up.
    pub use_counter: u16,
    /// Updates with an access code so far; only 4.3.2 to 4.3.5 mind.
    pub coded_updates: u8,
}

/// An NDEF record: what NFC readers get.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ndef {
    /// 'U' or 'T'.
    pub kind: u8,
    /// Up to 54 bytes.
    pub data: Vec<u8>,
}

/// Settings of the device as a whole (yubikit/management.py).
#[derive(Clone, ZeroizeOnDrop, Zeroize)]
pub(super) struct Settings {
    /// Applications that are on over USB, from the next power-up.
    pub usb_enabled: u16,
    pub nfc_enabled: u16,
    pub nfc_restricted: bool,
    /// Seconds.
    pub auto_eject: u16,
    /// Seconds a challenge waits for a touch; 0 = 15.
    pub challenge_timeout: u8,
    pub flags: u8,
    pub lock: Option<[u8; 16]>,
}

#[derive(Clone)]
pub(super) struct Memory {
    /// 0: nothing is programmed.
    pub sequence: u8,
    pub one: Option<Slot>,
    pub two: Option<Slot>,
    pub ndef: [Option<Ndef>; 2],
    /// Usages of the characters in `typing::ORDER`; bit 7 is shift.
    pub scan_map: [u8; typing::CHARACTERS],
    pub settings: Settings,
    /// Grows with every change, so that others know when to save.
    pub revision: u64,
}

impl Memory {
    /// A key without anything in it.
    pub(super) fn empty(model: &Model) -> Self {
        let supported = model.supported();
        Self {
            sequence: 0,
            one: None,
            two: None,
            ndef: [None, None],
            scan_map: typing::US_LAYOUT,
            settings: Settings {
                usb_enabled: capabilities_on(model.interfaces, supported),
                nfc_enabled: if model.has_nfc() { supported } else { 0 },
                nfc_restricted: false,
                auto_eject: 0,
                challenge_timeout: 0,
                flags: 0,
                lock: None,
            },
            revision: 0,
        }
    }

    pub(super) const fn slot(&self, place: Place) -> Option<&Slot> {
        match place {
            Place::One => self.one.as_ref(),
            Place::Two => self.two.as_ref(),
        }
    }

    pub(super) const fn slot_mut(&mut self, place: Place) -> &mut Option<Slot> {
        match place {
            Place::One => &mut self.one,
            Place::Two => &mut self.two,
        }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.one.iter().chain(&self.two)
    }

    /// Commands 01 and 03: a new configuration, or nothing when it is all zero.
    /// `false`: refused, and nothing changed.
    pub(super) fn write(&mut self, firmware: Firmware, place: Place, payload: &[u8; 64]) -> bool {
        let Some((bytes, code)) = config_and_code(payload) else { return false };
        if !self.may_change(firmware, place, code) {
            return false;
        }
        if bytes == &[0; 52] {
            *self.slot_mut(place) = None;
            self.count();
            return true;
        }
        let Some(config) = Config::parse(bytes).filter(|config| fits(firmware, config)) else {
            return false;
        };
        let hotp_counter = config.initial_counter(firmware);
        *self.slot_mut(place) = Some(Slot { config, hotp_counter, use_counter: 0, coded_updates: 0 });
        self.count();
        true
    }

    /// Commands 04 and 05: flags and access code only.
    pub(super) fn update(&mut self, firmware: Firmware, place: Place, payload: &[u8; 64]) -> bool {
        let Some((bytes, code)) = config_and_code(payload) else { return false };
        if firmware < Firmware::new(2, 3, 0) || !self.may_change(firmware, place, code) {
            return false;
        }
        let Some(new) = Config::parse(bytes).filter(|config| config.ext & !known_ext(firmware) == 0) else {
            return false;
        };
        let Some(slot) = self.slot_mut(place) else { return false };
        if !slot.config.has(ext::ALLOW_UPDATE) {
            return false;
        }
        let old_code = slot.config.access_code;
        slot.config.update(&new);
        if forgets_code_changes(firmware) {
            // yubikey-manager PR 126: the change of the code is dropped in silence.
            // yubikey-personalization-gui issue 73: the third update that presents
            // the right code leaves a slot that takes no update and hides the serial.
            slot.config.access_code = old_code;
            if old_code != [0; 6] {
                slot.coded_updates = slot.coded_updates.saturating_add(1);
                if slot.coded_updates >= 3 {
                    slot.config.ext &= !(ext::ALLOW_UPDATE | ext::SERIAL_API_VISIBLE);
                }
            }
        }
        self.count();
        true
    }

    /// Command 06. Every slot that holds something must allow updates
    /// (yubikey-personalization issue 64) and its access code be presented.
    pub(super) fn swap(&mut self, firmware: Firmware, payload: &[u8; 64]) -> bool {
        let Some((_, code)) = config_and_code(payload) else { return false };
        let allowed = self.slots().all(|slot| slot.config.has(ext::ALLOW_UPDATE) && opens(slot, code));
        if firmware < Firmware::new(2, 3, 0) || !has_two_slots(firmware) || !allowed {
            return false;
        }
        if self.slots().next().is_none() {
            return false;
        }
        core::mem::swap(&mut self.one, &mut self.two);
        self.count();
        true
    }

    /// Commands 08 and 09: length, type, 54 bytes, access code.
    pub(super) fn write_ndef(&mut self, firmware: Firmware, second: bool, payload: &[u8; 64]) -> bool {
        let [length, kind, rest @ ..] = payload;
        let Some((data, code)) = rest.split_first_chunk::<54>() else { return false };
        let Some(code) = code.first_chunk::<6>() else { return false };
        let Some(data) = data.get(..usize::from(*length)) else { return false };
        let able = matches!(firmware.major, 3 | 5) || (is_neo_beta(firmware) && !second);
        if !able || !matches!(kind, b'U' | b'T') || !self.all_open(code) {
            return false;
        }
        let [first_record, second_record] = &mut self.ndef;
        let record = if second { second_record } else { first_record };
        *record = Some(Ndef { kind: *kind, data: data.to_vec() });
        self.count();
        true
    }

    /// Command 11, firmware 3 and 4: interfaces, challenge timeout, auto-eject.
    /// Any access code stands in its way (yubikey-manager issues 12 and 273).
    pub(super) fn set_mode(&mut self, model: &Model, payload: &[u8; 64]) -> bool {
        let [mode, timeout, low, high, ..] = payload;
        // yubikit/management.py, `_MODES`; bit 7 is "eject by touch".
        let interfaces = match mode & 0x07 {
            0 => 1,
            1 => 4,
            2 => 5,
            3 => 2,
            4 => 3,
            5 => 6,
            6 => 7,
            _ => return false,
        };
        let known = matches!(model.firmware.major, 3 | 4) && model.product_id(interfaces).is_some();
        if !known || !self.all_open(&[0; 6]) {
            return false;
        }
        self.settings.usb_enabled = capabilities_on(interfaces, model.supported());
        self.settings.challenge_timeout = *timeout;
        self.settings.auto_eject = u16::from_le_bytes([*low, *high]).saturating_mul(10);
        self.settings.flags = mode & 0x80;
        self.count();
        true
    }

    /// Command 12: the usages that characters are typed with, and an access code.
    /// All zero brings the US layout back. The usages must be 45 different ones
    /// (ykpersonalize(1)) that the report descriptor allows.
    pub(super) fn write_scan_map(&mut self, firmware: Firmware, payload: &[u8; 64]) -> bool {
        let Some((map, rest)) = payload.split_first_chunk::<{ typing::CHARACTERS }>() else { return false };
        let Some(code) = rest.first_chunk::<6>() else { return false };
        if firmware < Firmware::new(3, 0, 0) || !self.all_open(code) {
            return false;
        }
        let distinct = map.iter().enumerate().all(|(at, usage)| !map.iter().skip(at + 1).any(|u| u == usage));
        let typable = map.iter().all(|usage| (0x04..=0x65).contains(&(usage & 0x7f)));
        if map == &[0; typing::CHARACTERS] {
            self.scan_map = typing::US_LAYOUT;
        } else if distinct && typable {
            self.scan_map = *map;
        } else {
            return false;
        }
        self.count();
        true
    }

    /// One more change. The number stays 0 while nothing is programmed, and is
    /// never 0 while something is.
    pub(super) fn count(&mut self) {
        let programmed = self.slots().next().is_some();
        self.sequence = if programmed { self.sequence.checked_add(1).unwrap_or(1) } else { 0 };
        self.revision += 1;
    }

    /// One more change of something that counts also when nothing is programmed.
    pub(super) fn count_always(&mut self) {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.revision += 1;
    }

    /// Whether the serial may be told: some slot says so, or nothing is programmed.
    pub(super) fn tells_serial(&self) -> bool {
        self.shows(ext::SERIAL_API_VISIBLE) || self.slots().next().is_none()
    }

    /// Whether any slot has that `ext` flag.
    pub(super) fn shows(&self, flag: u8) -> bool {
        self.slots().any(|slot| slot.config.has(flag))
    }

    /// The low byte of the touch level (ykdef.h, `CONFIG1_VALID` and so on).
    pub(super) fn touch_bits(&self, firmware: Firmware) -> u8 {
        let mut bits = 0;
        for (slot, valid, touch) in [(&self.one, 0x01, 0x04), (&self.two, 0x02, 0x08)] {
            let Some(slot) = slot else { continue };
            if firmware >= Firmware::new(2, 1, 0) {
                bits |= valid;
            }
            if firmware >= Firmware::new(3, 0, 0) && slot.config.wants_touch() {
                bits |= touch;
            }
        }
        if self.shows(ext::LED_INV) {
            bits |= 0x10;
        }
        bits
    }

    /// The USB mode byte of a NEO (yubikit/management.py, `_MODES`).
    pub(super) fn mode(&self) -> u8 {
        let code = match interfaces_of(self.settings.usb_enabled) {
            4 => 1,
            5 => 2,
            2 => 3,
            3 => 4,
            6 => 5,
            7 => 6,
            _ => 0,
        };
        code | self.settings.flags & 0x80
    }

    fn may_change(&self, firmware: Firmware, place: Place, code: &Code) -> bool {
        let opened = self.slot(place).is_none_or(|slot| opens(slot, code));
        match place {
            Place::One => opened,
            Place::Two => {
                let protects = |slot: &Slot| slot.config.tkt & tkt::PROTECT_CFG2 != 0;
                let kept =
                    self.one.as_ref().is_some_and(protects) && !self.two.as_ref().is_some_and(protects);
                opened && !kept && has_two_slots(firmware)
            }
        }
    }

    fn all_open(&self, code: &Code) -> bool {
        self.slots().all(|slot| opens(slot, code))
    }
}

fn opens(slot: &Slot, code: &Code) -> bool {
    slot.config.access_code == [0; 6] || &slot.config.access_code == code
}

/// 1.x has one slot, and so has the NEO beta.
fn has_two_slots(firmware: Firmware) -> bool {
    firmware >= Firmware::new(2, 0, 0) && !is_neo_beta(firmware)
}

fn forgets_code_changes(firmware: Firmware) -> bool {
    (Firmware::new(4, 3, 2)..=Firmware::new(4, 3, 5)).contains(&firmware)
}

/// Whether the firmware knows all that the configuration asks for.
fn fits(firmware: Firmware, config: &Config) -> bool {
    let since = match config.mode() {
        Mode::Hotp => Firmware::new(2, 1, 0),
        Mode::YubicoChallenge | Mode::HmacChallenge => Firmware::new(2, 2, 0),
        Mode::ScanCodes | Mode::StaticTicket if is_neo_beta(firmware) => Firmware::new(2, 1, 5),
        Mode::YubicoOtp | Mode::ScanCodes | Mode::StaticTicket => Firmware::new(1, 0, 0),
    };
    firmware >= since && config.ext & !known_ext(firmware) == 0
}

fn config_and_code(payload: &[u8; 64]) -> Option<(&[u8; 52], &Code)> {
    let (config, rest) = payload.split_first_chunk::<52>()?;
    Some((config, rest.first_chunk::<6>()?))
}
