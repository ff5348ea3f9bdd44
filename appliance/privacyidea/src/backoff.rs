//! How long to wait before asking an overloaded server again.

use std::time::Duration;

/// Waits that double, up to a bound, with a part left to chance so that
/// clients that were turned away together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure, before chance has its part.
    pub first: Duration,
    /// No wait is longer, whatever the server asks for.
    pub longest: Duration,
}

impl Default for Backoff {
    /// From one second to a minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The wait after the failure number `failures` (from 1), for a server that
    /// asked for `retry_after`. `chance` is any random number: 0 takes half of
    /// the wait off, `u32::MAX` nothing. What the server asked for is never
    /// undercut, except by `longest`.
    pub fn delay(&self, failures: u32, retry_after: Option<Duration>, chance: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let part = 0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX);
        let wait = whole.mul_f64(part);
        wait.max(retry_after.unwrap_or_default()).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_doubles_up_to_the_bound() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (1..9).map(|n| backoff.delay(n, None, u32::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.delay(1, None, 0), Duration::from_millis(500));
        assert_eq!(backoff.delay(u32::MAX, None, u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_everything() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, Some(Duration::from_secs(7)), 0), Duration::from_secs(7));
        assert_eq!(backoff.delay(1, Some(Duration::from_secs(86_400)), 0), Duration::from_secs(60));
    }

    proptest! {
        #[test]
        fn never_more_than_the_longest(
            failures in any::<u32>(), asked in any::<u64>(), chance in any::<u32>(),
            first in 0u64..1_000_000, longest in 0u64..1_000_000,
        ) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            let wait = backoff.delay(failures, Some(Duration::from_secs(asked)), chance);
            prop_assert!(wait <= backoff.longest);
        }
    }
}
