//! The watch: tells of keys that come and go, and keeps what belongs to each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use keys::identify::UsbIds;

use crate::error::StartError;
use crate::libusb::Libusb;
use crate::nodes::NodeWatch;
use crate::opener::{HidOpener, Opener};
use crate::policy::Policy;
use crate::port::PortPath;
use crate::session::Session;
use crate::signals::{self, News, Signals, Source};
use crate::sysfs::{self, Device};
use crate::tracker::{Change, Tracker};
use crate::typist::{self, Typing};
use crate::wire::{HidWire, Limits};

/// Where the kernel shows its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `/sys`
    pub sysfs: PathBuf,
    /// `/dev`
    pub dev: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { sysfs: "/sys".into(), dev: "/dev".into() }
    }
}

/// What happens on the ports.
pub enum Event {
    /// A key was plugged in. It may not answer yet: its wire waits for that.
    Arrived(Arrived),
    /// What was on that port is gone, key or stranger. A key's wire fails before this
    /// is told, as soon as the key is gone.
    Left(PortPath),
    /// Something is plugged in that does not belong here.
    Stranger {
        port: PortPath,
        /// What, for a person: "a storage device (0781:5567)".
        what: String,
    },
    /// The kernel's events do not come any more; why. It is begun again by itself.
    Lost(String),
    /// They come again, and what happened meanwhile has been found.
    Found,
}

/// A key that was plugged in.
pub struct Arrived {
    pub port: PortPath,
    /// USB vendor and product.
    pub ids: UsbIds,
    /// bcdDevice; the firmware, with YubiKeys.
    pub bcd_device: u16,
    /// It was there a moment ago and was not told to have left: its contact bounced, it gave itself
    /// another product id, or its nodes came so late that it was taken for silent. The wire of
    /// before is of no use.
    pub again: bool,
    /// Its reports.
    pub wire: HidWire,
    pub typing: Typing,
}

/// Watches the ports until it is dropped.
pub struct Watcher {
    signals: Arc<Signals>,
    threads: Vec<JoinHandle<()>>,
}

impl Watcher {
    /// Starts. What is plugged in already is told first. `on` is called on the watch's
    /// thread, and holds all further events up as long as it takes.
    ///
    /// # Errors
    ///
    /// Only when the kernel has no thread or descriptor left. That there is no USB is no
    /// error: it is told as [`Event::Lost`], and may come yet.
    pub fn start(
        policy: Policy,
        places: Places,
        on: impl FnMut(Event) + Send + 'static,
    ) -> Result<Self, StartError> {
        let opener = Arc::new(HidOpener::default());
        let begin = Arc::clone(&opener);
        thread::Builder::new().name("hid begin".to_owned()).spawn(move || {
            if let Err(error) = begin.begin() {
                tracing::error!(%error, "HID devices cannot be opened");
            }
        })?;
        let parts =
            Parts { opener, source: Box::new(Libusb), again: signals::AGAIN, limits: Limits::default() };
        Self::with(policy, places, parts, Box::new(on))
    }

