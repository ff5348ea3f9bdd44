//! A scheduler with a server, keys and fingers.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dispatch::clock::SystemClock;
use dispatch::event::{Event, What};
use dispatch::receipts::Receipts;
use dispatch::scheduler::{
    Doing, Hotplug, Scheduler, SchedulerEvent, SchedulerHandle, SchedulerParts, SchedulerSettings,
};
use dispatch::server::{PrivacyIdea, ServerPort};
use dispatch::store::Store;
use journal::receipts::Limits;
use keys::device::Firmware;
use privacyidea::transport::{Https, Trust};
use privacyidea::{Client, Credentials, SecretString};
use sim::key::{Finger, SimKey};
use station::engine::mode::{Fits, Mode, NamedProfile};
use station::engine::record::Actor;
use station::engine::run::{RunPlan, Target};
use station::profile::Profile;
use station::refusal::Code;
use tokio::sync::{broadcast, mpsc};
use twins::privacyidea::{ADMIN, Options, ServerTwin, front};

pub(crate) const FIRMWARE: Firmware = Firmware::new(5, 4, 3);

/// A server twin that listens, in this process.
pub(crate) struct Site {
    pub(crate) twin: Arc<Mutex<ServerTwin>>,
    pub(crate) front: front::Server,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let twin = Arc::new(Mutex::new(ServerTwin::new(Options { image_chars: 0, ..Options::default() })));
        let listener = front::listen(0).await.unwrap();
        let front = front::serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
        Self { twin, front }
    }

    pub(crate) fn port(&self) -> Arc<dyn ServerPort> {
        let url = format!("http://{}", self.front.address());
        let https = Https::builder(&url, Trust::system(), "test").allow_plain_http().build().unwrap();
        let (user, password) = ADMIN;
        let credentials = Credentials::password(user, SecretString::copy_of(password));
        Arc::new(PrivacyIdea::new(Client::new(https, credentials)))
    }

    /// The serials of all tokens that count.
    pub(crate) fn counting(&self) -> Vec<String> {
        let twin = self.twin.lock().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let serials = twin.tokens().map(|token| token.serial.clone());
        serials.filter(|serial| twin.counts(serial, now)).collect()
    }

    /// Whose a token is.
    pub(crate) fn owner(&self, serial: &str) -> String {
        let twin = self.twin.lock().unwrap();
        twin.token(serial).and_then(|token| token.user.clone()).unwrap_or_default()
    }

    pub(crate) fn tokens(&self) -> usize {
        self.twin.lock().unwrap().tokens().count()
    }
}

/// A scheduler with hands and fingers.
pub(crate) struct Room {
    pub(crate) scheduler: SchedulerHandle,
    pub(crate) hotplug: mpsc::Sender<Hotplug>,
    pub(crate) events: broadcast::Receiver<SchedulerEvent>,
    pub(crate) fingers: Vec<(String, Arc<Finger>)>,
}

pub(crate) fn settings(mode: Mode, profile: Profile) -> SchedulerSettings {
    SchedulerSettings {
        mode,
        profiles: vec![NamedProfile { name: "desk".to_owned(), fits: Fits::default(), profile }],
        ..SchedulerSettings::new("test")
    }
}

impl Room {
    pub(crate) fn new(
        server: Option<Arc<dyn ServerPort>>,
        settings: SchedulerSettings,
        state: &Path,
    ) -> Self {
        let clock = SystemClock::new();
        let (hotplug, news) = mpsc::channel(16);
        let store = Store::open(&state.join("journal.db")).unwrap();
        let receipts =
            Receipts::open_beside(&store, &state.join("receipts"), "test", Limits::default(), clock).unwrap();
        let scheduler = Scheduler::start(SchedulerParts {
            settings,
            server,
            store,
            clock,
            watcher: Arc::new(|_: Event| ()),
            receipts: Some(receipts),
            hotplug: news,
        });
        let events = scheduler.events();
        Self { scheduler, hotplug, events, fingers: Vec::new() }
    }

    pub(crate) async fn plug(&mut self, key: &SimKey, port: &str) {
        let (plugged, finger) = key.plug(port);
        self.fingers.push((port.to_owned(), Arc::new(finger)));
        self.hotplug.send(Hotplug::Arrived(plugged)).await.ok().unwrap();
    }

    pub(crate) async fn pull(&mut self, key: &SimKey, port: &str) {
        self.fingers.retain(|(known, _)| known != port);
        self.hotplug.send(Hotplug::Left { port: port.to_owned() }).await.ok().unwrap();
        key.pull().unwrap();
    }

    /// What is done in `port`, when it is the first that `wanted` takes. Keys are touched meanwhile.
    pub(crate) async fn until(&mut self, port: &str, wanted: impl Fn(&Doing) -> bool) -> Doing {
        loop {
            match self.events.recv().await.unwrap() {
                SchedulerEvent::Doing { port: at, doing } if at == port && wanted(&doing) => return doing,
                SchedulerEvent::Step(Event { port: at, what: What::TouchWanted { way, .. } }) => {
                    if let Some((_, finger)) = self.fingers.iter().find(|(known, _)| *known == at) {
                        let finger = Arc::clone(finger);
                        tokio::spawn(async move { finger.touch(way).await });
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn over(&mut self, port: &str) -> Doing {
        self.until(port, |doing| matches!(doing, Doing::Done(_) | Doing::Refused { .. })).await
    }
}

pub(crate) fn refused(doing: &Doing) -> Option<Code> {
    match doing {
        Doing::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    }
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

pub(crate) fn plan(name: &str, target: Target) -> RunPlan {
    RunPlan { name: name.to_owned(), target, profile: None, overwrite_confirmed: false, factory: false }
}
