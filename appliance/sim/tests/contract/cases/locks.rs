//! Slots that get an access code in the end, and keys that are not welcome.

use std::sync::Arc;

use keys::device::{Firmware, Guard, Kind};
use keys::secret::AccessCode;
use station::access::{Codes, StationSecret};
use station::profile::{CodeTo, NewCode};
use station::refusal::Code;

use crate::plan::{Expect, Plan};

use Expect::{Enrolled, Refused};

/// A station that has a code for every key, and a secret.
pub(super) fn codes() -> Codes {
    Codes {
        table: None,
        fixed: Some(Arc::new(AccessCode::from_array(&[1, 2, 3, 4, 5, 6]))),
        secret: Some(Arc::new(StationSecret::new(b"station's secret"))),
    }
}

/// A plan by which the slot is locked in the end.
pub(super) fn locked(plan: Plan, new: NewCode, to: CodeTo) -> Plan {
    plan.codes(codes()).profile(|profile| (profile.new_access_code, profile.access_code_to) = (new, to))
}

pub(super) fn plans() -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("locks / {name}"), expect);
    let derived = |plan| locked(plan, NewCode::Derived, CodeTo::Server);
    let mut plans = vec![
        locked(plan("a fixed code", Enrolled), NewCode::Fixed, CodeTo::Server),
        derived(plan("a derived code, for bob", Enrolled)).person("bob"),
        locked(plan("a random code, kept by the server", Enrolled), NewCode::Random, CodeTo::Server).again(),
        locked(plan("a random code, handed over", Enrolled), NewCode::Random, CodeTo::HandOver),
        derived(plan("a Yubico OTP slot", Enrolled).kind(Kind::YubicoOtp)).twin_only(),
        derived(plan("a challenge-response slot with a touch", Enrolled).kind(Kind::ChallengeResponse))
            .profile(|profile| profile.guard = Guard::Touch)
            .twin_only(),
        derived(plan("a static password", Enrolled).kind(Kind::StaticPassword)).twin_only(),
        derived(plan("nobody gave a secret", Refused(Code::AccessCode))).codes(Codes::default()),
        locked(plan("nobody gave a code", Refused(Code::AccessCode)), NewCode::Fixed, CodeTo::Server)
            .codes(Codes::default())
            .twin_only(),
        plan("welcome by its serial", Enrolled)
            .welcome("[[welcome]]\nserials = ['20000000-29999999']")
            .twin_only(),
        plan("not welcome: too old", Refused(Code::NotWelcome)).welcome("[[welcome]]\nfirmware = '5.7-'"),
        plan("not welcome: not in stock", Refused(Code::NotWelcome))
            .welcome("[[welcome]]\nvendor = 'nitrokey'\n[[welcome]]\nserials = ['1-99']")
            .twin_only(),
    ];
    for (firmware, expect) in [
        (Firmware::new(2, 2, 3), Refused(Code::AccessCodeFixed)),
        (Firmware::new(2, 3, 0), Enrolled),
        (Firmware::new(3, 4, 9), Enrolled),
        // It says that it took a new code, and keeps the old one.
        (Firmware::new(4, 3, 2), Refused(Code::AccessCodeFixed)),
        (Firmware::new(4, 3, 5), Refused(Code::AccessCodeFixed)),
        (Firmware::new(4, 3, 7), Enrolled),
        (Firmware::new(5, 7, 1), Enrolled),
    ] {
        let plan = derived(plan(&format!("firmware {firmware}"), expect)).key(|key| key.firmware = firmware);
        plans.push(plan.twin_only());
    }
    plans
}
