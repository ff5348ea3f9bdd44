//! The key's side of an enrollment: its slot is emptied, written and locked.

use std::sync::Arc;

use keys::device::{KeyError, Operation, Unlock};
use keys::secret::AccessCode;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::flow::FlowContext;
use crate::engine::material::Material;
use crate::engine::outcome::{Ending, Order, SlotLock};
use crate::engine::record::{Record, Remains, State};
use crate::engine::server::ServerCall;
use crate::engine::step::{HandOver, KeyFault};
use crate::engine::undo::{self, Slot as Undone};
use crate::profile::{CodeTo, NewCode};
use crate::refusal::{Code, Refusal};

/// What may open a slot, the likeliest first, and which of it only the server keeps. Keys do not
/// count wrong access codes, and a slot without a code takes any.
pub(crate) struct Openers(Vec<AccessCode>, Option<AccessCode>);

impl Openers {
    /// What the operator gave, and what this station makes.
    pub(crate) fn of(order: &Order, record: &Record) -> Self {
        let mut openers = Self(Vec::new(), None);
        if let Some(code) = &order.unlock {
            openers.add(code);
        }
        if let Some(code) = order.codes.table.as_ref().and_then(|table| table.code_of(record.key)) {
            openers.add(code);
        }
        if let Some(secret) = &order.codes.secret {
            openers.add(&secret.code_of(record.key, record.slot));
        }
        if let Some(code) = &order.codes.fixed {
            openers.add(code);
        }
        openers
    }

    /// The same, and before it what the server keeps with the token. A server that does not
    /// answer is a refusal: without its code the slot may stay locked for ever.
    pub(crate) async fn with_kept(cx: &FlowContext, order: &Order, record: &Record) -> Result<Self, Refusal> {
        let mut openers = Self(Vec::new(), None);
        if let Some(code) = cx.read_code(record.enrollment, &record.token).await? {
            openers.add(&code);
            openers.1 = Some(AccessCode::from_array(code.expose()));
        }
        Self::of(order, record).0.iter().for_each(|code| openers.add(code));
        Ok(openers)
    }

    fn add(&mut self, code: &AccessCode) {
        if !code.is_none() && !self.0.iter().any(|known| known.same_as(code)) {
            self.0.push(AccessCode::from_array(code.expose()));
        }
    }

    /// Takes the lock off a slot whose code is kept with the token: the code goes when the
    /// token goes, and if the power went in between, nobody could ever open the slot again.
    pub(crate) async fn unlock_kept(
        &self,
        cx: &FlowContext,
        order: &Order,
        record: &Record,
    ) -> Result<(), Refusal> {
        let Some(code) = &self.1 else {
            return Ok(());
        };
        let refused = || Refusal::new(Code::AccessCode, format!("slot {}", record.slot));
        let unlock = Unlock::AccessCode(AccessCode::from_array(code.expose()));
        match cx.key(set_code(order, record, unlock, no_code())).await {
            // The answer alone is not believed: a slot that is open can be shown to be.
            Ok(_) => match is_open(cx, order, record).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(refused()),
                Err(fault) => Err(early_fault(&fault)),
            },
            Err(KeyFault::Protocol(KeyError::Empty)) => Ok(()),
            Err(KeyFault::Protocol(KeyError::Refused)) => Err(refused()),
            Err(fault) => Err(early_fault(&fault)),
        }
    }

    /// Empties the slot of an enrollment.
    pub(crate) async fn empty(
        &self,
        cx: &FlowContext,
        order: &Order,
        record: &Record,
    ) -> Result<(), KeyFault> {
        let erase = |unlock| Operation::Erase {
            slot: record.slot,
            kind: record.kind,
            unlock,
            label: order.label(&record.token),
        };
        let mut result = Err(KeyFault::Protocol(KeyError::Refused));
        let pin = order.pin_of_key(record.key.family).map(Unlock::AdminPin);
        let codes = self.0.iter().map(|code| Unlock::AccessCode(AccessCode::from_array(code.expose())));
        let unlocks: Vec<Unlock> = match pin {
            Some(pin) => vec![pin],
            None if self.0.is_empty() || !record.key.family.has_access_codes() => vec![Unlock::None],
            None => codes.collect(),
        };
        for unlock in unlocks {
            result = match cx.key(erase(unlock)).await {
                Ok(_) | Err(KeyFault::Protocol(KeyError::Empty)) => Ok(()),
                Err(fault) => Err(fault),
            };
            if !matches!(result, Err(KeyFault::Protocol(KeyError::Refused))) {
                break;
            }
        }
        result
    }
}

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

/// Gives the slot of an enrollment another access code.
fn set_code(order: &Order, record: &Record, unlock: Unlock, new_code: AccessCode) -> Operation {
    Operation::SetCode { slot: record.slot, kind: record.kind, guard: order.profile.guard, unlock, new_code }
}

/// Whether a slot takes a change without an access code. The change leaves all as it is.
async fn is_open(cx: &FlowContext, order: &Order, record: &Record) -> Result<bool, KeyFault> {
    match cx.key(set_code(order, record, Unlock::None, no_code())).await {
        Ok(_) => Ok(true),
        Err(KeyFault::Protocol(KeyError::Refused)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Six zeros, which mean that a slot has no access code.
fn no_code() -> AccessCode {
    AccessCode::from_array(&[0; 6])
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

/// What a fault of the key means while nothing of ours is on it.
pub(crate) fn early_fault(fault: &KeyFault) -> Refusal {
    match fault {
        KeyFault::Gone => Refusal::new(Code::PulledEarly, ""),
        KeyFault::Unreachable(why) => Refusal::new(Code::KeySilent, why.clone()),
        KeyFault::Slow(why) => Refusal::new(Code::KeySlow, why.clone()),
        KeyFault::Protocol(error) => {
            let code = match error {
                KeyError::Refused => Code::WriteRefused,
                KeyError::TimedOut(_) => Code::KeySilent,
                KeyError::NotTouched => Code::NotTouched,
                KeyError::NotAble { .. } => Code::FirmwareTooOld,
                KeyError::WrongPin { .. } | KeyError::PinAtRisk { .. } | KeyError::PinNeeded(_) => {
                    Code::KeyPin
                }
                KeyError::CardSilent => Code::KeySilent,
                KeyError::Full => Code::KeyFull,
                KeyError::Occupied => Code::SlotOccupied,
                KeyError::InterfaceOff(_) => Code::InterfaceDisabled,
                KeyError::Unsupported(_) => Code::KeyUnknown,
                KeyError::AnotherKey => Code::PulledEarly,
                KeyError::Confused(_) => Code::Internal,
                _ => Code::KeyGarbled,
            };
            Refusal::new(code, error.to_string())
        }
    }
}
