//! The commands of the OTP application (`ykdef.h`, `SLOT_*`; yubikit
//! `yubiotp.py`, `management.py`).
//!
//! A [`Command`] is the byte; functions below make whole [`Frame`]s. What each
//! needs in its payload is in [`slot_write`](super::slot_write),
//! [`device_config`](super::device_config).

use super::device_config::DeviceConfig;
use super::firmware::Feature;
use super::frame::{Frame, PAYLOAD, Payload};
use super::response::Length;
use super::slot_write::SlotWrite;
use crate::device::{Firmware, Slot};
use crate::secret::AccessCode;
use zeroize::Zeroizing;

/// One of the two slots. A short touch fires slot 1, a long one slot 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OtpSlot {
    /// Slot 1.
    One,
    /// Slot 2.
    Two,
}

impl OtpSlot {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The slot of that number, when it is 1 or 2.
    pub const fn new(slot: Slot) -> Option<Self> {
        match slot.0 {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    /// 1 or 2.
    pub const fn slot(self) -> Slot {
        match self {
            Self::One => Slot(1),
            Self::Two => Slot(2),
        }
    }

    /// Whether `firmware` has it.
    pub fn is_in(self, firmware: Firmware) -> bool {
        self == Self::One || Feature::SlotTwo.is_in(firmware)
    }
}

/// What a key can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Write or delete a slot.
    Write(OtpSlot),
    /// Change the flags and the access code of a slot.
    Update(OtpSlot),
    /// Exchange the slots.
    Swap,
    /// Read the serial.
    Serial,
    /// Write the scan-code map; only [`neo_wakeup_probe`] does.
    ScanMap,
    /// Read a page of device information.
    DeviceInfo,
    /// Write the device configuration.
    WriteDeviceInfo,
    /// HMAC-SHA1 challenge.
    ChallengeHmac(OtpSlot),
}

/// How a key answers a command that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// By a changed status.
    Status,
    Response(Length),
}

impl Command {
    const ALL: [Self; 11] = [
        Self::Write(OtpSlot::One),
        Self::Write(OtpSlot::Two),
        Self::Update(OtpSlot::One),
        Self::Update(OtpSlot::Two),
        Self::Swap,
        Self::Serial,
        Self::ScanMap,
        Self::DeviceInfo,
        Self::WriteDeviceInfo,
        Self::ChallengeHmac(OtpSlot::One),
        Self::ChallengeHmac(OtpSlot::Two),
    ];

    /// The command of that byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.byte() == byte)
    }

    pub const fn byte(self) -> u8 {
        use OtpSlot::{One, Two};
        match self {
            Self::Write(One) => 0x01,
            Self::Write(Two) => 0x03,
            Self::Update(One) => 0x04,
            Self::Update(Two) => 0x05,
            Self::Swap => 0x06,
            Self::Serial => 0x10,
            Self::ScanMap => 0x12,
            Self::DeviceInfo => 0x13,
            Self::WriteDeviceInfo => 0x15,
            Self::ChallengeHmac(One) => 0x30,
            Self::ChallengeHmac(Two) => 0x38,
        }
    }

    /// How it is answered.
    pub const fn answer(self) -> AnswerForm {
        match self {
            Self::Serial => AnswerForm::Response(Length::Exactly(4)),
            Self::DeviceInfo => AnswerForm::Response(Length::Prefixed),
            Self::ChallengeHmac(_) => AnswerForm::Response(Length::Exactly(20)),
            Self::Write(_) | Self::Update(_) | Self::Swap | Self::ScanMap | Self::WriteDeviceInfo => {
                AnswerForm::Status
            }
        }
    }

    fn frame(self, payload: &Payload) -> Frame {
        Frame::new(self.byte(), payload)
    }
}

/// Writes or deletes a slot.
pub fn write(slot: OtpSlot, write: &SlotWrite) -> Frame {
    Command::Write(slot).frame(&write.payload())
}

pub fn update(slot: OtpSlot, write: &SlotWrite) -> Frame {
    Command::Update(slot).frame(&write.payload())
}

/// Swaps the slots. `current` goes where ykpersonalize puts it, behind 52 zeros.
pub fn swap(current: &AccessCode) -> Frame {
    Command::Swap.frame(&SlotWrite::delete(current).payload())
}

/// Reads the serial.
pub fn read_serial() -> Frame {
    Command::Serial.frame(&Payload::empty())
}

/// The serial in an answer: four bytes, big-endian, unlike everything else here.
pub fn parse_serial(answer: &[u8]) -> Option<u32> {
    answer.try_into().ok().map(u32::from_be_bytes)
}

/// Reads a page of device information, from 0.
pub fn read_device_info(page: u8) -> Frame {
    Command::DeviceInfo.frame(&Payload::of(page))
}

/// Writes the device configuration. `None` when it does not fit a payload.
pub fn write_device_info(config: &DeviceConfig) -> Option<Frame> {
    Some(Command::WriteDeviceInfo.frame(&Payload::new(&config.encode()?)?))
}

/// The command that shakes an old programming sequence loose on firmware 3.x
/// without changing anything: a scan map of 45 times `c` under the access code
/// `cccccc`. No key has that map and that code, so it is refused (yubikit
/// `yubiotp.py`).
pub fn neo_wakeup_probe() -> Frame {
    Command::ScanMap.frame(&Payload::of([b'c'; 51]))
}

/// Sends a challenge of at most 63 bytes to an HMAC slot that takes short ones
/// ([`HMAC_SHORT_CHALLENGE`](super::flags::CfgFlags::HMAC_SHORT_CHALLENGE)),
/// or of exactly 64. `None` when it is longer.
///
/// Such a slot strips all trailing bytes that are like the 64th, so the padding
/// is a byte that the challenge does not end in: 0, or 1 after a 0.
pub fn challenge_hmac(slot: OtpSlot, challenge: &[u8]) -> Option<Frame> {
    let filler = u8::from(challenge.last() == Some(&0));
    let mut bytes = Zeroizing::new([filler; PAYLOAD]);
    bytes.get_mut(..challenge.len())?.copy_from_slice(challenge);
    Some(Command::ChallengeHmac(slot).frame(&Payload::from_array(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_comes_back_from_its_byte() {
        let known: Vec<u8> = (0..=255).filter(|&byte| Command::from_byte(byte).is_some()).collect();
        assert_eq!(known.len(), Command::ALL.len());
        for byte in known {
            assert_eq!(Command::from_byte(byte).unwrap().byte(), byte);
        }
    }

    #[test]
    fn the_serial_is_big_endian() {
        assert_eq!(parse_serial(&[0x00, 0xbc, 0x61, 0x4e]), Some(12_345_678));
        assert_eq!(parse_serial(&[0x00, 0xbc, 0x61]), None);
    }
}
