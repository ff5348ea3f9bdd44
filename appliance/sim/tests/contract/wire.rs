//! What the station sends, watched on the last step before the network.

use std::sync::{Arc, Mutex, PoisonError};

use privacyidea::{HttpRequest, HttpResponse, Transport, TransportError};

/// A request as it went out: `POST /token/init`.
pub(crate) type Sent = String;

/// Requests, in their order.
#[derive(Clone, Default)]
pub(crate) struct WireLog(Arc<Mutex<Vec<Sent>>>);

impl WireLog {
    /// Everything since the last time.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a request can change what the server has. A login changes nothing; a
/// check uses a code up.
pub(crate) fn changes(sent: &str) -> bool {
    !sent.starts_with("GET ") && sent != "POST /auth"
}

/// A transport that is watched.
pub(crate) struct Watched<T> {
    pub(crate) inner: T,
    pub(crate) log: WireLog,
}

impl<T: Transport> Transport for Watched<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let line = format!("{} {}", request.method.as_str(), request.template);
        self.log.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.inner.send(request).await
    }
}
