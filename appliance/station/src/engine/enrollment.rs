//! One enrollment, from a key that was plugged in to a token that counts.
//!
//! ```text
//! inspect · recall · prepare · look            nothing has changed yet
//! planned     erase what may be overwritten; register; keep from counting; compare
//! registered  write the slot
//! written     the key's code, compared here, then checked by the server
//! proven      give the token to its person, note the facts, lock the slot
//! done
//! ```
//!
//! Any failure after `planned` is taken back before it is reported.

use std::sync::Arc;

use keys::device::{Ability, Answer, KeySerial, Operation};
use rand_core::CryptoRng;

use crate::engine::factory;
use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::key_pin;
use crate::engine::lag::Patience;
use crate::engine::openers::early_fault;
use crate::engine::outcome::PIN_DIGITS;
pub use crate::engine::outcome::{Ending, NewKeyPin, Order, Outcome, Proof, ProofKind, Replace, SlotLock};
use crate::engine::preflight::{self, Preparation};
use crate::engine::proof::{self, Checked, Matched, NoProof};
use crate::engine::record::{EnrollmentId, Record, Remains, State};
use crate::engine::recovery;
use crate::engine::register::{self, Made};
use crate::engine::server::TokenView;
use crate::engine::slot;
use crate::engine::step::{HandOver, Now, Phase};
use crate::engine::trial;
use crate::engine::undo::{self, Slot as Undone};
use crate::papers::hand_over::random_pin;
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// Starts an enrollment of the key in `order.port`.
pub fn enroll(order: Order, now: Now, mut rng: impl CryptoRng + Send + 'static) -> Next<Outcome> {
    let id = EnrollmentId::random(&mut rng);
    Flow::start(now, move |cx| async move {
        let mut outcome = Outcome::begun(id);
        outcome.ending = run(&cx, &order, &mut rng, &mut outcome).await;
        outcome
    })
}

async fn run(cx: &FlowContext, order: &Order, rng: &mut impl CryptoRng, outcome: &mut Outcome) -> Ending {
    let ready = match look_before(cx, order, outcome).await {
        Ok(ready) => ready,
        Err(refusal) => return Ending::Refused(refusal),
    };
    transact(cx, order, rng, ready, outcome).await
}

/// What is known when nothing stands in the way.
struct Ready {
    ability: Ability,
    preparation: Preparation,
    kind: TokenKind,
    record: Record,
}

/// Everything that changes nothing.
async fn look_before(cx: &FlowContext, order: &Order, outcome: &mut Outcome) -> Result<Ready, Refusal> {
    let id = outcome.enrollment;
    cx.enter(Phase::Inspecting);
    let info = match cx.key(Operation::Inspect).await {
        Ok(Answer::Inspected(info)) => info,
        Ok(_) => return Err(Refusal::new(Code::Internal, "inspection was answered by something else")),
        Err(fault) => return Err(early_fault(&fault)),
    };
    outcome.key = Some(info.clone());
    // First, since a key too old for the profile may be too old to tell its serial.
    if let Some(welcome) = &order.welcome {
        welcome.admit(&info)?;
    }
    let ability = preflight::able(&info, order)?;
    let serial = info.serial.ok_or_else(|| Refusal::new(Code::SerialHidden, info.model.clone()))?;
    let profile = &order.profile;
    outcome.token = Some(TokenSerial::of(serial, profile.kind, profile.slot));
    preflight::unlockable(&info, order)?;
    preflight::code_at_hand(order)?;
    let kind = TokenKind::of(profile.kind);

    cx.enter(Phase::Checking);
    let records = settled(cx, serial, &mut outcome.finished).await?;
    let token = TokenSerial::of(serial, profile.kind, profile.slot);
    outcome.in_the_way = preflight::in_the_way(&info, &records, order).map(Box::new);
    let preparation = preflight::preparation(&info, &records, order, &token)?;
    let readiness = cx.prepare(id).await?;
    outcome.server = Some(readiness.product.clone());
    preflight::rights(&readiness, kind, order)?;
    preflight::serial_is_free(cx, id, &token, &records, &preparation).await?;
    let mut record = plan(order, serial, token, id, &preparation);
    let preparation = match preparation {
        Preparation::Factory => {
            record.given_up = Some(factory::recognise(cx, id, &info, order).await?);
            Preparation::Foreign
        }
        preparation => preparation,
    };
    Ok(Ready { ability, preparation, kind, record })
}

