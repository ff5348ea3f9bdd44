//! The token's side of an enrollment: it is made, in one step or two, and compared
//! with what the key is going to hold, before anything is written.

use std::sync::Arc;

use keys::device::{Ability, HashAlgorithm, Kind};
use keys::secret::{Pin, Seed};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::calls::{NotRegistered, SecondStep};
use crate::engine::flow::FlowContext;
use crate::engine::lag::Patience;
use crate::engine::material::Material;
use crate::engine::outcome::{Ending, Order};
use crate::engine::record::{Record, Remains, State};
use crate::engine::server::{Registration, ServerCall, TokenSecret};
use crate::engine::undo::{self, Slot as Undone};
use crate::profile::{TwoStep, Verify};
use crate::refusal::{Code, Refusal};
use crate::token::TokenKind;

/// A token that is made, and does not count.
pub(crate) struct Made {
    /// Its secret.
    pub(crate) material: Material,
    /// Whether the server waits for a code before it counts.
    pub(crate) unverified: bool,
    /// Whether the secret was made in two steps.
    pub(crate) two_step: bool,
}

/// How often two steps are begun anew when answers are lost.
const BEGINNINGS: u8 = 3;

/// Makes the token, compares what the server says it stored, keeps it from counting.
pub(crate) async fn register(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    record: &mut Record,
) -> Result<Made, Ending> {
    let made = match make(cx, order, kind, ability, rng, record).await {
        Ok(made) => made,
        Err(failed) if failed.may_exist => {
            return Err(undo::all(cx, order, record, failed.refusal, Undone::LeaveAlone).await);
        }
        Err(failed) => {
            record.reason = Some(failed.refusal.code);
            return Err(match cx.record(record, State::Undone).await {
                Ok(()) => Ending::Refused(failed.refusal),
                Err(storage) => Ending::Postponed(storage),
            });
        }
    };
    if let Err(refusal) = agree(cx, order, &made, record).await {
        return Err(undo::all(cx, order, record, refusal, Undone::LeaveAlone).await);
    }
    record.remains = Remains::Perhaps;
    if let Err(refusal) = cx.record(record, State::Registered).await {
        record.remains = Remains::Nothing;
        return Err(undo::all(cx, order, record, refusal, Undone::LeaveAlone).await);
    }
    if cx.cancelled() {
        record.remains = Remains::Nothing;
        let refusal = Refusal::new(Code::Cancelled, "");
        return Err(undo::all(cx, order, record, refusal, Undone::LeaveAlone).await);
    }
    Ok(made)
}

