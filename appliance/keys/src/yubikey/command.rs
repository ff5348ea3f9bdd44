//! The commands of the OTP application (`ykdef.h`, `SLOT_*`; yubikit
//! `yubiotp.py`, `management.py`).
//!
//! A [`Command`] is the byte; functions below make whole [`Frame`]s. What each
//! needs in its payload is in [`slot_write`](super::slot_write),
//! [`extras`](super::extras) and [`device_config`](super::device_config).

use super::device_config::DeviceConfig;
use super::extras::{Ndef, ScanMap, UsbMode};
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
    /// Navigation: firmware 1 only, never used here.
    Navigation,
    /// Change the flags and the access code of a slot.
    Update(OtpSlot),
    /// Exchange the slots.
    Swap,
    /// Write what is read by radio when the slot is used.
    Ndef(OtpSlot),
    /// Read the serial.
    Serial,
    /// Choose the USB interfaces (NEO, 4).
    UsbMode,
    /// Write the scan-code map.
    ScanMap,
    /// Read a page of device information.
    DeviceInfo,
    /// Write the device configuration.
    WriteDeviceInfo,
    /// Yubico OTP challenge.
    ChallengeYubico(OtpSlot),
    /// HMAC-SHA1 challenge.
    ChallengeHmac(OtpSlot),
}

/// How a key answers a command that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// By a changed status.
    Status,
    /// By a response.
    Response(Length),
}

impl Command {
    /// All commands with their bytes.
    const BYTES: [(u8, Self); 17] = [
        (0x01, Self::Write(OtpSlot::One)),
        (0x02, Self::Navigation),
        (0x03, Self::Write(OtpSlot::Two)),
        (0x04, Self::Update(OtpSlot::One)),
        (0x05, Self::Update(OtpSlot::Two)),
        (0x06, Self::Swap),
        (0x08, Self::Ndef(OtpSlot::One)),
        (0x09, Self::Ndef(OtpSlot::Two)),
        (0x10, Self::Serial),
        (0x11, Self::UsbMode),
        (0x12, Self::ScanMap),
        (0x13, Self::DeviceInfo),
        (0x15, Self::WriteDeviceInfo),
        (0x20, Self::ChallengeYubico(OtpSlot::One)),
        (0x28, Self::ChallengeYubico(OtpSlot::Two)),
        (0x30, Self::ChallengeHmac(OtpSlot::One)),
        (0x38, Self::ChallengeHmac(OtpSlot::Two)),
    ];

