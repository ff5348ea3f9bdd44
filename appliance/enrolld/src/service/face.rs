//! The display: what it shows, for whoever looks at it from elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::types::{Health, Panel as Told, Part};
use panel::hardware::Panel;
use panel::{Scene, Signal, View};
use tokio::sync::watch;

use super::lock;

/// The display with its lamp.
pub struct Face {
    panel: Mutex<Panel>,
    showing: Mutex<(View, Instant)>,
    changed: watch::Sender<u64>,
    wanted: bool,
}

impl Face {
    /// A panel that was started with this view; `wanted` says whether there shall be a display.
    pub fn new(panel: Panel, first: View, wanted: bool) -> Self {
        let showing = Mutex::new((first, Instant::now()));
        Self { panel: Mutex::new(panel), showing, changed: watch::channel(0).0, wanted }
    }

    pub fn show(&self, view: View) {
        {
            let mut showing = lock(&self.showing);
            let since = if view.continues(&showing.0) { showing.1 } else { Instant::now() };
            *showing = (view.clone(), since);
        }
        lock(&self.panel).show(view);
        self.changed.send_modify(|version| *version += 1);
    }

    /// The picture as it is now.
    pub(super) fn told(&self) -> Told {
        let panel = lock(&self.panel);
        let (scene, frame) = (panel.scene(), panel.frame());
        let (signal, shown) = {
            let showing = lock(&self.showing);
            (showing.0.signal(), showing.1.elapsed())
        };
        let mut pixels = Vec::new();
        let mut height = 0;
        for row in frame.rows() {
            let row: Vec<bool> = row.collect();
            height += 1;
            for eight in row.chunks(8) {
                let byte =
                    eight.iter().enumerate().fold(0_u8, |byte, (at, lit)| byte | u8::from(*lit) << (7 - at));
                pixels.push(byte);
            }
        }
        Told {
            width: i64::from(panel::Glass::WIDTH),
            height,
            pixels: STANDARD.encode(pixels),
            words: scene.words().iter().map(|word| (*word).to_owned()).collect(),
            lamp: lamp(signal),
            changes_in_ms: changes_in(&scene, shown),
        }
    }

    /// Comes back when the picture is another, by itself or because something happened.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How the display is.
    pub(super) fn part(&self) -> Part {
        let panel = lock(&self.panel);
        let pins = panel.pin_troubles().first().map(ToString::to_string);
        let Some(status) = panel.status() else {
            let text =
                if self.wanted { "The display is being set up." } else { "There shall be no display." };
            let health = if self.wanted { Health::Good } else { Health::Absent };
            return Part { health, text: text.to_owned(), remedy: None };
        };
        match (status.remedy(), pins) {
            (Some(remedy), _) => Part { health: Health::Bad, text: status.sentence(), remedy: Some(remedy) },
            (None, Some(pins)) => Part {
                health: Health::Bad,
                text: pins,
                remedy: Some("Check the pins in section panel of the configuration.".to_owned()),
            },
            (None, None) => Part { health: Health::Good, text: status.sentence(), remedy: None },
        }
    }
}

/// A scene counts from when its view was first shown. A press of the button puts that off by
/// at most a page, so the least is what a page lasts for the eye.
fn changes_in(scene: &Scene, shown: Duration) -> Option<i64> {
    let left = scene.next_change()?.saturating_sub(shown).max(Duration::from_millis(100));
    i64::try_from(left.as_millis()).ok()
}

fn lamp(signal: Signal) -> String {
    let pattern = signal.light();
    let (lamp, _) = pattern.at(Duration::ZERO);
    let colour = match (lamp.red, lamp.green, lamp.blue) {
        (false, false, false) => "off",
        (true, false, false) => "red",
        (false, true, false) => "green",
        (false, false, true) => "blue",
        (true, true, false) => "yellow",
        (true, false, true) => "magenta",
        (false, true, true) => "cyan",
        (true, true, true) => "white",
    };
    if pattern.cycle().is_some() { format!("blinking {colour}") } else { colour.to_owned() }
}
