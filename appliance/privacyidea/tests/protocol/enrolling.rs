//! `/token/init` in all its uses, and `/validate/check`.

use privacyidea::*;
use serde_json::json;

use crate::script::*;

fn seed() -> SecretBytes {
    SecretBytes::copy_of(SEED)
}

#[tokio::test]
async fn hotp() {
    let (client, script) = client([recorded!(200, "init-hotp")]);
    let init = Init::hotp(serial("UBOM00000001_1"), seed(), 6, HashAlgorithm::Sha1)
        .description(Description::new("d1").unwrap())
        .pin(text("12\"34"))
        .container(serial("YUBI-1"))
        .owner(User::new("jörg", "office"))
        .validity(Some("2026-11-21T08:00+0100".into()), None)
        .info("station", "desk-1");
    let answer = client.init(&init).await.unwrap();
    assert_eq!(
        script.seen()[1].body,
        json!({
            "type": "hotp", "serial": "UBOM00000001_1", "description": "d1", "otplen": 6, "hashlib": "sha1",
            "otpkey": "3132333435363738393031323334353637383930", "pin": "12\"34", "container_serial": "YUBI-1",
            "user": "jörg", "realm": "office", "validity_period_start": "2026-11-21T08:00+0100",
            "hotp.station": "desk-1",
        })
    );
    assert_eq!(answer.serial, "UBOM00000001_1");
    assert_eq!(answer.rollout, Rollout::Done);
    assert_eq!(answer.seed_is(SEED), Some(true));
    assert_eq!(answer.seed_is(b"12345678901234567891"), Some(false));
    let uri = answer.uri.unwrap();
    assert_eq!((uri.digits, uri.hash, uri.counter), (Some(6), None, Some(1)));
    assert!(
        answer.two_step.is_none() && answer.verify_prompt.is_none() && answer.registration_code.is_none()
    );
    assert_eq!(
        answer.container, None,
        "the server did not put it into the container, and says so by silence"
    );
}

#[tokio::test]
async fn a_seed_that_the_server_replaced_shows() {
    let replaced = include_str!("answers/init-hotp.json").replace("seed://31", "seed://32");
    let (client, _) = client([answer(200, &replaced)]);
    let answer =
        client.init(&Init::hotp(serial("UBOM00000001_1"), seed(), 6, HashAlgorithm::Sha1)).await.unwrap();
    assert_eq!(answer.seed_is(SEED), Some(false));
}

