//! The panel as a whole: views in, threads below.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bus::OpenBus;
use super::display::{Display, DisplayConfig};
use super::pins::{Edges, Level, PinError, Pins};
use super::status::DisplayStatus;
use super::watch::{News, Watch};
use crate::frame::Frame;
use crate::glass::Glass;
use crate::press::{Debounce, Press};
use crate::scene::{Brightness, Scene};
use crate::signal::{Lamp, Signal};
use crate::view::View;
use crate::words::Language;

/// What the panel consists of. Pins are numbered as the SoC numbers them (BCM).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PanelConfig {
    /// The display, if there is one.
    pub display: Option<DisplayConfig>,
    /// What it speaks.
    pub language: Language,
    /// The lamp, if there is one.
    pub lamp: Option<LampPins>,
    /// Whether a low pin lights the lamp.
    pub active_low: bool,
    /// A buzzer that sounds while its pin is high.
    pub buzzer: Option<u8>,
    /// A button between its pin and ground.
    pub button: Option<u8>,
}

/// The pins of the lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LampPins {
    /// One colour.
    One(u8),
    /// Three colours.
    Rgb {
        /// The red one's pin.
        red: u8,
        /// The green one's pin.
        green: u8,
        /// The blue one's pin.
        blue: u8,
    },
}

/// The panel: display, lamp and buzzer each on a thread of their own, so that a
/// bus that hangs delays neither the caller nor the light.
pub struct Panel {
    glass: Glass,
    language: Language,
    showing: Arc<Watch<Showing>>,
    signal: Arc<Watch<(Signal, Instant)>>,
    status: Arc<Mutex<Option<DisplayStatus>>>,
    pin_troubles: Vec<PinError>,
    threads: Vec<JoinHandle<()>>,
}

/// A view and its time.
#[derive(Clone)]
struct Showing {
    view: Arc<View>,
    since: Instant,
    /// Time that the button skipped.
    skipped: Duration,
    /// Until when the glass stays bright because somebody pressed the button.
    awake_until: Instant,
}

/// How long a press of the button keeps a resting glass bright.
const AWAKE: Duration = Duration::from_secs(60);

impl Showing {
    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since).saturating_add(self.skipped)
    }

    /// When `elapsed` will be `at`.
    fn moment(&self, at: Duration) -> Option<Instant> {
        self.since.checked_add(at.saturating_sub(self.skipped))
    }
}

impl Panel {
    /// Starts the panel with the hardware that `config` names: `open` opens the
    /// display's bus, `pins` has the lamp, the buzzer and the button.
    ///
    /// What is missing or broken is no error: it is told by
    /// [`status`](Self::status) and [`pin_troubles`](Self::pin_troubles), and the
    /// rest works. The receiver gets the button's presses; a short one has
    /// turned the page already.
    pub fn start(
        config: &PanelConfig,
        open: OpenBus,
        pins: Result<Box<dyn Pins>, PinError>,
        first: View,
    ) -> (Self, Receiver<Press>) {
        let now = Instant::now();
        let signal = first.signal();
        let showing =
            Showing { view: Arc::new(first), since: now, skipped: Duration::ZERO, awake_until: now };
        let glass = config.display.map(|display| display.glass).unwrap_or_default();
        let mut panel = Self {
            glass,
            language: config.language,
            showing: Arc::new(Watch::new(showing)),
            signal: Arc::new(Watch::new((signal, now))),
            status: Arc::new(Mutex::new(config.display.map(|_| DisplayStatus::Starting))),
            pin_troubles: Vec::new(),
            threads: Vec::new(),
        };
        if let Some(display) = config.display {
            panel.start_display(Display::new(display, open));
        }
        let (sender, receiver) = mpsc::channel();
        let wanted = config.lamp.is_some() || config.buzzer.is_some() || config.button.is_some();
        match pins {
            Ok(mut pins) if wanted => panel.start_pins(config, pins.as_mut(), sender),
            Err(trouble) if wanted => panel.pin_troubles.push(trouble),
            _ => {}
        }
        (panel, receiver)
    }

    /// Shows `view`. Returns at once; a view that another one replaces before it
    /// is drawn is never seen.
    pub fn show(&self, view: View) {
        let now = Instant::now();
        let before = self.showing.get().view;
        let signal = view.signal();
        if signal != self.signal.get().0 || view.calls_again(&before) {
            self.signal.change(|slot| *slot = (signal, now));
        }
        if *before == view {
            return;
        }
        self.showing.change(|showing| {
            if !view.continues(&showing.view) {
                showing.since = now;
                showing.skipped = Duration::ZERO;
            }
            showing.view = Arc::new(view);
        });
    }

