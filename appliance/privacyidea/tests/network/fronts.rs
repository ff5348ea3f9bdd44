//! What stands in front of a server, and how its TLS is set up wrong: each has its own sentence.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use privacyidea::transport::{Https, SpkiPin, Trust};
use privacyidea::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::host::*;

const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

fn named(name: &str, is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params
}

/// A root and an authority below it, which signs servers.
struct Chain {
    root: CertifiedIssuer<'static, KeyPair>,
    middle: CertifiedIssuer<'static, KeyPair>,
}

impl Chain {
    fn new() -> Self {
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(named("root", ca()), KeyPair::generate().unwrap()).unwrap();
        let middle =
            CertifiedIssuer::signed_by(named("middle", ca()), KeyPair::generate().unwrap(), &root).unwrap();
        Self { root, middle }
    }

    fn server(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate = named("server", IsCa::NoCa).signed_by(&key, &self.middle).unwrap();
        (certificate.into(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn trusted(&self) -> Trust {
        Trust::pem(self.root.pem().as_bytes()).unwrap()
    }
}

fn shown(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn transport(host: &Host, name: &str, trust: Trust) -> Https {
    Https::builder(&format!("https://{name}:{}", host.port), trust, "station-test/1.0").build().unwrap()
}

/// Why the request was not sent to a server with this TLS.
async fn refused(tls: TlsAcceptor, trust: Trust) -> String {
    let host = Host::start_tls(tls, vec![vec![say(json(200, YES))]]).await;
    match transport(&host, "127.0.0.1", trust).send(change()).await {
        Err(TransportError::NotSent(NotSent::Tls(fault))) => {
            assert!(host.requests().is_empty());
            fault.to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// A self-signed certificate, made as an authority's or as a server's.
fn self_signed(is_ca: IsCa) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = named("pi", is_ca).self_signed(&key).unwrap();
    let pem = certificate.pem();
    (certificate.into(), PrivatePkcs8KeyDer::from(key.serialize_der()).into(), pem)
}

#[tokio::test]
async fn a_missing_intermediate_is_named() {
    let chain = Chain::new();
    let (server, key) = chain.server();
    let whole = vec![server.clone(), chain.middle.der().clone()];
    let host = Host::start_tls(shown(whole, key.clone_key()), vec![vec![say(json(200, YES))]]).await;
    assert!(transport(&host, "127.0.0.1", chain.trusted()).send(change()).await.is_ok());
    let said = refused(shown(vec![server.clone()], key.clone_key()), chain.trusted()).await;
    assert!(said.contains("issued by \"middle\"") && said.contains("send its whole chain"), "{said}");
    // Shown, but below a root that is not trusted.
    let whole = vec![server, chain.middle.der().clone()];
    let said = refused(shown(whole, key), Chain::new().trusted()).await;
    assert!(said.contains("authority that is not trusted"), "{said}");
}

#[tokio::test]
async fn a_self_signed_certificate_works_as_ca_or_the_pin_is_said() {
    // Made as a server's: it is its own authority, and that works.
    let (certificate, key, pem) = self_signed(IsCa::ExplicitNoCa);
    let tls = shown(vec![certificate], key);
    let host = Host::start_tls(tls, vec![vec![say(json(200, YES))]]).await;
    let trust = Trust::pem(pem.as_bytes()).unwrap();
    assert!(transport(&host, "127.0.0.1", trust).send(change()).await.is_ok());
    // Made as an authority's, as `openssl req -x509` does: the pin that works is said.
    let (certificate, key, pem) = self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
    let pin = SpkiPin::of_certificate(&certificate).unwrap();
    let tls = shown(vec![certificate], key);
    let said = refused(tls.clone(), Trust::pem(pem.as_bytes()).unwrap()).await;
    assert!(said.contains(&format!("pin = \"{}\"", pin.to_text())), "{said}");
    let host = Host::start_tls(tls.clone(), vec![vec![say(json(200, YES))]]).await;
    let pinned = Trust::pins([pin]).unwrap();
    assert!(transport(&host, "127.0.0.1", pinned).send(change()).await.is_ok());
    // Not given as trusted at all.
    let said = refused(tls, Chain::new().trusted()).await;
    assert!(said.contains("signed by itself; if") && said.contains(&pin.to_text()), "{said}");
}

#[tokio::test]
async fn a_certificate_of_version_1_is_named() {
    const OLD: &[u8] = include_bytes!("old.pem");
    let certificate = CertificateDer::from_pem_slice(OLD).unwrap();
    let key = ring::sign::any_supported_type(&PrivateKeyDer::from_pem_slice(OLD).unwrap()).unwrap();
    // The library would not set up such a server, so its check is bypassed.
    let shown = CertifiedKey::new(vec![certificate], key);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let said = refused(TlsAcceptor::from(Arc::new(config)), Trust::pem(OLD).unwrap()).await;
    assert!(said.contains("version 1"), "{said}");
}

#[tokio::test]
async fn a_client_certificate_that_is_wanted_is_named() {
    let chain = Chain::new();
    let (server, key) = chain.server();
    let mut roots = RootCertStore::empty();
    roots.add(chain.root.der().clone()).unwrap();
    for version in BOTH {
        let provider = Arc::new(ring::default_provider());
        let wanted =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(&provider))
                .build();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(wanted.unwrap())
            .with_single_cert(vec![server.clone(), chain.middle.der().clone()], key.clone_key())
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let host = Host::start_tls(tls, vec![vec![say(json(200, YES))]]).await;
        let error =
            transport(&host, "127.0.0.1", chain.trusted()).send(change()).await.unwrap_err().to_string();
        assert!(error.contains("client certificate"), "{error}");
        assert!(host.requests().is_empty());
    }
}

/// What a client says of a front that answers so.
async fn answered(answer: String) -> Error {
    let chain = Chain::new();
    let (server, key) = chain.server();
    let tls = shown(vec![server, chain.middle.der().clone()], key);
    let host = Host::start_tls(tls, vec![vec![say(answer)]]).await;
    let key = SecretString::copy_of(KEY);
    let client = Client::new(transport(&host, "127.0.0.1", chain.trusted()), Credentials::api_key(key));
    client.users("office", "*").await.unwrap_err()
}

/// A JSON web token with {"username":"admin","role":"admin","exp":4102444800}.
const KEY: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VybmFtZSI6ImFkbWluIiwicm9sZSI6ImFkbWluIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln";

fn page(status: u16, more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/html\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn what_stands_in_front_is_told_apart() {
    let moved = answered(page(302, "Location: https://sso.example.test/login\r\n", "")).await;
    assert_eq!(moved.outcome(), Outcome::Refused);
    assert!(moved.to_string().contains("https://sso.example.test/login"), "{moved}");
    let cases = [
        (page(200, "", "<html><form><input type=\"password\"></form></html>"), "login page"),
        (page(400, "", "<html><center>No required SSL certificate was sent</center></html>"), "client certificate"),
        (page(502, "", "<html><h1>502 Bad Gateway</h1></html>"), "HTML page"),
        (
            String::from_utf8(json(401, r#"{"result":{"status":false,"error":{"code":4033,"message":"Missing Authorization header."}},"version":"privacyIDEA 3.14"}"#)).unwrap(),
            "takes the header Authorization away",
        ),
        (page(200, "Content-Encoding: br\r\n", "x"), "compressed as br"),
    ];
    for (answer, words) in cases {
        let said = answered(answer).await.to_string();
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_compressed_is_read() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(YES.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    let host = Host::start(vec![vec![say([head.into_bytes(), packed].concat())]]).await;
    let answer = host.plain().build().unwrap().send(change()).await.unwrap();
    assert_eq!(answer.body.reveal(), YES.as_bytes());
    assert!(!host.requests()[0].to_ascii_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn addresses_may_have_capitals_and_letters_of_every_language() {
    let trust = Trust::insecure_accept_any_certificate;
    for address in
        ["HTTPS://PI.Example.TEST/", "https://bücher.example.test", "https://пример.example.test:8443/pi"]
    {
        assert!(Https::builder(address, trust(), "t").build().is_ok(), "{address}");
    }
    // A name with capitals is the same name.
    let chain = Chain::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "server");
    let certificate = params.signed_by(&key, &chain.root).unwrap();
    let tls = shown(vec![certificate.into()], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
    let host = Host::start_tls(tls, vec![vec![say(json(200, YES))]]).await;
    assert!(transport(&host, "LocalHost", chain.trusted()).send(change()).await.is_ok());
}
