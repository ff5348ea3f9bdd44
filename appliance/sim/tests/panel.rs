//! Display, lamp and button of a whole station: what goes wrong with them is told, mends itself,
//! and keeps no key from being enrolled.

#![cfg(test)]

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use control::sim::TouchKey;
use control::types::*;
use control::{Client, Incoming};
use enrolld::service::Ring;
use panel::hardware::{Edges, Level, PinError, Pins};
use sim::args::{Args, Command};
use sim::whole::Simulation;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const NOBODY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ";

async fn started(
    directory: &Path,
    more: &str,
    pins: Result<Box<dyn Pins>, PinError>,
) -> (Simulation, Client) {
    let operator = directory.join("op.pub");
    std::fs::write(&operator, NOBODY).unwrap();
    let house = directory.join("house").display().to_string();
    let operator = operator.display().to_string();
    let words = ["station-sim", "station", "--keys", "1", "--directory", &house, "--operator-key", &operator];
    let Command::Station(mut station) = Args::parse_from(words).command else { panic!("not a station") };
    station.more = more.to_owned();
    let simulation = Simulation::wired(&station, Ring::new(), pins).await.unwrap();
    let client = Client::local(&simulation.control());
    (simulation, client)
}

fn no_pins() -> Result<Box<dyn Pins>, PinError> {
    Err(PinError::NoPins("there are none here".to_owned()))
}

/// Waits for what no event tells.
async fn until(what: &str, mut good: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !good().await {
        assert!(begun.elapsed() < TIMEOUT, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How the display is, once its text holds these words.
async fn display(client: &Client, words: &str) -> Part {
    let mut part = client.status().await.unwrap().display;
    until(words, async || {
        part = client.status().await.unwrap().display;
        part.text.contains(words)
    })
    .await;
    part
}

/// Whether the glass shows what the station means to show.
async fn shows(simulation: &Simulation, client: &Client) -> bool {
    let told = client.panel().await.unwrap();
    let mut pixels = Vec::new();
    for row in simulation.board.picture().rows() {
        let row: Vec<bool> = row.collect();
        pixels.extend(
            row.chunks(8).map(|eight| eight.iter().fold(0_u8, |byte, lit| byte << 1 | u8::from(*lit))),
        );
    }
    told.pixels == STANDARD.encode(pixels)
}

async fn enroll(client: &Client, profile: &str) -> Incoming<Event> {
    client.enroll(&Enroll { profile: Some(profile.to_owned()), ..Enroll::default() }).await.unwrap()
}

/// The next event of this kind.
async fn next(events: &mut Incoming<Event>, kind: EventKind) -> Event {
    loop {
        let event = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap().unwrap().unwrap();
        if event.kind == kind {
            return event;
        }
    }
}

/// Enrolls the only key, or takes its token back, while the display is as it is.
async fn works(client: &Client, profile: &str) {
    let mut events = enroll(client, profile).await;
    let touch = next(&mut events, EventKind::Touch).await.touch.unwrap();
    client.sim_touch(&TouchKey { key: None, long: touch.finger == Finger::Long }).await.unwrap();
    let outcome = next(&mut events, EventKind::Outcome).await.outcome.unwrap();
    assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_display_that_is_gone_or_stuck_is_told_and_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), "", no_pins()).await;
    let part = display(&client, "The display works.").await;
    assert_eq!((part.health, part.remedy), (Health::Good, None));
    until("the picture on the glass", async || shows(&simulation, &client).await).await;

    simulation.board.unplug();
    let part = display(&client, "No display answers at 0x3c on I2C bus 1.").await;
    assert_eq!(part.health, Health::Bad);
    assert!(part.remedy.as_deref().unwrap_or_default().contains("four wires"), "{part:?}");
    works(&client, "hotp6").await;
    assert_eq!(client.status().await.unwrap().display.health, Health::Bad);

    // Plugged in again it is found, set up and written.
    simulation.board.plug();
    display(&client, "The display works.").await;
    until("the picture on the glass", async || shows(&simulation, &client).await).await;

    simulation.board.hold(true);
    let part = display(&client, "a line is held low").await;
    assert!(part.remedy.as_deref().unwrap_or_default().contains("Unplug the display"), "{part:?}");
    works(&client, "hotp8").await;
    simulation.board.hold(false);
    display(&client, "The display works.").await;
    until("the picture on the glass", async || shows(&simulation, &client).await).await;
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_address_is_named_with_the_right_one() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), "[panel]\ni2c-address = 0x3d\n", no_pins()).await;
    let part = display(&client, "something answers at 0x3c").await;
    assert_eq!(part.health, Health::Bad);
    assert_eq!(part.remedy.as_deref(), Some("Set panel.i2c-address to 0x3c."));
    works(&client, "hotp6").await;
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_display_says_whose_token_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), "", no_pins()).await;
    let person = Some("alice@office".to_owned());
    let wanted = Enroll { profile: Some("hotp6".to_owned()), person, ..Enroll::default() };
    let mut events = client.enroll(&wanted).await.unwrap();
    next(&mut events, EventKind::Touch).await;
    client.sim_touch(&TouchKey::default()).await.unwrap();
    next(&mut events, EventKind::Outcome).await;
    until("the owner's name", async || {
        client.panel().await.unwrap().words.iter().any(|word| word.contains("alice"))
    })
    .await;
    simulation.stop().await.unwrap();
}

