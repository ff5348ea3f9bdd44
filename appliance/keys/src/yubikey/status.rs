//! The six status bytes: firmware, programming sequence, slots
//! (`ykdef.h`, struct `status_st`).

use super::command::OtpSlot;
use super::firmware::Feature;
use crate::device::{Firmware, Occupancy};

/// The bits of `touchLevel` that mean something. The others, and the high
/// byte, are not zero on real keys: 0x0300 was seen on a 4.3.4 without
/// configuration (ykman issue 273), 0x050F on a 5.4.2 (ykpers issue 177).
const KNOWN_BITS: u8 = 0x1f;

/// What a key says about itself when nothing else is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    pub firmware: Firmware,
    /// Changes with every accepted write; 0 while no slot is valid. It is the
    /// only sign of acceptance: a refused write leaves it as it was.
    #[doc(alias = "pgmSeq")]
    pub sequence: u8,
    /// As read, with the bits that mean nothing.
    pub touch_level: u16,
}

impl Status {
    /// Reads the six bytes: version, sequence, touch level (LE).
    pub const fn parse(bytes: &[u8; 6]) -> Self {
        let [major, minor, build, sequence, low, high] = *bytes;
        Self {
            firmware: Firmware::new(major, minor, build),
            sequence,
            touch_level: u16::from_le_bytes([low, high]),
        }
    }

    /// The touch level without the bits that mean nothing.
    pub const fn flags(&self) -> u8 {
        let [low, _] = self.touch_level.to_le_bytes();
        low & KNOWN_BITS
    }

    /// Whether a slot holds a valid configuration.
    ///
    /// Firmware before 2.1 does not say it per slot; while any is valid, both
    /// count as occupied there, because the station must not overwrite what it
    /// cannot see. A sequence of 0 means that none is valid.
    pub fn occupancy(&self, slot: OtpSlot) -> Occupancy {
        let bit = match slot {
            OtpSlot::One => 0x01,
            OtpSlot::Two => 0x02,
        };
        let occupied = if Feature::ValidBits.is_in(self.firmware) {
            self.flags() & bit != 0
        } else {
            self.sequence != 0
        };
        if occupied { Occupancy::Occupied } else { Occupancy::Empty }
    }

    /// Whether no slot is valid.
    pub fn is_unconfigured(&self) -> bool {
        self.flags() & 0x03 == 0 && (Feature::ValidBits.is_in(self.firmware) || self.sequence == 0)
    }
}

/// What the change from one status to the next says about a write in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The key took the write.
    Taken,
    /// Nothing changed: the key refused, as it does, silently.
    Refused,
    /// The sequence moved, but not by this one write: somebody else wrote too.
    Disturbed,
}

impl Verdict {
    /// Judges the status `after` a write by the one `before` it.
    ///
    /// Taken is: the next sequence number; or 0 when the write emptied the last
    /// slot. yubikit knows these two. After 255 the next may be 0 or, because 0
    /// means "no valid slot", 1; what keys do there is not documented, so both
    /// count. On a NEO, which may show an old sequence until it is written to,
    /// any change counts, as in libykpers.
    pub fn of(before: &Status, after: &Status) -> Self {
        if after.sequence == before.sequence {
            return Self::Refused;
        }
        let next = after.sequence == before.sequence.wrapping_add(1);
        let skipped_zero = before.sequence == u8::MAX && after.sequence == 1;
        let last_deleted = after.sequence == 0 && after.is_unconfigured();
        if next || skipped_zero || last_deleted || super::firmware::caches_sequence(after.firmware) {
            Self::Taken
        } else {
            Self::Disturbed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(version: (u8, u8, u8), sequence: u8, touch_level: u16) -> Status {
        Status { firmware: Firmware::new(version.0, version.1, version.2), sequence, touch_level }
    }

    #[test]
    fn touch_level_768_of_a_4_3_4_means_unconfigured() {
        let seen = Status::parse(&[4, 3, 4, 0, 0x00, 0x03]);
        assert_eq!(seen.touch_level, 768);
        assert!(seen.is_unconfigured());
        assert_eq!(seen.occupancy(OtpSlot::One), Occupancy::Empty);
    }

    #[test]
    fn touch_level_1295_of_a_5_4_2_means_both_slots() {
        let seen = Status::parse(&[5, 4, 2, 3, 0x0f, 0x05]);
        assert_eq!(seen.touch_level, 1295);
        assert_eq!(seen.flags(), 0x0f);
        for slot in [OtpSlot::One, OtpSlot::Two] {
            assert_eq!(seen.occupancy(slot), Occupancy::Occupied);
        }
    }

    #[test]
    fn firmware_before_2_1_does_not_say_which_slot() {
        let seen = status((2, 0, 2), 4, 0x1234);
        assert_eq!(seen.occupancy(OtpSlot::One), Occupancy::Occupied);
        assert_eq!(seen.occupancy(OtpSlot::Two), Occupancy::Occupied);
        assert_eq!(status((2, 0, 2), 0, 0x0003).occupancy(OtpSlot::One), Occupancy::Empty);
    }

    #[test]
    fn the_next_sequence_is_taken_and_the_same_is_refused() {
        let before = status((5, 4, 3), 7, 1);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 8, 3)), Verdict::Taken);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 7, 1)), Verdict::Refused);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 9, 3)), Verdict::Disturbed);
    }

    #[test]
    fn deleting_the_last_slot_sets_the_sequence_to_zero() {
        let before = status((5, 4, 3), 7, 1);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 0, 0x0500)), Verdict::Taken);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 0, 1)), Verdict::Disturbed);
    }

    #[test]
    fn the_sequence_may_wrap_to_zero_or_skip_it() {
        let before = status((5, 4, 3), 255, 1);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 0, 3)), Verdict::Taken);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 1, 3)), Verdict::Taken);
        assert_eq!(Verdict::of(&before, &status((5, 4, 3), 255, 1)), Verdict::Refused);
    }

    #[test]
    fn any_change_counts_on_a_neo() {
        let before = status((3, 4, 9), 2, 1);
        assert_eq!(Verdict::of(&before, &status((3, 4, 9), 6, 1)), Verdict::Taken);
    }
}
