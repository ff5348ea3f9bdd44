//! What the server twin promises beyond being equal to a server: that it can be
//! replayed, forked, broken on demand, and fed with anything.

#![cfg(test)]

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use twins::privacyidea::{Fault, Mode, Options, Outcome, Request, ServerTwin, Version, preset_names};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const KEY: &str = "3132333435363738393031323334353637383930";

fn login(twin: &mut ServerTwin, now: Duration) -> String {
    let body = json!({"username": "admin", "password": "admin-password"});
    let answer = twin.handle(&Request::new("POST", "/auth").json(&body), now).json().unwrap();
    answer["result"]["value"]["token"].as_str().unwrap().to_owned()
}

fn init(jwt: &str, serial: &str) -> Request {
    let body = json!({"type": "hotp", "serial": serial, "otpkey": KEY});
    Request::new("POST", "/token/init").token(jwt).json(&body)
}

fn check(serial: &str, pass: &str) -> Request {
    Request::new("POST", "/validate/check").json(&json!({"serial": serial, "pass": pass}))
}

fn accepted(twin: &mut ServerTwin, request: &Request) -> bool {
    twin.handle(request, NOW).json().unwrap()["result"]["value"] == true
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let play = |seed| {
        let mut twin = ServerTwin::new(Options { seed, ..Options::default() });
        let jwt = login(&mut twin, NOW);
        let body = json!({"type": "registration", "user": "carol", "realm": "office"});
        let code = twin.handle(&Request::new("POST", "/token/init").token(&jwt).json(&body), NOW);
        (jwt, code.body)
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}

#[test]
fn a_clone_is_another_future() {
    let mut twin = ServerTwin::new(Options::default());
    let jwt = login(&mut twin, NOW);
    twin.handle(&init(&jwt, "UBOM1_1"), NOW);
    let mut other = twin.clone();
    assert!(accepted(&mut twin, &check("UBOM1_1", "755224")));
    assert!(!accepted(&mut twin, &check("UBOM1_1", "755224")));
    assert!(accepted(&mut other, &check("UBOM1_1", "755224")));
    assert_eq!((twin.token("UBOM1_1").unwrap().count, other.token("UBOM1_1").unwrap().failcount), (1, 0));
}

#[test]
fn a_token_counts_exactly_when_its_otp_does() {
    let mut twin = ServerTwin::new(Options::default());
    let jwt = login(&mut twin, NOW);
    let post = |verb: &str| {
        Request::new("POST", &format!("/token/{verb}")).token(&jwt).json(&json!({"serial": "UBOM1_1"}))
    };
    let agree = |twin: &mut ServerTwin, expected: bool| {
        assert_eq!(twin.counts("UBOM1_1", NOW), expected);
        // On a copy, so that the question changes nothing.
        let count = twin.token("UBOM1_1").map_or(0, |token| token.count);
        let otps = ["755224", "287082", "359152", "969429", "338314"];
        let otp = otps[usize::try_from(count).unwrap()];
        assert_eq!(accepted(&mut twin.clone(), &check("UBOM1_1", otp)), expected);
    };
    agree(&mut twin, false);
    twin.handle(&init(&jwt, "UBOM1_1"), NOW);
    agree(&mut twin, true);
    twin.handle(&post("disable"), NOW);
    agree(&mut twin, false);
    twin.handle(&post("enable"), NOW);
    twin.token_mut("UBOM1_1").unwrap().failcount = 10;
    agree(&mut twin, false);
    twin.handle(&post("reset"), NOW);
    agree(&mut twin, true);
    twin.policy_set("verify-enrollment").unwrap();
    twin.handle(&init(&jwt, "UBOM1_1"), NOW);
    agree(&mut twin, false);
    twin.handle(&Request::new("DELETE", "/token/UBOM1_1").token(&jwt), NOW);
    agree(&mut twin, false);
}

#[test]
fn a_lost_answer_is_lost_after_the_deed() {
    let mut twin = ServerTwin::new(Options::default());
    let jwt = login(&mut twin, NOW);
    twin.fault_add(Fault::new("/token/init", Mode::Cut));
    twin.fault_add(Fault::new("/token/init", Mode::Lost));
    twin.fault_add(Fault::new("/token/init", Mode::Truncate));
    twin.fault_add(Fault { delay: Duration::from_secs(3), ..Fault::new("/token/init", Mode::Slow) });
    assert!(matches!(twin.receive(&init(&jwt, "A"), NOW), Outcome::CutBefore));
    assert!(twin.token("A").is_none());
    assert!(matches!(twin.receive(&init(&jwt, "B"), NOW), Outcome::ActThenCut));
    assert!(twin.token("B").is_some());
    let Outcome::Truncate { response, sent } = twin.receive(&init(&jwt, "C"), NOW) else {
        panic!("not truncated")
    };
    assert!(twin.token("C").is_some() && sent < response.body.len());
    assert!(matches!(twin.receive(&init(&jwt, "D"), NOW), Outcome::Delay(d) if d.as_secs() == 3));
    assert!(twin.token("D").is_none());
    assert!(matches!(twin.receive(&init(&jwt, "D"), NOW), Outcome::Answer(_)));
}

#[test]
fn a_session_ends_by_the_twins_clock() {
    let mut twin = ServerTwin::new(Options::default());
    let jwt = login(&mut twin, NOW);
    let list = Request::new("GET", "/token/").token(&jwt);
    assert_eq!(twin.handle(&list, NOW + Duration::from_secs(3599)).status, 200);
    let late = twin.handle(&list, NOW + Duration::from_secs(3600));
    assert_eq!((late.status, late.json().unwrap()["result"]["error"]["code"].clone()), (401, json!(4305)));
}

#[test]
fn the_seed_is_where_a_test_can_see_it() {
    let mut twin = ServerTwin::new(Options::default());
    let jwt = login(&mut twin, NOW);
    twin.handle(&init(&jwt, "UBOM1_1"), NOW);
    assert_eq!(twin.token("UBOM1_1").unwrap().secret_for_tests(), b"12345678901234567890");
}

#[test]
fn every_preset_can_be_set_on_every_version() {
    for version in Version::ALL {
        for name in preset_names() {
            let mut twin = ServerTwin::new(Options { version, ..Options::default() });
            twin.policy_set(name).unwrap();
            login(&mut twin, NOW);
        }
    }
    assert!(ServerTwin::new(Options::default()).policy_set("nonsense").is_err());
}

/// Values that are almost what the server expects.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}|[0-9a-f]{40}|ä€|UB.{0,4}|[cbdefghijklnrtuv]{44}|[A-Z2-7]{20}".prop_map(Value::from),
        Just(json!(["x"])),
        Just(json!({"a": 1})),
    ]
}

