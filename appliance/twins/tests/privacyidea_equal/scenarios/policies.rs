//! What each preset of policies does to a client.

use serde_json::json;
use twins::privacyidea::{Request, Version, preset_names};

use super::Scenario;
use crate::otp::{KEY, hotp, hotp_sha256};
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("policy: presets", presets),
    ("policy: admin rights", admin_rights),
    ("policy: server generates", server_generates),
    ("policy: hotp defaults", hotp_defaults),
    ("policy: pin quality", pin_quality),
    ("policy: pin random", pin_random),
    ("policy: pin forbidden", pin_forbidden),
    ("policy: no enroll", no_enroll),
    ("policy: helpdesk", helpdesk),
    ("policy: few rights", few_rights),
    ("policy: tokens per user", per_user),
    ("policy: tokens per realm", per_realm),
    ("policy: description", description),
    ("policy: failures", failures),
    ("policy: successes", successes),
    ("policy: api key", api_key),
    ("policy: passthru", passthru),
    ("policy: password as pin", userstore),
    ("policy: hide version", hide_version),
];

fn presets(s: &mut Script<'_>) {
    let late = |name: &str| name.starts_with("auth-max");
    let possible = |name: &&str| *name != "hide-version" || s.version == Version::V3_14;
    let mut names: Vec<&str> = preset_names().filter(possible).collect();
    // Each is set with a login of its own, which these would limit.
    names.sort_by_key(|name| late(name));
    for name in names {
        s.policy(name);
    }
    s.get("/policy/");
}

fn admin_rights(s: &mut Script<'_>) {
    s.policy("admin-rights");
    s.login("admin", "admin-password");
    s.init(json!({"type": "hotp", "serial": "PA1", "otpkey": KEY, "pin": "abcd"}));
    s.check("PA1", &format!("abcd{}", hotp(KEY, 0)));
    s.get("/auth/rights");
}

fn server_generates(s: &mut Script<'_>) {
    s.policy("server-generates");
    s.init(json!({"type": "hotp", "serial": "PS1", "otpkey": KEY}));
    s.init(json!({"type": "totp", "serial": "PS2", "otpkey": KEY}));
    s.init(json!({"type": "yubikey", "serial": "PS3", "otpkey": "000102030405060708090a0b0c0d0e0f", "otplen": 44}));
}

fn hotp_defaults(s: &mut Script<'_>) {
    s.policy("hotp-defaults");
    s.init(json!({"type": "hotp", "serial": "PD1", "otpkey": KEY, "otplen": 6, "hashlib": "sha1"}));
    s.show("PD1");
    s.check("PD1", &hotp_sha256(KEY, 0));
    s.init(json!({"type": "totp", "serial": "PD2", "otpkey": KEY}));
    s.show("PD2");
}

fn pin_quality(s: &mut Script<'_>) {
    s.policy("pin-quality");
    s.init(json!({"type": "hotp", "serial": "PQ1", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "PQ1", "otpkey": KEY, "pin": "ab1"}));
    s.init(json!({"type": "hotp", "serial": "PQ1", "otpkey": KEY, "pin": "abcdef"}));
    s.init(json!({"type": "hotp", "serial": "PQ1", "otpkey": KEY, "pin": "123456"}));
    s.init(json!({"type": "hotp", "serial": "PQ1", "otpkey": KEY, "pin": "abc123"}));
    s.post("/token/setpin", json!({"serial": "PQ1", "otppin": "abc"}));
    s.post("/token/setpin", json!({"serial": "PQ1", "otppin": "xyz987"}));
    s.post("/token/assign", json!({"serial": "PQ1", "user": "alice", "realm": "office"}));
    s.post("/token/assign", json!({"serial": "PQ1", "user": "alice", "realm": "office", "pin": "abc123"}));
    s.init(json!({"type": "yubikey", "serial": "PQ2", "otpkey": "000102030405060708090a0b0c0d0e0f", "otplen": 44}));
    s.init(json!({"type": "registration", "serial": "PQ3"}));
    s.show("PQ1");
}