    /// Goes on to the next page, if there is one, as the button does.
    pub fn next_page(&self) {
        next_page(&self.showing, self.glass, self.language);
    }

    /// The picture as it should be on the glass now, whether or not there is one.
    pub fn frame(&self) -> Frame {
        self.scene().frame()
    }

    /// The scene that is on now: its words, its page.
    pub fn scene(&self) -> Scene {
        let showing = self.showing.get();
        Scene::new(&showing.view, self.glass, self.language, showing.elapsed(Instant::now()))
    }

    /// How the display is; `None` if there shall be none.
    pub fn status(&self) -> Option<DisplayStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pins that could not be used when the panel started.
    pub fn pin_troubles(&self) -> &[PinError] {
        &self.pin_troubles
    }

    fn start_display(&mut self, display: Display) {
        let showing = Arc::clone(&self.showing);
        let status = Arc::clone(&self.status);
        let (glass, language) = (self.glass, self.language);
        self.spawn("panel-display", move || run_display(display, glass, language, &showing, &status));
    }

    fn start_pins(&mut self, config: &PanelConfig, pins: &mut dyn Pins, presses: Sender<Press>) {
        let mut output = |pin: u8, high: bool| match pins.output(pin, high) {
            Ok(level) => Some(level),
            Err(trouble) => {
                self.pin_troubles.push(trouble);
                None
            }
        };
        let dark = config.active_low;
        let lamp = match config.lamp {
            Some(LampPins::One(pin)) => [output(pin, dark), None, None],
            Some(LampPins::Rgb { red, green, blue }) => {
                [output(red, dark), output(green, dark), output(blue, dark)]
            }
            None => [None, None, None],
        };
        let one = matches!(config.lamp, Some(LampPins::One(_)));
        let buzzer = config.buzzer.and_then(|pin| output(pin, false));
        if lamp.iter().any(Option::is_some) || buzzer.is_some() {
            let signal = Arc::clone(&self.signal);
            let mut lights = Lights { lamp, one, active_low: dark, buzzer };
            self.spawn("panel-lamp", move || lights.run(&signal));
        }
        if let Some(pin) = config.button {
            match pins.button(pin) {
                Ok(contact) => {
                    let showing = Arc::clone(&self.showing);
                    let (glass, language) = (self.glass, self.language);
                    let turn = move || next_page(&showing, glass, language);
                    // Not joined: it sleeps until the button moves and then finds nobody listening.
                    let _ = thread::Builder::new()
                        .name("panel-button".to_owned())
                        .spawn(move || run_button(contact, turn, &presses));
                }
                Err(trouble) => self.pin_troubles.push(trouble),
            }
        }
    }

    /// A machine that cannot start a thread has worse troubles than a dark panel.
    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) {
        if let Ok(thread) = thread::Builder::new().name(name.to_owned()).spawn(work) {
            self.threads.push(thread);
        }
    }
}

