//! One enrollment, from a key that was plugged in to a token that counts.
//!
//! ```text
//! inspect · recall · prepare · look            nothing has changed yet
//! planned     erase what may be overwritten; register; compare; keep from counting
//! registered  write the slot
//! written     the key's code, compared here, then checked by the server
//! proven      give the token to its person, note the facts
//! done
//! ```
//!
//! Any failure after `planned` is taken back before it is reported.

use std::sync::Arc;

use keys::device::{
    Ability, Answer, Credential, HashAlgorithm, KeyError, KeySerial, Kind, Operation, Unlock,
};
use keys::secret::{AccessCode, Seed};
use rand_core::CryptoRng;

use crate::flow::{Desk, Flow, Next};
pub use crate::outcome::{Ending, Order, Outcome, Proof};
use crate::preflight::{self, Ground};
use crate::profile::{Profile, Verify};
use crate::proof::{self, Checked, Matched, NoProof};
use crate::record::{EnrollmentId, Record, Remains, State};
use crate::recovery;
use crate::refusal::{Code, Refusal};
use crate::server::{Registered, Registration, ServerCall, TokenSecret, TokenView};
use crate::step::{KeyFault, Now, Phase};
use crate::token::{TokenKind, TokenSerial};
use crate::undo::{self, Slot as Undone};

/// Starts an enrollment of the key in `order.port`.
pub fn enroll(order: Order, now: Now, mut rng: impl CryptoRng + Send + 'static) -> Next<Outcome> {
    let id = EnrollmentId::random(&mut rng);
    Flow::start(now, move |desk| async move {
        let mut outcome =
            Outcome { ending: internal(), key: None, enrollment: id, token: None, server: None };
        outcome.ending = run(&desk, &order, &mut rng, &mut outcome).await;
        outcome
    })
}

fn internal() -> Ending {
    Ending::Refused(Refusal::new(Code::Internal, "the enrollment did not run"))
}

async fn run(desk: &Desk, order: &Order, rng: &mut impl CryptoRng, outcome: &mut Outcome) -> Ending {
    let ready = match look_before(desk, order, outcome).await {
        Ok(ready) => ready,
        Err(refusal) => return Ending::Refused(refusal),
    };
    transact(desk, order, rng, ready).await
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
    let ability = preflight::able(&info, order)?;
    let serial = info.serial.ok_or_else(|| Refusal::new(Code::SerialHidden, info.model.clone()))?;
    let profile = &order.profile;
    outcome.token = Some(TokenSerial::of(serial, profile.kind, profile.slot));
    preflight::unlockable(&info, order)?;
    let kind = TokenKind::of(profile.kind)
        .ok_or_else(|| Refusal::new(Code::Internal, "this kind of credential has no token"))?;

    desk.enter(Phase::Checking);
    let records = settled(desk, serial).await?;
    let token = TokenSerial::of(serial, profile.kind, profile.slot);
    let ground = preflight::ground(&info, &records, order, &token)?;
    let readiness = desk.prepare(id).await?;
    outcome.server = Some(readiness.product.clone());
    preflight::rights(&readiness, kind, order)?;
    preflight::serial_is_free(desk, id, &token, &records, &ground).await?;
    let record = plan(order, serial, token, id, &ground);
    Ok(Ready { ability, ground, kind, record })
}

