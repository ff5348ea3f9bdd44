//! Taking an enrollment back: first the token, so that nothing can count, then the slot.

use keys::device::KeyError;

use crate::enrollment::{self, Ending, Order};
use crate::flow::{Desk, Part};
use crate::record::{Record, Remains, State};
use crate::refusal::{Code, Refusal};
use crate::step::{KeyFault, Phase};

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
    desk: &'a Desk,
    order: &'a Order,
    record: &'a mut Record,
    refusal: Refusal,
    slot: Slot,
) -> Part<'a, Ending> {
    Box::pin(async move {
        desk.enter(Phase::Undoing);
        record.reason = Some(refusal.code);
        // The journal holds an earlier state when this fails, and recovery does the
        // same from there: so going on is right.
        let _ = desk.record(record, State::Undoing).await;
        let withdrawn = desk.withdraw(record.enrollment, &record.token).await;
        if let Err(left) = withdrawn {
            // The token may count, so its key must go on answering: the slot stays as it
            // is until recovery has deleted the token.
            return Ending::Postponed(Refusal::new(refusal.code, both(&refusal, &left)));
        }
        if slot == Slot::Erase {
            match desk.key(enrollment::erase(order, record)).await {
                Ok(_) | Err(KeyFault::Protocol(KeyError::Empty)) => record.remains = Remains::Nothing,
                Err(_) => record.remains = Remains::Perhaps,
            }
        }
        if let Err(storage) = desk.record(record, State::Undone).await {
            return Ending::Postponed(storage);
        }
        match record.remains {
            Remains::Nothing => Ending::Undone(refusal),
            Remains::Perhaps | Remains::Secret => Ending::Quarantined(refusal),
        }
    })
}

/// Takes back a finished enrollment: the token is deleted, the slot emptied.
///
/// Ends in [`Ending::Undone`] when all went well.
pub(crate) async fn release(desk: &Desk, order: &Order, record: &mut Record) -> Ending {
    record.remains = Remains::Perhaps;
    if let Err(refusal) = desk.record(record, State::Undoing).await {
        return Ending::Refused(refusal);
    }
    let refusal = Refusal::new(Code::AlreadyEnrolled, record.token.to_string());
    match all(desk, order, record, refusal, Slot::Erase).await {
        Ending::Quarantined(_) => Ending::Quarantined(Refusal::new(
            Code::AccessCode,
            format!("slot {}; its token has been deleted", record.slot),
        )),
        ending => ending,
    }
}

fn both(refusal: &Refusal, left: &Refusal) -> String {
    let separator = if refusal.detail.is_empty() { "" } else { "; " };
    format!("{}{separator}still to be deleted: token ({}: {})", refusal.detail, left.code, left.detail)
}
