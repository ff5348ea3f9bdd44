//! The transport over TCP and TLS.
//!
//! HTTP/1.1 with kept connections. No redirects, no cookies, no compression asked for (what comes
//! compressed with gzip or deflate all the same is read), no
//! proxy from the environment, no second try: a request leaves at most once.
//! (The HTTP library moves a request to a fresh connection if the kept one
//! turned out to be closed before the first byte was written. Once a byte is
//! out, it never does.)
//!
//! Bodies are built, and answers collected, in memory that is wiped. What the HTTP
//! and TLS libraries and the kernel copy on the way is not in our hands.

mod der;
mod fault;
mod trust;
mod unpack;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Url, redirect, retry};
use rustls::pki_types::ServerName;
use thiserror::Error;

pub use self::trust::{BadPin, SpkiPin, Trust, TrustError};
use crate::clock::{Clock, SystemClock};
use crate::http::{HttpRequest, HttpResponse, Lost, Method, NotSent, Transport, TransportError};
use crate::secret::{SecretBytes, SecretString};

/// A server at a base address.
pub struct Https {
    client: reqwest::Client,
    base: String,
    longest_answer: usize,
    /// Whether the server has asked for a client certificate.
    asked: Arc<AtomicBool>,
}

/// What can be set about an [`Https`].
pub struct HttpsBuilder {
    base: String,
    trust: Trust,
    user_agent: String,
    timeout: Duration,
    connect_timeout: Duration,
    longest_answer: usize,
    plain_http: bool,
    clock: Arc<dyn Clock>,
}

/// Why a transport cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The address is none, or has parts that a base address cannot have.
    #[error("the server's address is not of the form https://host[:port][/path]")]
    Address,
    /// The address is one without TLS, and that was not allowed.
    #[error("the server's address is one without TLS")]
    PlainHttp,
    /// The User-Agent has characters that a header cannot have.
    #[error("the User-Agent has characters that a header cannot have")]
    UserAgent,
    /// The certificates to trust cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The HTTP library refuses.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl Https {
    /// A transport to `base` (`https://host[:port][/path]`), which trusts as
    /// told and introduces itself as `user_agent`.
    pub fn builder(base: &str, trust: Trust, user_agent: &str) -> HttpsBuilder {
        HttpsBuilder {
            base: base.to_owned(),
            trust,
            user_agent: user_agent.to_owned(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            longest_answer: 1024 * 1024,
            plain_http: false,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl HttpsBuilder {
    /// From connecting to the last byte of the answer: 30 s unless told. A
    /// login alone takes a busy server a second.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// TCP and TLS together: 10 s unless told.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// The longest answer that is read: 1 MiB unless told.
    #[must_use]
    pub fn longest_answer(self, bytes: usize) -> Self {
        Self { longest_answer: bytes, ..self }
    }

    /// Allows `http://`, where everything, seeds included, is readable on the
    /// way. For a server on the same machine.
    #[must_use]
    pub fn allow_plain_http(self) -> Self {
        Self { plain_http: true, ..self }
    }

    /// Judges certificates by another clock than the system's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The transport. Nothing is sent yet.
    pub fn build(self) -> Result<Https, SetupError> {
        let base = Url::parse(&self.base).map_err(|_| SetupError::Address)?;
        match base.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            "http" => return Err(SetupError::PlainHttp),
            _ => return Err(SetupError::Address),
        }
        let bare = base.username().is_empty() && base.password().is_none();
        // A name that TLS could not ask for.
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if !bare || ServerName::try_from(host).is_err() || base.query().is_some() || base.fragment().is_some()
        {
            return Err(SetupError::Address);
        }
        let user_agent = HeaderValue::from_str(&self.user_agent).map_err(|_| SetupError::UserAgent)?;
        let asked = Arc::new(AtomicBool::new(false));
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::client_config(self.trust, self.clock, Arc::clone(&asked))?)
            .user_agent(user_agent)
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            // Below the 5 s after which Apache closes an idle connection: a
            // request that crosses with the closing has an unknown fate.
            .pool_idle_timeout(Duration::from_secs(4))
            .pool_max_idle_per_host(4)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(SystemNames))
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Https {
            client,
            base: base.as_str().trim_end_matches('/').to_owned(),
            longest_answer: self.longest_answer,
            asked,
        })
    }
}

