//! Whose an order is, and how it ends: with its owner, at its time limit, or when it is called off.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use station::refusal::{Code, Refusal};
use tokio::task;
use tokio::time::Instant;

use super::port::{Pending, Port, Postponed, Work, is_port, is_serial};
use super::task::Task;
use super::view::{OrderView, SchedulerEvent};
use super::{Cancelled, Selector, TicketId};

/// An order whose owner has gone.
pub(super) enum Left {
    /// It still waits for its key.
    Waiting(TicketId),
    /// A task carries it out.
    Working(task::Id),
}

/// Comes back when the owner of an order has gone. Who is gone has dropped the end of a channel, so
/// nobody has to be asked again and again.
pub(super) async fn left(
    requests: &mut [Pending],
    key_orders: &mut [Postponed],
    works: &mut HashMap<task::Id, Work>,
) -> Left {
    poll_fn(|context| {
        for pending in requests.iter_mut().filter(|pending| !pending.request.detached) {
            if pending.waiter.poll_closed(context).is_ready() {
                return Poll::Ready(Left::Waiting(pending.id));
            }
        }
        for postponed in key_orders.iter_mut() {
            if postponed.asked.poll_left(context).is_ready() {
                return Poll::Ready(Left::Waiting(postponed.id));
            }
        }
        for (id, work) in works.iter_mut() {
            if work.poll_left(context).is_ready() {
                return Poll::Ready(Left::Working(*id));
            }
        }
        Poll::Pending
    })
    .await
}

impl Task {
    /// Calls off the order of somebody who has gone.
    pub(super) fn owner_left(&mut self, left: Left) {
        match left {
            Left::Waiting(id) => {
                tracing::info!("order {}: its client has gone, so it is called off", id.0);
                self.requests.retain(|pending| pending.id != id);
                self.key_orders.retain(|postponed| postponed.id != id);
            }
            Left::Working(id) => {
                let Some(work) = self.works.get_mut(&id) else { return };
                work.unowned = true;
                let port = work.place.as_ref().map(|(port, _)| port.as_str()).unwrap_or_default();
                tracing::info!("port {port}: its client has gone, so it is called off");
                if let Some(cancel) = &work.cancel {
                    cancel.send_replace(true);
                }
            }
        }
    }

    /// When the first order has waited for as long as it may.
    pub(super) fn first_limit(&self) -> Option<Instant> {
        let key_orders = self.key_orders.iter().filter_map(|postponed| postponed.until);
        self.requests.iter().filter_map(|pending| pending.until).chain(key_orders).min()
    }

    /// Ends the orders that have waited for as long as they may.
    pub(super) fn limit_reached(&mut self) {
        let now = Instant::now();
        let over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        let expired = |within: Option<Duration>| {
            Refusal::new(Code::OrderExpired, format!("after {} s", within.unwrap_or_default().as_secs()))
        };
        for pending in self.requests.extract_if(.., |pending| over(pending.until)) {
            // Whoever wished it may have gone.
            let _ = pending.waiter.send(Err(expired(pending.request.within)));
        }
        for postponed in self.key_orders.extract_if(.., |postponed| over(postponed.until)) {
            postponed.asked.refuse(expired(postponed.key_request.within));
        }
    }

    /// Calls orders off, those in work and those that wait.
    pub(super) fn cancel(&mut self, what: &Cancelled) -> Result<usize, Refusal> {
        let (mut called_off, none) = (0, Refusal::new(Code::Cancelled, ""));
        let ports = &self.ports;
        let meant = |id: TicketId, key: &Selector| match what {
            Cancelled::All => true,
            Cancelled::Ticket(ticket) => *ticket == id,
            Cancelled::Key(wanted) => waits_for(key, wanted, ports.iter()),
        };
        for pending in self.requests.extract_if(.., |pending| meant(pending.id, &pending.request.key)) {
            called_off += 1;
            // Whoever wished it may have gone.
            let _ = pending.waiter.send(Err(none.clone()));
        }
        for postponed in self.key_orders.extract_if(.., |one| meant(one.id, &one.key_request.key)) {
            called_off += 1;
            postponed.asked.refuse(none.clone());
        }
        for work in self.works.values() {
            let Some(cancel) = &work.cancel else { continue };
            let meant = match what {
                Cancelled::All => true,
                Cancelled::Ticket(id) => work.has_ticket(*id),
                Cancelled::Key(wanted) => {
                    work.place.as_ref().is_some_and(|(name, _)| is_port(name, wanted))
                        || work.serial.is_some_and(|serial| is_serial(serial, wanted))
                }
            };
            if meant {
                called_off += 1;
                cancel.send_replace(true);
            }
        }
        if called_off == 0 && *what != Cancelled::All {
            return Err(Refusal::new(Code::KeyAbsent, "nothing is being done there"));
        }
        Ok(called_off)
    }

    /// What waits for its key, oldest first.
    pub(super) fn orders(&self) -> Vec<OrderView> {
        let (now, instant) = (self.monotonic(), Instant::now());
        let requests = self.requests.iter().map(|pending| OrderView {
            ticket: pending.id,
            what: "enroll",
            key: pending.request.key.clone(),
            profile: pending.request.profile.clone(),
            person: pending.request.person.clone(),
            by: pending.request.by.clone(),
            waited: now.saturating_sub(pending.since),
            left: pending.until.map(|until| until.saturating_duration_since(instant)),
            detached: pending.request.detached,
        });
        let key_orders = self.key_orders.iter().map(|postponed| OrderView {
            ticket: postponed.id,
            what: postponed.asked.word(),
            key: postponed.key_request.key.clone(),
            profile: None,
            person: None,
            by: postponed.key_request.by.clone(),
            waited: now.saturating_sub(postponed.since),
            left: postponed.until.map(|until| until.saturating_duration_since(instant)),
            detached: false,
        });
        let mut orders: Vec<_> = requests.chain(key_orders).collect();
        orders.sort_by_key(|order| order.ticket);
        orders
    }

    /// Tells everybody when other orders wait than before.
    pub(super) fn tell_orders(&mut self) {
        let requests = self.requests.iter().map(|pending| pending.id);
        let mut waiting: Vec<_> =
            requests.chain(self.key_orders.iter().map(|postponed| postponed.id)).collect();
        waiting.sort_unstable();
        if waiting != self.orders_told {
            self.orders_told = waiting;
            self.emit(SchedulerEvent::Orders(self.orders()));
        }
    }
}

/// Whether an order waits for the key that somebody means: by its serial, or by its port.
fn waits_for<'a>(
    key: &Selector,
    wanted: &str,
    mut ports: impl Iterator<Item = (&'a String, &'a Port)>,
) -> bool {
    let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
    // A port that is meant by the serial of the key in it.
    let mut named_by_serial = |port: &str| {
        ports.any(|(name, there)| {
            is_port(name, port) && there.serial().is_some_and(|serial| is_serial(serial, wanted))
        })
    };
    match key {
        Selector::Next => false,
        Selector::Serial(serial) => plain(serial) == plain(wanted),
        Selector::Port(port) => port == wanted || is_port(port, wanted) || named_by_serial(port),
    }
}
