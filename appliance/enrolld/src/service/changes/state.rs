//! Which configuration is in force, which may become so, and which comes back.
//!
//! One value, so that these cannot contradict each other. What is in force is what is kept, except
//! while a trial runs; a trial that ends, however it does, leaves what is kept. What is kept is what the
//! disk says: it is written before it is remembered here. Time is an argument.

use std::time::Instant;

/// See the [module](self). `V` is a whole configuration.
pub(super) struct State<V> {
    /// What the disk says, and what is in force after a power cut.
    kept: V,
    /// What is in force instead until somebody confirms it.
    trial: Option<Trial<V>>,
    /// What was kept before, for a rollback.
    before: Option<V>,
    /// What nobody has committed.
    pending: Option<V>,
}

struct Trial<V> {
    version: V,
    ends: Instant,
}

/// What a rollback would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// Drop what is pending.
    Pending,
    /// End the trial.
    Trial,
    /// Keep again what was kept before.
    Kept,
}

impl<V: Clone + PartialEq> State<V> {
    pub(super) const fn new(kept: V) -> Self {
        Self { kept, trial: None, before: None, pending: None }
    }

    pub(super) fn in_force(&self) -> &V {
        self.trial.as_ref().map_or(&self.kept, |trial| &trial.version)
    }

    pub(super) const fn pending(&self) -> Option<&V> {
        self.pending.as_ref()
    }

    pub(super) const fn on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// What a rollback would do, and what would be in force then.
    pub(super) fn back(&self) -> Option<(Back, &V)> {
        if self.pending.is_some() {
            return Some((Back::Pending, self.in_force()));
        }
        match (&self.trial, &self.before) {
            (Some(_), _) => Some((Back::Trial, &self.kept)),
            (None, Some(before)) => Some((Back::Kept, before)),
            (None, None) => None,
        }
    }

    pub(super) fn propose(&mut self, version: Option<V>) {
        self.pending = version;
    }

    /// Brings what is pending into force until `ends`. What a trial before it would have left stays.
    pub(super) fn try_until(&mut self, version: V, ends: Instant) {
        self.trial = Some(Trial { version, ends });
        self.pending = None;
    }

    /// Brings a configuration into force for good, once `keep` has written it.
    pub(super) fn keep<E>(&mut self, version: V, keep: impl FnOnce(&V) -> Result<(), E>) -> Result<(), E> {
        keep(&version)?;
        if version != self.kept {
            self.before = Some(std::mem::replace(&mut self.kept, version));
        }
        (self.trial, self.pending) = (None, None);
        Ok(())
    }

    /// Keeps what is on trial; `None` when nothing is. What is pending stays so.
    pub(super) fn confirm<E>(&mut self, keep: impl FnOnce(&V) -> Result<(), E>) -> Option<Result<(), E>> {
        let version = self.trial.as_ref()?.version.clone();
        let pending = self.pending.take();
        let kept = self.keep(version, keep);
        self.pending = pending;
        Some(kept)
    }

    /// Takes back; what that was, or `None` when there is nothing.
    pub(super) fn take_back<E>(&mut self, keep: impl FnOnce(&V) -> Result<(), E>) -> Option<Result<Back, E>> {
        let (back, _) = self.back()?;
        match back {
            Back::Pending => self.pending = None,
            Back::Trial => self.trial = None,
            Back::Kept => {
                let before = self.before.clone()?;
                if let Err(error) = keep(&before) {
                    return Some(Err(error));
                }
                self.kept = before;
                self.before = None;
            }
        }
        Some(Ok(back))
    }

    /// Ends a trial whose time is over; whether there was one.
    pub(super) fn run_out(&mut self, now: Instant) -> bool {
        self.trial.take_if(|trial| trial.ends <= now).is_some()
    }
}