fn pin_random(s: &mut Script<'_>) {
    s.policy("pin-random");
    s.init(json!({"type": "hotp", "serial": "PR1", "otpkey": KEY}));
    s.check("PR1", &hotp(KEY, 0));
    let check = json!({"serial": "PR1", "pass": hotp(KEY, 1), "otponly": 1});
    s.send(Request::new("POST", "/validate/check").json(&check));
    s.init(json!({"type": "hotp", "serial": "PR2", "otpkey": KEY, "pin": "abcd"}));
    s.check("PR2", &format!("abcd{}", hotp(KEY, 0)));
    s.post("/token/setpin", json!({"serial": "PR2", "otppin": "efgh"}));
    s.check("PR2", &format!("efgh{}", hotp(KEY, 0)));
}

fn pin_forbidden(s: &mut Script<'_>) {
    s.policy("pin-forbidden");
    s.init(json!({"type": "hotp", "serial": "PF1", "otpkey": KEY, "pin": "abcd"}));
    s.check("PF1", &hotp(KEY, 0));
    s.init(json!({"type": "hotp", "serial": "PF2", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "PF3", "otpkey": KEY, "pin": ""}));
    s.post("/token/setpin", json!({"serial": "PF2", "otppin": "abcd"}));
    s.post("/token/assign", json!({"serial": "PF2", "user": "alice", "realm": "office", "pin": "abcd"}));
    s.check("PF2", &format!("abcd{}", hotp(KEY, 0)));
    s.post("/token/set", json!({"serial": "PF2", "pin": "wxyz"}));
    s.check("PF2", &format!("wxyz{}", hotp(KEY, 0)));
}

fn no_enroll(s: &mut Script<'_>) {
    s.policy("no-enroll");
    s.login("admin", "admin-password");
    s.get("/auth/rights");
    for kind in ["hotp", "HOTP", "totp", "yubikey", "registration"] {
        s.init(json!({"type": kind, "serial": "PN1", "otpkey": "000102030405060708090a0b0c0d0e0f"}));
    }
    s.init(json!({"serial": "PN1", "otpkey": KEY}));
    s.init(json!({"type": "pw", "serial": "PN2", "otpkey": "geheim"}));
}

fn helpdesk(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "PH1", "otpkey": KEY}));
    s.policy("helpdesk-readonly");
    let jwt = s.login("helpdesk", "helpdesk-password").unwrap();
    let mut as_helpdesk = |method: &str, target: &str, body: Option<serde_json::Value>| {
        let request = Request::new(method, target).token(&jwt);
        s.send(match body {
            Some(body) => request.json(&body),
            None => request,
        });
    };
    let serial = |name: &str| Some(json!({"serial": name}));
    as_helpdesk("GET", "/auth/rights", None);
    as_helpdesk("GET", "/token/?serial=PH1", None);
    as_helpdesk("GET", "/user/?realm=office&username=alice", None);
    as_helpdesk("POST", "/token/init", Some(json!({"type": "hotp", "serial": "PH2", "otpkey": KEY})));
    as_helpdesk("POST", "/token/disable", serial("PH1"));
    as_helpdesk("POST", "/token/disable", serial("NONE"));
    as_helpdesk("POST", "/token/assign", Some(json!({"serial": "PH1", "user": "alice", "realm": "office"})));
    as_helpdesk("POST", "/token/setpin", Some(json!({"serial": "PH1", "otppin": "abcd"})));
    as_helpdesk("POST", "/token/description", Some(json!({"serial": "PH1", "description": "abcd"})));
    as_helpdesk("POST", "/token/info/PH1/station", Some(json!({"value": "abcd"})));
    as_helpdesk("POST", "/token/info/NONE/station", Some(json!({"value": "abcd"})));
    as_helpdesk("DELETE", "/token/PH1", None);
    as_helpdesk("DELETE", "/token/NONE", None);
    as_helpdesk("GET", "/token/getserial/123456", None);
    as_helpdesk("GET", "/policy/", None);
    as_helpdesk(
        "POST",
        "/policy/mine",
        Some(json!({"scope": "admin", "action": "enable", "active": true, "realm": ""})),
    );
    as_helpdesk("GET", "/realm/", None);
    as_helpdesk("POST", "/container/init", Some(json!({"type": "yubikey", "container_serial": "PHC"})));
    as_helpdesk("GET", "/container/", None);
}

