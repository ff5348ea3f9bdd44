//! Receipts: what an enrollment was, from the engine's outcome or from the journal; and
//! the log on a thread of its own, since a write waits for the disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use journal::Journal;
use journal::receipts::{
    Broken, Checked, Entry, HEADER, Limits, Log, ReceiptError, Written, check, entries, row,
};
use station::engine::enrollment::Ending;
use station::engine::mode::vendor;
use station::engine::phone::NO_KEY;
use station::engine::record::{Record, Remains, State};
use station::papers::receipt::{Book, Bytes32, Durations, KeyFacts, ProfileFacts, ProofFacts, Receipt};
use station::papers::stamp::Stamp;
use station::refusal::Code;
use tokio::sync::{mpsc, oneshot};

use crate::clock::SystemClock;
use crate::driver::Report;
use crate::store::Store;

/// A time of this machine, in the zone it is set to.
pub fn stamp(unix: Duration) -> Stamp {
    let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
    let zone = jiff::Timestamp::from_second(seconds)
        .map_or(0, |instant| jiff::tz::TimeZone::system().to_offset(instant).seconds() / 60);
    Stamp::new(unix, i16::try_from(zone).unwrap_or(0))
}

/// What the scheduler knows of an enrollment beside its report.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The station's name.
    pub station: String,
    /// Where the key was.
    pub port: String,
    /// Who let it happen.
    pub by: String,
    /// The profile's name.
    pub profile: String,
    /// [`Profile::digest`](station::profile::Profile::digest).
    pub digest: Option<[u8; 32]>,
    /// The run's name.
    pub run: Option<String>,
}

/// The receipt of an enrollment that ended as reported.
pub fn of_report(setting: &Setting, report: &Report, at: Stamp) -> Receipt {
    let outcome = &report.outcome;
    let proof = match &outcome.ending {
        Ending::Enrolled(proof) => Some(ProofFacts {
            kind: proof.kind.word().to_owned(),
            counter: proof.counter,
            attempts: proof.attempts,
            verified_by_policy: proof.verified_by_policy,
        }),
        _ => None,
    };
    let key = outcome.key.as_ref();
    Receipt {
        at,
        enrollment: outcome.enrollment.to_string(),
        by: setting.by.clone(),
        station: setting.station.clone(),
        key: Some(KeyFacts {
            vendor: key.map(|key| vendor(key).to_owned()),
            model: key.map(|key| key.model.clone()),
            serial: key.and_then(|key| key.serial).map(|serial| serial.to_string()),
            firmware: key.map(|key| key.firmware.to_string()),
            port: setting.port.clone(),
        }),
        token: outcome.token.as_ref().map(ToString::to_string),
        profile: ProfileFacts { name: setting.profile.clone(), hash: setting.digest.map(Bytes32) },
        run: setting.run.clone(),
        proof,
        outcome: outcome.ending.word().to_owned(),
        code: outcome.ending.refusal().map(|refusal| refusal.code.to_string()),
        replaced: outcome.gone.as_ref().map(|gone| gone.token.to_string()),
        given_up: outcome.given_up.clone(),
        server: outcome.server.clone(),
        took: Some(Durations::of(report.steps.iter().map(|step| (step.phase.word(), step.took)))),
        recovered: false,
        clock_unknown: !crate::clock::is_known(),
    }
}

/// The receipt of an enrollment that was interrupted, from its final record. It knows less.
pub fn of_record(station: &str, record: &Record, at: Stamp) -> Receipt {
    let outcome = match (record.state, record.remains, record.reason) {
        (State::Done, ..) => "enrolled",
        (_, Remains::Nothing, Some(Code::Released)) => "released",
        (_, Remains::Nothing, _) => "undone",
        _ => "quarantined",
    };
    Receipt {
        at,
        enrollment: record.enrollment.to_string(),
        by: record.actor.to_string(),
        station: station.to_owned(),
        key: (record.key != NO_KEY).then(|| KeyFacts {
            vendor: None,
            model: None,
            serial: Some(record.key.to_string()),
            firmware: None,
            port: record.port.clone(),
        }),
        token: Some(record.token.to_string()),
        profile: ProfileFacts { name: record.profile.clone(), hash: None },
        run: None,
        proof: None,
        outcome: outcome.to_owned(),
        code: record.reason.filter(|_| record.state != State::Done).map(|code| code.to_string()),
        replaced: None,
        given_up: record.given_up.clone(),
        server: None,
        took: None,
        // A phone's are always written from the journal.
        recovered: record.key != NO_KEY,
        clock_unknown: !crate::clock::is_known(),
    }
}

