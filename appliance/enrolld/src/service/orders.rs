//! The orders that wait, as shells see them: those of the scheduler, and the phones.

use control::types::Order;

use super::credential::now;
use super::translate::{ago, whole};
use super::{Service, lock};
use dispatch::scheduler::{OrderView, Snapshot};

impl Service {
    /// Every order that waits, oldest first.
    pub(super) fn orders_told(&self, snapshot: &Snapshot) -> Vec<Order> {
        self.orders_with_phones(&snapshot.orders)
    }

    /// What waits at the scheduler, and the phones that are being enrolled.
    pub(super) fn orders_with_phones(&self, orders: &[OrderView]) -> Vec<Order> {
        let mut orders: Vec<Order> = orders.iter().map(order).collect();
        orders.extend(lock(&self.phones).orders());
        orders.sort_by_key(|order| order.since);
        orders
    }
}

fn order(view: &OrderView) -> Order {
    let until = view
        .left
        .and_then(|left| now().checked_add(jiff::SignedDuration::try_from(left).unwrap_or_default()).ok());
    Order {
        ticket: whole(view.ticket.0),
        what: view.what.to_owned(),
        key: view.key.named().map(str::to_owned),
        profile: view.profile.clone(),
        person: view.person.as_ref().map(ToString::to_string),
        operator: view.by.to_string(),
        since: ago(view.waited),
        until,
        detached: view.detached,
    }
}
