//! Keyboard reports in, codes out.

use core::time::Duration;
use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::code::{End, Flaw, TypedCode};
use super::usage::{LAST_CONDITION, SHIFTS, Stroke};

/// More characters than any slot types: 16 of reference string, 64 of a Yubico
/// OTP with the longest public id, and TABs.
const LONGEST: usize = 96;

/// The quiet time that ends a code without ENTER. The slowest pacing is 60 ms
/// between strokes (both flags), a pause within a code is 500 ms (the delay flags).
const QUIET: Duration = Duration::from_millis(500);

/// More codes than this are not kept for a driver that does not take them; the
/// oldest goes first.
const MOST_READY: usize = 8;

/// Puts boot-keyboard reports together into codes.
///
/// Reports are eight bytes: modifiers, zero, up to six usages that are down. A
/// stroke is a usage that was not down before, so held keys count once, in
/// whatever place of the report they are. A code ends with ENTER, or when no
/// stroke came for the quiet time.
///
/// ```
/// # use core::time::Duration;
/// # use keys::yubikey::typed::{Collector, usage::Stroke};
/// let mut collector = Collector::new();
/// let now = Duration::ZERO;
/// for stroke in "755224\n".chars().filter_map(Stroke::of) {
///     for report in stroke.reports() {
///         collector.push(now, &report);
///     }
/// }
/// assert_eq!(collector.take(now).unwrap().text(), "755224");
/// ```
pub struct Collector {
    quiet: Duration,
    /// The usages that are down; 0 for none.
    down: [u8; 6],
    text: Zeroizing<String>,
    flaw: Option<Flaw>,
    /// When the last stroke came, while a code is under way.
    last: Option<Duration>,
    ready: VecDeque<TypedCode>,
}

impl Default for Collector {
    fn default() -> Self {
        Self::with_quiet(QUIET)
    }
}

impl Collector {
    /// With the usual quiet time of 500 ms.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another quiet time, for slots with pauses inside the code.
    pub fn with_quiet(quiet: Duration) -> Self {
        Self { quiet, down: [0; 6], text: empty(), flaw: None, last: None, ready: VecDeque::new() }
    }

    /// Takes a report that came at `now`. What is not eight bytes long is no
    /// report of a boot keyboard, and passed over.
    pub fn push(&mut self, now: Duration, report: &[u8]) {
        let Ok([modifiers, _, usages @ ..]) = <[u8; 8]>::try_from(report) else { return };
        self.end_if_quiet(now);
        if usages.iter().any(|usage| (1..=LAST_CONDITION).contains(usage)) {
            // Which keys are down is not said, so they stay as they were.
            self.flaw.get_or_insert(Flaw::ForeignStroke);
            self.last = Some(now);
            return;
        }
        let before = core::mem::replace(&mut self.down, usages);
        let mut seen = Vec::with_capacity(6);
        for usage in usages {
            if usage != 0 && !before.contains(&usage) && !seen.contains(&usage) {
                seen.push(usage);
                self.stroke(now, modifiers, usage);
            }
        }
    }

    /// The next code that is complete at `now`.
    pub fn take(&mut self, now: Duration) -> Option<TypedCode> {
        self.end_if_quiet(now);
        self.ready.pop_front()
    }

    /// When to call [`take`](Self::take), even if no report comes; `None` when
    /// no code is under way.
    pub fn deadline(&self) -> Option<Duration> {
        self.last.map(|last| last.saturating_add(self.quiet))
    }

    /// Forgets the code under way and those that were not taken, but not which
    /// keys are down.
    pub fn clear(&mut self) {
        self.text = empty();
        self.flaw = None;
        self.last = None;
        self.ready.clear();
    }

