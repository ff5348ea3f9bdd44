//! Carries a case out.

use station::engine::enrollment::Ending;
use station::refusal::Code;
use twins::privacyidea::Lag;

use crate::Broken;
use crate::judge;
use crate::plan::{Expect, Plan, Then};
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

/// Plays a plan.
pub(crate) async fn play(plan: &Plan, site: Site) -> Result<Story, Broken> {
    let mut story = Story::default();
    let mut room = Room::open(site, plan).await?;
    let before = room.look().await?;
    room.site.add_faults(&plan.faults)?;
    room.site.set_lag(plan.behind);
    let spied = plan.faults.is_empty() && plan.behind == Lag::default();
    let course = room.enroll(plan.order()?, spied).await?;
    room.site.clear_faults()?;
    room.site.set_lag(Lag::default());
    judge::ending(&mut story, &room, plan, plan.expect, &before, &course).await?;
    if let Expect::Postponed(_, later) = plan.expect {
        let settled = room.restart().await?;
        story.claim(settled.iter().all(|settled| settled.left.is_none()), || {
            let left: Vec<_> = settled.iter().filter_map(|settled| settled.left.as_ref()).collect();
            format!("recovery left {left:?}")
        });
        judge::recovered(&mut story, &room, plan, later, &before).await?;
    }
    if plan.then == Then::Again && story.complaints.is_empty() {
        let counts = matches!(course.report.outcome.ending, Ending::Enrolled(_))
            || matches!(plan.expect, Expect::Postponed(_, crate::plan::Later::Counts));
        let expect = if counts { Expect::Refused(Code::AlreadyEnrolled) } else { Expect::Enrolled };
        room.site.caught_up().await;
        once_more(&mut story, &mut room, plan, expect).await?;
    }
    Ok(story)
}

/// Inserts the same key again, at a server without faults.
pub(crate) async fn once_more(
    story: &mut Story,
    room: &mut Room,
    plan: &Plan,
    expect: Expect,
) -> Result<(), Broken> {
    let before = room.look().await?;
    let course = room.enroll(plan.order()?, true).await?;
    judge::ending(story, room, plan, expect, &before, &course).await
}
