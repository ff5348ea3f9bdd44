//! Changes of the configuration by operators: pending, committed, confirmed, taken back.
//!
//! As long as the card's file stays the same, what was committed is in force; when somebody prepares
//! the card anew, the card wins and what was committed is put aside. A commit that waits to be confirmed is
//! only in memory, so a station that it made unreachable is itself again after a power cut, too.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use control::types::{Configuration, OperatorAdd, OperatorSet};
use jiff::Timestamp;
use station::refusal::Code;
use toml_edit::DocumentMut;
use zeroize::Zeroizing;

use super::credential::now;
use super::proof::{self, Deed, Side};
use super::refuse::no;
use crate::config::{self, Beside, Config, OperatorRole, Parsed, Problem};

mod disk;
mod edit;
mod operators;
mod state;
mod version;

use disk::Disk;
use state::{Back, State};
use version::Version;

/// What only the file on the card says.
const CARD_ONLY: &str = "shell.signed-changes";

type Refused = control::Refusal;

/// A configuration that is to be in force now.
#[derive(Debug)]
pub(super) struct Brought {
    /// It, read.
    pub(super) parsed: Parsed,
    /// Whether its API key was given for another server than the one it names.
    pub(super) key_withheld: bool,
}

/// A configuration, read.
pub(super) struct Whole {
    version: Version,
    pub(super) config: Config,
}

impl Whole {
    fn side(&self) -> Side<'_> {
        let key_withheld = self.version.withholds_key(&self.config);
        Side { text: &self.version.text, config: &self.config, key_withheld }
    }
}

/// A change of what is in force.
pub(super) struct Change {
    pub(super) deed: Deed,
    pub(super) from: Whole,
    to: Whole,
}

impl Change {
    /// As it is signed.
    pub(super) fn told(&self) -> proof::Change<'_> {
        proof::Change { deed: self.deed, from: self.from.side(), to: self.to.side() }
    }
}

/// The configuration as it is and as it may become.
pub(super) struct Changes {
    file: PathBuf,
    disk: Disk,
    base: Zeroizing<String>,
    /// Whether the card's file wants changes to be signed. What is committed cannot say so.
    signed: bool,
    state: State<Version>,
    confirm_by: Option<Timestamp>,
    since: Timestamp,
}

impl Changes {
    /// The configuration that is in force at the start.
    pub(super) fn open(file: &Path, state: Option<&Path>) -> (Self, Brought) {
        let mut changes = Self {
            file: file.to_owned(),
            disk: Disk::new(state.map(Path::to_owned)),
            base: Zeroizing::default(),
            signed: true,
            state: State::new(Version::given(Zeroizing::default())),
            confirm_by: None,
            since: now(),
        };
        let brought = changes.reopen();
        (changes, brought)
    }

    /// Reads the card's file anew, and forgets what nobody has committed.
    pub(super) fn reopen(&mut self) -> Brought {
        let (base, parsed) = config::load(&self.file).unwrap_or_else(|error| {
            let problem = Problem {
                place: None,
                field: String::new(),
                text: format!("{} cannot be read: {error}", self.file.display()),
                remedy: "Put enrollment.toml onto the card.".to_owned(),
            };
            (Zeroizing::default(), Parsed { config: Config::default(), problems: vec![problem] })
        });
        self.confirm_by = None;
        self.since = now();
        self.base = base;
        self.signed = parsed.config.shell.signed_changes;
        let Some((text, key_for)) = self.disk.committed(&self.base) else {
            self.state = State::new(Version::given(self.base.clone()).settled(&parsed.config));
            return Brought { parsed, key_withheld: false };
        };
        let mut parsed = self.parse(&text);
        // What is wrong with the files on the card is so whatever operators have committed.
        parsed.problems.splice(0..0, config::notes(&self.beside()));
        let version = Version { text, key_for }.settled(&parsed.config);
        let key_withheld = version.withholds_key(&parsed.config);
        self.state = State::new(version);
        Brought { parsed, key_withheld }
    }

    /// Reads a text as if it stood where the file stands.
    pub(super) fn parse(&self, text: &str) -> Parsed {
        config::parse(text, &self.beside())
    }

    fn beside(&self) -> Beside {
        Beside(self.file.parent().map(Path::to_owned).unwrap_or_default())
    }

    pub(super) fn shown(&self) -> Configuration {
        Configuration {
            file: self.file.display().to_string(),
            changed: **self.active() != *self.base,
            pending: self.state.pending().is_some(),
            confirm_by: self.confirm_by.filter(|_| self.state.on_trial()),
            since: self.since,
            notes: None,
        }
    }

    fn active(&self) -> &Zeroizing<String> {
        &self.state.in_force().text
    }

    /// What is pending, or else in force.
    fn next(&self) -> &Version {
        self.state.pending().unwrap_or(self.state.in_force())
    }

