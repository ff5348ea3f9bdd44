//! Recovery: at the start, at insertion, and again and again while the server is away.

use std::time::Duration;

use keys::device::KeySerial;
use rand::RngExt;
use station::engine::record::{Record, Remains, State};
use station::engine::recovery::Settled;
use station::refusal::{Code, Refusal};
use tokio::time::Instant;

use super::port::Work;
use super::task::Task;
use super::view::{Doing, SchedulerEvent, Unsettled};
use super::work;

/// How long after a failed recovery the next is tried: this, then twice as long each time, up to the other.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// The word of an ending that recovery settles (`Ending::word`).
const POSTPONED: &str = "postponed";

impl Task {
    /// Begins to put right what was unfinished when the station stopped.
    pub(super) async fn recover_all(&mut self) {
        let records = match self.store.unfinished().await {
            Ok(records) => records,
            Err(why) => return self.emit(SchedulerEvent::Storage(why)),
        };
        if let Err(why) = self.books(None).owed(None, None).await {
            self.emit(SchedulerEvent::Storage(why));
        }
        if let Err(why) = self.store.forget_pins_of_undone().await {
            tracing::warn!("PINs of tokens that are gone could not be removed: {why}");
        }
        for record in &records {
            let nobody = Refusal::new(Code::NoCredential, "");
            self.keep_unsettled(record.key, &record.token, nobody);
        }
        self.recover_unsettled();
    }

    /// Tries everything that is unsettled once more, if there is a server.
    pub(super) fn recover_unsettled(&mut self) {
        self.retry_at = None;
        if self.server.is_none() || self.stopping {
            return;
        }
        let mut serials: Vec<_> = self.unsettled.iter().map(|unsettled| unsettled.key).collect();
        serials.sort_unstable();
        serials.dedup();
        for serial in serials {
            self.settle(serial, None);
        }
    }

    /// Begins recovery of a key, unless something is done with it already.
    pub(super) fn settle(&mut self, serial: KeySerial, place: Option<(String, u64)>) -> bool {
        let insertion = place.as_ref().map_or(0, |(_, insertion)| *insertion);
        let Some(station) = self.station(insertion) else { return false };
        if !self.locked.insert(serial) {
            return false;
        }
        let handle = self.tasks.spawn(work::settle(station, self.books(None), serial));
        self.works.insert(handle.id(), Work::new(place, Some(serial)));
        true
    }

    /// Recovery of a key has ended.
    pub(super) async fn settled(&mut self, serial: Option<KeySerial>, results: Result<Vec<Settled>, String>) {
        let results = match results {
            Ok(results) => results,
            Err(why) => {
                self.emit(SchedulerEvent::Storage(why));
                return self.retry_later();
            }
        };
        if let Some(serial) = serial {
            self.unsettled.retain(|unsettled| unsettled.key != serial);
        }
        for Settled { record, left } in results {
            if let Some(refusal) = &left {
                self.keep_unsettled(record.key, &record.token, refusal.clone());
            }
            self.run_recovered(&record).await;
            if left.is_none() {
                self.show_settled(&record);
            }
            self.emit(SchedulerEvent::Settled { record: Box::new(record), left });
        }
        if self.unsettled.is_empty() {
            self.retries = 0;
        } else {
            self.retry_later();
        }
    }

    /// A key that is still plugged in shows what became of its enrollment, and not any more that it is postponed.
    fn show_settled(&mut self, record: &Record) {
        let shown = self.ports.iter().find_map(|(name, port)| match &port.doing {
            Doing::Refused { ending, refusal }
                if *ending == POSTPONED && port.serial() == Some(record.key) =>
            {
                Some((name.clone(), refusal.clone()))
            }
            _ => None,
        });
        let Some((name, refusal)) = shown else { return };
        let doing = match (record.state, record.remains) {
            (State::Done, _) => Doing::Done(record.token.clone()),
            (_, Remains::Nothing) => Doing::Refused { ending: "undone", refusal },
            _ => Doing::Refused { ending: "quarantined", refusal },
        };
        self.set_doing(&name, doing);
    }

    /// Notes that something is left to do for a key.
    pub(super) fn keep_unsettled(
        &mut self,
        key: KeySerial,
        token: &station::token::TokenSerial,
        refusal: Refusal,
    ) {
        self.unsettled.retain(|unsettled| unsettled.token != *token);
        self.unsettled.push(Unsettled { key, token: token.clone(), refusal });
    }

    /// Plans the next try, unless one is planned.
    pub(super) fn retry_later(&mut self) {
        if self.retry_at.is_some() {
            return;
        }
        let pause = FIRST_RETRY.saturating_mul(1 << self.retries.min(10)).min(LAST_RETRY);
        self.retries = self.retries.saturating_add(1);
        // A little longer for some stations than for others, so that they do not come back at once.
        let jitter = pause.mul_f64(rand::rng().random_range(0.0..0.25));
        self.retry_at = Some(Instant::now() + pause + jitter);
    }
}
