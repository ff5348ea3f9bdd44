//! Inspection: what a key is and what is in it, in vendor-neutral words.

use super::super::command;
use super::super::report::CommandStatus;
use super::super::slot::{OtpSlot, SlotName};
use super::open::Opened;
use super::talk::{Talk, refusal};
use super::write::usable;
use crate::device::{
    Ability, Answer, Family, HashAlgorithm, KeyError, KeyInfo, Lock, Occupancy, ProofWay, SlotState,
};

/// Ends in [`Answer::Inspected`].
pub(super) async fn inspect(talk: Talk) -> Result<Answer, KeyError> {
    let opened = talk.open(None).await?;
    let tries_left = talk.admin_tries().await?;
    let mut slots = Vec::new();
    for slot in OtpSlot::all() {
        if usable(slot, &opened).is_err() {
            continue;
        }
        let name = talk.slot_name(slot, &opened).await?;
        slots.push(SlotState {
            slot: slot.slot(),
            occupancy: if name.is_some() { Occupancy::Occupied } else { Occupancy::Empty },
            abilities: vec![ability(slot, &opened)],
            label: name.map(|name| name.text()),
        });
    }
    Ok(Answer::Inspected(KeyInfo {
        family: Family::NitrokeyPro,
        model: opened.model.name().to_owned(),
        serial: opened.serial,
        firmware: opened.firmware,
        slots,
        named: None,
        lock: Lock::AdminPin { tries_left },
        form_factor: None,
        fips: None,
        config_locked: false,
    }))
}

fn ability(slot: OtpSlot, opened: &Opened) -> Ability {
    Ability {
        kind: slot.kind().kind(),
        eight_digits: true,
        best_hash: HashAlgorithm::Sha1,
        longest_seed: opened.longest_secret(),
        proof: if opened.user_pin_for_codes {
            ProofWay::BehindPin
        } else {
            ProofWay::Returned { touch: false }
        },
        guards: &[],
    }
}

impl Talk {
    /// What a slot is called; `None` when it is empty.
    pub(super) async fn slot_name(
        &self,
        slot: OtpSlot,
        opened: &Opened,
    ) -> Result<Option<SlotName>, KeyError> {
        let answer = self.ask(&command::read_slot_name(slot)).await?;
        match answer.status() {
            CommandStatus::Ok => {
                let name = answer.result().first_chunk::<{ SlotName::LONGEST }>();
                Ok(name.map(|name| SlotName::from_wire(*name)))
            }
            CommandStatus::SlotEmpty => Ok(None),
            _ => Err(refusal(&answer, opened.firmware)),
        }
    }
}