    /// The configuration, or part of it, without secrets.
    pub(super) fn text(&self, path: Option<&str>, pending: bool) -> Result<String, Refused> {
        let text = if pending { &self.next().text } else { self.active() };
        let document = edit::masked(text)?;
        let Some(path) = path else { return Ok(document.to_string()) };
        let mut item = document.as_item();
        for part in path.split('.') {
            item =
                item.get(part).ok_or_else(|| no(Code::InputInvalid, format!("nothing is set at {path}")))?;
        }
        let mut out = DocumentMut::new();
        let name = path.rsplit('.').next().unwrap_or(path);
        out.insert(name, item.clone());
        Ok(out.to_string())
    }

    /// What the pending changes change.
    pub(super) fn diff(&self) -> Result<String, Refused> {
        let (from, to) =
            (edit::masked(self.active())?.to_string(), edit::masked(&self.next().text)?.to_string());
        Ok(similar::TextDiff::from_lines(&from, &to)
            .unified_diff()
            .context_radius(2)
            .header("in force", "pending")
            .to_string())
    }

    /// Changes a field of what is pending.
    pub(super) fn set(&mut self, path: &str, value: Option<&str>) -> Result<(), Refused> {
        if path == CARD_ONLY {
            return Err(no(Code::CardOnly, path));
        }
        let mut document = self.document()?;
        let was_there = edit::set(&mut document, path, value)?;
        // What nobody knows may be anything, such as a secret in the wrong place.
        let unknown = config::holds(path).is_none() && !was_there;
        if unknown && (value.is_none() || !config::in_section(path)) {
            return Err(no(Code::InputInvalid, format!("there is no field {path}")));
        }
        let text = Zeroizing::new(document.to_string());
        // A name that does not exist is refused at once; what is not right yet may become so.
        let unknown = self.parse(&text).problems.into_iter().find(|problem| problem.field == path);
        if let Some(problem) = unknown {
            return Err(no(Code::InputInvalid, problem.to_string()));
        }
        self.propose(text, value.is_some() && matches!(path, "server.api-key" | "server.api-key-file"));
        Ok(())
    }

    /// Adds a rule for welcome keys to what is pending.
    pub(super) fn add_welcome(&mut self, fields: &str) -> Result<(), Refused> {
        let mut document = self.document()?;
        edit::add_welcome(&mut document, fields)?;
        self.propose_sound(&document, "welcome")
    }

    /// Takes a rule for welcome keys out of what is pending.
    pub(super) fn remove_welcome(&mut self, number: u32) -> Result<(), Refused> {
        let mut document = self.document()?;
        edit::remove_welcome(&mut document, number)?;
        self.propose_sound(&document, "welcome")
    }

    /// Adds an operator to what is pending.
    pub(super) fn add_operator(&mut self, wanted: &OperatorAdd) -> Result<(), Refused> {
        let mut document = self.document()?;
        operators::add(&mut document, wanted)?;
        self.propose_sound(&document, "operators")
    }

    /// Changes an operator in what is pending.
    pub(super) fn set_operator(&mut self, wanted: &OperatorSet) -> Result<(), Refused> {
        let mut document = self.document()?;
        operators::set(&mut document, wanted)?;
        self.propose_sound(&document, "operators")
    }

    /// Takes an operator out of what is pending.
    pub(super) fn remove_operator(&mut self, name: &str) -> Result<(), Refused> {
        let mut document = self.document()?;
        operators::remove(&mut document, name)?;
        self.propose_sound(&document, "operators")
    }

    /// Takes a whole text as what is pending. An API key that is left out in it stays what it is.
    pub(super) fn load(&mut self, text: &str) -> Result<(), Refused> {
        let mut document = edit::document(text)?;
        let gives_key = edit::unmask(&mut document, &self.document()?)?;
        self.propose(Zeroizing::new(document.to_string()), gives_key);
        Ok(())
    }

    /// What is pending, or else in force, as a document.
    fn document(&self) -> Result<DocumentMut, Refused> {
        edit::document(&self.next().text)
    }

    /// Lets a document be pending, unless a new problem is in that section.
    fn propose_sound(&mut self, document: &DocumentMut, section: &str) -> Result<(), Refused> {
        let text = Zeroizing::new(document.to_string());
        let inside = |problem: &Problem| problem.field.split('.').next() == Some(section);
        if let Some(problem) = self.parse(&text).problems.into_iter().find(inside) {
            return Err(no(Code::InputInvalid, problem.to_string()));
        }
        self.propose(text, false);
        Ok(())
    }

    /// Lets a text be pending. An API key stays one for the server that it was given for, unless it is given anew.
    fn propose(&mut self, text: Zeroizing<String>, gives_key: bool) {
        let key_for = if gives_key { None } else { self.next().key_for };
        let version = Version { text, key_for };
        let config = self.parse(&version.text).config;
        let same = *version.text == **self.active()
            && version.withholds_key(&config) == self.state.in_force().withholds_key(&config);
        self.state.propose((!same).then_some(version));
    }

