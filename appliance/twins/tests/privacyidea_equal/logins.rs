//! Whom the server takes names for: 1,000 generated ones, asked of real servers by
//! `scripts/record-logins`, and of the twin here.

use std::time::Duration;

use serde_json::{Value, json};
use twins::privacyidea::{ADMIN, Options, Request, ServerTwin, Version};

/// The twin's time.
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn verdict(twin: &mut ServerTwin, jwt: &str, name: &str, realm: Option<&str>) -> Value {
    let mut send = |request: Request| twin.handle(&request.token(jwt), NOW);
    let mut body = json!({"serial": "LOGIN1", "user": name});
    if let Some(realm) = realm {
        body["realm"] = realm.into();
    }
    let answer = send(Request::new("POST", "/token/assign").json(&body));
    if answer.status != 200 {
        return json!([answer.status, answer.json().unwrap()["result"]["error"]["code"]]);
    }
    let shown = send(Request::new("GET", "/token/?serial=LOGIN1")).json().unwrap();
    send(Request::new("POST", "/token/unassign").json(&json!({"serial": "LOGIN1"})));
    let token = &shown["result"]["value"]["tokens"][0];
    json!([token["username"], token["user_realm"]])
}

fn equal(version: Version) {
    let file = format!(
        "{}/tests/privacyidea_equal/recorded/logins-{}.json",
        env!("CARGO_MANIFEST_DIR"),
        version.name()
    );
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    let mut twin = ServerTwin::new(Options { version, ..Options::default() });
    for (realm, logins) in recorded["realms"].as_object().unwrap() {
        let logins = logins.as_array().unwrap().iter().map(|login| login.as_str().unwrap().to_owned());
        twin.settle(realm, &logins.collect::<Vec<_>>());
    }
    let body = json!({"username": ADMIN.0, "password": ADMIN.1});
    let answer = twin.handle(&Request::new("POST", "/auth").json(&body), NOW).json().unwrap();
    let jwt = answer["result"]["value"]["token"].as_str().unwrap().to_owned();
    let token = json!({"type": "hotp", "serial": "LOGIN1", "otpkey": "31".repeat(20)});
    let made = twin.handle(&Request::new("POST", "/token/init").json(&token).token(&jwt), NOW);
    assert_eq!(made.status, 200);
    let other = cases.iter().filter_map(|case| {
        let (name, realm, wanted) = (case[0].as_str().unwrap(), case[1].as_str(), &case[2]);
        let got = verdict(&mut twin, &jwt, name, realm);
        (got != *wanted).then(|| format!("{name:?} in {realm:?}: {got} instead of {wanted}"))
    });
    let other: Vec<String> = other.collect();
    assert!(other.is_empty(), "{} of {} differ:\n{}", other.len(), cases.len(), other.join("\n"));
    assert_eq!(cases.len(), 1000);
    // Each verdict occurs often enough to mean something.
    let known = cases.iter().filter(|case| case[2][0].is_string()).count();
    assert!((200..800).contains(&known), "{known} names are of somebody");
}

#[test]
fn names_are_taken_as_privacyidea_3_14_takes_them() {
    equal(Version::V3_14);
}

#[test]
fn names_are_taken_as_privacyidea_3_9_3_takes_them() {
    equal(Version::V3_9_3);
}

#[test]
fn names_are_taken_as_edumfa_2_9_5_takes_them() {
    equal(Version::EduMfa2_9_5);
}