/// What pins were set to, one after the other.
type Levels = Arc<Mutex<Vec<(u8, bool)>>>;

/// Pins that remember what they were set to, and a button that the test presses.
struct Board {
    levels: Levels,
    contact: Option<Receiver<bool>>,
}

struct Pin(u8, Levels);

struct Contact(Receiver<bool>);

impl Board {
    fn new() -> (Self, Sender<bool>, Levels) {
        let (button, contact) = mpsc::channel();
        let levels = Levels::default();
        (Self { levels: Arc::clone(&levels), contact: Some(contact) }, button, levels)
    }
}

impl Pins for Board {
    fn output(&mut self, pin: u8, high: bool) -> Result<Box<dyn Level>, PinError> {
        self.levels.lock().unwrap().push((pin, high));
        Ok(Box::new(Pin(pin, Arc::clone(&self.levels))))
    }

    fn button(&mut self, pin: u8) -> Result<Box<dyn Edges>, PinError> {
        let taken = || PinError::Pin { pin, what: "it is taken".to_owned() };
        Ok(Box::new(Contact(self.contact.take().ok_or_else(taken)?)))
    }
}

impl Level for Pin {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        self.1.lock().unwrap().push((self.0, high));
        Ok(())
    }
}

impl Edges for Contact {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<bool>, PinError> {
        match self.0.recv_timeout(timeout.unwrap_or(TIMEOUT)) {
            Ok(pressed) => Ok(Some(pressed)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PinError::NoPins("the test is over".to_owned())),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lamp_and_buzzer_call_for_a_finger_and_the_button_calls_it_off() {
    let directory = tempfile::tempdir().unwrap();
    let (board, button, levels) = Board::new();
    let config = "[panel]\nlamp = [17, 27, 22]\nbuzzer = 23\nbutton = 24\n";
    let (simulation, client) = started(directory.path(), config, Ok(Box::new(board))).await;
    let been = |pin, high| levels.lock().unwrap().contains(&(pin, high));
    until("ready is green", async || been(27, true)).await;
    assert!(!been(23, true), "nobody calls yet");
    let mut events = enroll(&client, "hotp6").await;
    next(&mut events, EventKind::Touch).await;
    until("the panel asks for a finger", async || {
        client.panel().await.unwrap().words.iter().any(|word| word.contains("Touch"))
    })
    .await;
    until("the buzzer sounds", async || been(23, true)).await;
    assert_eq!(client.panel().await.unwrap().lamp, "blinking yellow");

    // Held for a second: what is going on is called off and taken back.
    button.send(true).unwrap();
    let outcome = next(&mut events, EventKind::Outcome).await.outcome.unwrap();
    button.send(false).unwrap();
    assert_eq!((outcome.ending, outcome.refusal.unwrap().code), (Ending::Undone, "E4003".to_owned()));
    let tokens = client.token_list(&TokenList::default()).await.unwrap().tokens;
    assert!(tokens.iter().all(|token| !token.serial.starts_with("UBOM")), "{tokens:?}");
    simulation.stop().await.unwrap();
}
