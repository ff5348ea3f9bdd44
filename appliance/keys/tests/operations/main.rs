//! Operations with a whole key, under virtual time: what is written to it, what
//! is believed, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod ask;
mod hostile;
mod inspect;
mod interrupted;
mod key;
#[path = "../key_half/mod.rs"]
mod key_half;
mod program;
mod waiting;

use key::ToyKey;
use keys::device::{Answer, Credential, Digits, Guard, KeyError, Kind, Operation, Slot, Unlock};
use keys::secret::{AccessCode, Seed};
use keys::wire::Failure;
use keys::yubikey::config::SlotConfig;

pub(crate) const RFC_KEY: &[u8] = b"12345678901234567890";

pub(crate) fn seed() -> Seed {
    Seed::new(RFC_KEY).unwrap()
}

pub(crate) fn code(text: &[u8; 6]) -> AccessCode {
    AccessCode::new(text).unwrap()
}

pub(crate) fn hotp() -> SlotConfig {
    SlotConfig::hotp(&seed(), Digits::Six).unwrap()
}

pub(crate) fn hmac(touch: bool) -> SlotConfig {
    SlotConfig::challenge_hmac(&seed(), touch).unwrap()
}

pub(crate) fn program(slot: u8, unlock: Unlock, new_code: Option<AccessCode>) -> Operation {
    let credential = Credential::Hotp { seed: seed(), digits: Digits::Six };
    let label = "UBOM12345678_1".into();
    Operation::Program { slot: Slot(slot), credential, unlock, new_code, label, guard: Guard::Nothing }
}

pub(crate) fn erase(slot: u8, unlock: Unlock) -> Operation {
    Operation::Erase { slot: Slot(slot), kind: Kind::Hotp, unlock, label: String::new() }
}

pub(crate) fn ask_code(slot: u8, kind: Kind, challenge: &[u8]) -> Operation {
    let challenge = challenge.to_vec();
    Operation::AskCode {
        slot: Slot(slot),
        kind,
        challenge,
        digits: Digits::Six,
        label: String::new(),
        unlock: Unlock::None,
    }
}

pub(crate) fn key_error(result: Result<Answer, Failure>) -> KeyError {
    match result {
        Err(Failure::Key(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What a YubiKey 5C NFC with that serial says about itself, with other tags in place of its own, or without those that are empty.
pub(crate) fn yubikey5_page(other: &[(u8, &[u8])], more: bool) -> Vec<u8> {
    let mut tags: Vec<(u8, &[u8])> = vec![
        (0x01, &[0x02, 0x3f]),
        (0x02, &[0x00, 0xbc, 0x61, 0x4e]),
        (0x03, &[0x02, 0x3f]),
        (0x04, &[0x03]),
        (0x05, &[5, 4, 3]),
        (0x0a, &[0]),
        (0x0d, &[0x02, 0x3f]),
        (0x0e, &[0x02, 0x3f]),
    ];
    tags.retain(|(tag, _)| other.iter().all(|(others, _)| others != tag));
    tags.extend(other.iter().filter(|(_, value)| !value.is_empty()));
    key_half::page(&tags, more)
}

pub(crate) fn yubikey5() -> ToyKey {
    let mut key = ToyKey::new(5, 4, 3);
    key.info_pages = vec![yubikey5_page(&[], false)];
    key
}
