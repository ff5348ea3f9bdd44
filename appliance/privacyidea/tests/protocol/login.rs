//! One login for everybody, renewed in time, refused for the wrong people.

use std::sync::Arc;
use std::time::Duration;

use privacyidea::*;

use crate::script::*;

fn realms() -> Answer {
    recorded!(200, "realms")
}

#[tokio::test]
async fn the_first_call_logs_in_and_the_others_use_it() {
    let (client, script) = client([realms(), realms()]);
    client.realms().await.unwrap();
    client.realms().await.unwrap();
    assert_eq!(script.lines(), ["POST /auth", "GET /realm/", "GET /realm/"]);
    let seen = script.seen();
    assert_eq!(seen[0].body, serde_json::json!({"username": "admin", "password": "admin-password"}));
    assert_eq!(seen[0].token, None);
    assert_eq!(seen[1].token.as_deref(), Some(jwt("admin", "", 3600).as_str()), "bare, without Bearer");
}

#[tokio::test]
async fn a_session_says_what_the_login_may_do() {
    let (client, _) = client([]);
    let session = client.session().await.unwrap();
    assert_eq!(session.username, "admin");
    assert_eq!(session.authority, Authority::Password);
    assert_eq!(session.until, Some(SERVER_NOW + 3600));
    assert_eq!(session.rights.missing(["enrollHOTP", "enrollTOTP"]), ["enrollTOTP"]);
    let server = client.server().unwrap();
    assert_eq!(
        (server.product.clone(), server.is_privacyidea_since(3, 14)),
        (Product::PrivacyIdea, Some(true))
    );
}

#[tokio::test]
async fn a_realm_of_administrators_goes_along() {
    let script = Script::new([login_answer(&jwt("eve", "", 3600), "admin")]);
    let credentials = Credentials::password_in_realm("eve", "operators", text("pässword\""));
    Client::new(Arc::clone(&script), credentials).session().await.unwrap();
    let sent = serde_json::json!({"username": "eve", "realm": "operators", "password": "pässword\""});
    assert_eq!(script.seen()[0].body, sent);
}

#[tokio::test]
async fn concurrent_callers_share_one_login() {
    let mut script =
        Script::new([login_answer(&jwt("admin", "", 3600), "admin"), realms(), realms(), realms()]);
    Arc::get_mut(&mut script).unwrap().gate = Some(tokio::sync::Semaphore::new(0));
    let client = Client::new(Arc::clone(&script), password());
    let open = async {
        while script.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        script.gate.as_ref().unwrap().add_permits(4);
    };
    let (a, b, c, ()) = tokio::join!(client.realms(), client.realms(), client.realms(), open);
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(script.lines().iter().filter(|line| *line == "POST /auth").count(), 1);
}

#[tokio::test]
async fn concurrent_callers_share_one_refusal() {
    let mut script = Script::new([server_error(401, 4031)]);
    Arc::get_mut(&mut script).unwrap().gate = Some(tokio::sync::Semaphore::new(0));
    let client = Client::new(Arc::clone(&script), password());
    let open = async {
        while script.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        script.gate.as_ref().unwrap().add_permits(1);
    };
    let (a, b, c, ()) = tokio::join!(client.realms(), client.realms(), client.realms(), open);
    for error in [a.unwrap_err(), b.unwrap_err(), c.unwrap_err()] {
        assert_eq!(error.code(), Some(ServerCode::WrongCredentials));
        assert_eq!(error.outcome(), Outcome::Refused);
    }
    assert_eq!(script.lines(), ["POST /auth"], "a wrong password is sent once");
}

#[tokio::test]
async fn a_later_caller_tries_again_when_the_server_had_a_fault() {
    let script =
        Script::new([server_error(500, -500), login_answer(&jwt("admin", "", 3600), "admin"), realms()]);
    let client = Client::new(Arc::clone(&script), password());
    client.realms().await.unwrap_err();
    client.realms().await.unwrap();
    assert_eq!(script.lines(), ["POST /auth", "POST /auth", "GET /realm/"]);
}

#[tokio::test]
async fn an_ended_login_is_renewed_once_and_the_call_repeated() {
    for code in [4305, 4304] {
        let second = jwt("second", "", 3600);
        let (client, script) =
            client([server_error(401, code), login_answer(&second, "admin"), recorded!(200, "value-1")]);
        assert!(client.enable(&serial("A_1")).await.unwrap());
        assert_eq!(script.lines(), ["POST /auth", "POST /token/enable", "POST /auth", "POST /token/enable"]);
        let seen = script.seen();
        assert_eq!(seen[3].body, seen[1].body);
        assert_eq!(seen[3].token.as_deref(), Some(second.as_str()));
    }
}

