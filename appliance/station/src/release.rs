//! Release: a finished enrollment is taken back, because somebody wants it so.
//!
//! The token is deleted, if it is still the one that the enrollment made; then the
//! slot is emptied; the journal says `undoing` before and `undone` after. A power
//! cut in between is recovery's business, as with any other undoing.

use keys::device::KeyInfo;

use crate::enrollment::settled;
use crate::errand::{self, Errand};
use crate::flow::{Desk, Flow, Next};
use crate::outcome::{Ending, Outcome};
use crate::preflight;
use crate::record::{EnrollmentId, Record};
use crate::refusal::{Code, Refusal};
use crate::server::Right;
use crate::step::{Now, Phase};
use crate::undo;

/// Takes back what the station enrolled on the key in `errand.port`.
///
/// Ends in [`Ending::Released`]; in [`Ending::Quarantined`] when the token is gone and
/// the slot could not be emptied; in [`Ending::Postponed`] when the token could not
/// be deleted now. The outcome bears the name of the enrollment that was taken back.
#[must_use]
pub fn release(errand: Errand, now: Now) -> Next<Outcome> {
    Flow::start(now, move |desk| async move {
        let mut outcome = Outcome::begun(EnrollmentId::NONE);
        outcome.ending = match run(&desk, &errand, &mut outcome).await {
            Ok(ending) => ending,
            Err(refusal) => Ending::Refused(refusal),
        };
        outcome
    })
}

async fn run(desk: &Desk, errand: &Errand, outcome: &mut Outcome) -> Result<Ending, Refusal> {
    desk.enter(Phase::Inspecting);
    let serial = errand::inspect(desk, &mut outcome.key).await?;
    desk.enter(Phase::Checking);
    let records = settled(desk, serial, &mut outcome.finished).await?;
    let mut record = errand
        .meant(&records)?
        .cloned()
        .ok_or_else(|| Refusal::new(Code::NothingEnrolled, format!("key {serial}")))?;
    outcome.enrollment = record.enrollment;
    outcome.token = Some(record.token.clone());
    let order = errand.order_of(&record);
    if let Some(info) = &outcome.key {
        preflight::unlockable(info, &order)?;
        holds_something(info, &record)?;
    }
    let readiness = desk.prepare(record.enrollment).await?;
    outcome.server = Some(readiness.product.clone());
    preflight::granted(&readiness, &[Right::List, Right::Delete])?;
    if desk.cancelled() {
        return Err(Refusal::new(Code::Cancelled, ""));
    }
    desk.enter(Phase::Undoing);
    Ok(undo::release(desk, &order, &mut record, Code::Released).await)
}

/// A key that cannot hold such a credential is another one than the journal knows.
fn holds_something(info: &KeyInfo, record: &Record) -> Result<(), Refusal> {
    if info.ability(record.kind, record.slot).is_some() {
        return Ok(());
    }
    Err(Refusal::new(Code::NoSuchSlot, format!("{} has no slot {}", info.model, record.slot)))
}
