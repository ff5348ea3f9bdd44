//! Answers that are wrong, missing or somebody else's.

use std::time::Duration;

use privacyidea::envelope::Malformed;
use privacyidea::*;
use proptest::prelude::*;

use crate::script::*;

async fn init_error(answer: Answer) -> Error {
    let (client, _) = client([answer]);
    let seed = SecretBytes::copy_of(SEED);
    client
        .init(&Init::hotp(serial("A_1"), seed, 6, HashAlgorithm::Sha1).pin(text("geheim77")))
        .await
        .err()
        .unwrap()
}

#[tokio::test]
async fn errors_of_the_server() {
    let cases = [
        (recorded!(404, "error-not-found"), ServerCode::NotFound, Outcome::Refused),
        (recorded!(400, "error-assigned"), ServerCode::AlreadyAssigned, Outcome::Refused),
        (recorded!(500, "error-internal"), ServerCode::Internal, Outcome::Unknown),
        (recorded!(403, "error-pin-rule"), ServerCode::Forbidden, Outcome::Refused),
        (server_error(400, 301), ServerCode::TypeOrOwner, Outcome::Refused),
        (server_error(400, 344), ServerCode::TwoStepForced, Outcome::Refused),
        (server_error(400, 1007), ServerCode::Revoked, Outcome::Refused),
        (server_error(400, 77), ServerCode::Other(77), Outcome::Refused),
        (server_error(200, 905), ServerCode::Parameter, Outcome::Unknown),
    ];
    for (answer, code, outcome) in cases {
        let error = init_error(answer).await;
        assert_eq!((error.code(), error.outcome()), (Some(code), outcome), "{error}");
    }
}

#[tokio::test]
async fn broken_answers_to_a_change_are_unknown() {
    let whole = include_str!("answers/init-hotp.json");
    let cases = [
        (200, "<html><body>please log in</body></html>", Malformed::Html),
        (200, "", Malformed::Empty),
        (200, whole.split_at(whole.len() / 2).0, Malformed::NotJson),
        (200, r#"{"result":{"status":true,"value":true}}"#, Malformed::Shape),
        (200, r#"{"result":{"status":true,"value":true},"detail":{"serial":7}}"#, Malformed::Shape),
        (200, r#"{"result":{"status":true,"value":false},"detail":{"serial":"A_1"}}"#, Malformed::Shape),
        (
            200,
            r#"{"result":{"status":true,"value":true},"detail":{"serial":"A_1","otpkey":"x"}}"#,
            Malformed::Shape,
        ),
        (200, r#"{"hello":"world"}"#, Malformed::NoEnvelope),
        (502, "<html><h1>502 Bad Gateway</h1></html>", Malformed::Html),
        (504, "upstream timed out", Malformed::NotJson),
        (500, whole, Malformed::NoEnvelope),
        (302, "", Malformed::Empty),
    ];
    for (status, body, fault) in cases {
        let error = init_error(answer(status, body)).await;
        assert!(
            matches!(error, Error::Garbled { status: s, fault: f, .. } if s == status && f == fault),
            "{status} {body:.20}: {error}"
        );
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
}

#[tokio::test]
async fn pages_that_turn_a_request_away_are_refusals() {
    for status in [400, 401, 403, 404, 405, 413, 429] {
        assert_eq!(init_error(answer(status, "<html>")).await.outcome(), Outcome::Refused, "{status}");
    }
    let no_route = init_error(answer(404, r#"{"error":"Not found"}"#)).await;
    assert!(no_route.is_unsupported() && no_route.outcome() == Outcome::Refused);
    assert!(!init_error(recorded!(404, "error-not-found")).await.is_unsupported());
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    for status in [429, 503] {
        for body in ["<html>", r#"{"result":{"status":false,"error":{"code":-1,"message":"busy"}}}"#] {
            let mut answer = answer(status, body).unwrap();
            answer.retry_after = Some(Duration::from_secs(7));
            let error = init_error(Ok(answer)).await;
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
            assert_eq!((error.status(), error.is_transient()), (Some(status), true));
        }
    }
}

#[tokio::test]
async fn what_the_transport_says_is_kept() {
    let error = init_error(Err(TransportError::NotSent(NotSent::Refused))).await;
    assert_eq!((error.outcome(), error.is_transient()), (Outcome::NotSent, true));
    let error = init_error(Err(TransportError::NotSent(TlsFault::Expired.into()))).await;
    assert_eq!((error.outcome(), error.is_transient()), (Outcome::NotSent, false));
    let error = init_error(Err(TransportError::Unknown(Lost::Timeout))).await;
    assert_eq!((error.outcome(), error.is_transient()), (Outcome::Unknown, true));
}

#[tokio::test]
async fn a_lost_login_is_a_call_that_was_not_made() {
    let script = Script::new([Err(TransportError::Unknown(Lost::Closed))]);
    let error = Client::new(script, password()).enable(&serial("A_1")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn messages_that_quote_a_secret_are_dropped() {
    for quoted in ["3132333435363738393031323334353637383930", "GEHEIM77"] {
        let body = format!(
            r#"{{"result":{{"status":false,"error":{{"code":905,"message":"bad value {quoted}!"}}}}}}"#
        );
        let error = init_error(answer(400, &body)).await;
        assert_eq!(error.code(), Some(ServerCode::Parameter));
        assert!(!format!("{error} {error:?}").to_lowercase().contains(&quoted.to_lowercase()), "{error}");
    }
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let body = include_str!("answers/init-hotp.json")
        .replace("\"UBOM00000001_1\",\n  \"threadid\"", "7,\n  \"threadid\"");
    let error = init_error(answer(200, &body)).await;
    assert!(matches!(error, Error::Garbled { fault: Malformed::Shape, .. }), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("3132") && !shown.contains("GEZD"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes back, the client says something about it.
    #[test]
    fn no_answer_panics(status in 100u16..600, bytes in any::<Vec<u8>>(), cut in 0usize..1000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = include_bytes!("answers/init-hotp.json");
        let mut mixed = whole[..cut.min(whole.len())].to_vec();
        mixed.extend_from_slice(&bytes);
        for body in [bytes, mixed] {
            let response = HttpResponse { status, content_type: None, retry_after: None, location: None, body: SecretBytes::new(body) };
            let error = runtime.block_on(init_error(Ok(response)));
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
