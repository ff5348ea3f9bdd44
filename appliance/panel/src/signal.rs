//! What the light and the buzzer say, as data.
//!
//! A person who sees only the light has to tell the signals apart, and one who
//! sees no colours too: every signal has its own rhythm, and colour comes on top.

use std::time::Duration;

use crate::view::{PortState, View};

/// What the station says without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Signal {
    /// Dark.
    #[default]
    Off,
    /// Not ready yet, nothing is wrong.
    Starting,
    /// Insert a key.
    Ready,
    /// Leave the key in.
    Working,
    /// Touch the key, now.
    Touch,
    /// Enrolled: the key may leave.
    Done,
    /// Not enrolled: read the display.
    Refused,
    /// The station does not work: call somebody.
    Fault,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Off,
        Self::Starting,
        Self::Ready,
        Self::Working,
        Self::Touch,
        Self::Done,
        Self::Refused,
        Self::Fault,
    ];

    /// The light of this signal.
    pub const fn light(self) -> Pattern {
        match self {
            Self::Off => Pattern::still(Lamp::DARK),
            Self::Starting => Pattern::of(&[(Lamp::WHITE, 1000), (Lamp::DARK, 1000)]),
            Self::Ready => Pattern::still(Lamp::GREEN),
            Self::Working => Pattern::of(&[(Lamp::BLUE, 400), (Lamp::DARK, 400)]),
            Self::Touch => Pattern::of(&[(Lamp::YELLOW, 100), (Lamp::DARK, 100)]),
            Self::Done => Pattern::of(&[(Lamp::GREEN, 100), (Lamp::DARK, 100), (Lamp::GREEN, 1800)]),
            Self::Refused => Pattern::of(&[
                (Lamp::RED, 150),
                (Lamp::DARK, 150),
                (Lamp::RED, 150),
                (Lamp::DARK, 150),
                (Lamp::RED, 150),
                (Lamp::DARK, 850),
            ]),
            Self::Fault => Pattern::of(&[(Lamp::RED, 100), (Lamp::DARK, 1900)]),
        }
    }

    /// What the buzzer plays once when the signal begins; nothing for most.
    pub const fn tune(self) -> Pattern {
        match self {
            Self::Touch => Pattern::once(&[(Lamp::WHITE, 120)]),
            Self::Done => Pattern::once(&[(Lamp::WHITE, 80), (Lamp::DARK, 80), (Lamp::WHITE, 80)]),
            Self::Refused => Pattern::once(&[(Lamp::WHITE, 600)]),
            _ => Pattern::still(Lamp::DARK),
        }
    }
}

/// The three colours of a lamp, each on or off. A lamp of one colour is on if any is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Lamp {
    pub red: bool,
    pub green: bool,
    pub blue: bool,
}

impl Lamp {
    const DARK: Self = Self::new(false, false, false);
    const RED: Self = Self::new(true, false, false);
    const GREEN: Self = Self::new(false, true, false);
    const BLUE: Self = Self::new(false, false, true);
    const YELLOW: Self = Self::new(true, true, false);
    const WHITE: Self = Self::new(true, true, true);

    const fn new(red: bool, green: bool, blue: bool) -> Self {
        Self { red, green, blue }
    }

    /// Whether anything is lit.
    pub const fn is_lit(self) -> bool {
        self.red || self.green || self.blue
    }
}

/// Lamps one after the other, each for some milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    steps: &'static [(Lamp, u16)],
    /// The lamp after the last step; `None` starts over.
    then: Option<Lamp>,
}

impl Pattern {
    const fn still(lamp: Lamp) -> Self {
        Self { steps: &[], then: Some(lamp) }
    }

    const fn of(steps: &'static [(Lamp, u16)]) -> Self {
        Self { steps, then: None }
    }

    const fn once(steps: &'static [(Lamp, u16)]) -> Self {
        Self { steps, then: Some(Lamp::DARK) }
    }

    /// How long one round takes; `None` if there is only one.
    pub fn cycle(&self) -> Option<Duration> {
        self.then.is_none().then(|| self.length())
    }

    fn length(&self) -> Duration {
        self.steps.iter().map(|(_, ms)| Duration::from_millis((*ms).into())).sum()
    }

