//! What keys answer, read out of results.

use super::command::{CounterForm, Factor, GeneralConfig};
use super::report::{Answer, RESULT};
use super::slot::{OtpSlot, SlotConfig, SlotKind, SlotName};
use crate::bytes::{take, take_slice};
use crate::device::{Digits, Firmware};

/// The answer to [`get_status`](super::command::get_status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The firmware. A Storage says 0.1 here, whatever it has.
    pub firmware: Firmware,
    /// The number of the smart card inside; 0 when it is not known, and on a Storage.
    pub card: u32,
    /// The general configuration.
    pub config: GeneralConfig,
}

impl Status {
    /// Reads it.
    pub fn parse(result: &[u8; RESULT]) -> Option<Self> {
        let mut rest: &[u8] = result;
        let [minor, major] = take(&mut rest)?;
        let card = u32::from_le_bytes(take(&mut rest)?);
        let [num_lock, caps_lock, scroll_lock, user_pin, _delete] = take(&mut rest)?;
        // Only 1 switches it on; a key never configured shows FF (report_protocol.c).
        let user_pin_for_codes = user_pin == 1;
        let config = GeneralConfig { num_lock, caps_lock, scroll_lock, user_pin_for_codes };
        Some(Self { firmware: Firmware::new(major, minor, 0), card, config })
    }
}

/// The answer to [`get_device_status`](super::command::get_device_status)
/// (`FlashStorage.h`, `typeStick20Configuration_st`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceStatus {
    pub firmware: Firmware,
    /// The number of the smart card inside.
    pub card: u32,
    /// How often the user's PIN may still be wrong.
    pub user_retries: u8,
    /// How often the administrator's PIN may still be wrong.
    pub admin_retries: u8,
}

/// How far a Storage is with a command of its own kind (`report_protocol.h`,
/// `HID_Stick20Status_est`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// It has not begun, or is at it.
    Working,
    /// It is through.
    Done,
    /// The PIN was wrong, or none was presented.
    WrongPin,
    /// The smart card does not answer.
    CardSilent,
    /// It will not do it, for another reason.
    Refused,
}

/// How far a Storage is with the command of that byte.
pub fn job(result: &[u8; RESULT], command: u8) -> Job {
    let mut rest: &[u8] = result;
    let state = take_slice(&mut rest, 13).and_then(|_| take::<3>(&mut rest));
    match state {
        Some([_, last, state]) if last == command => match state {
            0 | 2 | 4 => Job::Working,
            1 => Job::Done,
            3 => Job::WrongPin,
            7 => Job::CardSilent,
            _ => Job::Refused,
        },
        _ => Job::Working,
    }
}

impl DeviceStatus {
    /// Reads it, when it is there: it comes once, in the first report that is read
    /// after the Storage is through.
    pub fn parse(result: &[u8; RESULT]) -> Option<Self> {
        let mut rest: &[u8] = result;
        take_slice(&mut rest, 18)?;
        let [_number, kind, _more, _size] = take(&mut rest)?;
        // Data of type 3 is this structure.
        if kind != 3 {
            return None;
        }
        let [_, _, _, _] = take(&mut rest)?;
        let [major, minor, _, build] = take(&mut rest)?;
        take_slice(&mut rest, 10)?;
        let [user_retries, admin_retries] = take(&mut rest)?;
        let card = u32::from_le_bytes(take(&mut rest)?);
        let firmware = Firmware::new(major, minor, build);
        Some(Self { firmware, card, user_retries, admin_retries })
    }
}

/// The answer to [`read_slot`](super::command::read_slot): everything but the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotContent {
    /// What it is called.
    pub name: SlotName,
    /// How it is set up.
    pub config: SlotConfig,
    /// Typed in front of codes, where that is set up.
    pub token_id: [u8; 13],
    /// The counter or the interval.
    pub factor: Factor,
}

