//! What went wrong with the enrollment client that came before, measured with its last
//! version and real servers: each fault as a case that shows it cannot happen here.

use std::time::Duration;

use keys::device::{Digits, Kind, Slot};
use station::profile::{CodeTo, NewCode, Overwrite, TokenId};
use station::refusal::Code;
use twins::privacyidea::{Fault, Mode, Version};

use crate::Broken;
use crate::cases::{Case, locks, sessions};
use crate::judge;
use crate::key::{Held, TestKey};
use crate::plan::{Expect, Plan};
use crate::play::once_more;
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

use Expect::{Enrolled, Refused, Undone};

pub(super) fn cases(version: Version) -> Vec<Case> {
    let base: &[&'static str] =
        if version.replaces_keys_without_policies() { &["admin-rights"] } else { &[] };
    let recent = version.is_recent();
    let mut cases: Vec<Case> =
        plans(version).into_iter().map(|plan| plan.keeping_secrets(version).into()).collect();
    cases.push(Case::script(
        "old client / the slot is written before its token is registered",
        base,
        |site| Box::pin(order_of_steps(site)),
    ));
    cases.push(Case::script(
        "old client / the same key again after another is enrolled anew",
        base,
        |site| Box::pin(a_b_a(site)),
    ));
    cases.push(Case::script("old client / a slot once HOTP, now challenge-response: 400", base, |site| {
        Box::pin(anew(site, Kind::Hotp, Kind::ChallengeResponse))
    }));
    cases.push(Case::script("old client / an AES key enrolled anew is rejected for ever", base, |site| {
        Box::pin(anew(site, Kind::YubicoOtp, Kind::YubicoOtp))
    }));
    if recent {
        let short: &[&'static str] = if version.replaces_keys_without_policies() {
            &["admin-rights", "short-session"]
        } else {
            &["short-session"]
        };
        cases.push(Case::script("old client / a session that ends kills the next key", short, |site| {
            Box::pin(sessions::three_keys(site, true))
        }));
    }
    if version.replaces_keys_without_policies() {
        // The one server that throws the secret away without being told to.
        cases.push(
            Plan::new(
                "old client / the server replaces the secret and says 200",
                Undone(Code::SecretReplaced),
            )
            .into(),
        );
    }
    cases
}

fn plans(version: Version) -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("old client / {name}"), expect);
    let mut plans = vec![
        plan("a used slot is overwritten without a question", Refused(Code::SlotOccupied))
            .key(|key| key.slot1 = Held::Foreign),
        plan("static passwords crash after the key is written", Enrolled).kind(Kind::StaticPassword),
        locks::locked(plan("access codes cannot be used", Enrolled), NewCode::Fixed, CodeTo::Server)
            .key(|key| key.slot1 = Held::Guarded([6, 5, 4, 3, 2, 1]))
            .profile(|profile| profile.overwrite = Overwrite::Confirmed)
            .unlock([6, 5, 4, 3, 2, 1])
            .confirmed(),
        plan("codes have six digits only", Enrolled).profile(|profile| profile.digits = Digits::Eight),
        // Whose OTPs have 44 letters: the judge sees to that.
        plan("Yubico OTPs have no public id", Enrolled).kind(Kind::YubicoOtp),
        plan("a prefix before HOTP codes has every code rejected", Enrolled)
            .profile(|profile| profile.token_id = Some(TokenId::Serial)),
        plan("an answer that does not come leaves a key that nobody knows", Enrolled)
            .fault(Fault::new("/token/init", Mode::Lost)),
        plan("a server that fails leaves a key that is written and dead", Undone(Code::ServerFault))
            .fault(Fault { status: 500, shots: 20, ..Fault::new("/validate/check", Mode::Status) })
            .again()
            .twin_only(),
        plan("a server that hangs stops the batch for ever", Enrolled)
            .patience(Duration::from_secs(4))
            .fault(Fault { delay: Duration::from_secs(6), ..Fault::new("/token/enable", Mode::Slow) })
            .twin_only(),
    ];
    if version == Version::V3_14 {
        plans.push(
            plan("the server replaces the secret and says 200", Undone(Code::SecretReplaced))
                .policies(&["server-generates"]),
        );
    }
    plans
}

async fn enrolled(site: Site, plan: &Plan) -> Result<(Story, Room), Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, plan).await?;
    once_more(&mut story, &mut room, plan, Enrolled).await?;
    Ok((story, room))
}

/// Registered, then written, then an OTP read back, then checked.
async fn order_of_steps(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled);
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let before = room.look().await?;
    let course = room.enroll(plan.order()?, true).await?;
    judge::ending(&mut story, &room, &plan, Enrolled, &before, &course).await?;
    let steps: Vec<&str> = course.report.steps.iter().map(|step| step.step.as_str()).collect();
    let wanted = [
        "journal planned",
        "server register",
        "server disable",
        "journal registered",
        "key program",
        "journal written",
        "key typed",
        "server check",
        "server enable",
        "journal proven",
        "journal done",
    ];
    let mut at = wanted.iter();
    let mut next = at.next();
    for step in &steps {
        if next == Some(step) {
            next = at.next();
        }
    }
    story.claim(next.is_none(), || format!("{next:?} is not in its place among {steps:?}"));
    Ok(story)
}

/// A, then B, then A once more: the old client enrolled A anew without a question.
async fn a_b_a(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let second = TestKey::new(room.next_number(), plan.key)?;
    let first = std::mem::replace(&mut room.key, second);
    once_more(&mut story, &mut room, &plan, Enrolled).await?;
    room.key = first;
    once_more(&mut story, &mut room, &plan, Refused(Code::AlreadyEnrolled)).await?;
    Ok(story)
}

async fn anew(site: Site, before: Kind, after: Kind) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).kind(before);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let plan = plan.kind(after).replacing(&room.token(Slot(1)));
    room.kind = after;
    once_more(&mut story, &mut room, &plan, Enrolled).await?;
    Ok(story)
}
