//! What must be true after an enrollment: of its ending, the requests, the
//! server's own state, the key's memory, and the journal.
//!
//! Most of it must be true of an ending whether or not the case expected it.

use std::time::{Duration, UNIX_EPOCH};

use dispatch::driver::Report;
use keys::device::{Kind, Slot};
use station::access::code_from_hex;
use station::engine::enrollment::{Ending, Proof, ProofKind, SlotLock};
use station::engine::record::State;
use station::profile::{CodeTo, NewCode, PublicId};
use station::refusal::Refusal;
use station::token::TokenKind;
use twins::privacyidea::USERS;
use twins::yubikey::Mode as SlotMode;

use crate::Broken;
use crate::observer::{TokenSeen, Whose};
use crate::plan::{Expect, Later, Plan, STATION};
use crate::room::{Course, Room, Sight};
use crate::story::Story;
use crate::wire::{Sent, changes};

/// Judges the ending of an enrollment that began at `before`, and everything around it.
pub(crate) async fn ending(
    story: &mut Story,
    room: &Room,
    plan: &Plan,
    expect: Expect,
    before: &Sight,
    course: &Course,
) -> Result<(), Broken> {
    let Course { report, sent, unproven } = course;
    if let Some(token) = unproven {
        story.claim(!token.active || token.rollout_state == "verify", || {
            "the token counted before the key had proven itself".to_owned()
        });
    }
    let ending = &report.outcome.ending;
    story.note(expect, in_short(ending));
    story.claim(fits(expect, ending), || match ending.refusal() {
        Some(Refusal { code, detail }) => format!("it ended as {}: {code} {detail}", ending.word()),
        None => format!("it ended as {}", ending.word()),
    });
    let after = room.look().await?;
    let unfinished = room.store.unfinished().await?.len();
    let postponed = matches!(ending, Ending::Postponed(_));
    story.equal("the number of unfinished records in the journal", unfinished, usize::from(postponed));
    match ending {
        Ending::Enrolled(proof) => {
            story.equal("held back by the policy", proof.verified_by_policy, plan.held_back());
            story.equal("made in two steps", proof.two_step, plan.in_two_steps());
            story.equal("the kind of proof", proof.kind, kind_of_proof(plan));
            locked(story, room, plan, &after, report.outcome.lock);
            counts(story, room, plan, before, &after, Some((proof, report))).await?;
        }
        Ending::Refused(_) => {
            let changing: Vec<&Sent> = sent.iter().filter(|sent| changes(sent)).collect();
            let allowed = matches!(expect, Expect::Declined(_));
            let tried = matches!(expect, Expect::Tried(_));
            story.claim(tried || changing.iter().all(|sent| allowed && *sent == "POST /token/init"), || {
                format!("it was refused, yet this was sent: {changing:?}")
            });
            unchanged(story, before, &after);
        }
        Ending::Undone(refusal) | Ending::Quarantined(refusal) => {
            taken_back(story, room, plan, before, &after);
            let touched = report.steps.iter().any(|step| matches!(&*step.step, "key program" | "key erase"));
            if !touched {
                story.claim(before.key == after.key, || "the key's memory has changed".to_owned());
            } else if matches!(ending, Ending::Undone(_)) {
                let slot = in_slot(&after, plan.profile.slot);
                story.claim(slot.is_none(), || "something is still in the slot".to_owned());
            }
            let record = room.record(plan.profile.slot).await?;
            let noted = record.as_ref().map(|record| (record.state, record.reason));
            story.equal("the journal's record", noted, Some((State::Undone, Some(refusal.code))));
        }
        _ => {}
    }
    Ok(())
}

/// Judges what a recovery brought after an ending that left something to do.
pub(crate) async fn recovered(
    story: &mut Story,
    room: &Room,
    plan: &Plan,
    later: Later,
    before: &Sight,
) -> Result<(), Broken> {
    let after = room.look().await?;
    story.equal("the number of records still unfinished", room.store.unfinished().await?.len(), 0);
    let state = room.record(plan.profile.slot).await?.map(|record| record.state);
    match later {
        Later::Gone => {
            story.equal("the journal's record", state, Some(State::Undone));
            taken_back(story, room, plan, before, &after);
        }
        Later::Counts => counts(story, room, plan, before, &after, None).await?,
    }
    Ok(())
}

fn in_short(ending: &Ending) -> String {
    match ending {
        Ending::Enrolled(Proof { counter, .. }) => format!("enrolled, counter {counter}"),
        other => {
            format!("{} {}", other.word(), other.refusal().map(|r| r.code.to_string()).unwrap_or_default())
        }
    }
}

fn fits(expect: Expect, ending: &Ending) -> bool {
    match (expect, ending) {
        (Expect::Enrolled, Ending::Enrolled(_)) => true,
        (Expect::Refused(code) | Expect::Declined(code) | Expect::Tried(code), Ending::Refused(refusal))
        | (Expect::Undone(code), Ending::Undone(refusal))
        | (Expect::Quarantined(code), Ending::Quarantined(refusal))
        | (Expect::Postponed(code, _), Ending::Postponed(refusal)) => refusal.code == code,
        _ => false,
    }
}

