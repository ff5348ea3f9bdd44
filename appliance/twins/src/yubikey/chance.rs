//! Numbers that look random and repeat: splitmix64 (Steele, Lea, Flood 2014).
//! Not for secrets; a twin's randomness must be replayable.

/// A sequence determined by its seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `low..=high`.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(super) const fn bits16(&mut self) -> u16 {
        (self.next() >> 48) as u16
    }

    pub(super) const fn bits24(&mut self) -> u32 {
        (self.next() >> 40) as u32
    }
}
