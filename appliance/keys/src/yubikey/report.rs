//! The eight-byte feature reports that a key shows when it is read, told apart
//! by the last byte (`ykdef.h`; yubikit `core/otp.py`).

use super::frame::WRITE_FLAG;
use super::status::Status;

/// A response is under way; the low five bits count its chunks.
#[doc(alias = "RESP_PENDING_FLAG")]
const RESPONSE: u8 = 0x40;
/// The key waits for a touch; the low five bits are the seconds left.
#[doc(alias = "RESP_TIMEOUT_WAIT_FLAG")]
const TOUCH_WAIT: u8 = 0x20;
const LOW_BITS: u8 = 0x1f;
/// A NEO that is still starting; it takes no writes.
const STARTING: u8 = 0x9f;

/// One report as the key shows it. Chunks may be secret, so there is no `Debug`.
pub enum KeyReport {
    /// Nothing is going on: the status.
    Status(Status),
    /// Seven bytes of a response; chunk 0 again after others ends it.
    Chunk {
        /// 0 to 31.
        sequence: u8,
        /// Zero padded at the end.
        data: [u8; 7],
    },
    /// The last write is not taken yet, or the command still runs.
    Busy,
    /// A command waits for a touch.
    TouchWanted {
        /// 0 to 31.
        seconds_left: u8,
        /// The status bytes, shown at the same time.
        status: Status,
    },
    /// The key is still starting (0x9F, NEO).
    Starting,
    /// A last byte that no source explains.
    Unknown(u8),
}

impl KeyReport {
    /// Reads a report.
    pub fn parse(report: &[u8; 8]) -> Self {
        let [data @ .., control] = *report;
        let [_, status @ ..] = data;
        let low = control & LOW_BITS;
        match control {
            STARTING => Self::Starting,
            0 => Self::Status(Status::parse(&status)),
            _ if control & WRITE_FLAG != 0 => Self::Busy,
            _ if control & RESPONSE != 0 => Self::Chunk { sequence: low, data },
            _ if control & TOUCH_WAIT != 0 => {
                Self::TouchWanted { seconds_left: low, status: Status::parse(&status) }
            }
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Firmware;

    #[test]
    fn a_neo_that_starts_is_not_taken_for_one_that_is_busy() {
        assert!(matches!(KeyReport::parse(&[0, 0, 0, 0, 0, 0, 0, 0x9f]), KeyReport::Starting));
        assert!(matches!(KeyReport::parse(&[0, 0, 0, 0, 0, 0, 0, 0x9e]), KeyReport::Busy));
    }

    #[test]
    fn a_touch_wait_tells_the_seconds_and_the_status() {
        let report = [0, 5, 4, 3, 2, 0x0d, 0, 0x2f];
        let KeyReport::TouchWanted { seconds_left, status } = KeyReport::parse(&report) else {
            panic!("not a touch wait")
        };
        assert_eq!(seconds_left, 15);
        assert_eq!(status.firmware, Firmware::new(5, 4, 3));
    }

    #[test]
    fn byte_zero_of_a_status_means_nothing() {
        let KeyReport::Status(status) = KeyReport::parse(&[0xee, 5, 7, 1, 1, 5, 0, 0]) else {
            panic!("not a status")
        };
        assert_eq!(status.sequence, 1);
    }
}