fn parameters() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "type",
        "serial",
        "otpkey",
        "genkey",
        "otplen",
        "hashlib",
        "pin",
        "description",
        "user",
        "realm",
        "verify",
        "2stepinit",
        "otpkeyformat",
        "timeStep",
        "rollover",
        "pass",
        "otponly",
        "otp1",
        "otp2",
        "otppin",
        "value",
        "count_window",
        "scope",
        "action",
        "active",
        "container_serial",
        "2step_clientsize",
        "2step_difficulty",
        "validity_period_end",
        "page",
        "pagesize",
        "username",
        "password",
    ]);
    let kind = prop::sample::select(vec!["hotp", "totp", "yubikey", "registration", "pw", "certificate"]);
    (prop::collection::btree_map(name, value(), 0..6), prop::option::of(kind)).prop_map(|(map, kind)| {
        let mut body: serde_json::Map<String, Value> = map.into_iter().map(|(k, v)| (k.into(), v)).collect();
        // A thousand rounds of hashing are enough for a test.
        body.entry("2step_difficulty").and_modify(|v| *v = json!(1000));
        if let Some(kind) = kind {
            body.insert("type".into(), kind.into());
            body.insert("serial".into(), "S".into());
        }
        Value::Object(body)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_parameters_are_answered(
        version in prop::sample::select(Version::ALL.to_vec()),
        preset in prop::sample::select(preset_names().collect::<Vec<_>>()),
        calls in prop::collection::vec((any::<prop::sample::Index>(), parameters()), 1..12),
    ) {
        let targets = [
            ("POST", "/token/init"), ("POST", "/token/init"), ("POST", "/validate/check"), ("GET", "/token/"),
            ("POST", "/token/set"), ("POST", "/token/assign"), ("POST", "/token/resync"), ("POST", "/token/setpin"),
            ("POST", "/policy/p"), ("POST", "/container/init"), ("POST", "/auth"), ("POST", "/token/info/S/k"),
            ("GET", "/token/getserial/123456"), ("DELETE", "/token/S"), ("POST", "/token/unassign"),
        ];
        let mut twin = ServerTwin::new(Options { version, ..Options::default() });
        let jwt = login(&mut twin, NOW);
        twin.policy_set(preset).unwrap();
        for (target, body) in calls {
            let (method, path) = targets[target.index(targets.len())];
            let response = twin.handle(&Request::new(method, path).token(&jwt).json(&body), NOW);
            prop_assert!(response.json().is_some() || response.status >= 300);
        }
    }

    #[test]
    fn any_bytes_are_answered(
        method in "GET|POST|DELETE|PUT|[A-Z]{0,5}",
        target in "/?((token|auth|validate|policy|container|user|realm|healthz|init|check|info)/?){0,4}[ -~]{0,12}",
        kind in "application/json|application/x-www-form-urlencoded|.{0,12}",
        token in ".{0,40}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut twin = ServerTwin::new(Options::default());
        let mut request = Request::new(&method, &target).header("Content-Type", &kind).token(&token);
        request.body = body;
        prop_assert!(twin.handle(&request, NOW).status >= 200);
    }
}
