//! What is done with a key that is enrolled already: asked for a code, or released.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use control::types::{Event, EventKind, Release, Verification, Verify};
use control::wire::Reply;
use control::{Refusal, Replies};
use futures_util::stream;
use keys::device::Slot;
use station::record::{Actor, State};
use station::refusal::Code;
use tokio::sync::broadcast;

use super::Desk;
use super::credential::now;
use super::door::Caller;
use super::enroll::{find, secrets};
use super::refuse::{no, told};
use super::translate;
use crate::floor::{FloorEvent, Inquiry, Secrets, Selector};

type Ending = Pin<Box<dyn Future<Output = Result<Event, Refusal>> + Send>>;

impl Desk {
    /// Which key and slot are meant; the key has to be there.
    pub(super) async fn inquiry(
        &self,
        caller: &Caller,
        key: &str,
        token: Option<&str>,
        secrets: Secrets,
    ) -> Result<(String, Inquiry), Refusal> {
        let snapshot = self.snapshot().await?;
        let view = find(&snapshot, key).ok_or_else(|| no(Code::KeyAbsent, key.to_owned()))?;
        let slot = match token {
            Some(token) => Some(self.slot_of(view.key.as_ref().and_then(|info| info.serial), token).await?),
            None => None,
        };
        let by = Actor::Operator(caller.name.clone());
        let port = view.port.clone();
        Ok((port.clone(), Inquiry { key: Selector::Port(port), slot, secrets, by }))
    }

    async fn slot_of(&self, serial: Option<keys::device::KeySerial>, token: &str) -> Result<Slot, Refusal> {
        let records = match serial {
            Some(serial) => self.store.recall(serial).await.map_err(|why| no(Code::JournalFailed, why))?,
            None => Vec::new(),
        };
        let found = records
            .iter()
            .rev()
            .find(|record| record.state == State::Done && record.token.as_str().eq_ignore_ascii_case(token));
        found.map(|record| record.slot).ok_or_else(|| no(Code::NothingEnrolled, token.to_owned()))
    }

    /// Asks a key for a code, and tells what happens.
    pub(super) async fn verify_key(
        self: &Arc<Self>,
        caller: &Caller,
        request: Verify,
    ) -> Result<Replies<Event>, Refusal> {
        let secrets = secrets(None, None, request.key_pin)?;
        let (port, inquiry) = self.inquiry(caller, &request.key, request.token.as_deref(), secrets).await?;
        let (floor, key) = (self.floor.clone(), request.key);
        let at = port.clone();
        let ending: Ending = Box::pin(async move {
            let verified = floor.verify(inquiry).await.map_err(|refusal| told(&refusal))?;
            let serial = verified.key.as_ref().and_then(|info| info.serial);
            let refusal = verified.result.as_ref().err().map(told);
            let verification = Verification {
                key: serial.map_or(key, |serial| serial.to_string()),
                token: verified.token.as_ref().map(ToString::to_string).unwrap_or_default(),
                accepted: verified.result.is_ok(),
                text: match &verified.result {
                    Ok(answered) if !answered.counts => Some("the token is disabled".to_owned()),
                    Ok(_) => None,
                    Err(refusal) => Some(refusal.to_string()),
                },
                refusal,
            };
            Ok(Event {
                port: Some(at),
                verification: Some(verification),
                ..Event::new(now(), EventKind::Verified)
            })
        });
        Ok(self.told_until(port, ending))
    }

    /// Takes an enrollment back, and tells what happens.
    pub(super) async fn release_key(
        self: &Arc<Self>,
        caller: &Caller,
        request: Release,
    ) -> Result<Replies<Event>, Refusal> {
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let (port, inquiry) = self.inquiry(caller, &request.key, request.token.as_deref(), secrets).await?;
        let floor = self.floor.clone();
        let at = port.clone();
        let ending: Ending = Box::pin(async move {
            let report = floor.release(inquiry).await.map_err(|refusal| told(&refusal))?;
            let outcome = Some(translate::report(&report));
            Ok(Event { port: Some(at), outcome, ..Event::new(now(), EventKind::Released) })
        });
        Ok(self.told_until(port, ending))
    }

    /// What happens in a port until something is over. When nobody listens any more, it is called off.
    fn told_until(self: &Arc<Self>, port: String, ending: Ending) -> Replies<Event> {
        let listening = (Arc::clone(self), self.floor.events(), port, Some(ending));
        Box::pin(stream::unfold(listening, |(desk, mut events, port, running)| async move {
            let mut running = running?;
            loop {
                tokio::select! {
                    biased;
                    event = next(&mut events) => {
                        let event = event.and_then(|event| desk.completed(&event));
                        if let Some(event) = event.filter(|event| event.port.as_ref() == Some(&port)) {
                            let reply = Reply { parameters: event, continues: true };
                            return Some((Ok(reply), (desk, events, port, Some(running))));
                        }
                    }
                    ended = &mut running => {
                        let reply = ended.map(|event| Reply { parameters: event, continues: false });
                        return Some((reply, (desk, events, port, None)));
                    }
                }
            }
        }))
    }
}

/// The next event; `None` when some were lost. Comes back never when there are no more.
async fn next(events: &mut broadcast::Receiver<FloorEvent>) -> Option<FloorEvent> {
    match events.recv().await {
        Ok(event) => Some(event),
        Err(broadcast::error::RecvError::Lagged(_)) => None,
        Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
    }
}
