//! Answers that go on: events, log lines, pictures, the SSH server's needs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::interface::Messages;
use control::types::Level;
use control::types::{Door, DoorOpened, Event, EventKind, LogLine, LogLines, Logs, Operator, Panel};
use control::wire::{Fault, Reply};
use control::{Refusal, Replies};
use futures_util::{StreamExt, stream};
use station::refusal::Code;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::credential::now;
use super::logs::Unread;
use super::paging::{PAGE, pages};
use super::refuse::no;
use super::translate::event;
use super::{OpenDoor, Service, lock};
use crate::config::{Config, KeyExchange};
use dispatch::scheduler::SchedulerEvent;

fn more<T>(parameters: T) -> Reply<T> {
    Reply { parameters, continues: true }
}

/// A first answer, and no more.
pub(super) fn staying<T: Send + 'static>(first: T) -> Replies<T> {
    Box::pin(stream::iter([Ok(more(first))]).chain(stream::pending()))
}

/// Messages up to the end of a session; then they end with the refusal that says so.
pub(super) fn until_over(
    messages: Messages,
    over: watch::Receiver<bool>,
    held: impl Send + 'static,
) -> Messages {
    Box::pin(stream::unfold(Some((messages, over, held)), |going| async move {
        let (mut messages, mut over, held) = going?;
        tokio::select! {
            biased;
            () = turned(&mut over) => Some((Err(Fault::from(no(Code::SessionEnded, ""))), None)),
            next = messages.next() => Some((next?, Some((messages, over, held)))),
        }
    }))
}

async fn turned(over: &mut watch::Receiver<bool>) {
    let gone = over.wait_for(|over| *over).await.is_err();
    // Nobody is left who could end it.
    if gone {
        std::future::pending::<()>().await;
    }
}

impl Service {
    /// What happens, a snapshot first.
    pub(super) async fn watch_events(self: &Arc<Self>) -> Result<Replies<Event>, Refusal> {
        let watching = Watching {
            events: self.scheduler.events(),
            server: self.server_changes(),
            service: Arc::clone(self),
            snapshot: true,
        };
        // The snapshot is taken after the subscription, so that nothing falls between.
        Ok(Box::pin(stream::unfold(watching, |mut watching| async move {
            let event = watching.next().await?;
            Some((event.map(more), watching))
        })))
    }

    /// What the SSH server has to know.
    pub(super) fn door_needs(&self) -> Replies<Door> {
        let configs = self.configs();
        Box::pin(stream::unfold((configs, true), |(mut configs, first)| async move {
            if !first {
                configs.changed().await.ok()?;
            }
            let door = door(&configs.borrow_and_update());
            Some((Ok(more(door)), (configs, false)))
        }))
    }

    /// What the display shows, again and again.
    pub(super) fn pictures(self: &Arc<Self>) -> Replies<Panel> {
        let looking = (Arc::clone(self), self.face.changes(), None::<Panel>);
        Box::pin(stream::unfold(looking, |(service, mut changes, mut last)| async move {
            loop {
                let told = service.face.told();
                let wait = told.changes_in_ms.and_then(|left| u64::try_from(left).ok());
                let same = last.as_ref().is_some_and(|last| {
                    (&last.pixels, &last.lamp, &last.words) == (&told.pixels, &told.lamp, &told.words)
                });
                if !same {
                    last = Some(told.clone());
                    return Some((Ok(more(told)), (service, changes, last)));
                }
                next_picture(&mut changes, wait).await?;
            }
        }))
    }

    /// Lines of the log.
    pub(super) fn log_lines(&self, operator: &str, request: &Logs) -> Result<Replies<LogLines>, Refusal> {
        let level = request.level.unwrap_or(Level::Info);
        let count = request.newest.unwrap_or(100).min(1000);
        let count = usize::try_from(count).unwrap_or(1000);
        let place = self.places.take(operator)?;
        let (unread, follow) = self.ring.newest(count, level);
        if !request.follow {
            return Ok(pages(unread, place, |unread: &mut Unread| Ok(unread.page(PAGE))));
        }
        let begun = (Some(unread), follow, place);
        Ok(Box::pin(stream::unfold(begun, move |(unread, mut follow, place)| async move {
            let (lines, unread) = match unread {
                Some(mut unread) => {
                    let (lines, more) = unread.page(PAGE);
                    (lines, more.then_some(unread))
                }
                None => (following(&mut follow, level).await?, None),
            };
            Some((Ok(more(lines)), (unread, follow, place)))
        })))
    }

    /// Everyone who may log in.
    pub(super) fn operators_told(&self) -> Vec<Operator> {
        let sessions = lock(&self.sessions);
        let mut operators = operators(&self.config());
        for operator in &mut operators {
            operator.sessions = i64::try_from(sessions.count(&operator.name)).unwrap_or(i64::MAX);
            operator.last_login = sessions.last(&operator.name).map(|(at, _)| *at);
        }
        operators
    }
}

