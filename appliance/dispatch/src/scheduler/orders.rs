//! What operators want of the scheduler.

use std::sync::Arc;

use station::engine::mode::Mode;
use station::engine::record::Actor;
use station::refusal::{Code, Refusal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::port::{Asked, Pending, is_port, is_serial};
use super::task::{Task, paced};
use super::view::{Doing, PortView, SchedulerEvent, Snapshot};
use super::{Command, EnrollRequest, Selector, Ticket, TicketId};
use crate::server::ServerPort;

impl Task {
    /// Does what a command says.
    pub(super) async fn obey(&mut self, command: Command) {
        // Whoever asked may have gone, so every reply may be in vain.
        match command {
            Command::Snapshot(reply) => drop(reply.send(self.snapshot())),
            Command::Mode(mode, by) => self.set_mode(mode, Some(by)),
            Command::Server(server) => self.set_server(server),
            Command::PacedServer(reply) => drop(reply.send(self.server.clone())),
            Command::Settings(settings) => {
                let mode = settings.mode;
                self.settings = *settings;
                self.set_mode(mode, None);
            }
            Command::Enroll(request, reply) => drop(reply.send(self.request(*request))),
            Command::Cancel(what, reply) => drop(reply.send(self.cancel(&what))),
            Command::RunStart(plan, unknown, secrets, by, reply) => {
                drop(reply.send(self.run_start(plan, &unknown, secrets, by).await));
            }
            Command::RunSkip(run, lines, reply) => drop(reply.send(self.run_skip(run, &lines).await)),
            Command::RunRetry(run, lines, reply) => drop(reply.send(self.run_retry(run, &lines).await)),
            Command::RunAdd(run, more, unknown, reply) => {
                drop(reply.send(self.run_add(run, more, &unknown).await));
            }
            Command::RunResume(run, secrets, reply) => drop(reply.send(self.run_resume(run, secrets).await)),
            Command::RunPause(reply) => drop(reply.send(self.run_pause().await)),
            Command::RunStop(run, reply) => drop(reply.send(self.run_stop(run).await)),
            Command::Release(key_request, reply) => self.key_order(*key_request, Asked::Release(reply)),
            Command::Verify(key_request, reply) => self.key_order(*key_request, Asked::Verify(reply)),
            Command::Swap(key_request, reply) => self.key_order(*key_request, Asked::Swap(reply)),
            Command::Wipe(key_request, reply) => self.key_order(*key_request, Asked::Wipe(reply)),
            Command::Check(key_request, profile, reply) => {
                self.key_order(*key_request, Asked::Check(profile, reply))
            }
            Command::SeeTo(serial) => self.see_to(serial),
            Command::Runs(reply) => drop(reply.send(self.runs().await)),
            Command::Shutdown(reply) => drop(reply),
        }
    }

    fn set_mode(&mut self, mode: Mode, by: Option<Actor>) {
        self.settings.mode = mode;
        self.emit(SchedulerEvent::Mode { mode, by });
    }

    fn set_server(&mut self, server: Option<Arc<dyn ServerPort>>) {
        self.server = server.map(|server| paced(server, &self.settings));
        let there = self.server.is_some();
        self.emit(SchedulerEvent::Server(there));
        if there {
            let mode = self.settings.mode.with_credential();
            if mode != self.settings.mode {
                self.set_mode(mode, None);
            }
            self.retries = 0;
            self.recover_unsettled();
        }
    }

    fn request(&mut self, request: EnrollRequest) -> Result<Ticket, Refusal> {
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
        if let Some(name) = &request.profile
            && !self.settings.profiles.iter().any(|named| named.name == *name)
        {
            return refuse(Code::ProfileUnknown, name);
        }
        for (name, port) in &self.ports {
            let meant = match &request.key {
                Selector::Next => false,
                Selector::Port(wanted) => is_port(name, wanted),
                Selector::Serial(wanted) => port.serial().is_some_and(|serial| is_serial(serial, wanted)),
            };
            match &port.doing {
                Doing::Working { .. } if meant => return refuse(Code::KeyBusy, name),
                Doing::Nothing(refusal) if meant => return Err(refusal.clone()),
                _ => {}
            }
        }
        let (id, since) = (self.next_ticket(), self.monotonic());
        let until = request.within.map(|within| Instant::now() + within);
        let (waiter, report) = oneshot::channel();
        self.requests.push(Pending { id, request, waiter, since, until });
        Ok(Ticket { id, report })
    }

    /// The number of the next order.
    pub(super) fn next_ticket(&mut self) -> TicketId {
        self.tickets += 1;
        TicketId(self.tickets)
    }

    /// Begins nothing new, and has everything taken back that can be.
    pub(super) fn begin_shutdown(&mut self) {
        self.stopping = true;
        for pending in self.requests.drain(..) {
            // Whoever wished it may have gone.
            let _ = pending.waiter.send(Err(Refusal::new(Code::Stopping, "")));
        }
        for postponed in self.key_orders.drain(..) {
            postponed.asked.refuse(Refusal::new(Code::Stopping, ""));
        }
        for cancel in self.works.values().filter_map(|work| work.cancel.as_ref()) {
            cancel.send_replace(true);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let now = self.monotonic();
        let view = |(name, port): (&String, &super::port::Port)| PortView {
            port: name.clone(),
            key: port.info.clone(),
            doing: port.doing.clone(),
            since: now.saturating_sub(port.since),
            stranger: port.stranger,
            touch: port.touch,
            person: port.person.clone(),
            gone: port.gone,
        };
        Snapshot {
            mode: self.settings.mode,
            server: self.server.is_some(),
            stopping: self.stopping,
            lost: self.lost.clone(),
            ports: self.ports.iter().map(view).collect(),
            run: self.run_view(),
            unsettled: self.unsettled.clone(),
            orders: self.orders(),
            tally: self.tally,
        }
    }
}
