//! A push button: bouncing contacts in, presses out.

use std::time::Duration;

/// What a person did with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Press {
    /// Pressed and released: show the next page.
    Short,
    /// Held for a second, and perhaps still held: cancel.
    Long,
}

/// Contacts of cheap buttons bounce for up to about 10 ms.
const SETTLE: Duration = Duration::from_millis(20);

/// Long enough that nobody cancels by leaning on it.
const HOLD: Duration = Duration::from_secs(1);

/// Turns levels into presses. Time is an argument, on any scale that only grows.
#[derive(Debug, Clone, Default)]
pub struct Debounce {
    /// The level that counts.
    pressed: bool,
    /// A level that has not lasted yet, and since when.
    unsettled: Option<(bool, Duration)>,
    /// When the press that counts began; `None` once it was reported as long.
    since: Option<Duration>,
}

impl Debounce {
    /// A button that is not pressed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The contact is at `pressed` from `now` on.
    pub fn level(&mut self, pressed: bool, now: Duration) -> Option<Press> {
        let press = self.passed(now);
        if pressed == self.pressed {
            self.unsettled = None;
        } else if self.unsettled.is_none_or(|(level, _)| level != pressed) {
            self.unsettled = Some((pressed, now));
        }
        press
    }

    /// Time has passed without a new level.
    pub fn passed(&mut self, now: Duration) -> Option<Press> {
        let mut press = None;
        if let Some((pressed, since)) = self.unsettled
            && now >= since.saturating_add(SETTLE)
        {
            self.unsettled = None;
            self.pressed = pressed;
            press = if pressed {
                self.since = Some(since);
                None
            } else {
                self.since.take().map(|began| if held(began, since) { Press::Long } else { Press::Short })
            };
        }
        if self.pressed && self.unsettled.is_none() && self.since.is_some_and(|began| held(began, now)) {
            self.since = None;
            press = Some(Press::Long);
        }
        press
    }

    /// When [`passed`](Self::passed) wants to be called if no level comes before.
    pub fn deadline(&self) -> Option<Duration> {
        match (self.unsettled, self.since) {
            (Some((_, since)), _) => Some(since.saturating_add(SETTLE)),
            (None, Some(began)) => Some(began.saturating_add(HOLD)),
            (None, None) => None,
        }
    }
}

fn held(began: Duration, now: Duration) -> bool {
    now.saturating_sub(began) >= HOLD
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Plays levels under virtual time, calling back at each deadline.
    fn play(levels: &[(u64, bool)], until: u64) -> Vec<(u64, Press)> {
        let mut button = Debounce::new();
        let mut presses = Vec::new();
        let mut levels = levels.iter().peekable();
        loop {
            let next_level = levels.peek().map(|(at, _)| Duration::from_millis(*at));
            let next = [next_level, button.deadline()].into_iter().flatten().min();
            let Some(now) = next.filter(|now| now.as_millis() <= u128::from(until)) else { break };
            let press = match levels.next_if(|(at, _)| Duration::from_millis(*at) <= now) {
                Some((_, level)) => button.level(*level, now),
                None => button.passed(now),
            };
            presses.extend(press.map(|press| (u64::try_from(now.as_millis()).unwrap(), press)));
        }
        presses
    }

    #[test]
    fn a_bouncing_press_counts_once() {
        let levels = [
            (100, true),
            (103, false),
            (105, true),
            (109, false),
            (112, true),
            (300, false),
            (304, true),
            (307, false),
        ];
        assert_eq!(play(&levels, 5000), [(327, Press::Short)]);
    }

    #[test]
    fn a_long_press_counts_while_it_is_held() {
        assert_eq!(play(&[(100, true)], 5000), [(1100, Press::Long)]);
        assert_eq!(play(&[(100, true), (3000, false)], 5000), [(1100, Press::Long)]);
        assert_eq!(play(&[(100, true), (3000, false), (3100, true), (3200, false)], 5000).len(), 2);
    }

    #[test]
    fn a_spike_counts_for_nothing() {
        assert_eq!(play(&[(100, true), (115, false)], 5000), []);
        assert_eq!(
            play(&[(100, true), (500, false), (510, true), (5000, true)], 5000),
            [(1100, Press::Long)]
        );
    }

    #[test]
    fn late_callers_see_the_same_presses() {
        let mut button = Debounce::new();
        assert_eq!(button.level(true, Duration::from_millis(100)), None);
        assert_eq!(button.level(false, Duration::from_millis(200)), None, "settled on the way");
        assert_eq!(button.passed(Duration::from_secs(9)), Some(Press::Short));
    }

    proptest! {
        #[test]
        fn one_press_needs_one_push(steps in prop::collection::vec((1_u64..1500, any::<bool>()), 0..60)) {
            let mut at = 0;
            let levels: Vec<(u64, bool)> = steps
                .into_iter()
                .map(|(wait, level)| {
                    at += wait;
                    (at, level)
                })
                .collect();
            let pushes = levels.iter().scan(false, |before, &(_, level)| {
                let push = level && !*before;
                *before = level;
                Some(push)
            });
            let pushes = pushes.filter(|&push| push).count();
            let presses = play(&levels, at + 5000);
            prop_assert!(presses.len() <= pushes, "{:?}", presses);
            prop_assert!(presses.windows(2).all(|two| two[0].0 <= two[1].0));
        }
    }
}
