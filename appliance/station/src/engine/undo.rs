//! Taking an enrollment back: first the token, so that nothing can count, then the slot.

use keys::device::KeyError;

use crate::engine::flow::{FlowContext, Part};
use crate::engine::lag::Patience;
use crate::engine::openers::Openers;
use crate::engine::outcome::{Ending, Order};
use crate::engine::record::{Record, Remains, State};
use crate::engine::step::{KeyFault, Phase};
use crate::refusal::{Code, Refusal};

/// What is to be done with the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Empty it: the key is there, and the slot may hold the secret.
    Erase,
    /// Do not touch it: nothing was written, or the key is gone.
    LeaveAlone,
}

/// Takes everything back and says how it ended.
pub(crate) fn all<'a>(
    cx: &'a FlowContext,
    order: &'a Order,
    record: &'a mut Record,
    refusal: Refusal,
    slot: Slot,
) -> Part<'a, Ending> {
    Box::pin(async move {
        cx.enter(Phase::Undoing);
        record.reason = Some(refusal.code);
        // The journal holds an earlier state when this fails, and recovery does the
        // same from there: so going on is right.
        let _ = cx.record(record, State::Undoing).await;
        let withdrawn = cx.withdraw(record.enrollment, &record.token, Patience::AtTheDesk).await;
        if let Err(left) = withdrawn {
            // The token may count, so its key must go on answering: the slot stays as it
            // is until recovery has deleted the token.
            return Ending::Postponed(Refusal::new(refusal.code, both(&refusal, &left)));
        }
        if slot == Slot::Erase {
            // A slot is locked last of all, so what opened it before opens it now.
            let emptied = Openers::of(order, record).empty(cx, order, record).await.is_ok();
            record.remains = if emptied { Remains::Nothing } else { Remains::Perhaps };
        }
        if let Err(storage) = cx.record(record, State::Undone).await {
            return Ending::Postponed(storage);
        }
        match record.remains {
            Remains::Nothing => Ending::Undone(refusal),
            Remains::Perhaps | Remains::Secret => Ending::Quarantined(refusal),
        }
    })
}

/// Ends an enrollment for which nothing was asked of the server yet.
pub(crate) async fn unasked(cx: &FlowContext, record: &mut Record, refusal: Refusal) -> Ending {
    cx.enter(Phase::Undoing);
    record.reason = Some(refusal.code);
    if let Err(storage) = cx.record(record, State::Undone).await {
        return Ending::Postponed(storage);
    }
    match record.remains {
        Remains::Nothing => Ending::Undone(refusal),
        Remains::Perhaps | Remains::Secret => Ending::Quarantined(refusal),
    }
}

/// Takes back a finished enrollment: the token is deleted, if it is ours, then the slot emptied.
///
/// Ends in [`Ending::Released`] when all went well.
pub(crate) async fn release(cx: &FlowContext, order: &Order, record: &mut Record, reason: Code) -> Ending {
    // Before the token goes, with what it keeps; and before recovery would delete it.
    let openers = match Openers::with_kept(cx, order, record).await {
        Ok(openers) => openers,
        Err(refusal) => return Ending::Refused(refusal),
    };
    if let Err(refusal) = openers.unlock_kept(cx, order, record).await {
        return Ending::Refused(refusal);
    }
    // What is done shows everywhere after a while, so whoever has the token gone then had it deleted.
    let settled = record.state == State::Done && cx.shows_everywhere(record);
    record.remains = Remains::Perhaps;
    record.reason = Some(reason);
    if let Err(refusal) = cx.record(record, State::Undoing).await {
        return Ending::Refused(refusal);
    }
    if let Err(left) = cx.withdraw_settled(record, settled, Patience::AtTheDesk).await {
        // The token may count, so its key goes on answering until recovery has deleted it.
        let refusal = Refusal::new(left.code, both(&Refusal::new(reason, ""), &left));
        return Ending::Postponed(refusal);
    }
    let failed = match openers.empty(cx, order, record).await {
        Ok(()) => {
            record.remains = Remains::Nothing;
            None
        }
        Err(KeyFault::Protocol(KeyError::Refused)) => Some((Code::AccessCode, String::new())),
        Err(KeyFault::Gone) => Some((Code::PulledWhileWriting, String::new())),
        Err(fault) => Some((Code::KeySilent, format!("{fault}; "))),
    };
    if let Err(storage) = cx.record(record, State::Undone).await {
        return Ending::Postponed(storage);
    }
    match failed {
        None => Ending::Released,
        Some((code, why)) => Ending::Quarantined(Refusal::new(
            code,
            format!("{why}slot {}; its token {} has been deleted", record.slot, record.token),
        )),
    }
}

fn both(refusal: &Refusal, left: &Refusal) -> String {
    let separator = if refusal.detail.is_empty() { "" } else { "; " };
    format!("{}{separator}still to be deleted: token ({}: {})", refusal.detail, left.code, left.detail)
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
