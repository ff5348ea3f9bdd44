//! Transport, login, and errors that are not about tokens.

use serde_json::json;
use twins::privacyidea::Request;

use super::Scenario;
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("http: login", login),
    ("http: header", header),
    ("http: bodies", bodies),
    ("http: routes", routes),
    ("http: health", health),
    ("http: api key", api_key),
    ("http: session ends", session_ends),
];

fn login(s: &mut Script<'_>) {
    s.login("admin", "admin-password");
    s.login("helpdesk", "helpdesk-password");
    s.login("admin", "wrong");
    s.login("nobody", "wrong");
    s.login("alice", "wrong");
    s.login("alice", "alice-password");
    s.send(Request::new("POST", "/auth").json(&json!({"username": "admin"})));
    s.send(Request::new("POST", "/auth").json(&json!({"password": "admin-password"})));
    s.send(Request::new("POST", "/auth").form("username=admin&password=admin-password"));
    s.get("/auth/rights");
}

fn header(s: &mut Script<'_>) {
    let jwt = s.login("admin", "admin-password").unwrap();
    let list = || Request::new("GET", "/token/");
    s.send(list());
    s.send(list().token(&jwt));
    s.send(list().header("PI-Authorization", &jwt));
    s.send(list().token(&format!("Bearer {jwt}")));
    s.send(list().token("nonsense"));
    s.send(list().token("a.b.c"));
    s.send(list().token(&jwt[..jwt.len() - 10]));
    s.send(list().token(&format!("{}AAAA", &jwt[..jwt.len() - 4])));
    s.send(Request::new("POST", "/token/init").json(&json!({"type": "hotp", "genkey": 1})));
    s.send(Request::new("POST", "/token/init").token("x.y.z").json(&json!({"type": "hotp", "genkey": 1})));
}

fn bodies(s: &mut Script<'_>) {
    let json_type = |r: Request| r.header("Content-Type", "application/json");
    s.as_admin(json_type(Request::new("GET", "/token/")));
    s.as_admin(json_type(Request::new("DELETE", "/token/NONE")));
    let mut broken = json_type(Request::new("POST", "/token/init"));
    broken.body = b"{\"type\":".to_vec();
    s.as_admin(broken.clone());
    broken.body = b"[1]".to_vec();
    s.as_admin(broken.clone());
    broken.body = b"\"text\"".to_vec();
    s.as_admin(broken.clone());
    broken.body = b"{}".to_vec();
    s.send(broken);
    s.as_admin(
        Request::new("POST", "/token/init")
            .form("type=hotp&serial=F1&otpkey=3132333435363738393031323334353637383930"),
    );
    s.as_admin(Request::new(
        "POST",
        "/token/init?serial=F2&type=hotp&otpkey=3132333435363738393031323334353637383930",
    ));
    s.as_admin(Request::new("POST", "/token/disable").form("serial=F1"));
    s.post("/token/enable/F1", json!({}));
    s.show("F1");
}

fn routes(s: &mut Script<'_>) {
    s.as_admin(Request::new("PUT", "/token/init"));
    s.as_admin(Request::new("GET", "/token/init"));
    s.as_admin(Request::new("POST", "/token/"));
    s.get("/nowhere");
    s.get("/token/nowhere/else/entirely");
    s.get("/auth");
    s.send(Request::new("GET", "/nowhere"));
    s.send(Request::new("PATCH", "/validate/check"));
    s.get("/token");
}

fn health(s: &mut Script<'_>) {
    for path in ["/healthz/", "/healthz/livez", "/healthz/readyz", "/healthz/nothing"] {
        s.send(Request::new("GET", path));
    }
}

fn api_key(s: &mut Script<'_>) {
    let admin = s.api_key("admin");
    let init = Request::new("POST", "/token/init");
    let body = json!({"type": "hotp", "serial": "AK1", "otpkey": "3132333435363738393031323334353637383930"});
    s.send(init.token(&admin).json(&body));
    s.send(Request::new("GET", "/token/?serial=AK1").token(&admin));
    s.send(Request::new("GET", "/auth/rights").token(&admin));
    s.send(Request::new("DELETE", "/token/AK1").token(&admin));
}

fn session_ends(s: &mut Script<'_>) {
    s.policy("short-session");
    let jwt = s.login("admin", "admin-password").unwrap();
    s.send(Request::new("GET", "/token/").token(&jwt));
    s.wait(6);
    s.send(Request::new("GET", "/token/").token(&jwt));
    s.send(Request::new("POST", "/token/init").token(&jwt).json(&json!({"type": "hotp", "genkey": 1})));
}
