//! Users, realms, policies, containers.

use serde_json::json;

use super::Scenario;
use crate::otp::KEY;
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("directory: users", users),
    ("directory: policies", policies),
    ("directory: containers", containers),
    ("directory: audit", audit),
];

fn users(s: &mut Script<'_>) {
    for target in [
        "/user/?realm=office&username=*",
        "/user/?realm=office&username=alice",
        "/user/?realm=office&username=ALICE",
        "/user/?realm=office&username=a*",
        "/user/?realm=office&username=j%C3%B6rg",
        "/user/?realm=office&username=dave.o%27neil",
        "/user/?realm=office&username=nobody",
        "/user/?realm=nowhere&username=*",
        "/user/?username=bob",
        "/user/",
        "/user/?realm=office&email=alice%40example.test",
        "/user/?realm=office&givenname=Alice",
        "/realm/",
        "/defaultrealm",
    ] {
        s.get(target);
    }
}

fn policies(s: &mut Script<'_>) {
    s.get("/policy/yubikey-access-code.0");
    s.policy("yubikey-access-code");
    s.get("/policy/yubikey-access-code.0");
    let body = json!({"scope": "enrollment", "action": "otp_pin_random=8, verify_enrollment=hotp totp", "active": true, "realm": ""});
    s.post("/policy/mine", body);
    s.get("/policy/mine");
    s.post(
        "/policy/mine",
        json!({"scope": "enrollment", "action": {"otp_pin_random": 6}, "active": false, "realm": "office"}),
    );
    s.get("/policy/mine");
    s.delete("/policy/mine");
    s.delete("/policy/mine");
    s.post("/policy/other", json!({"scope": "enrollment", "realm": ""}));
    s.post("/policy/other", json!({"action": "enable", "realm": ""}));
    s.post("/policy/other", json!({"scope": "enrollment", "action": "otp_pin_random=8"}));
    s.post("/policy/other2", json!({"scope": "enrollment", "action": "otp_pin_random=8", "realm": ""}));
    s.post("/policy/other3", json!({"scope": "enrollment", "action": "otp_pin_random=8", "active": true}));
    s.post(
        "/policy/other4",
        json!({"scope": "enrollment", "action": "otp_pin_random=8", "active": "False", "realm": ""}),
    );
    s.post(
        "/policy/other5",
        json!({"scope": "enrollment", "action": "otp_pin_random=8", "active": 0, "realm": ""}),
    );
    s.post(
        "/policy/other6",
        json!({"scope": "enrollment", "action": "otp_pin_random=8", "active": false, "realm": ""}),
    );
    s.post(
        "/policy/other6",
        json!({"scope": "enrollment", "action": "otp_pin_random=8", "active": true, "realm": ""}),
    );
    s.get("/policy/");
}

fn containers(s: &mut Script<'_>) {
    s.get("/container/types");
    s.post(
        "/container/init",
        json!({"type": "yubikey", "container_serial": "YUBI-1", "description": "a key"}),
    );
    s.post("/container/init", json!({"type": "yubikey", "container_serial": "YUBI-1"}));
    s.post("/container/init", json!({"type": "toaster", "container_serial": "YUBI-2"}));
    s.post("/container/init", json!({"container_serial": "YUBI-2"}));
    s.post(
        "/container/init",
        json!({"type": "yubikey", "container_serial": "YUBI-3", "user": "alice", "realm": "office"}),
    );
    s.init(json!({"type": "hotp", "serial": "C1", "otpkey": KEY, "container_serial": "YUBI-1"}));
    s.init(json!({"type": "hotp", "serial": "C2", "otpkey": KEY, "container_serial": "YUBI-none"}));
    s.init(json!({"type": "totp", "serial": "C3", "otpkey": KEY, "container_serial": "YUBI-1"}));
    s.show("C1");
    s.show("C2");
    // An error was answered, but the token is there.
    s.show("C3");
    s.get("/container/?container_serial=YUBI-1");
    s.get("/container/?container_serial=YUBI-3");
    s.post("/container/YUBI-1/add", json!({"serial": "C2"}));
    s.post("/container/YUBI-1/add", json!({"serial": "C2"}));
    s.post("/container/YUBI-1/add", json!({"serial": "NONE"}));
    s.post("/container/YUBI-1/remove", json!({"serial": "C2"}));
    s.post("/container/YUBI-1/remove", json!({"serial": "C2"}));
    s.delete("/container/YUBI-1");
    s.delete("/container/YUBI-1");
    s.show("C1");
}

fn audit(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "AU1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.init(json!({"type": "totp", "serial": "AU1", "otpkey": KEY}));
    s.post("/token/disable", json!({"serial": "AU1"}));
    s.post("/token/enable/AU1", json!({}));
    s.check("AU1", "000000");
    s.delete("/token/AU1");
    s.get("/audit/?serial=AU1&sortorder=asc");
    s.get("/audit/?serial=AU1&action=*token/init*&sortorder=desc");
    s.get("/audit/?serial=AU1&success=0&page_size=1&sortorder=desc");
    s.get("/audit/?serial=AU*&page_size=2&page=2&sortorder=desc");
}
