//! Answers on their way from the key: data and CRC, in chunks of seven bytes.
//!
//! A response of `n` bytes is followed by its [`seal`](super::crc::seal) and
//! cut into exactly `ceil((n + 2) / 7)` chunks, zero padded. After the last one
//! the key shows chunk 0 again, and the host writes
//! [`ABORT`](super::frame::ABORT) to see the status again.

use zeroize::Zeroizing;

use super::crc;
use super::frame::CHUNK;

/// More chunks cannot be told apart, because five bits count them.
const MOST_CHUNKS: usize = 32;

/// The longest response, in bytes.
pub const LONGEST: usize = MOST_CHUNKS * CHUNK - 2;

/// Why chunks did not make a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// A chunk came out of turn.
    #[error("response chunk {got} came where {wanted} was due")]
    OutOfOrder {
        /// The one that was due.
        wanted: u8,
        /// The one that came.
        got: u8,
    },
    /// More or fewer chunks came than the length needs.
    #[error("the response has {got} chunks, not {wanted}")]
    Chunks {
        /// What the length needs.
        wanted: usize,
        /// What came.
        got: usize,
    },
    /// The CRC does not fit the data.
    #[error("the response's CRC does not fit its data")]
    Crc,
}

/// How long a response has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many bytes: 4 for the serial, 16 or 20 for a challenge.
    Exactly(usize),
    /// As many as the first byte says, and that byte: device information.
    Prefixed,
}

/// Collects the chunks of one response.
#[derive(Default)]
pub struct Reader {
    bytes: Zeroizing<Vec<u8>>,
    chunks: usize,
}

impl Reader {
    /// A reader that waits for chunk 0.
    pub fn new() -> Self {
        // All the room at once: a grown vector would leave copies behind.
        Self { bytes: Zeroizing::new(Vec::with_capacity(MOST_CHUNKS * CHUNK)), chunks: 0 }
    }

    /// Whether any chunk came.
    pub fn is_empty(&self) -> bool {
        self.chunks == 0
    }

    /// Takes one chunk. True when it was the mark that ends the response.
    pub fn push(&mut self, sequence: u8, data: &[u8; 7]) -> Result<bool, ResponseError> {
        if sequence == 0 && !self.is_empty() {
            return Ok(true);
        }
        let wanted = (self.chunks % MOST_CHUNKS) as u8;
        if sequence != wanted || self.chunks >= MOST_CHUNKS {
            return Err(ResponseError::OutOfOrder { wanted, got: sequence });
        }
        self.bytes.extend_from_slice(data);
        self.chunks += 1;
        Ok(false)
    }

    /// The data, when the number of chunks and the CRC are right.
    pub fn finish(self, length: Length) -> Result<Zeroizing<Vec<u8>>, ResponseError> {
        let length = match length {
            Length::Exactly(length) => length,
            Length::Prefixed => 1 + usize::from(self.bytes.first().copied().unwrap_or(0)),
        };
        let wanted = (length + 2).div_ceil(CHUNK);
        if self.chunks != wanted {
            return Err(ResponseError::Chunks { wanted, got: self.chunks });
        }
        let mut bytes = self.bytes;
        bytes.truncate(length + 2);
        if !crc::is_intact(&bytes) {
            return Err(ResponseError::Crc);
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_chunks_are_taken_or_refused(chunks: Vec<(u8, [u8; 7])>, prefixed: bool) {
            let mut reader = Reader::new();
            for (sequence, data) in &chunks {
                let _ = reader.push(*sequence, data);
            }
            let _ = reader.finish(if prefixed { Length::Prefixed } else { Length::Exactly(4) });
        }
    }
}
