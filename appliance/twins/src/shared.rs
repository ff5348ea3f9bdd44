//! A key twin as conversations use a key: a wire and a clock that several hands
//! hold at once.
//!
//! The conversation holds it as its [`Wire`] and as its [`Clock`], and whoever
//! plays the person at the desk holds a third, to touch the key or pull it out:
//!
//! ```
//! use keys::device::{Firmware, Operation};
//! use twins::shared::SharedKey;
//! use twins::yubikey::{Model, YubiKeyTwin};
//!
//! let key = SharedKey::new(YubiKeyTwin::new(Model::new(Firmware::new(5, 4, 3), 1)?, 1));
//! let mut conversation = keys::yubikey::start(0x0407, None, Operation::Inspect)?;
//! keys::wire::run(conversation.as_mut(), &mut key.clone(), &mut key.clone(), |_hint| {})?;
//! // Some milliseconds of the key's time have passed, and none of ours.
//! assert!(key.elapsed().as_millis() > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keys::conversation::Report;
use keys::wire::{Clock, Wire, WireFault};

use crate::key::{KeyTwin, TwinError};

/// How often a wait for a packet looks, in the key's time.
const LOOK: Duration = Duration::from_millis(5);

/// A twin under virtual time. Clones are the same key.
pub struct SharedKey<K> {
    shared: Arc<Mutex<Timed<K>>>,
}

struct Timed<K> {
    key: K,
    now: Duration,
}

impl<K> Clone for SharedKey<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: KeyTwin> SharedKey<K> {
    /// Takes a twin; its time begins at zero.
    pub fn new(key: K) -> Self {
        Self { shared: Arc::new(Mutex::new(Timed { key, now: Duration::ZERO })) }
    }

    /// Does something with the twin. Its time is to be advanced by
    /// [`SharedKey::pass`], not here.
    pub fn with<R>(&self, act: impl FnOnce(&mut K) -> R) -> R {
        act(&mut self.lock().key)
    }

    /// Lets time pass.
    pub fn pass(&self, by: Duration) -> Result<(), TwinError> {
        let mut timed = self.lock();
        timed.now = timed.now.saturating_add(by);
        timed.key.advance(by)
    }

    /// What a late answer takes.
    fn late(&self) -> Result<(), WireFault> {
        let late = self.with(|key| key.lateness());
        if late.is_zero() { Ok(()) } else { self.pass(late).map_err(fault) }
    }

    /// The time that has passed.
    pub fn elapsed(&self) -> Duration {
        self.lock().now
    }

    fn lock(&self) -> MutexGuard<'_, Timed<K>> {
        // A twin is whole between any two calls, also after one that panicked.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: KeyTwin> Wire for SharedKey<K> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        self.late()?;
        self.with(|key| key.set_feature(report)).map_err(fault)
    }

    fn feature(&mut self, length: usize) -> Result<Report, WireFault> {
        self.late()?;
        let bytes = self.with(KeyTwin::get_feature).map_err(fault)?;
        let report = Report::new(&bytes).filter(|_| bytes.len() == length);
        report.ok_or_else(|| WireFault::Failed(format!("a report of {} bytes", bytes.len())))
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault> {
        self.late()?;
        self.with(|key| key.out(packet)).map_err(fault)
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        let mut left = timeout;
        loop {
            if let Some(packet) = self.with(KeyTwin::input).map_err(fault)? {
                let report = Report::new(&packet);
                return report.map(Some).ok_or_else(|| WireFault::Failed("a packet too long".to_owned()));
            }
            if left.is_zero() {
                return Ok(None);
            }
            let step = left.min(LOOK);
            self.pass(step).map_err(fault)?;
            left -= step;
        }
    }
}

impl<K: KeyTwin> Clock for SharedKey<K> {
    fn now(&self) -> Duration {
        self.elapsed()
    }

    fn wait_until(&mut self, until: Duration) {
        let left = until.saturating_sub(self.elapsed());
        // Time passes for a key that is gone, too; what else fails shows in the next
        // transfer.
        let _ = self.pass(left);
    }
}

fn fault(error: TwinError) -> WireFault {
    match error {
        TwinError::Gone => WireFault::Gone,
        other => WireFault::Failed(other.to_string()),
    }
}
