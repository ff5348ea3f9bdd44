//! Policies of the server: what each preset does to an enrollment.

use station::profile::Verify;
use station::refusal::Code;
use twins::privacyidea::Version;

use crate::plan::{Before, Expect, Login, Plan};

use Expect::{Declined, Enrolled, Refused, Undone};

pub(super) fn plans(version: Version) -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    let recent = version.is_recent();
    // 3.9.3 and eduMFA have the right, but do not act upon it.
    let by_force = if recent { Undone(Code::SecretReplaced) } else { Enrolled };
    let mut plans = vec![
        plan("admin-rights", &["admin-rights"], Enrolled),
        plan("none", &[], Enrolled),
        plan("none, eight digits for bob", &[], Enrolled).eight_digits().person("bob"),
        plan("server-generates", &["server-generates"], by_force),
        plan("hotp-defaults, six digits", &["hotp-defaults"], Undone(Code::DigitsChanged)),
        plan("hotp-defaults, eight digits", &["hotp-defaults"], Undone(Code::HashChanged)).eight_digits(),
        plan("twostep-allow", &["twostep-allow"], Enrolled),
        plan("twostep-force", &["twostep-force"], Declined(Code::PolicyForbids)),
        plan("require-description", &["require-description"], Enrolled),
        plan("require-description, and none", &["require-description"], Declined(Code::PolicyForbids))
            .profile(|profile| profile.description = String::new()),
        plan("auth-max-fail, for carol", &["auth-max-fail"], Enrolled).person("carol"),
        plan("yubikey-access-code", &["yubikey-access-code"], Enrolled).twin_only(),
        plan("userstore-pin, for alice", &["userstore-pin"], Enrolled).person("alice"),
    ];
    if version == Version::V3_14 {
        plans.push(plan("hide-version", &["hide-version"], Enrolled));
    }
    if version.replaces_keys_without_policies() {
        // The one server that throws the secret away without being told to.
        plans.retain(|plan| plan.name != "policies / none");
    }
    plans.extend(verifying());
    plans.extend(pins());
    plans.extend(rights());
    plans.extend(limits());
    plans.extend(api_key_required());
    plans
}

fn verifying() -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    let verify = "verify-enrollment";
    let required = |plan: Plan| plan.profile(|profile| profile.verify = Verify::Required);
    vec![
        plan(verify, &[verify], Enrolled).twin_only(),
        plan("verify-enrollment, admin-rights", &[verify, "admin-rights"], Enrolled).twin_only(),
        plan("verify-enrollment, for bob", &[verify], Enrolled).person("bob"),
        plan("verify-enrollment, eight digits", &[verify], Enrolled).eight_digits().twin_only(),
        plan("verify-enrollment, pin-random", &[verify, "pin-random"], Refused(Code::RandomPin)),
        plan("verify-enrollment, pin-random, a PIN, for bob", &[verify, "pin-random"], Enrolled)
            .pin("abc123")
            .person("bob"),
        plan("verify-enrollment, api-key-required", &[verify, "api-key-required"], Enrolled),
        plan("verify-enrollment, hotp-defaults", &[verify, "hotp-defaults"], Undone(Code::DigitsChanged)),
        plan(
            "verify-enrollment, max-token-per-user, for bob who has one",
            &[verify, "max-token-per-user"],
            Undone(Code::AssignRefused),
        )
        .person("bob")
        .before(Before::Owned("bob")),
        required(plan("verify-enrollment, which the profile requires", &[verify], Enrolled)),
        required(plan("none, and the profile requires verify-enrollment", &[], Undone(Code::NotVerified))),
    ]
}