    fn with(policy: Policy, places: Places, parts: Parts, on: Listener) -> Result<Self, StartError> {
        let signals = Signals::new()?;
        let nodes = NodeWatch::new(&places.dev)?;
        let watch = Watch {
            signals: Arc::clone(&signals),
            opener: parts.opener,
            limits: parts.limits,
            known: BTreeMap::new(),
            tracker: Tracker::new(policy),
            sessions: BTreeMap::new(),
            begun: Instant::now(),
            places,
            on,
        };
        let events = signals::start(Arc::clone(&signals), parts.source, parts.again)?;
        // When this fails, the thread above ends with the process.
        let watch = thread::Builder::new().name("usb watch".to_owned()).spawn(move || watch.run(nodes))?;
        Ok(Self { signals, threads: vec![events, watch] })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.signals.stop();
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

type Listener = Box<dyn FnMut(Event) + Send>;

/// What is another in tests.
struct Parts {
    opener: Arc<dyn Opener>,
    source: Box<dyn Source>,
    again: (Duration, Duration),
    limits: Limits,
}

struct Watch {
    signals: Arc<Signals>,
    opener: Arc<dyn Opener>,
    limits: Limits,
    places: Places,
    /// sysfs as it was read last.
    known: BTreeMap<PortPath, Device>,
    tracker: Tracker,
    sessions: BTreeMap<PortPath, Arc<Session>>,
    begun: Instant,
    on: Listener,
}

impl Watch {
    fn run(mut self, mut nodes: NodeWatch) {
        self.look(News { all: true, ..News::default() });
        while !self.signals.stopped() {
            if let Err(error) = self.wait(&nodes) {
                // Nothing of the kernel's makes poll fail but a lack of memory.
                (self.on)(Event::Lost(format!("waiting for events: {error}")));
                self.signals.pause(signals::AGAIN.0);
            }
            self.signals.wake.heard();
            let mut news = self.signals.take();
            self.changed(&mut nodes, &mut news);
            for told in std::mem::take(&mut news.source) {
                (self.on)(told.map_or_else(Event::Lost, |()| Event::Found));
            }
            let late = std::mem::take(&mut news.late);
            self.look(news);
            for port in late {
                self.begin_anew(&port);
            }
        }
        for session in self.sessions.values() {
            session.end();
        }
    }

    fn wait(&self, nodes: &NodeWatch) -> io::Result<()> {
        let left = self.tracker.deadline().map(|until| until.saturating_sub(self.begun.elapsed()));
        // A moment more, so that the deadline has passed when it is looked at.
        let left = left.and_then(|left| Timespec::try_from(left + Duration::from_millis(1)).ok());
        let mut fds = [PollFd::new(&self.signals.wake, PollFlags::IN), PollFd::new(nodes, PollFlags::IN)];
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Which ports the changes of nodes are about. Their keys are woken to try again.
    fn changed(&mut self, nodes: &mut NodeWatch, news: &mut News) {
        let changes = nodes.read().or_else(|error| {
            (self.on)(Event::Lost(format!("inotify: {error}")));
            *nodes = NodeWatch::new(&self.places.dev)?;
            nodes.read()
        });
        let Ok(changes) = changes else {
            news.all = true;
            return;
        };
        news.all |= changes.unknown;
        for node in changes.nodes {
            let holds = |device: &Device| {
                let interfaces = &device.nodes.interfaces;
                interfaces.iter().any(|i| i.hidraw.as_ref() == Some(&node) || i.events.contains(&node))
            };
            let known = self.known.values().find(|device| holds(device)).map(|device| device.port.clone());
            let port = port_of(&self.places.sysfs, &node);
            news.all |= known.is_none() && port.is_none();
            for port in known.into_iter().chain(port) {
                if let Some(session) = self.sessions.get(&port) {
                    session.wake.wake();
                }
                news.ports.insert(port);
            }
        }
    }

    /// Reads sysfs, as far as something may be new there, and tells what is.
    fn look(&mut self, news: News) {
        let there: BTreeSet<PortPath> = sysfs::ports(&self.places.sysfs).into_iter().collect();
        self.known.retain(|port, _| there.contains(port));
        for port in there {
            if news.all || news.ports.contains(&port) || !self.known.contains_key(&port) {
                match sysfs::device(&self.places.sysfs, &port) {
                    Some(device) => self.known.insert(port, device),
                    None => self.known.remove(&port),
                };
            }
        }
        let seen = self.known.values().cloned().collect();
        for change in self.tracker.look(seen, self.begun.elapsed()) {
            self.tell(change);
        }
    }

    fn tell(&mut self, change: Change) {
        match change {
            Change::Came { device, again } => match self.begin(device, again) {
                Ok(arrived) => (self.on)(Event::Arrived(arrived)),
                Err(error) => (self.on)(Event::Lost(format!("a key was plugged in, but {error}"))),
            },
            Change::Nodes { port, nodes } => {
                if let Some(session) = self.sessions.get(&port) {
                    session.change(|state| state.nodes = nodes);
                }
            }
            Change::Gone { port } => {
                if let Some(session) = self.sessions.remove(&port) {
                    session.end();
                }
            }
            Change::Left { port } => (self.on)(Event::Left(port)),
            Change::Stranger { port, what } => (self.on)(Event::Stranger { port, what }),
        }
    }

    /// A key that was taken for silent opens now: it is told of as one that came back, unless it has left.
    /// It is the same session, which has its keyboard grabbed already.
    fn begin_anew(&mut self, port: &PortPath) {
        let (Some(device), Some(session)) = (self.known.get(port), self.sessions.get(port)) else { return };
        if std::mem::take(&mut session.lock().given_up) {
            let arrived = self.arrived(Arc::clone(session), device.bcd_device, true);
            (self.on)(Event::Arrived(arrived));
        }
    }

    fn begin(&mut self, device: Device, again: bool) -> io::Result<Arrived> {
        let Device { port, address, ids, bcd_device, nodes, .. } = device;
        let dev = self.places.dev.to_string_lossy().into_owned();
        let key = (port.clone(), address, ids);
        let session = Session::new(key, nodes, self.places.sysfs.clone(), Arc::clone(&self.signals))?;
        typist::start(Arc::clone(&session), dev)?;
        self.sessions.insert(port, Arc::clone(&session));
        Ok(self.arrived(session, bcd_device, again))
    }

    fn arrived(&self, session: Arc<Session>, bcd_device: u16, again: bool) -> Arrived {
        let (port, ids) = (session.port.clone(), session.ids);
        let dev = self.places.dev.to_string_lossy().into_owned();
        let wire = HidWire::new(Arc::clone(&session), Arc::clone(&self.opener), dev, self.limits);
        Arrived { port, ids, bcd_device, again, wire, typing: Typing { session } }
    }
}

/// The port of a node that is there, by where the kernel says that it belongs.
fn port_of(sysfs: &Path, node: &str) -> Option<PortPath> {
    let class = if node.starts_with("hidraw") { "hidraw" } else { "input" };
    let place = std::fs::canonicalize(sysfs.join("class").join(class).join(node)).ok()?;
    // .../usb1/1-1/1-1.3/1-1.3:1.0/0003:1050:0407.0004/hidraw/hidraw1
    let mut ports = place.iter().rev().filter_map(|part| part.to_str()?.parse::<PortPath>().ok());
    ports.next()
}

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
