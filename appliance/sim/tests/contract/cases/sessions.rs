//! More than one enrollment: sessions that end, and keys that come back.

use std::time::Duration;

use keys::device::Slot;
use station::profile::Overwrite;
use station::refusal::Code;
use twins::privacyidea::Version;

use crate::Broken;
use crate::cases::Case;
use crate::judge;
use crate::key::TestKey;
use crate::plan::{Expect, Plan};
use crate::play::once_more;
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

pub(super) fn cases(version: Version) -> Vec<Case> {
    let recent = version.is_recent();
    // Without a policy this server makes the secrets itself.
    let base: &[&'static str] =
        if version.replaces_keys_without_policies() { &["admin-rights"] } else { &[] };
    let mut cases = vec![
        Case::script("sessions / the same key twice", base, |site| Box::pin(twice(site))),
        Case::script("sessions / the same key at another station", base, |site| Box::pin(elsewhere(site))),
        Case::script("sessions / the same key anew", base, |site| Box::pin(anew(site))),
        Case::script("sessions / the same key anew, its token deleted meanwhile", base, |site| {
            Box::pin(anew_after_deletion(site))
        }),
    ];
    cases.push(Case::script("sessions / a registration that comes too late", base, |site| {
        Box::pin(too_late(site))
    }));
    if recent {
        // The older servers do not have the policy.
        let short: &[&'static str] = if version.replaces_keys_without_policies() {
            &["admin-rights", "short-session"]
        } else {
            &["short-session"]
        };
        cases.push(Case::script("sessions / three keys, renewed ahead of the end", short, |site| {
            Box::pin(three_keys(site, false))
        }));
        cases.push(Case::script("sessions / three keys, the server says that it has ended", short, |site| {
            Box::pin(three_keys(site, true))
        }));
    }
    cases
}

/// Enrolls a key for the first time.
async fn first(site: Site, plan: &Plan) -> Result<(Story, Room), Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, plan).await?;
    once_more(&mut story, &mut room, plan, Expect::Enrolled).await?;
    Ok((story, room))
}

async fn twice(site: Site) -> Result<Story, Broken> {
    let plan = Plan::new("", Expect::Enrolled).person("bob");
    let (mut story, mut room) = first(site, &plan).await?;
    once_more(&mut story, &mut room, &plan, Expect::Refused(Code::AlreadyEnrolled)).await?;
    Ok(story)
}

/// Another station knows nothing of the key: to it, the slot is foreign, and so is the token.
async fn elsewhere(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled);
    let (mut story, mut room) = first(site, &plan).await?;
    room.store = dispatch::store::Store::in_memory()?;
    once_more(&mut story, &mut room, &plan, Expect::Refused(Code::SlotOccupied)).await?;
    plan.profile.overwrite = Overwrite::Confirmed;
    plan.overwrite_confirmed = true;
    once_more(&mut story, &mut room, &plan, Expect::Refused(Code::SerialTaken)).await?;
    Ok(story)
}

async fn anew(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled).person("bob");
    let (mut story, mut room) = first(site, &plan).await?;
    plan = plan.eight_digits().replacing(&room.token(Slot(1)));
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    Ok(story)
}

async fn anew_after_deletion(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled);
    let (mut story, mut room) = first(site, &plan).await?;
    room.site.observer.delete(room.token(plan.profile.slot).as_str()).await?;
    plan = plan.replacing(&room.token(Slot(1)));
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    Ok(story)
}

/// A registration was given up and taken back, and is carried out all the same: a token is there that
/// no key answers for. When the key comes back, the station knows that this token is its own.
async fn too_late(site: Site) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled);
    plan.key.faults.ignore_touches = 1;
    plan.profile.attempts = 1;
    let patient = std::mem::replace(&mut plan.profile.touch, Duration::from_millis(700));
    let mut story = Story::default();
    let mut room = Room::open(site, &plan).await?;
    once_more(&mut story, &mut room, &plan, Expect::Undone(Code::NotTouched)).await?;
    let record = room.record(plan.profile.slot).await?.ok_or("the journal has no record")?;
    let serial = room.token(plan.profile.slot);
    room.site.observer.make_for_enrollment(serial.as_str(), &record.enrollment.to_string()).await?;
    plan.profile.touch = patient;
    once_more(&mut story, &mut room, &plan, Expect::Enrolled).await?;
    Ok(story)
}

/// Logins last four seconds; the third key comes when the first login is over.
///
/// With `timeless` the station does not notice by itself, so the server tells it (4305).
pub(super) async fn three_keys(site: Site, timeless: bool) -> Result<Story, Broken> {
    let mut plan = Plan::new("", Expect::Enrolled).person("bob");
    plan.way.timeless = timeless;
    let (mut story, mut room) = first(site, &plan).await?;
    for pause in [Duration::ZERO, Duration::from_millis(5_100)] {
        // The server's own clock counts whole seconds, and nobody else can move it.
        tokio::time::sleep(pause).await;
        room.key = TestKey::new(room.next_number(), plan.key)?;
        let before = room.look().await?;
        let course = room.enroll(plan.order()?, false).await?;
        if !pause.is_zero() {
            // Renewed ahead, the login comes first; told by the server, after a request that it refused.
            let login = course.sent.iter().position(|sent| sent == "POST /auth");
            story.claim(login.is_some_and(|login| (login > 0) == timeless), || {
                format!("sent were {:?}", course.sent)
            });
        }
        judge::ending(&mut story, &room, &plan, Expect::Enrolled, &before, &course).await?;
    }
    let tokens = room.site.observer.tokens().await?;
    story.equal("the number of tokens", tokens.len(), 3);
    Ok(story)
}
