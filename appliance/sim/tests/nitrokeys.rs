//! Nitrokeys that are not as the station would like them: the right refusal, the right
//! state of key and server, and the next key is none the worse for it.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use dispatch::clock::SystemClock;
use dispatch::driver::{Cancel, Station};
use dispatch::key_thread::Plugged;
use dispatch::server::ServerPort;
use dispatch::store::Store;
use keys::conversation::Report;
use keys::device::{Digits, Firmware, HashAlgorithm, Kind};
use keys::identify::{Verdict, known};
use keys::secret::Pin;
use keys::wire::{Wire, WireFault};
use sim::explore::check;
use sim::explore::flows::{self, order};
use sim::explore::key::Sort;
use sim::explore::transport::lock;
use sim::explore::world::{Beginning, World};
use station::engine::enrollment::{Ending, NewKeyPin, Order, Outcome};
use station::engine::record::{Remains, State};
use station::engine::server::{ServerAnswer, ServerCall, ServerFault};
use station::profile::{KeyPin, Profile};
use station::refusal::Code;
use twins::nitrokey_pro::{self, Product};
use twins::nitrokey3;
use zeroize::Zeroizing;

const OWN_PIN: &str = "their own PIN";

fn pros(minor: u8) -> World {
    let beginning = Beginning {
        keys: 2,
        sort: Sort::NitrokeyPro(Product::Pro),
        firmware: Firmware::new(0, minor, 0),
        ..Beginning::default()
    };
    World::new(&beginning).unwrap()
}

fn threes() -> World {
    let firmware = Firmware::new(1, 9, 0);
    World::new(&Beginning { keys: 2, sort: Sort::Nitrokey3, firmware, ..Beginning::default() }).unwrap()
}

fn pro_fault(world: &mut World, set: impl FnOnce(&mut nitrokey_pro::Faults)) {
    let mut faults = nitrokey_pro::Faults::default();
    set(&mut faults);
    world.keys[0].nitrokey_pro().unwrap().set_faults(faults);
}

fn three_fault(world: &mut World, set: impl FnOnce(&mut nitrokey3::Faults)) {
    let mut faults = nitrokey3::Faults::default();
    set(&mut faults);
    world.keys[0].nitrokey3().unwrap().set_faults(faults);
}

/// Nothing is left of the first key, and the second one is enrolled.
fn only_the_next_is_enrolled(world: &mut World, order: Order) {
    assert!(!world.keys[0].holds_ours());
    assert_eq!(lock(&world.shared).server.tokens().count(), 1, "the stranger's alone");
    next_is_enrolled(world, order);
}

fn next_is_enrolled(world: &mut World, order: Order) {
    let outcome = world.insert(1, order).unwrap();
    assert!(matches!(outcome.ending, Ending::Enrolled(_)), "{:?}", outcome.ending);
    check::settled(world).unwrap();
}