impl Drop for Panel {
    /// Stops the threads. The glass goes dark, except that a station that goes
    /// off leaves its last words on it.
    fn drop(&mut self) {
        self.showing.close();
        self.signal.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn next_page(showing: &Watch<Showing>, glass: Glass, language: Language) {
    let current = showing.get();
    let now = Instant::now();
    let elapsed = current.elapsed(now);
    let page = Scene::new(&current.view, glass, language, elapsed).page();
    let ahead = page.until.map(|until| until.saturating_sub(elapsed)).unwrap_or_default();
    showing.change(|showing| {
        showing.skipped = showing.skipped.saturating_add(ahead);
        showing.awake_until = now.checked_add(AWAKE).unwrap_or(now);
    });
}

fn run_display(
    mut display: Display,
    glass: Glass,
    language: Language,
    showing: &Watch<Showing>,
    status: &Mutex<Option<DisplayStatus>>,
) {
    let start = Instant::now();
    let mut version = 0;
    let mut deadline = None;
    let mut current = showing.get();
    loop {
        match showing.wait(version, deadline) {
            News::Value(value, newer) => {
                version = newer;
                current = value;
            }
            News::Deadline => {}
            News::Closed => {
                if !matches!(*current.view, View::ShuttingDown { .. }) {
                    display.switch_off();
                }
                return;
            }
        }
        let now = Instant::now();
        let scene = Scene::new(&current.view, glass, language, current.elapsed(now));
        let awake = current.awake_until.checked_duration_since(now).is_some_and(|left| !left.is_zero());
        let brightness = if awake { Brightness::Full } else { scene.brightness() };
        display.refresh(now.saturating_duration_since(start), &scene.frame(), brightness);
        let mut slot = status.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref() != Some(display.status()) {
            *slot = Some(display.status().clone());
        }
        drop(slot);
        let upkeep = start.checked_add(display.wake_at());
        let sleep = awake.then_some(current.awake_until);
        let picture = next_picture(&display, &scene).and_then(|at| current.moment(at));
        deadline = [picture, upkeep, sleep].into_iter().flatten().min();
    }
}

/// When the glass has to show something else, if that can be seen: nobody is woken to turn
/// pages on a glass that is dark.
fn next_picture(display: &Display, scene: &Scene) -> Option<Duration> {
    scene.next_change().filter(|_| display.status().is_working())
}

struct Lights {
    lamp: [Option<Box<dyn Level>>; 3],
    one: bool,
    active_low: bool,
    buzzer: Option<Box<dyn Level>>,
}

impl Lights {
    fn run(&mut self, signal: &Watch<(Signal, Instant)>) {
        let mut version = 0;
        let mut deadline = None;
        let mut current = signal.get();
        loop {
            match signal.wait(version, deadline) {
                News::Value(value, newer) => {
                    version = newer;
                    current = value;
                }
                News::Deadline => {}
                News::Closed => {
                    self.light(Lamp::default());
                    self.sound(false);
                    return;
                }
            }
            let (signal, since) = current;
            let elapsed = since.elapsed();
            let (lamp, next_lamp) = signal.light().at(elapsed);
            let (sound, next_sound) = signal.tune().at(elapsed);
            self.light(lamp);
            self.sound(sound.is_lit());
            let next = [next_lamp, next_sound].into_iter().flatten().min();
            deadline = next.and_then(|at| since.checked_add(at));
        }
    }

    fn light(&mut self, lamp: Lamp) {
        let colours =
            if self.one { [lamp.is_lit(), false, false] } else { [lamp.red, lamp.green, lamp.blue] };
        for (pin, lit) in self.lamp.iter_mut().zip(colours) {
            if let Some(pin) = pin {
                // A pin that fails now worked at the start; the display says what matters.
                let _ = pin.set(lit != self.active_low);
            }
        }
    }

    fn sound(&mut self, on: bool) {
        if let Some(buzzer) = &mut self.buzzer {
            let _ = buzzer.set(on);
        }
    }
}

fn run_button(mut contact: Box<dyn Edges>, turn: impl Fn(), presses: &Sender<Press>) {
    let start = Instant::now();
    let mut button = Debounce::new();
    loop {
        let timeout = button.deadline().map(|at| at.saturating_sub(start.elapsed()));
        let Ok(edge) = contact.wait(timeout) else { return };
        let now = start.elapsed();
        let press = match edge {
            Some(pressed) => button.level(pressed, now),
            None => button.passed(now),
        };
        if let Some(press) = press {
            if press == Press::Short {
                turn();
            }
            if presses.send(press).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::Breadboard;
    use super::super::bus::BusError;
    use super::super::display::DisplayConfig;
    use super::*;
    use crate::view::Notice;

    #[test]
    fn pages_are_turned_only_where_they_can_be_seen() {
        let text = |text: &str| crate::Text::new(text);
        let cause = text(&"A cause that needs more than one page. ".repeat(4));
        let view =
            View::Fault(Notice { code: text("E1"), title: text("Title"), cause, remedy: text("Do it.") });
        let scene = Scene::new(&view, Glass::Tall, Language::English, Duration::ZERO);
        assert!(scene.page().count > 1);
        let board = Breadboard::new(Glass::Tall, 0x3c);
        let mut there = Display::new(DisplayConfig::default(), board.opener(0x3c));
        there.refresh(Duration::ZERO, &scene.frame(), Brightness::Full);
        assert_eq!(next_picture(&there, &scene), scene.next_change());
        let mut missing = Display::new(DisplayConfig::default(), Box::new(|| Err(BusError::NoBus)));
        missing.refresh(Duration::ZERO, &scene.frame(), Brightness::Full);
        assert!(scene.next_change().is_some());
        assert_eq!(next_picture(&missing, &scene), None);
    }
}
