//! What is done with the slots of a key apart from enrolling it: both are swapped, or
//! one is emptied. No token is touched, so nothing that an enrollment of this
//! station needs may be touched either.

use keys::device::{KeyError, KeyInfo, Occupancy, Operation, Slot, Unlock};
use keys::secret::AccessCode;

use crate::errand::{self, Errand};
use crate::flow::{Desk, Flow, Next};
use crate::record::{EnrollmentId, Record, Remains, State};
use crate::refusal::{Code, Refusal};
use crate::slot::{Openers, early_fault};
use crate::step::{KeyFault, Now, Phase};
use crate::token::TokenSerial;

/// What became of a key's slots.
#[derive(Debug, Clone)]
pub struct Handled {
    /// Done, or why not. A refusal with [`Code::PulledWhileWriting`] leaves it open.
    pub result: Result<(), Refusal>,
    /// What the key was before.
    pub key: Option<KeyInfo>,
}

/// Exchanges what is in the slots 1 and 2: to keep what is in slot 1, say, when a profile wants it.
///
/// Refused when either slot holds anything of this station, whose token would then
/// bear the wrong number.
#[must_use]
pub fn swap(errand: Errand, now: Now) -> Next<Handled> {
    Flow::start(now, move |desk| async move {
        let mut key = None;
        let result = exchange(&desk, &errand, &mut key).await;
        Handled { result, key }
    })
}

/// Empties `errand.slot`, whoever's it is. The caller has had an operator confirm it.
///
/// Refused when the slot holds a finished enrollment of this station: that one is released.
#[must_use]
pub fn wipe(errand: Errand, now: Now) -> Next<Handled> {
    Flow::start(now, move |desk| async move {
        let mut key = None;
        let result = empty(&desk, &errand, &mut key).await;
        Handled { result, key }
    })
}

async fn exchange(desk: &Desk, errand: &Errand, key: &mut Option<KeyInfo>) -> Result<(), Refusal> {
    desk.enter(Phase::Inspecting);
    let serial = errand::inspect(desk, key).await?;
    desk.enter(Phase::Checking);
    for record in desk.recall(serial).await? {
        not_ours(&record)?;
        if record.remains != Remains::Nothing {
            return Err(Refusal::new(Code::Unsettled, format!("slot {}", record.slot)));
        }
    }
    // A key does not say that it exchanged nothing with nothing.
    let empty = |info: &KeyInfo| info.slots.iter().all(|slot| slot.occupancy == Occupancy::Empty);
    if key.as_ref().is_some_and(empty) {
        return Ok(());
    }
    desk.enter(Phase::Writing);
    let code = errand.unlock.as_ref().map(|code| AccessCode::from_array(code.expose()));
    let unlock = code.map_or(Unlock::None, Unlock::AccessCode);
    desk.key(Operation::Swap { unlock }).await.map(drop).map_err(|fault| late_fault(&fault))
}

async fn empty(desk: &Desk, errand: &Errand, key: &mut Option<KeyInfo>) -> Result<(), Refusal> {
    desk.enter(Phase::Inspecting);
    let serial = errand::inspect(desk, key).await?;
    let slot = errand.slot.ok_or_else(|| Refusal::new(Code::WhichSlot, "none was named"))?;
    desk.enter(Phase::Checking);
    for record in desk.recall(serial).await?.iter().filter(|record| record.slot == slot) {
        not_ours(record)?;
    }
    let info = key.as_ref().and_then(|info| info.slot(slot));
    let Some(kind) = info.and_then(|state| state.abilities.first()).map(|ability| ability.kind) else {
        return Err(Refusal::new(Code::NoSuchSlot, format!("slot {slot}")));
    };
    desk.enter(Phase::Writing);
    let record = nobodys(errand, serial, kind, slot);
    let openers = Openers::of(&errand.order_of(&record), &record);
    openers.empty(desk, &errand.order_of(&record), &record).await.map_err(|fault| late_fault(&fault))
}

/// A slot with an enrollment that is finished, or not put right, is not to be touched.
fn not_ours(record: &Record) -> Result<(), Refusal> {
    match record.state {
        State::Undone => Ok(()),
        State::Done => Err(Refusal::new(Code::AlreadyEnrolled, record.token.to_string())),
        _ => Err(Refusal::new(Code::Unsettled, record.token.to_string())),
    }
}

/// A slot as a record, for those parts that name slots so.
fn nobodys(errand: &Errand, key: keys::device::KeySerial, kind: keys::device::Kind, slot: Slot) -> Record {
    Record {
        enrollment: EnrollmentId::NONE,
        state: State::Undone,
        at: core::time::Duration::ZERO,
        key,
        slot,
        kind,
        remains: Remains::Nothing,
        token: TokenSerial::of(key, kind, slot),
        profile: String::new(),
        person: None,
        actor: errand.actor.clone(),
        port: errand.port.clone(),
        reason: None,
        given_up: None,
    }
}

fn late_fault(fault: &KeyFault) -> Refusal {
    match fault {
        KeyFault::Gone => Refusal::new(Code::PulledWhileWriting, ""),
        KeyFault::Protocol(KeyError::Refused) => Refusal::new(Code::AccessCode, ""),
        fault => early_fault(fault),
    }
}
