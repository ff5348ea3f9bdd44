//! Enrollments that operators start, and what can be done with one key.

use std::sync::Arc;
use std::time::Duration;

use control::types::{
    Cancel, Cancelled as Told, Enroll, Event, EventKind, KeyDetails, Keys, Order, Outcome, Profile, Profiles,
};
use control::wire::Reply;
use control::{Refusal, Replies, Secret};
use data_encoding::HEXLOWER_PERMISSIVE;
use futures_util::stream;
use keys::device::KeyInfo;
use keys::secret::{AccessCode, Pin};
use station::engine::record::{Actor, Record};
use station::refusal::Code;
use tokio::sync::{broadcast, oneshot};
use zeroize::Zeroizing;

use super::call_handler::Caller;
use super::credential::now;
use super::refuse::{no, told};
use super::translate::{self, enrollment, key};
use super::{Service, lock};
use dispatch::driver::Report;
use dispatch::scheduler::{
    Cancelled, Doing, EnrollRequest, PortView, SchedulerEvent, Secrets, Selector, Snapshot, TicketId,
};

pub(super) fn secrets(
    pin: Option<Secret>,
    unlock: Option<Secret>,
    key_pin: Option<Secret>,
) -> Result<Secrets, Refusal> {
    let pin_of = |secret: Secret| {
        let pin = Pin::new(secret.into_inner());
        pin.map(Arc::new).map_err(|error| no(Code::InputInvalid, format!("PIN: {error}")))
    };
    let code_of = |secret: Secret| {
        let wrong = || no(Code::InputInvalid, "an access code has 12 hexadecimal digits");
        let bytes = HEXLOWER_PERMISSIVE.decode(secret.expose().trim().as_bytes()).map_err(|_| wrong())?;
        AccessCode::new(&Zeroizing::new(bytes)).map(Arc::new).map_err(|_| wrong())
    };
    Ok(Secrets {
        pin: pin.map(pin_of).transpose()?,
        unlock: unlock.map(code_of).transpose()?,
        key_pin: key_pin.map(pin_of).transpose()?,
    })
}

/// The port that is meant by a serial, a port path or a number beside a socket.
pub(super) fn find<'a>(snapshot: &'a Snapshot, wanted: &str) -> Option<&'a PortView> {
    let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
    let serial = |view: &PortView| {
        let serial = view.key.as_ref().and_then(|info| info.serial).map(|serial| serial.to_string());
        serial.is_some_and(|serial| plain(&serial) == plain(wanted))
    };
    let number =
        |view: &PortView| crate::display::port(&view.port).is_some_and(|port| port.to_string() == wanted);
    let ports = &snapshot.ports;
    ports
        .iter()
        .find(|view| view.port == wanted)
        .or_else(|| ports.iter().find(|view| serial(view)))
        .or_else(|| ports.iter().find(|view| number(view)))
}

/// The ports that may be meant where none is named: a mouse, or whatever else is plugged in for good, is not.
pub(super) fn unnamed(ports: &[PortView]) -> Vec<&PortView> {
    ports.iter().filter(|view| !view.stranger).collect()
}

/// How long an order waits for its key where nobody says otherwise, and at most.
const WAIT: Duration = Duration::from_secs(600);
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// For how long an order is to wait, where that is said.
pub(super) fn waiting_time(wait_ms: Option<i64>) -> Result<Option<Duration>, Refusal> {
    let Some(wait) = wait_ms else { return Ok(None) };
    let wait = u64::try_from(wait).map(Duration::from_millis).ok();
    let wait = wait.filter(|wait| (Duration::from_secs(1)..=LONGEST_WAIT).contains(wait));
    wait.map(Some).ok_or_else(|| no(Code::InputInvalid, "an order waits for a second to seven days"))
}

impl Service {
    /// The keys that are plugged in.
    pub(super) async fn keys_told(&self) -> Result<Keys, Refusal> {
        let snapshot = self.snapshot().await?;
        let mut keys = Vec::new();
        for view in &snapshot.ports {
            if let Some(info) = &view.key {
                keys.push(key(info, Some(&view.port), &self.records(info).await));
            }
        }
        Ok(Keys { keys, orders: self.orders_told(&snapshot) })
    }

