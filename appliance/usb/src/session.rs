//! One key from its coming to its going, as the watch, the wire and the typist share it.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keys::device::Family;
use keys::identify::{UsbIds, Verdict, identify};

use crate::port::PortPath;
use crate::signals::Signals;
use crate::sysfs::{self, HidKind, Nodes};
use crate::wake::Wake;

/// What a boot keyboard sends: modifiers, a reserved byte, six usages (HID 1.11,
/// appendix B.1). It may be part of a secret.
pub type Keystroke = [u8; 8];

/// Who hears keystrokes; says whether it wants more. Must not block.
pub(crate) type Sink = Box<dyn FnMut(Keystroke) -> bool + Send>;

/// Which key, and what is known of it now.
pub(crate) struct Session {
    pub(crate) port: PortPath,
    pub(crate) address: u8,
    pub(crate) ids: UsbIds,
    pub(crate) sysfs: PathBuf,
    /// Wakes the key's own thread when something of the state is new.
    pub(crate) wake: Wake,
    /// Makes the watch look at its port again.
    signals: Arc<Signals>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What changes.
pub(crate) struct State {
    pub(crate) gone: bool,
    pub(crate) nodes: Nodes,
    /// The node for reports, once it has been opened for trial.
    pub(crate) ready: Option<String>,
    /// Why it could not be opened yet.
    pub(crate) obstacle: Option<String>,
    /// Whoever waited for the node has been told that there is none.
    pub(crate) given_up: bool,
    /// Who hears what is typed.
    pub(crate) sink: Option<Sink>,
}

impl Session {
    pub(crate) fn new(
        (port, address, ids): (PortPath, u8, UsbIds),
        nodes: Nodes,
        sysfs: PathBuf,
        signals: Arc<Signals>,
    ) -> std::io::Result<Arc<Self>> {
        let state = State { gone: false, nodes, ready: None, obstacle: None, given_up: false, sink: None };
        Ok(Arc::new(Self {
            port,
            address,
            ids,
            sysfs,
            wake: Wake::new()?,
            signals,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    /// Whether a HID interface of that kind carries this key's protocol.
    pub(crate) fn speaks_through(&self, kind: HidKind) -> bool {
        match identify(self.ids).map(|device| device.verdict) {
            Some(Verdict::Speaks(Family::YubiKeyOtp)) => kind == HidKind::Keyboard,
            Some(Verdict::Speaks(Family::Nitrokey3)) => kind == HidKind::Fido,
            // Early firmware of the Nitrokey Pro described a keyboard.
            Some(Verdict::Speaks(_)) => kind != HidKind::Fido,
            _ => false,
        }
    }

    /// Whether the station speaks this key's protocol at all.
    pub(crate) fn speaks(&self) -> bool {
        matches!(identify(self.ids).map(|device| device.verdict), Some(Verdict::Speaks(_)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done between two assignments.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes everybody.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
        self.wake.wake();
    }

    /// Wakes everybody who waits for a change, without one of the state.
    pub(crate) fn notify(&self) {
        // Taking the lock makes sure that nobody is between looking and waiting.
        drop(self.lock());
        self.changed.notify_all();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Ends it. What waits for the key hears so.
    pub(crate) fn end(&self) {
        self.change(|state| {
            state.gone = true;
            state.sink = None;
        });
    }

    /// Waits until `seen` finds something in the state, or until `deadline`.
    pub(crate) fn wait<T>(
        &self,
        deadline: Instant,
        mut seen: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = seen(&mut state) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The node for reports can be opened. Where nobody waits for it any more, the watch
    /// tells of the key anew.
    pub(crate) fn opens(&self, node: &str) {
        let mut late = false;
        self.change(|state| {
            state.ready = Some(node.to_owned());
            late = state.given_up;
        });
        if late {
            self.signals.late(self.port.clone());
        }
    }

    /// Something of the key failed: the watch looks whether it is there.
    pub(crate) fn suspect(&self) {
        self.signals.port(self.port.clone());
    }

    /// Whether the key is gone, asked because something of it failed. The kernel fails
    /// transfers of a pulled key a moment before it says that it was pulled, so this
    /// waits `within` for that.
    pub(crate) fn turns_out_gone(&self, within: Duration) -> bool {
        if self.is_gone() {
            return true;
        }
        self.suspect();
        let there = sysfs::is_there(&self.sysfs, &self.port, self.address);
        !there || self.wait(Instant::now() + within, |state| state.gone.then_some(())).is_some()
    }
}
