//! Release: a finished enrollment is taken back, because somebody wants it so.
//!
//! The token is deleted, if it is still the one that the enrollment made; then the
//! slot is emptied; the journal says `undoing` before and `undone` after. A power
//! cut in between is recovery's business, as with any other undoing.

use keys::device::KeyInfo;

use crate::engine::enrollment::settled;
use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::key_order::{self, KeyOrder};
use crate::engine::outcome::{Ending, Outcome};
use crate::engine::preflight;
use crate::engine::record::{EnrollmentId, Record};
use crate::engine::server::Right;
use crate::engine::step::{Now, Phase};
use crate::engine::undo;
use crate::refusal::{Code, Refusal};

/// Takes back what the station enrolled on the key in `key_order.port`.
///
/// Ends in [`Ending::Released`]; in [`Ending::Quarantined`] when the token is gone and
/// the slot could not be emptied; in [`Ending::Postponed`] when the token could not
/// be deleted now. The outcome bears the name of the enrollment that was taken back.
pub fn release(key_order: KeyOrder, now: Now) -> Next<Outcome> {
    Flow::start(now, move |cx| async move {
        let mut outcome = Outcome::begun(EnrollmentId::NONE);
        outcome.ending = match run(&cx, &key_order, &mut outcome).await {
            Ok(ending) => ending,
            Err(refusal) => Ending::Refused(refusal),
        };
        outcome
    })
}

async fn run(cx: &FlowContext, key_order: &KeyOrder, outcome: &mut Outcome) -> Result<Ending, Refusal> {
    cx.enter(Phase::Inspecting);
    let serial = key_order::inspect(cx, &mut outcome.key).await?;
    cx.enter(Phase::Checking);
    let records = settled(cx, serial, &mut outcome.finished).await?;
    let mut record = key_order
        .meant(&records)?
        .cloned()
        .ok_or_else(|| Refusal::new(Code::NothingEnrolled, format!("key {serial}")))?;
    outcome.enrollment = record.enrollment;
    outcome.token = Some(record.token.clone());
    let order = key_order.order_of(&record);
    if let Some(info) = &outcome.key {
        preflight::unlockable(info, &order)?;
        holds_something(info, &record)?;
    }
    let readiness = cx.prepare(record.enrollment).await?;
    outcome.server = Some(readiness.product.clone());
    preflight::granted(&readiness, &[Right::List, Right::Delete])?;
    if cx.cancelled() {
        return Err(Refusal::new(Code::Cancelled, ""));
    }
    cx.enter(Phase::Undoing);
    Ok(undo::release(cx, &order, &mut record, Code::Released).await)
}

/// A key that cannot hold such a credential is another one than the journal knows.
fn holds_something(info: &KeyInfo, record: &Record) -> Result<(), Refusal> {
    if info.ability(record.kind, record.slot).is_some() {
        return Ok(());
    }
    Err(Refusal::new(Code::NoSuchSlot, format!("{} has no slot {}", info.model, record.slot)))
}
