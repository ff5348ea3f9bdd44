//! What the firmware and the world share: time, the finger, and who waits for what.
//!
//! The firmware runs in a thread of its own, and is either idle, or at work, or
//! waits for a touch. Whoever changes the world waits until it is not at work, so
//! that what it does depends on the order of events alone and on no clock.

use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use trussed::platform;
use trussed_core::types::consent::Level;

/// Shared by the firmware's thread and the twin.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// The key's time since it was plugged in.
    uptime: Duration,
    /// Grows with everything that the firmware should look at.
    events: u64,
    /// The newest that it looked at.
    seen: u64,
    /// Whether it is through with all events, or waits for a touch.
    rests: bool,
    /// Whether it waits for a touch.
    wants_touch: bool,
    finger: Option<Level>,
    /// The power is off: everything ends.
    off: bool,
}

impl World {
    /// Switches the power on.
    pub(crate) fn power_on(&self) {
        *self.lock() = State::default();
    }

    /// Changes something, and waits until the firmware has looked at it.
    pub(crate) fn pass(&self, by: Duration) {
        self.change(|state| state.uptime = state.uptime.saturating_add(by));
    }

    /// Puts a finger on the button; true when that was waited for.
    pub(crate) fn touch(&self, level: Level) -> bool {
        let mut wanted = false;
        self.change(|state| {
            wanted = state.wants_touch;
            state.finger = wanted.then_some(level);
        });
        wanted
    }

    /// Has the firmware look whether there is something to do.
    pub(crate) fn wake(&self) {
        self.change(|_| {});
    }

    /// Ends the firmware.
    pub(crate) fn power_off(&self) {
        let (_, bell) = &*self.0;
        self.lock().off = true;
        bell.notify_all();
    }

    pub(crate) fn is_off(&self) -> bool {
        self.lock().off
    }

    pub(crate) fn wants_touch(&self) -> bool {
        self.lock().wants_touch
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.lock().uptime
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let (_, bell) = &*self.0;
        let mut state = self.lock();
        change(&mut state);
        state.events += 1;
        state.rests = false;
        bell.notify_all();
        while !state.off && !state.rests {
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// On the firmware's side: waits for the next event; false when the power is off.
    pub(crate) fn await_event(&self) -> bool {
        let (_, bell) = &*self.0;
        let mut state = self.lock();
        loop {
            if state.off {
                return false;
            }
            if state.seen != state.events {
                state.seen = state.events;
                return true;
            }
            state.rests = true;
            bell.notify_all();
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The button and the lamp, as the firmware sees them.
pub(crate) struct Button(pub(crate) World);

impl platform::UserInterface for Button {
    /// Asked again and again while a touch is wanted.
    fn refresh(&mut self) {
        self.0.lock().wants_touch = true;
        self.0.await_event();
    }

    fn check_user_presence(&mut self) -> Level {
        let mut state = self.0.lock();
        match state.finger.take() {
            Some(level) => {
                state.wants_touch = false;
                level
            }
            None => Level::None,
        }
    }

    fn set_status(&mut self, _status: trussed::types::ui::Status) {
        self.0.lock().wants_touch = false;
    }

    fn uptime(&mut self) -> Duration {
        let state = self.0.lock();
        // Without power, every wait is over.
        if state.off { Duration::MAX } else { state.uptime }
    }
}