fn in_slot(sight: &Sight, slot: Slot) -> Option<&twins::yubikey::SlotView> {
    sight.key.slots.slots.get(usize::from(slot.0).checked_sub(1)?)?.as_ref()
}

const fn other(slot: Slot) -> Slot {
    if slot.0 == 1 { Slot(2) } else { Slot(1) }
}

fn unchanged(story: &mut Story, before: &Sight, after: &Sight) {
    story.claim(before.tokens == after.tokens, || "the server's tokens have changed".to_owned());
    story.claim(before.key == after.key, || "the key's memory has changed".to_owned());
}

/// What is nobody's business of this enrollment is as before.
fn others_untouched(story: &mut Story, plan: &Plan, ours: &str, before: &Sight, after: &Sight) {
    let others = |sight: &Sight| -> Vec<TokenSeen> {
        // A slot has one token, whatever it is called for its kind.
        let slot = ours.get(4..).unwrap_or(ours);
        sight.tokens.values().filter(|token| !token.serial.ends_with(slot)).cloned().collect()
    };
    story.equal("the other tokens", others(after), others(before));
    let slot = other(plan.profile.slot);
    story.equal("the other slot", in_slot(after, slot), in_slot(before, slot));
}

fn taken_back(story: &mut Story, room: &Room, plan: &Plan, before: &Sight, after: &Sight) {
    let ours = room.token(plan.profile.slot);
    story.claim(!after.tokens.contains_key(ours.as_str()), || format!("{ours} is still there"));
    others_untouched(story, plan, ours.as_str(), before, after);
}

/// The slot is locked, or not, as the profile wants, and whoever needs its code has it.
fn locked(story: &mut Story, room: &Room, plan: &Plan, after: &Sight, lock: SlotLock) {
    let slot = plan.profile.slot;
    let wanted = plan.profile.new_access_code != NewCode::None;
    story.equal("the lock in the report", lock, if wanted { SlotLock::Locked } else { SlotLock::Open });
    let protected = in_slot(after, slot).is_some_and(|held| held.protected);
    story.equal("whether the slot is locked", protected, wanted);
    let serial = room.token(slot);
    let kept = after.tokens.get(serial.as_str()).map(|token| token.info("enrollment.access_code"));
    let code = match (plan.profile.new_access_code, plan.profile.access_code_to) {
        (NewCode::None, _) => return,
        (NewCode::Fixed, _) => plan.codes.fixed.as_ref().map(|code| *code.expose()),
        (NewCode::Derived, _) => {
            plan.codes.secret.as_ref().map(|secret| *secret.code_of(room.key.serial, slot).expose())
        }
        (NewCode::Random, CodeTo::Server) => kept.and_then(code_from_hex).map(|code| *code.expose()),
        (NewCode::Random, CodeTo::HandOver) => room.handed_over().last().copied(),
    };
    let opens = code.is_some_and(|code| room.key.is_locked_by(slot, code));
    story.claim(opens, || "the code of the slot is not where it should be".to_owned());
}

/// What a proof by this plan is.
const fn kind_of_proof(plan: &Plan) -> ProofKind {
    match plan.profile.kind {
        Kind::YubicoOtp => ProofKind::YubicoOtp,
        Kind::ChallengeResponse => ProofKind::Response,
        Kind::StaticPassword => ProofKind::Password,
        _ => ProofKind::Hotp,
    }
}

const fn mode(kind: Kind) -> SlotMode {
    match kind {
        Kind::YubicoOtp => SlotMode::YubicoOtp,
        Kind::ChallengeResponse => SlotMode::HmacChallenge,
        Kind::StaticPassword => SlotMode::ScanCodes,
        _ => SlotMode::Hotp,
    }
}

/// Characters of one password of the token.
fn otp_length(plan: &Plan) -> u64 {
    match (plan.profile.kind, &plan.profile.public_id) {
        (Kind::YubicoOtp, PublicId::None) => 32,
        (Kind::YubicoOtp, PublicId::Fixed(bytes)) => 32 + 2 * bytes.len() as u64,
        (Kind::YubicoOtp, _) => 44,
        (Kind::StaticPassword, _) => plan.profile.password_length.into(),
        _ => plan.profile.digits.count().into(),
    }
}

