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

use crate::factory;
use crate::flow::{Desk, Flow, Next};
use crate::hand_over::random_pin;
use crate::key_pin;
use crate::lag::Patience;
pub use crate::outcome::{Ending, NewKeyPin, Order, Outcome, Proof, ProofKind, Replace, SlotLock};
use crate::preflight::{self, Ground};
use crate::proof::{self, Checked, Matched, NoProof};
use crate::record::{EnrollmentId, Record, Remains, State};
use crate::recovery;
use crate::refusal::{Code, Refusal};
use crate::register::{self, Made};
use crate::server::TokenView;
use crate::slot::{self, early_fault};
use crate::step::{HandOver, Now, Phase};
use crate::token::{TokenKind, TokenSerial};
use crate::trial;
use crate::undo::{self, Slot as Undone};

/// Digits of a PIN that the station makes up.
pub(crate) const PIN_DIGITS: u8 = 6;

/// Starts an enrollment of the key in `order.port`.
pub fn enroll(order: Order, now: Now, mut rng: impl CryptoRng + Send + 'static) -> Next<Outcome> {
    let id = EnrollmentId::random(&mut rng);
    Flow::start(now, move |desk| async move {
        let mut outcome = Outcome::begun(id);
        outcome.ending = run(&desk, &order, &mut rng, &mut outcome).await;
        outcome
    })
}

async fn run(desk: &Desk, order: &Order, rng: &mut impl CryptoRng, outcome: &mut Outcome) -> Ending {
    let ready = match look_before(desk, order, outcome).await {
        Ok(ready) => ready,
        Err(refusal) => return Ending::Refused(refusal),
    };
    transact(desk, order, rng, ready, outcome).await
}

/// What is known when nothing stands in the way.
struct Ready {
    ability: Ability,
    ground: Ground,
    kind: TokenKind,
    record: Record,
}

