//! What is done to tokens after they exist.

use serde_json::json;

use super::Scenario;
use crate::otp::{KEY, hotp};
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("manage: on and off", on_and_off),
    ("manage: unknown serial", unknown),
    ("manage: assign", assign),
    ("manage: revoke", revoke),
    ("manage: set", set),
    ("manage: info", info),
    ("manage: list", list),
    ("manage: resync", resync),
];

fn on_and_off(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "E1", "otpkey": KEY}));
    for verb in ["enable", "disable", "disable", "enable", "reset"] {
        s.post(&format!("/token/{verb}"), json!({"serial": "E1"}));
    }
    s.post("/token/disable/E1", json!({}));
    s.check("E1", &hotp(KEY, 0));
    s.check("E1", "000000");
    s.show("E1");
    s.post("/token/enable", json!({"serial": "E1"}));
    s.check("E1", &hotp(KEY, 0));
    s.check("E1", &hotp(KEY, 1));
    s.post("/token/disable", json!({}));
    s.delete("/token/E1");
    s.delete("/token/E1");
}

fn unknown(s: &mut Script<'_>) {
    for verb in ["enable", "disable", "reset", "revoke", "unassign"] {
        s.post(&format!("/token/{verb}"), json!({"serial": "NONE"}));
    }
    s.post("/token/assign", json!({"serial": "NONE", "user": "alice", "realm": "office"}));
    s.post("/token/setpin", json!({"serial": "NONE", "otppin": "abcd"}));
    s.post("/token/description", json!({"serial": "NONE", "description": "x"}));
    s.post("/token/set", json!({"serial": "NONE", "count_window": 5}));
    s.post("/token/info/NONE/station", json!({"value": "x"}));
    s.post("/token/resync", json!({"serial": "NONE", "otp1": "123456", "otp2": "123456"}));
    s.delete("/token/NONE");
    s.check("NONE", "123456");
    s.get("/token/?serial=NONE");
    s.get("/token/getserial/123456?serial=NONE");
}

fn assign(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "A1", "otpkey": KEY, "pin": "abcd"}));
    s.check("A1", "abcd000000");
    s.post("/token/assign", json!({"serial": "A1", "user": "bob", "realm": "office"}));
    s.show("A1");
    s.post("/token/assign", json!({"serial": "A1", "user": "bob", "realm": "office"}));
    s.post("/token/assign", json!({"serial": "A1", "user": "alice", "realm": "office"}));
    s.check_user("bob", &format!("abcd{}", hotp(KEY, 0)));
    s.check_user("alice", &format!("abcd{}", hotp(KEY, 1)));
    s.post("/token/unassign", json!({"serial": "A1"}));
    s.show("A1");
    s.check("A1", &format!("abcd{}", hotp(KEY, 1)));
    s.check("A1", &hotp(KEY, 1));
    s.post("/token/unassign", json!({"serial": "A1"}));
    s.post("/token/assign", json!({"serial": "A1", "user": "nobody", "realm": "office"}));
    s.post("/token/assign", json!({"serial": "A1", "user": "alice", "realm": "nowhere"}));
    s.post("/token/assign", json!({"serial": "A1"}));
    s.post("/token/assign", json!({"user": "alice", "realm": "office"}));
    s.post("/token/assign", json!({"serial": "A1", "user": "alice", "realm": "office", "pin": "efgh"}));
    s.check_user("alice", &format!("efgh{}", hotp(KEY, 2)));
    s.show("A1");
}

fn revoke(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "RV1", "otpkey": KEY}));
    s.post("/token/revoke", json!({"serial": "RV1"}));
    s.show("RV1");
    s.check("RV1", &hotp(KEY, 0));
    for verb in ["revoke", "enable", "disable", "reset", "unassign"] {
        s.post(&format!("/token/{verb}"), json!({"serial": "RV1"}));
    }
    s.post("/token/assign", json!({"serial": "RV1", "user": "alice", "realm": "office"}));
    s.post("/token/setpin", json!({"serial": "RV1", "otppin": "abcd"}));
    s.post("/token/description", json!({"serial": "RV1", "description": "gone"}));
    s.post("/token/set", json!({"serial": "RV1", "count_window": 5}));
    s.post("/token/resync", json!({"serial": "RV1", "otp1": hotp(KEY, 0), "otp2": hotp(KEY, 1)}));
    s.delete("/token/info/RV1/tokenkind");
    s.post("/token/info/RV1/why", json!({"value": "lost"}));
    s.show("RV1");
    s.delete("/token/RV1");
}

