//! Secrets that server and station make together.

use std::time::Duration;

use keys::device::{Digits, Kind};
use station::profile::TwoStep;
use station::refusal::Code;
use twins::privacyidea::{Fault, Mode, Version};

use crate::plan::{Expect, Plan};

use Expect::{Declined, Enrolled, Undone};

pub(super) fn plans(version: Version) -> Vec<Plan> {
    let plan = |name: &str, two_step, policies: &[&'static str], expect| {
        Plan::new(format!("two steps / {name}"), expect)
            .policies(policies)
            .profile(|profile| profile.two_step = two_step)
    };
    let (allow, force, defaults) = ("twostep-allow", "twostep-force", "twostep-defaults");
    let second = |mode| Fault { skip: 1, ..Fault::new("/token/init", mode) };
    let recent = version.is_recent();
    // Older servers make a token of both policies that can never be finished.
    let both = if recent { Enrolled } else { Undone(Code::TwoStepUnusable) };
    let mut plans = vec![
        plan("wanted and allowed, sizes by policy", TwoStep::Force, &[allow], Enrolled),
        plan("wanted and forced, sizes by policy", TwoStep::Force, &[force], Enrolled).person("bob"),
        plan("wanted and allowed, default sizes", TwoStep::Force, &[defaults], Enrolled),
        plan("wanted, and not offered", TwoStep::Force, &[], Undone(Code::TwoStepMissing)),
        plan("when offered, and it is", TwoStep::WhenOffered, &[allow], Enrolled).twin_only(),
        plan("when offered, and it is forced", TwoStep::WhenOffered, &[force], Enrolled).twin_only(),
        plan("when offered, and it is not", TwoStep::WhenOffered, &[], Enrolled).person("bob"),
        plan("never, and it is forced", TwoStep::Never, &[force], Declined(Code::PolicyForbids)).twin_only(),
        plan("eight digits", TwoStep::Force, &[allow], Enrolled)
            .profile(|profile| profile.digits = Digits::Eight)
            .twin_only(),
        plan("with a PIN, for bob", TwoStep::Force, &[allow], Enrolled).person("bob").pin("1234"),
        plan("verified, too", TwoStep::Force, &[allow, "verify-enrollment"], both),
        plan("challenge-response", TwoStep::Force, &[allow], Enrolled)
            .kind(Kind::ChallengeResponse)
            .profile(|profile| profile.two_step = TwoStep::Force),
        plan("challenge-response, forced, every 60 seconds", TwoStep::Force, &[force], Enrolled)
            .kind(Kind::ChallengeResponse)
            .profile(|profile| (profile.two_step, profile.period) = (TwoStep::Force, 60)),
        plan("challenge-response, default sizes", TwoStep::Force, &[defaults], Enrolled)
            .kind(Kind::ChallengeResponse)
            .profile(|profile| profile.two_step = TwoStep::Force),
        plan("the first answer lost", TwoStep::Force, &[allow], Enrolled)
            .fault(Fault::new("/token/init", Mode::Lost)),
        plan("the second answer lost", TwoStep::Force, &[allow], Enrolled).fault(second(Mode::Lost)),
        plan("the second answer cut in half", TwoStep::Force, &[allow], Enrolled)
            .fault(second(Mode::Truncate))
            .twin_only(),
        plan("the second request cut off", TwoStep::Force, &[allow], Enrolled).fault(second(Mode::Cut)),
        plan("the second request too early", TwoStep::Force, &[allow], Enrolled)
            .fault(Fault { status: 429, ..second(Mode::Status) })
            .twin_only(),
        // It is carried out after the station has asked what there is.
        plan("the second request too late", TwoStep::Force, &[allow], Enrolled)
            .patience(Duration::from_secs(3))
            .fault(Fault { delay: Duration::from_millis(4_500), ..second(Mode::Slow) })
            .twin_only(),
    ];
    if version == Version::V3_14 {
        plans.push(
            plan("no second answer ever", TwoStep::Force, &[allow], Undone(Code::OutcomeUnknown))
                .fault(Fault { shots: 30, ..second(Mode::Lost) })
                .twin_only(),
        );
    }
    plans
}