fn few_rights(s: &mut Script<'_>) {
    s.post("/container/init", json!({"type": "yubikey", "container_serial": "PZC"}));
    s.policy("helpdesk-readonly");
    let body = json!({
        "scope": "admin", "action": "enrollHOTP, disable, delete", "adminuser": "helpdesk", "active": true, "realm": "",
    });
    s.post("/policy/enrolls", body);
    let jwt = s.login("helpdesk", "helpdesk-password").unwrap();
    let init = |body: serde_json::Value| Request::new("POST", "/token/init").token(&jwt).json(&body);
    let get = |target: &str| Request::new("GET", target).token(&jwt);
    s.send(get("/auth/rights"));
    s.send(init(json!({"type": "hotp", "serial": "PZ1", "otpkey": KEY, "container_serial": "PZC", "hotp.station": "a"})));
    // The key once more: a right of its own in the newest server.
    s.send(init(json!({"type": "hotp", "serial": "PZ1", "otpkey": KEY})));
    s.send(init(json!({"type": "hotp", "serial": "PZ2", "otpkey": KEY, "pin": "abcd"})));
    s.check("PZ2", &format!("abcd{}", hotp(KEY, 0)));
    s.check("PZ2", &hotp(KEY, 0));
    s.send(init(json!({"type": "totp", "serial": "PZ3", "otpkey": KEY})));
    s.send(init(json!({"type": "hotp", "serial": "PZ4", "otpkey": KEY, "user": "alice", "realm": "office"})));
    s.send(Request::new("POST", "/token/disable").token(&jwt).json(&json!({"serial": "PZ1"})));
    s.send(Request::new("POST", "/token/enable").token(&jwt).json(&json!({"serial": "PZ1"})));
    s.delete("/policy/helpdesk-readonly.1");
    // Without the right to list, the list is empty, and nothing says why.
    s.send(get("/token/?serial=PZ1"));
    s.send(get("/user/?realm=office&username=alice"));
    s.send(get("/audit/?serial=PZ1&sortorder=desc"));
    s.send(get("/realm/"));
    s.send(get("/defaultrealm"));
    s.send(Request::new("DELETE", "/token/PZ1").token(&jwt));
}

fn per_user(s: &mut Script<'_>) {
    s.policy("max-token-per-user");
    s.init(json!({"type": "hotp", "serial": "PU1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PU2", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PU1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PU2", "otpkey": KEY}));
    s.post("/token/assign", json!({"serial": "PU2", "user": "alice", "realm": "office"}));
    s.post("/token/assign", json!({"serial": "PU2", "user": "bob", "realm": "office"}));
    s.post("/token/disable", json!({"serial": "PU2"}));
    s.post("/token/enable", json!({"serial": "PU2"}));
}

fn per_realm(s: &mut Script<'_>) {
    s.policy("max-token-per-realm");
    s.init(json!({"type": "hotp", "serial": "PL1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PL2", "otpkey": KEY, "user": "bob", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PL2", "otpkey": KEY, "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PL1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "PL1", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "PL3", "otpkey": KEY}));
    s.post("/token/assign", json!({"serial": "PL3", "user": "bob", "realm": "office"}));
}

fn description(s: &mut Script<'_>) {
    s.policy("require-description");
    s.init(json!({"type": "hotp", "serial": "PX1", "otpkey": KEY}));
    s.init(json!({"serial": "PX1", "otpkey": KEY}));
    s.init(json!({"type": "HOTP", "serial": "PX2", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "PX1", "otpkey": KEY, "description": "desk"}));
    s.init(json!({"type": "hotp", "serial": "PX1", "otpkey": KEY}));
    s.init(json!({"type": "totp", "serial": "PX3", "otpkey": KEY}));
    s.init(json!({"type": "yubikey", "serial": "PX4", "otpkey": "000102030405060708090a0b0c0d0e0f"}));
    s.post("/token/description", json!({"serial": "PX1", "description": ""}));
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "PX5", "otpkey": KEY, "description": "desk"}));
    s.init(json!({"type": "hotp", "serial": "PX5", "verify": hotp(KEY, 0)}));
}

