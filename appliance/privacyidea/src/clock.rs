//! Time as the client sees it.
//!
//! A board without a clock chip starts in the past and jumps when the network
//! time arrives. So how long a login still lasts is measured on the steady
//! clock; the wall clock serves to tell how far it is from the server's.

use std::time::{Duration, Instant, SystemTime};

/// Where the client reads the time.
pub trait Clock: Send + Sync {
    /// The time of day as this machine believes it to be. May jump.
    fn wall(&self) -> SystemTime;

    /// Time since some fixed moment. Never goes back, never jumps.
    fn steady(&self) -> Duration;
}

/// The clocks of the operating system.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting steady time now.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> Duration {
        self.started.elapsed()
    }
}

/// How far the server's clock is ahead of ours, in milliseconds; negative when
/// ours is ahead.
///
/// Taken from the field `time` of an answer and the middle of the request's
/// duration, so it is right to within half of that duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skew {
    /// Milliseconds the server is ahead.
    pub server_ahead_ms: i64,
}

impl Skew {
    /// From the server's time (Unix seconds), our time when the answer was
    /// there, and how long the request took. `None` when our clock is before
    /// 1970 or a number is out of range.
    pub fn measure(server: f64, ours: SystemTime, took: Duration) -> Option<Self> {
        let middle = ours.checked_sub(took / 2)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let ahead = (server - middle.as_secs_f64()) * 1000.0;
        // Both are at most a few thousand years; beyond that it is no time.
        (ahead.is_finite() && ahead.abs() < 1e14).then_some(Self { server_ahead_ms: ahead.round() as i64 })
    }

    /// The difference without its sign.
    pub fn magnitude(self) -> Duration {
        Duration::from_millis(self.server_ahead_ms.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_round_trip_is_taken_off() {
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let skew = Skew::measure(1_010.0, ours, Duration::from_secs(4)).unwrap();
        assert_eq!(skew.server_ahead_ms, 12_000);
        let skew = Skew::measure(990.0, ours, Duration::ZERO).unwrap();
        assert_eq!(skew.server_ahead_ms, -10_000);
        assert_eq!(skew.magnitude(), Duration::from_secs(10));
    }

    #[test]
    fn nonsense_is_no_skew() {
        let ours = SystemTime::UNIX_EPOCH;
        assert_eq!(Skew::measure(f64::INFINITY, ours, Duration::ZERO), None);
        assert_eq!(Skew::measure(1e300, ours, Duration::ZERO), None);
        assert_eq!(Skew::measure(1.0, ours, Duration::from_secs(9)), None);
    }
}
