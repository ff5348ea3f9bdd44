//! `/validate/check`.

use serde_json::json;
use twins::privacyidea::Request;

use super::Scenario;
use crate::otp::{KEY, hotp};
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("check: window", window),
    ("check: fail counter", fail_counter),
    ("check: pins", pins),
    ("check: mistakes", mistakes),
    ("check: users", users),
    ("check: otp only", otp_only),
    ("check: otp only, whatever the state", otp_only_states),
];

fn window(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "C1", "otpkey": KEY}));
    s.check("C1", &hotp(KEY, 10));
    s.check("C1", &hotp(KEY, 9));
    s.check("C1", &hotp(KEY, 9));
    s.check("C1", &hotp(KEY, 8));
    s.check("C1", &hotp(KEY, 20));
    s.check("C1", &hotp(KEY, 10));
    s.show("C1");
}

fn fail_counter(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "C2", "otpkey": KEY}));
    for _ in 0..11 {
        s.check("C2", "000000");
    }
    s.check("C2", &hotp(KEY, 0));
    s.show("C2");
    s.post("/token/reset", json!({"serial": "C2"}));
    s.check("C2", &hotp(KEY, 1));
    s.show("C2");
    s.init(json!({"type": "hotp", "serial": "C3", "otpkey": KEY, "pin": "abcd"}));
    s.check("C3", "wxyz000000");
    s.check("C3", &format!("wxyz{}", hotp(KEY, 0)));
    s.show("C3");
    s.check("C3", &format!("abcd{}", hotp(KEY, 0)));
    s.show("C3");
}

fn pins(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "C4", "otpkey": KEY}));
    s.check("C4", &format!("ubom01234567{}", hotp(KEY, 0)));
    s.check("C4", "12345");
    s.check("C4", "");
    s.check("C4", " ");
    s.post("/token/setpin", json!({"serial": "C4", "otppin": "Ä€"}));
    s.check("C4", &format!("Ä€{}", hotp(KEY, 1)));
    s.check("C4", "Ä€");
    s.show("C4");
}

fn mistakes(s: &mut Script<'_>) {
    let check = || Request::new("POST", "/validate/check");
    s.init(json!({"type": "hotp", "serial": "C5", "otpkey": KEY}));
    s.send(check().json(&json!({"pass": "123456"})));
    s.send(check().json(&json!({"serial": "C5"})));
    s.send(check().json(&json!({"user": "alice", "realm": "office"})));
    s.send(check().json(&json!({})));
    s.send(check().form("serial=C5&pass=755224"));
    s.send(Request::new("GET", "/validate/check?serial=C5&pass=287082"));
    s.send(check().json(&json!({"serial": "C5", "pass": 359152})));
}

fn users(s: &mut Script<'_>) {
    s.check_user("alice", "123456");
    s.check_user("nobody", "123456");
    let nowhere = json!({"user": "alice", "realm": "nowhere", "pass": "123456"});
    s.send(Request::new("POST", "/validate/check").json(&nowhere));
    s.init(json!({"type": "hotp", "serial": "C6", "otpkey": KEY, "user": "alice", "realm": "office"}));
    let other = "000102030405060708090a0b0c0d0e0f10111213";
    s.init(json!({"type": "hotp", "serial": "C7", "otpkey": other, "user": "alice", "realm": "office"}));
    s.check_user("alice", &hotp(other, 2));
    s.check_user("alice", "000000");
    s.check_user("alice", "0");
    s.send(Request::new("POST", "/validate/check").json(&json!({"user": "alice", "pass": hotp(KEY, 3)})));
    s.post("/token/disable", json!({"serial": "C7"}));
    s.check_user("alice", &hotp(other, 3));
    s.check_user("alice", "000000");
    s.get("/token/?user=alice&realm=office");
}

fn otp_only(s: &mut Script<'_>) {
    let check = |pass: String| {
        Request::new("POST", "/validate/check").json(&json!({"serial": "C8", "pass": pass, "otponly": 1}))
    };
    s.init(json!({"type": "hotp", "serial": "C8", "otpkey": KEY, "pin": "abcd"}));
    s.send(check(hotp(KEY, 0)));
    s.send(check(hotp(KEY, 0)));
    s.send(check(format!("abcd{}", hotp(KEY, 1))));
    s.show("C8");
    s.post("/token/disable", json!({"serial": "C8"}));
    s.send(check(hotp(KEY, 2)));
    s.show("C8");
}

fn otp_only_states(s: &mut Script<'_>) {
    let check = |serial: &str, pass: String| {
        Request::new("POST", "/validate/check").json(&json!({"serial": serial, "pass": pass, "otponly": 1}))
    };
    s.init(json!({"type": "hotp", "serial": "C9", "otpkey": KEY, "user": "alice", "realm": "office"}));
    for _ in 0..10 {
        s.check("C9", "000000");
    }
    s.send(check("C9", "000000".into()));
    s.send(check("C9", hotp(KEY, 0)));
    s.show("C9");
    s.post("/token/revoke", json!({"serial": "C9"}));
    s.send(check("C9", hotp(KEY, 1)));
    s.send(check("C9", "000000".into()));
    s.send(check("NONE", "000000".into()));
    let by_user = json!({"user": "alice", "realm": "office", "pass": hotp(KEY, 2), "otponly": 1});
    s.send(Request::new("POST", "/validate/check").json(&by_user));
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "C10", "otpkey": KEY}));
    s.send(check("C10", hotp(KEY, 0)));
    s.show("C10");
    s.init(json!({"type": "yubikey", "serial": "C11", "otpkey": "000102030405060708090a0b0c0d0e0f", "otplen": 44}));
    s.post("/token/disable", json!({"serial": "C11"}));
    s.send(check("C11", "vvcbcdcecfcgvftgvdntninfdtertrlegjigbvfdnrfk".into()));
    s.show("C11");
}
