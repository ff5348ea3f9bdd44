//! One run over YubiKeys and Nitrokeys, all plugged in at once: each is enrolled, and the
//! one that cannot be is refused without disturbing the others.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use dispatch::clock::SystemClock;
use dispatch::event::{Event, What};
use dispatch::scheduler::{
    Doing, Hotplug, Scheduler, SchedulerEvent, SchedulerParts, SchedulerSettings, Secrets,
};
use dispatch::store::Store;
use keys::device::{Firmware, Kind, ProofWay};
use sim::args::{Args, Command};
use sim::key::{Finger, SimKey};
use station::engine::mode::{Fits, NamedProfile};
use station::engine::record::Actor;
use station::engine::run::{RunPlan, Target};
use station::profile::Profile;
use station::refusal::Code;
use tokio::sync::mpsc;
use twins::nitrokey_pro::{self, NitrokeyProTwin, Product};
use twins::nitrokey3::{self, SecretsTwin};

fn pro(product: Product, minor: u8, serial: u32, pin: Option<&str>) -> SimKey {
    let model = nitrokey_pro::Model::new(product, Firmware::new(0, minor, 0), serial).unwrap();
    let mut twin = NitrokeyProTwin::new(model, 1);
    if let Some(pin) = pin {
        twin.set_admin_pin(pin, 3);
    }
    SimKey::twin(format!("{product:?} {serial}"), model.usb_ids(), Box::new(twin))
}

fn three(serial: u32) -> SimKey {
    let model = nitrokey3::Model { serial, firmware: Some([1, 9, 0]), seed: 1 };
    let twin = Box::new(SecretsTwin::new(model));
    SimKey::twin(format!("Nitrokey 3 {serial}"), nitrokey3::Model::USB_IDS, twin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_enrolls_keys_of_every_kind_side_by_side() {
    let yubikey = |serial| SimKey::yubikey(Firmware::new(5, 4, 3), serial).unwrap();
    let keys = [
        yubikey(1_001),
        pro(Product::Pro, 15, 0x2001, None),
        three(0x3001),
        yubikey(1_002),
        pro(Product::Pro, 7, 0x2002, None),
        pro(Product::Pro, 15, 0x2bad, Some("their own PIN")),
        pro(Product::Storage, 57, 0x2003, None),
        three(0x3002),
        pro(Product::LibremKey, 10, 0x2004, None),
        yubikey(1_003),
    ];
    let Command::Enroll(args) = Args::parse_from(["station-sim", "enroll"]).command else { panic!() };
    let server = sim::server::open(&args.server).await.unwrap();
    let (hotplug, news) = mpsc::channel(64);
    let profile = Profile::new(Kind::Hotp);
    let scheduler = Scheduler::start(SchedulerParts {
        settings: SchedulerSettings {
            profiles: vec![NamedProfile { name: "desk".to_owned(), fits: Fits::default(), profile }],
            in_flight: 4,
            ..SchedulerSettings::new("mixed")
        },
        server: Some(Arc::clone(&server.port)),
        store: Store::in_memory().unwrap(),
        clock: SystemClock::new(),
        watcher: Arc::new(|_: Event| ()),
        receipts: None,
        hotplug: news,
    });
    let mut events = scheduler.events();
    let plan = RunPlan {
        name: "mixed".to_owned(),
        target: Target::Endless,
        profile: Some("desk".to_owned()),
        overwrite_confirmed: false,
        factory: false,
    };
    scheduler.run_start(plan, Secrets::default(), Actor::Operator("test".to_owned())).await.unwrap();

    let mut fingers: BTreeMap<String, Arc<Finger>> = BTreeMap::new();
    for (number, key) in keys.iter().enumerate() {
        let port = format!("1-1.{}", number + 1);
        let (plugged, finger) = key.plug(&port);
        fingers.insert(port, Arc::new(finger));
        assert!(hotplug.send(Hotplug::Arrived(plugged)).await.is_ok());
    }
    let mut done = BTreeMap::new();
    while done.len() < keys.len() {
        match events.recv().await.unwrap() {
            SchedulerEvent::Step(event) => {
                let way = match event.what {
                    What::TouchWanted { way, .. } => way,
                    What::KeyWaits { waiting: true } => ProofWay::Returned { touch: true },
                    _ => continue,
                };
                let finger = Arc::clone(&fingers[&event.port]);
                tokio::spawn(async move { finger.touch(way).await });
            }
            SchedulerEvent::Doing { port, doing: Doing::Done(token) } => {
                done.insert(port, Ok(token.to_string()));
            }
            SchedulerEvent::Doing {
                port,
                doing: Doing::Refused { refusal, .. } | Doing::Nothing(refusal),
            } => {
                done.insert(port, Err(refusal.code));
            }
            _ => {}
        }
    }
    scheduler.shutdown().await;

    let tokens: Vec<_> = done.values().filter_map(|end| end.as_ref().ok()).cloned().collect();
    assert_eq!(done["1-1.6"], Err(Code::KeyPin), "the key with a PIN of its own");
    assert_eq!(tokens.len(), keys.len() - 1, "{done:?}");
    for wanted in
        ["UBOM00001001_1", "NK00002001_1", "NK00003001_1", "NK00002002_1", "NK00002003_1", "NK00003002_1"]
    {
        assert!(tokens.iter().any(|token| token == wanted), "{wanted} {tokens:?}");
    }
    let embedded = server.embedded.unwrap();
    let twin = embedded.twin.lock().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(tokens.iter().all(|token| twin.counts(token, now)));
    assert_eq!(twin.tokens().count(), tokens.len(), "nothing is left of the key that was refused");
}
