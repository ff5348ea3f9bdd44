//! Tokens, users, containers, policies and the server itself.

use privacyidea::*;
use serde_json::json;

use crate::script::*;

#[tokio::test]
async fn a_listed_token() {
    let (client, script) = client([recorded!(200, "token-list")]);
    let token = client.token(&serial("UBOM00000001_1")).await.unwrap().unwrap();
    assert_eq!(script.lines()[1], "GET /token/?serial=UBOM00000001_1&pagesize=1000");
    assert_eq!((token.kind.clone(), token.rollout.clone()), (TokenType::Hotp, Rollout::Done));
    assert!(token.active && !token.revoked && !token.locked);
    assert_eq!((token.count, token.count_window, token.otp_length), (Some(0), Some(10), Some(6)));
    assert_eq!((token.fail_count, token.max_fail), (Some(0), Some(10)));
    assert_eq!(token.hash(), Some(HashAlgorithm::Sha1));
    assert_eq!(token.info["tokenkind"], "hardware");
    assert_eq!((token.owner.as_ref(), token.container.as_ref(), token.realms.len()), (None, None, 0));
    assert_eq!(Serial::try_from(&token), Ok(serial("UBOM00000001_1")));
}

#[tokio::test]
async fn the_filter_ignores_case_and_the_client_does_not() {
    let (client, _) = client([recorded!(200, "token-list"), recorded!(200, "token-none")]);
    assert_eq!(client.token(&serial("ubom00000001_1")).await.unwrap(), None);
    assert_eq!(client.token(&serial("UBOM00000001_1")).await.unwrap(), None);
}