/// Opens a log and compares it with what the journal knows; `directories` are the log's and the key's.
pub fn open_beside(
    store: &Store,
    book: Book,
    directories: [&Path; 2],
    station: &str,
    limits: Limits,
    clock: SystemClock,
) -> Result<Log, ReceiptError> {
    let [log, keys] = directories.map(Path::to_owned);
    let (station, at) = (station.to_owned(), stamp(clock.now().unix));
    let open =
        move |journal: &mut Journal| Log::open_beside(journal, book, [&log, &keys], &station, limits, at);
    store.wait(open).unwrap_or_else(|error| Err(ReceiptError::Io(std::io::Error::other(error))))
}

/// Lets the journal know where a log ends.
pub fn note_head(store: &Store, book: Book, log: &Log) {
    let (head, oldest) = (log.head(), log.oldest());
    let noted =
        store.wait(move |journal| journal.note_head(book, head, oldest).map_err(|error| error.to_string()));
    if let Err(error) = noted.and_then(|noted| noted) {
        tracing::warn!(target: "receipts", "the journal does not know that {} goes on: {error}", book.word());
    }
}

/// Tells the log, and with it a log server, where a log of the station ends.
pub fn tell_head(book: Book, head: Written) {
    tracing::info!(target: "receipts", "{}: record {} is written, its hash is {}", book.word(), head.number, head.hash);
}

type Work = Box<dyn FnOnce(&mut Log) + Send>;

/// In what form receipts are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The signed lines themselves, which others can check.
    Lines,
    /// A table with a header.
    Table,
}

/// A handle to the log. Copies share the thread; it ends with the last of them.
#[derive(Clone)]
pub struct Receipts {
    jobs: blocking::Sender<Work>,
    directory: PathBuf,
    clock: SystemClock,
    station: String,
    key: Bytes32,
}

impl Receipts {
    /// Opens the log in `directory`, or makes it, for the station of that name.
    pub fn open(
        directory: &Path,
        station: &str,
        limits: Limits,
        clock: SystemClock,
    ) -> Result<Self, ReceiptError> {
        let log = Log::open(directory, station, limits, stamp(clock.now().unix))?;
        Ok(Self::on_thread(log, directory, station, clock, None))
    }

    /// As [`Self::open`], beside a journal, which knows where the log ends. Before the first use it may wait for
    /// the disk.
    pub fn open_beside(
        store: &Store,
        directory: &Path,
        station: &str,
        limits: Limits,
        clock: SystemClock,
    ) -> Result<Self, ReceiptError> {
        let log = open_beside(store, Book::Receipts, [directory, directory], station, limits, clock)?;
        Ok(Self::on_thread(log, directory, station, clock, Some(store.clone())))
    }

    fn on_thread(
        mut log: Log,
        directory: &Path,
        station: &str,
        clock: SystemClock,
        store: Option<Store>,
    ) -> Self {
        let key = log.public_key();
        let (jobs, inbox) = blocking::channel::<Work>();
        tell_head(Book::Receipts, log.head());
        // Fails only when the machine has no more threads; then every job fails, with a clear error.
        let _ = thread::Builder::new().name("receipts".to_owned()).spawn(move || {
            for work in inbox {
                let (head, oldest) = (log.head(), log.oldest());
                work(&mut log);
                if log.head() != head {
                    tell_head(Book::Receipts, log.head());
                }
                // The journal learns of a receipt's line with the receipt's mark.
                if let Some(store) = store.as_ref().filter(|_| log.oldest() != oldest) {
                    note_head(store, Book::Receipts, &log);
                }
            }
        });
        Self { jobs, directory: directory.to_owned(), clock, station: station.to_owned(), key }
    }

