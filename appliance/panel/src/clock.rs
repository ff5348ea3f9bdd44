//! Time as an argument, and when the picture changes next.

use std::cell::Cell;
use std::time::Duration;

/// How long a view has been shown. Everything in a picture that depends on time
/// asks here, so that the clock knows when the next question has another answer.
#[derive(Debug)]
pub(crate) struct Clock {
    elapsed: Duration,
    next: Cell<Option<Duration>>,
}

impl Clock {
    pub(crate) fn new(elapsed: Duration) -> Self {
        Self { elapsed, next: Cell::new(None) }
    }

    /// How many whole periods have passed.
    pub(crate) fn periods(&self, period: Duration) -> u64 {
        let period = period.as_millis().max(1);
        let passed = self.elapsed.as_millis() / period;
        self.wake(millis(period.saturating_mul(passed.saturating_add(1))));
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// Which of `count` frames is on, each for one period.
    pub(crate) fn frame(&self, period: Duration, count: u64) -> u64 {
        self.periods(period) % count.max(1)
    }

    /// Whether `at` has passed.
    pub(crate) fn after(&self, at: Duration) -> bool {
        if self.elapsed < at {
            self.wake(at);
        }
        self.elapsed >= at
    }

    /// Which of several stretches is on, over and over since `epoch`, and when it ends.
    pub(crate) fn turn(&self, epoch: Duration, stretches: &[Duration]) -> (usize, Duration) {
        let cycle: Duration = stretches.iter().sum();
        if cycle.is_zero() {
            return (0, self.elapsed);
        }
        let rounds = self.elapsed.saturating_sub(epoch).as_millis() / cycle.as_millis().max(1);
        let mut end = epoch.saturating_add(millis(cycle.as_millis().saturating_mul(rounds)));
        for (at, stretch) in stretches.iter().enumerate() {
            end = end.saturating_add(*stretch);
            if self.elapsed < end {
                self.wake(end);
                return (at, end);
            }
        }
        (0, end)
    }

    /// When the picture changes next, as a value of `elapsed`.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.next.get()
    }

    fn wake(&self, at: Duration) {
        self.next.set(Some(self.next.get().map_or(at, |next| next.min(at))));
    }
}

fn millis(ms: u128) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_next_change_is_the_earliest() {
        let clock = Clock::new(ms(1250));
        assert_eq!(clock.next(), None);
        assert_eq!(clock.periods(ms(500)), 2);
        assert_eq!(clock.next(), Some(ms(1500)));
        assert!(clock.after(ms(1000)) && !clock.after(ms(1300)));
        assert_eq!(clock.next(), Some(ms(1300)));
        assert_eq!(clock.frame(ms(250), 3), 2);
    }

    #[test]
    fn turns_come_round() {
        let stretches = [ms(300), ms(200)];
        for (at, expect) in [(0, (0, 300)), (299, (0, 300)), (300, (1, 500)), (1900, (1, 2000))] {
            let (turn, end) = Clock::new(ms(at)).turn(ms(0), &stretches);
            assert_eq!((turn, end), (expect.0, ms(expect.1)), "at {at}");
        }
        assert_eq!(Clock::new(ms(1310)).turn(ms(1000), &stretches), (1, ms(1500)));
        assert_eq!(Clock::new(ms(5)).turn(ms(0), &[]), (0, ms(5)));
    }
}
