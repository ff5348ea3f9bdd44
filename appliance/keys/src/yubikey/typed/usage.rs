//! Which key of the keyboard is which character.
//!
//! USB HID Usage Tables 1.5, chapter 10 (keyboard page), read as the US layout
//! reads it. YubiKeys send these numbers; what another layout makes of them
//! does not matter here, because the station reads usages, never characters.

/// Shift, left or right, in the modifier byte of a boot-keyboard report.
pub const SHIFTS: u8 = 0x02 | 0x20;
/// Left shift, which YubiKeys press.
pub const LEFT_SHIFT: u8 = 0x02;
/// Return on the main block.
pub const ENTER: u8 = 0x28;
/// Enter on the numeric keypad.
pub const KEYPAD_ENTER: u8 = 0x58;
/// Tabulator.
pub const TAB: u8 = 0x2b;
/// What fills all six places when too many keys are down.
#[doc(alias = "ErrorRollOver")]
pub const ROLLOVER: u8 = 0x01;
/// Usages 0 to 3 are no keys but conditions.
pub const LAST_CONDITION: u8 = 0x03;

/// One press of one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stroke {
    /// The usage on the keyboard page.
    pub usage: u8,
    pub shift: bool,
}

impl Stroke {
    /// The character of the US layout; `\n` for both enter keys, `\t` for TAB.
    /// The keypad counts as with Num Lock on.
    pub fn character(self) -> Option<char> {
        let Self { usage, shift } = self;
        let letter = |first: u8, at: u8| Some(char::from(first + at));
        match usage {
            0x04..=0x1d => letter(if shift { b'A' } else { b'a' }, usage - 0x04),
            ENTER | KEYPAD_ENTER => Some('\n'),
            TAB => Some('\t'),
            0x2c => Some(' '),
            // Keypad keys do not change under shift.
            0x59..=0x61 => letter(b'1', usage - 0x59),
            0x62 => Some('0'),
            _ => PAIRS
                .iter()
                .find(|&&(known, ..)| known == usage)
                .map(|&(_, plain, shifted)| if shift { shifted } else { plain }),
        }
    }

    /// The stroke that types `character` on the main block of the US layout.
    pub fn of(character: char) -> Option<Self> {
        let plain = |usage| Some(Self { usage, shift: false });
        match character {
            'a'..='z' => plain(character as u8 - b'a' + 0x04),
            'A'..='Z' => Some(Self { usage: character as u8 - b'A' + 0x04, shift: true }),
            '\n' | '\r' => plain(ENTER),
            '\t' => plain(TAB),
            ' ' => plain(0x2c),
            _ => PAIRS.iter().find_map(|&(usage, plain, shifted)| {
                (character == plain || character == shifted)
                    .then_some(Self { usage, shift: character == shifted })
            }),
        }
    }

    /// The stroke that types a digit on the numeric keypad.
    pub fn on_keypad(digit: char) -> Option<Self> {
        let usage = match digit {
            '0' => 0x62,
            '1'..='9' => digit as u8 - b'1' + 0x59,
            _ => return None,
        };
        Some(Self { usage, shift: false })
    }

    /// The stroke as slots keep it: the usage, bit 7 meaning shift.
    pub const fn scan_code(self) -> u8 {
        self.usage | if self.shift { 0x80 } else { 0 }
    }

    /// Reads a scan code as slots keep it.
    pub const fn from_scan_code(code: u8) -> Self {
        Self { usage: code & 0x7f, shift: code & 0x80 != 0 }
    }

    /// The two boot-keyboard reports of this stroke: pressed, released.
    pub const fn reports(self) -> [[u8; 8]; 2] {
        let modifiers = if self.shift { LEFT_SHIFT } else { 0 };
        [[modifiers, 0, self.usage, 0, 0, 0, 0, 0], [0; 8]]
    }
}

/// Keys whose two characters follow no rule: usage, without and with shift.
const PAIRS: [(u8, char, char); 21] = [
    (0x1e, '1', '!'),
    (0x1f, '2', '@'),
    (0x20, '3', '#'),
    (0x21, '4', '$'),
    (0x22, '5', '%'),
    (0x23, '6', '^'),
    (0x24, '7', '&'),
    (0x25, '8', '*'),
    (0x26, '9', '('),
    (0x27, '0', ')'),
    (0x2d, '-', '_'),
    (0x2e, '=', '+'),
    (0x2f, '[', '{'),
    (0x30, ']', '}'),
    (0x31, '\\', '|'),
    (0x33, ';', ':'),
    (0x34, '\'', '"'),
    (0x35, '`', '~'),
    (0x36, ',', '<'),
    (0x37, '.', '>'),
    (0x38, '/', '?'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_character_has_a_stroke_and_comes_back() {
        for character in (' '..='~').chain(['\n', '\t']) {
            let stroke = Stroke::of(character).unwrap();
            assert_eq!(stroke.character(), Some(character));
            let again = Stroke::from_scan_code(stroke.scan_code());
            assert!(again == stroke);
        }
        assert!(Stroke::of('ä').is_none());
    }

    #[test]
    fn the_modhex_keys_and_digits_have_the_usages_of_real_keys() {
        let usages: Vec<u8> = "cbdefghijklnrtuv".chars().map(|c| Stroke::of(c).unwrap().usage).collect();
        assert_eq!(
            usages,
            [0x06, 0x05, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x11, 0x15, 0x17, 0x18, 0x19]
        );
        let digits: Vec<u8> = "1234567890".chars().map(|c| Stroke::of(c).unwrap().usage).collect();
        assert_eq!(digits, (0x1e..=0x27).collect::<Vec<u8>>());
        let keypad: Vec<u8> = "1234567890".chars().map(|c| Stroke::on_keypad(c).unwrap().usage).collect();
        assert_eq!(keypad, (0x59..=0x62).collect::<Vec<u8>>());
    }

    #[test]
    fn keypad_digits_read_as_digits_even_under_shift() {
        for (usage, digit) in (0x59..=0x62).zip("1234567890".chars()) {
            assert_eq!(Stroke { usage, shift: false }.character(), Some(digit));
            assert_eq!(Stroke { usage, shift: true }.character(), Some(digit));
        }
    }

    #[test]
    fn any_usage_is_read() {
        for usage in 0..=255 {
            for shift in [false, true] {
                let _ = Stroke { usage, shift }.character();
            }
        }
    }
}
