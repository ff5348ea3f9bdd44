//! A finished enrollment belongs to its person: what is done to a key that is enrolled already; and keys as
//! they are sold.

use keys::device::{Kind, Slot};
use privacyidea::Method;
use serde_json::json;
use station::engine::enrollment::Replace;
use station::profile::{Overwrite, Profile};
use station::refusal::Code;
use twins::privacyidea::Version;
use twins::yubikey::Foreign;

use crate::Broken;
use crate::cases::Case;
use crate::key::{Held, TestKey};
use crate::plan::{Expect, Plan};
use crate::play::once_more;
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

use Expect::{Enrolled, Refused, Tried, Undone};

pub(super) fn cases(version: Version) -> Vec<Case> {
    // Without a policy this server makes the secrets itself.
    let base: &[&'static str] = if version == Version::V3_13_4 { &["admin-rights"] } else { &[] };
    let script = |name: &str, policies: &[&'static str], act| {
        Case::script(&format!("finished / {name}"), &[base, policies].concat(), act)
    };
    vec![
        script("nobody names it, whatever the profile says", &[], |site| Box::pin(unnamed(site))),
        script("by name, for somebody else", &[], |site| Box::pin(named(site))),
        script("for nobody whom the server knows", &[], |site| Box::pin(unknown(site))),
        script("with a PIN that breaks the rule", &["pin-quality"], |site| Box::pin(pin(site))),
        script("for somebody who has one already", &["max-token-per-user"], |site| Box::pin(limit(site))),
        script("for the one whose limit it fills", &["max-token-per-user"], |site| Box::pin(own_limit(site))),
        script("nobody touches the key", &[], |site| Box::pin(not_touched(site))),
        script("keys as they are sold", &[], |site| Box::pin(sold(site))),
        script("keys that only look so", &[], |site| Box::pin(in_use(site))),
    ]
}

async fn of_alice(site: Site, plan: &Plan) -> Result<(Story, Room), Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, plan).await?;
    room.kind = plan.profile.kind;
    once_more(&mut story, &mut room, plan, Enrolled).await?;
    Ok((story, room))
}

/// Every kind, every word for `overwrite`, confirmed or not: without a name it stays.
async fn unnamed(site: Site) -> Result<Story, Broken> {
    let (mut story, mut room) = of_alice(site, &Plan::new("", Enrolled).person("alice")).await?;
    let finished = room.token(Slot(1));
    for kind in [Kind::Hotp, Kind::YubicoOtp, Kind::ChallengeResponse, Kind::StaticPassword] {
        for overwrite in [Overwrite::Never, Overwrite::Ours, Overwrite::Factory, Overwrite::Confirmed] {
            let mut plan = Plan::new("", Enrolled).person("bob").kind(kind).confirmed();
            plan.profile.overwrite = overwrite;
            for (replace, code) in [
                (Replace::Nobody, Code::SomebodysKey),
                (Replace::Unnamed, Code::AlreadyEnrolled),
                (Replace::Token("UBOM99999999_1".to_owned()), Code::OtherToken),
                (Replace::Token(format!("{finished}_TRIAL")), Code::OtherToken),
            ] {
                plan.replace = replace;
                once_more(&mut story, &mut room, &plan, Refused(code)).await?;
            }
        }
    }
    let owner = room.look().await?.tokens.get(finished.as_str()).map(|token| token.username.clone());
    story.equal("whose it is", owner.as_deref(), Some("alice"));
    Ok(story)
}

async fn named(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).person("alice");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let token = room.token(Slot(1));
    // However it is typed.
    let mut plan = plan.person("bob");
    plan.replace = Replace::Token(format!(" {} ", token.as_str().to_lowercase()));
    let gone = again(&mut story, &mut room, &plan, Enrolled).await?;
    story.equal("what is gone", gone.as_deref(), Some(token.as_str()));
    story.equal("the number of tokens", room.look().await?.tokens.len(), 1);
    // The line of a list names the key.
    let mut plan = plan.person("alice");
    plan.replace = Replace::Key(room.key.serial);
    let gone = again(&mut story, &mut room, &plan, Enrolled).await?;
    story.equal("what is gone", gone.as_deref(), Some(token.as_str()));
    Ok(story)
}

