//! The client's transport straight into the server twin, with points of its own.

use std::future::{self, Future};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use privacyidea::{Clock, HttpRequest, HttpResponse, Lost, NotSent, SecretBytes, Transport, TransportError};
use sha2::{Digest, Sha256};
use twins::privacyidea::{Outcome, Request, Response, ServerTwin};

use super::power::{EPOCH, Left, Power, PowerCut};

/// The station's patience with the server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the driver, the transport and the clock share.
pub struct Shared {
    pub server: ServerTwin,
    /// Whether it can be reached at all.
    pub reachable: bool,
    /// Since the world began.
    pub time: Duration,
    /// The station's power.
    pub power: Power,
    /// What is kept without power elsewhere than at the server, piece by piece; kept up while
    /// the power is watched.
    pub kept: Vec<Left>,
    /// What the server keeps; nothing when it has to be looked at again.
    pub kept_by_server: Option<Left>,
}

impl Shared {
    /// Passes a point at which the power could go, or ends there.
    pub fn point(&mut self) -> Result<(), PowerCut> {
        if self.power.is_watched() {
            let left = self.left();
            self.power.note(left);
        }
        self.power.point()
    }

    /// What would be left if the power went now.
    pub fn left(&mut self) -> Left {
        let server = *self.kept_by_server.get_or_insert_with(|| {
            let mut hash = Sha256::new();
            for token in self.server.tokens() {
                hash.update(format!("{token:?}"));
            }
            hash.update(format!("{:?}", self.server.faults()));
            hash.update(self.server.behind_in_words());
            hash.finalize().into()
        });
        let mut hash = Sha256::new_with_prefix(server);
        for kept in &self.kept {
            hash.update(kept);
        }
        hash.finalize().into()
    }

    /// The time of day, the same for server and station.
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
        if shared.point().is_err() {
            return Err(TransportError::NotSent(NotSent::Unreachable("the power is off".to_owned())));
        }
        if !shared.reachable {
            return Err(TransportError::NotSent(NotSent::Refused));
        }
        let twins = translate(request);
        let now = shared.unix();
        shared.kept_by_server = None;
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
        };
        if shared.point().is_err() {
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
        location: header("Location"),
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
