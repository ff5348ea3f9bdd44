//! The client: one login shared by everybody, and the way every call takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::body::Object;
use crate::call::{Auth, Call};
use crate::clock::{Clock, Skew, SystemClock};
use crate::envelope::{self, Answer, Envelope, Malformed};
use crate::error::{Error, ServerCode, ServerError};
use crate::http::{HttpResponse, Transport};
use crate::secret::SecretString;
use crate::server::Server;
use crate::session::{self, Credentials, Kind, Lease, Moment, Session};
use crate::text::DisplayText;

/// A privacyIDEA server and a way to be let in.
///
/// All methods take `&self`; put the client into an `Arc` to share it. The first
/// call that needs a login makes one, and concurrent callers wait for that same
/// login, whether it succeeds or fails. It is renewed ahead of its end, and
/// once more when the server says all the same that it has ended.
///
/// A password that the server has refused is not sent again ([`Error::Held`]): servers and
/// directories lock accounts after some wrong logins. [`Client::try_login_again`] tries it once more.
///
/// A call that is dropped before it is finished may have been sent: its outcome
/// is [`Unknown`](crate::Outcome::Unknown). The client itself has no time limits; the
/// transport must.
pub struct Client<T> {
    pub(crate) transport: T,
    credentials: Credentials,
    validate_key: Option<Arc<SecretString>>,
    clock: Arc<dyn Clock>,
    desk: tokio::sync::Mutex<Desk>,
    /// Logins tried so far. A caller that waited for the desk sees from it
    /// that somebody else tried meanwhile.
    attempts: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Desk {
    lease: Option<Arc<Lease>>,
    failure: Option<Error>,
    refused: Option<RefusedLogin>,
}

/// A definite no of the server to the present credentials.
struct RefusedLogin {
    steady: Duration,
    wall: SystemTime,
    cause: Error,
}

#[derive(Default, Clone)]
struct Seen {
    server: Option<Server>,
    skew: Option<Skew>,
}

impl<T: Transport> Client<T> {
    /// A client with the system's clocks. Nothing is sent yet.
    pub fn new(transport: T, credentials: Credentials) -> Self {
        Self {
            transport,
            credentials,
            validate_key: None,
            clock: Arc::new(SystemClock::new()),
            desk: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    /// Reads the time elsewhere.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sends this key (of role `validate`) with `/validate/check`, which the
    /// policy `api_key_required` asks for.
    #[must_use]
    pub fn with_validate_key(mut self, key: SecretString) -> Self {
        self.validate_key = Some(Arc::new(key));
        self
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// The session, after a login if there is none. While a login lasts nothing
    /// is sent, so this does not tell whether the server is still there. With an
    /// API key nothing is ever sent: the session is what the key says of itself.
    pub async fn session(&self) -> Result<Arc<Session>, Error> {
        Ok(Arc::clone(&self.lease(None).await?.session))
    }

    /// Sends a password that was refused at least so long ago once more. Nothing happens
    /// when none was refused, or not so long ago; then the next call says how things are.
    pub async fn try_login_again(&self, after: Duration) {
        let mut desk = self.desk.lock().await;
        let now = self.clock.steady();
        let due = desk.refused.as_ref().is_some_and(|no| now.saturating_sub(no.steady) >= after);
        if due {
            // What comes of it is kept at the desk, for the calls that follow.
            let _ = self.log_in_at(&mut desk).await;
        }
    }

    /// How long the present login still lasts by the steady clock; `None`
    /// without a login, or when its end is not known.
    pub async fn session_left(&self) -> Option<Duration> {
        let desk = self.desk.lock().await;
        let session = &desk.lease.as_ref()?.session;
        match session.ends {
            Some(end) => Some(end.saturating_sub(self.clock.steady())),
            // A key was read before the server told its time; it may have by now.
            None => session::left(session.until?, self.skew()?, self.clock.wall()),
        }
    }

    /// Forgets the login. The server has no logout: its token stays valid
    /// until it ends.
    pub async fn forget_login(&self) {
        *self.desk.lock().await = Desk::default();
    }

    /// Product and version as the last answer told them. Errors tell less than
    /// successes, and a hidden version is not told before the login.
    pub fn server(&self) -> Option<Server> {
        self.seen().server
    }

    /// How far the server's clock is ahead, from the last answer.
    pub fn skew(&self) -> Option<Skew> {
        self.seen().skew
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a call and reads its answer with `read`.
    ///
    /// It is sent a second time in one case only: the server refused it
    /// because the login had ended, which is before it looked at anything.
    pub(crate) async fn call<R>(
        &self,
        call: Call,
        read: impl FnOnce(&Envelope<'_>) -> Result<R, Malformed>,
    ) -> Result<R, Error> {
        let mut lease = None;
        if call.auth == Auth::Session {
            lease = Some(self.lease(None).await?);
        }
        let response = self.exchange(&call, lease.as_deref()).await?;
        let sent = lease.is_some();
        let first = match lease {
            Some(lease) if self.renewable(&response) => {
                let lease = self.lease(Some(lease.number)).await?;
                self.exchange(&call, Some(&lease)).await?
            }
            _ => response,
        };
        interpret(&first, read).map_err(|error| match error.code() {
            Some(ServerCode::NoToken) if sent => Error::AuthorizationDropped,
            _ => error,
        })
    }

    fn renewable(&self, response: &HttpResponse) -> bool {
        response.status == 401
            && matches!(self.credentials.0, Kind::Password { .. })
            && envelope::parse(response.body.reveal()).is_ok_and(|e| match e.answer {
                // 4304 comes after the server got a new secret key.
                Answer::Error { code, .. } => {
                    matches!(code.into(), ServerCode::TokenExpired | ServerCode::BadToken)
                }
                Answer::Value(_) => false,
            })
    }

    /// One request, one answer, and what the answer says on its rim.
    pub(crate) async fn exchange(&self, call: &Call, lease: Option<&Lease>) -> Result<HttpResponse, Error> {
        let authorization = match call.auth {
            Auth::None => None,
            Auth::Session => lease.map(|lease| Arc::clone(&lease.token)),
            Auth::Validate => self.validate_key.clone(),
        };
        let before = self.clock.steady();
        let answer = self.transport.send(call.request(authorization)).await;
        let took = self.clock.steady().saturating_sub(before);
        let (method, template, ms) = (call.method.as_str(), call.template, took.as_millis());
        match &answer {
            Ok(response) => tracing::debug!(method, template, status = response.status, ms, "answered"),
            Err(error) => tracing::debug!(method, template, %error, ms, "not answered"),
        }
        let response = answer?;
        if let Ok(envelope) = envelope::parse(response.body.reveal()) {
            self.observe(&envelope, took);
        }
        Ok(response)
    }

    fn observe(&self, envelope: &Envelope<'_>, took: Duration) {
        let skew = envelope.time.and_then(|time| Skew::measure(time, self.clock.wall(), took));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if skew.is_some() {
            seen.skew = skew;
        }
        if let Some(version) = &envelope.version {
            let server = Server::from_fields(version, envelope.number.as_deref());
            // An answer that hides the number does not make us forget it.
            if !server.number.is_empty() || seen.server.is_none() {
                seen.server = Some(server);
            }
        }
    }

    /// The lease, or a new one: if there is none, if it is about to end, or if
    /// its number is the one that the server just `rejected`.
    async fn lease(&self, rejected: Option<u64>) -> Result<Arc<Lease>, Error> {
        let before = self.attempts.load(Ordering::Acquire);
        let mut desk = self.desk.lock().await;
        if let Some(lease) = &desk.lease {
            let due = lease.due.is_some_and(|due| due <= self.clock.steady());
            if !due && rejected != Some(lease.number) {
                return Ok(Arc::clone(lease));
            }
        }
        let attempts = self.attempts.load(Ordering::Acquire);
        if let (true, Some(failure)) = (attempts != before, &desk.failure) {
            return Err(failure.clone());
        }
        if let Some(no) = &desk.refused {
            return Err(Error::Held { since: no.wall, cause: Box::new(no.cause.clone()) });
        }
        self.log_in_at(&mut desk).await
    }

    /// Logs in, and keeps what came of it.
    async fn log_in_at(&self, desk: &mut Desk) -> Result<Arc<Lease>, Error> {
        let number = self.attempts.load(Ordering::Acquire) + 1;
        let result = self.log_in(number).await;
        self.attempts.store(number, Ordering::Release);
        match result {
            Ok(lease) => {
                let lease = Arc::new(lease);
                *desk = Desk { lease: Some(Arc::clone(&lease)), ..Desk::default() };
                Ok(lease)
            }
            Err(error) => {
                let password = matches!(self.credentials.0, Kind::Password { .. });
                let refused = (password && error.is_definite()).then(|| RefusedLogin {
                    steady: self.clock.steady(),
                    wall: self.clock.wall(),
                    cause: error.clone(),
                });
                let error = Error::Login(Box::new(error));
                // A try that told nothing does not make an earlier no undone.
                let refused = refused.or(desk.refused.take());
                *desk = Desk { lease: None, failure: Some(error.clone()), refused };
                Err(error)
            }
        }
    }

    async fn log_in(&self, number: u64) -> Result<Lease, Error> {
        let before = self.clock.steady();
        let (username, realm, password) = match &self.credentials.0 {
            Kind::ApiKey(key) => {
                let at = Moment { before, wall: self.clock.wall(), skew: self.skew() };
                return session::lease_from_key(key, number, &at);
            }
            Kind::Password { username, realm, password } => (username, realm, password),
        };
        let body = Object::new()
            .text("username", username)
            .maybe("realm", realm.as_deref())
            .text("password", password.reveal());
        let response = self.exchange(&Call::post("/auth", &[], body).without_login(), None).await?;
        let at = Moment { before, wall: self.clock.wall(), skew: self.skew() };
        interpret(&response, |envelope| session::lease_from_login(envelope, number, &at))
            .map_err(|error| error.without([password.reveal()]))?
    }
}

/// Turns an answer into a value or an error.
fn interpret<R>(
    response: &HttpResponse,
    read: impl FnOnce(&Envelope<'_>) -> Result<R, Malformed>,
) -> Result<R, Error> {
    let (status, retry_after) = (response.status, response.retry_after);
    let garbled = |fault| Error::Garbled { status, fault, retry_after };
    if let (301..=303 | 307 | 308, Some(to)) = (status, &response.location) {
        return Err(Error::Redirected { status, to: DisplayText::from_foreign(to) });
    }
    let envelope = envelope::parse(response.body.reveal()).map_err(garbled)?;
    match &envelope.answer {
        Answer::Error { code, message } => Err(Error::Server(ServerError {
            status,
            code: (*code).into(),
            message: message.clone(),
            retry_after,
        })),
        Answer::Value(_) if (200..300).contains(&status) => read(&envelope).map_err(garbled),
        // A success under a status of failure is somebody's mistake in between.
        Answer::Value(_) => Err(garbled(Malformed::NoEnvelope)),
    }
}