async fn unknown(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).person("alice");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let plan = plan.replacing(&room.token(Slot(1)));
    for (user, realm) in [("nobody-here", None), ("alicia", None), ("alice", Some("nowhere"))] {
        let plan = match realm {
            None => plan.clone().person(user),
            Some(realm) => plan.clone().person_in(user, realm),
        };
        tried(&mut story, &mut room, &plan).await?;
    }
    Ok(story)
}

async fn pin(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).pin("abc123");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let plan = plan.replacing(&room.token(Slot(1)));
    for wrong in ["a1", "12345678", "abcdefgh"] {
        once_more(&mut story, &mut room, &plan.clone().pin(wrong), Tried(Code::PolicyForbids)).await?;
    }
    once_more(&mut story, &mut room, &plan, Enrolled).await?;
    Ok(story)
}

/// Bob has a key; Alice's is to become his, too, which the limit forbids.
async fn limit(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).person("alice");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let second = TestKey::new(room.next_number(), plan.key)?;
    let first = std::mem::replace(&mut room.key, second);
    once_more(&mut story, &mut room, &plan.clone().person("bob"), Enrolled).await?;
    room.key = first;
    let plan = plan.person("bob").replacing(&room.token(Slot(1)));
    once_more(&mut story, &mut room, &plan, Tried(Code::AssignRefused)).await?;
    Ok(story)
}

async fn own_limit(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).person("alice");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let plan = plan.replacing(&room.token(Slot(1)));
    once_more(&mut story, &mut room, &plan, Enrolled).await?;
    Ok(story)
}

async fn not_touched(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled).person("alice");
    let (mut story, mut room) = of_alice(site, &plan).await?;
    let token = room.token(Slot(1));
    let mut plan = plan.person("bob").replacing(&token);
    (plan.profile.attempts, plan.profile.touch) = (1, std::time::Duration::from_millis(700));
    let deaf = twins::yubikey::Faults { ignore_touches: 1, ..twins::yubikey::Faults::default() };
    room.key.saboteur()(deaf);
    let gone = again(&mut story, &mut room, &plan, Undone(Code::NotTouched)).await?;
    story.equal("what is gone for good", gone.as_deref(), Some(token.as_str()));
    story.equal("the number of tokens", room.look().await?.tokens.len(), 0);
    Ok(story)
}

/// Enrolls once more; gives back the token that is gone for it.
async fn again(
    story: &mut Story,
    room: &mut Room,
    plan: &Plan,
    expect: Expect,
) -> Result<Option<String>, Broken> {
    let before = room.look().await?;
    let course = room.enroll(plan.order()?, true).await?;
    crate::judge::ending(story, room, plan, expect, &before, &course).await?;
    Ok(course.report.outcome.gone.map(|gone| gone.token.to_string()))
}

/// An enrollment that the server refuses when it is tried out, with whatever it says; nothing has changed.
async fn tried(story: &mut Story, room: &mut Room, plan: &Plan) -> Result<(), Broken> {
    let before = room.look().await?;
    let course = room.enroll(plan.order()?, true).await?;
    let code = course.report.outcome.ending.refusal().map_or(Code::Internal, |refusal| refusal.code);
    story.claim(course.report.outcome.gone.is_none(), || "something is gone".to_owned());
    crate::judge::ending(story, room, plan, Tried(code), &before, &course).await
}

