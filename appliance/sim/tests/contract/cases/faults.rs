//! The network and the server fail, at each request of an enrollment in every way.
//!
//! A fault that happens once must not matter. One that lasts ends the enrollment, and how
//! depends on what it hits: nothing has changed yet, everything can be taken back, or
//! something is left for recovery.

use std::time::Duration;

use station::refusal::Code;
use twins::privacyidea::{Fault, Mode, Version};

use crate::plan::{Expect, Later, Plan};

use Expect::{Declined, Enrolled, Postponed, Refused, Undone};

/// The requests of an enrollment, in their order, and the one that only its undoing sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Login,
    FirstLook,
    Init,
    SecondLook,
    Disable,
    Enable,
    Check,
    Verify,
    LastLook,
    Assign,
    Note,
    Delete,
}

const EVERYWHERE: [At; 12] = [
    At::Login,
    At::FirstLook,
    At::Init,
    At::SecondLook,
    At::Disable,
    At::Enable,
    At::Check,
    At::Verify,
    At::LastLook,
    At::Assign,
    At::Note,
    At::Delete,
];

impl At {
    /// Method and path of the request, and how many of the same go before it.
    const fn request(self) -> (&'static str, &'static str, u32) {
        match self {
            Self::Login => ("POST", "/auth", 0),
            Self::FirstLook => ("GET", "/token/", 0),
            Self::Init => ("POST", "/token/init", 0),
            Self::SecondLook => ("GET", "/token/", 1),
            Self::Disable => ("POST", "/token/disable", 0),
            Self::Enable => ("POST", "/token/enable", 0),
            Self::Check => ("POST", "/validate/check", 0),
            Self::Verify => ("POST", "/token/init", 1),
            Self::LastLook => ("GET", "/token/", 2),
            Self::Assign => ("POST", "/token/assign", 0),
            Self::Note => ("POST", "/token/info", 0),
            Self::Delete => ("DELETE", "/token/", 0),
        }
    }

    /// Whether it only looks or logs in, so that a lost answer leaves nothing open.
    const fn is_harmless(self) -> bool {
        matches!(self, Self::Login | Self::FirstLook | Self::SecondLook | Self::LastLook)
    }
}

/// A way to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    name: &'static str,
    mode: Mode,
    status: u16,
}

const fn way(name: &'static str, mode: Mode, status: u16) -> Way {
    Way { name, mode, status }
}

const WAYS: [Way; 9] = [
    way("429", Mode::Status, 429),
    way("500", Mode::Status, 500),
    way("502", Mode::Status, 502),
    way("503", Mode::Status, 503),
    way("html", Mode::Html, 0),
    way("truncate", Mode::Truncate, 0),
    way("slow", Mode::Slow, 0),
    way("cut", Mode::Cut, 0),
    way("lost", Mode::Lost, 0),
];

impl Way {
    /// Whether the server acts on the request.
    const fn acts(self) -> bool {
        matches!(self.mode, Mode::Truncate | Mode::Slow | Mode::Lost)
    }

    /// What a person is told when it lasts.
    const fn code(self, at: At) -> Code {
        match (self.mode, self.status) {
            (Mode::Status, 429 | 503) => Code::ServerBusy,
            (Mode::Status, _) => Code::ServerFault,
            (Mode::Html, _) => Code::AnswerUnreadable,
            _ if at.is_harmless() => Code::ServerUnreachable,
            _ => Code::OutcomeUnknown,
        }
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
    let code = way.code(at);
    match at {
        At::Login | At::FirstLook => Refused(code),
        // Too busy to look at the request: nothing was made that has to be taken back.
        At::Init if way.status == 429 => Declined(code),
        At::Init | At::Disable | At::Enable => Undone(code),
        // Nobody can be asked what is there, so nothing can be deleted either.
        At::SecondLook | At::LastLook => Postponed(code, Later::Gone),
        // The server acted, and shows it: that is as good as an answer.
        At::Check | At::Verify | At::Assign if way.acts() => Enrolled,
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
    let (method, path, skip) = at.request();
    let often = if shots == 1 { "once".to_owned() } else { format!("{shots} times") };
    let plan = base(at, format!("faults / {} {often} at {at:?}", way.name), expect);
    // Late by less than the shortest pause between two tries: a request that acts after the next
    // one of its kind is a race that no client can win.
    let delay = patience + Duration::from_millis(120);
    let fault = Fault {
        method: method.to_owned(),
        status: if way.status == 0 { 503 } else { way.status },
        delay,
        shots,
        skip,
        ..Fault::new(path, way.mode)
    };
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
            plans.push(plan(at, way, 5, Undone(way.code(at)), patience).twin_only());
        }
    }
    let slow = Fault { delay: Duration::from_millis(300), shots: 4, ..Fault::new("/token/", Mode::Slow) };
    plans.push(Plan::new("faults / slow, but not too slow", Enrolled).fault(slow).twin_only());
    plans
}

/// Each way and each request at least once.
const PART_ONCE: &[(At, &str)] = &[
    (At::Login, "503"),
    (At::Login, "lost"),
    (At::FirstLook, "html"),
    (At::Init, "429"),
    (At::Init, "502"),
    (At::Init, "cut"),
    (At::Init, "lost"),
    (At::Init, "slow"),
    (At::Init, "truncate"),
    (At::SecondLook, "500"),
    (At::Disable, "lost"),
    (At::Enable, "cut"),
    (At::Check, "lost"),
    (At::Check, "slow"),
    (At::Verify, "lost"),
    (At::Verify, "cut"),
    (At::LastLook, "lost"),
    (At::Assign, "lost"),
    (At::Assign, "503"),
    (At::Note, "html"),
    (At::Delete, "lost"),
];

/// One of each kind of ending.
const PART_LASTING: &[(At, &str)] =
    &[(At::Login, "html"), (At::Check, "500"), (At::Assign, "cut"), (At::Delete, "cut")];
