//! Who is trusted at the other end of TLS.
//!
//! TLS 1.2 and 1.3 by rustls, with the cryptography of ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::der::{Parts, called};
use crate::clock::Clock;
use crate::http::TlsFault;
use crate::text::DisplayText;

/// What makes a server's certificate good.
pub struct Trust(Kind);

enum Kind {
    System,
    /// The authorities, and their certificates as they were given.
    Roots(RootCertStore, Vec<CertificateDer<'static>>),
    Pins(Vec<SpkiPin>),
    Anything,
}

/// Why there is nothing to trust.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No certificate was found where there should be one.
    #[error("there is no certificate in {0}")]
    None(&'static str),
    /// A certificate cannot be read.
    #[error("a certificate in {0} cannot be read")]
    Unreadable(&'static str),
    /// TLS refuses the combination; this should not happen.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl Trust {
    /// The authorities that the operating system trusts.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// The authorities in a PEM file, and no others.
    pub fn pem(file: &[u8]) -> Result<Self, TrustError> {
        const WHERE: &str = "the CA file";
        let mut roots = RootCertStore::empty();
        let mut given = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(file) {
            let certificate = certificate.map_err(|_| TrustError::Unreadable(WHERE))?;
            given.push(certificate.clone());
            roots.add(certificate).map_err(|_| TrustError::Unreadable(WHERE))?;
        }
        if roots.is_empty() { Err(TrustError::None(WHERE)) } else { Ok(Self(Kind::Roots(roots, given))) }
    }

    /// The servers that hold one of these keys. Issuer, names and dates of the
    /// certificate do not matter then; that it holds the key is still proven
    /// in the handshake.
    pub fn pins(pins: impl IntoIterator<Item = SpkiPin>) -> Result<Self, TrustError> {
        let pins: Vec<_> = pins.into_iter().collect();
        if pins.is_empty() { Err(TrustError::None("the list of pins")) } else { Ok(Self(Kind::Pins(pins))) }
    }

    /// Anybody, which hands seeds to whoever stands in between. For tests.
    pub fn insecure_accept_any_certificate() -> Self {
        Self(Kind::Anything)
    }
}

/// SHA-256 of the public key in a certificate (of its SubjectPublicKeyInfo, as
/// in RFC 7469 and curl's `--pinnedpubkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpkiPin([u8; 32]);

/// The text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a pin is 64 hex digits, or 44 characters of base64, perhaps with sha256// in front")]
pub struct BadPin;

impl SpkiPin {
    /// Reads `sha256//<base64>`, base64, or hex digits with or without colons.
    pub fn parse(text: &str) -> Result<Self, BadPin> {
        let bare = text.trim();
        let bare = bare.strip_prefix("sha256//").or_else(|| bare.strip_prefix("sha256/")).unwrap_or(bare);
        let bytes = match bare.len() {
            44 => BASE64.decode(bare.as_bytes()),
            _ => HEXLOWER_PERMISSIVE.decode(bare.replace(':', "").as_bytes()),
        };
        bytes.ok().and_then(|b| b.try_into().ok()).map(Self).ok_or(BadPin)
    }

    /// The pin of a certificate in DER; `None` if it is none.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from(der);
        let parsed = ParsedCertificate::try_from(&certificate).ok()?;
        Some(Self(Sha256::digest(parsed.subject_public_key_info()).into()))
    }

    /// In the form `sha256//<base64>`.
    pub fn to_text(self) -> String {
        format!("sha256//{}", BASE64.encode(&self.0))
    }
}

/// `asked` tells afterwards whether the server has asked for a client certificate.
pub(super) fn client_config(
    trust: Trust,
    clock: Arc<dyn Clock>,
    asked: Arc<AtomicBool>,
) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder =
        ClientConfig::builder_with_details(Arc::<CryptoProvider>::clone(&provider), Arc::new(Wall(clock)))
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Tls(error.to_string()))?;
    let by_key = |pins| Arc::new(ByKey { pins, algorithms });
    let by_authority = |roots: RootCertStore, given| {
        let subjects = roots.subjects().iter().map(|name| name.as_ref().to_vec()).collect();
        let judge =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let judge = judge.map_err(|error| TrustError::Tls(error.to_string()))?;
        Ok::<_, TrustError>(Arc::new(ByAuthority { judge, given, subjects }))
    };
    let verifier: Arc<dyn ServerCertVerifier> = match trust.0 {
        Kind::System => by_authority(system_roots()?, Vec::new())?,
        Kind::Roots(roots, given) => by_authority(roots, given)?,
        Kind::Pins(pins) => by_key(Some(pins)),
        Kind::Anything => by_key(None),
    };
    let own = Arc::new(NoCertificate(asked));
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_client_cert_resolver(own))
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    // Systems carry some that are malformed; the rest is what counts.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TrustError::None("the system's list of authorities")) } else { Ok(roots) }
}

