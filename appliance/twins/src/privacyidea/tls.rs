//! Certificates for the twin: a good one, and three that a client must refuse.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What is wrong with the certificate; the names are the fixture's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Nothing: for `localhost` and 127.0.0.1, from the CA that is given out.
    Good,
    /// It was valid until yesterday.
    Expired,
    /// It is for another host.
    WrongHost,
    /// Another CA signed it.
    Untrusted,
}

/// The name is none of the variants.
#[derive(Debug, thiserror::Error)]
#[error("no such certificate: {0:?}; there are good, expired, wrong-host and untrusted")]
pub struct UnknownVariant(String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, UnknownVariant> {
        Ok(match text {
            "good" => Self::Good,
            "expired" => Self::Expired,
            "wrong-host" => Self::WrongHost,
            "untrusted" => Self::Untrusted,
            _ => return Err(UnknownVariant(text.into())),
        })
    }
}

/// The certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Making or signing a certificate failed.
    #[error("a test certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused them.
    #[error("the TLS library refused a test certificate: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A certificate authority of the twin's own, made when it is needed.
///
/// The keys come from the operating system's random numbers: they protect
/// nothing, but two twins should not trust each other by accident.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// [`TlsError::Certificate`].
    pub fn new(name: &str) -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        lasting(&mut params, -1, 3650);
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// The authority's certificate, for clients that are to trust it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a server of this variant shows.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn acceptor(&self, variant: Variant) -> Result<TlsAcceptor, TlsError> {
        Ok(self.identity(variant)?.0)
    }

    /// The same, and the certificate that is shown, for clients that pin its key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn identity(&self, variant: Variant) -> Result<(TlsAcceptor, CertificateDer<'static>), TlsError> {
        let names = match variant {
            Variant::WrongHost => vec!["privacyidea.example.test".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "server twin");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        if variant == Variant::Expired {
            lasting(&mut params, -30, -1);
        } else {
            lasting(&mut params, -1, 3650);
        }
        let key = KeyPair::generate()?;
        let certificate = if variant == Variant::Untrusted {
            params.signed_by(&key, &Self::new("another CA")?.issuer)?
        } else {
            params.signed_by(&key, &self.issuer)?
        };
        let certificate = CertificateDer::from(certificate);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)?;
        Ok((TlsAcceptor::from(Arc::new(config)), certificate))
    }
}

/// Valid from so many days from now until so many.
fn lasting(params: &mut CertificateParams, from: i64, until: i64) {
    let day = Duration::from_secs(86_400);
    let now = std::time::SystemTime::now();
    let at = |days: i64| {
        let shift = day * u32::try_from(days.unsigned_abs()).unwrap_or(0);
        if days < 0 { now - shift } else { now + shift }
    };
    params.not_before = at(from).into();
    params.not_after = at(until).into();
}