#[tokio::test]
async fn states_of_older_servers() {
    for (state, rollout) in
        [(r#""""#, Rollout::Done), ("null", Rollout::Done), (r#""broken""#, Rollout::Other("broken".into()))]
    {
        let body = include_str!("answers/init-hotp.json")
            .replace(r#""rollout_state": "enrolled""#, &format!(r#""rollout_state": {state}"#));
        let (client, _) = client([answer(200, &body)]);
        let init = Init::hotp(serial("UBOM00000001_1"), seed(), 6, HashAlgorithm::Sha1);
        assert_eq!(client.init(&init).await.unwrap().rollout, rollout);
    }
}

#[tokio::test]
async fn totp() {
    let (client, script) = client([recorded!(200, "init-totp")]);
    let init = Init::totp(serial("T1"), seed(), 8, HashAlgorithm::Sha256, 60).token_realm("office");
    let answer = client.init(&init).await.unwrap();
    let body = &script.seen()[1].body;
    assert_eq!(
        (&body["type"], &body["timeStep"], &body["hashlib"]),
        (&json!("totp"), &json!(60), &json!("sha256"))
    );
    assert_eq!((&body["realm"], body.get("user")), (&json!("office"), None));
    let uri = answer.uri.unwrap();
    assert_eq!((uri.kind, uri.digits), (TokenType::Totp, Some(8)));
    assert_eq!((uri.hash, uri.period), (Some(HashAlgorithm::Sha256), Some(60)));
}

#[tokio::test]
async fn yubico_otp() {
    let (client, script) = client([recorded!(200, "init-yubikey")]);
    let key: Vec<u8> = (0..16).collect();
    let init = Init::yubikey(serial("UBAM00000001_1"), SecretBytes::copy_of(&key), "vvcbcdcecfcg");
    let answer = client.init(&init).await.unwrap();
    assert_eq!(
        script.seen()[1].body,
        json!({
            "type": "yubikey", "serial": "UBAM00000001_1", "otplen": 44,
            "otpkey": "000102030405060708090a0b0c0d0e0f", "yubikey.prefix": "vvcbcdcecfcg",
        })
    );
    assert_eq!(answer.rollout, Rollout::Done, "there is no state in this answer");
    assert_eq!(answer.seed_is(&key), Some(true));
}

#[tokio::test]
async fn a_registration_code_with_characters_that_json_escapes() {
    let (client, script) = client([recorded!(200, "init-registration")]);
    let answer = client.init(&Init::registration(User::new("carol", "office"))).await.unwrap();
    assert_eq!(script.seen()[1].body, json!({"type": "registration", "user": "carol", "realm": "office"}));
    assert_eq!(answer.serial, "REG00004FAA");
    assert_eq!(answer.registration_code.unwrap().reveal(), "E9l\"rX\\R@Q/L`ny-a9jzé");
}

#[tokio::test]
async fn a_password() {
    let (client, script) = client([recorded!(200, "init-pw")]);
    let answer = client.init(&Init::password(serial("PW1"), text("hello-there-1"))).await.unwrap();
    assert_eq!(script.seen()[1].body, json!({"type": "pw", "serial": "PW1", "otpkey": "hello-there-1"}));
    assert_eq!(answer.seed_text().unwrap().reveal(), "hello-there-1");
    assert_eq!(answer.seed_is(b"hello-there-1"), Some(false), "this is no seed of bytes");
}

#[tokio::test]
async fn two_steps_to_the_vector_of_a_real_server() {
    let (client, script) = client([recorded!(200, "twostep-first"), recorded!(200, "twostep-done")]);
    let first =
        Init::two_step(TokenType::Hotp, serial("RT"), 6, HashAlgorithm::Sha1, TwoStepSizes::default())
            .rollover();
    let answer = client.init(&first).await.unwrap();
    assert_eq!(
        script.seen()[1].body,
        json!({"type": "hotp", "serial": "RT", "otplen": 6, "hashlib": "sha1", "genkey": 1, "2stepinit": 1, "rollover": 1})
    );
    assert_eq!(answer.rollout, Rollout::ClientWait);
    let asked = answer.two_step.unwrap();
    assert_eq!(asked, TwoStepParameters { client_size: 8, output_size: 20, rounds: 10_000 });

    let part = SecretBytes::copy_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let derived = derive_seed(answer.seed_bytes().unwrap().reveal(), part.reveal(), &asked).unwrap();
    let answer = client
        .finish_two_step(&serial("RT"), &TokenType::Hotp, &part, PartFormat::Base32Check)
        .await
        .unwrap();
    assert_eq!(
        script.seen()[2].body,
        json!({"type": "hotp", "serial": "RT", "otpkey": "3VLYHPABAIBQIBIGA4EA", "otpkeyformat": "base32check"})
    );
    assert_eq!(answer.rollout, Rollout::Done);
    assert_eq!(answer.seed_is(derived.reveal()), Some(true));
    assert_eq!(answer.two_step, None);
}

#[tokio::test]
async fn sizes_of_two_steps_are_asked_for_and_hex_is_sent_plain() {
    let (client, script) = client([recorded!(200, "twostep-first"), recorded!(200, "twostep-done")]);
    let sizes = TwoStepSizes { client: Some(10), server: Some(32), rounds: Some(20_000) };
    client
        .init(&Init::two_step(TokenType::Totp, serial("RT"), 8, HashAlgorithm::Sha256, sizes))
        .await
        .unwrap();
    let body = script.seen()[1].body.clone();
    assert_eq!(body["2step_clientsize"], 10);
    assert_eq!(body["2step_serversize"], 32);
    assert_eq!(body["2step_difficulty"], 20_000);
    let part = SecretBytes::copy_of(&[0xab; 10]);
    client.finish_two_step(&serial("RT"), &TokenType::Totp, &part, PartFormat::Hex).await.unwrap();
    let body = script.seen()[2].body.clone();
    assert_eq!(body, json!({"type": "totp", "serial": "RT", "otpkey": "abababababababababab"}));
}

#[tokio::test]
async fn a_proof_asked_for_by_the_server() {
    let (client, script) = client([
        recorded!(200, "verify-first"),
        recorded!(400, "verify-wrong"),
        recorded!(200, "verify-done"),
    ]);
    let answer = client.init(&Init::hotp(serial("RV"), seed(), 6, HashAlgorithm::Sha1)).await.unwrap();
    assert_eq!(answer.rollout, Rollout::Verify);
    assert_eq!(answer.verify_prompt.unwrap().as_str(), "Please enter a valid OTP value of the new token.");
    let wrong = client.verify(&serial("RV"), &TokenType::Hotp, &text("111111")).await.err().unwrap();
    assert_eq!((wrong.code(), wrong.outcome()), (Some(ServerCode::Parameter), Outcome::Refused));
    let answer = client.verify(&serial("RV"), &TokenType::Hotp, &text("755224")).await.unwrap();
    assert_eq!(script.seen()[3].body, json!({"type": "hotp", "serial": "RV", "verify": "755224"}));
    assert_eq!((answer.rollout, answer.serial.as_str()), (Rollout::Done, "RV"));
    assert_eq!(answer.uri, None);
}

#[tokio::test]
async fn what_the_server_would_misread_is_not_sent() {
    let s = || serial("A_1");
    let short = || SecretBytes::copy_of(b"123456789");
    let bad = [
        Init::hotp(s(), seed(), 7, HashAlgorithm::Sha1),
        Init::hotp(s(), short(), 6, HashAlgorithm::Sha1),
        Init::hotp(s(), SecretBytes::copy_of(&[1; 65]), 6, HashAlgorithm::Sha1),
        Init::yubikey(s(), seed(), "vvcbcdcecfcg"),
        Init::new(TokenType::Yubikey).generated().otp_length(44),
        Init::new(TokenType::Yubikey).seed(SecretBytes::copy_of(&[1; 16])),
        Init::password(s(), text("")),
        Init::new(TokenType::Registration),
        Init::registration(User::new("", "office")),
        Init::registration(User::new("carol", "office")).token_realm("office"),
        Init::two_step(TokenType::Hotp, s(), 6, HashAlgorithm::Sha1, TwoStepSizes::default()).seed(seed()),
        Init::new(TokenType::Other("a b".into())),
        Init::hotp(s(), seed(), 6, HashAlgorithm::Sha1).info("", "x"),
        Init::hotp(s(), seed(), 6, HashAlgorithm::Sha1).info("a b", "x"),
    ];
    let (client, script) = client([]);
    for (n, init) in bad.iter().enumerate() {
        let error = client.init(init).await.err().unwrap();
        assert!(matches!(error, Error::Invalid(_)), "{n}: {error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert!(script.lines().is_empty());
}

#[tokio::test]
async fn checks() {
    let script = Script::new([
        recorded!(200, "check-accept"),
        recorded!(200, "check-reject"),
        recorded!(200, "check-reject"),
    ]);
    let client = Client::new(std::sync::Arc::clone(&script), password());
    let verdict = client.check(Whose::Serial(&serial("UBOM00000001_1")), &text("755224")).await.unwrap();
    assert!(verdict.accepted);
    assert_eq!(verdict.serial.as_deref(), Some("UBOM00000001_1"));
    let user = User { login: "bob".into(), realm: None, resolver: None };
    let verdict = client.check(Whose::User(&user), &text("1234755224")).await.unwrap();
    assert!(!verdict.accepted);
    assert_eq!(verdict.message.as_str(), "wrong otp value. previous otp used again");
    client.check_otp_only(Whose::Serial(&serial("A_1")), &text("755224")).await.unwrap();
    let seen = script.seen();
    assert_eq!(script.lines(), ["POST /validate/check"; 3], "no login");
    assert_eq!(seen[0].body, json!({"serial": "UBOM00000001_1", "pass": "755224"}));
    assert_eq!(seen[1].body, json!({"user": "bob", "pass": "1234755224"}));
    assert_eq!(seen[2].body, json!({"serial": "A_1", "pass": "755224", "otponly": 1}));
    assert!(seen.iter().all(|seen| seen.token.is_none()));
}

#[tokio::test]
async fn a_key_for_validation_goes_with_checks_only() {
    let (client, script) = client([recorded!(200, "realms"), recorded!(200, "check-accept")]);
    let client = client.with_validate_key(text("a.b.c"));
    client.realms().await.unwrap();
    client.check(Whose::Serial(&serial("A_1")), &text("755224")).await.unwrap();
    let tokens: Vec<_> = script.seen().into_iter().map(|seen| seen.token).collect();
    assert_eq!(tokens, [None, Some(jwt("admin", "", 3600)), Some("a.b.c".into())]);
}