    /// The public key that signs.
    pub fn public_key(&self) -> Bytes32 {
        self.key
    }

    /// The name of the station that signs.
    pub fn station(&self) -> &str {
        &self.station
    }

    /// Takes room for so many receipts; says why there is none.
    pub async fn ready(&self, receipts: u64) -> Result<(), String> {
        let at = self.now();
        self.ask(move |log| log.reserve(receipts, at)).await
    }

    /// Puts a receipt on the disk.
    pub async fn append(&self, receipt: Receipt) -> Result<Written, String> {
        self.ask(move |log| log.append(receipt)).await
    }

    /// The present time, as receipts tell it.
    pub fn now(&self) -> Stamp {
        stamp(self.clock.now().unix)
    }

    /// Checks the whole log.
    pub async fn check(&self) -> Result<Checked, Broken> {
        let directory = self.directory.clone();
        let result = tokio::task::spawn_blocking(move || check(&directory, None)).await;
        result.unwrap_or_else(|error| Err(Broken::Unreadable(ReceiptError::Io(std::io::Error::other(error)))))
    }

    /// The last receipts, oldest first, of those that `wanted` takes.
    pub async fn last(
        &self,
        count: usize,
        wanted: impl Fn(&Entry) -> bool + Send + 'static,
    ) -> Result<Vec<Entry>, String> {
        let directory = self.directory.clone();
        let read = move || {
            let mut last = std::collections::VecDeque::new();
            for entry in entries(&directory).map_err(words)? {
                let entry = entry.map_err(words)?;
                if wanted(&entry) {
                    last.push_back(entry);
                    if last.len() > count {
                        last.pop_front();
                    }
                }
            }
            Ok(last.into())
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
    }

    /// The newest receipt that somebody means: by its number, or by the name of its
    /// enrollment, of its token, or its key's serial.
    pub async fn find(&self, what: &str) -> Result<Option<Entry>, String> {
        let what = what.trim().to_ascii_lowercase();
        let wanted = move |entry: &Entry| {
            let is = |text: &str| text.eq_ignore_ascii_case(&what);
            let receipt = &entry.receipt;
            entry.number.to_string() == what
                || is(&receipt.enrollment)
                || receipt.token.as_deref().is_some_and(is)
                || receipt.key.as_ref().and_then(|key| key.serial.as_deref()).is_some_and(is)
        };
        Ok(self.last(1, wanted).await?.pop())
    }

    /// Every receipt, oldest first, piece by piece, line ends included.
    pub fn export(&self, form: Form) -> mpsc::Receiver<Result<String, String>> {
        let (sender, receiver) = mpsc::channel(64);
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || {
            let header = (form == Form::Table).then(|| Ok(HEADER.to_owned()));
            let piece = |entry: Result<Entry, ReceiptError>| {
                entry.map_err(words).map(|entry| match form {
                    Form::Lines => entry.line + "\n",
                    Form::Table => row(&entry),
                })
            };
            let pieces: Box<dyn Iterator<Item = _>> = match entries(&directory) {
                Ok(entries) => Box::new(header.into_iter().chain(entries.map(piece))),
                Err(error) => Box::new(std::iter::once(Err(words(error)))),
            };
            for piece in pieces {
                if sender.blocking_send(piece).is_err() {
                    // Whoever asked has gone.
                    return;
                }
            }
        });
        receiver
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, ReceiptError> + Send + 'static,
    ) -> Result<T, String> {
        let gone = || "the receipts' thread has ended".to_owned();
        let (reply, answer) = oneshot::channel();
        let work = Box::new(move |log: &mut Log| {
            // A reply that nobody waits for any more is not worth a word.
            let _ = reply.send(work(log).map_err(words));
        });
        self.jobs.send(work).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn words(error: ReceiptError) -> String {
    error.to_string()
}
