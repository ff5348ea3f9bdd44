//! What else a slot can hold, each with its own proof.

use keys::device::{Digits, Guard, Kind, Slot};
use station::profile::{PublicId, TokenId, Verify};
use station::refusal::Code;
use twins::privacyidea::{Fault, Mode, Version};

use crate::key::Held;
use crate::plan::{Before, Expect, Plan};

use Expect::{Declined, Enrolled, Refused, Undone};

pub(super) fn plans(version: Version) -> Vec<Plan> {
    [yubico_otp(version), challenge_response(), static_password(), behind_an_id(), ruled()].concat()
}

fn other(name: &str, kind: Kind, expect: Expect) -> Plan {
    Plan::new(format!("kinds / {name}"), expect).kind(kind)
}

/// In slot 2, with something foreign in slot 1.
fn in_slot_2(plan: Plan) -> Plan {
    plan.key(|key| (key.slot1, key.slot2) = (Held::Foreign, Held::Nothing))
        .profile(|profile| profile.slot = Slot(2))
}

fn yubico_otp(version: Version) -> Vec<Plan> {
    let plan = |name: &str, expect| other(&format!("yubico-otp, {name}"), Kind::YubicoOtp, expect);
    let id = |name: &str, id: PublicId| plan(name, Enrolled).profile(|profile| profile.public_id = id);
    let mut plans = vec![
        plan("a random public id", Enrolled),
        id("the serial as public id", PublicId::Serial).person("bob"),
        id("a fixed public id", PublicId::Fixed(vec![0x2d, 0x34, 0x4e, 0x83])).twin_only(),
        id("no public id", PublicId::None),
        in_slot_2(plan("slot 2", Enrolled)).twin_only(),
        plan("with a PIN, for jörg", Enrolled).person("jörg").pin("1234"),
        plan("verify-enrollment, which it knows not", Enrolled).policies(&["verify-enrollment"]),
        plan("twostep-force, which it knows not", Enrolled).policies(&["twostep-force"]),
        plan("no-enroll", Refused(Code::RightMissing)).policies(&["no-enroll"]),
        plan("an answer lost", Enrolled).fault(Fault::new("/token/init", Mode::Lost)),
        plan("a check whose answer is lost", Enrolled).fault(Fault::new("/validate/check", Mode::Lost)),
        plan("a check that fails for ever", Undone(Code::ServerFault))
            .fault(Fault { status: 500, shots: 20, ..Fault::new("/validate/check", Mode::Status) })
            .again()
            .twin_only(),
        plan("the same key twice", Enrolled).again().twin_only(),
    ];
    if version == Version::V3_14 {
        plans.push(
            plan("hotp-defaults, which are others'", Enrolled).policies(&["hotp-defaults"]).twin_only(),
        );
    }
    plans
}

fn challenge_response() -> Vec<Plan> {
    let plan =
        |name: &str, expect| other(&format!("challenge-response, {name}"), Kind::ChallengeResponse, expect);
    let verify = "verify-enrollment";
    vec![
        plan("without a touch", Enrolled),
        plan("with a touch, for bob", Enrolled).person("bob").profile(|profile| profile.guard = Guard::Touch),
        plan("eight digits", Enrolled).profile(|profile| profile.digits = Digits::Eight),
        plan("every 60 seconds", Enrolled).profile(|profile| profile.period = 60).twin_only(),
        in_slot_2(plan("slot 2", Enrolled)).twin_only(),
        plan("verify-enrollment", Enrolled).policies(&[verify]),
        plan("verify-enrollment, which the profile requires", Enrolled)
            .policies(&[verify])
            .profile(|profile| profile.verify = Verify::Required)
            .twin_only(),
        plan("with a PIN, for bob", Enrolled).person("bob").pin("1234").twin_only(),
        plan("a check whose answer is lost", Enrolled).fault(Fault::new("/validate/check", Mode::Lost)),
        plan("firmware 2.1, which has none", Refused(Code::FirmwareTooOld))
            .key(|key| key.firmware = keys::device::Firmware::new(2, 1, 2))
            .twin_only(),
    ]
}

fn static_password() -> Vec<Plan> {
    let plan = |name: &str, expect| other(&format!("static-password, {name}"), Kind::StaticPassword, expect);
    vec![
        plan("32 letters", Enrolled),
        plan("38 letters, for bob", Enrolled).person("bob").profile(|profile| profile.password_length = 38),
        plan("with a PIN", Enrolled).pin("1234").twin_only(),
        plan("verify-enrollment, which it knows not", Enrolled).policies(&["verify-enrollment"]),
        plan("an answer lost", Enrolled).fault(Fault::new("/token/init", Mode::Lost)),
        plan("a check whose answer is lost", Enrolled)
            .fault(Fault::new("/validate/check", Mode::Lost))
            .twin_only(),
    ]
}

fn behind_an_id() -> Vec<Plan> {
    let plan = |name: &str, id: TokenId, expect| {
        other(&format!("hotp behind an id, {name}"), Kind::Hotp, expect)
            .profile(|profile| profile.token_id = Some(id))
    };
    vec![
        plan("the serial", TokenId::Serial, Enrolled),
        plan(
            "a fixed one, eight digits, with a PIN, for bob",
            TokenId::Fixed("vvcbcdce".to_owned()),
            Enrolled,
        )
        .profile(|profile| profile.digits = Digits::Eight)
        .person("bob")
        .pin("1234"),
        plan(
            "pin-quality, which the id does not meet",
            TokenId::Fixed("cb".to_owned()),
            Declined(Code::PolicyForbids),
        )
        .policies(&["pin-quality"])
        .twin_only(),
        // What the key types is a part of the PIN, and the rule is applied to the assignment, too.
        plan(
            "pin-quality, which PIN and id meet together, for bob",
            TokenId::Fixed("vvcbcdce".to_owned()),
            Enrolled,
        )
        .policies(&["pin-quality"])
        .person("bob")
        .pin("12"),
        plan("pin-forbidden", TokenId::Serial, Refused(Code::RightMissing)).policies(&["pin-forbidden"]),
    ]
}

/// What the server's rules for PINs and its limits do to tokens that are not HOTP.
fn ruled() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (name, kind) in [
        ("yubico-otp", Kind::YubicoOtp),
        ("challenge-response", Kind::ChallengeResponse),
        ("static-password", Kind::StaticPassword),
    ] {
        let plan = |rule: &'static str, what: &str, expect| {
            other(&format!("{name}, {rule}, {what}"), kind, expect).policies(&[rule])
        };
        plans.extend([
            plan("pin-quality", "a good PIN", Enrolled).pin("abc123").twin_only(),
            plan("pin-quality", "a good PIN, for bob", Enrolled).pin("abc123").person("bob"),
            plan("pin-quality", "no PIN", Declined(Code::PolicyForbids)),
            plan("pin-random", "for bob", Refused(Code::RandomPin)).person("bob").twin_only(),
            plan("pin-random", "a PIN, for bob", Enrolled).pin("1234").person("bob"),
            plan("max-token-per-user", "the first of bob", Enrolled).person("bob").twin_only(),
            plan("max-token-per-user", "the second of bob", Undone(Code::AssignRefused))
                .person("bob")
                .before(Before::Owned("bob")),
            plan("max-token-per-realm", "the first", Enrolled)
                .profile(|profile| profile.realm = Some("office".to_owned()))
                .twin_only(),
            plan("max-token-per-realm", "the second", Declined(Code::PolicyForbids))
                .profile(|profile| profile.realm = Some("office".to_owned()))
                .before(Before::InRealm),
        ]);
    }
    plans
}
