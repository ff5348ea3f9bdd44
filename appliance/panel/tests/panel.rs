//! The panel as a whole, with its threads, on hardware that is made up.
#![cfg(feature = "hardware")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use panel::hardware::{
    Breadboard, Bus, BusError, DisplayConfig, Edges, LampPins, Level, OpenBus, Panel, PanelConfig, PinError,
    Pins, Trouble,
};
use panel::{Frame, Glass, Language, Press, Progress, Scene, Station, View};

/// Far more than anything here takes; a test that waits so long has failed.
const TIMEOUT: Duration = Duration::from_secs(20);

fn config() -> PanelConfig {
    PanelConfig { display: Some(DisplayConfig::default()), ..PanelConfig::default() }
}

fn no_pins() -> Result<Box<dyn Pins>, PinError> {
    Err(PinError::NoPins("this machine has none".to_owned()))
}

fn off(restart: bool) -> View {
    View::ShuttingDown { restart }
}

fn picture(view: &View) -> Frame {
    Scene::new(view, Glass::Tall, Language::English, Duration::ZERO).frame()
}

/// Gives other threads their turns until `done` says so.
fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen");
        thread::yield_now();
    }
}

#[test]
fn a_view_is_on_the_glass_at_once() {
    let board = Breadboard::new(Glass::Tall, 0x3c);
    let (panel, _presses) = Panel::start(&config(), board.opener(0x3c), no_pins(), off(false));
    until("the first view", || board.picture() == picture(&off(false)));
    panel.show(off(true));
    let start = Instant::now();
    until("the next view", || board.picture() == picture(&off(true)));
    // The aim is 20 ms, which the benchmark measures; a busy machine gets much more.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(panel.frame(), board.picture());
    assert!(panel.status().is_some_and(|status| status.is_working()));
    assert_eq!(panel.scene().words(), ["Restarting", "Do not switch off"]);
}

#[test]
fn only_a_station_that_goes_off_leaves_its_last_words() {
    for (view, stays) in [(off(false), true), (View::Locked { reason: None }, false)] {
        let board = Breadboard::new(Glass::Tall, 0x3c);
        let (panel, _presses) = Panel::start(&config(), board.opener(0x3c), no_pins(), view);
        until("the view", || board.picture() != Frame::new(Glass::Tall));
        drop(panel);
        assert_eq!(board.picture() != Frame::new(Glass::Tall), stays);
    }
}

/// A bus on which a transfer ends when the test says so.
struct Hanging(Receiver<()>);

impl Bus for Hanging {
    fn write(&mut self, _: &[u8]) -> Result<(), BusError> {
        match self.0.recv_timeout(TIMEOUT) {
            Err(RecvTimeoutError::Timeout) => panic!("nobody let go of the bus"),
            _ => Err(BusError::Stuck),
        }
    }

    fn read(&mut self, _: u8) -> Option<u8> {
        None
    }
}

#[test]
fn a_bus_that_hangs_keeps_nobody_waiting() {
    let (let_go, hanging) = mpsc::channel();
    let mut hanging = Some(hanging);
    let open: OpenBus = Box::new(move || match hanging.take() {
        Some(hanging) => Ok(Box::new(Hanging(hanging))),
        None => Err(BusError::Stuck),
    });
    let pins = FakePins::default();
    let config = PanelConfig { lamp: Some(LampPins::One(17)), ..config() };
    let (panel, _presses) = Panel::start(&config, open, Ok(Box::new(pins.clone())), off(false));
    // If any of these waited for the bus, the test would never let go of it.
    for restart in [true, false, true] {
        panel.show(off(restart));
        assert_eq!(panel.frame(), picture(&off(restart)));
    }
    panel.show(View::Ready(Station::default()));
    until("the lamp goes on meanwhile", || pins.is_high(17));
    let_go.send(()).unwrap();
    until("the trouble is told", || {
        panel.status().is_some_and(|status| status.sentence() == Trouble::Stuck { bus: 1 }.to_string())
    });
}

/// Pins that remember what they were set to, and buttons that the test presses.
#[derive(Clone, Default)]
struct FakePins {
    levels: Arc<Mutex<Vec<(u8, bool)>>>,
    buttons: Arc<Mutex<Vec<Receiver<bool>>>>,
}

struct FakePin {
    pin: u8,
    levels: Arc<Mutex<Vec<(u8, bool)>>>,
}

struct FakeButton(Receiver<bool>);

impl FakePins {
    fn with_button() -> (Self, Sender<bool>) {
        let (press, contact) = mpsc::channel();
        let pins = Self::default();
        pins.buttons.lock().unwrap().push(contact);
        (pins, press)
    }

    fn is_high(&self, pin: u8) -> bool {
        self.levels.lock().unwrap().iter().rev().find(|(at, _)| *at == pin).is_some_and(|(_, high)| *high)
    }