/// The Yubico OTP of the maker goes when profile or order says so, and what is not like it never.
async fn sold(site: Site) -> Result<Story, Broken> {
    let factory = Plan::new("", Enrolled)
        .profile(|profile| *profile = Profile { overwrite: Overwrite::Factory, ..Profile::new(Kind::Hotp) });
    let mut ordered = Plan::new("", Enrolled);
    ordered.factory = true;
    let mut story = Story::default();
    let mut room = Room::open(site, &factory).await?;
    for (what, plan, expect) in [
        (Foreign::Factory, &Plan::new("", Enrolled), Refused(Code::SlotOccupied)),
        (Foreign::Factory, &factory, Enrolled),
        (Foreign::Factory, &ordered, Enrolled),
        (Foreign::Own, &factory, Refused(Code::SlotOccupied)),
        (Foreign::Hotp, &factory, Refused(Code::SlotOccupied)),
        (Foreign::Password, &factory, Refused(Code::SlotOccupied)),
        (Foreign::Challenge, &ordered, Refused(Code::SlotOccupied)),
    ] {
        let mut plan = plan.clone().key(|key| (key.slot1, key.slot2) = (Held::This(what), Held::Nothing));
        if expect != Enrolled {
            (plan.profile.attempts, plan.profile.touch) = (1, std::time::Duration::from_millis(700));
        }
        room.key = TestKey::new(room.next_number(), plan.key)?;
        let given_up = shown(&mut story, &mut room, &plan, expect).await?;
        let is = given_up.as_deref().is_some_and(|id| id.len() == 12 && id.starts_with("cc"));
        story.claim(is == (expect == Enrolled), || format!("of {what:?} was given up: {given_up:?}"));
    }
    // What it types may be of either slot.
    let both = factory.key(|key| (key.slot1, key.slot2) = (Held::This(Foreign::Factory), Held::Foreign));
    room.key = TestKey::new(room.next_number(), both.key)?;
    once_more(&mut story, &mut room, &both, Refused(Code::SlotOccupied)).await?;
    Ok(story)
}

/// Enrolls a key that has to type what it holds; gives back what was given up. A key that is refused has the same in
/// its slot, but for its counters.
async fn shown(
    story: &mut Story,
    room: &mut Room,
    plan: &Plan,
    expect: Expect,
) -> Result<Option<String>, Broken> {
    let before = room.look().await?;
    let course = room.enroll(plan.order()?, false).await?;
    let outcome = &course.report.outcome;
    if let Refused(code) = expect {
        let after = room.look().await?;
        let held = |sight: &crate::room::Sight| {
            let slot = sight.key.slots.slots.first().and_then(Option::as_ref);
            slot.map(|slot| (slot.mode, slot.fixed.clone()))
        };
        story.equal("why it was refused", outcome.ending.refusal().map(|refusal| refusal.code), Some(code));
        story.equal("its ending", outcome.ending.word(), "refused");
        story.equal("what is in the slot", held(&after), held(&before));
        story.equal("the tokens", after.tokens, before.tokens);
    } else {
        crate::judge::ending(story, room, plan, expect, &before, &course).await?;
    }
    Ok(course.report.outcome.given_up)
}

/// A token of the server has the identity: somebody logs in with what the slot holds.
async fn in_use(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Enrolled)
        .key(|key| (key.slot1, key.slot2) = (Held::This(Foreign::Factory), Held::Nothing))
        .profile(|profile| profile.overwrite = Overwrite::Factory);
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    let held = room.key.memory().slots.slots;
    let fixed =
        held.first().and_then(|slot| slot.as_ref()).map(|slot| slot.fixed.clone()).unwrap_or_default();
    let body = json!({
        "type": "yubikey", "serial": "THEIRS1", "otpkey": "00112233445566778899aabbccddeeff",
        "otplen": 44, "yubikey.prefix": keys::modhex::encode(&fixed),
    });
    room.site.observer.call(Method::Post, "/token/init", &[], Some(body)).await?;
    shown(&mut story, &mut room, &plan, Refused(Code::IdentityInUse)).await?;
    room.site.observer.delete("THEIRS1").await?;
    once_more(&mut story, &mut room, &plan, Enrolled).await?;
    Ok(story)
}
