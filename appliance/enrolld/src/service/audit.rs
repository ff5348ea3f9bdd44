//! The audit: who asked for what, from where, with what result.
//!
//! *Deeds* change something, or take something out of the station that is not everybody's to see. They stand in
//! one chain of signed lines, as the receipts do ([`Book::Audit`]), and the answer to a deed waits until its line is
//! on the disk. One operator's flood of them is slowed, so that it pushes nothing out that others did before somebody
//! notices.
//!
//! *Looks* change nothing. They are kept in memory, so many of each operator, and are gone with the power.
//!
//! What a call was given is shown by [`control::interface::CallInfo::shown`], which leaves secrets and
//! people out.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use control::types::AuditEntry;
use control::{Method, Role};
use journal::receipts::{Kept, Limits, Log, ReceiptError, rows};
use station::papers::receipt::{Body, Book, Deed};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::credential::at;
use super::lock;
use dispatch::clock::SystemClock;
use dispatch::receipts::{note_head, open_beside, stamp, tell_head};
use dispatch::store::Store;

/// How large the chain may become: some 20 000 deeds.
const LIMITS: Limits = Limits { file: 1 << 20, files: 8 };

/// How many deeds are kept in memory.
const DEEDS: usize = 1000;

/// How many looks of one operator are kept, and of how many operators.
const LOOKS: usize = 200;
const LOOKING: usize = 64;

/// The longest text of an entry, in characters.
const LONGEST: usize = 500;

/// An operator may do so many deeds at once, and then one in each interval.
const DEEDS_AT_ONCE: u32 = 200;
const DEEDS_EACH: Duration = Duration::from_millis(200);

/// So many looks of an operator go to the log at once, and then one in each interval.
const LOOKS_AT_ONCE: u32 = 100;
const LOOKS_EACH: Duration = Duration::from_millis(500);

/// Whether a call is a deed.
pub(super) fn is_deed(method: Option<Method>, role: Role) -> bool {
    use Method::{
        AuditExport, AuditList, AuditVerify, ConfigCheck, ConfigDiff, ConfigShow, Logs, SealedList,
    };
    role > Role::Viewer
        && !matches!(
            method,
            Some(
                AuditExport
                    | AuditList
                    | AuditVerify
                    | ConfigCheck
                    | ConfigDiff
                    | ConfigShow
                    | Logs
                    | SealedList
                    | Method::ConfigToSign
                    | Method::ProfileImport
                    | Method::ReceiptsExport
                    | Method::Sessions
            )
        )
}

/// Takes entries.
pub(super) struct Audit {
    deeds: Arc<Mutex<VecDeque<Arc<AuditEntry>>>>,
    looks: Mutex<Looks>,
    paces: Mutex<BTreeMap<String, Pace>>,
    /// Where the chain is; `None` where it cannot be written.
    chain: Option<(mpsc::Sender<Job>, PathBuf)>,
}

/// A deed, and who waits until it is on the disk.
type Job = (AuditEntry, oneshot::Sender<()>);

impl Audit {
    /// An audit in `state`, which goes on where it was; without one, in memory only.
    pub(super) fn open(state: Option<&Path>, store: &Store, station: &str) -> Self {
        let deeds = Arc::new(Mutex::new(VecDeque::new()));
        let audit = |chain, deeds| Self { deeds, looks: Mutex::default(), paces: Mutex::default(), chain };
        let Some(state) = state else { return audit(None, deeds) };
        let directory = state.join("audit");
        let places = [directory.as_path(), &state.join("receipts")];
        let log = match open_beside(store, Book::Audit, places, station, LIMITS, SystemClock::new()) {
            Ok(log) => log,
            Err(error) => {
                tracing::error!("the audit is in memory and in the log only: {error}");
                return audit(None, deeds);
            }
        };
        tell_head(Book::Audit, log.head());
        let earlier = before(state, &directory, log.head().number).unwrap_or_default();
        lock(&deeds).extend(earlier.into_iter().map(Arc::new));
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (kept, store) = (Arc::clone(&deeds), store.clone());
        // Fails only when the machine has no more threads.
        let started = thread::Builder::new().name("audit".to_owned()).spawn(move || {
            let mut log = log;
            for (mut entry, written) in inbox {
                match write(&mut log, &store, &entry) {
                    Ok(number) => entry.number = i64::try_from(number).ok(),
                    Err(error) => tracing::error!("a deed is in memory and in the log only: {error}"),
                }
                keep(&kept, entry);
                // Whoever waited may be gone.
                let _ = written.send(());
            }
        });
        audit(started.ok().map(|_| (jobs, directory)), deeds)
    }

