//! The board that the station runs on: its card, its supply, how hot it is; and its own LED.
//!
//! Nothing of it is asked for while nothing happens: it is looked at with the beat of the service manager's watchdog, when the
//! machine is awake anyway.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use card::trial::{Kept, Stage};
use card::watch::Show;
use control::types::{Health, Part};
use panel::View;
use station::catalogue::Language;
use station::refusal::{Code, Refusal};

/// From here on a Raspberry Pi's firmware slows the processor down, in thousandths of a degree (raspberrypi.com, "Frequency management
/// and thermal control").
const HOT: i64 = 80_000;

/// It counts as hot until it is so much cooler.
const COOLER: i64 = 5_000;

/// The line that is low while the supply gives less than 4.63 V: a Pi 3B has it, and no later board shows it to Linux
/// (bcm2837-rpi-3-b.dts, `gpio-line-names`).
const SUPPLY: &str = "PWR_LOW_N";

/// Where all that is found.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the card's program counts ([`card::watch`]).
    pub errors: PathBuf,
    /// The processor's temperature, in thousandths of a degree. How a machine that is no card does is its owner's business.
    pub temperature: Option<PathBuf>,
    /// What the board's LED shall show is written here; nowhere else than on the card.
    pub light: Option<PathBuf>,
    /// What is kept of the last update ([`card::trial`]).
    pub update: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        let is_card = PathBuf::from(card::remember::CONDITION).exists();
        Self {
            errors: card::watch::ERRORS.into(),
            temperature: is_card.then(|| "/sys/class/thermal/thermal_zone0/temp".into()),
            light: is_card.then(|| card::watch::LIGHT.into()),
            update: card::trial::PLACE.into(),
        }
    }
}

/// How the board is.
pub struct Board {
    places: Places,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// How many errors of the card there were, and the last one.
    errors: Option<(u64, String)>,
    /// In thousandths of a degree.
    temperature: Option<i64>,
    hot: bool,
    /// Whether the supply is too weak now; nothing where no line says so.
    weak: Option<bool>,
    /// Whether it ever was since the start.
    was_weak: bool,
    /// The update that was given up, and why.
    given_up: Option<String>,
    light: Option<Show>,
    /// The troubles that were in the log already.
    told: Vec<Code>,
}

impl Board {
    /// A board at which nobody has looked yet.
    pub fn new(places: Places) -> Self {
        Self { places, seen: Mutex::default() }
    }

    /// Looks at it; whether there is another trouble than before.
    pub fn look(&self) -> bool {
        let errors = fs::read_to_string(&self.places.errors).ok().and_then(|text| card::errors::read(&text));
        let temperature = self.places.temperature.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let temperature = temperature.and_then(|text| text.trim().parse().ok());
        // On a Pi 3B alone, and on a machine that is no card such a line may be somebody else's.
        let weak =
            self.places.light.as_ref().and_then(|_| panel::hardware::named_line(SUPPLY)).map(|high| !high);
        let trial = Kept::at(&self.places.update).trial().filter(|trial| trial.stage == Stage::Left);
        lock(&self.seen).given_up = trial.map(|trial| format!("{}: {}", trial.version, trial.why));
        self.take(errors, temperature, weak)
    }

    fn take(&self, errors: Option<(u64, String)>, temperature: Option<i64>, weak: Option<bool>) -> bool {
        let mut seen = lock(&self.seen);
        let before = std::mem::take(&mut seen.told);
        let limit = if seen.hot { HOT - COOLER } else { HOT };
        seen.hot = temperature.is_some_and(|degrees| degrees >= limit);
        seen.was_weak |= weak == Some(true);
        (seen.errors, seen.temperature, seen.weak) = (errors, temperature, weak);
        let now = troubles(&seen);
        for code in now.iter().filter(|code| !before.contains(code)) {
            tracing::error!("{code}: {}", code.text(Language::English).cause);
        }
        seen.told.clone_from(&now);
        before != now
    }

    /// What somebody should do something about, the worst first.
    pub fn troubles(&self) -> Vec<Refusal> {
        let seen = lock(&self.seen);
        let detail = |code| match code {
            Code::CardFails => {
                seen.errors.as_ref().map(|(count, last)| format!("{count} so far; the last: {last}"))
            }
            Code::BoardHot => seen.temperature.map(degrees),
            Code::UpdateGivenUp => seen.given_up.clone(),
            _ => None,
        };
        troubles(&seen).into_iter().map(|code| Refusal::new(code, detail(code).unwrap_or_default())).collect()
    }

    /// How it is, for `status`.
    pub fn part(&self) -> Part {
        let troubles = self.troubles();
        if !troubles.is_empty() {
            let text = |refusal: &Refusal| {
                let cause = refusal.code.text(Language::English).cause;
                if refusal.detail.is_empty() {
                    cause.to_owned()
                } else {
                    format!("{cause} ({})", refusal.detail)
                }
            };
            let remedies = troubles.iter().map(|refusal| refusal.code.text(Language::English).remedy);
            return Part {
                health: Health::Bad,
                text: troubles.iter().map(text).collect::<Vec<_>>().join(" "),
                remedy: Some(remedies.collect::<Vec<_>>().join(" ")),
            };
        }
        let seen = lock(&self.seen);
        let Some(temperature) = seen.temperature else {
            let text = "Nothing is known of the board.".to_owned();
            return Part { health: Health::Absent, text, remedy: None };
        };
        let supply = match seen.weak {
            Some(_) => ", and its supply is strong enough",
            None => "; whether its supply is strong enough, it does not say",
        };
        Part {
            health: Health::Good,
            text: format!("The board has {}{supply}.", degrees(temperature)),
            remedy: None,
        }
    }

