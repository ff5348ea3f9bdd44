//! The key's side of an enrollment: its slot is emptied, written and locked.

use std::sync::Arc;

use keys::device::{KeyError, Operation, Unlock};
use keys::secret::AccessCode;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::flow::FlowContext;
use crate::engine::material::Material;
use crate::engine::openers::{Openers, early_fault, is_open, set_code};
use crate::engine::outcome::{Ending, Order, SlotLock};
use crate::engine::record::{Record, Remains, State};
use crate::engine::server::ServerCall;
use crate::engine::step::{HandOver, KeyFault};
use crate::engine::undo::{self, Slot as Undone};
use crate::profile::{CodeTo, NewCode};
use crate::refusal::{Code, Refusal};

/// Empties a slot that may be overwritten, which shows whether an access code is right.
pub(crate) async fn clear(cx: &FlowContext, order: &Order, record: &mut Record) -> Result<(), Ending> {
    cx.enter(crate::engine::step::Phase::Writing);
    let openers = Openers::of(order, record);
    let fault = match openers.empty(cx, order, record).await {
        Ok(()) => {
            record.remains = Remains::Nothing;
            return Ok(());
        }
        Err(fault) => fault,
    };
    let refusal = match &fault {
        KeyFault::Protocol(KeyError::Refused) => {
            Refusal::new(Code::AccessCode, format!("slot {}", record.slot))
        }
        fault => early_fault(fault),
    };
    record.reason = Some(refusal.code);
    match cx.record(record, State::Undone).await {
        Ok(()) => Err(Ending::Refused(refusal)),
        Err(storage) => Err(Ending::Postponed(storage)),
    }
}

/// Writes the slot.
pub(crate) async fn write(
    cx: &FlowContext,
    order: &Order,
    material: &Material,
    record: &mut Record,
) -> Result<(), Ending> {
    let profile = &order.profile;
    let Some(credential) = material.credential(profile, record.key) else {
        let refusal = Refusal::new(Code::Internal, "this kind of credential cannot be written");
        return Err(undo::all(cx, order, record, refusal, Undone::LeaveAlone).await);
    };
    let operation = Operation::Program {
        slot: profile.slot,
        credential,
        // An access code guards what is in a slot; by now, nothing is.
        unlock: order.pin_of_key(record.key.family).map_or(Unlock::None, Unlock::AdminPin),
        new_code: None,
        label: order.label(&record.token),
        guard: order.guard_of_slot(),
    };
    let fault = match cx.key(operation).await {
        Ok(_) => {
            return match cx.record(record, State::Written).await {
                Ok(()) => Ok(()),
                Err(refusal) => Err(undo::all(cx, order, record, refusal, Undone::Erase).await),
            };
        }
        Err(fault) => fault,
    };
    Err(match fault {
        KeyFault::Gone => pulled(cx, order, record).await,
        KeyFault::Protocol(KeyError::Refused) => {
            record.remains = Remains::Nothing;
            let refusal = Refusal::new(Code::WriteRefused, format!("slot {}", record.slot));
            undo::all(cx, order, record, refusal, Undone::LeaveAlone).await
        }
        KeyFault::Protocol(error) if left_alone(&error) => {
            record.remains = Remains::Nothing;
            undo::all(cx, order, record, early_fault(&KeyFault::Protocol(error)), Undone::LeaveAlone).await
        }
        fault => undo::all(cx, order, record, early_fault(&fault), Undone::Erase).await,
    })
}

/// Gives the slot its access code, when that is where it can be found again.
///
/// A refusal means that the slot is as open as before.
pub(crate) async fn lock(
    cx: &FlowContext,
    order: &Order,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<SlotLock, Refusal> {
    let missing = |what| Refusal::new(Code::AccessCode, what);
    let not_taken = || Refusal::new(Code::WriteRefused, "the new access code");
    let copy = |code: &AccessCode| AccessCode::from_array(code.expose());
    let code = match order.profile.new_access_code {
        NewCode::None => return Ok(SlotLock::Open),
        NewCode::Fixed => {
            copy(order.codes.fixed.as_ref().ok_or_else(|| missing("nobody gave the fixed code"))?)
        }
        NewCode::Derived => order
            .codes
            .secret
            .as_ref()
            .ok_or_else(|| missing("the station has no secret to derive codes from"))?
            .code_of(record.key, record.slot),
        NewCode::Random => {
            let code = Arc::new(random(rng));
            keep(cx, order, record, &code).await?;
            copy(&code)
        }
    };
    match cx.key(set_code(order, record, Unlock::None, code)).await {
        Ok(_) => match is_open(cx, order, record).await {
            Ok(false) => Ok(SlotLock::Locked),
            Ok(true) => Err(not_taken()),
            Err(_) => Ok(SlotLock::Unknown),
        },
        Err(KeyFault::Protocol(KeyError::Refused)) => Err(not_taken()),
        Err(KeyFault::Protocol(error @ KeyError::NotAble { .. })) => {
            Err(Refusal::new(Code::AccessCodeFixed, error.to_string()))
        }
        // The key answers for its token, and its code, if it took it, is where it belongs.
        Err(_) => Ok(SlotLock::Unknown),
    }
}

/// Puts a random code where the profile says, so that it cannot be lost with this process.
async fn keep(
    cx: &FlowContext,
    order: &Order,
    record: &Record,
    code: &Arc<AccessCode>,
) -> Result<(), Refusal> {
    match order.profile.access_code_to {
        CodeTo::Server => {
            let call = ServerCall::KeepCode { serial: record.token.clone(), code: Arc::clone(code) };
            cx.done(record.enrollment, call).await
        }
        CodeTo::HandOver => {
            let mut what = HandOver::of(record);
            what.access_code = Some(Arc::clone(code));
            cx.hand_over(what).await
        }
    }
}

/// A code that is not all zero, which would be none.
fn random(rng: &mut impl CryptoRng) -> AccessCode {
    let mut bytes = Zeroizing::new([0; 6]);
    rng.fill_bytes(bytes.as_mut());
    if bytes.iter().all(|byte| *byte == 0) {
        *bytes = [1; 6];
    }
    AccessCode::from_array(&bytes)
}

/// The key was pulled out between the first byte written and the proof.
pub(crate) async fn pulled(cx: &FlowContext, order: &Order, record: &mut Record) -> Ending {
    let refusal = Refusal::new(Code::PulledWhileWriting, record.key.to_string());
    undo::all(cx, order, record, refusal, Undone::LeaveAlone).await
}

/// Whether a slot is certainly as it was after this.
const fn left_alone(error: &KeyError) -> bool {
    matches!(
        error,
        KeyError::WrongPin { .. }
            | KeyError::PinAtRisk { .. }
            | KeyError::PinNeeded(_)
            | KeyError::NotTouched
            | KeyError::Occupied
            | KeyError::Full
            | KeyError::AnotherKey
            | KeyError::DoesNotFit(_)
            | KeyError::NotAble { .. }
    )
}
