//! Whether a client is still there, asked often while it waits for something that a person has to do.
//!
//! A laptop that goes to sleep says nothing: its order would go on until the connection's own questions,
//! which are seldom, find out. These are asked only as long as an order of the client waits.

use std::sync::Arc;
use std::time::Duration;

use russh::server::Handle;
use tokio::task::AbortHandle;

use super::stream::Scissors;

/// How long after an answer the client is asked again.
const EVERY: Duration = Duration::from_secs(10);

/// How long an answer may take. With [`EVERY`], a client that is gone is noticed within 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(18);

/// A client that can be asked.
pub(crate) struct Client {
    handle: Handle,
    scissors: Arc<Scissors>,
}

impl Client {
    pub(crate) fn new(handle: Handle, scissors: Arc<Scissors>) -> Self {
        Self { handle, scissors }
    }

    /// Asks until the guard is dropped; cuts the connection of a client that does not answer.
    pub(crate) fn ask(&self) -> Asking {
        let (handle, scissors) = (self.handle.clone(), Arc::clone(&self.scissors));
        let asking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let before = scissors.heard();
                // A request that every client has to answer, and with no (RFC 4254, 4 and 7.1): nothing is
                // forwarded here that could be cancelled.
                let answered =
                    tokio::time::timeout(TIMEOUT, handle.cancel_forward_tcpip(String::new(), 0)).await;
                if answered.is_err() && scissors.heard() == before {
                    tracing::info!("a client does not answer while its order waits: its connection is cut");
                    scissors.cut();
                    return;
                }
            }
        });
        Asking(asking.abort_handle())
    }
}

/// Ends the questions when it is dropped.
pub(crate) struct Asking(AbortHandle);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}
