//! Keys that are enrolled already: released, asked, enrolled anew as something else.

use dispatch::driver::Report;
use keys::device::{Kind, Slot};
use privacyidea::Method;
use serde_json::json;
use station::access::{CodeTable, Codes};
use station::engine::check::SlotFate;
use station::engine::enrollment::Ending;
use station::engine::key_order::KeyOrder;
use station::profile::{CodeTo, NewCode, Overwrite, Profile};
use station::refusal::Code;
use std::sync::Arc;
use twins::privacyidea::Version;

use crate::Broken;
use crate::cases::Case;
use crate::cases::locks;
use crate::key::Held;
use crate::plan::{Expect, Plan};
use crate::play::once_more;
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

pub(super) fn cases(version: Version) -> Vec<Case> {
    // Without a policy this server makes the secrets itself.
    let base: &[&'static str] =
        if version.replaces_keys_without_policies() { &["admin-rights"] } else { &[] };
    vec![
        Case::script("releases / released, and enrolled again", base, |site| Box::pin(released(site))),
        Case::script("releases / a locked slot, its code at the server", base, |site| {
            Box::pin(unlocked(site))
        }),
        Case::script("releases / the token deleted meanwhile", base, |site| Box::pin(gone_before(site))),
        Case::script("releases / the token is somebody else's by now", base, |site| Box::pin(not_ours(site))),
        Case::script("releases / nothing is enrolled", base, |site| Box::pin(nothing(site))),
        Case::script("releases / every kind, released", base, |site| Box::pin(each_released(site))),
        Case::script("releases / one kind after the other in a slot", base, |site| Box::pin(kinds(site))),
        Case::script("releases / enrolled anew behind a derived code", base, |site| {
            Box::pin(locked_anew(site))
        }),
        Case::script("releases / opened by a table of codes", base, |site| Box::pin(by_table(site))),
        Case::script("releases / slots swapped and wiped", base, |site| Box::pin(handled(site))),
        Case::script("verify / every kind, changing nothing", base, |site| Box::pin(verified(site))),
        Case::script("verify / disabled, then deleted", base, |site| Box::pin(verified_not(site))),
        Case::script("check / a dry run touches nothing", base, |site| Box::pin(forecast(site))),
    ]
}

async fn enrolled(site: Site, plan: &Plan) -> Result<(Story, Room), Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, plan).await?;
    once_more(&mut story, &mut room, plan, Expect::Enrolled).await?;
    Ok((story, room))
}

/// Nothing of the key is left, and all else is as before.
async fn taken_back(story: &mut Story, room: &Room, plan: &Plan, report: &Report) -> Result<(), Broken> {
    let ending = &report.outcome.ending;
    story.note("released", ending.word());
    story.equal("the ending", ending, &Ending::Released);
    let after = room.look().await?;
    let serial = room.token(plan.profile.slot);
    story.claim(!after.tokens.contains_key(serial.as_str()), || format!("{serial} is still there"));
    let index = usize::from(plan.profile.slot.0) - 1;
    let slots = &after.key.slots.slots;
    story.claim(slots.get(index).is_some_and(Option::is_none), || "the slot is not empty".to_owned());
    story.claim(slots.get(1 - index).is_some_and(Option::is_some), || "the other slot is empty".to_owned());
    story.equal("unfinished records", room.store.unfinished().await?.len(), 0);
    Ok(())
}

async fn released(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled).person("bob");
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let report = room.release(plan.key_order()).await?;
    taken_back(&mut story, &room, &plan, &report).await?;
    let again = room.release(plan.key_order()).await?;
    let code = again.outcome.ending.refusal().map(|refusal| refusal.code);
    story.equal("a second release", code, Some(Code::NothingEnrolled));
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    Ok(story)
}

async fn each_released(site: Site) -> Result<Story, Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, &Plan::new("", Expect::Enrolled)).await?;
    for kind in KINDS {
        let plan = Plan::new("", Expect::Enrolled).kind(kind).person("bob");
        room.kind = kind;
        once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
        let report = room.release(plan.key_order()).await?;
        taken_back(&mut story, &room, &plan, &report).await?;
    }
    Ok(story)
}

