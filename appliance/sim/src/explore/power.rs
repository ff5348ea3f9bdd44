//! Power that can be cut, and time that does not pass by itself.

use std::time::Duration;

/// The power is off: nothing further happens until the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut;

/// Counts the points at which the power could go, and cuts it at one of them.
#[derive(Debug, Clone, Default)]
pub struct Power {
    passed: u64,
    cut_at: Option<u64>,
    off: bool,
    /// What each point would leave behind, when somebody wants to know.
    trail: Option<Vec<Left>>,
}

/// A digest of what a power cut leaves behind, but for the time: two worlds of the same go
/// on alike.
pub type Left = [u8; 32];

impl Power {
    /// Power that is cut at the point of that number, counted from 0, or never.
    pub fn until(cut_at: Option<u64>) -> Self {
        Self { cut_at, ..Self::default() }
    }

    /// Power that stays on, and keeps what each point would leave behind.
    pub fn watched() -> Self {
        Self { trail: Some(Vec::new()), ..Self::default() }
    }

    /// Whether somebody wants to know what each point would leave behind.
    pub fn is_watched(&self) -> bool {
        self.trail.is_some()
    }

    /// Keeps what the next point would leave behind.
    pub fn note(&mut self, left: Left) {
        if let Some(trail) = &mut self.trail {
            trail.push(left);
        }
    }

    /// What each point would have left behind, in order. From now on nobody wants to know.
    #[must_use]
    pub fn take_trail(&mut self) -> Vec<Left> {
        self.trail.take().unwrap_or_default()
    }

    /// Passes a point, or ends there.
    pub fn point(&mut self) -> Result<(), PowerCut> {
        if self.off || self.cut_at == Some(self.passed) {
            self.off = true;
            return Err(PowerCut);
        }
        self.passed += 1;
        Ok(())
    }

    /// Whether it is off.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// How many points were passed.
    pub fn passed(&self) -> u64 {
        self.passed
    }
}

/// When every explored world begins: 2026-11-21T00:00:00Z.
pub const EPOCH: Duration = Duration::from_secs(1_795_219_200);