    fn has_been(&self, pin: u8, high: bool) -> bool {
        self.levels.lock().unwrap().contains(&(pin, high))
    }
}

impl Pins for FakePins {
    fn output(&mut self, pin: u8, high: bool) -> Result<Box<dyn Level>, PinError> {
        if pin == 99 {
            return Err(PinError::Pin { pin, what: "there is no such line".to_owned() });
        }
        self.levels.lock().unwrap().push((pin, high));
        Ok(Box::new(FakePin { pin, levels: Arc::clone(&self.levels) }))
    }

    fn button(&mut self, pin: u8) -> Result<Box<dyn Edges>, PinError> {
        match self.buttons.lock().unwrap().pop() {
            Some(contact) => Ok(Box::new(FakeButton(contact))),
            None => Err(PinError::Pin { pin, what: "it is taken".to_owned() }),
        }
    }
}

impl Level for FakePin {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        self.levels.lock().unwrap().push((self.pin, high));
        Ok(())
    }
}

impl Edges for FakeButton {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<bool>, PinError> {
        match self.0.recv_timeout(timeout.unwrap_or(TIMEOUT)) {
            Ok(pressed) => Ok(Some(pressed)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PinError::NoPins("the test is over".to_owned())),
        }
    }
}

#[test]
fn a_lamp_shows_colours_and_can_be_active_low() {
    let pins = FakePins::default();
    let lamp = LampPins::Rgb { red: 1, green: 2, blue: 3 };
    let config =
        PanelConfig { lamp: Some(lamp), active_low: true, buzzer: Some(4), ..PanelConfig::default() };
    let board = Breadboard::new(Glass::Tall, 0x3c);
    let first = View::Ready(Station::default());
    let (panel, _presses) = Panel::start(&config, board.opener(0x3c), Ok(Box::new(pins.clone())), first);
    assert_eq!(panel.status(), None, "no display was asked for");
    until("green: its pin goes low", || pins.has_been(2, false));
    assert!(pins.is_high(1) && pins.is_high(3), "red and blue stay dark");
    panel.show(View::Touch { port: None, seconds_left: 15, attempt: Progress::new(1, 1), torn: 0 });
    until("the buzzer calls", || pins.has_been(4, true));
    until("yellow", || pins.has_been(1, false));
    until("the buzzer is silent again", || !pins.is_high(4));
    drop(panel);
    assert!([1, 2, 3].iter().all(|pin| pins.is_high(*pin)), "dark in the end");
}

#[test]
fn pins_that_cannot_be_used_are_told_and_the_rest_works() {
    let pins = FakePins::default();
    let config = PanelConfig {
        lamp: Some(LampPins::One(99)),
        buzzer: Some(4),
        button: Some(5),
        display: None,
        ..PanelConfig::default()
    };
    let board = Breadboard::new(Glass::Tall, 0x3c);
    let first = View::Done { port: None, serial: "UBOM1".into(), user: None };
    let (panel, _presses) = Panel::start(&config, board.opener(0x3c), Ok(Box::new(pins.clone())), first);
    let troubles: Vec<String> = panel.pin_troubles().iter().map(ToString::to_string).collect();
    assert_eq!(
        troubles,
        ["GPIO pin 99 cannot be used: there is no such line.", "GPIO pin 5 cannot be used: it is taken."]
    );
    until("the buzzer works", || pins.has_been(4, true));
    let (panel, _presses) = Panel::start(&config, board.opener(0x3c), no_pins(), off(false));
    assert_eq!(panel.pin_troubles().len(), 1);
}

#[test]
fn the_button_turns_the_page() {
    let (pins, button) = FakePins::with_button();
    let config = PanelConfig { button: Some(5), ..config() };
    let board = Breadboard::new(Glass::Tall, 0x3c);
    let station = Station { name: "enroll-1".into(), address: "192.0.2.7".into(), ..Station::default() };
    let (panel, presses) =
        Panel::start(&config, board.opener(0x3c), Ok(Box::new(pins)), View::Ready(station));
    assert_eq!(panel.scene().words().concat(), "Inserta key");
    button.send(true).unwrap();
    // Longer than a contact bounces: the press is reported when the level has lasted.
    assert_eq!(presses.recv_timeout(Duration::from_millis(40)), Err(RecvTimeoutError::Timeout));
    button.send(false).unwrap();
    assert_eq!(presses.recv_timeout(TIMEOUT), Ok(Press::Short));
    assert_eq!(panel.scene().words(), ["Address", "enroll-1", "192.0.2.7"]);
    button.send(true).unwrap();
    assert_eq!(presses.recv_timeout(TIMEOUT), Ok(Press::Long));
    assert_eq!(panel.scene().words(), ["Address", "enroll-1", "192.0.2.7"], "a long press turns no page");
}
