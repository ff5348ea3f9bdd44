//! What the state partition keeps of an update: which slot was written, how its trial goes, why it was left, and what may not come back.
//!
//! The boot record says which slot is on trial and how many tries it has. It has no room for more, and a slot that is written anew must not lose
//! why the one before it failed. Everything here is text that `cat` shows, each file written anew and renamed into its place.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::layout::Slot;

/// Where it is kept.
pub const PLACE: &str = "/var/lib/station-update";

/// Root hashes that are remembered as failed.
const MOST_FAILED: usize = 16;

/// Tries that ended without a word, as with a power cut, and so do not count.
pub const MOST_UNEXPLAINED: u64 = 5;

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is written, and waits for the moment in which the station may restart.
    Waiting,
    /// It is being tried, or will be at the next start.
    Trying,
    /// It was found good.
    Good,
    /// It was left: the station has fallen back.
    Left,
}

impl Stage {
    const ALL: [(Self, &str); 4] =
        [(Self::Waiting, "waiting"), (Self::Trying, "trying"), (Self::Good, "good"), (Self::Left, "left")];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("", |(_, word)| word)
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(stage, _)| *stage)
    }
}

/// The last update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where it was written.
    pub slot: Slot,
    /// Which version it is.
    pub version: String,
    /// Its number.
    pub number: u64,
    /// The root hash of its slot, 64 hexadecimal digits.
    pub root: String,
    /// When it was written, in seconds since 1970.
    pub written: u64,
    /// How far it is.
    pub stage: Stage,
    /// How often it was started.
    pub tries: u64,
    /// How many of these ended without a word.
    pub unexplained: u64,
    /// Whether the try that runs, or the last, has not ended with a word yet.
    pub open: bool,
    /// Why the last try ended, or why it was left.
    pub why: String,
}

impl Trial {
    /// Reads it; none when anything is missing or is no such word.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned)
        };
        let number = |name: &str| field(name)?.parse().ok();
        let hash = |text: &String| text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit());
        Some(Self {
            slot: Slot::named(&field("slot")?)?,
            version: field("version")?,
            number: number("number")?,
            root: field("root").filter(hash)?,
            written: number("written")?,
            stage: Stage::named(&field("stage")?)?,
            tries: number("tries")?,
            unexplained: number("unexplained")?,
            open: field("open")? == "yes",
            why: field("why").unwrap_or_default(),
        })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        // Others' words have no line of their own.
        let why: String = self.why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        let mut text = format!(
            "slot {}\nversion {}\nnumber {}\nroot {}\nwritten {}\nstage {}\ntries {}\nunexplained {}\nopen {}\n",
            self.slot,
            self.version,
            self.number,
            self.root,
            self.written,
            self.stage.word(),
            self.tries,
            self.unexplained,
            if self.open { "yes" } else { "no" },
        );
        if !why.is_empty() {
            let _ = writeln!(text, "why {why}");
        }
        text
    }
}

/// What a start finds out about an update, and what the boot record has to say for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing is on trial.
    Usual,
    /// This start is a try.
    Try {
        /// The one before it ended without a word, and is given back.
        again: bool,
    },
    /// The slot that was on trial was left.
    FellBack,
}

/// The directory.
#[derive(Clone, Debug)]
pub struct Kept(PathBuf);

impl Kept {
    /// The one at that path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The last update, where there was one.
    #[must_use]
    pub fn trial(&self) -> Option<Trial> {
        Trial::read(&fs::read_to_string(self.0.join("trial")).ok()?)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, trial: &Trial) -> io::Result<()> {
        self.write("trial", &trial.text())
    }

    /// The highest floor that was ever seen.
    #[must_use]
    pub fn floor(&self) -> u64 {
        fs::read_to_string(self.0.join("floor"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default()
    }

    /// Raises it; it never falls.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn raise_floor(&self, floor: u64) -> io::Result<()> {
        if floor <= self.floor() { Ok(()) } else { self.write("floor", &format!("{floor}\n")) }
    }

    /// Root hashes of slots that have failed here, the newest last.
    #[must_use]
    pub fn failed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.0.join("failed")).unwrap_or_default();
        text.lines().filter(|line| line.len() == 64).map(str::to_owned).collect()
    }

    fn add_failed(&self, root: &str) -> io::Result<()> {
        let mut all = self.failed();
        all.retain(|one| one != root);
        all.push(root.to_owned());
        let from = all.len().saturating_sub(MOST_FAILED);
        let text: String = all.iter().skip(from).map(|root| format!("{root}\n")).collect();
        self.write("failed", &text)
    }

    /// Notes that this slot starts. `on_trial` is what the boot record says.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn starts(&self, slot: Slot, on_trial: Option<Slot>) -> io::Result<Start> {
        let Some(mut trial) = self.trial() else {
            return Ok(if on_trial == Some(slot) { Start::Try { again: false } } else { Start::Usual });
        };
        match on_trial {
            Some(tried) if tried == slot && trial.slot == slot => {
                let again = trial.open && trial.unexplained < MOST_UNEXPLAINED;
                trial.unexplained = trial.unexplained.saturating_add(u64::from(trial.open));
                trial.tries = trial.tries.saturating_add(1);
                (trial.stage, trial.open) = (Stage::Trying, true);
                self.keep(&trial)?;
                Ok(Start::Try { again })
            }
            Some(tried) if tried != slot && trial.slot == tried => {
                if trial.open || trial.why.is_empty() {
                    trial.why =
                        "it ended without a word: the kernel stopped, or the board restarted it".to_owned();
                }
                if trial.tries == 0 {
                    trial.why = "it never came so far that it could say anything".to_owned();
                }
                (trial.stage, trial.open) = (Stage::Left, false);
                self.add_failed(&trial.root)?;
                self.keep(&trial)?;
                Ok(Start::FellBack)
            }
            Some(tried) => Ok(if tried == slot { Start::Try { again: false } } else { Start::FellBack }),
            None => Ok(Start::Usual),
        }
    }

    /// Ends a try with a word.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ended(&self, why: &str) -> io::Result<()> {
        let Some(trial) = self.trial() else { return Ok(()) };
        self.keep(&Trial { open: false, why: why.to_owned(), ..trial })
    }

    /// The slot on trial has shown that it does its job.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn good(&self, floor: u64) -> io::Result<()> {
        if let Some(trial) = self.trial().filter(|trial| trial.stage == Stage::Trying) {
            self.keep(&Trial { stage: Stage::Good, open: false, why: String::new(), ..trial })?;
        }
        self.raise_floor(floor)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let (part, whole) = (self.0.join(format!("{name}.part")), self.0.join(name));
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &whole)?;
        sync_directory(&self.0)
    }
}