/// Makes a token as an enrollment does, and compares it as an enrollment does; it is kept from counting,
/// and nothing is ever written of it. Whoever asks for that deletes it, whatever comes back.
pub(crate) async fn try_out(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<(), NotRegistered> {
    let made = make(cx, order, kind, ability, rng, record).await?;
    agree(cx, order, &made, record).await.map_err(exists)
}

async fn make(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<Made, NotRegistered> {
    if order.profile.two_step != TwoStep::Never
        && let Some(made) = in_two_steps(cx, order, kind, ability, rng, record).await?
    {
        return Ok(made);
    }
    in_one_step(cx, order, kind, rng, record).await
}

async fn in_one_step(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<Made, NotRegistered> {
    let defect = || Refusal::new(Code::Internal, "this kind of credential has no secret");
    let material = Material::random(&order.profile, record.key, rng)
        .ok_or_else(|| NotRegistered { refusal: defect(), may_exist: false })?;
    let registration = registration(order, kind, record, material.for_server(), material.prefix());
    let registered = cx.register(record.enrollment, &record.token, registration).await?;
    match registered.echo {
        Some(echo) if material.is(&echo) => {}
        Some(_) => return Err(exists(Refusal::new(Code::SecretReplaced, ""))),
        None => {
            let words = "the server does not say which secret it stored";
            return Err(exists(Refusal::new(Code::ServerContradicts, words)));
        }
    }
    Ok(Made { material, unverified: registered.unverified, two_step: false })
}

/// Makes the token in two steps; `None` when the server does not offer that, and the
/// profile does not insist. Nothing is left at the server then.
async fn in_two_steps(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<Option<Made>, NotRegistered> {
    let (id, token) = (record.enrollment, &record.token);
    for _ in 0..BEGINNINGS {
        let first = registration(order, kind, record, TokenSecret::TwoStep, String::new());
        let begun = cx.register(id, token, first).await?;
        // A server without the policy makes an ordinary token of the first step. One that
        // verifies tokens, and is older than 3.14, makes one that can never be finished.
        let terms = begun.two_step.filter(|_| !begun.unverified);
        let (Some(terms), Some(TokenSecret::Seed(servers_part))) = (terms, begun.echo) else {
            if order.profile.two_step == TwoStep::WhenOffered {
                cx.withdraw(id, token, Patience::AtTheDesk).await.map_err(exists)?;
                return Ok(None);
            }
            let (code, words) = if begun.unverified {
                (Code::TwoStepUnusable, "this version cannot both verify tokens and make them in two steps")
            } else {
                (Code::TwoStepMissing, "")
            };
            return Err(exists(Refusal::new(code, words)));
        };
        terms.check(ability.longest_seed).map_err(exists)?;
        let part = Arc::new(Seed::random(terms.part, rng));
        let defect = || exists(Refusal::new(Code::Internal, "the seed could not be derived"));
        let seed = terms.derive(&servers_part, &part).ok_or_else(defect)?;
        match cx.finish_two_step(id, token, kind, &part).await.map_err(exists)? {
            SecondStep::Taken(registered) => {
                let material = Material::Seed(Arc::new(seed));
                if !registered.echo.is_some_and(|echo| material.is(&echo)) {
                    return Err(exists(Refusal::new(Code::SecretReplaced, "in the second of two steps")));
                }
                return Ok(Some(Made { material, unverified: registered.unverified, two_step: true }));
            }
            // It may have the right secret. It is made anew rather than trusted.
            SecondStep::Lost => cx.withdraw(id, token, Patience::AtTheDesk).await.map_err(exists)?,
        }
    }
    let words = "the second of two steps, more than once";
    Err(exists(Refusal::new(Code::OutcomeUnknown, words)))
}

fn exists(refusal: Refusal) -> NotRegistered {
    NotRegistered { refusal, may_exist: true }
}

fn registration(
    order: &Order,
    kind: TokenKind,
    record: &Record,
    secret: TokenSecret,
    prefix: String,
) -> Registration {
    let profile = &order.profile;
    Registration {
        serial: record.token.clone(),
        kind,
        secret,
        digits: profile.digits,
        hash: profile.hash,
        period: profile.period,
        description: profile.describe(&order.station, &record.key.to_string(), &order.profile_name),
        realm: order.person.as_ref().map(|person| person.realm.clone()).or_else(|| profile.realm.clone()),
        pin: pin(order, record),
        prefix,
        enrollment: record.enrollment,
    }
}

/// The token's PIN. What a key types in front of its HOTP codes is part of it, since
/// the server takes everything before the code for the PIN.
pub(crate) fn pin(order: &Order, record: &Record) -> Option<Arc<Pin>> {
    let id = match (order.profile.kind, &order.profile.token_id) {
        (Kind::Hotp, Some(id)) => id.of(record.key)?.text(),
        _ => return order.pin.clone(),
    };
    let mut text = Zeroizing::new(String::with_capacity(64));
    if let Some(pin) = &order.pin {
        text.push_str(pin.expose());
    }
    text.push_str(&id);
    Pin::new(text).ok().map(Arc::new)
}

/// Keeps the token from counting; then, whether the server stored what the key is going to hold.
async fn agree(cx: &FlowContext, order: &Order, made: &Made, record: &Record) -> Result<(), Refusal> {
    let profile = &order.profile;
    // First of all: until then it counts, and its secret is nowhere but here.
    if !made.unverified {
        if profile.verify == Verify::Required {
            return Err(Refusal::new(Code::NotVerified, ""));
        }
        cx.done(record.enrollment, ServerCall::Disable(record.token.clone())).await?;
    }
    let view = cx.look_at_made(record.enrollment, &record.token).await?;
    let wanted = match &made.material {
        Material::Seed(_) => u32::from(profile.digits.count()),
        // The 32 letters of the encrypted part, and what is in front of them.
        Material::Yubico { .. } => 32 + u32::try_from(made.material.prefix().len()).unwrap_or(0),
        Material::Password(_) => return Ok(()),
    };
    if view.digits != wanted {
        return Err(Refusal::new(Code::DigitsChanged, format!("{} instead of {wanted}", view.digits)));
    }
    if matches!(made.material, Material::Yubico { .. }) {
        return Ok(());
    }
    // A token without a noted hash is computed with SHA-1 (privacyIDEA, lib/tokens/hotptoken.py).
    let wanted = hash_name(profile.hash);
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
