//! What is done with a key apart from enrolling it: its slots are exchanged or emptied, or it is
//! found out what an enrollment would come to.

use keys::device::{KeyInfo, KeySerial};
use station::engine::check::Forecast;
use station::engine::enrollment::{Order, Replace};
use station::engine::key_order::KeyOrder;
use station::engine::mode::Wait;
use station::engine::slots::Handled;
use station::refusal::{Code, Refusal};

use super::KeyRequest;
use super::port::{Asked, Work};
use super::task::Task;
use super::view::{Doing, SchedulerEvent};
use super::work::{Finished, again};
use crate::driver::{Cancel, Station};
use crate::key_thread::Key;

/// Exchanges what is in the two slots of a key.
pub(super) async fn swap(station: Station, key_order: KeyOrder, mut key: Key) -> Finished {
    let handled = Box::new(station.swap(key_order, &mut key).await);
    let info = again(&mut key).await;
    Finished::Handled { key, handled, info }
}

/// Empties a slot.
pub(super) async fn wipe(station: Station, key_order: KeyOrder, mut key: Key) -> Finished {
    let handled = Box::new(station.wipe(key_order, &mut key).await);
    let info = again(&mut key).await;
    Finished::Handled { key, handled, info }
}

/// Finds out what an enrollment would come to.
pub(super) async fn check(station: Station, order: Order, mut key: Key, cancel: Cancel) -> Finished {
    let forecast = Box::new(station.check(order, &mut key, cancel).await);
    Finished::Checked { key, forecast }
}

impl Task {
    /// The order that an enrollment by that profile would begin with.
    pub(super) fn order_of(
        &self,
        name: &str,
        profile: &str,
        key_request: &KeyRequest,
    ) -> Result<Order, Refusal> {
        let named = self.settings.profiles.iter().find(|named| named.name == profile);
        let named = named.ok_or_else(|| Refusal::new(Code::ProfileUnknown, profile.to_owned()))?;
        let (by, settings) = (key_request.by.clone(), &self.settings);
        Ok(Order {
            unlock: key_request.secrets.unlock.clone(),
            key_pin: key_request.secrets.key_pin.clone(),
            server_name: settings.server_name.clone(),
            codes: settings.codes.clone(),
            welcome: settings.welcome.clone(),
            replace: Replace::Unnamed,
            ..Order::new(settings.station.clone(), name, by, profile, named.profile.clone())
        })
    }

    /// Slots of a key are not what they were; it is left to its operator.
    pub(super) fn handled(
        &mut self,
        work: Work,
        key: Key,
        handled: Box<Handled>,
        info: Option<Box<KeyInfo>>,
    ) {
        if let Some((name, port)) = self.port_of(&work) {
            port.over = true;
            port.key = Some(key);
            if let Some(info) = info {
                port.info = Some((*info).clone());
                self.emit(SchedulerEvent::Recognised { port: name.clone(), key: info });
            }
            self.set_doing(&name, Doing::Waiting(Wait::Operator));
        }
        if let Some(Asked::Swap(reply) | Asked::Wipe(reply)) = work.asked {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(handled));
        }
    }

    /// A dry run has ended: everything is as before.
    pub(super) fn checked(&mut self, work: Work, key: Key, forecast: Box<Forecast>) {
        if let Some((_, port)) = self.port_of(&work) {
            port.key = Some(key);
        }
        if let Some(Asked::Check(_, reply)) = work.asked {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(forecast));
        }
    }

    /// Puts right what is unfinished of a serial, and writes what receipts are owed for it.
    pub(super) fn see_to(&mut self, serial: KeySerial) {
        // If that is being done already, the next time does for both.
        if !self.settle(serial, None) {
            self.retry_later();
        }
    }
}