    /// What is wrong with a configuration, and what should be known of it.
    pub(super) fn check(&self, text: Option<&str>) -> (Vec<Problem>, Vec<String>) {
        let parsed = self.parse(text.unwrap_or(&self.next().text));
        (parsed.problems, parsed.config.notices())
    }

    /// Whether changes have to be signed.
    pub(super) const fn signed(&self) -> bool {
        self.signed
    }

    /// What a commit would do now, unless it is impossible.
    pub(super) fn next_change(&self) -> Result<Change, Refused> {
        let (version, parsed) = self.next_version()?;
        let to = Whole { version, config: parsed.config };
        Ok(Change { deed: Deed::Commit, from: self.whole(self.state.in_force()), to })
    }

    /// What a rollback would do to what is kept; `None` when it only drops what nobody has committed or confirmed.
    pub(super) fn back_change(&self) -> Result<Option<Change>, Refused> {
        let (back, version) = self.state.back().ok_or_else(|| no(Code::NoChange, ""))?;
        if back != Back::Kept {
            return Ok(None);
        }
        let to = self.whole(version);
        has_admin(&to.config)?;
        Ok(Some(Change { deed: Deed::Rollback, from: self.whole(self.state.in_force()), to }))
    }

    fn whole(&self, version: &Version) -> Whole {
        Whole { version: version.clone(), config: self.parse(&version.text).config }
    }

    /// What is pending, if it can come into force.
    fn next_version(&self) -> Result<(Version, Parsed), Refused> {
        let pending = self.state.pending().cloned().ok_or_else(|| no(Code::NoChange, ""))?;
        let parsed = self.parse(&pending.text);
        if let Some(problem) = parsed.problems.first() {
            let place = problem.place.map(|(line, column)| format!("line {line}, column {column}: "));
            return Err(no(Code::ConfigurationInvalid, format!("{}{problem}", place.unwrap_or_default())));
        }
        if parsed.config.shell.signed_changes != self.signed {
            return Err(no(Code::CardOnly, CARD_ONLY));
        }
        has_admin(&parsed.config)?;
        Ok((pending.settled(&parsed.config), parsed))
    }

    /// Brings what is pending into force, for good or until it is confirmed.
    pub(super) fn commit(&mut self, confirmed: Option<Duration>, at: Instant) -> Result<Brought, Refused> {
        let (version, parsed) = self.next_version()?;
        match confirmed.and_then(|time| at.checked_add(time)) {
            Some(ends) => {
                let time = jiff::SignedDuration::try_from(ends.saturating_duration_since(at));
                self.confirm_by = now().checked_add(time.unwrap_or_default()).ok();
                self.state.try_until(version, ends);
            }
            None => self.state.keep(version, |version| written(&self.disk, version, &self.base))?,
        }
        self.since = now();
        Ok(self.brought(parsed))
    }

    /// Keeps what was committed for a while.
    pub(super) fn confirm(&mut self) -> Result<(), Refused> {
        let confirmed = self.state.confirm(|version| written(&self.disk, version, &self.base));
        confirmed.unwrap_or_else(|| Err(no(Code::NoChange, "")))
    }

    /// Drops what is pending, or else takes the last commit back; then what is in force again.
    pub(super) fn rollback(&mut self) -> Result<Option<Brought>, Refused> {
        let taken = self.state.take_back(|version| written(&self.disk, version, &self.base));
        match taken.unwrap_or_else(|| Err(no(Code::NoChange, "")))? {
            Back::Pending => Ok(None),
            Back::Trial | Back::Kept => Ok(Some(self.again())),
        }
    }

    /// When the time to confirm is over: what is in force then, if it is.
    pub(super) fn overdue(&mut self, at: Instant) -> Option<Brought> {
        self.state.run_out(at).then(|| self.again())
    }

    fn again(&mut self) -> Brought {
        self.since = now();
        let parsed = self.parse(self.active());
        self.brought(parsed)
    }

    fn brought(&self, parsed: Parsed) -> Brought {
        let key_withheld = self.state.in_force().withholds_key(&parsed.config);
        Brought { parsed, key_withheld }
    }
}

fn has_admin(config: &Config) -> Result<(), Refused> {
    let mut admins = config.operators.iter().filter(|operator| operator.role == OperatorRole::Admin);
    if admins.any(|admin| admin.ssh_keys().next().is_some()) {
        return Ok(());
    }
    Err(no(Code::AdminMissing, ""))
}

fn written(disk: &Disk, version: &Version, base: &str) -> Result<(), Refused> {
    disk.keep(version, base)
        .map_err(|error| no(Code::JournalFailed, format!("the configuration cannot be written: {error}")))
}

#[cfg(test)]
mod tests;
