//! Commands on their way to the key: a 70-byte frame, cut into feature reports
//! of eight bytes.
//!
//! A frame is `payload[64] ‖ command ‖ CRC-16 of the payload (LE) ‖ 000000`.
//! It travels as ten chunks of seven bytes, each followed by `0x80 | sequence`;
//! a chunk of seven zeros is left out unless it is the first or the last
//! (yubikit `core/otp.py`; `ykcore.c`, `yk_write_to_key`).
//!
//! [`Frame::reports`] is the host's side, [`Assembler`] the key's.

use zeroize::Zeroizing;

use super::crc::crc16;
use crate::bytes::padded;

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

/// Why reports did not make a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The CRC does not fit the payload.
    #[error("the frame's CRC does not fit its payload")]
    Crc,
    /// A chunk came that does not follow the one before.
    #[error("chunk {got} came where one after {after:?} was due")]
    OutOfOrder {
        /// The last chunk that was in order; `None` before the first.
        after: Option<u8>,
        /// The one that came.
        got: u8,
    },
}

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

    /// Exactly these bytes.
    pub fn from_array(bytes: &[u8; PAYLOAD]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The bytes.
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
        let mut bytes = Zeroizing::new([0; FRAME]);
        let [low, high] = crc16(payload.bytes()).to_le_bytes();
        let source = payload.bytes().iter().chain([&command, &low, &high]);
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Takes 70 bytes as a frame when their CRC is right. The three filler
    /// bytes may be anything.
    pub fn from_bytes(bytes: &[u8; FRAME]) -> Result<Self, FrameError> {
        let frame = Self(Zeroizing::new(*bytes));
        if frame.crc() != crc16(frame.payload()) {
            return Err(FrameError::Crc);
        }
        Ok(frame)
    }

    /// All 70 bytes.
    pub fn bytes(&self) -> &[u8; FRAME] {
        &self.0
    }

    /// The payload.
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

/// What a written report made of the frame under way.
pub enum Assembly {
    /// The frame wants more chunks.
    More,
    /// The last chunk made it complete.
    Complete(Frame),
    /// The host asked to forget everything; see [`ABORT`].
    Aborted,
    /// The frame is spoilt and forgotten. A key then behaves as if nothing had come.
    Spoilt(FrameError),
    /// No write flag: not part of a frame.
    Ignored,
}

/// The key's side: puts reports together into a frame, with zeros where chunks
/// were left out.
///
/// Chunk 0 begins anew whatever came before; chunks must ascend; chunk 9 ends
/// the frame.
pub struct Assembler {
    bytes: Zeroizing<[u8; FRAME]>,
    /// The last chunk taken; `None` between frames.
    after: Option<u8>,
}

impl Default for Assembler {
    fn default() -> Self {
        Self { bytes: Zeroizing::new([0; FRAME]), after: None }
    }
}

impl Assembler {
    /// An assembler between frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a frame has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        self.after.is_some()
    }

    /// Takes one written report.
    pub fn push(&mut self, report: &[u8; 8]) -> Assembly {
        let [data @ .., control] = report;
        if control & WRITE_FLAG == 0 {
            return Assembly::Ignored;
        }
        let sequence = control & !WRITE_FLAG;
        if sequence > LAST {
            *self = Self::new();
            return Assembly::Aborted;
        }
        if sequence == 0 {
            *self = Self::new();
        } else if self.after.is_none_or(|after| sequence <= after) {
            let error = FrameError::OutOfOrder { after: self.after, got: sequence };
            *self = Self::new();
            return Assembly::Spoilt(error);
        }
        if let Some(place) = self.bytes.chunks_exact_mut(CHUNK).nth(usize::from(sequence)) {
            place.copy_from_slice(data);
        }
        self.after = Some(sequence);
        if sequence < LAST {
            return Assembly::More;
        }
        let whole = core::mem::take(self);
        match Frame::from_bytes(&whole.bytes) {
            Ok(frame) => Assembly::Complete(frame),
            Err(error) => Assembly::Spoilt(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assemble(reports: impl IntoIterator<Item = [u8; 8]>) -> Option<Frame> {
        let mut assembler = Assembler::new();
        reports.into_iter().find_map(|report| match assembler.push(&report) {
            Assembly::Complete(frame) => Some(frame),
            _ => None,
        })
    }

    #[test]
    fn an_empty_payload_goes_in_two_reports() {
        let frame = Frame::new(0x10, &Payload::empty());
        let reports: Vec<_> = frame.reports().collect();
        assert_eq!(reports, [[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89]]);
    }

    #[test]
    fn chunk_zero_begins_anew_and_clears_what_an_unfinished_frame_left() {
        let old = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
        let new = Frame::new(0x10, &Payload::empty());
        let frame = assemble(old.reports().take(6).chain(new.reports())).unwrap();
        assert_eq!(frame.bytes(), new.bytes());
    }

    #[test]
    fn an_abort_forgets_the_frame_under_way() {
        for abort in [ABORT, [0, 0, 0, 0, 0, 0, 0, 0x8f]] {
            let frame = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
            let mut assembler = Assembler::new();
            for report in frame.reports().take(5) {
                assert!(matches!(assembler.push(&report), Assembly::More));
            }
            assert!(matches!(assembler.push(&abort), Assembly::Aborted));
            assert!(!assembler.is_under_way());
            let late = frame.reports().nth(5).unwrap();
            assert!(matches!(assembler.push(&late), Assembly::Spoilt(FrameError::OutOfOrder { .. })));
        }
    }

    #[test]
    fn a_lost_chunk_is_noticed_by_the_crc() {
        let frame = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
        let lossy = frame.reports().enumerate().filter(|(at, _)| *at != 4).map(|(_, report)| report);
        let mut assembler = Assembler::new();
        let last = lossy.map(|report| assembler.push(&report)).last().unwrap();
        assert!(matches!(last, Assembly::Spoilt(FrameError::Crc)));
    }

    proptest! {
        #[test]
        fn reports_of_any_frame_make_that_frame_again(
            payload in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 64),
            command: u8,
        ) {
            let frame = Frame::new(command, &Payload::new(&payload).unwrap());
            let again = assemble(frame.reports()).unwrap();
            prop_assert_eq!(again.bytes(), frame.bytes());
            prop_assert_eq!(again.command(), command);
            prop_assert_eq!(again.payload().as_slice(), payload.as_slice());
        }

        #[test]
        fn any_reports_are_taken(reports: Vec<[u8; 8]>) {
            let mut assembler = Assembler::new();
            for report in &reports {
                let _ = assembler.push(report);
            }
        }
    }
}
