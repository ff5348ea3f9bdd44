//! Answers on their way from the key: data and CRC, in chunks of seven bytes.
//!
//! A response of `n` bytes is followed by its [`seal`](super::crc::seal) and
//! cut into exactly `ceil((n + 2) / 7)` chunks, zero padded. After the last one
//! the key shows chunk 0 again, and the host writes
//! [`ABORT`](super::frame::ABORT) to see the status again.

use zeroize::Zeroizing;

use super::crc;
use super::frame::CHUNK;
use super::report::KeyReport;

/// More chunks cannot be told apart, because five bits count them.
const MOST_CHUNKS: usize = 32;

/// The longest response, in bytes.
pub const LONGEST: usize = MOST_CHUNKS * CHUNK - 2;

/// Why chunks did not make a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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

/// The reports of a response, with the one that ends it.
///
/// # Errors
///
/// `None` when `data` is longer than [`LONGEST`].
pub fn encode(data: &[u8]) -> Option<Vec<[u8; 8]>> {
    if data.len() > LONGEST {
        return None;
    }
    let mut sealed = Zeroizing::new(data.to_vec());
    sealed.extend(crc::seal(data));
    let mut reports: Vec<[u8; 8]> = sealed
        .chunks(CHUNK)
        .zip(0..)
        .filter_map(|(chunk, sequence)| {
            let data = crate::bytes::padded(chunk)?;
            Some(KeyReport::Chunk { sequence, data }.encode())
        })
        .collect();
    reports.push(KeyReport::Chunk { sequence: 0, data: [0; 7] }.encode());
    Some(reports)
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

    fn read(reports: &[[u8; 8]], length: Length) -> Result<Vec<u8>, ResponseError> {
        let mut reader = Reader::new();
        for report in reports {
            let KeyReport::Chunk { sequence, data } = KeyReport::parse(report) else { panic!("not a chunk") };
            if reader.push(sequence, &data)? {
                break;
            }
        }
        reader.finish(length).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn a_chunk_too_many_or_too_few_is_refused() {
        // 20 bytes and the CRC need four chunks; libykpers and python-yubico insist.
        let reports = encode(&[7; 20]).unwrap();
        assert_eq!(reports.len(), 5);
        assert_eq!(read(&reports, Length::Exactly(20)).unwrap(), [7; 20]);
        let few: Vec<_> = reports.iter().take(3).chain(reports.last()).copied().collect();
        assert_eq!(read(&few, Length::Exactly(20)), Err(ResponseError::Chunks { wanted: 4, got: 3 }));
        let mut many = reports.clone();
        many.insert(4, KeyReport::Chunk { sequence: 4, data: [0; 7] }.encode());
        assert_eq!(read(&many, Length::Exactly(20)), Err(ResponseError::Chunks { wanted: 4, got: 5 }));
    }

    #[test]
    fn a_skipped_chunk_is_noticed() {
        let mut reports = encode(&[7; 20]).unwrap();
        reports.remove(1);
        assert_eq!(read(&reports, Length::Exactly(20)), Err(ResponseError::OutOfOrder { wanted: 1, got: 2 }));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut reports = encode(&[7; 20]).unwrap();
        reports[2][3] ^= 1;
        assert_eq!(read(&reports, Length::Exactly(20)), Err(ResponseError::Crc));
    }

    #[test]
    fn the_longest_response_has_all_sequence_numbers() {
        let data = [3; LONGEST];
        assert_eq!(read(&encode(&data).unwrap(), Length::Exactly(LONGEST)).unwrap(), data);
        assert!(encode(&[0; LONGEST + 1]).is_none());
    }

    proptest! {
        #[test]
        fn finish_undoes_encode(data in prop::collection::vec(any::<u8>(), 0..=LONGEST)) {
            let reports = encode(&data).unwrap();
            prop_assert_eq!(read(&reports, Length::Exactly(data.len())).unwrap(), data);
        }

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
