//! Slots: their numbers, their names and how they are set up.

use crate::device::{Digits, Kind, Slot};

/// How many HOTP slots there are. A fourth is kept for measured boot.
pub const HOTP_SLOTS: u8 = 3;
/// How many TOTP slots there are.
pub const TOTP_SLOTS: u8 = 15;

/// A slot. Each kind is counted by itself, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtpSlot {
    kind: SlotKind,
    number: u8,
}

/// What a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotKind {
    /// Counter-based codes.
    Hotp,
    /// Time-based codes.
    Totp,
}

impl SlotKind {
    /// The kind as the engine has it.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Hotp => Kind::Hotp,
            Self::Totp => Kind::Totp,
        }
    }
}

impl OtpSlot {
    /// The slot of that kind and number; `None` when there is none.
    pub const fn new(kind: Kind, slot: Slot) -> Option<Self> {
        match kind {
            Kind::Hotp if slot.0 < HOTP_SLOTS => Some(Self { kind: SlotKind::Hotp, number: slot.0 }),
            Kind::Totp if slot.0 < TOTP_SLOTS => Some(Self { kind: SlotKind::Totp, number: slot.0 }),
            Kind::Hotp | Kind::Totp | Kind::YubicoOtp | Kind::StaticPassword | Kind::ChallengeResponse => {
                None
            }
        }
    }

    /// All slots, HOTP first.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |kind, count| (0..count).map(move |number| Self { kind, number });
        of(SlotKind::Hotp, HOTP_SLOTS).chain(of(SlotKind::Totp, TOTP_SLOTS))
    }

    /// What it is for.
    pub const fn kind(self) -> SlotKind {
        self.kind
    }

    /// Its number, as people count.
    pub const fn slot(self) -> Slot {
        Slot(self.number)
    }

    /// Its number in reports: 10 to 12, 20 to 2E.
    pub const fn wire(self) -> u8 {
        match self.kind {
            SlotKind::Hotp => 0x10 | self.number,
            SlotKind::Totp => 0x20 | self.number,
        }
    }

    /// The slot of a number in reports.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match byte & 0xf0 {
            0x10 => Self::new(Kind::Hotp, Slot(byte & 0x0f)),
            0x20 => Self::new(Kind::Totp, Slot(byte & 0x0f)),
            _ => None,
        }
    }
}

/// What a slot is called: up to 15 bytes. Keys refuse the empty name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotName([u8; 15]);

impl SlotName {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 15;

    /// As much of `text` as fits, in whole characters.
    pub fn cut(text: &str) -> Self {
        let mut name = [0; 15];
        let mut room = name.iter_mut();
        for character in text.chars().filter(|character| *character != '\0') {
            let mut utf8 = [0; 4];
            let bytes = character.encode_utf8(&mut utf8).as_bytes();
            if room.len() < bytes.len() {
                break;
            }
            for byte in bytes {
                if let Some(place) = room.next() {
                    *place = *byte;
                }
            }
        }
        Self(name)
    }

    /// The name for a label: all of it, or the part behind the last colon when that
    /// is too long, since it is that part which tells one credential from another
    /// (`issuer:account`).
    pub fn of_label(label: &str) -> Self {
        match label.rsplit_once(':') {
            Some((_, account)) if label.len() > Self::LONGEST && !account.is_empty() => Self::cut(account),
            _ => Self::cut(label),
        }
    }

    /// A name as it stands in a report.
    pub const fn from_wire(bytes: [u8; 15]) -> Self {
        Self(bytes)
    }

    /// As it stands in a report: zeros behind it.
    pub const fn wire(&self) -> &[u8; 15] {
        &self.0
    }

    /// Whether a key would refuse it.
    pub const fn is_empty(&self) -> bool {
        let [first, ..] = self.0;
        first == 0
    }

    /// For people; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::LONGEST);
        String::from_utf8_lossy(self.0.get(..end).unwrap_or_default()).into_owned()
    }
}

/// How a slot is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotConfig {
    /// Six or eight.
    pub digits: Digits,
    /// Whether Enter is typed behind a code, where the key types.
    pub enter: bool,
    /// Whether the token id is typed in front.
    pub token_id: bool,
}

impl SlotConfig {
    /// Plain codes.
    pub const fn plain(digits: Digits) -> Self {
        Self { digits, enter: false, token_id: false }
    }

    /// The byte: 01 eight digits, 02 Enter, 04 token id.
    pub const fn byte(self) -> u8 {
        let digits = match self.digits {
            Digits::Six => 0,
            Digits::Eight => 1,
        };
        digits | (self.enter as u8) << 1 | (self.token_id as u8) << 2
    }

    /// What the byte says; other bits mean nothing.
    pub const fn from_byte(byte: u8) -> Self {
        Self {
            digits: if byte & 1 == 0 { Digits::Six } else { Digits::Eight },
            enter: byte & 2 != 0,
            token_id: byte & 4 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_one_number_for_people_and_one_for_reports() {
        let all: Vec<_> = OtpSlot::all().collect();
        assert_eq!(all.len(), 18);
        for slot in &all {
            assert_eq!(OtpSlot::from_wire(slot.wire()), Some(*slot));
            assert_eq!(OtpSlot::new(slot.kind().kind(), slot.slot()), Some(*slot));
        }
        assert_eq!(all.first().unwrap().wire(), 0x10);
        assert_eq!(all.last().unwrap().wire(), 0x2e);
        // The fourth HOTP slot is measured boot's.
        assert_eq!(OtpSlot::from_wire(0x13), None);
        assert_eq!(OtpSlot::from_wire(0x2f), None);
        assert_eq!(OtpSlot::new(Kind::YubicoOtp, Slot(0)), None);
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(SlotName::cut("NK00005555_1").text(), "NK00005555_1");
        assert_eq!(SlotName::cut("0123456789abcdefgh").text(), "0123456789abcde");
        assert_eq!(SlotName::cut("0123456789abcdö").text(), "0123456789abcd");
        assert_eq!(SlotName::of_label("office:NK1_1").text(), "office:NK1_1");
        assert_eq!(SlotName::of_label("office:NK00005555_1").text(), "NK00005555_1");
        assert_eq!(SlotName::of_label("the whole office:").text(), "the whole offic");
        assert!(SlotName::cut("").is_empty());
        assert!(SlotName::cut("\0\0").is_empty());
        assert_eq!(SlotName::from_wire([0xff; 15]).text().chars().count(), 15);
    }

    #[test]
    fn configuration_survives_its_byte() {
        for byte in 0..8 {
            assert_eq!(SlotConfig::from_byte(byte).byte(), byte);
        }
    }
}
