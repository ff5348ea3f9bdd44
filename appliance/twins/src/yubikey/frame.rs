//! The transport as the key sees it: reports in, one frame out; one response
//! in, chunks out.
//!
//! Written from the protocol's description alone (ykdef.h `struct frame_st`,
//! ykcore.c `yk_write_to_key`, `yk_read_response_from_key`), not from the
//! station's codec.

use zeroize::Zeroize;

/// Bytes of data in a report; the eighth is the control byte.
const DATA: usize = 7;
/// payload 64, command 1, CRC 2, filler 3.
const FRAME: usize = 70;
/// The last chunk of a frame.
const LAST: u8 = 9;

/// Control byte, host to key: this report is part of a frame.
const WRITE: u8 = 0x80;
/// Control byte, key to host: a chunk of a response.
const RESPONSE: u8 = 0x40;

/// CRC-16 as all of Yubico's OTP formats use it: polynomial 0x1021 reflected,
/// start 0xFFFF, no final exclusive-or.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0x8408 } else { crc >> 1 }
            },
        )
    })
}

/// One command, complete and with a right checksum.
#[derive(zeroize::ZeroizeOnDrop)]
pub(super) struct Frame {
    pub command: u8,
    /// What belongs to it.
    pub payload: [u8; 64],
}

/// What a report that came in made of the frame.
pub(super) enum Taken {
    /// Part of a frame that is not complete yet.
    Part,
    /// The last part of a good frame.
    Whole(Frame),
    /// The last part of a frame with a wrong checksum, with parts missing, or with
    /// something in its filler. Real keys say nothing to that.
    Refused,
    /// Not part of a frame: out of sequence. Hosts do that on purpose to reset the
    /// key to status mode.
    Reset,
    /// Without the write bit: not for the OTP application.
    Nothing,
}

/// Whether a report asks for the status mode: a sequence number that no frame has.
pub(super) const fn is_reset(report: &[u8; 8]) -> bool {
    let [.., control] = report;
    *control & WRITE != 0 && *control & !WRITE > LAST
}

/// A frame on its way in. Chunks of zeros are left out by the host, except the
/// first and the last.
#[derive(zeroize::ZeroizeOnDrop)]
pub(super) struct Assembly {
    bytes: [u8; FRAME],
    /// The sequence number that came last; `None` before the first chunk.
    last: Option<u8>,
}

impl Assembly {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; FRAME], last: None }
    }

    /// The sequence number that came last.
    pub(super) fn last(&self) -> u8 {
        self.last.unwrap_or(0)
    }

    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.last = None;
    }

    /// Takes one report of the host.
    ///
    /// Chunks must come in ascending order and begin with chunk 0. What a real key
    /// does with another order is not known; no host sends one.
    pub(super) fn take(&mut self, report: &[u8; 8]) -> Taken {
        let [data @ .., control] = report;
        if control & WRITE == 0 {
            return Taken::Nothing;
        }
        let sequence = control & !WRITE;
        if sequence > LAST {
            self.clear();
            return Taken::Reset;
        }
        let in_order = match self.last {
            _ if sequence == 0 => true,
            Some(last) => sequence > last,
            None => false,
        };
        if !in_order {
            self.clear();
            return if sequence == LAST { Taken::Refused } else { Taken::Reset };
        }
        if sequence == 0 {
            self.clear();
        }
        self.last = Some(sequence);
        if let Some(chunk) = self.bytes.chunks_exact_mut(DATA).nth(usize::from(sequence)) {
            chunk.copy_from_slice(data);
        }
        if sequence < LAST {
            return Taken::Part;
        }
        let taken = Self::check(&self.bytes).map_or(Taken::Refused, Taken::Whole);
        self.clear();
        taken
    }

    fn check(bytes: &[u8; FRAME]) -> Option<Frame> {
        let (payload, rest) = bytes.split_first_chunk::<64>()?;
        let [command, low, high, filler @ ..] = rest else { return None };
        let good = crc16(payload) == u16::from_le_bytes([*low, *high]) && filler == [0; 3];
        good.then_some(Frame { command: *command, payload: *payload })
    }
}

/// A response on its way out.
#[derive(zeroize::ZeroizeOnDrop)]
pub(super) struct Response {
    /// Result, complemented CRC, zeros up to a multiple of seven.
    bytes: Vec<u8>,
    #[zeroize(skip)]
    next: usize,
}

impl Response {
    /// `result` gets its checksum here.
    pub(super) fn new(result: &[u8]) -> Self {
        let mut bytes = result.to_vec();
        bytes.extend((!crc16(result)).to_le_bytes());
        bytes.resize(bytes.len().div_ceil(DATA) * DATA, 0);
        Self { bytes, next: 0 }
    }

    /// The next report: a chunk, and after the last chunk the end marker, for as
    /// often as the host asks.
    pub(super) fn report(&mut self) -> [u8; 8] {
        let mut report = [0; 8];
        let [data @ .., control] = &mut report;
        *control = RESPONSE;
        if let Some(chunk) = self.bytes.chunks_exact(DATA).nth(self.next) {
            data.copy_from_slice(chunk);
            // At most 32 chunks fit the sequence number; no answer is that long.
            *control |= u8::try_from(self.next & 0x1f).unwrap_or(0);
            self.next += 1;
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_a_block_and_its_complement_leaves_the_known_residue() {
        let mut block = b"any block of bytes".to_vec();
        block.extend((!crc16(&block)).to_le_bytes());
        assert_eq!(crc16(&block), 0xf0b8);
        assert_eq!(crc16(&[0; 64]), 0x5b6b);
    }

    #[test]
    fn a_frame_needs_its_first_chunk_and_ascending_order() {
        let last = [0x00, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89];
        let mut assembly = Assembly::new();
        assert!(matches!(assembly.take(&last), Taken::Refused));
        assert!(matches!(assembly.take(&[0, 0, 0, 0, 0, 0, 0, 0x80]), Taken::Part));
        let Taken::Whole(frame) = assembly.take(&last) else { panic!("not whole") };
        assert_eq!(frame.command, 0x10);

        assert!(matches!(assembly.take(&[0, 0, 0, 0, 0, 0, 0, 0x80]), Taken::Part));
        assert!(matches!(assembly.take(&[0, 0, 0, 0, 0, 0, 0, 0x82]), Taken::Part));
        assert!(matches!(assembly.take(&[0, 0, 0, 0, 0, 0, 0, 0x81]), Taken::Reset));
        assert!(matches!(assembly.take(&last), Taken::Refused));
    }

    #[test]
    fn a_wrong_checksum_or_filler_is_refused() {
        for last in [
            [0x00, 0x10, 0x6b, 0x5a, 0, 0, 0, 0x89],
            [0x00, 0x10, 0x6b, 0x5b, 0, 0, 1, 0x89],
            [0x01, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89],
        ] {
            let mut assembly = Assembly::new();
            assembly.take(&[0, 0, 0, 0, 0, 0, 0, 0x80]);
            assert!(matches!(assembly.take(&last), Taken::Refused));
        }
    }

    #[test]
    fn a_response_ends_with_a_marker_that_repeats() {
        let mut response = Response::new(&12_345_678_u32.to_be_bytes());
        assert_eq!(response.report(), [0x00, 0xbc, 0x61, 0x4e, 0xc8, 0x04, 0, 0x40]);
        assert_eq!(response.report(), [0, 0, 0, 0, 0, 0, 0, 0x40]);
        assert_eq!(response.report(), [0, 0, 0, 0, 0, 0, 0, 0x40]);
    }
}
