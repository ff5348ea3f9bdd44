//! The 64-byte feature reports: what is asked, and what the key shows.
//!
//! Asked: command, 59 bytes of payload, CRC of both. Shown: device status, the
//! last command and its CRC, its outcome, 53 bytes of result, CRC of everything
//! with the device status taken as 0 (`report_protocol.h`).
//!
//! A key shows the outcome of the last command that it *took*. It drops a report
//! in silence when it is busy, so that a report is an answer only if it names the
//! command and the CRC that were sent: see [`Answer::answers`].

use zeroize::Zeroizing;

use super::crc::crc32;
use crate::bytes::{Fields, joined, joined_padded, take};

/// The length of every report.
pub const LENGTH: usize = 64;
/// How much of it the CRC covers.
const COVERED: usize = 60;
/// The length of a result.
pub const RESULT: usize = 53;

/// A report on its way to the key. It may carry a PIN or a secret.
pub struct Query {
    bytes: Zeroizing<[u8; LENGTH]>,
    crc: u32,
}

impl Query {
    /// A command with its fields and zeros behind them. Fields that reach the place of the CRC do not compile.
    pub(super) fn new<F: Fields>(command: Command, fields: F) -> Self {
        let covered: Zeroizing<[u8; COVERED]> = joined_padded((command.byte(), fields));
        let crc = crc32(covered.as_slice());
        Self { bytes: joined((&*covered, crc.to_le_bytes())), crc }
    }

    /// The report.
    pub fn bytes(&self) -> &[u8; LENGTH] {
        &self.bytes
    }

    /// The command byte.
    pub fn command(&self) -> u8 {
        let [command, ..] = *self.bytes;
        command
    }

    /// Its CRC, by which the key names it.
    pub const fn crc(&self) -> u32 {
        self.crc
    }
}

/// The commands that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Firmware, serial, general configuration.
    GetStatus = 0x00,
    WriteToSlot = 0x01,
    /// What a slot is called.
    ReadSlotName = 0x02,
    /// What is in a slot, except its secret.
    ReadSlot = 0x03,
    GetCode = 0x04,
    /// The general configuration.
    WriteConfig = 0x05,
    /// Empty a slot.
    EraseSlot = 0x06,
    /// Present the administrator's PIN and agree on a temporary password.
    FirstAuthenticate = 0x07,
    /// Authorize the next command (older firmware).
    Authorize = 0x08,
    /// How often the administrator's PIN may still be wrong.
    AdminRetries = 0x09,
    /// Set the clock.
    SetTime = 0x0b,
    /// Present the user's PIN and agree on a temporary password.
    UserAuthenticate = 0x0e,
    /// How often the user's PIN may still be wrong.
    UserRetries = 0x0f,
    /// Authorize the next [`Command::GetCode`] (older firmware).
    UserAuthorize = 0x10,
    /// Forget what was unlocked.
    Lock = 0x12,
    /// A new administrator's PIN.
    ChangeAdminPin = 0x15,
    /// Name or secret of the slot to be written (newer firmware).
    SendOtpData = 0x17,
    /// Firmware, serial, PIN counters of a Storage.
    GetDeviceStatus = 0x2e,
    /// Present a PIN to a Storage, to change it.
    SendPassword = 0x32,
    /// The new PIN.
    SendNewPassword = 0x33,
}

impl Command {
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// What a key shows when it is read.
pub enum Shown {
    /// It took a report and is not through with it, or has not begun.
    Busy,
    /// Its CRC is wrong: it is being made, or was spoilt on the way. With the
    /// command and the CRC that it names, in case it is being made.
    Spoilt {
        /// The command byte.
        command: u8,
        /// The CRC of the command.
        crc: u32,
    },
    /// The outcome of the last command that it took.
    Answer(Answer),
}

/// The outcome of a command.
pub struct Answer {
    command: u8,
    crc: u32,
    status: CommandStatus,
    result: Zeroizing<[u8; RESULT]>,
}

impl Shown {
    /// Reads a report.
    pub fn parse(bytes: &[u8; LENGTH]) -> Self {
        let mut rest: &[u8] = bytes;
        let Some((answer, crc)) = Self::read(&mut rest) else { return Self::Busy };
        let [device, ..] = *bytes;
        match device {
            0 if crc == crc32(bytes.get(..COVERED).unwrap_or_default()) => Self::Answer(answer),
            0 => Self::Spoilt { command: answer.command, crc: answer.crc },
            // 1 busy, 3 received; 2 is never shown by the firmware that was read.
            _ => Self::Busy,
        }
    }