fn set(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "S1", "otpkey": KEY}));
    s.post("/token/set", json!({"serial": "S1", "count_window": 20, "max_failcount": 5, "sync_window": 500}));
    s.post("/token/set", json!({"serial": "S1", "hashlib": "sha256"}));
    s.post("/token/set", json!({"serial": "S1", "pin": "geheim"}));
    s.post("/token/set", json!({"serial": "S1", "description": "x".repeat(90)}));
    s.post("/token/set", json!({"serial": "S1"}));
    s.post("/token/set", json!({"serial": "S1", "count_window": "many"}));
    s.show("S1");
    s.post("/token/setpin", json!({"serial": "S1", "otppin": "abcd"}));
    s.post("/token/setpin", json!({"serial": "S1"}));
    s.post("/token/setpin", json!({"serial": "S1", "otppin": ""}));
    s.post("/token/description", json!({"serial": "S1", "description": "y".repeat(90)}));
    s.post("/token/description", json!({"serial": "S1"}));
    s.post("/token/description", json!({"serial": "S1", "description": ""}));
    s.show("S1");
}

fn info(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "I1", "otpkey": KEY}));
    s.post("/token/info/I1/station", json!({"value": "desk-1"}));
    s.post("/token/info/I1/enroll.receipt", json!({"value": "0123abcd"}));
    s.post("/token/info/I1/hotp.firmware", json!({"value": "5.7.1"}));
    s.post("/token/info/I1/station", json!({}));
    s.post("/token/info/I1/number", json!({"value": 7}));
    s.show("I1");
    s.post("/token/info/I1/hashlib", json!({"value": "sha256"}));
    s.post("/token/info/I1/tokenkind", json!({"value": "hardware"}));
    s.post("/token/info/I1/count_auth", json!({"value": "7"}));
    s.show("I1");
    s.delete("/token/info/I1/station");
    s.delete("/token/info/I1/station");
    s.init(json!({"type": "hotp", "serial": "I1", "otpkey": KEY}));
    s.show("I1");
}

fn list(s: &mut Script<'_>) {
    for (serial, description) in [("L1", "red"), ("L2", "blue"), ("L3", "red and blue")] {
        s.init(json!({"type": "hotp", "serial": serial, "otpkey": KEY, "description": description}));
    }
    s.init(json!({"type": "totp", "serial": "L4", "otpkey": KEY}));
    s.post("/token/disable", json!({"serial": "L2"}));
    s.post("/token/info/L3/station", json!({"value": "desk-1"}));
    for query in [
        "",
        "serial=L*",
        "serial=*2",
        "serial=l1",
        "serial=L",
        "type=totp",
        "type=TOTP",
        "tokentype=totp",
        "active=False",
        "active=true",
        "description=red",
        "description=*blue*",
        "infokey=station&infovalue=desk-1",
        "rollout_state=verify",
        "pagesize=2&page=2",
        "pagesize=2&page=9",
        "user=alice",
        "user=nobody",
    ] {
        s.get(&format!("/token/?{query}"));
    }
    // Asking for a serial moves the counters.
    s.get(&format!("/token/getserial/{}?serial=L1", hotp(KEY, 2)));
    s.show("L1");
    s.get(&format!("/token/getserial/{}", hotp(KEY, 3)));
    s.show("L1");
    s.show("L2");
    s.get(&format!("/token/getserial/{}?serial=L2", hotp(KEY, 3)));
    s.get("/token/getserial/000000?serial=L");
    s.get("/token/getserial/000000?serial=L&count=1");
}

fn resync(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "Z1", "otpkey": KEY}));
    s.check("Z1", &hotp(KEY, 50));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": hotp(KEY, 50), "otp2": hotp(KEY, 52)}));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": hotp(KEY, 50), "otp2": hotp(KEY, 51)}));
    s.show("Z1");
    s.check("Z1", &hotp(KEY, 52));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": hotp(KEY, 10), "otp2": hotp(KEY, 11)}));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": hotp(KEY, 1052), "otp2": hotp(KEY, 1053)}));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": hotp(KEY, 1060), "otp2": hotp(KEY, 1061)}));
    s.post("/token/resync", json!({"serial": "Z1", "otp1": "1"}));
    s.show("Z1");
}