/// The journal's records of a key, after whatever was unfinished has been put right; those go
/// into `finished`, too.
pub(crate) async fn settled(
    cx: &FlowContext,
    key: KeySerial,
    finished: &mut Vec<Record>,
) -> Result<Vec<Record>, Refusal> {
    let mut records = cx.recall(key).await?;
    for record in &mut records {
        if !record.state.is_final() {
            cx.enter(Phase::Recovering);
            recovery::settle(cx, record).await.map_err(|refusal| {
                Refusal::new(Code::Unsettled, format!("{}: {}", refusal.code, refusal.detail))
            })?;
            finished.push(record.clone());
            cx.enter(Phase::Checking);
        }
    }
    Ok(records)
}

fn plan(
    order: &Order,
    key: KeySerial,
    token: TokenSerial,
    id: EnrollmentId,
    preparation: &Preparation,
) -> Record {
    Record {
        enrollment: id,
        state: State::Planned,
        at: core::time::Duration::ZERO,
        key,
        slot: order.profile.slot,
        kind: order.profile.kind,
        // What an earlier enrollment left stays ours until it is erased.
        remains: match preparation {
            Preparation::Free | Preparation::Foreign | Preparation::Factory => Remains::Nothing,
            Preparation::ToErase | Preparation::ToRelease(_) => Remains::Perhaps,
        },
        token,
        profile: order.profile_name.clone(),
        person: order.person.clone(),
        actor: order.actor.clone(),
        port: order.port.clone(),
        reason: None,
        given_up: None,
    }
}

/// From the first change to the last.
async fn transact(
    cx: &FlowContext,
    order: &Order,
    rng: &mut impl CryptoRng,
    ready: Ready,
    outcome: &mut Outcome,
) -> Ending {
    let Ready { ability, preparation, kind, mut record } = ready;
    if cx.cancelled() {
        return Ending::Refused(Refusal::new(Code::Cancelled, ""));
    }
    if let Preparation::ToRelease(earlier) = &preparation {
        if let Err(ending) = trial::trial(cx, order, kind, ability, rng, &record, earlier).await {
            return ending;
        }
        cx.enter(Phase::Undoing);
        let mut earlier = (**earlier).clone();
        let finished = earlier.clone();
        let ending = undo::release(cx, order, &mut earlier, Code::AlreadyEnrolled).await;
        if !matches!(ending, Ending::Refused(_)) {
            outcome.gone = Some(Box::new(finished));
        }
        if ending != Ending::Released {
            return ending;
        }
        record.remains = Remains::Nothing;
    }
    if let Err(refusal) = cx.record(&mut record, State::Planned).await {
        return refused(&preparation, refusal);
    }
    if matches!(preparation, Preparation::ToErase | Preparation::Foreign)
        && let Err(ending) = slot::clear(cx, order, &mut record).await
    {
        return match ending {
            // Nobody knows what a key holds that was pulled out, or fell silent, meanwhile.
            Ending::Refused(refusal) if record.given_up.is_some() && refusal.code != Code::AccessCode => {
                outcome.given_up.clone_from(&record.given_up);
                Ending::Quarantined(refusal)
            }
            ending => ending,
        };
    }
    outcome.given_up.clone_from(&record.given_up);

    cx.enter(Phase::Registering);
    let pinned = match with_pin(cx, order, rng, &record).await {
        Ok(pinned) => pinned,
        Err(refusal) => return undo::unasked(cx, &mut record, refusal).await,
    };
    let order = pinned.as_ref().unwrap_or(order);
    let made = match register::register(cx, order, kind, ability, rng, &mut record).await {
        Ok(made) => made,
        Err(Ending::Refused(refusal)) => return refused(&preparation, refusal),
        Err(ending) => return ending,
    };
    let Made { material, unverified, two_step } = made;

    cx.enter(Phase::Writing);
    if let Err(ending) = slot::write(cx, order, &material, &mut record).await {
        return ending;
    }

    cx.enter(Phase::Proving);
    let matched = match proof::of_key(cx, order, ability.proof, &material, &record).await {
        Ok(matched) => matched,
        Err(NoProof::Gone) => return slot::pulled(cx, order, &mut record).await,
        Err(NoProof::Failed(refusal)) => {
            return undo::all(cx, order, &mut record, refusal, Undone::Erase).await;
        }
    };
    drop(material);
    match proof::by_server(cx, record.enrollment, &record.token, kind, unverified, &matched).await {
        Checked::Accepted => {}
        Checked::Rejected(refusal) | Checked::Unknown(refusal) => {
            return undo::all(cx, order, &mut record, refusal, Undone::Erase).await;
        }
    }
    let view = match confirm(cx, &record, &matched).await {
        Ok(view) => view,
        Err(refusal) => return undo::all(cx, order, &mut record, refusal, Undone::Erase).await,
    };
    record.remains = Remains::Secret;
    if let Err(refusal) = cx.record(&mut record, State::Proven).await {
        return undo::all(cx, order, &mut record, refusal, Undone::Erase).await;
    }

    cx.enter(Phase::Finishing);
    match recovery::owned(cx, &record, view, register::pin(order, &record)).await {
        Ok(()) => {}
        Err(recovery::Unfinished::Impossible(refusal)) => {
            return undo::all(cx, order, &mut record, refusal, Undone::Erase).await;
        }
        Err(recovery::Unfinished::Later(refusal)) => return Ending::Postponed(refusal),
    }
    // Last, when the token is its person's: from here on nothing is taken back any more
    // that would need the new code.
    outcome.lock = match slot::lock(cx, order, rng, &record).await {
        Ok(lock) => lock,
        Err(refusal) => return undo::all(cx, order, &mut record, refusal, Undone::Erase).await,
    };
    outcome.key_pin = match key_pin::renew(cx, order, rng, &record).await {
        Ok(pin) => pin,
        Err(refusal) => return undo::all(cx, order, &mut record, refusal, Undone::Erase).await,
    };
    // Whoever stands there waits for nothing that does not need the key.
    cx.enter(Phase::Noting);
    recovery::noted(cx, &record).await;
    match recovery::done(cx, &mut record).await {
        Ok(()) => Ending::Enrolled(Proof {
            kind: matched.kind,
            counter: matched.moving.number(),
            attempts: matched.attempts,
            verified_by_policy: unverified,
            two_step,
        }),
        Err(refusal) => Ending::Postponed(refusal),
    }
}