/// Everything that changes nothing.
async fn look_before(desk: &Desk, order: &Order, outcome: &mut Outcome) -> Result<Ready, Refusal> {
    let id = outcome.enrollment;
    desk.enter(Phase::Inspecting);
    let info = match desk.key(Operation::Inspect).await {
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
    let kind = TokenKind::of(profile.kind)
        .ok_or_else(|| Refusal::new(Code::Internal, "this kind of credential has no token"))?;

    desk.enter(Phase::Checking);
    let records = settled(desk, serial, &mut outcome.finished).await?;
    let token = TokenSerial::of(serial, profile.kind, profile.slot);
    outcome.in_the_way = preflight::in_the_way(&info, &records, order).map(Box::new);
    let ground = preflight::ground(&info, &records, order, &token)?;
    let readiness = desk.prepare(id).await?;
    outcome.server = Some(readiness.product.clone());
    preflight::rights(&readiness, kind, order)?;
    preflight::serial_is_free(desk, id, &token, &records, &ground).await?;
    let mut record = plan(order, serial, token, id, &ground);
    let ground = match ground {
        Ground::Factory => {
            record.given_up = Some(factory::recognise(desk, id, &info, order).await?);
            Ground::Foreign
        }
        ground => ground,
    };
    Ok(Ready { ability, ground, kind, record })
}

/// The journal's records of a key, after whatever was unfinished has been put right; those go
/// into `finished`, too.
pub(crate) async fn settled(
    desk: &Desk,
    key: KeySerial,
    finished: &mut Vec<Record>,
) -> Result<Vec<Record>, Refusal> {
    let mut records = desk.recall(key).await?;
    for record in &mut records {
        if !record.state.is_final() {
            desk.enter(Phase::Recovering);
            recovery::settle(desk, record).await.map_err(|refusal| {
                Refusal::new(Code::Unsettled, format!("{}: {}", refusal.code, refusal.detail))
            })?;
            finished.push(record.clone());
            desk.enter(Phase::Checking);
        }
    }
    Ok(records)
}

fn plan(order: &Order, key: KeySerial, token: TokenSerial, id: EnrollmentId, ground: &Ground) -> Record {
    Record {
        enrollment: id,
        state: State::Planned,
        at: core::time::Duration::ZERO,
        key,
        slot: order.profile.slot,
        kind: order.profile.kind,
        // What an earlier enrollment left stays ours until it is erased.
        remains: match ground {
            Ground::Free | Ground::Foreign | Ground::Factory => Remains::Nothing,
            Ground::ToErase | Ground::ToRelease(_) => Remains::Perhaps,
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
    desk: &Desk,
    order: &Order,
    rng: &mut impl CryptoRng,
    ready: Ready,
    outcome: &mut Outcome,
) -> Ending {
    let Ready { ability, ground, kind, mut record } = ready;
    if desk.cancelled() {
        return Ending::Refused(Refusal::new(Code::Cancelled, ""));
    }
    if let Ground::ToRelease(earlier) = &ground {
        if let Err(ending) = trial::trial(desk, order, kind, ability, rng, &record, earlier).await {
            return ending;
        }
        desk.enter(Phase::Undoing);
        let mut earlier = (**earlier).clone();
        let finished = earlier.clone();
        let ending = undo::release(desk, order, &mut earlier, Code::AlreadyEnrolled).await;
        if !matches!(ending, Ending::Refused(_)) {
            outcome.gone = Some(Box::new(finished));
        }
        if ending != Ending::Released {
            return ending;
        }
        record.remains = Remains::Nothing;
    }
    if let Err(refusal) = desk.record(&mut record, State::Planned).await {
        return refused(&ground, refusal);
    }
    if matches!(ground, Ground::ToErase | Ground::Foreign)
        && let Err(ending) = slot::clear(desk, order, &mut record).await
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

    desk.enter(Phase::Registering);
    let pinned = match with_pin(desk, order, rng, &record).await {
        Ok(pinned) => pinned,
        Err(refusal) => return undo::unasked(desk, &mut record, refusal).await,
    };
    let order = pinned.as_ref().unwrap_or(order);
    let made = match register::register(desk, order, kind, ability, rng, &mut record).await {
        Ok(made) => made,
        Err(Ending::Refused(refusal)) => return refused(&ground, refusal),
        Err(ending) => return ending,
    };
    let Made { material, unverified, two_step } = made;

    desk.enter(Phase::Writing);
    if let Err(ending) = slot::write(desk, order, &material, &mut record).await {
        return ending;
    }

    desk.enter(Phase::Proving);
    let matched = match proof::of_key(desk, order, ability.proof, &material, &record).await {
        Ok(matched) => matched,
        Err(NoProof::Gone) => return slot::pulled(desk, order, &mut record).await,
        Err(NoProof::Failed(refusal)) => {
            return undo::all(desk, order, &mut record, refusal, Undone::Erase).await;
        }
    };
    drop(material);
    match proof::by_server(desk, record.enrollment, &record.token, kind, unverified, &matched).await {
        Checked::Accepted => {}
        Checked::Rejected(refusal) | Checked::Unknown(refusal) => {
            return undo::all(desk, order, &mut record, refusal, Undone::Erase).await;
        }
    }
    let view = match confirm(desk, &record, &matched).await {
        Ok(view) => view,
        Err(refusal) => return undo::all(desk, order, &mut record, refusal, Undone::Erase).await,
    };
    record.remains = Remains::Secret;
    if let Err(refusal) = desk.record(&mut record, State::Proven).await {
        return undo::all(desk, order, &mut record, refusal, Undone::Erase).await;
    }

    desk.enter(Phase::Finishing);
    match recovery::owned(desk, &record, view, register::pin(order, &record)).await {
        Ok(()) => {}
        Err(recovery::Unfinished::Impossible(refusal)) => {
            return undo::all(desk, order, &mut record, refusal, Undone::Erase).await;
        }
        Err(recovery::Unfinished::Later(refusal)) => return Ending::Postponed(refusal),
    }
    // Last, when the token is its person's: from here on nothing is taken back any more
    // that would need the new code.
    outcome.lock = match slot::lock(desk, order, rng, &record).await {
        Ok(lock) => lock,
        Err(refusal) => return undo::all(desk, order, &mut record, refusal, Undone::Erase).await,
    };
    outcome.key_pin = match key_pin::renew(desk, order, rng, &record).await {
        Ok(pin) => pin,
        Err(refusal) => return undo::all(desk, order, &mut record, refusal, Undone::Erase).await,
    };
    // Whoever stands there waits for nothing that does not need the key.
    desk.enter(Phase::Noting);
    recovery::noted(desk, &record).await;
    match recovery::done(desk, &mut record).await {
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
fn refused(ground: &Ground, refusal: Refusal) -> Ending {
    match ground {
        Ground::Free | Ground::ToErase => Ending::Refused(refusal),
        Ground::Foreign | Ground::Factory | Ground::ToRelease(_) => Ending::Undone(refusal),
    }
}

/// The order with a PIN that the station made up, handed over already: a token whose PIN nobody has would
/// be worth nothing. `None` when none is wanted.
async fn with_pin(
    desk: &Desk,
    order: &Order,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<Option<Order>, Refusal> {
    if !order.random_pin || order.pin.is_some() {
        return Ok(None);
    }
    let made = random_pin(PIN_DIGITS, rng);
    let pin = Arc::new(made.ok_or_else(|| Refusal::new(Code::Internal, "no random PIN could be made"))?);
    desk.hand_over(HandOver { pin: Some(Arc::clone(&pin)), ..HandOver::of(record) }).await?;
    Ok(Some(Order { pin: Some(pin), ..order.clone() }))
}

/// Whether the token that now counts is the one that was made here.
///
/// The server answers a verification of a token that vanished by making an empty
/// one (privacyIDEA 3.7 to 3.14), so its "yes" alone is no proof.
pub(crate) async fn confirm(desk: &Desk, record: &Record, matched: &Matched) -> Result<TokenView, Refusal> {
    let counts = |view: &TokenView| {
        view.enrollment == Some(record.enrollment)
            && view.active
            && !view.unverified
            && matched.moving.may_be_seen(view.counter)
    };
    match desk.look_until(record.enrollment, &record.token, Patience::AtTheDesk, counts).await? {
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
