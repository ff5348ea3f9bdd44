//! What is done with one key, away from the scheduler's own task.

use keys::device::{Answer, KeyInfo, KeySerial, Operation};
use station::engine::check::Forecast;
use station::engine::enrollment::{Ending, Order, Outcome};
use station::engine::key_order::KeyOrder;
use station::engine::record::{EnrollmentId, Record};
use station::engine::recovery::Settled;
use station::engine::server::ServerCall;
use station::engine::slots::Handled;
use station::engine::step::KeyFault;
use station::engine::verify::Verified;
use station::refusal::{Code, Refusal};

use crate::driver::{Cancel, Report, Station};
use crate::key_thread::Key;
use crate::random::kernel_random;
use crate::receipts::{Receipts, Setting, of_record, of_report};
use crate::store::Store;

/// What a task comes back with.
pub(super) enum Finished {
    /// A key was looked at.
    Inspected {
        key: Key,
        info: Result<Box<KeyInfo>, KeyFault>,
        /// Whether the journal has something unfinished of it.
        unfinished: bool,
    },
    /// Recovery of what is unfinished of a key has ended.
    Settled {
        /// What became of it; or why the journal could not be read.
        results: Result<Vec<Settled>, String>,
        /// Why receipts could not be written.
        storage: Option<String>,
    },
    /// An enrollment has ended.
    Enrolled {
        key: Key,
        /// How it ended.
        report: Box<Report>,
        /// What the key is now, when it is still there.
        info: Option<Box<KeyInfo>>,
        /// Why the receipt could not be written.
        storage: Option<String>,
    },
    /// A release has ended.
    Released {
        key: Key,
        /// How it ended.
        report: Box<Report>,
        /// What the key is now, when it is still there.
        info: Option<Box<KeyInfo>>,
        /// Why the receipt could not be written.
        storage: Option<String>,
    },
    /// Slots were exchanged, or one was emptied; or not.
    Handled {
        key: Key,
        /// What became of it.
        handled: Box<Handled>,
        /// What the key is now.
        info: Option<Box<KeyInfo>>,
    },
    /// A dry run has ended.
    Checked {
        key: Key,
        /// What an enrollment would come to.
        forecast: Box<Forecast>,
    },
    /// A verification has ended.
    Verified {
        key: Key,
        /// What it found.
        verified: Box<Verified>,
    },
}

/// Finds out what a key is.
pub(super) async fn inspect(mut key: Key, store: Store) -> Finished {
    let info = match key.operate(Operation::Inspect, |_| ()).await {
        Ok(Answer::Inspected(info)) => Ok(Box::new(info)),
        Ok(_) => Err(KeyFault::Unreachable("inspection was answered by something else".to_owned())),
        Err(fault) => Err(fault),
    };
    let serial = info.as_ref().ok().and_then(|info| info.serial);
    let unfinished = match serial {
        // A journal that cannot be read is reported by the enrollment.
        Some(serial) => !unfinished(&store, serial).await.unwrap_or_default().is_empty(),
        None => false,
    };
    Finished::Inspected { key, info, unfinished }
}

/// Puts right what is unfinished of a key. The key itself is not needed.
pub(super) async fn settle(station: Station, books: Books, serial: KeySerial) -> Finished {
    let results = match unfinished(&station.store, serial).await {
        Ok(records) if records.is_empty() => Ok(Vec::new()),
        Ok(records) => Ok(station.settle(records).await),
        Err(why) => Err(why),
    };
    let storage = books.owed(Some(serial), None).await.err();
    Finished::Settled { results, storage }
}

/// Enrolls a key.
pub(super) async fn enroll(
    station: Station,
    books: Books,
    order: Order,
    mut key: Key,
    info: KeyInfo,
    cancel: Cancel,
) -> Finished {
    let setting = Setting {
        station: order.station.clone(),
        port: order.port.clone(),
        by: order.actor.to_string(),
        profile: order.profile_name.clone(),
        digest: Some(order.profile.digest()),
        run: books.run.clone(),
    };
    if let Err(why) = books.ready().await {
        let report = refused(info, Refusal::new(Code::ReceiptsFailed, why.clone()));
        return Finished::Enrolled { key, report: Box::new(report), info: None, storage: Some(why) };
    }
    let report = Box::new(station.enroll(order, &mut key, cancel).await);
    let storage = match books.write(&setting, &report).await {
        Ok(Some(written)) => {
            if let (Ending::Enrolled(_), Some(token), true) =
                (&report.outcome.ending, &report.outcome.token, books.noted)
            {
                let notes = vec![("enrollment.receipt", written)];
                // A courtesy to people who look at the token, as the engine's own notes are.
                let _ = station.server.call(ServerCall::Note { serial: token.clone(), notes }).await;
            }
            None
        }
        Ok(None) => None,
        Err(why) => Some(why),
    };
    let info = changed(&mut key, &report).await;
    Finished::Enrolled { key, report, info, storage }
}