    /// Whether this shows that the key is at work on `query`. A Pro says "busy";
    /// a Storage names the command while its answer is not whole yet.
    pub fn works_on(&self, query: &Query) -> bool {
        match self {
            Self::Busy => true,
            Self::Spoilt { command, crc } => *command == query.command() && *crc == query.crc(),
            Self::Answer(_) => false,
        }
    }

    fn read(input: &mut &[u8]) -> Option<(Answer, u32)> {
        let [_, command] = take(input)?;
        let crc = u32::from_le_bytes(take(input)?);
        let [status] = take(input)?;
        let result = Zeroizing::new(take(input)?);
        let own = u32::from_le_bytes(take(input)?);
        Some((Answer { command, crc, status: CommandStatus::from_byte(status), result }, own))
    }
}

impl Answer {
    /// Whether this is the outcome of `query`, and of no report before it.
    pub fn answers(&self, query: &Query) -> bool {
        self.command == query.command() && self.crc == query.crc()
    }

    /// The command byte it names.
    pub const fn command(&self) -> u8 {
        self.command
    }

    /// What came of the command.
    pub const fn status(&self) -> CommandStatus {
        self.status
    }

    /// The result; it may repeat a secret.
    pub fn result(&self) -> &[u8; RESULT] {
        &self.result
    }
}

/// What came of a command (`CMD_STATUS_…` in `report_protocol.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandStatus {
    /// 0.
    Ok,
    /// 1: the report was spoilt on its way to the key.
    WrongCrc,
    /// 2.
    WrongSlot,
    /// 3.
    SlotEmpty,
    /// 4.
    WrongPassword,
    /// 5.
    NotAuthorized,
    /// 6.
    TimeWarning,
    /// 7.
    NoName,
    /// 8.
    NotSupported,
    /// 9.
    UnknownCommand,
    /// 12 to 14: a PIN could not be changed or unblocked.
    PinUnchanged,
    /// Anything else.
    Other(u8),
}

impl CommandStatus {
    /// What the byte says.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Ok,
            1 => Self::WrongCrc,
            2 => Self::WrongSlot,
            3 => Self::SlotEmpty,
            4 => Self::WrongPassword,
            5 => Self::NotAuthorized,
            6 => Self::TimeWarning,
            7 => Self::NoName,
            8 => Self::NotSupported,
            9 => Self::UnknownCommand,
            12..=14 => Self::PinUnchanged,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Cut;

    fn sealed(mut bytes: [u8; 64]) -> [u8; 64] {
        let crc = crc32(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn a_report_is_an_answer_only_to_what_it_names() {
        let query = Query::new(Command::ReadSlotName, [0x10]);
        let other = Query::new(Command::ReadSlotName, [0x11]);
        let mut bytes = [0; 64];
        bytes[1] = query.command();
        bytes[2..6].copy_from_slice(&query.crc().to_le_bytes());
        bytes[6] = 3;
        let Shown::Answer(answer) = Shown::parse(&sealed(bytes)) else { panic!() };
        assert!(answer.answers(&query));
        assert!(!answer.answers(&other));
        assert_eq!(answer.status(), CommandStatus::SlotEmpty);
    }

    #[test]
    fn busy_and_spoilt_are_no_answers() {
        let good = sealed([0; 64]);
        assert!(matches!(Shown::parse(&good), Shown::Answer(_)));
        for device in 1..=255 {
            let mut busy = good;
            busy[0] = device;
            assert!(matches!(Shown::parse(&busy), Shown::Busy));
        }
        for bit in 8..512 {
            let mut spoilt = good;
            spoilt[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Shown::parse(&spoilt), Shown::Spoilt { .. }), "{bit}");
        }
    }

    #[test]
    fn fields_cannot_reach_the_crc() {
        let query = Query::new(Command::GetStatus, Cut::<59>(&[0xff; 80]));
        assert_eq!(query.bytes()[1..60], [0xff; 59]);
        assert_eq!(query.bytes()[60..], crc32(&query.bytes()[..60]).to_le_bytes());
    }
}
