//! Devices that pretend to be keys, each made from a seed, so that what one of them
//! breaks can be broken again.
//!
//! [`Liar`] lies in a key's own protocol: it is put around any key twin. [`HostileDevice`]
//! lies as a USB device, to a kernel: truncated and contradictory descriptors, wrong
//! lengths, endless waiting, babble, keystrokes that nobody asked for, interfaces of
//! something else. Both are honest some of the time, as what is to be believed has to be.

mod device;
mod liar;

pub use device::HostileDevice;
pub use liar::Liar;

/// Numbers from a seed: splitmix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `sides`, which is not 0.
    pub(crate) const fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    pub(crate) const fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Some index of what has `length` elements.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    /// Spoils bytes in one of several ways.
    pub(crate) fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let at = self.index(bytes.len());
        match self.below(6) {
            0 => {
                let bit = 1 << self.below(8);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
            1 => {
                let value = self.byte();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value);
            }
            2 => bytes.truncate(at),
            3 => {
                let more = 1 + self.index(64);
                let more = self.bytes(more);
                bytes.extend(more);
            }
            4 => *bytes = self.bytes(bytes.len()),
            _ => bytes.iter_mut().for_each(|byte| *byte = 0xff),
        }
    }
}