/// A name is on the card when its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Trial {
        Trial {
            slot: Slot::B,
            version: "0.2.0".to_owned(),
            number: 8,
            root: "ab".repeat(32),
            written: 1_800_000_000,
            stage: Stage::Waiting,
            tries: 0,
            unexplained: 0,
            open: false,
            why: String::new(),
        }
    }

    fn kept() -> (tempfile::TempDir, Kept) {
        let place = tempfile::tempdir().unwrap();
        let kept = Kept::at(place.path().join("update"));
        kept.keep(&trial()).unwrap();
        (place, kept)
    }

    /// Two versions share it.
    #[test]
    fn it_is_written_as_it_was() {
        let text = "slot B\nversion 0.2.0\nnumber 8\nroot abababababababababababababababababababababababababababababababab\nwritten 1800000000\nstage waiting\ntries 0\nunexplained 0\nopen no\n";
        assert_eq!((trial().text().as_str(), Trial::read(text)), (text, Some(trial())));
        let left = Trial { stage: Stage::Left, why: "no\nnetwork".to_owned(), ..trial() };
        assert_eq!(Trial::read(&left.text()).map(|trial| trial.why).as_deref(), Some("no network"));
        assert_eq!(Trial::read(""), None);
    }

    #[test]
    fn a_try_that_ends_without_a_word_is_given_back_a_few_times() {
        let (_place, kept) = kept();
        assert_eq!(kept.starts(Slot::B, Some(Slot::B)).unwrap(), Start::Try { again: false });
        for _ in 0..MOST_UNEXPLAINED {
            assert_eq!(kept.starts(Slot::B, Some(Slot::B)).unwrap(), Start::Try { again: true });
        }
        assert_eq!(kept.starts(Slot::B, Some(Slot::B)).unwrap(), Start::Try { again: false });
        kept.ended("no network").unwrap();
        assert_eq!(kept.starts(Slot::B, Some(Slot::B)).unwrap(), Start::Try { again: false });
    }

    #[test]
    fn a_slot_that_was_left_is_remembered_with_its_reason() {
        let (_place, kept) = kept();
        kept.starts(Slot::B, Some(Slot::B)).unwrap();
        kept.ended("there is no network interface").unwrap();
        assert_eq!(kept.starts(Slot::A, Some(Slot::B)).unwrap(), Start::FellBack);
        let left = kept.trial().unwrap();
        assert_eq!((left.stage, left.why.as_str()), (Stage::Left, "there is no network interface"));
        assert_eq!(kept.failed(), [trial().root]);
        // One that never got so far, and one that was cut off.
        kept.keep(&trial()).unwrap();
        kept.starts(Slot::A, Some(Slot::B)).unwrap();
        assert!(kept.trial().unwrap().why.contains("never came so far"));
        kept.keep(&trial()).unwrap();
        kept.starts(Slot::B, Some(Slot::B)).unwrap();
        kept.starts(Slot::A, Some(Slot::B)).unwrap();
        assert!(kept.trial().unwrap().why.contains("without a word"));
        assert_eq!(kept.failed().len(), 1);
    }

    #[test]
    fn good_ends_it_and_raises_the_floor_that_never_falls() {
        let (_place, kept) = kept();
        kept.starts(Slot::B, Some(Slot::B)).unwrap();
        kept.good(5).unwrap();
        assert_eq!((kept.trial().unwrap().stage, kept.floor()), (Stage::Good, 5));
        kept.raise_floor(3).unwrap();
        assert_eq!(kept.floor(), 5);
        assert_eq!(kept.starts(Slot::B, None).unwrap(), Start::Usual);
        assert_eq!(kept.trial().unwrap().stage, Stage::Good, "a usual start changes nothing");
    }

    #[test]
    fn a_record_without_a_note_is_a_trial_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let kept = Kept::at(place.path());
        assert_eq!(kept.starts(Slot::B, Some(Slot::B)).unwrap(), Start::Try { again: false });
        assert_eq!(kept.starts(Slot::A, None).unwrap(), Start::Usual);
    }
}
