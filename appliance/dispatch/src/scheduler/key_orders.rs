//! Release and verify: what operators want of keys that are enrolled already.

use std::collections::BTreeMap;
use std::sync::Arc;

use keys::device::KeyInfo;
use station::engine::enrollment::Ending;
use station::engine::key_order::KeyOrder;
use station::engine::mode::Mode;
use station::engine::verify::Verified;
use station::refusal::{Code, Refusal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::handle;
use super::port::{Asked, Port, Postponed, Work, is_port, is_serial};
use super::task::Task;
use super::view::Doing;
use super::work;
use super::{KeyRequest, Selector};
use crate::driver::{Cancel, Report};
use crate::key_thread::Key;

impl Task {
    /// Begins a release or a verification; whoever waits for it is told if it cannot be begun.
    pub(super) fn key_order(&mut self, key_request: KeyRequest, asked: Asked) {
        match self.ready_for(&key_request) {
            Ok((name, info)) => self.run_errand(&name, info, &key_request, asked),
            Err(refusal) if self.waits(&key_request, &refusal) => {
                let (id, since) = (self.next_ticket(), self.monotonic());
                let until = key_request.within.map(|within| Instant::now() + within);
                self.key_orders.push(Postponed { id, key_request, asked, since, until });
            }
            Err(refusal) => asked.refuse(refusal),
        }
    }

    /// Begins what has waited for its key. Whether something was refused, so that its key may be another's now.
    pub(super) fn resume_errands(&mut self) -> bool {
        let mut refused = false;
        for postponed in std::mem::take(&mut self.key_orders) {
            match self.ready_for(&postponed.key_request) {
                Ok((name, info)) => self.run_errand(&name, info, &postponed.key_request, postponed.asked),
                Err(refusal) if self.waits(&postponed.key_request, &refusal) => {
                    self.key_orders.push(postponed)
                }
                Err(refusal) => {
                    refused = true;
                    postponed.asked.refuse(refusal);
                }
            }
        }
        refused
    }

    /// Whether an errand that cannot begin now waits until it can.
    fn waits(&self, key_request: &KeyRequest, refusal: &Refusal) -> bool {
        let may_pass = matches!(refusal.code, Code::KeyBusy | Code::KeyAbsent);
        may_pass && (key_request.within.is_some() || self.is_looked_at(key_request))
    }

    /// Whether the key that is meant, or what may be it, is only being looked at by the station
    /// itself: that is over in a moment, and no reason to send anybody away.
    fn is_looked_at(&self, key_request: &KeyRequest) -> bool {
        let may_be_meant = |name: &str, port: &Port| match &key_request.key {
            Selector::Next => true,
            Selector::Port(wanted) => is_port(name, wanted),
            Selector::Serial(wanted) => port.serial().is_none_or(|serial| is_serial(serial, wanted)),
        };
        self.ports.iter().any(|(name, port)| {
            matches!(port.doing, Doing::Inspecting | Doing::Settling | Doing::SameKey)
                && may_be_meant(name, port)
        })
    }

    /// The port of the key that is meant, with nothing being done there.
    pub(super) fn ready_for(&self, key_request: &KeyRequest) -> Result<(String, KeyInfo), Refusal> {
        let refuse = |code, detail: &str| Err(Refusal::new(code, detail.to_owned()));
        if self.stopping {
            return refuse(Code::Stopping, "");
        }
        if self.settings.mode == Mode::Locked {
            return refuse(Code::Locked, "");
        }
        if self.server.is_none() {
            return refuse(Code::NoCredential, "");
        }
        let meant = |(name, port): &(&String, &Port)| match &key_request.key {
            Selector::Next => port.info.is_some(),
            Selector::Port(wanted) => is_port(name, wanted),
            Selector::Serial(wanted) => port.serial().is_some_and(|serial| is_serial(serial, wanted)),
        };
        let mut meant = self.ports.iter().filter(meant);
        let Some((name, port)) = meant.next() else { return refuse(Code::KeyAbsent, "") };
        if meant.next().is_some() {
            return refuse(Code::KeyAbsent, "several keys are there; name one");
        }
        if let Doing::Nothing(refusal) = &port.doing {
            return Err(refusal.clone());
        }
        let locked = port.serial().is_some_and(|serial| self.locked.contains(&serial));
        match &port.info {
            Some(info) if port.key.is_some() && !locked => Ok((name.clone(), info.clone())),
            _ => refuse(Code::KeyBusy, name),
        }
    }

    fn run_errand(&mut self, name: &str, info: KeyInfo, key_request: &KeyRequest, asked: Asked) {
        let key_order = self.key_order_of(name, key_request);
        let busy = || Refusal::new(Code::KeyBusy, name.to_owned());
        let books = self.books(None);
        let Some(insertion) = self.ports.get(name).map(|port| port.insertion) else {
            return asked.refuse(busy());
        };
        let Some(station) = self.station(insertion) else { return asked.refuse(busy()) };
        let Some(port) = self.ports.get_mut(name) else { return asked.refuse(busy()) };
        let Some(key) = port.key.take() else { return asked.refuse(busy()) };
        let serial = info.serial;
        let (cancel, cancelled) = watch::channel(false);
        let cancelled = Cancel::on(cancelled);
        let (handle, doing) = match &asked {
            Asked::Release(_) => {
                let task = work::release(station, books, key_order, key, info, cancelled);
                (self.tasks.spawn(task), Doing::Releasing)
            }
            Asked::Verify(_) => {
                (self.tasks.spawn(work::verify(station, key_order, key, cancelled)), Doing::Verifying)
            }
            Asked::Swap(_) => (self.tasks.spawn(handle::swap(station, key_order, key)), Doing::Rearranging),
            Asked::Wipe(_) => (self.tasks.spawn(handle::wipe(station, key_order, key)), Doing::Rearranging),
            // A dry run is not seen at the desk.
            Asked::Check(profile, _) => match self.order_of(name, profile, key_request) {
                Ok(order) => {
                    let task = handle::check(station, order, key, cancelled);
                    let doing = self.ports.get(name).map_or(Doing::Inspecting, |port| port.doing.clone());
                    (self.tasks.spawn(task), doing)
                }
                Err(refusal) => {
                    if let Some(port) = self.ports.get_mut(name) {
                        port.key = Some(key);
                    }
                    return asked.refuse(refusal);
                }
            },
        };
        let Some(port) = self.ports.get_mut(name) else { return asked.refuse(busy()) };
        port.task = Some(handle.id());
        let place = Some((name.to_owned(), port.insertion));
        if let Some(serial) = serial {
            self.locked.insert(serial);
        }
        let work = Work { asked: Some(asked), cancel: Some(cancel), ..Work::new(place, serial) };
        self.works.insert(handle.id(), work);
        self.set_doing(name, doing);
    }

    fn key_order_of(&self, name: &str, key_request: &KeyRequest) -> KeyOrder {
        let profiles: BTreeMap<_, _> =
            self.settings.profiles.iter().map(|named| (named.name.clone(), named.profile.clone())).collect();
        KeyOrder {
            station: self.settings.station.clone(),
            slot: key_request.slot,
            profiles: Arc::new(profiles),
            unlock: key_request.secrets.unlock.clone(),
            key_pin: key_request.secrets.key_pin.clone(),
            server_name: self.settings.server_name.clone(),
            codes: self.settings.codes.clone(),
            ..KeyOrder::new(name, key_request.by.clone())
        }
    }

    /// Gives the key of a task back to its port, which has had its turn.
    fn give_back(&mut self, work: &Work, key: Key, doing: Doing) {
        if let Some((name, port)) = self.port_of(work) {
            port.key = Some(key);
            port.over = true;
            self.set_doing(&name, doing);
        }
    }

    pub(super) fn released(&mut self, work: Work, key: Key, report: Box<Report>) {
        let ending = &report.outcome.ending;
        let doing = match ending {
            Ending::Released => Doing::Released,
            ending => Doing::Refused {
                ending: ending.word(),
                refusal: ending.refusal().cloned().unwrap_or_else(|| Refusal::new(Code::Internal, "")),
            },
        };
        if let (Ending::Postponed(refusal), Some(serial), Some(token)) =
            (ending, work.serial, &report.outcome.token)
        {
            self.keep_unsettled(serial, token, refusal.clone());
            self.retry_later();
        }
        self.give_back(&work, key, doing);
        if let Some(Asked::Release(reply)) = work.asked {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(report));
        }
    }

    pub(super) fn verified(&mut self, work: Work, key: Key, verified: Box<Verified>) {
        let result = verified.result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.give_back(&work, key, Doing::Verified(result));
        if let Some(Asked::Verify(reply)) = work.asked {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(verified));
        }
    }
}