    /// Has the board's LED show what the display shows in full.
    pub fn show(&self, view: &View) {
        let Some(file) = &self.places.light else { return };
        let show = show(view);
        if lock(&self.seen).light.replace(show) == Some(show) {
            return;
        }
        if let Err(error) = fs::write(file, show.word()) {
            tracing::warn!("the board's LED cannot be told anything: {error}");
        }
    }
}

fn troubles(seen: &Seen) -> Vec<Code> {
    let found = [
        (seen.errors.is_some(), Code::CardFails),
        (seen.was_weak, Code::SupplyWeak),
        (seen.hot, Code::BoardHot),
        (seen.given_up.is_some(), Code::UpdateGivenUp),
    ];
    found.into_iter().filter(|(is, _)| *is).map(|(_, code)| code).collect()
}

fn degrees(thousandths: i64) -> String {
    format!("{} degrees Celsius", thousandths / 1000)
}

const fn show(view: &View) -> Show {
    match view {
        View::Operator { why, .. } => show(why),
        View::Starting { .. } | View::NoNetwork { .. } | View::Server { .. } => Show::Trying,
        View::Fault(_) | View::Locked { .. } | View::Refused { .. } | View::Quarantined { .. } => Show::Fault,
        _ => Show::Alive,
    }
}

/// A panic elsewhere does not make what was seen worse.
fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(root: &tempfile::TempDir) -> Places {
        let file = |name: &str| root.path().join(name);
        Places {
            errors: file("errors"),
            temperature: Some(file("temp")),
            light: Some(file("light")),
            update: file("update"),
        }
    }

    #[test]
    fn errors_heat_and_a_weak_supply_are_told_once_and_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let board = Board::new(at(&root));
        assert_eq!(board.part().health, Health::Absent);
        assert!(!board.take(None, Some(50_000), Some(false)));
        assert_eq!(board.part().text, "The board has 50 degrees Celsius, and its supply is strong enough.");
        fs::write(root.path().join("errors"), card::errors::lines(2, "mmc0: error -84")).unwrap();
        fs::write(root.path().join("temp"), "81000\n").unwrap();
        assert!(board.look());
        assert!(!board.look());
        let codes: Vec<Code> = board.troubles().iter().map(|refusal| refusal.code).collect();
        assert_eq!(codes, [Code::CardFails, Code::BoardHot]);
        let part = board.part();
        assert!(part.health == Health::Bad && part.text.contains("mmc0: error -84"), "{part:?}");
        let hot = |degrees| {
            board.take(None, Some(degrees), None);
            !board.troubles().is_empty()
        };
        assert!(hot(76_000), "it would come and go");
        assert!(!hot(74_000) && !hot(79_000));
        assert!(board.take(None, None, Some(true)));
        assert!(!board.take(None, None, Some(false)), "a moment is enough to spoil a card");
        assert_eq!(board.troubles()[0].code, Code::SupplyWeak);
    }

    #[test]
    fn an_update_that_was_given_up_is_told_with_its_reason() {
        let root = tempfile::tempdir().unwrap();
        let board = Board::new(at(&root));
        let kept = Kept::at(root.path().join("update"));
        let trial = card::trial::Trial {
            slot: card::layout::Slot::B,
            version: "0.3.0".to_owned(),
            number: 9,
            root: "0a".repeat(32),
            written: 0,
            stage: Stage::Trying,
            tries: 3,
            unexplained: 0,
            open: false,
            why: "after 300 s there is no network interface".to_owned(),
        };
        kept.keep(&trial).unwrap();
        assert!(!board.look(), "it is still tried");
        kept.keep(&card::trial::Trial { stage: Stage::Left, ..trial }).unwrap();
        assert!(board.look() && !board.look());
        let part = board.part();
        assert!(
            part.health == Health::Bad && part.text.contains("0.3.0: after 300 s there is no network"),
            "{part:?}"
        );
        assert_eq!(board.troubles()[0].code, Code::UpdateGivenUp);
    }

    #[test]
    fn the_led_is_told_only_what_is_new() {
        let root = tempfile::tempdir().unwrap();
        let (board, light) = (Board::new(at(&root)), root.path().join("light"));
        for (view, word) in [
            (View::Starting { step: None }, "trying"),
            (View::Ready(panel::Station::default()), "alive"),
            (View::Locked { reason: None }, "fault"),
        ] {
            board.show(&view);
            assert_eq!(fs::read_to_string(&light).unwrap(), word);
            fs::remove_file(&light).unwrap();
            board.show(&view);
            assert!(!light.exists());
        }
    }
}