    fn stroke(&mut self, now: Duration, modifiers: u8, usage: u8) {
        self.last = Some(now);
        let shift = modifiers & SHIFTS != 0;
        let foreign = modifiers & !SHIFTS != 0;
        match (Stroke { usage, shift }).character().filter(|_| !foreign) {
            Some('\n') => self.end(End::Enter),
            Some(character) if self.text.len() < LONGEST => self.text.push(character),
            Some(_) => self.flaw = Some(Flaw::TooLong),
            None => {
                self.flaw.get_or_insert(Flaw::ForeignStroke);
            }
        }
    }

    fn end_if_quiet(&mut self, now: Duration) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.end(End::Quiet);
        }
    }

    /// ENTER, or quiet, without characters before it is no code.
    fn end(&mut self, end: End) {
        self.last = None;
        let flaw = self.flaw.take();
        if !self.text.is_empty() {
            let text = core::mem::replace(&mut self.text, empty());
            if self.ready.len() == MOST_READY {
                self.ready.pop_front();
            }
            self.ready.push_back(TypedCode { text, end, flaw });
        }
    }
}

/// All the room at once: a text that grows would leave copies behind. Every
/// character is ASCII, so its length is its number of characters.
fn empty() -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Digits;
    use crate::yubikey::typed::usage::{KEYPAD_ENTER, ROLLOVER};
    use proptest::prelude::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Press and release for each character, 10 ms apart.
    fn reports(text: &str) -> Vec<[u8; 8]> {
        text.chars().flat_map(|character| Stroke::of(character).unwrap().reports()).collect()
    }

    fn collect(reports: impl IntoIterator<Item = [u8; 8]>) -> (Collector, Duration) {
        let mut collector = Collector::new();
        let mut now = Duration::ZERO;
        for report in reports {
            now += at(10);
            collector.push(now, &report);
        }
        (collector, now)
    }

    #[test]
    fn a_code_ends_with_enter() {
        let (mut collector, now) = collect(reports("755224\n"));
        let code = collector.take(now).unwrap();
        assert_eq!((code.text(), code.end(), code.flaw()), ("755224", End::Enter, None));
        assert!(collector.take(now).is_none());
        assert_eq!(collector.deadline(), None);
    }

    #[test]
    fn a_code_without_enter_ends_when_it_is_quiet() {
        let (mut collector, now) = collect(reports("755224"));
        assert_eq!(collector.deadline(), Some(now - at(10) + at(500)));
        assert!(collector.take(now).is_none());
        let code = collector.take(now + at(500)).unwrap();
        assert_eq!((code.text(), code.end()), ("755224", End::Quiet));
        assert_eq!(collector.deadline(), None);
    }

    #[test]
    fn a_report_after_the_quiet_time_begins_a_new_code() {
        let (mut collector, now) = collect(reports("12"));
        for report in reports("34\n") {
            collector.push(now + at(600), &report);
        }
        assert_eq!(collector.take(now + at(600)).unwrap().text(), "12");
        assert_eq!(collector.take(now + at(600)).unwrap().text(), "34");
    }

    #[test]
    fn keypad_digits_and_keypad_enter_are_read() {
        let strokes = "0123456789".chars().map(|digit| Stroke::on_keypad(digit).unwrap());
        let enter = Stroke { usage: KEYPAD_ENTER, shift: false };
        let (mut collector, now) = collect(strokes.chain([enter]).flat_map(Stroke::reports));
        assert_eq!(collector.take(now).unwrap().text(), "0123456789");
    }

    #[test]
    fn shift_makes_capitals() {
        let (mut collector, now) = collect(reports("vvHello.\tX!\n"));
        assert_eq!(collector.take(now).unwrap().text(), "vvHello.\tX!");
    }

    #[test]
    fn held_keys_count_once_wherever_they_are_in_the_report() {
        // Six-key rollover: 1 goes down, then 2 and 3 while it is held, then 1 goes up.
        let (mut collector, now) = collect([
            [0, 0, 0x1e, 0, 0, 0, 0, 0],
            [0, 0, 0x1e, 0x1f, 0, 0, 0, 0],
            [0, 0, 0x1f, 0x1e, 0x20, 0, 0, 0],
            [0, 0, 0x20, 0x1f, 0, 0, 0, 0],
            [0, 0, 0x1e, 0, 0, 0, 0, 0],
            [0, 0, 0x28, 0, 0, 0, 0, 0],
        ]);
        assert_eq!(collector.take(now).unwrap().text(), "1231");
    }

    #[test]
    fn a_usage_twice_in_one_report_counts_once() {
        let (mut collector, now) = collect([[0, 0, 0x1e, 0x1e, 0x28, 0, 0, 0]]);
        assert_eq!(collector.take(now).unwrap().text(), "1");
    }

    #[test]
    fn a_lost_report_makes_the_code_too_short_not_wrong() {
        for lost in 0..12 {
            let kept = reports("755224\n").into_iter().enumerate().filter(|(at, _)| *at != lost);
            let (mut collector, now) = collect(kept.map(|(_, report)| report));
            let code = collector.take(now + at(500)).unwrap();
            match code.hotp("", Digits::Six) {
                // A lost release does no harm, unless the same digit follows.
                Ok(read) => assert_eq!((read, lost % 2), ("755224", 1)),
                Err(error) => assert_eq!(error, super::super::TypedError::Length { wanted: 6, got: 5 }),
            }
        }
    }

    #[test]
    fn too_much_is_said_and_not_kept() {
        let (mut collector, now) =
            collect(reports(&"c".repeat(LONGEST + 1)).into_iter().chain(reports("\n")));
        let code = collector.take(now).unwrap();
        assert_eq!((code.text().len(), code.flaw()), (LONGEST, Some(Flaw::TooLong)));
    }

    #[test]
    fn a_stroke_that_no_key_types_is_said() {
        for foreign in [
            [0, 0, 0x3e, 0, 0, 0, 0, 0],
            [0x01, 0, 0x06, 0, 0, 0, 0, 0],
            [0, 0, ROLLOVER, ROLLOVER, 1, 1, 1, 1],
        ] {
            let all = reports("75").into_iter().chain([foreign, [0; 8]]).chain(reports("5224\n"));
            let (mut collector, now) = collect(all);
            assert_eq!(collector.take(now).unwrap().flaw(), Some(Flaw::ForeignStroke));
        }
    }

    #[test]
    fn enter_alone_and_reports_of_another_length_are_nothing() {
        let (mut collector, now) = collect(reports("\n\n"));
        collector.push(now, &[0, 0, 0x1e]);
        collector.push(now, &[0; 64]);
        assert!(collector.take(now + at(1000)).is_none());
    }

    #[test]
    fn clear_forgets_what_was_typed() {
        let (mut collector, now) = collect(reports("12\n34"));
        collector.clear();
        assert!(collector.take(now + at(1000)).is_none());
    }

    proptest! {
        #[test]
        fn what_is_typed_is_read(text in "[ -~\t]{1,96}") {
            let (mut collector, now) = collect(reports(&text).into_iter().chain(reports("\n")));
            let code = collector.take(now).unwrap();
            prop_assert_eq!(code.text(), text.as_str());
            prop_assert_eq!((code.end(), code.flaw()), (End::Enter, None));
        }

        #[test]
        fn any_reports_are_taken_and_codes_stay_short(
            reports in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..10), 0u64..700), 0..200),
        ) {
            let mut collector = Collector::new();
            let mut now = Duration::ZERO;
            for (report, gap) in &reports {
                now += at(*gap);
                collector.push(now, report);
                while let Some(code) = collector.take(now) {
                    prop_assert!(!code.text().is_empty() && code.text().len() <= LONGEST);
                    let _ = (code.hotp("", Digits::Six), code.yubico_otp());
                }
            }
            let _ = collector.take(now + at(500));
            prop_assert_eq!(collector.deadline(), None);
        }
    }
}
