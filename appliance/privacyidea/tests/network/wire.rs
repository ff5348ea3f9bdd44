//! Connections that end where they should not.

use std::time::Duration;

use privacyidea::transport::{Https, Trust};
use privacyidea::*;

use crate::host::*;

/// What became of one change, sent to a server that does this.
async fn fate(act: Act) -> Result<HttpResponse, TransportError> {
    let host = Host::start(vec![vec![act]]).await;
    host.plain().build().unwrap().send(change()).await
}

fn unknown(lost: Lost) -> Option<TransportError> {
    Some(TransportError::Unknown(lost))
}

#[tokio::test]
async fn requests_as_they_stand_on_the_wire() {
    let host = Host::start(vec![vec![say(json(200, YES)), say(json(200, YES))]]).await;
    let https = host.plain().build().unwrap();
    let answer = https.send(change()).await.unwrap();
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("application/json")));
    assert_eq!(answer.body.reveal(), YES.as_bytes());
    https.send(look()).await.unwrap();

    let requests = host.requests();
    let lines: Vec<String> = requests[0].lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(lines[0], "post /token/enable http/1.1");
    for line in [
        "content-type: application/json",
        "authorization: aaa.bbb.ccc",
        "accept: application/json",
        "user-agent: station-test/1.0",
        "content-length: 16",
    ] {
        assert!(lines.iter().any(|have| have == line), "{line} in {lines:?}");
    }
    assert!(requests[0].ends_with(r#"{"serial":"A_1"}"#));
    assert!(requests[1].starts_with("GET /token/?serial=A%201%26b HTTP/1.1\r\n"), "{}", requests[1]);
    let get = requests[1].to_ascii_lowercase();
    assert!(!get.contains("content-type") && !get.contains("authorization") && !get.contains("cookie"));
    assert_eq!(host.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn a_base_address_may_have_a_path() {
    let host = Host::start(vec![vec![say(json(200, YES))]]).await;
    let base = format!("http://127.0.0.1:{}/pi/", host.port);
    let trust = Trust::insecure_accept_any_certificate();
    Https::builder(&base, trust, "t").allow_plain_http().build().unwrap().send(look()).await.unwrap();
    assert!(host.requests()[0].starts_with("GET /pi/token/?serial="));
}

#[tokio::test]
async fn a_token_of_eight_kilobytes_goes_through() {
    let host = Host::start(vec![vec![say(json(200, YES))]]).await;
    let token = format!("a.{}.c", "b".repeat(8192));
    let request =
        HttpRequest { authorization: Some(std::sync::Arc::new(SecretString::copy_of(&token))), ..look() };
    host.plain().build().unwrap().send(request).await.unwrap();
    assert!(host.requests()[0].contains(&token));
}

#[tokio::test]
async fn a_token_that_is_no_header_is_not_sent() {
    let host = Host::start(vec![]).await;
    let request =
        HttpRequest { authorization: Some(std::sync::Arc::new(SecretString::copy_of("a\r\nb"))), ..look() };
    let error = host.plain().build().unwrap().send(request).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSent(NotSent::Request(_))), "{error}");
}

#[tokio::test]
async fn a_kept_connection_that_closes_on_a_request_is_no_reason_to_repeat_it() {
    for end in [Act::Close, Act::Reset] {
        let host = Host::start(vec![vec![say(json(200, YES)), end], vec![say(json(200, YES))]]).await;
        let https = host.plain().build().unwrap();
        https.send(change()).await.unwrap();
        let error = https.send(change()).await.err();
        assert_eq!(error, unknown(Lost::Closed));
        assert_eq!(host.connections(), 1, "no second try on a new connection");
    }
}

#[tokio::test]
async fn answers_that_do_not_begin() {
    assert_eq!(fate(Act::Close).await.err(), unknown(Lost::Closed));
    assert_eq!(fate(Act::Reset).await.err(), unknown(Lost::Closed));
    assert_eq!(fate(say("HTTP/1.1 200 OK\r\nContent-Le")).await.err(), unknown(Lost::Closed));
    assert_eq!(fate(say("220 mail.example.test ESMTP\r\n")).await.err(), unknown(Lost::NotHttp));
}

#[tokio::test]
async fn answers_that_break_off() {
    let whole = json(200, YES);
    assert_eq!(fate(say(&whole[..whole.len() - 1])).await.err(), unknown(Lost::Truncated));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\n";
    assert_eq!(fate(say(chunked)).await.err(), unknown(Lost::Truncated));
    let bad_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(fate(say(bad_chunk)).await.err(), unknown(Lost::NotHttp));
}

#[tokio::test]
async fn answers_without_a_length_end_with_the_connection() {
    let answer = fate(say(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{YES}"))).await.unwrap();
    assert_eq!(answer.body.reveal(), YES.as_bytes());
    let chunked =
        "HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = fate(say(chunked)).await.unwrap();
    assert_eq!(
        (answer.status, answer.retry_after, answer.body.reveal()),
        (429, Some(Duration::from_secs(7)), &b"{}"[..])
    );
    let dated = "HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(fate(say(dated)).await.unwrap().retry_after, None);
}

#[tokio::test]
async fn answers_that_are_too_long() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n";
    assert_eq!(fate(say(announced)).await.err(), unknown(Lost::TooLong));
    let absurd = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n";
    assert_eq!(fate(say(absurd)).await.err(), unknown(Lost::NotHttp));
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + 1024 * 1024 + 1, b'x');
    assert_eq!(fate(say(endless.clone())).await.err(), unknown(Lost::TooLong));
    endless.pop();
    assert_eq!(fate(say(endless)).await.unwrap().body.len(), 1024 * 1024);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let host = Host::start(vec![
        vec![
            say("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
            say(json(200, YES)),
        ],
        vec![say(json(200, YES))],
    ])
    .await;
    assert_eq!(host.plain().build().unwrap().send(change()).await.unwrap().status, 302);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn answers_that_take_too_long() {
    let short = Duration::from_millis(60);
    for act in [Act::Sulk, say("HTTP/1.1 200 OK\r\n")] {
        let host = Host::start(vec![vec![act, Act::Sulk]]).await;
        let error = host.plain().timeout(short).build().unwrap().send(change()).await.err();
        assert_eq!(error, unknown(Lost::Timeout));
    }
    let host = Host::start(vec![vec![say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Act::Sulk]]).await;
    let error = host.plain().timeout(short).build().unwrap().send(change()).await.err();
    assert_eq!(error, unknown(Lost::Timeout));
}

#[tokio::test]
async fn nobody_there() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for scheme in ["http", "https"] {
        let base = format!("{scheme}://127.0.0.1:{port}");
        let trust = Trust::insecure_accept_any_certificate();
        let https = Https::builder(&base, trust, "t").allow_plain_http().build().unwrap();
        assert_eq!(https.send(change()).await.err(), Some(TransportError::NotSent(NotSent::Refused)));
    }
}

#[tokio::test]
async fn a_whole_client_over_the_wire() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYWRtaW4iLCJleHAiOjE3OTUyODk5NTR9.c2ln";
    let login = format!(
        r#"{{"result":{{"status":true,"value":{{"token":"{token}","role":"admin","rights":["enable"]}}}},"time":1795286354.5}}"#
    );
    let half = &json(200, YES)[..60];
    let host = Host::start(vec![
        vec![say(json(200, &login)), say(json(200, YES)), say(half)],
        vec![say("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")],
    ])
    .await;
    let client = Client::new(
        host.plain().build().unwrap(),
        Credentials::password("admin", SecretString::copy_of("admin-password")),
    );
    let serial = Serial::new("A_1").unwrap();
    assert!(client.enable(&serial).await.unwrap());
    let error = client.enable(&serial).await.unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = client.enable(&serial).await.unwrap_err();
    assert_eq!((error.status(), error.outcome()), (Some(502), Outcome::Unknown));
    assert_eq!(host.requests().len(), 4);
}
