//! The seam between the protocol and whatever carries it.
//!
//! A [`Transport`] sends one request and returns one answer. Its errors must
//! tell apart two things that callers act upon in opposite ways: the request
//! **certainly did not reach** the server ([`TransportError::NotSent`]), or it
//! **may have** ([`TransportError::Unknown`]).

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::secret::{SecretBytes, SecretString};

/// The three methods that the server's interface uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Look, change nothing.
    Get,
    /// Almost everything that changes something, and `/validate/check`.
    Post,
    /// Remove.
    Delete,
}

impl Method {
    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One request. `Debug` shows the method and the template of the path only.
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The path below the server's base address, percent-encoded, beginning
    /// with `/`. It can hold a one-time password, so it is not for logs.
    pub path: String,
    /// The path with its variable parts as names (`/token/getserial/{otp}`):
    /// this one is for logs.
    pub template: &'static str,
    /// Query pairs, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// The value of the header `Authorization`: the bare token, without
    /// `Bearer`, which the server would refuse.
    pub authorization: Option<Arc<SecretString>>,
    /// The JSON body. Only `POST` has one: the server answers a `GET` or
    /// `DELETE` that announces JSON with an HTML page.
    pub body: Option<Arc<SecretBytes>>,
}

impl HttpRequest {
    /// The value of `Content-Type`: JSON with a body, none without.
    pub fn content_type(&self) -> Option<&'static str> {
        self.body.as_ref().map(|_| "application/json")
    }

    /// Path and query, encoded, as they stand in the request line.
    pub fn target(&self) -> String {
        let mut target = self.path.clone();
        for (n, (name, value)) in self.query.iter().enumerate() {
            target.push(if n == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            push_encoded(&mut target, value);
        }
        target
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.template)
    }
}

/// Appends `text` with everything encoded but the unreserved characters
/// (RFC 3986, section 2.3), which is right in a path segment and in a query.
pub(crate) fn push_encoded(target: &mut String, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            target.push('%');
            for half in [byte >> 4, byte & 15] {
                target.push(char::from(if half < 10 { b'0' + half } else { b'A' + half - 10 }));
            }
        }
    }
}

/// One answer. `Debug` shows no body.
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`, if there was one that is text.
    pub content_type: Option<String>,
    /// The header `Retry-After`, when it was given in seconds. The form with a
    /// date is left out: it means nothing to a machine without a clock.
    pub retry_after: Option<Duration>,
    /// Where the answer sends on to (`Location`), if it does.
    pub location: Option<String>,
    /// The body, whole, within the bound of the transport.
    pub body: SecretBytes,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {} with {} bytes", self.status, self.body.len())
    }
}

/// Carries requests. The implementation must never send a request twice by
/// itself, follow a redirect, or log a body.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the whole answer.
    fn send(&self, request: HttpRequest)
    -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send {
        (**self).send(request)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The server certainly did not see the request.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
    /// The server may have acted on the request.
    #[error("the request was sent, but no complete answer came: {0}")]
    Unknown(Lost),
}

/// Why a request did not leave.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The name of the server has no address.
    #[error("the name of the server cannot be resolved")]
    Name,
    /// The machine is there and nobody listens.
    #[error("the server refuses connections")]
    Refused,
    /// There is no way to the machine.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was not there in time.
    #[error("the server did not accept the connection in time")]
    Timeout,
    /// TLS did not come about.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The request cannot be put into HTTP.
    #[error("the request cannot be written as HTTP: {0}")]
    Request(&'static str),
}

/// Why the other end was not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate was issued by somebody not trusted here.
    #[error("the server's certificate was issued by an authority that is not trusted here")]
    Untrusted,
    /// The certificate has expired, or the local clock is ahead.
    #[error("the server's certificate has expired, or the clock here is ahead")]
    Expired,
    /// The certificate is not yet valid, or the local clock is behind.
    #[error("the server's certificate is not valid yet, or the clock here is behind")]
    NotYetValid,
    /// The certificate is for other names.
    #[error("the server's certificate is for another name")]
    WrongName,
    /// The key of the certificate is not the pinned one.
    #[error("the server's key is not the pinned one")]
    PinMismatch,
    /// The certificate is the one that was given as the authority's, and is no server's.
    #[error(
        "the server shows the very certificate that is given as its authority, signed by itself; give its public key in place of the authority: pin = \"{0}\""
    )]
    ServesAuthority(String),
    /// The certificate is signed by itself, and was not given as trusted.
    #[error(
        "the server's certificate is signed by itself; if whoever runs the server confirms that its public key is {0}, give that as pin"
    )]
    SelfSigned(String),
    /// The authority that issued the certificate is not trusted, and the server shows no certificate of it.
    #[error(
        "the server's certificate was issued by \"{0}\", which is not trusted here, and the server shows no certificate of it: if that is an intermediate authority, have the server send its whole chain, else add its certificate to ca"
    )]
    IssuerNotShown(String),
    /// A certificate is of X.509 version 1, as old programs make them.
    #[error(
        "a certificate of the server is of X.509 version 1, which has no names and no rights in it; make it anew, as version 3"
    )]
    OldVersion,
    /// The server wants a certificate of this client.
    #[error(
        "the server, or what stands in front of it, wants a client certificate, which this client has not; let it in by its address without one"
    )]
    ClientCertificate,
    /// The connection was closed, or spoke no TLS, during the handshake.
    #[error("the other end broke off the TLS handshake or speaks no TLS")]
    Handshake,
    /// Anything else that the TLS library objects to.
    #[error("TLS failed: {0}")]
    Other(String),
}

/// Where an answer got lost.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Lost {
    /// It did not come in time.
    #[error("it did not come in time")]
    Timeout,
    /// The connection was closed before the answer began.
    #[error("the connection was closed before the answer began")]
    Closed,
    /// The connection was closed within the answer.
    #[error("the answer was cut short")]
    Truncated,
    /// The answer is longer than the bound.
    #[error("the answer is too long")]
    TooLong,
    /// What came is not HTTP.
    #[error("what came is not HTTP")]
    NotHttp,
    /// The server had asked for a client certificate, and closed the connection.
    #[error(
        "the server asked for a client certificate, which this client has not, and closed the connection"
    )]
    AskedForCertificate,
    /// It is compressed in a way that is not read here.
    #[error(
        "the answer is compressed as {0}, which this client has not asked for and cannot read; switch that off in front of the server"
    )]
    Compressed(String),
    /// Something else happened after sending.
    #[error("the connection failed: {0}")]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_encoded() {
        let request = HttpRequest {
            method: Method::Get,
            path: "/user/".into(),
            template: "/user/",
            query: vec![("realm", "off ice&x=1".into()), ("username", "jörg*".into())],
            authorization: None,
            body: None,
        };
        assert_eq!(request.target(), "/user/?realm=off%20ice%26x%3D1&username=j%C3%B6rg%2A");
        assert_eq!(request.content_type(), None);
        assert_eq!(format!("{request:?}"), "GET /user/");
    }
}