/// The journal's records of a key, after whatever was unfinished has been put right.
async fn settled(desk: &Desk, key: KeySerial) -> Result<Vec<Record>, Refusal> {
    let mut records = desk.recall(key).await?;
    for record in &mut records {
        if !record.state.is_final() {
            desk.enter(Phase::Recovering);
            recovery::settle(desk, record).await.map_err(|refusal| {
                Refusal::new(Code::Unsettled, format!("{}: {}", refusal.code, refusal.detail))
            })?;
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
        remains: if *ground == Ground::Free { Remains::Nothing } else { Remains::Perhaps },
        token,
        profile: order.profile_name.clone(),
        person: order.person.clone(),
        actor: order.actor.clone(),
        port: order.port.clone(),
        reason: None,
    }
}

/// From the first change to the last.
async fn transact(desk: &Desk, order: &Order, rng: &mut impl CryptoRng, ready: Ready) -> Ending {
    let Ready { ability, ground, kind, mut record } = ready;
    if desk.cancelled() {
        return Ending::Refused(Refusal::new(Code::Cancelled, ""));
    }
    if let Ground::ToRelease(earlier) = &ground {
        desk.enter(Phase::Undoing);
        let mut earlier = (**earlier).clone();
        let ending = undo::release(desk, order, &mut earlier).await;
        if !matches!(ending, Ending::Undone(_)) {
            return ending;
        }
        record.remains = Remains::Nothing;
    }
    if let Err(refusal) = desk.record(&mut record, State::Planned).await {
        return Ending::Refused(refusal);
    }
    if ground == Ground::ToErase
        && let Err(ending) = clear(desk, order, &mut record).await
    {
        return ending;
    }

    desk.enter(Phase::Registering);
    let seed = Arc::new(Seed::random(order.profile.seed_length, rng));
    let unverified = match register(desk, order, kind, &seed, &mut record).await {
        Ok(unverified) => unverified,
        Err(ending) => return ending,
    };

    desk.enter(Phase::Writing);
    if let Err(ending) = write(desk, order, &seed, &mut record).await {
        return ending;
    }

    desk.enter(Phase::Proving);
    let label = order.label(&record.token);
    let matched = match proof::of_key(desk, order, ability.proof, &seed, &label).await {
        Ok(matched) => matched,
        Err(NoProof::Gone) => return pulled(desk, order, &mut record).await,
        Err(NoProof::Failed(refusal)) => {
            return undo::all(desk, order, &mut record, refusal, Undone::Erase).await;
        }
    };
    drop(seed);
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
    match recovery::finish(desk, &mut record, view).await {
        Ok(()) => Ending::Enrolled(Proof {
            counter: matched.moving.number(),
            attempts: matched.attempts,
            verified_by_policy: unverified,
        }),
        Err(recovery::Unfinished::Impossible(refusal)) => {
            undo::all(desk, order, &mut record, refusal, Undone::Erase).await
        }
        Err(recovery::Unfinished::Later(refusal)) => Ending::Postponed(refusal),
    }
}

/// Empties a slot that may be overwritten, which shows whether the access code is right.
async fn clear(desk: &Desk, order: &Order, record: &mut Record) -> Result<(), Ending> {
    desk.enter(Phase::Writing);
    let fault = match desk.key(erase(order, record)).await {
        Ok(_) | Err(KeyFault::Protocol(KeyError::Empty)) => {
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
    match desk.record(record, State::Undone).await {
        Ok(()) => Err(Ending::Refused(refusal)),
        Err(storage) => Err(Ending::Postponed(storage)),
    }
}

/// Makes the token, compares what the server says it stored, keeps it from counting.
async fn register(
    desk: &Desk,
    order: &Order,
    kind: TokenKind,
    seed: &Arc<Seed>,
    record: &mut Record,
) -> Result<bool, Ending> {
    let id = record.enrollment;
    let token = record.token.clone();
    let key = record.key;
    let registration = Registration {
        serial: token.clone(),
        kind,
        secret: TokenSecret::Seed(Arc::clone(seed)),
        digits: order.profile.digits,
        hash: order.profile.hash,
        period: order.profile.period,
        description: order.profile.describe(&order.station, &key.to_string(), &order.profile_name),
        realm: order
            .person
            .as_ref()
            .map(|person| person.realm.clone())
            .or_else(|| order.profile.realm.clone()),
        pin: order.pin.clone(),
        prefix: String::new(),
        enrollment: id,
    };
    let registered = match desk.register(id, &token, registration).await {
        Ok(registered) => registered,
        Err(failed) if failed.may_exist => {
            return Err(undo::all(desk, order, record, failed.refusal, Undone::LeaveAlone).await);
        }
        Err(failed) => {
            record.reason = Some(failed.refusal.code);
            return Err(match desk.record(record, State::Undone).await {
                Ok(()) => Ending::Refused(failed.refusal),
                Err(storage) => Ending::Postponed(storage),
            });
        }
    };
    let agreed = match agree(desk, order, seed, record, &registered).await {
        Ok(()) if registered.unverified => Ok(()),
        Ok(()) => desk.done(id, ServerCall::Disable(token.clone())).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = agreed {
        return Err(undo::all(desk, order, record, refusal, Undone::LeaveAlone).await);
    }
    record.remains = Remains::Perhaps;
    if let Err(refusal) = desk.record(record, State::Registered).await {
        record.remains = Remains::Nothing;
        return Err(undo::all(desk, order, record, refusal, Undone::LeaveAlone).await);
    }
    if desk.cancelled() {
        let refusal = Refusal::new(Code::Cancelled, "");
        return Err(undo::all(desk, order, record, refusal, Undone::LeaveAlone).await);
    }
    Ok(registered.unverified)
}

/// Whether the server stored what the key is going to hold.
async fn agree(
    desk: &Desk,
    order: &Order,
    seed: &Seed,
    record: &Record,
    registered: &Registered,
) -> Result<(), Refusal> {
    match &registered.echo {
        Some(TokenSecret::Seed(echo)) if echo.same_as(seed) => {}
        Some(_) => return Err(Refusal::new(Code::SecretReplaced, "")),
        None => {
            return Err(Refusal::new(
                Code::ServerContradicts,
                "the server does not say which secret it stored",
            ));
        }
    }
    if order.profile.verify == Verify::Required && !registered.unverified {
        return Err(Refusal::new(Code::NotVerified, ""));
    }
    let Some(view) = desk.look(record.enrollment, &record.token).await? else {
        return Err(Refusal::new(Code::TokenVanished, record.token.to_string()));
    };
    let wanted = u32::from(order.profile.digits.count());
    if view.digits != wanted {
        return Err(Refusal::new(Code::DigitsChanged, format!("{} instead of {wanted}", view.digits)));
    }
    // A token without a noted hash is computed with SHA-1 (privacyIDEA, lib/tokens/hotptoken.py).
    let wanted = hash_name(order.profile.hash);
    let hash = view.hash.as_deref().unwrap_or("sha1");
    if hash != wanted {
        return Err(Refusal::new(Code::HashChanged, format!("{hash} instead of {wanted}")));
    }
    Ok(())
}

/// What the server calls a hash.
const fn hash_name(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha1 => "sha1",
        HashAlgorithm::Sha256 => "sha256",
        HashAlgorithm::Sha512 => "sha512",
    }
}

/// Writes the slot.
async fn write(desk: &Desk, order: &Order, seed: &Seed, record: &mut Record) -> Result<(), Ending> {
    let Some(credential) = credential(order, seed) else {
        let refusal = Refusal::new(Code::Internal, "this kind of credential cannot be written");
        return Err(undo::all(desk, order, record, refusal, Undone::LeaveAlone).await);
    };
    let operation = Operation::Program {
        slot: order.profile.slot,
        credential,
        // An access code guards what is in a slot; by now, nothing is.
        unlock: order.pin_of_key(record.key.family).map_or(Unlock::None, Unlock::AdminPin),
        new_code: None,
        label: order.label(&record.token),
        guard: order.profile.guard,
    };
    let fault = match desk.key(operation).await {
        Ok(_) => {
            return match desk.record(record, State::Written).await {
                Ok(()) => Ok(()),
                Err(refusal) => Err(undo::all(desk, order, record, refusal, Undone::Erase).await),
            };
        }
        Err(fault) => fault,
    };
    Err(match fault {
        KeyFault::Gone => pulled(desk, order, record).await,
        KeyFault::Protocol(KeyError::Refused) => {
            record.remains = Remains::Nothing;
            let refusal = Refusal::new(Code::WriteRefused, format!("slot {}", record.slot));
            undo::all(desk, order, record, refusal, Undone::LeaveAlone).await
        }
        KeyFault::Protocol(error) if left_alone(&error) => {
            record.remains = Remains::Nothing;
            undo::all(desk, order, record, early_fault(&KeyFault::Protocol(error)), Undone::LeaveAlone).await
        }
        fault => undo::all(desk, order, record, early_fault(&fault), Undone::Erase).await,
    })
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

fn credential(order: &Order, seed: &Seed) -> Option<Credential> {
    let Profile { kind, digits, hash, period, .. } = order.profile;
    let seed = Seed::new(seed.expose()).ok()?;
    match kind {
        Kind::Hotp => Some(Credential::Hotp { seed, digits }),
        Kind::Totp => Some(Credential::Totp { seed, digits, hash, period }),
        _ => None,
    }
}

/// Whether the token that now counts is the one that was made here.
///
/// The server answers a verification of a token that vanished by making an empty
/// one (privacyIDEA 3.7 to 3.14), so its "yes" alone is no proof.
async fn confirm(desk: &Desk, record: &Record, matched: &Matched) -> Result<TokenView, Refusal> {
    match desk.look(record.enrollment, &record.token).await? {
        None => Err(Refusal::new(Code::TokenVanished, record.token.to_string())),
        Some(view) if view.enrollment != Some(record.enrollment) => {
            Err(Refusal::new(Code::ServerContradicts, "another enrollment has taken the token"))
        }
        Some(view) if !view.active || view.unverified || !matched.moving.was_seen(view.counter) => {
            Err(Refusal::new(
                Code::ServerContradicts,
                "the server accepted the code, yet the token does not count",
            ))
        }
        Some(view) => Ok(view),
    }
}

/// The key was pulled out between the first byte written and the proof.
async fn pulled(desk: &Desk, order: &Order, record: &mut Record) -> Ending {
    let refusal = Refusal::new(Code::PulledWhileWriting, record.key.to_string());
    undo::all(desk, order, record, refusal, Undone::LeaveAlone).await
}

/// Erasing what an enrollment put into its slot.
pub(crate) fn erase(order: &Order, record: &Record) -> Operation {
    let code = order.unlock.as_ref().and_then(|code| AccessCode::new(code.expose()).ok());
    let unlock = match (order.pin_of_key(record.key.family), code) {
        (Some(pin), _) => Unlock::AdminPin(pin),
        (None, Some(code)) => Unlock::AccessCode(code),
        (None, None) => Unlock::None,
    };
    Operation::Erase { slot: record.slot, kind: record.kind, unlock, label: order.label(&record.token) }
}

/// What a fault of the key means while nothing of ours is on it.
fn early_fault(fault: &KeyFault) -> Refusal {
    match fault {
        KeyFault::Gone => Refusal::new(Code::PulledEarly, ""),
        KeyFault::Unreachable(why) => Refusal::new(Code::KeySilent, why.clone()),
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
