//! Whom the token is for.

use station::refusal::Code;

use crate::plan::{Expect, Plan};

use Expect::{Enrolled, Undone};

pub(super) fn plans() -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("people / {name}"), expect);
    vec![
        plan("bob", Enrolled).person("bob"),
        plan("jörg", Enrolled).person("jörg"),
        plan("dave.o'neil, with a PIN of other letters", Enrolled).person("dave.o'neil").pin("Grüße 7"),
        plan("jörg, verify-enrollment", Enrolled).person("jörg").policies(&["verify-enrollment"]),
        plan("nobody, in a realm", Enrolled).profile(|profile| profile.realm = Some("office".to_owned())),
        plan("bob, and the profile names his realm", Enrolled)
            .person("bob")
            .profile(|profile| profile.realm = Some("office".to_owned()))
            .twin_only(),
        plan("an unknown user", Undone(Code::PersonUnknown)).person("nobody"),
        plan("an unknown realm", Undone(Code::PersonUnknown)).person_in("bob", "nowhere"),
        plan("bob, and his realm in other letters", Enrolled).person_in("bob", "Office"),
        plan("a login with @ that nobody has", Undone(Code::PersonUnknown)).person("bob@mail.example"),
        plan("a login in other letters", Undone(Code::PersonUnknown)).person("BOB"),
        plan("a login with a star", Undone(Code::PersonUnknown)).person("bob*"),
        plan("a login whose umlaut is two code points", Undone(Code::PersonUnknown)).person("jo\u{308}rg"),
        plan("a login with an apostrophe that nobody has", Undone(Code::PersonUnknown)).person("o'neil"),
        // The server would take these for bob.
        plan("a login that begins like no domain", Undone(Code::AssignRefused)).person("x\\bob"),
        plan("a login that ends like a realm", Undone(Code::AssignRefused)).person("bob@office"),
        plan("a login that begins like a domain", Undone(Code::AssignRefused)).person("OFFICE\\bob"),
    ]
}
