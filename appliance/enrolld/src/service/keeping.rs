//! Whether what the station does can be kept: how the card's state partition was found, and whether it can be written now.
//!
//! Where it cannot, operators log in and read as always, and no key is taken: an enrollment whose journal is not kept is one
//! that nobody could finish after a power cut.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::Role;
use control::types::{Health, Part};
use rustix::fs::StatVfsMountFlags;
use station::catalogue::Language;
use station::mode::Mode;
use station::record::Actor;
use station::refusal::{Code, Refusal};

use super::{Desk, floor_settings, lock};
use crate::config::Config;

/// Where `card begin` says how it found the state partition (appliance/card/src/remember.rs); elsewhere there is no such file.
pub const CONDITION: &str = "/run/station-state";

/// Less free room than this, and no key is taken: the lines of an enrollment in journal, receipts and audit are some 10 KB,
/// and SQLite's log grows to 4 MB.
const ROOM: u64 = 8 << 20;

/// How often it is looked at.
const OFTEN: Duration = Duration::from_secs(5);

/// How the partition is.
pub(super) struct Keeping {
    state: Option<PathBuf>,
    condition: Condition,
    /// Why journal or receipts could not be opened.
    unopened: Option<Refusal>,
    /// What was seen last.
    last: Mutex<Option<Refusal>>,
}

/// As it was found at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    word: String,
    cause: String,
    remedy: String,
    admins: bool,
}

impl Condition {
    /// Reads what `card begin` wrote; that all is well where there is none.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.chars().take(1000).collect::<String>());
        let mut next = || lines.next().unwrap_or_default();
        Self { word: next(), cause: next(), remedy: next(), admins: next() == "admins" }
    }

    /// Leaves of a configuration those operators that may log in. What the station had kept of them is gone, and the card's
    /// own file may name some who were removed since.
    pub fn restrict(&self, config: &mut Config) {
        if self.admins {
            config.operators.retain(|operator| operator.role.role() == Role::Admin);
        }
    }

    /// Whether it forbids that keys are taken.
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.refusal().is_some()
    }

    fn refusal(&self) -> Option<Refusal> {
        let code = match self.word.as_str() {
            "read-only" => Code::CardReadOnly,
            "full" => Code::CardFull,
            "damaged" => Code::CardDamaged,
            _ => return None,
        };
        Some(Refusal::new(code, self.cause.clone()))
    }
}

impl Keeping {
    pub(super) fn new(state: Option<PathBuf>, condition: Condition, unopened: Option<Refusal>) -> Self {
        Self { state, condition, unopened, last: Mutex::default() }
    }

    /// Why nothing may be enrolled, as far as it is the card's fault.
    pub(super) fn trouble(&self) -> Option<Refusal> {
        let found = self.condition.refusal().or_else(|| now(self.state.as_deref()?));
        // What could not be opened on a card that takes no writes is not damaged.
        found.or_else(|| self.unopened.clone())
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    /// How journal and receipts are.
    pub(super) fn part(&self) -> Part {
        let text = |refusal: &Refusal| {
            let cause = refusal.code.text(Language::English).cause;
            if refusal.detail.is_empty() { cause.to_owned() } else { refusal.detail.to_string() }
        };
        match self.trouble() {
            Some(refusal) => {
                let remedy = refusal.code.text(Language::English).remedy.to_owned();
                let remedy =
                    if self.condition.remedy.is_empty() { remedy } else { self.condition.remedy.clone() };
                Part { health: Health::Bad, text: text(&refusal), remedy: Some(remedy) }
            }
            None if self.condition.word == "repaired" => Part {
                health: Health::Good,
                text: self.condition.cause.clone(),
                remedy: Some(self.condition.remedy.clone()),
            },
            None => Part { health: Health::Good, text: "The journal is open.".to_owned(), remedy: None },
        }
    }
}

/// What the kernel says of it now: it makes a file system read-only when the card fails.
fn now(state: &Path) -> Option<Refusal> {
    let about = rustix::fs::statvfs(state).ok()?;
    if about.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some(Refusal::new(Code::CardReadOnly, ""));
    }
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    (free < ROOM).then(|| Refusal::new(Code::CardFull, format!("The card has {} KB left.", free >> 10)))
}

/// Looks at it again and again: no key is taken from when it cannot be written, and keys are taken as configured once it can.
pub(crate) async fn watch(desk: Arc<Desk>) {
    loop {
        let trouble = desk.keeping.trouble();
        let changed = {
            let mut last = lock(&desk.keeping.last);
            let changed = last.as_ref().map(|last| last.code) != trouble.as_ref().map(|now| now.code);
            last.clone_from(&trouble);
            changed
        };
        if changed {
            match &trouble {
                Some(refusal) => {
                    tracing::error!("{}: {}", refusal.code, refusal.code.text(Language::English).cause)
                }
                None => tracing::info!("what the station does can be kept again"),
            }
            let wrong = trouble.is_some() || !desk.problems().is_empty();
            let settings = floor_settings(&desk.config(), wrong);
            let mode = if wrong { Mode::Locked } else { settings.mode };
            desk.floor.set_settings(settings).await;
            desk.floor.set_mode(mode, Actor::Armed).await;
            desk.server_moved();
        }
        tokio::time::sleep(OFTEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_says_how_it_is_and_without_it_all_is_well() {
        let found = Condition::parse("damaged\nWhat is there cannot be read.\nBegin anew.\nadmins\n");
        assert_eq!(found.refusal().map(|refusal| refusal.code), Some(Code::CardDamaged));
        assert!(found.admins);
        for well in ["", "writable\n\n\n", "repaired\nIt was repaired.\nLook.\n", "another word"] {
            assert_eq!(Condition::parse(well).refusal(), None, "{well}");
        }
        let keeping = Keeping::new(None, found, None);
        let part = keeping.part();
        assert_eq!(
            (part.text.as_str(), part.remedy.as_deref()),
            ("What is there cannot be read.", Some("Begin anew."))
        );
        assert_eq!(Keeping::new(None, Condition::default(), None).trouble(), None);
    }
}