fn failures(s: &mut Script<'_>) {
    s.policy("auth-max-fail");
    s.init(json!({"type": "hotp", "serial": "PM1", "otpkey": KEY, "user": "jörg", "realm": "office"}));
    for _ in 0..4 {
        s.check_user("jörg", "000000");
    }
    s.check_user("jörg", &hotp(KEY, 0));
    s.check("PM1", &hotp(KEY, 1));
    s.show("PM1");
    for _ in 0..4 {
        s.login("helpdesk", "wrong");
    }
    s.login("helpdesk", "helpdesk-password");
    s.login("bob", "bob-password");
    s.wait(61);
    // Wrong again, but no longer too often.
    s.login("helpdesk", "wrong");
    s.check_user("jörg", &hotp(KEY, 3));
}

fn successes(s: &mut Script<'_>) {
    s.policy("auth-max-success");
    s.init(json!({"type": "hotp", "serial": "PM2", "otpkey": KEY, "user": "dave.o'neil", "realm": "office"}));
    for counter in 0..3 {
        s.check_user("dave.o'neil", &hotp(KEY, counter));
    }
    s.check("PM2", &hotp(KEY, 5));
    s.show("PM2");
    // The limit is on administrators as well.
    for _ in 0..3 {
        s.login("helpdesk", "helpdesk-password");
    }
    s.login("alice", "alice-password");
}

fn api_key(s: &mut Script<'_>) {
    s.policy("api-key-required");
    let validate = s.api_key("validate");
    let admin = s.login("admin", "admin-password").unwrap();
    s.init(json!({"type": "hotp", "serial": "PK1", "otpkey": KEY}));
    s.check("PK1", &hotp(KEY, 0));
    let check =
        || Request::new("POST", "/validate/check").json(&json!({"serial": "PK1", "pass": hotp(KEY, 0)}));
    s.send(check().token("nonsense"));
    s.send(check().token(&admin));
    s.send(check().token(&validate));
    s.send(Request::new("GET", "/token/").token(&validate));
}

fn passthru(s: &mut Script<'_>) {
    s.policy("passthru");
    s.check_user("carol", "carol-password");
    s.check_user("carol", "wrong");
    s.init(json!({"type": "hotp", "serial": "PP1", "otpkey": KEY, "user": "carol", "realm": "office"}));
    s.check_user("carol", "carol-password");
}

fn userstore(s: &mut Script<'_>) {
    s.policy("userstore-pin");
    s.init(json!({"type": "hotp", "serial": "PW1", "otpkey": KEY, "pin": "abcd", "user": "bob", "realm": "office"}));
    s.check_user("bob", &format!("abcd{}", hotp(KEY, 0)));
    s.check_user("bob", &format!("bob-password{}", hotp(KEY, 0)));
    s.init(json!({"type": "hotp", "serial": "PW2", "otpkey": KEY}));
    s.check("PW2", &hotp(KEY, 0));
}

fn hide_version(s: &mut Script<'_>) {
    if s.version != Version::V3_14 {
        return; // Older servers refuse the scope "hardening".
    }
    s.policy("hide-version");
    s.login("admin", "wrong");
    s.login("admin", "admin-password");
    s.check("NONE", "123456");
    s.send(Request::new("GET", "/token/"));
    s.send(Request::new("GET", "/token/").token("nonsense"));
    s.init(json!({"type": "hotp", "serial": "PV1", "otpkey": KEY}));
    s.check("PV1", &hotp(KEY, 0));
    s.get("/token/?serial=PV1");
}
