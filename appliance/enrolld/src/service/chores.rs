//! What is done with a key that is enrolled already: asked for a code, or released.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use control::types::{Event, EventKind, Order, Release, Verification, Verify};
use control::wire::Reply;
use control::{Refusal, Replies};
use futures_util::stream;
use keys::device::Slot;
use station::engine::record::{Actor, State};
use station::refusal::Code;
use tokio::sync::broadcast;

use super::Service;
use super::call_handler::Caller;
use super::credential::now;
use super::enroll::{find, secrets, waiting_time};
use super::refuse::{no, told};
use super::translate;
use dispatch::scheduler::{KeyRequest, PortView, SchedulerEvent, Secrets, Selector, is_port, is_serial};

type Ending = Pin<Box<dyn Future<Output = Result<Event, Refusal>> + Send>>;

/// An errand, and where its key is: nowhere yet, when the errand may wait for it.
pub(super) struct Asked {
    pub(super) key_request: KeyRequest,
    port: Option<String>,
}

impl Service {
    /// Which key and slot are meant. Without `within`, the key has to be there.
    pub(super) async fn key_request(
        &self,
        caller: &Caller,
        key: &str,
        token: Option<&str>,
        secrets: Secrets,
        within: Option<Duration>,
    ) -> Result<Asked, Refusal> {
        let snapshot = self.snapshot().await?;
        let view = find(&snapshot, key);
        if view.is_none() && within.is_none() {
            return Err(no(Code::KeyAbsent, key.to_owned()));
        }
        let slot = match token {
            Some(token) => Some(self.slot_of(view, key, token).await?),
            None => None,
        };
        let by = Actor::Operator(caller.name.clone());
        let port = view.map(|view| view.port.clone());
        let meant = match &port {
            Some(port) => Selector::Port(port.clone()),
            None if key.contains('-') => Selector::Port(key.to_owned()),
            None => Selector::Serial(key.to_owned()),
        };
        Ok(Asked { key_request: KeyRequest { key: meant, slot, secrets, by, within }, port })
    }

    /// In which slot of the key in a port, or of one with that serial, a token is.
    async fn slot_of(&self, view: Option<&PortView>, key: &str, token: &str) -> Result<Slot, Refusal> {
        let failed = |why| no(Code::JournalFailed, why);
        let records = match view.map(|view| view.key.as_ref().and_then(|info| info.serial)) {
            Some(Some(serial)) => self.store.recall(serial).await.map_err(failed)?,
            Some(None) => Vec::new(),
            None => {
                let mut all = self.store.with(|journal| journal.all()).await.map_err(failed)?;
                all.retain(|record| is_serial(record.key, key));
                all
            }
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
        let within = waiting_time(request.wait_ms)?;
        let asked = self.key_request(caller, &request.key, request.token.as_deref(), secrets, within).await?;
        let (scheduler, key) = (self.scheduler.clone(), request.key);
        let key_request = asked.key_request.clone();
        let ending: Ending = Box::pin(async move {
            let verified = scheduler.verify(key_request).await.map_err(|refusal| told(&refusal))?;
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
            Ok(Event { verification: Some(verification), ..Event::new(now(), EventKind::Verified) })
        });
        Ok(self.told_until("verify", asked, ending))
    }

    /// Takes an enrollment back, and tells what happens.
    pub(super) async fn release_key(
        self: &Arc<Self>,
        caller: &Caller,
        request: Release,
    ) -> Result<Replies<Event>, Refusal> {
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let within = waiting_time(request.wait_ms)?;
        let asked = self.key_request(caller, &request.key, request.token.as_deref(), secrets, within).await?;
        let (scheduler, key_request) = (self.scheduler.clone(), asked.key_request.clone());
        let ending: Ending = Box::pin(async move {
            let report = scheduler.release(key_request).await.map_err(|refusal| told(&refusal))?;
            let outcome = Some(translate::report(&report));
            Ok(Event { outcome, ..Event::new(now(), EventKind::Released) })
        });
        Ok(self.told_until("release", asked, ending))
    }

    /// What happens to a key until something is over; first that it is waited for, if it is not there yet.
    /// When nobody listens any more, it is called off.
    fn told_until(self: &Arc<Self>, what: &str, asked: Asked, ending: Ending) -> Replies<Event> {
        let Asked { key_request, port } = asked;
        let order = port.is_none().then(|| order(what, &key_request));
        let (key, events) = (key_request.key, self.scheduler.events());
        let listening =
            Listening { service: Arc::clone(self), events, port, key, order, ending: Some(ending) };
        Box::pin(stream::unfold(listening, |mut listening| async move {
            let reply = listening.next().await?;
            Some((reply, listening))
        }))
    }
}

/// An errand that waits for its key, as shells see it. The scheduler numbers it.
fn order(what: &str, key_request: &KeyRequest) -> Order {
    let until = key_request.within.map(|within| jiff::SignedDuration::try_from(within).unwrap_or_default());
    Order {
        ticket: 0,
        what: what.to_owned(),
        key: key_request.key.named().map(str::to_owned),
        profile: None,
        person: None,
        operator: key_request.by.to_string(),
        since: now(),
        until: until.and_then(|until| now().checked_add(until).ok()),
        detached: false,
    }
}

/// An errand that somebody listens to.
struct Listening {
    service: Arc<Service>,
    events: broadcast::Receiver<SchedulerEvent>,
    /// Where its key is, as far as that is known.
    port: Option<String>,
    key: Selector,
    /// What is waited for, until that was told.
    order: Option<Order>,
    ending: Option<Ending>,
}

impl Listening {
    async fn next(&mut self) -> Option<Result<Reply<Event>, Refusal>> {
        if let Some(order) = self.order.take() {
            let orders = Some(vec![order]);
            let event = Event { orders, ..Event::new(now(), EventKind::Accepted) };
            return Some(Ok(Reply { parameters: event, continues: true }));
        }
        let mut running = self.ending.take()?;
        loop {
            tokio::select! {
                biased;
                event = next(&mut self.events) => {
                    let Some(event) = event else { continue };
                    self.follow(&event);
                    let told = self.service.completed(&event);
                    if let Some(event) = told.filter(|event| event.port.is_some() && event.port == self.port) {
                        self.ending = Some(running);
                        return Some(Ok(Reply { parameters: event, continues: true }));
                    }
                }
                ended = &mut running => {
                    let port = self.port.take();
                    return Some(ended.map(|event| Reply {
                        parameters: Event { port, ..event },
                        continues: false,
                    }));
                }
            }
        }
    }

    /// Learns where the key is that was waited for.
    fn follow(&mut self, event: &SchedulerEvent) {
        let found = match (&self.key, event) {
            (Selector::Port(wanted), SchedulerEvent::Arrived { port }) if is_port(port, wanted) => port,
            (Selector::Serial(wanted), SchedulerEvent::Recognised { port, key })
                if key.serial.is_some_and(|serial| is_serial(serial, wanted)) =>
            {
                port
            }
            _ => return,
        };
        self.port = Some(found.clone());
    }
}

/// The next event; `None` when some were lost. Comes back never when there are no more.
async fn next(events: &mut broadcast::Receiver<SchedulerEvent>) -> Option<SchedulerEvent> {
    match events.recv().await {
        Ok(event) => Some(event),
        Err(broadcast::error::RecvError::Lagged(_)) => None,
        Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
    }
}