    /// The command of that byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::BYTES.iter().find(|&&(known, _)| known == byte).map(|&(_, command)| command)
    }

    /// Its byte.
    pub const fn byte(self) -> u8 {
        use OtpSlot::{One, Two};
        match self {
            Self::Write(One) => 0x01,
            Self::Navigation => 0x02,
            Self::Write(Two) => 0x03,
            Self::Update(One) => 0x04,
            Self::Update(Two) => 0x05,
            Self::Swap => 0x06,
            Self::Ndef(One) => 0x08,
            Self::Ndef(Two) => 0x09,
            Self::Serial => 0x10,
            Self::UsbMode => 0x11,
            Self::ScanMap => 0x12,
            Self::DeviceInfo => 0x13,
            Self::WriteDeviceInfo => 0x15,
            Self::ChallengeYubico(One) => 0x20,
            Self::ChallengeYubico(Two) => 0x28,
            Self::ChallengeHmac(One) => 0x30,
            Self::ChallengeHmac(Two) => 0x38,
        }
    }

    /// Whether `firmware` knows it.
    pub fn is_known_to(self, firmware: Firmware) -> bool {
        match self {
            Self::Write(slot) => slot.is_in(firmware),
            Self::Navigation => firmware.major < 2,
            Self::Update(slot) => slot.is_in(firmware) && Feature::Update.is_in(firmware),
            Self::Swap => Feature::Swap.is_in(firmware),
            Self::Ndef(OtpSlot::One) => Feature::Ndef.is_in(firmware),
            Self::Ndef(OtpSlot::Two) => Feature::NdefSlotTwo.is_in(firmware),
            Self::Serial => Feature::SerialByApi.is_in(firmware),
            Self::UsbMode => Feature::UsbMode.is_in(firmware),
            Self::ScanMap => Feature::ScanMap.is_in(firmware),
            Self::DeviceInfo => Feature::DeviceInfo.is_in(firmware),
            Self::WriteDeviceInfo => Feature::WriteDeviceInfo.is_in(firmware),
            Self::ChallengeYubico(_) | Self::ChallengeHmac(_) => Feature::ChallengeResponse.is_in(firmware),
        }
    }

    /// How it is answered.
    pub const fn answer(self) -> AnswerForm {
        match self {
            Self::Serial => AnswerForm::Response(Length::Exactly(4)),
            Self::DeviceInfo => AnswerForm::Response(Length::Prefixed),
            Self::ChallengeYubico(_) => AnswerForm::Response(Length::Exactly(16)),
            Self::ChallengeHmac(_) => AnswerForm::Response(Length::Exactly(20)),
            _ => AnswerForm::Status,
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

/// Updates a slot.
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
    let mut bytes = [0; PAYLOAD];
    let [first, ..] = &mut bytes;
    *first = page;
    Command::DeviceInfo.frame(&Payload::from_array(&bytes))
}

/// Writes the device configuration. `None` when it does not fit a payload.
pub fn write_device_info(config: &DeviceConfig) -> Option<Frame> {
    Some(Command::WriteDeviceInfo.frame(&Payload::new(&config.encode()?)?))
}

/// Writes what is read by radio.
pub fn write_ndef(slot: OtpSlot, ndef: &Ndef, current: &AccessCode) -> Frame {
    Command::Ndef(slot).frame(&ndef.payload(current))
}

/// Chooses the USB interfaces.
pub fn set_usb_mode(mode: UsbMode) -> Frame {
    Command::UsbMode.frame(&mode.payload())
}

/// Writes the scan-code map. `current` guards it like a slot.
pub fn write_scan_map(map: &ScanMap, current: &AccessCode) -> Frame {
    Command::ScanMap.frame(&map.payload(current))
}

/// The command that shakes an old programming sequence loose on firmware 3.x
/// without changing anything: a scan map of 45 times `c` under the access code
/// `cccccc`. No key has that map and that code, so it is refused (yubikit
/// `yubiotp.py`).
pub fn neo_wakeup_probe() -> Frame {
    let mut bytes = [0; PAYLOAD];
    bytes.iter_mut().take(51).for_each(|byte| *byte = b'c');
    Command::ScanMap.frame(&Payload::from_array(&bytes))
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

/// The part of an HMAC payload that a slot for short challenges takes: without
/// the trailing bytes that are like the last.
pub fn stripped_challenge(payload: &[u8; PAYLOAD]) -> &[u8] {
    let [.., last] = payload;
    let kept = payload.iter().rposition(|byte| byte != last).map_or(0, |at| at + 1);
    payload.get(..kept).unwrap_or_default()
}

/// Sends a challenge of six bytes to a Yubico OTP slot.
pub fn challenge_yubico(slot: OtpSlot, challenge: &[u8; 6]) -> Frame {
    let mut bytes = [0; PAYLOAD];
    for (to, from) in bytes.iter_mut().zip(challenge) {
        *to = *from;
    }
    Command::ChallengeYubico(slot).frame(&Payload::from_array(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_command_comes_back_from_its_byte() {
        let known: Vec<u8> = (0..=255).filter(|&byte| Command::from_byte(byte).is_some()).collect();
        assert_eq!(known.len(), Command::BYTES.len());
        for byte in known {
            assert_eq!(Command::from_byte(byte).unwrap().byte(), byte);
        }
    }

    #[test]
    fn commands_begin_with_the_firmware_that_brought_them() {
        let known =
            |command: Command, version: (u8, u8)| command.is_known_to(Firmware::new(version.0, version.1, 0));
        for (command, before, from) in [
            (Command::Write(OtpSlot::Two), (1, 3), (2, 0)),
            (Command::Update(OtpSlot::One), (2, 2), (2, 3)),
            (Command::Swap, (2, 2), (2, 3)),
            (Command::Serial, (2, 1), (2, 2)),
            (Command::ChallengeHmac(OtpSlot::Two), (2, 1), (2, 2)),
            (Command::UsbMode, (2, 4), (3, 0)),
            (Command::ScanMap, (2, 4), (3, 0)),
            (Command::DeviceInfo, (4, 0), (4, 1)),
            (Command::WriteDeviceInfo, (4, 4), (5, 0)),
        ] {
            assert!(!known(command, before), "{command:?}");
            assert!(known(command, from), "{command:?}");
        }
        assert!(known(Command::Navigation, (1, 3)) && !known(Command::Navigation, (2, 0)));
    }

    #[test]
    fn a_challenge_that_ends_in_zero_is_padded_with_ones() {
        let frame = challenge_hmac(OtpSlot::Two, &[0]).unwrap();
        assert_eq!(frame.payload()[..3], [0, 1, 1]);
        assert_eq!(stripped_challenge(frame.payload()), [0]);
        assert!(challenge_hmac(OtpSlot::One, &[0; 65]).is_none());
    }

    #[test]
    fn the_serial_is_big_endian() {
        assert_eq!(parse_serial(&[0x00, 0xbc, 0x61, 0x4e]), Some(12_345_678));
        assert_eq!(parse_serial(&[0x00, 0xbc, 0x61]), None);
    }

    proptest! {
        #[test]
        fn padding_a_challenge_can_be_undone(challenge in prop::collection::vec(any::<u8>(), 1..64)) {
            let frame = challenge_hmac(OtpSlot::One, &challenge).unwrap();
            prop_assert_eq!(stripped_challenge(frame.payload()), challenge.as_slice());
        }
    }
}