    /// Where the chain is.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.chain.as_ref().map(|(_, directory)| directory.as_path())
    }

    /// Waits until an operator may do the next deed.
    pub(super) async fn pace(&self, operator: &str) {
        let wait = {
            let mut paces = lock(&self.paces);
            let pace = paces.entry(operator.to_owned()).or_default();
            pace.take(Instant::now(), DEEDS_AT_ONCE, DEEDS_EACH)
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Notes a deed, and comes back when it is on the disk.
    pub(super) async fn deed(&self, entry: AuditEntry) {
        let entry = bounded(entry);
        told(&entry);
        let Some((chain, _)) = &self.chain else { return keep(&self.deeds, entry) };
        let (reply, written) = oneshot::channel();
        match chain.send((entry, reply)) {
            Ok(()) => drop(written.await),
            Err(mpsc::SendError((entry, _))) => keep(&self.deeds, entry),
        }
    }

    /// Notes a deed, and waits for nothing.
    pub(super) fn post(&self, entry: AuditEntry) {
        let entry = bounded(entry);
        told(&entry);
        let Some((chain, _)) = &self.chain else { return keep(&self.deeds, entry) };
        if let Err(mpsc::SendError((entry, _))) = chain.send((entry, oneshot::channel().0)) {
            keep(&self.deeds, entry);
        }
    }

    /// Notes that an operator looked at something, or was refused.
    pub(super) fn look(&self, entry: AuditEntry) {
        let operator = entry.operator.clone();
        lock(&self.looks).take(operator, bounded(entry));
    }

    /// Notes what somebody wanted whom nobody knows. They all share a place.
    pub(super) fn stranger(&self, entry: AuditEntry) {
        lock(&self.looks).take(String::new(), bounded(entry));
    }

    /// The newest entries, oldest first. Half of the places are for deeds, as long as there are so many; the other
    /// half is shared equally by those who looked.
    pub(super) fn newest(&self, count: usize) -> Vec<Arc<AuditEntry>> {
        let (deeds, looks) = (lock(&self.deeds), lock(&self.looks));
        let share = count / 2 / looks.rings.len().max(1);
        let (mut shown, mut rest) = (Vec::new(), Vec::new());
        let mut place = deeds.len();
        for ring in looks.rings.values() {
            let surplus = ring.kept.len().saturating_sub(share);
            for (index, entry) in ring.kept.iter().enumerate() {
                let to = if index < surplus { &mut rest } else { &mut shown };
                to.push((place, entry));
                place += 1;
            }
        }
        shown.extend(deeds.iter().enumerate().rev().take(count.saturating_sub(shown.len())));
        let order = |(place, entry): &(usize, &Arc<AuditEntry>)| (entry.at, *place);
        rest.sort_by_key(order);
        let left = count.saturating_sub(shown.len());
        shown.extend(rest.into_iter().rev().take(left));
        shown.sort_by_key(order);
        shown.into_iter().map(|(_, entry)| Arc::clone(entry)).collect()
    }
}

/// How fast somebody goes: the time at which all that was taken so far is due.
#[derive(Default)]
struct Pace(Option<Instant>);

impl Pace {
    /// Takes a turn, and says how long to wait for it.
    fn take(&mut self, now: Instant, at_once: u32, each: Duration) -> Duration {
        let due = self.0.map_or(now, |due| due.max(now)) + each;
        self.0 = Some(due);
        due.saturating_duration_since(now).saturating_sub(each * at_once)
    }

    /// Takes a turn only if there is no need to wait for it.
    fn take_now(&mut self, now: Instant, at_once: u32, each: Duration) -> bool {
        let due = self.0.map_or(now, |due| due.max(now)) + each;
        let may = due.saturating_duration_since(now) <= each * at_once;
        if may {
            self.0 = Some(due);
        }
        may
    }
}

/// The looks of one operator.
#[derive(Default)]
struct Ring {
    kept: VecDeque<Arc<AuditEntry>>,
    pace: Pace,
    /// How many did not go to the log since the last that did.
    silent: u64,
}

#[derive(Default)]
struct Looks {
    rings: BTreeMap<String, Ring>,
}

impl Looks {
    fn take(&mut self, operator: String, entry: AuditEntry) {
        if self.rings.len() >= LOOKING && !self.rings.contains_key(&operator) {
            let oldest = self.rings.iter().min_by_key(|(_, ring)| ring.kept.back().map(|entry| entry.at));
            if let Some(oldest) = oldest.map(|(operator, _)| operator.clone()) {
                self.rings.remove(&oldest);
            }
        }
        let ring = self.rings.entry(operator).or_default();
        if ring.pace.take_now(Instant::now(), LOOKS_AT_ONCE, LOOKS_EACH) {
            if ring.silent > 0 {
                tracing::info!(target: "audit", "{} looks of {} are not in this log", ring.silent, entry.operator);
                ring.silent = 0;
            }
            told(&entry);
        } else {
            ring.silent += 1;
        }
        ring.kept.push_back(Arc::new(entry));
        if ring.kept.len() > LOOKS {
            ring.kept.pop_front();
        }
    }
}

/// Puts a deed on the disk; gives back its number.
fn write(log: &mut Log, store: &Store, entry: &AuditEntry) -> Result<u64, ReceiptError> {
    let at = entry.at.as_millisecond();
    let deed = Deed {
        at: stamp(Duration::from_millis(u64::try_from(at).unwrap_or_default())),
        by: entry.operator.clone(),
        from: entry.address.clone(),
        session: entry.session.clone(),
        what: entry.what.clone(),
        result: entry.result.clone(),
        took_ms: u64::try_from(entry.took_ms).unwrap_or_default(),
    };
    let written = log.put(&Body::Deed(Box::new(deed)))?;
    note_head(store, Book::Audit, log);
    tell_head(Book::Audit, written);
    Ok(written.number)
}

fn keep(deeds: &Mutex<VecDeque<Arc<AuditEntry>>>, entry: AuditEntry) {
    let mut deeds = lock(deeds);
    deeds.push_back(Arc::new(entry));
    if deeds.len() > DEEDS {
        deeds.pop_front();
    }
}

/// Tells the log.
fn told(entry: &AuditEntry) {
    let AuditEntry { operator, address, what, result, took_ms, .. } = entry;
    tracing::info!(target: "audit", "{operator} from {address}: {what} [{result}, {took_ms} ms]");
}

/// No text of it longer than may be.
fn bounded(entry: AuditEntry) -> AuditEntry {
    let cut = |text: String, longest| match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    };
    AuditEntry {
        operator: cut(entry.operator, 100),
        address: cut(entry.address, 100),
        session: cut(entry.session, 100),
        what: cut(entry.what, LONGEST),
        result: cut(entry.result, LONGEST),
        ..entry
    }
}

/// What is there from before: the last lines of the chain, and those of versions that had none.
fn before(state: &Path, directory: &Path, head: u64) -> Result<VecDeque<AuditEntry>, ReceiptError> {
    let mut found = VecDeque::new();
    for name in ["audit.old.jsonl", "audit.jsonl"] {
        found.extend(unchained(&state.join(name)).unwrap_or_default());
    }
    for row in rows(Book::Audit, directory)?.from(head.saturating_sub(DEEDS as u64)) {
        let Kept { number, body: Body::Deed(deed), .. } = row? else { continue };
        found.push_back(AuditEntry {
            at: at(deed.at.unix()),
            operator: deed.by,
            address: deed.from,
            session: deed.session,
            what: deed.what,
            result: deed.result,
            took_ms: i64::try_from(deed.took_ms).unwrap_or(i64::MAX),
            number: i64::try_from(number).ok(),
        });
    }
    let surplus = found.len().saturating_sub(DEEDS);
    found.drain(..surplus);
    Ok(found)
}

fn unchained(file: &Path) -> io::Result<Vec<AuditEntry>> {
    // A line that a power cut tore is left out.
    let lines = BufReader::new(File::open(file)?).lines().map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).map(bounded).collect())
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