fn pins() -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    vec![
        plan("none, with a PIN, for bob", &[], Enrolled).pin("1234").person("bob"),
        // A PIN that nobody is told; and one that is put on the token when it is given to its person.
        plan("pin-random", &["pin-random"], Refused(Code::RandomPin)).twin_only(),
        plan("pin-random, a PIN, for nobody", &["pin-random"], Refused(Code::RandomPin))
            .pin("1234")
            .twin_only(),
        plan("pin-random, for bob", &["pin-random"], Refused(Code::RandomPin)).person("bob"),
        plan("pin-random, a PIN, for bob", &["pin-random"], Enrolled).pin("1234").person("bob"),
        plan("pin-quality, no PIN", &["pin-quality"], Declined(Code::PolicyForbids)),
        plan("pin-quality, a PIN too short", &["pin-quality"], Declined(Code::PolicyForbids)).pin("a1"),
        plan("pin-quality, a good PIN", &["pin-quality"], Enrolled).pin("abc123"),
        // The server applies its rule once more when the token is assigned.
        plan("pin-quality, a good PIN, for bob", &["pin-quality"], Enrolled).pin("abc123").person("bob"),
        plan("pin-quality, no PIN, for bob", &["pin-quality"], Declined(Code::PolicyForbids)).person("bob"),
        plan(
            "verify-enrollment, pin-quality, a good PIN, for bob",
            &["verify-enrollment", "pin-quality"],
            Enrolled,
        )
        .pin("abc123")
        .person("bob"),
        plan("pin-quality, pin-random, a good PIN, for bob", &["pin-quality", "pin-random"], Enrolled)
            .pin("abc123")
            .person("bob"),
        plan("pin-forbidden, no PIN", &["pin-forbidden"], Enrolled),
        plan("pin-forbidden, a PIN", &["pin-forbidden"], Refused(Code::RightMissing)).pin("1234"),
    ]
}

fn rights() -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    vec![
        plan("no-enroll", &["no-enroll"], Refused(Code::RightMissing)),
        // A key does not say which rights it has: only trying tells.
        plan("no-enroll, API key", &["no-enroll"], Declined(Code::PolicyForbids))
            .login(Login::ApiKey("admin")),
        plan("helpdesk-readonly, administrator", &["helpdesk-readonly"], Enrolled),
        plan("helpdesk-readonly, helpdesk", &["helpdesk-readonly"], Refused(Code::RightMissing))
            .login(Login::HELPDESK),
        plan("none, helpdesk", &[], Enrolled).login(Login::HELPDESK).twin_only(),
    ]
}

fn limits() -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    let (user, realm) = ("max-token-per-user", "max-token-per-realm");
    vec![
        plan("max-token-per-user, the first of bob", &[user], Enrolled).person("bob"),
        plan("max-token-per-user, the second of bob", &[user], Undone(Code::AssignRefused))
            .person("bob")
            .before(Before::Owned("bob")),
        plan("max-token-per-realm, the first", &[realm], Enrolled)
            .profile(|profile| profile.realm = Some("office".to_owned())),
        plan("max-token-per-realm, the second", &[realm], Declined(Code::PolicyForbids))
            .profile(|profile| profile.realm = Some("office".to_owned()))
            .before(Before::InRealm),
        // The server counts the token itself, in its realm since it was made, when it is assigned.
        plan("max-token-per-realm, the first, for bob", &[realm], Undone(Code::AssignRefused)).person("bob"),
        plan("max-token-per-realm, the second, for bob", &[realm], Declined(Code::PolicyForbids))
            .person("bob")
            .before(Before::InRealm),
        plan("max-token-per-realm, no realm", &[realm], Enrolled).before(Before::InRealm).twin_only(),
    ]
}

fn api_key_required() -> Vec<Plan> {
    let plan = |name: &str, policies: &[&'static str], expect| {
        Plan::new(format!("policies / {name}"), expect).policies(policies)
    };
    vec![
        plan("api-key-required, no key", &["api-key-required"], Undone(Code::PolicyForbids)),
        plan("api-key-required, with the key", &["api-key-required"], Enrolled).validate_key(),
    ]
}
