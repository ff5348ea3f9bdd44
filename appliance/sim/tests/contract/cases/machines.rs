//! Servers that are several machines behind one name: what was done shows late.
//!
//! How recovery goes on at such a server, the crash explorer tries; here it shows everything by then.

use std::time::Duration;

use station::refusal::Code;
use twins::privacyidea::{Fault, Lag, Mode};

use crate::plan::{Expect, Later, Plan};

use Expect::{Enrolled, Postponed, Undone};

/// Longer than anybody is kept waiting at the desk, and shorter than a case may take.
const LONG: Duration = Duration::from_secs(14);

const SECOND: Duration = Duration::from_millis(1_100);

pub(super) fn plans() -> Vec<Plan> {
    let none = Lag::default();
    let plan = |name: &str, lag: Lag, expect| Plan::new(format!("machines / {name}"), expect).behind(lag);
    let lost = |path: &str, shots| Fault { shots, ..Fault::new(path, Mode::Lost) };
    vec![
        plan("reads lag a second, for bob", Lag { reads: SECOND, ..none }, Enrolled).person("bob"),
        plan("reads lag a second, verify-enrollment, for bob", Lag { reads: SECOND, ..none }, Enrolled)
            .policies(&["verify-enrollment"])
            .person("bob"),
        plan("reads lag a second, an assignment lost", Lag { reads: SECOND, ..none }, Enrolled)
            .person("bob")
            .fault(lost("/token/assign", 1)),
        plan("reads lag a second, a check lost", Lag { reads: SECOND, ..none }, Enrolled)
            .fault(lost("/validate/check", 1)),
        plan("reads lag longer", Lag { reads: LONG, ..none }, Postponed(Code::ServerLags, Later::Gone)),
        plan(
            "reads lag longer, registrations lost",
            Lag { reads: LONG, ..none },
            Postponed(Code::OutcomeUnknown, Later::Gone),
        )
        .fault(lost("/token/init", 50)),
        plan("two take turns, a second apart, for bob", Lag { machines: SECOND, ..none }, Enrolled)
            .person("bob"),
        plan("two take turns, longer apart, for bob", Lag { machines: LONG, ..none }, Enrolled).person("bob"),
        plan("deletes late", Lag { deletions: SECOND, ..none }, Undone(Code::DigitsChanged))
            .policies(&["hotp-defaults"]),
        plan("deletes later", Lag { deletions: LONG, ..none }, Postponed(Code::DigitsChanged, Later::Gone))
            .policies(&["hotp-defaults"]),
    ]
}