impl SlotContent {
    /// Reads it; `form` is how this key writes counters.
    pub fn parse(slot: OtpSlot, form: CounterForm, result: &[u8; RESULT]) -> Option<Self> {
        let mut rest: &[u8] = result;
        let name = SlotName::from_wire(take(&mut rest)?);
        let [config] = take(&mut rest)?;
        let token_id = take(&mut rest)?;
        let factor: [u8; 8] = take(&mut rest)?;
        let factor = match (slot.kind(), form) {
            (SlotKind::Hotp, CounterForm::Number) => Factor::Counter(u64::from_le_bytes(factor)),
            (SlotKind::Hotp, CounterForm::Digits) => Factor::Counter(digits(&factor)?),
            // Older firmware fills in two bytes, newer eight; two are enough for a day.
            (SlotKind::Totp, _) => {
                let [low, high, ..] = factor;
                Factor::Interval(u16::from_le_bytes([low, high]))
            }
        };
        Some(Self { name, config: SlotConfig::from_byte(config), token_id, factor })
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(bytes.get(..end)?).ok()?.parse().ok()
}

/// The answer to [`get_code`](super::command::get_code).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code {
    number: u32,
    /// How the slot is set up.
    pub config: SlotConfig,
}

impl Code {
    /// Reads it.
    pub fn parse(result: &[u8; RESULT]) -> Option<Self> {
        let mut rest: &[u8] = result;
        let number = u32::from_le_bytes(take(&mut rest)?);
        let [config] = take(&mut rest)?;
        Some(Self { number, config: SlotConfig::from_byte(config) })
    }

    /// The code as it is typed; `None` when the number has more digits than the slot.
    pub fn text(&self) -> Option<String> {
        match self.config.digits {
            Digits::Six if self.number < 1_000_000 => Some(format!("{:06}", self.number)),
            Digits::Eight if self.number < 100_000_000 => Some(format!("{:08}", self.number)),
            _ => None,
        }
    }
}

/// How often a PIN may still be wrong, as an answer says it; `None` when the smart
/// card did not say. OpenPGP cards count from 3; the Pro says 255 and the Storage
/// 88 when they could not ask (`CcidLocalAccess.c`, `report_protocol.c`).
pub fn retries(answer: &Answer) -> Option<u8> {
    let [count, ..] = *answer.result();
    (answer.status() == super::report::CommandStatus::Ok && count <= 15).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Kind, Slot};

    #[test]
    fn the_status_of_a_storage_comes_when_it_comes() {
        let mut result = [0; RESULT];
        assert_eq!(DeviceStatus::parse(&result), None);
        result[18..22].copy_from_slice(&[1, 3, 0, 25]);
        result[22..47].copy_from_slice(&[
            0x18, 0x09, 0, 0, 0, 54, 0, 0, 0, 0, 1, 1, 9, 9, 9, 9, 0, 0, 3, 2, 0x44, 0x33, 0x22, 0x11, 0,
        ]);
        let status = DeviceStatus {
            firmware: Firmware::new(0, 54, 0),
            card: 0x1122_3344,
            user_retries: 3,
            admin_retries: 2,
        };
        assert_eq!(DeviceStatus::parse(&result), Some(status));
    }

    #[test]
    fn a_job_is_done_when_it_names_its_command() {
        let state = |last, state| {
            let mut result = [0; RESULT];
            result[13..17].copy_from_slice(&[1, last, state, 0]);
            job(&result, 0x32)
        };
        assert_eq!(state(0x2e, 1), Job::Working);
        assert_eq!(state(0x32, 2), Job::Working);
        assert_eq!(state(0x32, 1), Job::Done);
        assert_eq!(state(0x32, 3), Job::WrongPin);
        assert_eq!(state(0x32, 7), Job::CardSilent);
        assert_eq!(state(0x32, 8), Job::Refused);
    }

    #[test]
    fn counters_in_digits_are_read_as_digits() {
        let slot = OtpSlot::new(Kind::Hotp, Slot(0)).unwrap();
        let mut result = [0; RESULT];
        result[..2].copy_from_slice(b"ab");
        result[29..33].copy_from_slice(b"4711");
        let content = SlotContent::parse(slot, CounterForm::Digits, &result).unwrap();
        assert_eq!(content.factor, Factor::Counter(4711));
        assert_eq!(content.name.text(), "ab");
        result[29] = b'x';
        assert!(SlotContent::parse(slot, CounterForm::Digits, &result).is_none());
    }

    #[test]
    fn codes_have_as_many_digits_as_the_slot() {
        let code = |number: u32, config| {
            let mut result = [0; RESULT];
            result[..4].copy_from_slice(&number.to_le_bytes());
            result[4] = config;
            Code::parse(&result).unwrap().text()
        };
        assert_eq!(code(7, 0).as_deref(), Some("000007"));
        assert_eq!(code(7, 1).as_deref(), Some("00000007"));
        assert_eq!(code(1_000_000, 0), None);
        assert_eq!(code(100_000_000, 1), None);
    }
}