async fn unlocked(site: Site) -> Result<Story, Broken> {
    let plan = locks::locked(Plan::new("", Expect::Enrolled), NewCode::Random, CodeTo::Server);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let report = room.release(plan.key_order()).await?;
    taken_back(&mut story, &room, &plan, &report).await?;
    Ok(story)
}

async fn gone_before(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    room.site.observer.delete(room.token(Slot(1)).as_str()).await?;
    let report = room.release(plan.key_order()).await?;
    taken_back(&mut story, &room, &plan, &report).await?;
    Ok(story)
}

async fn not_ours(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let serial = room.token(Slot(1));
    room.site.observer.delete(serial.as_str()).await?;
    room.site.observer.make(serial.as_str(), None, "").await?;
    let report = room.release(plan.key_order()).await?;
    story.equal("the ending", &report.outcome.ending, &Ending::Released);
    let after = room.look().await?;
    let token = after.tokens.get(serial.as_str());
    story.equal("whose token it is", token.map(|token| &*token.description), Some("somebody's"));
    Ok(story)
}

async fn nothing(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled);
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let before = room.look().await?;
    let report = room.release(plan.key_order()).await?;
    let code = report.outcome.ending.refusal().map(|refusal| refusal.code);
    story.equal("the refusal", code, Some(Code::NothingEnrolled));
    let verified = room.verify(plan.key_order()).await?;
    story.equal(
        "the refusal to verify",
        verified.result.err().map(|no| no.code),
        Some(Code::NothingEnrolled),
    );
    let after = room.look().await?;
    story.claim(before.key == after.key && before.tokens == after.tokens, || "something changed".to_owned());
    Ok(story)
}

const KINDS: [Kind; 5] =
    [Kind::Hotp, Kind::YubicoOtp, Kind::ChallengeResponse, Kind::StaticPassword, Kind::Hotp];

/// Also what the old client did with HOTP and challenge-response under the same serial.
async fn kinds(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled).person("bob");
    let (mut story, mut room) = enrolled(site, &plan).await?;
    // Everything after everything else, the last after itself.
    for kind in KINDS.into_iter().chain([Kind::ChallengeResponse, Kind::YubicoOtp, Kind::YubicoOtp]) {
        plan = plan.kind(kind).replacing(&room.token(Slot(1)));
        room.kind = kind;
        once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
        let tokens = room.look().await?.tokens;
        story.equal("the number of tokens", tokens.len(), 1);
    }
    Ok(story)
}

async fn locked_anew(site: Site) -> Result<Story, Broken> {
    let plan = locks::locked(Plan::new("", Expect::Enrolled), NewCode::Derived, CodeTo::Server);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let plan = plan.replacing(&room.token(Slot(1)));
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    Ok(story)
}

/// What is in slot 1 is kept in slot 2; what is enrolled is neither moved nor emptied.
async fn handled(site: Site) -> Result<Story, Broken> {
    let plan =
        Plan::new("", Expect::Enrolled).key(|key| (key.slot1, key.slot2) = (Held::Foreign, Held::Nothing));
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let of = |slot| KeyOrder { slot, ..plan.key_order() };
    let held = |room: &Room| room.key.memory().slots.slots.map(|slot| slot.is_some());
    once_more(&mut story, &mut room, &plan, Expect::Refused(Code::SlotOccupied)).await?;
    story.equal("swapping", room.handle(of(None)).await?, None);
    story.equal("the slots after it", held(&room), [false, true]);
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    story.equal("swapping ours", room.handle(of(None)).await?, Some(Code::AlreadyEnrolled));
    story.equal("emptying ours", room.handle(of(Some(Slot(1)))).await?, Some(Code::AlreadyEnrolled));
    story.equal("the slots after both", held(&room), [true, true]);
    story.equal("emptying the other", room.handle(of(Some(Slot(2)))).await?, None);
    story.equal("the slots in the end", held(&room), [true, false]);
    Ok(story)
}

