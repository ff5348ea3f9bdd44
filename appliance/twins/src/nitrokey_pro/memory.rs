//! What a key keeps without power.

use keys::device::{Kind, Slot as SlotNumber};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::card::Card;
use super::model::Model;

/// How many HOTP slots there are, the reserved one included.
const HOTP: u8 = 4;
/// How many TOTP slots there are.
const TOTP: u8 = 15;

/// What a slot holds.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) name: [u8; 15],
    pub(super) secret: Zeroizing<[u8; 40]>,
    pub(super) config: u8,
    pub(super) token_id: [u8; 13],
    /// The interval, or what the counter began with.
    pub(super) factor: u64,
}

/// A slot's place, by its number in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Hotp(u8),
    Totp(u8),
}

impl Spot {
    /// The place of that number; `None` when this key has none.
    pub(super) fn of(model: &Model, number: u8) -> Option<Self> {
        let hotp = if model.has_reserved_slot() { HOTP } else { HOTP - 1 };
        match (number & 0xf0, number & 0x0f) {
            (0x10, slot) if slot < hotp => Some(Self::Hotp(slot)),
            (0x20, slot) if slot < TOTP => Some(Self::Totp(slot)),
            _ => None,
        }
    }

    /// The place as the engine counts.
    pub(super) fn named(kind: Kind, slot: SlotNumber) -> Option<Self> {
        match kind {
            Kind::Hotp if slot.0 < HOTP => Some(Self::Hotp(slot.0)),
            Kind::Totp if slot.0 < TOTP => Some(Self::Totp(slot.0)),
            _ => None,
        }
    }

    /// Whether it is the one that measured boot uses.
    pub(super) const fn is_reserved(self) -> bool {
        matches!(self, Self::Hotp(3))
    }

    /// Whether it is the last TOTP slot.
    pub(super) const fn is_last_totp(self) -> bool {
        matches!(self, Self::Totp(14))
    }
}

#[derive(Clone)]
pub(super) struct Memory {
    hotp: [Option<Slot>; HOTP as usize],
    counters: [u64; HOTP as usize],
    totp: [Option<Slot>; TOTP as usize],
    /// Lock keys, user PIN for codes, delete user password.
    pub(super) config: [u8; 5],
    pub(super) card: Card,
    /// When the clock was set last, in minutes since 2014; 0 for never.
    pub(super) minutes: u32,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            hotp: [const { None }; HOTP as usize],
            counters: [0; HOTP as usize],
            totp: [const { None }; TOTP as usize],
            config: [0xff, 0xff, 0xff, 0, 0],
            card: Card::new(),
            minutes: 0,
        }
    }

    pub(super) fn slot(&self, spot: Spot) -> Option<&Slot> {
        match spot {
            Spot::Hotp(number) => self.hotp.get(usize::from(number))?.as_ref(),
            Spot::Totp(number) => self.totp.get(usize::from(number))?.as_ref(),
        }
    }

    pub(super) fn put(&mut self, spot: Spot, slot: Option<Slot>) {
        let place = match spot {
            Spot::Hotp(number) => self.hotp.get_mut(usize::from(number)),
            Spot::Totp(number) => self.totp.get_mut(usize::from(number)),
        };
        if let Some(place) = place {
            *place = slot;
        }
    }

    /// Everything but the secrets and the PINs, and a digest of those.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for slot in self.hotp.iter().chain(&self.totp) {
            match slot {
                None => text.push('-'),
                Some(Slot { name, secret, config, token_id, factor }) => {
                    let secret = Sha256::digest(secret.as_slice());
                    text += &format!("{name:x?} {secret:x?} {config} {token_id:x?} {factor}");
                }
            }
            text.push('\n');
        }
        text += &format!("{:?} {:?} {}\n{}", self.counters, self.config, self.minutes, self.card.describe());
        text
    }

    /// The counter of a HOTP slot.
    pub(super) fn counter(&mut self, spot: Spot) -> Option<&mut u64> {
        match spot {
            Spot::Hotp(number) => self.counters.get_mut(usize::from(number)),
            Spot::Totp(_) => None,
        }
    }

    /// The counter of a HOTP slot, to look at.
    pub(super) fn counted(&self, spot: Spot) -> u64 {
        match spot {
            Spot::Hotp(number) => self.counters.get(usize::from(number)).copied().unwrap_or_default(),
            Spot::Totp(_) => 0,
        }
    }
}
