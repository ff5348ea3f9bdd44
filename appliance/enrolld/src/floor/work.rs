//! What is done with one key, away from the floor's own task.

use keys::device::{Answer, KeyInfo, KeySerial, Operation};
use station::enrollment::Order;
use station::recovery::Settled;
use station::step::KeyFault;

use crate::bench::Key;
use crate::drive::{Cancel, Report, Station};
use crate::store::Store;

/// What a task comes back with.
pub(super) enum Finished {
    /// A key was looked at.
    Inspected {
        /// The key.
        key: Key,
        /// What it is.
        info: Result<KeyInfo, KeyFault>,
        /// Whether the journal has something unfinished of it.
        unfinished: bool,
    },
    /// Recovery of what is unfinished of a key has ended.
    Settled {
        /// What became of it; or why the journal could not be read.
        results: Result<Vec<Settled>, String>,
    },
    /// An enrollment has ended.
    Enrolled {
        /// The key.
        key: Key,
        /// How it ended.
        report: Box<Report>,
    },
}

/// Finds out what a key is.
pub(super) async fn inspect(mut key: Key, store: Store) -> Finished {
    let info = match key.operate(Operation::Inspect, |_| ()).await {
        Ok(Answer::Inspected(info)) => Ok(info),
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
pub(super) async fn settle(station: Station, serial: KeySerial) -> Finished {
    let results = match unfinished(&station.store, serial).await {
        Ok(records) if records.is_empty() => Ok(Vec::new()),
        Ok(records) => Ok(station.settle(records).await),
        Err(why) => Err(why),
    };
    Finished::Settled { results }
}

/// Enrolls a key.
pub(super) async fn enroll(station: Station, order: Order, mut key: Key, cancel: Cancel) -> Finished {
    let report = Box::new(station.enroll(order, &mut key, cancel).await);
    Finished::Enrolled { key, report }
}

async fn unfinished(store: &Store, serial: KeySerial) -> Result<Vec<station::record::Record>, String> {
    let mut records = store.recall(serial).await?;
    records.retain(|record| !record.state.is_final());
    Ok(records)
}