#[tokio::test]
async fn a_server_that_refuses_every_login_is_not_asked_for_ever() {
    let again = login_answer(&jwt("again", "", 3600), "admin");
    let (client, script) = client([server_error(401, 4305), again, server_error(401, 4305)]);
    let error = client.enable(&serial("A_1")).await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Some(ServerCode::TokenExpired), Outcome::Refused));
    assert_eq!(script.lines().len(), 4);
}

#[tokio::test]
async fn other_refusals_are_not_repeated() {
    for (status, code) in [(401, 4033), (403, 303), (400, 4305), (500, -500)] {
        let (client, script) = client([server_error(status, code)]);
        client.enable(&serial("A_1")).await.unwrap_err();
        assert_eq!(script.lines(), ["POST /auth", "POST /token/enable"], "{code}");
    }
}

#[tokio::test]
async fn a_login_is_renewed_before_it_ends_by_the_servers_clock() {
    // Our clock is years behind and jumps; neither may matter.
    let hands = Hands::at(1_000_000);
    let script = Script::new([login_answer(&jwt("a", "", 3600), "admin"), realms(), realms()]);
    let client =
        Client::new(Arc::clone(&script), password()).with_clock(Arc::clone(&hands) as Arc<dyn Clock>);
    client.realms().await.unwrap();
    assert_eq!(client.session_left().await, Some(Duration::from_secs(3600)));
    hands.set_wall(SERVER_NOW + 1_000_000);
    hands.pass(3539);
    client.realms().await.unwrap();
    assert_eq!(client.session_left().await, Some(Duration::from_secs(61)));
    hands.pass(1);
    script.push(login_answer(&jwt("b", "", 3600), "admin"));
    script.push(realms());
    client.realms().await.unwrap();
    assert_eq!(script.lines()[3..], ["POST /auth", "GET /realm/"]);
}

#[tokio::test]
async fn the_skew_is_what_the_last_answer_says() {
    let hands = Hands::at(SERVER_NOW - 7);
    let (client, _) = client([realms()]);
    let client = client.with_clock(hands);
    assert_eq!(client.skew(), None);
    let session = client.session().await.unwrap();
    assert_eq!(session.skew, Some(Skew { server_ahead_ms: 7_000 }));
    client.realms().await.unwrap();
    // The recorded answer is of 1795286356.46.
    assert_eq!(client.skew(), Some(Skew { server_ahead_ms: 9_464 }));
}

/// Every look would be one more wrong login, and those lock accounts.
#[tokio::test]
async fn a_password_that_was_refused_is_not_sent_again_by_itself() {
    let challenge = r#"{"detail":{"message":"please enter otp: ","transaction_id":"1"},
        "result":{"authentication":"CHALLENGE","status":true,"value":false},"time":1,"version":"privacyIDEA 3.14"}"#;
    let noes: [&dyn Fn() -> Answer; 6] = [
        &|| server_error(401, 4031),
        &|| server_error(401, 4033),
        &|| server_error(403, 303),
        &|| server_error(400, 904),
        &|| login_answer(&jwt("alice", "", 3600), "user"),
        &|| answer(200, challenge),
    ];
    for no in noes {
        let hands = Hands::at(SERVER_NOW);
        let script = Script::new([no()]);
        let client =
            Client::new(Arc::clone(&script), password()).with_clock(Arc::clone(&hands) as Arc<dyn Clock>);
        assert!(matches!(client.realms().await, Err(Error::Login(_))));
        for _ in 0..30 {
            let held = client.realms().await.unwrap_err();
            assert!(matches!(held, Error::Held { .. }) && held.outcome() == Outcome::Refused, "{held}");
            assert!(matches!(client.session().await, Err(Error::Held { .. })));
            hands.pass(60);
        }
        assert_eq!(script.lines(), ["POST /auth"]);
        // Not before the time that whoever may try it says, and then once.
        client.try_login_again(Duration::from_secs(1801)).await;
        assert_eq!(script.lines().len(), 1);
        script.push(no());
        client.try_login_again(Duration::from_secs(1800)).await;
        client.try_login_again(Duration::from_secs(1800)).await;
        assert!(matches!(client.realms().await, Err(Error::Held { .. })));
        assert_eq!(script.lines().len(), 2);
        // A directory that was away and is back.
        hands.pass(900);
        script.push(login_answer(&jwt("admin", "", 3600), "admin"));
        script.push(realms());
        client.try_login_again(Duration::from_secs(900)).await;
        client.realms().await.unwrap();
        assert_eq!(script.lines()[2..], ["POST /auth", "GET /realm/"]);
    }
}