/// How an enrollment ends that was refused when the slot had been made free for it: there is no token, and the
/// slot is empty, but it is not as it was.
fn refused(preparation: &Preparation, refusal: Refusal) -> Ending {
    match preparation {
        Preparation::Free | Preparation::ToErase => Ending::Refused(refusal),
        Preparation::Foreign | Preparation::Factory | Preparation::ToRelease(_) => Ending::Undone(refusal),
    }
}

/// The order with a PIN that the station made up, handed over already: a token whose PIN nobody has would
/// be worth nothing. `None` when none is wanted.
async fn with_pin(
    cx: &FlowContext,
    order: &Order,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<Option<Order>, Refusal> {
    if !order.random_pin || order.pin.is_some() {
        return Ok(None);
    }
    let made = random_pin(PIN_DIGITS, rng);
    let pin = Arc::new(made.ok_or_else(|| Refusal::new(Code::Internal, "no random PIN could be made"))?);
    cx.hand_over(HandOver { pin: Some(Arc::clone(&pin)), ..HandOver::of(record) }).await?;
    Ok(Some(Order { pin: Some(pin), ..order.clone() }))
}

/// Whether the token that now counts is the one that was made here.
///
/// The server answers a verification of a token that vanished by making an empty
/// one (privacyIDEA 3.7 to 3.14), so its "yes" alone is no proof.
pub(crate) async fn confirm(
    cx: &FlowContext,
    record: &Record,
    matched: &Matched,
) -> Result<TokenView, Refusal> {
    let counts = |view: &TokenView| {
        view.enrollment == Some(record.enrollment)
            && view.active
            && !view.unverified
            && matched.moving.may_be_seen(view.counter)
    };
    match cx.look_until(record.enrollment, &record.token, Patience::AtTheDesk, counts).await? {
        None => Err(Refusal::new(Code::TokenVanished, record.token.to_string())),
        Some(view) if view.enrollment != Some(record.enrollment) => {
            Err(Refusal::new(Code::ServerContradicts, "another enrollment has taken the token"))
        }
        Some(view) if counts(&view) => Ok(view),
        Some(_) => Err(Refusal::new(
            Code::ServerContradicts,
            "the server accepted the code, yet the token does not count",
        )),
    }
}
