//! What is done with the slots of a key apart from enrolling it: both are swapped, or
//! one is emptied. No token is touched, so nothing that an enrollment of this
//! station needs may be touched either.

use keys::device::{KeyError, KeyInfo, Occupancy, Operation, Slot, Unlock};
use keys::secret::AccessCode;

use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::key_order::{self, KeyOrder};
use crate::engine::openers::Openers;
use crate::engine::openers::early_fault;
use crate::engine::record::{EnrollmentId, Record, Remains, State};
use crate::engine::step::{KeyFault, Now, Phase};
use crate::refusal::{Code, Refusal};
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
pub fn swap(key_order: KeyOrder, now: Now) -> Next<Handled> {
    Flow::start(now, move |cx| async move {
        let mut key = None;
        let result = exchange(&cx, &key_order, &mut key).await;
        Handled { result, key }
    })
}

/// Empties `key_order.slot`, whoever's it is. The caller has had an operator confirm it.
///
/// Refused when the slot holds a finished enrollment of this station: that one is released.
pub fn wipe(key_order: KeyOrder, now: Now) -> Next<Handled> {
    Flow::start(now, move |cx| async move {
        let mut key = None;
        let result = empty(&cx, &key_order, &mut key).await;
        Handled { result, key }
    })
}

async fn exchange(cx: &FlowContext, key_order: &KeyOrder, key: &mut Option<KeyInfo>) -> Result<(), Refusal> {
    cx.enter(Phase::Inspecting);
    let serial = key_order::inspect(cx, key).await?;
    cx.enter(Phase::Checking);
    for record in cx.recall(serial).await? {
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
    cx.enter(Phase::Writing);
    let code = key_order.unlock.as_ref().map(|code| AccessCode::from_array(code.expose()));
    let unlock = code.map_or(Unlock::None, Unlock::AccessCode);
    cx.key(Operation::Swap { unlock }).await.map(drop).map_err(|fault| late_fault(&fault))
}

async fn empty(cx: &FlowContext, key_order: &KeyOrder, key: &mut Option<KeyInfo>) -> Result<(), Refusal> {
    cx.enter(Phase::Inspecting);
    let serial = key_order::inspect(cx, key).await?;
    let slot = key_order.slot.ok_or_else(|| Refusal::new(Code::WhichSlot, "none was named"))?;
    cx.enter(Phase::Checking);
    for record in cx.recall(serial).await?.iter().filter(|record| record.slot == slot) {
        not_ours(record)?;
    }
    let info = key.as_ref().and_then(|info| info.slot(slot));
    let Some(kind) = info.and_then(|state| state.abilities.first()).map(|ability| ability.kind) else {
        return Err(Refusal::new(Code::NoSuchSlot, format!("slot {slot}")));
    };
    cx.enter(Phase::Writing);
    let record = nobodys(key_order, serial, kind, slot);
    let openers = Openers::of(&key_order.order_of(&record), &record);
    openers.empty(cx, &key_order.order_of(&record), &record).await.map_err(|fault| late_fault(&fault))
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
fn nobodys(
    key_order: &KeyOrder,
    key: keys::device::KeySerial,
    kind: keys::device::Kind,
    slot: Slot,
) -> Record {
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
        actor: key_order.actor.clone(),
        port: key_order.port.clone(),
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