async fn next_picture(changes: &mut watch::Receiver<u64>, wait: Option<u64>) -> Option<()> {
    match wait {
        Some(wait) => {
            tokio::select! {
                changed = changes.changed() => changed.ok(),
                () = tokio::time::sleep(Duration::from_millis(wait)) => Some(()),
            }
        }
        None => changes.changed().await.ok(),
    }
}

async fn following(follow: &mut broadcast::Receiver<LogLine>, level: Level) -> Option<LogLines> {
    let mut lost = 0;
    loop {
        match follow.recv().await {
            Ok(line) if line.level <= level => return Some(LogLines { lines: vec![line], lost }),
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => lost += i64::try_from(missed).unwrap_or(i64::MAX),
            Err(RecvError::Closed) => return None,
        }
    }
}

struct Watching {
    events: broadcast::Receiver<SchedulerEvent>,
    server: broadcast::Receiver<()>,
    service: Arc<Service>,
    snapshot: bool,
}

impl Watching {
    /// The next event; `None` when the scheduler has ended.
    async fn next(&mut self) -> Option<Result<Event, Refusal>> {
        loop {
            if std::mem::take(&mut self.snapshot) {
                return Some(self.service.status().await.map(|status| Event {
                    status: Some(Box::new(status)),
                    ..Event::new(now(), EventKind::Snapshot)
                }));
            }
            tokio::select! {
                told = self.events.recv() => match told {
                    Ok(told) => {
                        if let Some(event) = self.service.completed(&told) {
                            return Some(Ok(self.service.with_port(event).await));
                        }
                    }
                    Err(RecvError::Lagged(missed)) => {
                        self.snapshot = true;
                        let missed = Some(i64::try_from(missed).unwrap_or(i64::MAX));
                        return Some(Ok(Event { missed, ..Event::new(now(), EventKind::Missed) }));
                    }
                    Err(RecvError::Closed) => return None,
                },
                changed = self.server.recv() => {
                    if !matches!(changed, Err(RecvError::Closed)) {
                        let server = Some(self.service.server());
                        return Some(Ok(Event { server, ..Event::new(now(), EventKind::Server) }));
                    }
                }
            }
        }
    }
}

impl Service {
    /// An event with all that only the control service knows.
    pub(super) fn completed(&self, told: &SchedulerEvent) -> Option<Event> {
        // The credential tells of itself, with more in it.
        if matches!(told, SchedulerEvent::Server(_)) {
            return None;
        }
        let mut event = event(told)?;
        if let SchedulerEvent::Orders(orders) = told {
            event.orders = Some(self.orders_with_phones(orders));
        }
        if let Some(port) = &event.port {
            event.ticket =
                lock(&self.memory).tickets.get(port).and_then(|ticket| i64::try_from(*ticket).ok());
        }
        Some(event)
    }
}

fn operators(config: &Config) -> Vec<Operator> {
    let told = |operator: &crate::config::Operator| Operator {
        name: operator.name.to_string(),
        role: operator.role.role(),
        keys: operator.ssh_keys().map(|key| key.line.clone()).collect(),
        fingerprints: operator.ssh_keys().map(|key| key.fingerprint.clone()).collect(),
        from: operator.from.iter().map(ToString::to_string).collect(),
        sessions: 0,
        last_login: None,
    };
    config.operators.iter().map(told).collect()
}

fn door(config: &Config) -> Door {
    Door {
        station: config.station.name.to_string(),
        listen: config.shell.listen.iter().map(|listen| listen.0.to_string()).collect(),
        idle_ms: i64::from(config.shell.idle_minutes.number()) * 60_000,
        post_quantum: config.shell.key_exchange == KeyExchange::PostQuantum,
    }
}

impl Service {
    /// The SSH server says that it is open, and where.
    pub(super) fn door_is_open(&self, request: DoorOpened) -> Result<(), Refusal> {
        if panel::Fingerprint::parse(&request.host_key).is_err() {
            return Err(no(Code::InputInvalid, "a host key is told by its fingerprint, SHA256:…"));
        }
        let addresses: Result<Vec<SocketAddr>, _> = request.listen.split(", ").map(str::parse).collect();
        if addresses.is_err() {
            return Err(no(Code::InputInvalid, "where it listens is told as ADDRESS:PORT"));
        }
        let DoorOpened { host_key, listen } = request;
        let open = OpenDoor { host_key, listen };
        self.door.send_if_modified(|known| {
            let new = known.as_ref() != Some(&open);
            if new {
                tracing::info!(
                    "the SSH server listens on {}, its host key is {}",
                    open.listen,
                    open.host_key
                );
                *known = Some(open);
            }
            new
        });
        Ok(())
    }
}