impl Transport for Https {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let refuse = |why| TransportError::NotSent(NotSent::Request(why));
        let url = format!("{}{}", self.base, request.target());
        let url = Url::parse(&url).map_err(|_| refuse("the path"))?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = self.client.request(method, url).header(ACCEPT, "application/json");
        if let Some(content_type) = request.content_type() {
            outgoing = outgoing.header(CONTENT_TYPE, content_type);
        }
        if let Some(token) = request.authorization {
            let value = Bytes::from_owner(Owned(token, |token: &SecretString| token.reveal().as_bytes()));
            let mut value = HeaderValue::from_maybe_shared(value).map_err(|_| refuse("the login token"))?;
            value.set_sensitive(true);
            outgoing = outgoing.header(AUTHORIZATION, value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.body(Bytes::from_owner(Owned(body, SecretBytes::reveal)));
        }
        let response = outgoing.send().await;
        let response =
            response.map_err(|error| fault::while_sending(&error, self.asked.load(Ordering::Relaxed)))?;
        self.collect(response).await
    }
}

impl Https {
    async fn collect(&self, mut response: reqwest::Response) -> Result<HttpResponse, TransportError> {
        let too_long = TransportError::Unknown(Lost::TooLong);
        let announced = response.content_length().map_or(Ok(16 * 1024), usize::try_from);
        let announced = announced.map_err(|_| too_long.clone())?;
        if announced > self.longest_answer {
            return Err(too_long);
        }
        let header = |name| response.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let retry_after = header(RETRY_AFTER).and_then(|v| v.trim().parse().ok()).map(Duration::from_secs);
        let content_type = header(CONTENT_TYPE).map(str::to_owned);
        let location = header(LOCATION).map(str::to_owned);
        // Nobody asked for it, and some compress all the same.
        let packing =
            header(CONTENT_ENCODING).map(|text| text.trim().to_ascii_lowercase()).unwrap_or_default();
        let status = response.status().as_u16();
        let mut body = SecretBytes::with_capacity(announced);
        while let Some(chunk) = response.chunk().await.map_err(|error| fault::while_reading(&error))? {
            if chunk.len() > self.longest_answer.saturating_sub(body.len()) {
                return Err(too_long);
            }
            body.append(&chunk);
        }
        let body = unpack::unpacked(body, &packing, self.longest_answer).map_err(TransportError::Unknown)?;
        Ok(HttpResponse { status, content_type, retry_after, location, body })
    }
}

/// Lends a secret to the HTTP library, which drops it when it is written.
struct Owned<S>(Arc<S>, fn(&S) -> &[u8]);

impl<S> AsRef<[u8]> for Owned<S> {
    fn as_ref(&self) -> &[u8] {
        (self.1)(&self.0)
    }
}

/// The system's name resolution, with an error that can be recognized.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| fault::NoSuchName)?;
            Ok(Box::new(found.collect::<Vec<SocketAddr>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(base: &str) -> Result<Https, SetupError> {
        Https::builder(base, Trust::insecure_accept_any_certificate(), "test/1").build()
    }

    #[test]
    fn addresses() {
        assert_eq!(build("https://pi.example.test/pi/").unwrap().base, "https://pi.example.test/pi");
        assert_eq!(build("https://[::1]:8443").unwrap().base, "https://[::1]:8443");
        assert_eq!(build("http://pi.example.test").err(), Some(SetupError::PlainHttp));
        for bad in
            ["", "pi.example.test", "ftp://x", "https://u:p@x", "https://x/?a", "https://x/#a", "https://"]
        {
            assert_eq!(build(bad).err(), Some(SetupError::Address), "{bad}");
        }
    }

    #[test]
    fn a_user_agent_is_a_header() {
        let builder = Https::builder("https://x", Trust::insecure_accept_any_certificate(), "a\nb");
        assert_eq!(builder.build().err(), Some(SetupError::UserAgent));
    }
}
