//! Inspection: what a key is and what is in it, in vendor-neutral words.

use core::time::Duration;

use super::open::{Depth, Open, Opened};
use crate::conversation::{Conversation, Reply, Turn};
use crate::device::{
    Ability, Answer, Family, Firmware, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Lock, Occupancy,
    ProofWay, SlotState,
};
use crate::yubikey::build::OATH_KEY;
use crate::yubikey::command::OtpSlot;
use crate::yubikey::firmware::{self, Feature};
use crate::yubikey::ids::{self, Identity};

/// Ends in [`Answer::Inspected`].
pub(super) struct Inspect {
    identity: Identity,
    open: Open,
}

impl Inspect {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, open: Open::new(identity, Depth::Everything) }
    }
}

impl Conversation for Inspect {
    type Output = Answer;

    fn turn(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<Answer>, KeyError> {
        Ok(match self.open.turn(now, reply)? {
            Turn::Do(request) => Turn::Do(request),
            Turn::Done(opened) => Turn::Done(Answer::Inspected(key_info(self.identity, &opened))),
        })
    }
}

/// What the engine is told about the key.
fn key_info(identity: Identity, opened: &Opened) -> KeyInfo {
    let Opened { status, serial, info } = opened;
    let version = status.firmware;
    let slots: Vec<SlotState> = OtpSlot::ALL
        .into_iter()
        .filter(|slot| slot.is_in(version))
        .map(|slot| SlotState {
            slot: slot.slot(),
            occupancy: status.occupancy(slot),
            abilities: abilities(slot, version),
            label: None,
        })
        .collect();
    // Only a slot that holds something can have an access code.
    let lock = if slots.iter().all(|state| state.occupancy == Occupancy::Empty) {
        Lock::Open
    } else {
        Lock::MaybeAccessCode
    };
    let form = info.as_ref().and_then(|info| info.form_factor);
    let fips =
        if firmware::is_fips_by_version(version) { Some(true) } else { form.map(|form| form.is_fips()) };
    KeyInfo {
        family: Family::YubiKeyOtp,
        model: ids::model(Some(identity), version, info.as_ref()),
        serial: *serial,
        firmware: version,
        slots,
        named: None,
        lock,
        form_factor: form.and_then(|form| form.words()),
        fips,
        config_locked: info.as_ref().and_then(|info| info.config_locked).unwrap_or(false),
    }
}

/// What a slot of that firmware can hold. Slot 1 types after a short touch,
/// slot 2 after a long one.
fn abilities(slot: OtpSlot, firmware: Firmware) -> Vec<Ability> {
    let typed = match slot {
        OtpSlot::One => ProofWay::TypedShort,
        OtpSlot::Two => ProofWay::TypedLong,
    };
    let ability = |kind, eight_digits, longest_seed, proof| Ability {
        kind,
        eight_digits,
        best_hash: HashAlgorithm::Sha1,
        longest_seed,
        proof,
        guards: if kind == Kind::ChallengeResponse { &[Guard::Touch] } else { &[] },
    };
    let mut all = vec![ability(Kind::YubicoOtp, false, 16, typed)];
    if Feature::Hotp.is_in(firmware) {
        all.push(ability(Kind::Hotp, true, OATH_KEY, typed));
    }
    if Feature::ScanCodes.is_in(firmware) {
        all.push(ability(Kind::StaticPassword, false, 38, typed));
    }
    if Feature::ChallengeResponse.is_in(firmware) {
        let returned = ProofWay::Returned { touch: false };
        all.push(ability(Kind::ChallengeResponse, true, OATH_KEY, returned));
    }
    all
}