fn refused(outcome: &Outcome) -> Code {
    match &outcome.ending {
        Ending::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

fn pin(text: &str) -> Option<Arc<Pin>> {
    Some(Arc::new(Pin::new(Zeroizing::new(text.to_owned())).unwrap()))
}

fn with_pin(key_pin: KeyPin, given: Option<Arc<Pin>>) -> Order {
    Order { profile: Profile { key_pin, ..Profile::new(Kind::Hotp) }, key_pin: given, ..order() }
}

#[test]
fn a_changed_pin_costs_one_try_and_is_never_tried_again() {
    for minor in [7, 15] {
        let mut world = pros(minor);
        world.keys[0].set_pin(OWN_PIN, 3);
        // The token is there when the PIN turns out to be wrong; it is taken back.
        let outcome = world.insert(0, order()).unwrap();
        assert!(matches!(&outcome.ending, Ending::Undone(why) if why.code == Code::KeyPin), "{outcome:?}");
        assert_eq!(world.keys[0].tries(), 2);
        for _ in 0..3 {
            let outcome = world.insert(0, order()).unwrap();
            assert_eq!(refused(&outcome), Code::KeyPin);
            let text = outcome.ending.refusal().unwrap().to_string();
            assert!(text.contains("few tries left (2)"), "{text}");
            assert_eq!(world.keys[0].tries(), 2);
        }
        only_the_next_is_enrolled(&mut world, order());
        // Its owner enters it elsewhere, and gives it to the station.
        world.keys[0].set_pin(OWN_PIN, 3);
        let outcome = world.insert(0, with_pin(KeyPin::Asked, pin(OWN_PIN))).unwrap();
        assert!(matches!(outcome.ending, Ending::Enrolled(_)), "{:?}", outcome.ending);
    }
}

#[test]
fn a_blocked_pin_is_refused_before_anything_is_changed() {
    for tries in [0, 1, 2] {
        let mut world = pros(15);
        world.keys[0].set_pin("12345678", tries);
        let outcome = world.insert(0, order()).unwrap();
        assert_eq!(refused(&outcome), Code::KeyPin);
        assert_eq!(world.keys[0].tries(), tries);
        only_the_next_is_enrolled(&mut world, order());
    }
}

#[test]
fn a_pin_that_is_to_be_asked_for_and_was_not_given_is_not_guessed() {
    let mut world = pros(15);
    let outcome = world.insert(0, with_pin(KeyPin::Asked, None)).unwrap();
    assert_eq!(refused(&outcome), Code::KeyPin);
    assert_eq!(world.keys[0].tries(), 3);
    only_the_next_is_enrolled(&mut world, with_pin(KeyPin::Asked, pin("12345678")));
}

#[test]
fn one_pin_is_asked_once_and_opens_a_whole_batch() {
    let mut world = pros(15);
    for key in &mut world.keys {
        key.set_pin(OWN_PIN, 3);
    }
    let order = with_pin(KeyPin::Asked, pin(OWN_PIN));
    for key in 0..2 {
        assert!(flows::is_enrolled(&world.insert(key, order.clone()).unwrap()));
        assert_eq!(world.keys[key].tries(), 3);
    }
    check::settled(&world).unwrap();
}

#[test]
fn each_key_gets_a_pin_of_its_own_and_whoever_owns_it_has_it() {
    let mut world = pros(15);
    let mut pins = Vec::new();
    for key in 0..2 {
        let outcome = world.insert(key, with_pin(KeyPin::Random, None)).unwrap();
        assert!(flows::is_enrolled(&outcome), "{:?}", outcome.ending);
        let NewKeyPin::Changed(new) = &outcome.key_pin else { panic!("{:?}", outcome.key_pin) };
        assert!(world.keys[key].pin_is(new.expose()));
        assert!(!world.keys[key].pin_is("12345678"));
        assert_eq!(format!("{:?}", outcome.key_pin), "changed", "no PIN in a log");
        let handed = world.handed_over[key].admin_pin.as_ref().unwrap();
        assert_eq!(handed.expose(), new.expose());
        assert_eq!(world.handed_over[key].key.number, sim::explore::world::serial(key));
        pins.push(new.expose().to_owned());
    }
    assert_ne!(pins[0], pins[1]);
    check::settled(&world).unwrap();
}

#[test]
fn a_key_without_a_pin_for_slots_keeps_what_it_has() {
    let mut world = threes();
    let outcome = world.insert(0, with_pin(KeyPin::Random, None)).unwrap();
    assert!(flows::is_enrolled(&outcome));
    assert!(matches!(outcome.key_pin, NewKeyPin::None));
    assert!(world.handed_over.is_empty());
}

#[test]
fn a_slot_that_is_taken_is_refused_and_a_key_without_room_is_undone() {
    let mut world = pros(15);
    let places = [(Kind::Hotp, 3), (Kind::Totp, 15)];
    for (kind, count) in places {
        // What is in slot 2 is in every world.
        for slot in (0..count).filter(|slot| *slot != 2) {
            let place = nitrokey_pro::Place { kind, slot: keys::device::Slot(slot) };
            world.keys[0].nitrokey_pro().unwrap().occupy(place, b"somebody's");
        }
    }
    for kind in [Kind::Hotp, Kind::Totp] {
        let wanted = Order { profile: Profile::new(kind), ..order() };
        assert_eq!(refused(&world.insert(0, wanted).unwrap()), Code::SlotOccupied);
    }
    assert_eq!(world.keys[0].tries(), 3);
    assert!(flows::is_enrolled(&world.insert(1, order()).unwrap()));

    let mut world = threes();
    world.keys[0].nitrokey3().unwrap().fill();
    let before = world.keys[0].kept();
    let outcome = world.insert(0, order()).unwrap();
    assert!(matches!(&outcome.ending, Ending::Undone(why) if why.code == Code::KeyFull), "{outcome:?}");
    assert_eq!(world.keys[0].kept(), before);
    assert!(flows::is_enrolled(&world.insert(1, order()).unwrap()));
}

#[test]
fn a_busy_key_is_given_up_and_the_next_one_served() {
    let mut world = pros(15);
    pro_fault(&mut world, |faults| faults.stuck_busy = true);
    assert_eq!(refused(&world.insert(0, order()).unwrap()), Code::KeySilent);
    only_the_next_is_enrolled(&mut world, order());

    let mut world = threes();
    three_fault(&mut world, |faults| faults.busy = 1_000);
    assert_eq!(refused(&world.insert(0, order()).unwrap()), Code::KeySilent);
    only_the_next_is_enrolled(&mut world, order());
}

#[test]
fn a_silent_smart_card_is_named() {
    let mut world = pros(15);
    pro_fault(&mut world, |faults| faults.card_silent = true);
    let outcome = world.insert(0, order()).unwrap();
    assert_eq!(refused(&outcome), Code::KeySilent);
    assert!(outcome.ending.refusal().unwrap().to_string().contains("smart card"));
    only_the_next_is_enrolled(&mut world, order());
}

#[test]
fn a_key_pulled_out_at_any_report_is_taken_back_and_enrolled_when_it_comes_again() {
    let mut pulled_while_writing = 0;
    for reports in 0..60 {
        let mut world = pros(15);
        pro_fault(&mut world, |faults| {
            faults.pull_out_after_reports = Some(reports);
            // The card works for seconds, and it is pulled out meanwhile.
            faults.slow = Duration::from_millis(1_500);
            faults.commit_late = true;
        });
        let outcome = world.insert(0, order()).unwrap();
        match &outcome.ending {
            Ending::Enrolled(_) => break,
            Ending::Refused(why) => assert_eq!(why.code, Code::PulledEarly, "{reports}"),
            Ending::Undone(why) | Ending::Quarantined(why) => {
                assert_eq!(why.code, Code::PulledWhileWriting, "{reports}");
                pulled_while_writing += 1;
            }
            other => panic!("{reports}: {other:?}"),
        }
        assert_eq!(lock(&world.shared).server.tokens().count(), 1, "{reports}: the stranger's alone");
        assert_eq!(world.keys[0].tries(), 3, "{reports}");
        let last = world.disk.all().unwrap().into_iter().next_back();
        if let Some(record) = last {
            assert_eq!(record.state, State::Undone, "{reports}");
            assert!(record.remains != Remains::Nothing || !world.keys[0].holds_ours(), "{reports}");
        }
        world.keys[0].calm();
        world.replug(0);
        assert!(flows::is_enrolled(&world.insert(0, order()).unwrap()), "{reports}");
        next_is_enrolled(&mut world, order());
    }
    assert!(pulled_while_writing > 5);
}

#[test]
fn what_a_key_cannot_is_refused_before_anything_is_changed() {
    let sha256 = |seed_length| Profile {
        hash: HashAlgorithm::Sha256,
        seed_length,
        digits: Digits::Eight,
        ..Profile::new(Kind::Totp)
    };
    let mut world = pros(7);
    let outcome = world.insert(0, Order { profile: sha256(20), ..order() }).unwrap();
    assert_eq!(refused(&outcome), Code::FirmwareTooOld);
    let long = Profile { seed_length: 32, ..Profile::new(Kind::Hotp) };
    assert_eq!(refused(&world.insert(0, Order { profile: long, ..order() }).unwrap()), Code::NoSuchSlot);
    only_the_next_is_enrolled(&mut world, order());

    let mut world = threes();
    let outcome = world.insert(0, Order { profile: sha256(32), ..order() }).unwrap();
    assert!(flows::is_enrolled(&outcome), "{:?}", outcome.ending);
    let mut old = World::new(&Beginning {
        sort: Sort::Nitrokey3,
        firmware: Firmware::new(1, 6, 0),
        ..Beginning::default()
    })
    .unwrap();
    let outcome = old.insert(0, order()).unwrap();
    assert_eq!(refused(&outcome), Code::FirmwareTooOld);
    assert!(outcome.ending.refusal().unwrap().to_string().contains("update"));
    assert!(!old.keys[0].holds_ours());
}

/// A device that nobody may say anything to.
struct Untouched;

impl Wire for Untouched {
    fn set_feature(&mut self, _: &[u8]) -> Result<(), WireFault> {
        panic!("a report for a device that is no key of ours");
    }

    fn feature(&mut self, _: usize) -> Result<Report, WireFault> {
        panic!("a look at a device that is no key of ours");
    }

    fn output(&mut self, _: &[u8]) -> Result<(), WireFault> {
        panic!("a packet for a device that is no key of ours");
    }

    fn input(&mut self, _: Duration) -> Result<Option<Report>, WireFault> {
        panic!("a look at a device that is no key of ours");
    }
}

struct NoServer;

impl ServerPort for NoServer {
    fn ordered(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    fn call(
        &self,
        _: ServerCall,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
        panic!("the server is asked for a device that is no key of ours");
    }
}

#[tokio::test]
async fn what_is_no_key_for_the_station_is_refused_in_words_and_left_alone() {
    let station = Station {
        server: Arc::new(NoServer),
        store: Store::in_memory().unwrap(),
        clock: SystemClock::new(),
        watcher: Arc::new(|_| {}),
    };
    let mut seen = 0;
    for ((vendor, product), device) in known() {
        let (code, words) = match device.verdict {
            Verdict::Speaks(_) => continue,
            Verdict::Refused(why) => (Code::KeyUnknown, why),
            Verdict::SwitchedOff(what) => (Code::InterfaceDisabled, what),
        };
        let (_keystrokes, receiver) = tokio::sync::mpsc::channel(1);
        let plugged = Plugged {
            port: "1-1.2".to_owned(),
            vendor,
            product,
            wire: Box::new(Untouched),
            keystrokes: receiver,
        };
        let mut key = dispatch::key_thread::Key::start(plugged, station.clock);
        let report = station.enroll(order(), &mut key, Cancel::never()).await;
        let refusal = report.outcome.ending.refusal().unwrap();
        assert!(matches!(report.outcome.ending, Ending::Refused(_)), "{vendor:04x}:{product:04x}");
        assert_eq!(refusal.code, code, "{vendor:04x}:{product:04x}");
        assert!(refusal.detail.contains(words), "{vendor:04x}:{product:04x} {}", refusal.detail);
        seen += 1;
    }
    // Six of Nitrokey's, all its bootloaders, the old Crypto Stick, and YubiKeys without OTP.
    assert!(seen >= 20, "{seen}");
}
