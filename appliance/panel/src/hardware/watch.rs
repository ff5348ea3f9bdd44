//! One value that one thread sets and another waits for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The latest value; earlier ones that nobody looked at are forgotten.
pub(super) struct Watch<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

struct Slot<T> {
    value: T,
    version: u64,
    closed: bool,
}

/// What a wait ended with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News<T> {
    /// A value that is newer than the version given, and its version.
    Value(T, u64),
    /// The deadline came first.
    Deadline,
    /// There will be no more.
    Closed,
}

impl<T: Clone> Watch<T> {
    pub(super) fn new(value: T) -> Self {
        Self { slot: Mutex::new(Slot { value, version: 1, closed: false }), changed: Condvar::new() }
    }

    /// Changes the value in place and wakes whoever waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut T)) {
        let mut slot = self.lock();
        change(&mut slot.value);
        slot.version = slot.version.wrapping_add(1);
        self.changed.notify_all();
    }

    pub(super) fn get(&self) -> T {
        self.lock().value.clone()
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a value newer than `version`, at most until `deadline`.
    pub(super) fn wait(&self, version: u64, deadline: Option<Instant>) -> News<T> {
        let mut slot = self.lock();
        loop {
            if slot.closed {
                return News::Closed;
            }
            if slot.version != version {
                return News::Value(slot.value.clone(), slot.version);
            }
            slot = match deadline.map(|deadline| deadline.checked_duration_since(Instant::now())) {
                Some(Some(left)) if !left.is_zero() => {
                    self.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => return News::Deadline,
                None => self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// A panic elsewhere does not make the value worse: it is replaced whole.
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_value_counts() {
        let watch = Watch::new(1);
        let News::Value(1, first) = watch.wait(0, None) else { panic!("the first value is news") };
        assert_eq!(watch.wait(first, Some(Instant::now())), News::Deadline);
        watch.change(|value| *value = 2);
        watch.change(|value| *value = 3);
        assert!(matches!(watch.wait(first, None), News::Value(3, _)));
        assert_eq!(watch.get(), 3);
        watch.close();
        assert_eq!(watch.wait(0, None), News::Closed);
    }
}
