//! What the watch is told between two looks, and the thread that listens for it.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use crate::port::PortPath;
use crate::wake::Wake;

/// How long a source that failed is left alone before it is begun again: the first
/// time, and at most. There is no event that would say that USB works again.
pub(crate) const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Where hotplug events come from.
pub(crate) trait Source: Send {
    /// Listens, and signals, until [`Signals::stopped`]. An error says that it can no longer.
    fn listen(&mut self, signals: &Arc<Signals>) -> Result<(), String>;
}

/// What is new since the last time it was taken.
#[derive(Default)]
pub(crate) struct News {
    /// Where something came or went.
    pub(crate) ports: BTreeSet<PortPath>,
    /// Whose node came when nobody waited for it any more.
    pub(crate) late: BTreeSet<PortPath>,
    /// Everything has to be looked at.
    pub(crate) all: bool,
    /// What happened to the source: why it failed, or that it listens again.
    pub(crate) source: Vec<Result<(), String>>,
}

/// Collects signals until the watch takes them.
pub(crate) struct Signals {
    /// Wakes the watch.
    pub(crate) wake: Wake,
    inner: Mutex<Inner>,
    stop: Condvar,
}

#[derive(Default)]
struct Inner {
    news: News,
    stopped: bool,
    failed: bool,
    on_stop: Option<Box<dyn Fn() + Send>>,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { wake: Wake::new()?, inner: Mutex::default(), stop: Condvar::new() }))
    }

    /// Something happened on a port.
    pub(crate) fn port(&self, port: PortPath) {
        self.lock().news.ports.insert(port);
        self.wake.wake();
    }

    /// The key of a port can be spoken to, and has been taken for silent.
    pub(crate) fn late(&self, port: PortPath) {
        self.lock().news.late.insert(port);
        self.wake.wake();
    }

    /// The source listens from now on; whatever it missed is to be looked for.
    pub(crate) fn listening(&self) {
        let mut inner = self.lock();
        inner.news.all = true;
        if std::mem::take(&mut inner.failed) {
            inner.news.source.push(Ok(()));
        }
        drop(inner);
        self.wake.wake();
    }

    /// All that is new.
    pub(crate) fn take(&self) -> News {
        std::mem::take(&mut self.lock().news)
    }

    /// What ends the source's waiting.
    pub(crate) fn on_stop(&self, stop: Box<dyn Fn() + Send>) {
        self.lock().on_stop = Some(stop);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Ends the source.
    pub(crate) fn stop(&self) {
        let mut inner = self.lock();
        inner.stopped = true;
        if let Some(stop) = &inner.on_stop {
            stop();
        }
        drop(inner);
        self.stop.notify_all();
        self.wake.wake();
    }

    fn failed(&self, why: String) {
        let mut inner = self.lock();
        inner.failed = true;
        inner.on_stop = None;
        // Without a source, nodes that come and go still bring looks about.
        inner.news.all = true;
        inner.news.source.push(Err(why));
        drop(inner);
        self.wake.wake();
    }

    /// Waits, unless it is stopped.
    pub(crate) fn pause(&self, within: Duration) {
        let waiting = |inner: &mut Inner| !inner.stopped;
        drop(
            self.stop
                .wait_timeout_while(self.lock(), within, waiting)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread that listens, and begins again whenever the source fails.
pub(crate) fn start(
    signals: Arc<Signals>,
    mut source: Box<dyn Source>,
    (first, longest): (Duration, Duration),
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("usb events".to_owned()).spawn(move || {
        let mut pause = first;
        while !signals.stopped() {
            match source.listen(&signals) {
                Ok(()) => pause = first,
                Err(why) => {
                    signals.failed(why);
                    signals.pause(pause);
                    pause = longest.min(pause.saturating_mul(2));
                }
            }
        }
    })
}
