//! Tells apart what the layers below report: whether a request left, and what
//! stopped it or its answer.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError};
use thiserror::Error;

use super::trust::{PinMismatch, Refused};
use crate::http::{Lost, NotSent, TlsFault, TransportError};

/// The system knows no address for the name.
#[derive(Debug, Clone, Copy, Error)]
#[error("the name has no address")]
pub(super) struct NoSuchName;

/// An error before the head of the answer was there.
/// `asked`: whether the server has asked for a client certificate.
pub(super) fn while_sending(error: &reqwest::Error, asked: bool) -> TransportError {
    let required = |layer: &(dyn StdError + 'static)| {
        let tls = layer.downcast_ref::<rustls::Error>();
        matches!(tls, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)))
    };
    // Of TLS 1.3 that comes after the handshake, and before anything of the request is looked at.
    if layers(error).any(required) {
        return TransportError::NotSent(NotSent::Tls(TlsFault::ClientCertificate));
    }
    match sending(error) {
        TransportError::NotSent(NotSent::Tls(TlsFault::Handshake)) if asked => {
            TransportError::NotSent(NotSent::Tls(TlsFault::ClientCertificate))
        }
        TransportError::Unknown(Lost::Closed) if asked => TransportError::Unknown(Lost::AskedForCertificate),
        other => other,
    }
}

fn sending(error: &reqwest::Error) -> TransportError {
    // Name, TCP and TLS all happen within connecting, before any byte of the
    // request. Everything later counts as sent.
    if error.is_connect() {
        return TransportError::NotSent(connecting(error));
    }
    if error.is_builder() {
        return TransportError::NotSent(NotSent::Request("a header or the address"));
    }
    TransportError::Unknown(lost(error, Lost::Closed))
}

/// An error within the body of the answer.
pub(super) fn while_reading(error: &reqwest::Error) -> TransportError {
    TransportError::Unknown(lost(error, Lost::Truncated))
}

fn connecting(error: &reqwest::Error) -> NotSent {
    let mut last = String::new();
    for layer in layers(error) {
        if layer.is::<NoSuchName>() {
            return NotSent::Name;
        }
        if let Some(tls) = layer.downcast_ref::<rustls::Error>() {
            return NotSent::Tls(tls_fault(tls));
        }
        if let Some(io) = layer.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return NotSent::Refused,
                io::ErrorKind::TimedOut => return NotSent::Timeout,
                // TCP stood, so this was within the handshake.
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => return NotSent::Tls(TlsFault::Handshake),
                _ => {}
            }
        }
        last = layer.to_string();
    }
    if error.is_timeout() { NotSent::Timeout } else { NotSent::Unreachable(last) }
}

fn tls_fault(error: &rustls::Error) -> TlsFault {
    let rustls::Error::InvalidCertificate(why) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) | rustls::Error::AlertReceived(_) => TlsFault::Handshake,
            other => TlsFault::Other(other.to_string()),
        };
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongName
        }
        // A root whose name fits but whose key does not shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
        CertificateError::Other(other) if other.0.is::<PinMismatch>() => TlsFault::PinMismatch,
        CertificateError::Other(other) if other.0.is::<Refused>() => {
            let refused = other.0.downcast_ref::<Refused>();
            refused.map_or(TlsFault::Untrusted, |refused| refused.0.clone())
        }
        other => TlsFault::Other(other.to_string()),
    }
}

fn lost(error: &reqwest::Error, closed: Lost) -> Lost {
    if error.is_timeout() {
        return Lost::Timeout;
    }
    let mut last = String::new();
    for layer in layers(error) {
        if let Some(http) = layer.downcast_ref::<hyper::Error>() {
            if http.is_incomplete_message()
                || http.is_closed()
                || http.is_canceled()
                || http.is_body_write_aborted()
            {
                return closed;
            }
            if http.is_parse() {
                return if closed == Lost::Closed { Lost::NotHttp } else { closed };
            }
        }
        if let Some(io) = layer.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => return closed,
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => return Lost::NotHttp,
                _ => {}
            }
        }
        last = layer.to_string();
    }
    Lost::Other(last)
}

/// The error, its causes, and what I/O errors carry inside, which their own
/// `source` skips.
fn layers<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |layer: &&'a (dyn StdError + 'static)| {
        let layer: &'a (dyn StdError + 'static) = *layer;
        let inner = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => layer.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::dns::{Name, Resolve, Resolving};

    use super::super::trust::{Trust, client_config};
    use super::*;
    use crate::clock::SystemClock;

    /// A resolver that knows nobody.
    struct Nobody;

    impl Resolve for Nobody {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(async { Err(NoSuchName.into()) })
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address() {
        let trust = Trust::insecure_accept_any_certificate();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(
                client_config(trust, Arc::new(SystemClock::new()), Arc::default()).unwrap(),
            )
            .dns_resolver(Arc::new(Nobody))
            .build()
            .unwrap();
        let error = client.post("https://pi.example.test/auth").send().await.unwrap_err();
        assert_eq!(while_sending(&error, false), TransportError::NotSent(NotSent::Name));
    }

    #[test]
    fn faults_of_tls() {
        let other = |e: rustls::Error| tls_fault(&e);
        assert_eq!(other(CertificateError::UnknownIssuer.into()), TlsFault::Untrusted);
        assert_eq!(other(CertificateError::Expired.into()), TlsFault::Expired);
        assert!(matches!(other(CertificateError::Revoked.into()), TlsFault::Other(_)));
        assert!(matches!(other(rustls::Error::NoCertificatesPresented), TlsFault::Other(_)));
    }
}
