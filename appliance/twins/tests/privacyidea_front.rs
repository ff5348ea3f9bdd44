//! The twin behind HTTP and TLS: connections that live, are cut, and lie.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use twins::privacyidea::front::{Server, listen, serve};
use twins::privacyidea::tls::{Authority, Variant};
use twins::privacyidea::{Fault, Mode, Options, Request, ServerTwin};

const LIVE: &str = "GET /healthz/livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LOGIN: &str = "POST /auth HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
    Content-Length: 38\r\n\r\nusername=admin&password=admin-password";

async fn start(faults: &[Fault]) -> (Arc<Mutex<ServerTwin>>, Server) {
    let mut twin = ServerTwin::new(Options::default());
    faults.iter().for_each(|fault| twin.fault_add(fault.clone()));
    let twin = Arc::new(Mutex::new(twin));
    let listener = listen(0).await.unwrap();
    let server = serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
    (twin, server)
}

/// Send one request and read one answer: its status, what its head promises, and its body.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &str,
) -> Option<(u16, usize, Vec<u8>)> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let promised = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
    let mut body = vec![0; promised];
    let mut filled = 0;
    while filled < promised {
        match stream.read(&mut body[filled..]).await {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    body.truncate(filled);
    Some((status, promised, body))
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let (_, server) = start(&[]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        let (status, promised, body) = ask(&mut stream, LIVE).await.unwrap();
        assert_eq!((status, promised), (200, body.len()));
    }
    let (status, _, body) = ask(&mut stream, LOGIN).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.len() > 8000, "a login is {} bytes", body.len());
    server.stop().await;
    assert!(ask(&mut stream, LIVE).await.is_none(), "nobody answers after the stop");
}

#[tokio::test]
async fn a_cut_is_a_cut_and_half_an_answer_is_half() {
    let faults = [
        Fault::new("/healthz", Mode::Cut),
        Fault::new("/auth", Mode::Truncate),
        Fault { status: 429, ..Fault::new("/token", Mode::Status) },
        Fault::new("/token", Mode::Html),
        Fault { delay: Duration::from_millis(1), ..Fault::new("/healthz", Mode::Slow) },
    ];
    let (twin, server) = start(&faults).await;
    let connect = || TcpStream::connect(server.address());

    let mut stream = connect().await.unwrap();
    assert!(ask(&mut stream, LIVE).await.is_none());

    let mut stream = connect().await.unwrap();
    let (status, promised, body) = ask(&mut stream, LOGIN).await.unwrap();
    assert_eq!((status, body.len()), (200, promised / 2));

    let mut stream = connect().await.unwrap();
    let list = "GET /token/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for expected in [429, 502, 401] {
        assert_eq!(ask(&mut stream, list).await.unwrap().0, expected);
    }
    assert_eq!(ask(&mut stream, LIVE).await.unwrap().0, 200);
    assert!(twin.lock().unwrap().faults().is_empty());
}

#[tokio::test]
async fn only_the_good_certificate_convinces() {
    let authority = Authority::new("test CA").unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    for (variant, convinces) in [
        (Variant::Good, true),
        (Variant::Expired, false),
        (Variant::WrongHost, false),
        (Variant::Untrusted, false),
    ] {
        let twin = Arc::new(Mutex::new(ServerTwin::new(Options::default())));
        let tls = Some(authority.acceptor(variant).unwrap());
        let server = serve(twin, listen(0).await.unwrap(), tls, Duration::ZERO).unwrap();
        for name in ["localhost", "127.0.0.1"] {
            let stream = TcpStream::connect(server.address()).await.unwrap();
            let name = ServerName::try_from(name).unwrap();
            match connector.connect(name, stream).await {
                Ok(mut stream) => {
                    assert!(convinces, "{variant:?}");
                    assert_eq!(ask(&mut stream, LIVE).await.unwrap().0, 200);
                }
                Err(error) => assert!(!convinces, "{variant:?}: {error}"),
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_server_acts_although_the_client_has_gone() {
    let slow = Fault { delay: Duration::from_millis(20), ..Fault::new("/token/init", Mode::Slow) };
    let (twin, server) = start(&[slow]).await;
    let login = Request::new("POST", "/auth").form("username=admin&password=admin-password");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let answer = twin.lock().unwrap().handle(&login, now).json().unwrap();
    let jwt = answer["result"]["value"]["token"].as_str().unwrap();
    let body = "type=hotp&serial=LATE1&genkey=1";
    let request = format!(
        "POST /token/init HTTP/1.1\r\nHost: localhost\r\nAuthorization: {jwt}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // The server has read the request when the fault is used up; only then the client goes.
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while !twin.lock().unwrap().faults().is_empty() {
        assert!(tokio::time::Instant::now() < patience, "the request did not arrive");
        tokio::task::yield_now().await;
    }
    drop(stream);
    while twin.lock().unwrap().token("LATE1").is_none() {
        assert!(tokio::time::Instant::now() < patience, "the server did not act");
        tokio::task::yield_now().await;
    }
}
