//! What a flow says while it goes: who hears it, and what the scheduler makes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use super::task::Task;
use super::view::{Doing, SchedulerEvent, Touch};
use crate::event::{Event, Watcher, What};

/// How long a key that blinks waits for its touch (Nitrokey 3: 15 s).
const CONFIRM: Duration = Duration::from_secs(15);

/// Lets the outside watcher, the listeners and the scheduler hear each step.
#[derive(Clone)]
pub(super) struct Tee {
    pub(super) watcher: Arc<dyn Watcher>,
    pub(super) events: broadcast::Sender<SchedulerEvent>,
    pub(super) steps: mpsc::UnboundedSender<(u64, Event)>,
    /// Of which insertion: another key may be in the port before the first one's enrollment is taken back.
    pub(super) insertion: u64,
}

impl Watcher for Tee {
    fn saw(&self, event: Event) {
        if !matches!(event.what, What::Step(_) | What::Ended(_)) {
            // The scheduler may have ended; the flow that is left behind has nobody to tell.
            let _ = self.steps.send((self.insertion, event.clone()));
        }
        // Without listeners nobody hears it.
        let _ = self.events.send(SchedulerEvent::Step(event.clone()));
        self.watcher.saw(event);
    }
}

impl Task {
    /// A flow says how far it has come, and what it wants of the person at the desk.
    pub(super) fn stepped(&mut self, insertion: u64, event: Event) {
        let Some(port) = self.ports.get_mut(&event.port).filter(|port| port.insertion == insertion) else {
            return;
        };
        port.touch = match event.what {
            What::TouchWanted { within, attempt, attempts, torn, .. } => {
                Some(Touch { within, attempt, attempts, torn })
            }
            What::KeyWaits { waiting: true } => {
                Some(Touch { within: CONFIRM, attempt: 1, attempts: 1, torn: 0 })
            }
            _ => None,
        };
        let Doing::Working { .. } = &port.doing else { return };
        let mut doing = port.doing.clone();
        match (event.what, &mut doing) {
            (What::Entered(entered), Doing::Working { phase, .. }) => *phase = entered,
            (What::Enrolled(token), doing) => *doing = Doing::Enrolled(token),
            _ => return,
        }
        self.set_doing(&event.port, doing);
    }
}