#[tokio::test]
async fn tokens_of_other_versions_are_read() {
    let body = r#"{"result":{"status":true,"value":{"count":31,"next":2,"prev":null,"tokens":[
        {"serial":"A","tokentype":"HOTP","active":false,"username":"bob","user_realm":"office","resolver":"staff",
         "otplen":"6","count":null,"realms":["office"],"info":{"n":1,"deep":{"x":[]}},"revoked":null,"rollout_state":null},
        {"serial":"B","tokentype":"yubikey","active":true,"info":null,"description":null}]}},"version":"eduMFA 2.9.5"}"#;
    let (client, script) = client([answer(200, body)]);
    let filter = TokenFilter {
        user: Some("bob".into()),
        realm: Some("office".into()),
        assigned: Some(true),
        active: Some(false),
        info: Some(("station".into(), "desk 1".into())),
        page: Some(1),
        page_size: Some(15),
        ..TokenFilter::default()
    };
    let page = client.tokens(&filter).await.unwrap();
    assert_eq!(
        script.lines()[1],
        "GET /token/?user=bob&realm=office&assigned=true&active=false&infokey=station&infovalue=desk%201&page=1&pagesize=15"
    );
    assert_eq!((page.count, page.next, page.tokens.len()), (31, Some(2), 2));
    let first = &page.tokens[0];
    let bob = User { login: "bob".into(), realm: Some("office".into()), resolver: Some("staff".into()) };
    assert_eq!(first.owner, Some(bob));
    assert_eq!((first.kind.clone(), first.otp_length, first.count), (TokenType::Hotp, None, None));
    assert_eq!((first.info["n"].as_str(), first.info["deep"].as_str()), ("1", r#"{"x":[]}"#));
    assert_eq!(client.server().unwrap().product, Product::EduMfa);
}

#[tokio::test]
async fn changes_by_serial() {
    let one = || recorded!(200, "value-1");
    let (client, script) = client([one(), recorded!(200, "value-0"), one(), recorded!(200, "value-true")]);
    let s = serial("A_1");
    assert!(client.enable(&s).await.unwrap());
    assert!(!client.disable(&s).await.unwrap(), "it was disabled before");
    assert!(client.unassign(&s).await.unwrap());
    assert!(client.delete(&s).await.unwrap());
    let calls = ["enable", "disable", "unassign"].map(|call| format!("POST /token/{call}"));
    assert_eq!(script.lines()[1..4], calls);
    assert!(script.seen()[1..4].iter().all(|seen| seen.body == json!({"serial": "A_1"})));
    assert_eq!(script.lines()[4], "DELETE /token/A_1");
}

#[tokio::test]
async fn changes_with_a_value() {
    let yes = || recorded!(200, "value-true");
    let (client, script) = client([yes(), yes(), yes(), yes()]);
    let s = serial("A_1");
    let owner =
        User { login: "dave.o'neil".into(), realm: Some("office".into()), resolver: Some("staff".into()) };
    assert!(client.assign(&s, &owner, None).await.unwrap());
    assert!(client.set_pin(&s, &text("1234")).await.unwrap());
    assert!(client.set_info(&s, "receipt", "ab/ü").await.unwrap());
    assert!(client.assign(&s, &User::new("alice", "office"), Some(&text("abc123"))).await.unwrap());
    let seen = script.seen();
    assert_eq!(
        seen[1].body,
        json!({"serial": "A_1", "user": "dave.o'neil", "realm": "office", "resolver": "staff"})
    );
    assert_eq!(
        (seen[2].line.as_str(), &seen[2].body),
        ("POST /token/setpin", &json!({"serial": "A_1", "otppin": "1234"}))
    );
    assert_eq!(
        (seen[3].line.as_str(), &seen[3].body),
        ("POST /token/info/A_1/receipt", &json!({"value": "ab/ü"}))
    );
    assert_eq!(seen[4].body, json!({"serial": "A_1", "user": "alice", "realm": "office", "pin": "abc123"}));
}

#[tokio::test]
async fn names_that_would_lead_elsewhere_are_not_sent() {
    let (client, script) = client([]);
    for key in ["", "..", "a/b"] {
        assert_eq!(client.set_info(&serial("A_1"), key, "x").await.unwrap_err().outcome(), Outcome::NotSent);
    }
    assert!(client.serial_of(&text(""), None).await.is_err());
    assert!(client.assign(&serial("A_1"), &User::new("", "office"), None).await.is_err());
    assert!(script.lines().is_empty());
}

#[tokio::test]
async fn resync_and_search() {
    let no = answer(200, r#"{"result":{"status":true,"value":false}}"#);
    let (client, script) = client([recorded!(200, "value-true"), no, recorded!(200, "getserial")]);
    let s = serial("A_1");
    assert!(client.resync(&s, &text("287082"), &text("359152")).await.unwrap());
    assert!(!client.resync(&s, &text("000000"), &text("111111")).await.unwrap());
    let found = client.serial_of(&text("969429"), Some("UBOM*")).await.unwrap();
    assert_eq!(found, Found { serial: Some("UBOM00000001_1".into()), searched: 1 });
    assert_eq!(script.lines()[3], "GET /token/getserial/969429?serial=UBOM%2A");
    assert_eq!(script.seen()[1].body, json!({"serial": "A_1", "otp1": "287082", "otp2": "359152"}));
}

#[tokio::test]
async fn users_and_realms() {
    let odd = r#"{"result":{"status":true,"value":[{"username":"x","email":["a","b"],"mobile":7,"surname":null}]}}"#;
    let (client, script) = client([recorded!(200, "users"), answer(200, odd), recorded!(200, "realms")]);
    let users = client.users("office", "j*").await.unwrap();
    assert_eq!(script.lines()[1], "GET /user/?realm=office&username=j%2A");
    assert_eq!(users.len(), 5);
    let joerg = &users[4];
    assert_eq!((joerg.username.as_str(), joerg.surname.as_str()), ("jörg", "Müller"));
    assert_eq!(joerg.user().resolver.as_deref(), Some("staff"));
    let odd = client.users("office", "x").await.unwrap();
    // As before 3.14: the rows do not say which realm they are of.
    assert_eq!((odd[0].email.as_str(), odd[0].user().realm.as_deref()), ("", Some("office")));
    let realms = client.realms().await.unwrap();
    assert_eq!((realms[0].name.as_str(), realms[0].default, realms[0].resolvers.len()), ("office", true, 1));
}

#[tokio::test]
async fn containers() {
    let (client, script) = client([
        recorded!(200, "container-types"),
        recorded!(200, "container-init"),
        recorded!(400, "container-exists"),
        recorded!(200, "value-true"),
        recorded!(200, "value-true"),
    ]);
    assert!(client.container_types().await.unwrap()["yubikey"].token_types.contains(&"hotp".to_owned()));
    let made = serial("YUBI-1");
    let text = Description::new("x").unwrap();
    let owner = User::new("bob", "office");
    assert_eq!(client.init_container("yubikey", Some(&made), &text, Some(&owner)).await.unwrap(), "YUBI-1");
    assert_eq!(
        script.seen()[2].body,
        json!({"type": "yubikey", "container_serial": "YUBI-1", "description": "x", "user": "bob", "realm": "office"})
    );
    let exists = client.init_container("yubikey", Some(&made), &text, None).await.unwrap_err();
    assert_eq!((exists.code(), exists.status()), (Some(ServerCode::Enrollment), Some(400)));
    assert!(client.add_to_container(&made, &serial("A_1")).await.unwrap());
    assert!(client.delete_container(&made).await.unwrap());
    assert_eq!(script.lines()[4..], ["POST /container/YUBI-1/add", "DELETE /container/YUBI-1"]);
}

#[tokio::test]
async fn policies_and_audit() {
    let (client, script) =
        client([recorded!(200, "policy"), recorded!(200, "policy-none"), recorded!(200, "audit")]);
    let policy = client.policies().await.unwrap().remove(0);
    assert_eq!((policy.scope.as_str(), policy.active), ("enrollment", true));
    assert_eq!(policy.action("yubikey_access_code").unwrap().reveal(), "0123456789ab");
    assert_eq!(policy.actions().collect::<Vec<_>>(), ["yubikey_access_code"]);
    assert!(client.policies().await.unwrap().is_empty());
    assert_eq!(script.lines()[1], "GET /policy/");
    let lines = client.audit("*token/init*", None, 1).await.unwrap();
    assert_eq!(
        (lines[0].serial.as_str(), lines[0].success, lines[0].administrator.as_str()),
        ("PW1", true, "admin")
    );
}

#[tokio::test]
async fn a_server_without_a_login() {
    let gone = "<!doctype html><title>404 Not Found</title>";
    let not_ready = r#"{"result":{"status":true,"value":{"hsm":"fail","status":"not ready"}},"time":1}"#;
    let script = Script::new([
        recorded!(401, "error-no-login"),
        answer(502, "<html>"),
        server_error(503, -503),
        recorded!(200, "health"),
        answer(404, gone),
        answer(503, not_ready),
        answer(503, "<html>"),
    ]);
    let client = Client::new(std::sync::Arc::clone(&script), password());
    assert_eq!(client.probe().await.unwrap().server.unwrap().number, [3, 14]);
    assert_eq!(client.probe().await.unwrap_err().status(), Some(502));
    assert!(client.probe().await.unwrap_err().is_transient());
    assert_eq!(client.health().await.unwrap(), Health::Ready);
    assert_eq!(client.health().await.unwrap(), Health::NotTold);
    assert_eq!(client.health().await.unwrap(), Health::NotReady);
    assert!(client.health().await.is_err());
    assert!(script.seen().iter().all(|seen| seen.token.is_none()));
}