#[tokio::test]
async fn a_login_that_tells_nothing_of_the_password_is_tried_again() {
    for unclear in
        [server_error(500, -500), server_error(429, -500), answer(502, "<html>"), answer(401, "<html>")]
    {
        let script = Script::new([unclear, login_answer(&jwt("admin", "", 3600), "admin"), realms()]);
        let client = Client::new(Arc::clone(&script), password());
        assert!(matches!(client.realms().await, Err(Error::Login(_))));
        client.try_login_again(Duration::ZERO).await;
        client.realms().await.unwrap();
        assert_eq!(script.lines(), ["POST /auth", "POST /auth", "GET /realm/"]);
    }
}

#[tokio::test]
async fn a_users_login_is_refused() {
    let script = Script::new([login_answer(&jwt("alice", "", 3600), "user")]);
    let error = Client::new(script, password()).realms().await.unwrap_err();
    assert!(
        matches!(&error, Error::Login(cause) if matches!(&**cause, Error::NotAdmin { role } if role == "user"))
    );
    assert_eq!(error.outcome(), Outcome::Refused);
}

#[tokio::test]
async fn a_challenge_is_not_a_login() {
    let body = r#"{"detail":{"message":"please enter otp: ","transaction_id":"1"},
        "result":{"authentication":"CHALLENGE","status":true,"value":false},"time":1,"version":"privacyIDEA 3.14"}"#;
    let error = Client::new(Script::new([answer(200, body)]), password()).realms().await.unwrap_err();
    let Error::Login(cause) = error else { panic!("{error}") };
    assert!(matches!(&*cause, Error::SecondFactor { message } if message.as_str() == "please enter otp:"));
}

#[tokio::test]
async fn a_long_token_works_and_a_damaged_one_is_named() {
    let rights: Vec<String> = (0..400).map(|n| format!("some_right_{n}")).collect();
    let extra = format!(r#","rights":{}"#, serde_json::to_string(&rights).unwrap());
    let long = jwt("admin", &extra, 3600);
    assert!(long.len() > 4400 + 3000);
    let script = Script::new([login_answer(&long, "admin"), realms()]);
    let client = Client::new(Arc::clone(&script), password());
    client.realms().await.unwrap();
    assert_eq!(script.seen()[1].token.as_deref(), Some(long.as_str()));

    let error =
        Client::new(Script::new([login_answer("x.y", "admin")]), password()).session().await.unwrap_err();
    assert!(matches!(&error, Error::Login(cause) if matches!(&**cause, Error::Token(_))), "{error}");
    assert!(!error.to_string().contains("x.y"));
}

#[tokio::test]
async fn an_api_key_is_used_as_it_is() {
    let key = jwt("station", r#","authtype":"API","rights":"TODO""#, 31_536_000);
    let script = Script::new([realms(), server_error(401, 4305)]);
    let client = Client::new(Arc::clone(&script), Credentials::api_key(text(&key)))
        .with_clock(Hands::at(SERVER_NOW) as Arc<dyn Clock>);
    let session = client.session().await.unwrap();
    assert_eq!((session.authority, &session.rights), (Authority::ApiKey, &Rights::Unknown));
    assert_eq!(session.until, Some(SERVER_NOW + 31_536_000));
    assert_eq!(client.session_left().await, None, "not before the server told its time");
    client.realms().await.unwrap();
    assert_eq!(client.session_left().await.map(|left| left.as_secs()), Some(31_536_000 - 3));
    let error = client.realms().await.unwrap_err();
    assert_eq!(error.code(), Some(ServerCode::TokenExpired));
    assert_eq!(script.lines(), ["GET /realm/", "GET /realm/"]);
    assert_eq!(script.seen()[0].token.as_deref(), Some(key.as_str()));
}

#[tokio::test]
async fn a_key_for_validation_is_no_administrators() {
    let payload = data_encoding::BASE64URL_NOPAD.encode(br#"{"role":"validate","authtype":"API"}"#);
    let key = format!("eyJhbGciOiJIUzI1NiJ9.{payload}.c2ln");
    let error = Client::new(Script::new([]), Credentials::api_key(text(&key))).realms().await.unwrap_err();
    assert!(error.to_string().contains("validate"), "{error}");
}

#[tokio::test]
async fn forgetting_a_login_makes_the_next_call_log_in() {
    let (client, script) = client([realms(), login_answer(&jwt("b", "", 9), "admin"), realms()]);
    client.realms().await.unwrap();
    client.forget_login().await;
    assert_eq!(client.session_left().await, None);
    client.realms().await.unwrap();
    assert_eq!(script.lines(), ["POST /auth", "GET /realm/", "POST /auth", "GET /realm/"]);
}
