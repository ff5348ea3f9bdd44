//! Reports as the key has them: bytes at offsets (`report_protocol.h`).

use zeroize::Zeroizing;

/// The length of a report.
pub(super) const LENGTH: usize = 64;

/// A report, in either direction.
#[derive(Clone)]
pub(super) struct Buffer(Zeroizing<[u8; LENGTH]>);

impl Buffer {
    pub(super) fn zeroed() -> Self {
        Self(Zeroizing::new([0; LENGTH]))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Zeroizing::new).map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    /// `N` bytes; what would be behind the end reads as 0.
    pub(super) fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|offset| self.byte(at + offset))
    }

    pub(super) fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }

    /// The CRC that its first 60 bytes should have.
    pub(super) fn crc(&self) -> u32 {
        crc(self.0.get(..60).unwrap_or_default())
    }

    /// Puts that CRC at its end.
    pub(super) fn seal(&mut self) {
        let crc = self.crc();
        self.put(60, &crc.to_le_bytes());
    }
}

/// The STM32's CRC unit, bit by bit: the most significant bit of each word first.
fn crc(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for word in bytes.as_chunks::<4>().0 {
        let word = u32::from_le_bytes(*word);
        for bit in (0..32).rev() {
            let feedback = (register >> 31) ^ (word >> bit & 1);
            register <<= 1;
            if feedback == 1 {
                register ^= 0x04c1_1db7;
            }
        }
    }
    register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_libnitrokeys() {
        // GET_STATUS and FIRST_AUTHENTICATE of its transcript.
        let mut report = Buffer::zeroed();
        report.seal();
        assert_eq!(report.array(60), [0xdf, 0xb7, 0x6e, 0xef]);
        let mut report = Buffer::zeroed();
        report.put(0, b"\x07wrong");
        report.put(26, b"tmp-admin-password-00000");
        report.seal();
        assert_eq!(report.array(60), [0x09, 0xa9, 0xc7, 0x61]);
    }

    #[test]
    fn reading_and_writing_stop_at_the_end() {
        let mut report = Buffer::zeroed();
        report.put(62, &[1, 2, 3, 4]);
        assert_eq!(report.array(61), [0, 1, 2, 0]);
    }
}
