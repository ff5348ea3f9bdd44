//! The client's transport straight into the server twin, with points of its own.

use std::future::{self, Future};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enrolld::privacyidea::{
    Clock, HttpRequest, HttpResponse, Lost, NotSent, SecretBytes, Transport, TransportError,
};
use twins::privacyidea::{Outcome, Request, Response, ServerTwin};

use super::power::{EPOCH, Power};

/// The station's patience with the server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the driver, the transport and the clock share.
pub struct Shared {
    /// The server.
    pub server: ServerTwin,
    /// Whether it can be reached at all.
    pub reachable: bool,
    /// Since the world began.
    pub time: Duration,
    /// The station's power.
    pub power: Power,
}

impl Shared {
    /// The time of day, the same for server and station.
    #[must_use]
    pub fn unix(&self) -> Duration {
        EPOCH + self.time
    }
}

/// [`Shared`], shared.
pub type Handle = Arc<Mutex<Shared>>;

/// Locks; nothing that holds the lock panics.
pub fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the network and the server take for a request.
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// The way to the server twin.
pub struct TwinTransport(pub Handle);

impl Transport for TwinTransport {
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send {
        future::ready(self.carry(&request))
    }
}

impl TwinTransport {
    fn carry(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let mut shared = lock(&self.0);
        shared.time += ROUND_TRIP;
        if shared.power.point().is_err() {
            return Err(TransportError::NotSent(NotSent::Unreachable("the power is off".to_owned())));
        }
        if !shared.reachable {
            return Err(TransportError::NotSent(NotSent::Refused));
        }
        let twins = translate(request);
        let now = shared.unix();
        let outcome = shared.server.receive(&twins, now);
        let answer = match outcome {
            Outcome::Answer(response) => Ok(response),
            Outcome::CutBefore | Outcome::ActThenCut => Err(Lost::Closed),
            Outcome::Truncate { .. } => Err(Lost::Truncated),
            Outcome::Delay(delay) => {
                shared.time += delay.min(TIMEOUT);
                let late = shared.unix();
                let response = shared.server.handle(&twins, late);
                if delay > TIMEOUT { Err(Lost::Timeout) } else { Ok(response) }
            }
            _ => Err(Lost::Other("a fault that the explorer does not know".to_owned())),
        };
        if shared.power.point().is_err() {
            return Err(TransportError::Unknown(Lost::Closed));
        }
        answer.map(received).map_err(TransportError::Unknown)
    }
}

fn translate(request: &HttpRequest) -> Request {
    let mut twins = Request::new(request.method.as_str(), &request.target());
    if let Some(token) = &request.authorization {
        twins = twins.token(token.reveal());
    }
    if let (Some(body), Some(kind)) = (&request.body, request.content_type()) {
        twins = twins.header("Content-Type", kind);
        twins.body = body.reveal().to_vec();
    }
    twins
}

fn received(response: Response) -> HttpResponse {
    let header = |wanted: &str| {
        response
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.to_string())
    };
    HttpResponse {
        status: response.status,
        content_type: header("Content-Type"),
        retry_after: header("Retry-After").and_then(|text| text.parse().ok()).map(Duration::from_secs),
        body: SecretBytes::new(response.body),
    }
}

/// The virtual time, for the client.
pub struct VirtualClock(pub Handle);

impl Clock for VirtualClock {
    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + lock(&self.0).unix()
    }

    fn steady(&self) -> Duration {
        lock(&self.0).time
    }
}
