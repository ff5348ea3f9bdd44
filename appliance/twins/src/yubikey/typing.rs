//! What a key types: characters, usages, and the reports of a boot keyboard.

use core::time::Duration;

use crate::key::KeyboardReport;

/// Characters that the scan map covers, in its order (ykdef.h, `SCAN_MAP`).
pub(super) const ORDER: &[u8; CHARACTERS] = b"cbdefghijklnrtuvCBDEFGHIJKLNRTUV0123456789!\t\r";
/// How many they are.
pub(super) const CHARACTERS: usize = 45;
const MODHEX: &[u8; 16] = b"cbdefghijklnrtuv";
const HEX: &[u8; 16] = b"0123456789abcdef";
const SHIFT: u8 = 0x80;

/// Usages of the characters in [`ORDER`] on a US keyboard (HID usage tables,
/// page 7). Bit 7 is shift.
#[rustfmt::skip]
pub(super) const US_LAYOUT: [u8; CHARACTERS] = [
    0x06, 0x05, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x11, 0x15, 0x17, 0x18, 0x19,
    0x86, 0x85, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x91, 0x95, 0x97, 0x98, 0x99,
    0x27, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x9e, 0x2b, 0x28,
];

/// A keyboard report and how long after the one before it it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keystroke {
    /// Time since the report before, or since the touch.
    pub after: Duration,
    pub report: KeyboardReport,
}

/// The host asks for a report every 10 ms (bInterval of the real endpoint).
const POLL: Duration = Duration::from_millis(10);

/// Puts keystrokes together.
pub(super) struct Typist<'map> {
    map: &'map [u8; CHARACTERS],
    keypad: bool,
    pacing: Duration,
    /// Waits before the next keystroke.
    pause: Duration,
    typed: Vec<Keystroke>,
}

impl<'map> Typist<'map> {
    /// `pacing` is added before every report; `touch` before the first.
    pub(super) const fn new(
        map: &'map [u8; CHARACTERS],
        keypad: bool,
        pacing: Duration,
        touch: Duration,
    ) -> Self {
        Self { map, keypad, pacing, pause: touch, typed: Vec::new() }
    }

    /// One character of [`ORDER`], or a hexadecimal digit.
    pub(super) fn character(&mut self, character: u8) {
        let usage = match character {
            b'1'..=b'9' if self.keypad => character - b'1' + 0x59,
            b'0' if self.keypad => 0x62,
            // The one hexadecimal digit that the map does not cover.
            b'a' => 0x04,
            _ => {
                let found = ORDER.iter().zip(self.map).find(|(known, _)| **known == character);
                found.map_or(0, |(_, usage)| *usage)
            }
        };
        self.usage(usage);
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        for character in text {
            self.character(*character);
        }
    }

    pub(super) fn modhex(&mut self, bytes: &[u8]) {
        self.text(&digits(bytes, MODHEX));
    }

    pub(super) fn hex(&mut self, bytes: &[u8]) {
        self.text(&digits(bytes, HEX));
    }

    /// A usage with shift in bit 7: pressed and let go. 0 types nothing.
    pub(super) fn usage(&mut self, usage: u8) {
        if usage == 0 {
            return;
        }
        let modifiers = if usage & SHIFT != 0 { 0x02 } else { 0 };
        self.report([modifiers, 0, usage & !SHIFT, 0, 0, 0, 0, 0]);
        self.report([0; 8]);
    }

    pub(super) fn pause(&mut self, time: Duration) {
        self.pause += time;
    }

    pub(super) fn done(self) -> Vec<Keystroke> {
        self.typed
    }

    fn report(&mut self, report: KeyboardReport) {
        let after = POLL + self.pacing + core::mem::take(&mut self.pause);
        self.typed.push(Keystroke { after, report });
    }
}

/// What happens to strokes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tear {
    Lost,
    Twice,
    Exchanged,
}

/// What arrives of strokes when a host loses or repeats reports. Never another character; the last stroke, which is ENTER
/// mostly, arrives. `chance` says which one it is.
pub(super) fn tear(typed: &mut Vec<Keystroke>, what: Tear, chance: u64) {
    // A stroke is two reports, down and up.
    let strokes = u64::try_from(typed.len() / 2).unwrap_or_default();
    let Some(at) = chance.checked_rem(strokes.saturating_sub(2)).and_then(|at| usize::try_from(2 * at).ok())
    else {
        return;
    };
    match what {
        Tear::Lost => drop(typed.drain(at..at + 2)),
        Tear::Twice => {
            let stroke: Vec<_> = typed.iter().skip(at).take(2).copied().collect();
            drop(typed.splice(at..at, stroke));
        }
        Tear::Exchanged => {
            if let Some(two) = typed.get_mut(at..at + 4) {
                two.rotate_left(2);
            }
        }
    }
}

/// Every byte as two digits of an alphabet.
pub(super) fn modhex(bytes: &[u8]) -> Vec<u8> {
    digits(bytes, MODHEX)
}

/// The modhex alphabet, which "send reference" types first.
pub(super) const REFERENCE: &[u8] = MODHEX;

fn digits(bytes: &[u8], alphabet: &[u8; 16]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|nibble| alphabet.get(usize::from(nibble)).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_us_layout_is_the_one_of_the_usage_tables() {
        let usage = |c: u8| US_LAYOUT[ORDER.iter().position(|known| *known == c).unwrap()];
        assert_eq!([usage(b'c'), usage(b'b'), usage(b'v'), usage(b'n')], [0x06, 0x05, 0x19, 0x11]);
        assert_eq!([usage(b'1'), usage(b'9'), usage(b'0')], [0x1e, 0x26, 0x27]);
        assert_eq!([usage(b'C'), usage(b'!')], [0x86, 0x9e]);
        assert_eq!([usage(b'\t'), usage(b'\r')], [0x2b, 0x28]);
    }

    #[test]
    fn a_stroke_is_lost_comes_twice_or_after_the_next() {
        let text = |what, chance| {
            let mut typist = Typist::new(&US_LAYOUT, false, Duration::ZERO, Duration::ZERO);
            typist.text(b"1234\r");
            let mut typed = typist.done();
            tear(&mut typed, what, chance);
            let downs = typed.iter().map(|stroke| stroke.report[2]).filter(|usage| *usage != 0);
            downs.map(|usage| usage.wrapping_sub(0x1d)).collect::<Vec<_>>()
        };
        assert_eq!(text(Tear::Lost, 0), [2, 3, 4, 11]);
        assert_eq!(text(Tear::Twice, 4), [1, 2, 2, 3, 4, 11]);
        assert_eq!(text(Tear::Exchanged, 2), [1, 2, 4, 3, 11]);
    }

    #[test]
    fn pauses_and_pacing_are_times_before_reports() {
        let mut typist = Typist::new(&US_LAYOUT, true, Duration::from_millis(20), Duration::from_millis(300));
        typist.text(b"90");
        typist.pause(Duration::from_millis(500));
        typist.usage(0x8b);
        let typed = typist.done();
        let times: Vec<_> = typed.iter().map(|stroke| stroke.after.as_millis()).collect();
        assert_eq!(times, [330, 30, 30, 30, 530, 30]);
        assert_eq!(typed[0].report, [0, 0, 0x61, 0, 0, 0, 0, 0]);
        assert_eq!(typed[2].report, [0, 0, 0x62, 0, 0, 0, 0, 0]);
        assert_eq!(typed[4].report, [2, 0, 0x0b, 0, 0, 0, 0, 0]);
        assert_eq!(typed[5].report, [0; 8]);
    }
}
