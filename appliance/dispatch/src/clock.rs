//! The kernel's clocks, as the engine and the conversations want them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use station::engine::step::Now;

static UNKNOWN: AtomicBool = AtomicBool::new(false);

/// Whether the time of day is known. It is, until somebody has found that it is not. The machine has one clock,
/// so there is one answer for all of the program.
pub fn is_known() -> bool {
    !UNKNOWN.load(Ordering::Relaxed)
}

/// Says whether the time of day is known.
pub fn set_known(known: bool) {
    UNKNOWN.store(!known, Ordering::Relaxed);
}

/// Both clocks of this machine. Copies share the same zero.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    zero: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    pub fn new() -> Self {
        Self { zero: Instant::now() }
    }

    /// Both times.
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: self.zero.elapsed(), unix }
    }

    /// A monotonic time as tokio wants it.
    pub fn instant(&self, at: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.zero + at)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl keys::wire::Clock for SystemClock {
    fn now(&self) -> Duration {
        self.zero.elapsed()
    }

    fn wait_until(&mut self, until: Duration) {
        thread::sleep(until.saturating_sub(self.zero.elapsed()));
    }
}