/// This client has no certificate of its own, and notes when it is asked for one.
#[derive(Debug)]
struct NoCertificate(Arc<AtomicBool>);

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        // Else it would not be told that the server asks.
        true
    }
}

/// Judges by authorities, as the TLS library does, and says more about why not.
#[derive(Debug)]
struct ByAuthority {
    judge: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
    subjects: Vec<Vec<u8>>,
}

/// Why a certificate was refused. Travels through rustls to where faults are told apart.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) TlsFault);

impl ByAuthority {
    fn why(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        why: &CertificateError,
    ) -> Option<TlsFault> {
        let pin = || SpkiPin::of_certificate(shown).map(SpkiPin::to_text);
        let dated = matches!(
            why,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. }
        );
        if dated {
            return None;
        }
        let parts = Parts::read(shown)?;
        if std::iter::once(shown)
            .chain(chain)
            .any(|der| Parts::read(der).is_some_and(|parts| parts.version < 3))
        {
            return Some(TlsFault::OldVersion);
        }
        if self.given.iter().any(|given| given == shown) {
            return pin().map(TlsFault::ServesAuthority);
        }
        if parts.issuer == parts.subject {
            return pin().map(TlsFault::SelfSigned);
        }
        let is_issuer =
            |der: &CertificateDer<'_>| Parts::read(der).is_some_and(|other| other.subject == parts.issuer);
        // rustls gives names of authorities without the outer tag and length of their sequence.
        let known =
            self.subjects.iter().any(|subject| subject == parts.issuer || parts.issuer.ends_with(subject));
        if *why == CertificateError::UnknownIssuer && !known && !chain.iter().any(is_issuer) {
            let name = called(parts.issuer).unwrap_or_default();
            return Some(TlsFault::IssuerNotShown(DisplayText::from_foreign(&name).to_string()));
        }
        None
    }
}

impl ServerCertVerifier for ByAuthority {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        status: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge.verify_server_cert(shown, chain, name, status, now).map_err(|error| {
            let rustls::Error::InvalidCertificate(why) = &error else { return error };
            match self.why(shown, chain, why) {
                Some(fault) => CertificateError::Other(OtherError(Arc::new(Refused(fault)))).into(),
                None => error,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// Trusts whoever proves to hold a pinned key; without pins, any key.
#[derive(Debug)]
struct ByKey {
    pins: Option<Vec<SpkiPin>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Travels through rustls to where faults are told apart.
#[derive(Debug, Clone, Copy, Error)]
#[error("the server's key is not the pinned one")]
pub(super) struct PinMismatch;

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(pins) = &self.pins else { return Ok(ServerCertVerified::assertion()) };
        let pin = SpkiPin::of_certificate(end_entity).ok_or(CertificateError::BadEncoding)?;
        if pins.contains(&pin) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(PinMismatch))).into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

struct Wall(Arc<dyn Clock>);

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.wall().duration_since(std::time::SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_in_all_forms() {
        let pin = SpkiPin::parse(&"0a".repeat(32)).unwrap();
        assert_eq!(SpkiPin::parse(&vec!["0A"; 32].join(":")), Ok(pin));
        assert_eq!(SpkiPin::parse(&pin.to_text()), Ok(pin));
        assert_eq!(SpkiPin::parse(pin.to_text().trim_start_matches("sha256//")), Ok(pin));
        for bad in ["", "0a", &"0a".repeat(33), &"zz".repeat(32), &"=".repeat(44)] {
            assert_eq!(SpkiPin::parse(bad), Err(BadPin), "{bad}");
        }
    }

    #[test]
    fn a_file_without_certificates() {
        assert_eq!(Trust::pem(b"# nothing\n").err(), Some(TrustError::None("the CA file")));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Trust::pem(broken).err(), Some(TrustError::Unreadable("the CA file")));
        assert_eq!(Trust::pins([]).err(), Some(TrustError::None("the list of pins")));
        assert_eq!(SpkiPin::of_certificate(b"0000"), None);
    }
}
