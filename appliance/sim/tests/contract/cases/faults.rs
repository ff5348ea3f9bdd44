//! The network and the server fail, at each request of an enrollment in every way.
//!
//! A fault that happens once must not matter. One that lasts ends the enrollment, and how
//! depends on what it hits: nothing has changed yet, everything can be taken back, or
//! something is left for recovery.

use std::time::Duration;

use station::refusal::Code;
use twins::privacyidea::{Fault, Mode, Version};

use crate::plan::{Expect, Later, Plan};
use crate::request::{At, EVERYWHERE, PART_LASTING, PART_ONCE, WAYS, Way, fault};

use Expect::{Declined, Enrolled, Postponed, Refused, Undone};

/// Whether the server acts on the request.
const fn acts(way: Way) -> bool {
    matches!(way.mode, Mode::Truncate | Mode::Slow | Mode::Lost)
}

/// What a person is told when it lasts.
const fn code(way: Way, at: At) -> Code {
    match (way.mode, way.status) {
        (Mode::Status, 429 | 503) => Code::ServerBusy,
        (Mode::Status, _) => Code::ServerFault,
        (Mode::Html, _) => Code::AnswerUnreadable,
        _ if at.is_harmless() => Code::ServerUnreachable,
        _ => Code::OutcomeUnknown,
    }
}

/// How it ends when the fault happens once.
const fn once(at: At) -> Expect {
    match at {
        // The enrollment is being undone anyway: see `base`.
        At::Delete => Undone(Code::DigitsChanged),
        _ => Enrolled,
    }
}

/// How it ends when the fault lasts.
const fn lasting(at: At, way: Way) -> Expect {
    let code = code(way, at);
    match at {
        At::Login | At::FirstLook => Refused(code),
        // Too busy to look at the request: nothing was made that has to be taken back.
        At::Init if way.status == 429 => Declined(code),
        At::Init | At::Disable | At::Enable => Undone(code),
        // Nobody can be asked what is there, so nothing can be deleted either.
        At::SecondLook | At::LastLook => Postponed(code, Later::Gone),
        // The server acted, and shows it: that is as good as an answer.
        At::Check | At::Verify | At::Assign if acts(way) => Enrolled,
        At::Check | At::Verify => Undone(code),
        At::Assign => Postponed(code, Later::Counts),
        At::Note => Enrolled,
        At::Delete => Postponed(Code::DigitsChanged, Later::Gone),
    }
}

/// An enrollment that makes this request.
fn base(at: At, name: String, expect: Expect) -> Plan {
    let plan = Plan::new(name, expect);
    match at {
        At::Verify => plan.policies(&["verify-enrollment"]).person("bob"),
        // The policy changes the number of digits, so the token is deleted again.
        At::Delete => plan.policies(&["hotp-defaults"]),
        _ => plan.person("bob"),
    }
}

fn plan(at: At, way: Way, shots: u32, expect: Expect, patience: Duration) -> Plan {
    let often = if shots == 1 { "once".to_owned() } else { format!("{shots} times") };
    let plan = base(at, format!("faults / {} {often} at {at:?}", way.name), expect);
    let fault = fault(at, way, shots, patience);
    let plan = if way.mode == Mode::Slow { plan.patience(patience) } else { plan };
    // What the policy does to the second try is what it did to the first.
    if at == At::Delete || shots == 1 { plan.fault(fault) } else { plan.fault(fault).again() }
}

/// Every fault at every request, once and lasting: at a twin of the newest server. The others, and
/// real servers, get a part of it in which every way and every request occurs.
pub(super) fn plans(version: Version, real: bool) -> Vec<Plan> {
    let whole = version == Version::V3_14 && !real;
    // What is not slowed down must be there in time on a machine that is busy with four servers.
    let patience = Duration::from_millis(if real { 5000 } else { 3000 });
    let mut plans = Vec::new();
    for at in EVERYWHERE {
        for way in WAYS {
            if whole || PART_ONCE.contains(&(at, way.name)) {
                plans.push(plan(at, way, 1, once(at), patience));
            }
            // Here two calls in a row are tried until patience ends, so one way of each sort is enough.
            let long = matches!(at, At::SecondLook | At::LastLook) && !matches!(way.name, "500" | "cut");
            if (whole && !long) || PART_LASTING.contains(&(at, way.name)) {
                plans.push(plan(at, way, 50, lasting(at, way), patience));
            }
        }
    }
    plans.extend(passing(patience));
    plans
}

/// Faults that last longer than the engine's patience, but are over when it takes everything back;
/// and a server that is slow, but not too slow.
fn passing(patience: Duration) -> Vec<Plan> {
    let mut plans = Vec::new();
    for at in [At::SecondLook, At::LastLook] {
        for way in WAYS.into_iter().filter(|way| matches!(way.mode, Mode::Cut | Mode::Html)) {
            plans.push(plan(at, way, 5, Undone(code(way, at)), patience).twin_only());
        }
    }
    let slow = Fault { delay: Duration::from_millis(300), shots: 4, ..Fault::new("/token/", Mode::Slow) };
    plans.push(Plan::new("faults / slow, but not too slow", Enrolled).fault(slow).twin_only());
    plans
}