/// Takes back what was enrolled on a key.
pub(super) async fn release(
    station: Station,
    books: Books,
    key_order: KeyOrder,
    mut key: Key,
    info: KeyInfo,
    cancel: Cancel,
) -> Finished {
    if let Err(why) = books.ready().await {
        let report = refused(info, Refusal::new(Code::ReceiptsFailed, why.clone()));
        return Finished::Released { key, report: Box::new(report), info: None, storage: Some(why) };
    }
    let setting = Setting {
        station: key_order.station.clone(),
        port: key_order.port.clone(),
        by: key_order.actor.to_string(),
        profile: String::new(),
        digest: None,
        run: None,
    };
    let report = Box::new(station.release(key_order, &mut key, cancel).await);
    let storage = books.write(&setting, &report).await.err();
    let info = changed(&mut key, &report).await;
    Finished::Released { key, report, info, storage }
}

/// What a key is after its slots were changed.
pub(super) async fn again(key: &mut Key) -> Option<Box<KeyInfo>> {
    match key.operate(Operation::Inspect, |_| ()).await {
        Ok(Answer::Inspected(info)) => Some(Box::new(info)),
        _ => None,
    }
}

/// What a key is after something may have been written to it; `None` when nothing was, or when it is gone.
async fn changed(key: &mut Key, report: &Report) -> Option<Box<KeyInfo>> {
    match report.outcome.ending {
        Ending::Refused(_) => None,
        _ => again(key).await,
    }
}

/// Asks whether a key answers for its token.
pub(super) async fn verify(station: Station, key_order: KeyOrder, mut key: Key, cancel: Cancel) -> Finished {
    let verified = Box::new(station.verify(key_order, &mut key, cancel).await);
    Finished::Verified { key, verified }
}

async fn unfinished(store: &Store, serial: KeySerial) -> Result<Vec<Record>, String> {
    let mut records = store.recall(serial).await?;
    records.retain(|record| !record.state.is_final() && !store.is_in_hand(record.enrollment));
    Ok(records)
}

/// An enrollment that ended before the engine was asked.
fn refused(info: KeyInfo, refusal: Refusal) -> Report {
    let id = EnrollmentId::random(&mut kernel_random());
    let outcome = Outcome::refused(id, Some(info), refusal);
    Report { outcome, steps: Vec::new() }
}

/// The journal and the receipts, which are kept in step.
#[derive(Clone)]
pub(super) struct Books {
    pub(super) store: Store,
    pub(super) receipts: Option<Receipts>,
    /// The name of the run.
    pub(super) run: Option<String>,
    /// For how many receipts there has to be room.
    pub(super) room: u64,
    /// Whether the token at the server names its receipt.
    pub(super) noted: bool,
}

impl Books {
    /// Whether a receipt could be written at the end.
    async fn ready(&self) -> Result<(), String> {
        match &self.receipts {
            Some(receipts) => receipts.ready(self.room).await,
            None => Ok(()),
        }
    }

    /// Writes the receipt of an enrollment, and those of others of the same key that it
    /// brought to their end; gives back the hash of its own.
    async fn write(&self, setting: &Setting, report: &Report) -> Result<Option<String>, String> {
        let Some(receipts) = &self.receipts else { return Ok(None) };
        let id = report.outcome.enrollment;
        let serial = report.outcome.key.as_ref().and_then(|key| key.serial);
        if let Some(serial) = serial {
            self.owed(Some(serial), Some(id)).await?;
        }
        let mut receipt = of_report(setting, report, receipts.now());
        if receipt.profile.name.is_empty() {
            // What was released knows its profile.
            let records = match serial {
                Some(serial) => self.store.recall(serial).await?,
                None => Vec::new(),
            };
            if let Some(record) = records.into_iter().find(|record| record.enrollment == id) {
                receipt.profile.name = record.profile;
            }
        }
        let written = receipts.append(receipt).await?;
        let mark = format!("{}:{}", written.number, written.hash);
        self.store.with(move |journal| journal.receipted(id, &mark)).await?;
        Ok(Some(written.hash.to_string()))
    }

    /// Writes the receipts that are owed for enrollments that are final: of a key, or of
    /// all; but not the one of `except`.
    pub(super) async fn owed(
        &self,
        serial: Option<KeySerial>,
        except: Option<EnrollmentId>,
    ) -> Result<(), String> {
        let Some(receipts) = &self.receipts else { return Ok(()) };
        let records = self.store.with(move |journal| journal.owed(serial)).await?;
        for record in records.into_iter().filter(|record| Some(record.enrollment) != except) {
            let receipt = of_record(receipts.station(), &record, receipts.now());
            // The power may have gone between receipt and journal.
            let (name, outcome) = (receipt.enrollment.clone(), receipt.outcome.clone());
            let same = receipts
                .last(1, move |entry| entry.receipt.enrollment == name)
                .await?
                .pop()
                .filter(|entry| entry.receipt.outcome == outcome);
            let mark = match same {
                Some(entry) => format!("{}:{}", entry.number, entry.hash),
                None => {
                    let written = receipts.append(receipt).await?;
                    format!("{}:{}", written.number, written.hash)
                }
            };
            let id = record.enrollment;
            self.store.with(move |journal| journal.receipted(id, &mark)).await?;
        }
        Ok(())
    }
}