/// The token counts, is as it was ordered, and the key answers with its secret.
async fn counts(
    story: &mut Story,
    room: &Room,
    plan: &Plan,
    before: &Sight,
    after: &Sight,
    proof: Option<(&Proof, &Report)>,
) -> Result<(), Broken> {
    let slot = plan.profile.slot;
    let serial = room.token(slot);
    others_untouched(story, plan, serial.as_str(), before, after);
    let Some(token) = after.tokens.get(serial.as_str()) else {
        story.complaints.push(format!("there is no token {serial}"));
        return Ok(());
    };
    let record = room.record(slot).await?;
    story.equal("the journal's record", record.as_ref().map(|record| record.state), Some(State::Done));
    let enrollment = record.map(|record| record.enrollment.to_string()).unwrap_or_default();
    as_ordered(story, room, plan, token, &enrollment);

    let held = in_slot(after, slot);
    story.equal("what the slot does", held.map(|held| held.mode), Some(mode(plan.profile.kind)));
    if plan.profile.kind == Kind::Hotp {
        let counter = held.map(|held| held.hotp_counter).unwrap_or_default();
        story.equal("the token's counter, against the key's", token.count, counter);
    }
    if let Some((proof, report)) = proof {
        match plan.profile.kind {
            Kind::Hotp | Kind::YubicoOtp => {
                story.equal("the token's counter", token.count, proof.counter + 1);
            }
            Kind::StaticPassword => story.equal("the proven counter", proof.counter, 0),
            _ => story.claim(token.count >= proof.counter, || {
                format!("the server is at step {}, and {} was proven", token.count, proof.counter)
            }),
        }
        let named = report.outcome.token.as_ref().map(ToString::to_string);
        story.equal("the token in the report", named.as_deref(), Some(serial.as_str()));
        story.equal("the enrollment in the report", report.outcome.enrollment.to_string(), enrollment);
    }
    if plan.profile.kind != Kind::StaticPassword
        && let Some(secret) = room.site.secret(serial.as_str())
    {
        story.claim(room.key.holds(slot, &secret), || "the slot holds another secret".to_owned());
    }
    used(story, room, plan, token).await
}

fn as_ordered(story: &mut Story, room: &Room, plan: &Plan, token: &TokenSeen, enrollment: &str) {
    let kind = TokenKind::of(plan.profile.kind).word();
    story.equal("the token's type", token.tokentype.to_lowercase(), kind.to_owned());
    let state = (token.active, token.revoked, token.locked);
    story.equal("active, revoked, locked", state, (true, false, false));
    story.claim(matches!(&*token.rollout_state, "" | "enrolled"), || {
        format!("the token's rollout_state is {:?}", token.rollout_state)
    });
    // The server keeps realms in lower case.
    let realm_of_person = plan.realm_of_person.to_lowercase();
    let owner = plan.person.map_or(("", ""), |user| (user, realm_of_person.as_str()));
    story.equal("the owner", (&*token.username, &*token.user_realm), owner);
    let realm = plan.person.map(|_| realm_of_person.as_str()).or(plan.profile.realm.as_deref());
    story.equal("the realms", token.realms.iter().map(String::as_str).collect(), Vec::from_iter(realm));
    story.equal("otplen", token.otplen, otp_length(plan));
    story.claim(matches!(token.info("hashlib"), "" | "sha1"), || {
        format!("the hash is {}", token.info("hashlib"))
    });
    story.equal("failcount", token.failcount, 0);
    story.equal("the enrollment in the token", token.info(&format!("{kind}.enrollment")), enrollment);
    let description = plan.profile.describe(STATION, &room.key.serial.to_string(), plan.profile_name);
    story.equal("the description", &*token.description, &*description);
    // Notes are a courtesy, which a server that does not take them is not made to; one whose machines take longer to
    // hear of a token than anybody waits at the desk may take one note, and not the other.
    let deaf = plan.faults.iter().any(|fault| fault.path == "/token/info" && fault.shots > 1)
        || plan.behind.machines > Duration::from_secs(10);
    if !deaf {
        let notes = (token.info("enrollment.by"), token.info("enrollment.port"));
        story.equal("the notes", notes, ("tester", crate::plan::PORT));
    }
}

/// The key's next code is accepted, and no second time.
async fn used(story: &mut Story, room: &Room, plan: &Plan, token: &TokenSeen) -> Result<(), Broken> {
    let code = if plan.profile.kind == Kind::ChallengeResponse {
        // The step at which the key proved itself is used up.
        let step = UNIX_EPOCH.elapsed()?.as_secs() / u64::from(plan.profile.period) + 1;
        room.answer(plan, step).await?
    } else {
        room.key.type_code(plan.profile.slot).await?
    };
    let id = plan.profile.token_id.as_ref().and_then(|id| id.of(room.key.serial));
    let length = otp_length(plan) + id.map_or(0, |id| id.text().len() as u64);
    story.equal("the length of a code", code.len() as u64, length);
    let has = |policy| plan.policies.contains(&policy);
    let api_key = if has("api-key-required") { Some(room.site.api_key("validate")?) } else { None };
    let password = plan.person.and_then(|user| USERS.iter().find(|known| known.login == user));
    let pin = if has("userstore-pin") { password.map(|known| known.password) } else { plan.pin };
    let with_pin = format!("{}{code}", pin.unwrap_or_default());
    let (whose, pass) = match plan.person {
        Some(user) => (Whose::User(user, plan.realm_of_person), with_pin),
        None => (Whose::Token(&token.serial), with_pin),
    };
    let again = plan.profile.kind == Kind::StaticPassword;
    for (what, wanted) in [("the next code of the key", true), ("the same code again", again)] {
        let accepted = room.site.observer.accepts(&whose, &pass, api_key.as_deref()).await?;
        story.claim(accepted == wanted, || {
            format!("{what} is {}", if accepted { "accepted" } else { "rejected" })
        });
    }
    Ok(())
}
