//! Commands on their way to the key: a 70-byte frame, cut into feature reports
//! of eight bytes.
//!
//! A frame is `payload[64] ‖ command ‖ CRC-16 of the payload (LE) ‖ 000000`.
//! It travels as ten chunks of seven bytes, each followed by `0x80 | sequence`;
//! a chunk of seven zeros is left out unless it is the first or the last
//! (yubikit `core/otp.py`; `ykcore.c`, `yk_write_to_key`).
//!
//! [`Frame::reports`] is the host's side.

use zeroize::Zeroizing;

use super::crc::crc16;
use crate::bytes::{Fields, joined, joined_padded, padded};

/// Bytes of a payload.
#[doc(alias = "SLOT_DATA_SIZE")]
pub const PAYLOAD: usize = 64;
/// Bytes of a frame.
pub const FRAME: usize = 70;
/// Bytes of data in a feature report; the eighth byte says what it is.
pub const CHUNK: usize = 7;
/// The sequence number of the last chunk of a frame.
pub const LAST: u8 = 9;

/// Set by the host with every chunk it writes, cleared by the key when it has
/// taken the chunk.
#[doc(alias = "SLOT_WRITE_FLAG")]
pub const WRITE_FLAG: u8 = 0x80;

/// A write whose sequence number is out of range: the key forgets a half-sent
/// frame, an unread response or a wait for touch, and shows its status again.
/// yubikit writes 0xFF in the last byte, libykpers 0x8F.
#[doc(alias = "DUMMY_REPORT_WRITE")]
pub const ABORT: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 0xff];

/// The 64 bytes that go with a command. They may hold a seed, so they are
/// wiped and have no `Debug`.
pub struct Payload(Zeroizing<[u8; PAYLOAD]>);

impl Payload {
    /// 64 zeros: the payload of commands that need none.
    pub fn empty() -> Self {
        Self(Zeroizing::new([0; PAYLOAD]))
    }

    /// `bytes` with zeros behind; `None` when they are more than 64.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        padded(bytes).map(|array| Self(Zeroizing::new(array)))
    }

    /// These fields, and zeros behind.
    pub(super) fn of<F: Fields>(fields: F) -> Self {
        Self(joined_padded(fields))
    }

    /// Exactly these bytes.
    pub fn from_array(bytes: &[u8; PAYLOAD]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub fn bytes(&self) -> &[u8; PAYLOAD] {
        &self.0
    }
}

/// A command byte with its payload and CRC. Wiped, without `Debug`, for the
/// same reason as [`Payload`].
pub struct Frame(Zeroizing<[u8; FRAME]>);

impl Frame {
    /// The frame of that command.
    pub fn new(command: u8, payload: &Payload) -> Self {
        Self(joined((payload.bytes(), command, crc16(payload.bytes()).to_le_bytes(), [0; 3])))
    }

    /// All 70 bytes.
    pub fn bytes(&self) -> &[u8; FRAME] {
        &self.0
    }

    pub fn payload(&self) -> &[u8; PAYLOAD] {
        self.0.first_chunk().unwrap_or(&[0; PAYLOAD])
    }

    /// The command byte; see [`Command`](super::command::Command).
    pub fn command(&self) -> u8 {
        let [.., command, _, _, _, _, _] = *self.0;
        command
    }

    /// The CRC as the frame carries it.
    pub fn crc(&self) -> u16 {
        let [.., low, high, _, _, _] = *self.0;
        u16::from_le_bytes([low, high])
    }

    /// The report of chunk `sequence`, or `None` when that chunk is left out
    /// (seven zeros in the middle) or there is no such chunk.
    pub fn report(&self, sequence: u8) -> Option<[u8; 8]> {
        let chunk = self.0.chunks_exact(CHUNK).nth(usize::from(sequence))?;
        let middle = sequence != 0 && sequence != LAST;
        if middle && chunk.iter().all(|&byte| byte == 0) {
            return None;
        }
        let mut report = padded::<8>(chunk)?;
        let [.., control] = &mut report;
        *control = WRITE_FLAG | sequence;
        Some(report)
    }

    /// The reports to write, in order: two to ten.
    pub fn reports(&self) -> impl Iterator<Item = [u8; 8]> + '_ {
        (0..=LAST).filter_map(|sequence| self.report(sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_payload_goes_in_two_reports() {
        let frame = Frame::new(0x10, &Payload::empty());
        let reports: Vec<_> = frame.reports().collect();
        assert_eq!(reports, [[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89]]);
    }
}