    async fn records(&self, info: &KeyInfo) -> Vec<Record> {
        match info.serial {
            Some(serial) => self.store.recall(serial).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// A key and its history.
    pub(super) async fn key_told(&self, wanted: &str) -> Result<KeyDetails, Refusal> {
        let snapshot = self.snapshot().await?;
        let there = find(&snapshot, wanted).and_then(|view| Some((view, view.key.as_ref()?)));
        if let Some((view, info)) = there {
            let records = self.records(info).await;
            let config = self.config();
            let profiles = config.profiles.iter().filter(|(_, section)| {
                section.fits.fits(info) && info.ability(section.profile.kind, section.profile.slot).is_some()
            });
            return Ok(KeyDetails {
                key: Some(key(info, Some(&view.port), &records)),
                enrollments: records.iter().map(enrollment).collect(),
                profiles: profiles.map(|(name, _)| name.clone()).collect(),
            });
        }
        let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
        let wanted_serial = plain(wanted);
        let records =
            self.store.with(|journal| journal.all()).await.map_err(|why| no(Code::JournalFailed, why))?;
        let records: Vec<Record> =
            records.into_iter().filter(|record| plain(&record.key.to_string()) == wanted_serial).collect();
        if records.is_empty() {
            return Err(no(Code::KeyAbsent, wanted.to_owned()));
        }
        Ok(KeyDetails {
            key: None,
            enrollments: records.iter().map(enrollment).collect(),
            profiles: Vec::new(),
        })
    }

    pub(super) fn profiles_told(&self) -> Profiles {
        let config = self.config();
        let told = |(name, section): (&String, &crate::config::ProfileSection)| {
            let profile = &section.profile;
            let toml = toml::to_string(profile).unwrap_or_default();
            let fits = toml::to_string(&section.fits).unwrap_or_default();
            let matches: Vec<&str> = fits.lines().collect();
            let table: toml::Table = toml.parse().unwrap_or_default();
            let text = |field: &str| {
                table.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
            };
            Profile {
                name: name.clone(),
                kind: text("kind"),
                slot: i64::from(profile.slot.0),
                digits: i64::from(profile.digits.count()),
                realm: profile.realm.clone(),
                overwrite: text("overwrite"),
                matches: if matches.is_empty() {
                    "every key that is able".to_owned()
                } else {
                    matches.join(", ")
                },
                toml,
            }
        };
        Profiles { profiles: config.profiles.iter().map(told).collect() }
    }

    /// Starts an enrollment and tells what happens to it. When nobody listens any more it is called off,
    /// unless it is to go on without its client.
    pub(super) async fn enroll_key(
        self: &Arc<Self>,
        caller: &Caller,
        request: Enroll,
    ) -> Result<Replies<Event>, Refusal> {
        let snapshot = self.snapshot().await?;
        if let Some(problem) = lock(&self.problems).first() {
            return Err(no(Code::ConfigurationInvalid, problem.to_string()));
        }
        let key = match &request.key {
            None => match unnamed(&snapshot.ports).as_slice() {
                [only] => Selector::Port(only.port.clone()),
                _ => Selector::Next,
            },
            Some(text) if find(&snapshot, text).is_some_and(|view| view.port == *text) => {
                Selector::Port(text.clone())
            }
            Some(text) => match find(&snapshot, text) {
                Some(view) => Selector::Port(view.port.clone()),
                None if text.contains('-') => Selector::Port(text.clone()),
                None => Selector::Serial(text.clone()),
            },
        };
        let within = waiting_time(request.wait_ms)?.unwrap_or(WAIT);
        // Before anything else: a typo shall cost nobody a touch.
        let (person, note) = match &request.person {
            None => (None, None),
            Some(text) => {
                let (person, note) = self.person(text, request.unchecked.unwrap_or(false)).await?;
                (Some(person), note)
            }
        };
        let events = self.scheduler.events();
        let wanted = EnrollRequest {
            profile: request.profile.clone(),
            person: person.clone(),
            key: key.clone(),
            overwrite_confirmed: request.overwrite_confirmed,
            factory: request.factory.unwrap_or(false),
            replace: request.replace.clone(),
            secrets: secrets(request.pin, request.unlock, request.key_pin)?,
            by: Actor::Operator(caller.name.clone()),
            detached: request.detach == Some(true),
            within: Some(within),
        };
        let order = Order {
            ticket: 0,
            what: "enroll".to_owned(),
            key: request.key.clone(),
            profile: request.profile,
            person: person.as_ref().map(ToString::to_string),
            operator: wanted.by.to_string(),
            since: now(),
            until: now().checked_add(jiff::SignedDuration::try_from(within).unwrap_or_default()).ok(),
            detached: wanted.detached,
        };
        let ticket = self.scheduler.enroll(wanted).await.map_err(|refusal| told(&refusal))?;
        let following = Following {
            service: Arc::clone(self),
            events,
            report: Some(ticket.report),
            ticket: ticket.id.0,
            port: match &key {
                Selector::Port(port) => Some(port.clone()),
                _ => None,
            },
            begun: false,
            order: Order { ticket: translate::whole(ticket.id.0), ..order },
            person: person.map(|person| person.to_string()),
            note,
            profile: None,
        };
        if let Some(port) = &following.port {
            lock(&self.memory).tickets.insert(port.clone(), ticket.id.0);
        }
        Ok(Box::pin(stream::unfold(following, |mut following| async move {
            let reply = following.next().await?;
            Some((Ok(reply), following))
        })))
    }

    /// Calls orders off.
    pub(super) async fn cancel_enrollment(&self, request: Cancel) -> Result<Told, Refusal> {
        let what = match (request.ticket, request.key) {
            (Some(ticket), None) => Cancelled::Ticket(TicketId(u64::try_from(ticket).unwrap_or(u64::MAX))),
            (None, Some(wanted)) => Cancelled::Key(wanted),
            (None, None) => Cancelled::All,
            _ => return Err(no(Code::InputInvalid, "name an enrollment or a key")),
        };
        let phones = if what == Cancelled::All { self.call_phones_off() } else { 0 };
        let called_off = self.scheduler.cancel(what).await.map_err(|refusal| told(&refusal))?;
        Ok(Told { enrollments: translate::whole(called_off + phones) })
    }
}

/// An enrollment that somebody listens to.
struct Following {
    service: Arc<Service>,
    events: broadcast::Receiver<SchedulerEvent>,
    report: Option<oneshot::Receiver<Result<Box<Report>, station::refusal::Refusal>>>,
    ticket: u64,
    port: Option<String>,
    begun: bool,
    /// What was ordered. When it goes on by itself, only its beginning is told.
    order: Order,
    person: Option<String>,
    /// What should be known of the person.
    note: Option<&'static str>,
    /// By which profile it was done, once that is known.
    profile: Option<String>,
}

impl Following {
    /// The next event of this enrollment; the last one is its outcome.
    async fn next(&mut self) -> Option<Reply<Event>> {
        let ticket = i64::try_from(self.ticket).ok();
        if !std::mem::replace(&mut self.begun, true) {
            let waits = match (&self.port, &self.order.key) {
                (Some(port), _) => format!("for the key in port {port}"),
                (None, Some(key)) => format!("for key {key}"),
                (None, None) => "for a key to be inserted".to_owned(),
            };
            let waits = match (self.note, &self.person) {
                (Some(note), Some(person)) => format!("{waits}; {person} was {note}"),
                _ => waits,
            };
            let event = Event {
                ticket,
                port: self.port.clone(),
                text: Some(waits),
                orders: Some(vec![self.order.clone()]),
                ..Event::new(now(), EventKind::Accepted)
            };
            if self.order.detached {
                self.report = None;
            }
            return Some(Reply { parameters: event, continues: !self.order.detached });
        }
        let mut report = self.report.take()?;
        loop {
            tokio::select! {
                // What happened before the end is told before the end.
                biased;
                told = self.events.recv() => match told {
                    Ok(told) => {
                        self.follow(&told);
                        if let Some(event) = self.mine(&told) {
                            self.report = Some(report);
                            return Some(Reply { parameters: Event { ticket, ..event }, continues: true });
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.report = Some(report);
                        let missed = Some(i64::try_from(missed).unwrap_or(i64::MAX));
                        let event = Event { missed, ticket, ..Event::new(now(), EventKind::Missed) };
                        return Some(Reply { parameters: event, continues: true });
                    }
                    Err(broadcast::error::RecvError::Closed) => {
                        let ended = report.await;
                        return Some(self.last(ended.ok()));
                    }
                },
                ended = &mut report => return Some(self.last(ended.ok())),
            }
        }
    }

    fn last(&self, ended: Option<Result<Box<Report>, station::refusal::Refusal>>) -> Reply<Event> {
        let outcome = match ended {
            Some(Ok(report)) => translate::report(&report),
            Some(Err(refusal)) => translate::refused(&refusal),
            None => translate::refused(&station::refusal::Refusal::new(Code::Stopping, "")),
        };
        let profile = self.profile.clone();
        let event = Event {
            port: self.port.clone(),
            ticket: i64::try_from(self.ticket).ok(),
            outcome: Some(Outcome { person: self.person.clone(), profile, ..outcome }),
            ..Event::new(now(), EventKind::Outcome)
        };
        Reply { parameters: event, continues: false }
    }

    /// Learns where the enrollment is done, when that was not known, and by which profile.
    fn follow(&mut self, told: &SchedulerEvent) {
        if let SchedulerEvent::Ended(ended) = told
            && self.port.as_ref() == Some(&ended.port)
        {
            // The last that is told before the report is what the report is about.
            self.profile = Some(ended.profile.clone());
        }
        if let SchedulerEvent::Doing { port, doing: Doing::Working { ticket: Some(ticket), .. } } = told
            && ticket.0 == self.ticket
            && self.port.as_ref() != Some(port)
        {
            self.port = Some(port.clone());
            lock(&self.service.memory).tickets.insert(port.clone(), self.ticket);
        }
    }

    fn mine(&self, told: &SchedulerEvent) -> Option<Event> {
        // The outcome comes with the report.
        if matches!(told, SchedulerEvent::Ended(_)) {
            return None;
        }
        let event = self.service.completed(told)?;
        (event.port.is_some() && event.port == self.port).then_some(event)
    }
}