    /// The lamp `elapsed` after the pattern began, and when it changes next on
    /// the same scale.
    pub fn at(&self, elapsed: Duration) -> (Lamp, Option<Duration>) {
        let cycle = self.length();
        let start = match self.then {
            Some(lamp) if elapsed >= cycle => return (lamp, None),
            Some(_) => Duration::ZERO,
            None => {
                let past = elapsed.as_millis() % cycle.as_millis().max(1);
                let past = Duration::from_millis(u64::try_from(past).unwrap_or(0));
                let whole_ms = Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
                whole_ms.saturating_sub(past)
            }
        };
        let mut end = start;
        for (lamp, ms) in self.steps {
            end = end.saturating_add(Duration::from_millis((*ms).into()));
            if elapsed < end {
                return (*lamp, Some(end));
            }
        }
        (Lamp::DARK, None)
    }
}

impl View {
    /// The signal that goes with this view.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Starting { .. } | Self::HostKey(_) | Self::Locked { .. } => Signal::Starting,
            Self::Operator { why, .. } => why.signal(),
            Self::NoNetwork { .. } | Self::Server { .. } | Self::Fault(_) => Signal::Fault,
            Self::Ready(_) | Self::Run(_) | Self::Order { .. } => Signal::Ready,
            Self::Work { .. } | Self::Updating { .. } | Self::ShuttingDown { .. } => Signal::Working,
            Self::Touch { .. } => Signal::Touch,
            Self::Done { .. } | Self::Remove { .. } => Signal::Done,
            Self::Refused { .. } | Self::Quarantined { .. } => Signal::Refused,
            Self::Ports(ports) => {
                // The one that needs a hand first.
                let any = |wanted: fn(PortState) -> bool| ports.iter().any(|line| wanted(line.state));
                if any(|state| state == PortState::Touch) {
                    Signal::Touch
                } else if any(|state| matches!(state, PortState::Refused | PortState::Quarantined)) {
                    Signal::Refused
                } else if any(|state| matches!(state, PortState::Work(_))) {
                    Signal::Working
                } else if any(|state| matches!(state, PortState::Done | PortState::Remove)) {
                    Signal::Done
                } else {
                    Signal::Ready
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::view::{Port, PortLine};
    use crate::words::Language;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The lamp every 50 ms, as one colour sees it.
    fn rhythm(pattern: Pattern) -> Vec<bool> {
        (0..80).map(|tick| pattern.at(ms(tick * 50)).0.is_lit()).collect()
    }

    #[test]
    fn every_signal_has_its_own_rhythm() {
        for (at, a) in Signal::ALL.iter().enumerate() {
            for b in &Signal::ALL[at + 1..] {
                let (a, b) = (rhythm(a.light()), rhythm(b.light()));
                let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
                assert!(differ >= 2, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_pattern_plays_step_by_step() {
        let refused = Signal::Refused.light();
        assert_eq!(refused.at(ms(0)), (Lamp::RED, Some(ms(150))));
        assert_eq!(refused.at(ms(150)), (Lamp::DARK, Some(ms(300))));
        assert_eq!(refused.at(ms(1599)), (Lamp::DARK, Some(ms(1600))));
        assert_eq!(refused.at(ms(1600)), (Lamp::RED, Some(ms(1750))));
        assert_eq!(Signal::Ready.light().at(ms(77)), (Lamp::GREEN, None));
        let tune = Signal::Done.tune();
        let played = [0, 80, 160, 240, 9000].map(|at| tune.at(ms(at)).0.is_lit());
        assert_eq!(played, [true, false, true, false, false]);
        assert_eq!(tune.at(ms(240)).1, None);
    }

    #[test]
    fn every_step_is_announced() {
        for signal in Signal::ALL {
            for pattern in [signal.light(), signal.tune()] {
                let mut at = ms(3);
                for _ in 0..40 {
                    let (lamp, Some(next)) = pattern.at(at) else { break };
                    assert!(next > at);
                    assert_eq!(pattern.at(next - ms(1)).0, lamp);
                    at = next;
                }
            }
            signal.light().at(Duration::MAX);
        }
    }

    #[test]
    fn every_view_has_a_signal() {
        for sample in samples::all(Language::English) {
            assert_ne!(sample.view.signal(), Signal::Off, "{}", sample.name);
        }
        let line = |state| PortLine { port: Port::new(1).unwrap(), state, progress: None };
        let ports = |states: &[PortState]| View::Ports(states.iter().copied().map(line).collect()).signal();
        assert_eq!(ports(&[PortState::Done, PortState::Refused, PortState::Touch]), Signal::Touch);
        assert_eq!(ports(&[PortState::Done, PortState::Refused]), Signal::Refused);
        assert_eq!(ports(&[PortState::Empty]), Signal::Ready);
    }
}