async fn by_table(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled)
        .key(|key| key.slot1 = Held::Guarded([1, 2, 3, 4, 5, 6]))
        .profile(|profile| profile.overwrite = Overwrite::Confirmed)
        .confirmed();
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let number = room.key.serial.number;
    for (text, expect) in [
        (format!("{},010203040506", number + 1), Expect::Refused(Code::AccessCode)),
        (format!("{number},060504030201"), Expect::Refused(Code::AccessCode)),
        (format!("# ours\n{number},010203040506"), Expect::Enrolled),
    ] {
        plan.codes = Codes { table: Some(Arc::new(CodeTable::parse(&text)?)), ..Codes::default() };
        once_more(&mut story, &mut room, &plan, expect).await?;
    }
    Ok(story)
}

async fn verified(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled).person("bob");
    let (mut story, mut room) = enrolled(site, &plan).await?;
    for kind in KINDS {
        plan.profile = Profile::new(kind);
        plan = plan.replacing(&room.token(Slot(1)));
        room.kind = kind;
        once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
        if kind == Kind::ChallengeResponse {
            // Enrollment and judge have used up this step and the next, and nobody waits for the one after.
            continue;
        }
        let before = room.look().await?;
        let verified = room.verify(plan.key_order()).await?;
        let answered = verified.result.as_ref().map(|answered| (answered.counts, answered.ours));
        story.equal("what verification says", answered, Ok((true, true)));
        let after = room.look().await?;
        let plain = |sight: &crate::room::Sight| -> Vec<_> {
            let mut tokens: Vec<_> = sight.tokens.values().cloned().collect();
            for token in &mut tokens {
                token.count = 0;
                token.info.retain(|name, _| !name.starts_with("count_") && name != "last_auth");
            }
            tokens
        };
        story.equal("the tokens, but for their counters", plain(&after), plain(&before));
        // Another station, which knows nothing of the key.
        let store = std::mem::replace(&mut room.store, dispatch::store::Store::in_memory()?);
        let verified = room.verify(plan.key_order()).await?;
        let answered = verified.result.as_ref().map(|answered| (answered.counts, answered.ours));
        story.equal("what another station says", answered, Ok((true, false)));
        room.store = store;
    }
    Ok(story)
}

async fn verified_not(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled);
    let (mut story, mut room) = enrolled(site, &plan).await?;
    let serial = room.token(Slot(1));
    let body = json!({"serial": serial.as_str()});
    room.site.observer.call(Method::Post, "/token/disable", &[], Some(body)).await?;
    let verified = room.verify(plan.key_order()).await?;
    let counts = verified.result.as_ref().map(|answered| answered.counts);
    story.claim(counts == Ok(false), || format!("of a disabled token it says {counts:?}"));
    room.site.observer.delete(serial.as_str()).await?;
    let verified = room.verify(plan.key_order()).await?;
    story.equal("the refusal", verified.result.err().map(|no| no.code), Some(Code::TokenVanished));
    Ok(story)
}

async fn forecast(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled).person("bob");
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let mut fate = SlotFate::Written;
    for round in 0..2 {
        let before = room.look().await?;
        let (forecast, sent) = room.check(plan.order()?).await?;
        story.equal("what stands in the way", forecast.refusal.map(|refusal| refusal.code), None);
        story.equal("the fate of the slot", forecast.slot, Some(fate));
        story.equal("the token", forecast.token, Some(room.token(Slot(1))));
        story.claim(sent.iter().all(|sent| !crate::wire::changes(sent)), || format!("sent were {sent:?}"));
        let after = room.look().await?;
        story.claim(after.key == before.key && after.tokens == before.tokens, || {
            "it changed something".into()
        });
        if round == 0 {
            once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
            plan = plan.replacing(&room.token(Slot(1)));
        }
        fate = SlotFate::Released(room.token(Slot(1)));
    }
    plan.profile.slot = Slot(2);
    let (forecast, _) = room.check(plan.order()?).await?;
    let refused = forecast.refusal.map(|refusal| refusal.code);
    story.equal("what stands in the way of a foreign slot", refused, Some(Code::SlotOccupied));
    Ok(story)
}
