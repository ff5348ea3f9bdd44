//! What may open a slot that an access code guards.

use keys::device::{KeyError, Operation, Unlock};
use keys::secret::AccessCode;

use crate::engine::flow::FlowContext;
use crate::engine::outcome::Order;
use crate::engine::record::Record;
use crate::engine::step::KeyFault;
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

/// Gives the slot of an enrollment another access code.
pub(crate) fn set_code(order: &Order, record: &Record, unlock: Unlock, new_code: AccessCode) -> Operation {
    Operation::SetCode { slot: record.slot, kind: record.kind, guard: order.profile.guard, unlock, new_code }
}

/// Whether a slot takes a change without an access code. The change leaves all as it is.
pub(crate) async fn is_open(cx: &FlowContext, order: &Order, record: &Record) -> Result<bool, KeyFault> {
    match cx.key(set_code(order, record, Unlock::None, no_code())).await {
        Ok(_) => Ok(true),
        Err(KeyFault::Protocol(KeyError::Refused)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Six zeros, which mean that a slot has no access code.
pub(crate) fn no_code() -> AccessCode {
    AccessCode::from_array(&[0; 6])
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
