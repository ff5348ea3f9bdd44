//! The journal on a thread of its own, since a write waits for the disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use journal::{Journal, JournalError};
use keys::device::KeySerial;
use station::engine::record::{EnrollmentId, Record, State};
use station::engine::step::HandOver;
use tokio::sync::oneshot;

type Reply<T> = oneshot::Sender<Result<T, String>>;

enum Job {
    Write(Box<Record>, Reply<()>),
    Recall(KeySerial, Reply<Vec<Record>>),
    Unfinished(Reply<Vec<Record>>),
    With(Box<dyn FnOnce(&mut Journal) + Send>),
}

/// Whoever puts secrets into the hand-over file: encrypted, and on the disk when it says so.
pub trait HandOverPort: Send + Sync {
    /// Puts it there; says why not, in words without secrets.
    fn hand_over(&self, what: HandOver) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;

    /// The enrollments whose token's PIN is there.
    fn pins(&self) -> Pin<Box<dyn Future<Output = Result<Vec<EnrollmentId>, String>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Removes the PIN of the token of an enrollment, if it is there.
    fn forget_pin(&self, _: EnrollmentId) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A handle to the journal. Copies share the thread; it ends with the last of them.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    hand_over: Option<Arc<dyn HandOverPort>>,
    in_hand: Arc<Mutex<BTreeSet<EnrollmentId>>>,
}

/// An enrollment that somebody carries out, until this is dropped. Recovery leaves it alone.
pub struct InHand {
    enrollment: EnrollmentId,
    all: Arc<Mutex<BTreeSet<EnrollmentId>>>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.enrollment);
    }
}

impl Store {
    /// Takes an enrollment that no key's lock protects from recovery: a phone's.
    pub fn take_in_hand(&self, enrollment: EnrollmentId) -> InHand {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(enrollment);
        InHand { enrollment, all: Arc::clone(&self.in_hand) }
    }

    /// Whether somebody carries it out.
    pub fn is_in_hand(&self, enrollment: EnrollmentId) -> bool {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).contains(&enrollment)
    }

    /// With somebody who keeps what is to be handed over. Without, such an enrollment fails.
    #[must_use]
    pub fn with_hand_over(self, port: Arc<dyn HandOverPort>) -> Self {
        Self { hand_over: Some(port), ..self }
    }

    /// Puts a secret into the hand-over file.
    pub async fn hand_over(&self, what: HandOver) -> Result<(), String> {
        match &self.hand_over {
            Some(port) => port.hand_over(what).await,
            None => Err("this station has no place for sealed files".to_owned()),
        }
    }

    /// Opens the journal in the file `path`.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::on_thread(Journal::open(path)?))
    }

    /// A journal that is gone with the process.
    pub fn in_memory() -> Result<Self, JournalError> {
        Ok(Self::on_thread(Journal::in_memory()?))
    }

    fn on_thread(mut journal: Journal) -> Self {
        let (jobs, inbox) = mpsc::channel();
        // Fails only when the machine has no more threads; then every job fails, with a clear error.
        let _ = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            // A reply that nobody waits for any more is not worth a word.
            for job in inbox {
                match job {
                    Job::Write(record, reply) => drop(reply.send(journal.write(&record).map_err(words))),
                    Job::Recall(key, reply) => drop(reply.send(journal.recall(key).map_err(words))),
                    Job::Unfinished(reply) => drop(reply.send(journal.unfinished().map_err(words))),
                    Job::With(work) => work(&mut journal),
                }
            }
        });
        Self { jobs, hand_over: None, in_hand: Arc::default() }
    }

    /// Puts a record on the disk. With "undone", there is no token any more: its PIN goes before
    /// that, so that after a power cut recovery does both again.
    pub async fn write(&self, record: Box<Record>) -> Result<(), String> {
        if record.state == State::Undone {
            self.forget_pin(record.enrollment).await;
        }
        self.ask(|reply| Job::Write(record, reply)).await
    }

    /// Removes the PIN of a token that is gone from what was handed over. What cannot be removed
    /// now is at the next start, by [`Self::forget_pins_of_undone`].
    pub async fn forget_pin(&self, enrollment: EnrollmentId) {
        let Some(port) = &self.hand_over else { return };
        if let Err(why) = port.forget_pin(enrollment).await {
            tracing::warn!("the PIN of a token that is gone could not be removed: {why}");
        }
    }

    /// Removes the PINs of all tokens that were taken back, at the start.
    pub async fn forget_pins_of_undone(&self) -> Result<(), String> {
        let Some(port) = &self.hand_over else { return Ok(()) };
        let pins = port.pins().await?;
        if pins.is_empty() {
            return Ok(());
        }
        let undone = self.with(move |journal| {
            let mut undone = Vec::new();
            for enrollment in pins {
                if journal.state_of(enrollment)? == Some(State::Undone) {
                    undone.push(enrollment);
                }
            }
            Ok(undone)
        });
        for enrollment in undone.await? {
            self.forget_pin(enrollment).await;
        }
        Ok(())
    }

    /// The newest record of each enrollment of a key.
    pub async fn recall(&self, key: KeySerial) -> Result<Vec<Record>, String> {
        self.ask(|reply| Job::Recall(key, reply)).await
    }

    /// The newest record of each enrollment that is not final.
    pub async fn unfinished(&self) -> Result<Vec<Record>, String> {
        self.ask(Job::Unfinished).await
    }

    /// Does something else with the journal, on its thread.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, String> {
        self.ask(|reply: Reply<T>| {
            // A reply that nobody waits for any more is not worth a word.
            Job::With(Box::new(move |journal| drop(reply.send(work(journal).map_err(words)))))
        })
        .await
    }

    /// As [`Self::with`], for a thread that may wait.
    pub fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, String> {
        let gone = || "the journal's thread has ended".to_owned();
        let (reply, answer) = mpsc::sync_channel(1);
        // A reply that nobody waits for any more is not worth a word.
        let job = Job::With(Box::new(move |journal| drop(reply.send(work(journal)))));
        self.jobs.send(job).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, String> {
        let gone = || "the journal's thread has ended".to_owned();
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn words(error: JournalError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn what_is_in_hand_is_so_until_it_is_let_go() {
        let store = Store::in_memory().unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let [one, other] = [(); 2].map(|()| EnrollmentId::random(&mut rng));
        let held = store.clone().take_in_hand(one);
        assert!(store.is_in_hand(one) && !store.is_in_hand(other));
        drop(held);
        assert!(!store.is_in_hand(one));
    }
}
