//! Changes of the configuration by operators: pending, committed, confirmed, taken back.
//!
//! What is committed is a whole file on the state partition, beside the hash of the card's
//! file that it was made from. As long as the card's file stays the same, the committed
//! one is in force; when somebody prepares the card anew, the card wins and what was
//! committed is put aside. A commit that waits to be confirmed is only in memory, so
//! a station that it made unreachable is itself again after a power cut, too.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::types::Configuration;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use station::refusal::Code;
use toml_edit::{ArrayOfTables, DocumentMut, Item, TableLike, Value};
use zeroize::Zeroizing;

use super::credential::now;
use super::refuse::no;
use crate::config::{self, Beside, Config, Parsed, Problem};

type Refused = control::Refusal;

/// What is shown in place of a secret.
const MASK: &str = "(secret)";

/// The configuration as it is and as it may become.
pub(super) struct Changes {
    file: PathBuf,
    state: Option<PathBuf>,
    base: Zeroizing<String>,
    /// What is in force.
    active: Zeroizing<String>,
    /// What was in force before the last commit.
    previous: Option<Zeroizing<String>>,
    /// What operators have changed since.
    pending: Option<Zeroizing<String>>,
    confirm_by: Option<Timestamp>,
    since: Timestamp,
}

impl Changes {
    /// The configuration that is in force at the start.
    pub(super) fn open(file: &Path, state: Option<&Path>) -> (Self, Parsed) {
        let mut changes = Self {
            file: file.to_owned(),
            state: state.map(Path::to_owned),
            base: Zeroizing::default(),
            active: Zeroizing::default(),
            previous: None,
            pending: None,
            confirm_by: None,
            since: now(),
        };
        let parsed = changes.reopen();
        (changes, parsed)
    }

    /// Reads the card's file anew, and forgets what nobody has committed.
    pub(super) fn reopen(&mut self) -> Parsed {
        let (base, parsed) = config::load(&self.file).unwrap_or_else(|error| {
            let problem = Problem {
                place: None,
                field: String::new(),
                text: format!("{} cannot be read: {error}", self.file.display()),
                remedy: "Put enrollment.toml onto the card.".to_owned(),
            };
            (Zeroizing::default(), Parsed { config: Config::default(), problems: vec![problem] })
        });
        (self.previous, self.pending, self.confirm_by) = (None, None, None);
        self.since = now();
        self.base = base;
        self.active = self.base.clone();
        let Some(committed) = self.committed() else { return parsed };
        let mut parsed = self.parse(&committed);
        // What is wrong with the files on the card is so whatever operators have committed.
        parsed.problems.splice(0..0, config::notes(&self.beside()));
        self.active = committed;
        parsed
    }

    /// Reads a text as if it stood where the file stands.
    pub(super) fn parse(&self, text: &str) -> Parsed {
        config::parse(text, &self.beside())
    }

    fn beside(&self) -> Beside {
        Beside(self.file.parent().map(Path::to_owned).unwrap_or_default())
    }

    fn committed(&self) -> Option<Zeroizing<String>> {
        let state = self.state.as_ref()?;
        let of = std::fs::read_to_string(state.join("committed.of")).ok()?;
        let committed = state.join("committed.toml");
        if of.trim() == hash(&self.base) {
            return std::fs::read_to_string(committed).ok().map(Zeroizing::new);
        }
        tracing::warn!("the card's configuration was changed: what operators had committed is put aside");
        if let Err(error) = std::fs::rename(&committed, state.join("put-aside.toml")) {
            tracing::warn!("it cannot be put aside: {error}");
        }
        None
    }

    pub(super) fn shown(&self) -> Configuration {
        Configuration {
            file: self.file.display().to_string(),
            changed: *self.active != *self.base,
            pending: self.pending.is_some(),
            confirm_by: self.confirm_by,
            since: self.since,
        }
    }

    /// The configuration, or part of it, without secrets.
    pub(super) fn text(&self, path: Option<&str>, pending: bool) -> Result<String, Refused> {
        let text = if pending { self.pending.as_ref().unwrap_or(&self.active) } else { &self.active };
        let document = masked(text)?;
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
        let pending = self.pending.as_ref().unwrap_or(&self.active);
        let (from, to) = (masked(&self.active)?.to_string(), masked(pending)?.to_string());
        Ok(similar::TextDiff::from_lines(&from, &to)
            .unified_diff()
            .context_radius(2)
            .header("in force", "pending")
            .to_string())
    }

    /// Changes a field of what is pending.
    pub(super) fn set(&mut self, path: &str, value: Option<&str>) -> Result<(), Refused> {
        let mut document = self.document()?;
        let parts: Vec<&str> = path.split('.').collect();
        let well_formed = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        if !parts.iter().all(well_formed) || parts.len() < 2 {
            return Err(no(Code::InputInvalid, format!("{path} is no path such as server.url")));
        }
        let value = value.map(value_of).transpose()?;
        let Some((last, tables)) = parts.split_last() else { return Ok(()) };
        let mut table: &mut dyn TableLike = document.as_table_mut();
        let mut tables = tables.iter().peekable();
        while let Some(part) = tables.next() {
            let missing = || no(Code::InputInvalid, format!("{part} in {path} is no table"));
            // A list of tables, such as operators: the next part says which, from 1.
            if table.get(part).is_some_and(Item::is_array_of_tables) {
                let number =
                    tables.next().and_then(|number| number.parse::<usize>().ok()).ok_or_else(missing)?;
                let list = table.get_mut(part).and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
                table = list.get_mut(number.wrapping_sub(1)).ok_or_else(missing)?;
                continue;
            }
            table = step(table, part).ok_or_else(missing)?;
        }
        match value {
            Some(value) => drop(table.insert(last, Item::Value(value))),
            None => drop(table.remove(last)),
        }
        let text = Zeroizing::new(document.to_string());
        // A name that does not exist is refused at once; what is not right yet may become so.
        let unknown = self.parse(&text).problems.into_iter().find(|problem| problem.field == path);
        if let Some(problem) = unknown {
            return Err(no(Code::InputInvalid, problem.to_string()));
        }
        self.pending = (*text != *self.active).then_some(text);
        Ok(())
    }

    /// Adds a rule for welcome keys to what is pending.
    pub(super) fn add_welcome(&mut self, fields: &str) -> Result<(), Refused> {
        let rule: DocumentMut = fields
            .parse()
            .map_err(|_| no(Code::InputInvalid, "the rule is not TOML, such as vendor = \"yubico\""))?;
        let mut document = self.document()?;
        let mut table = rule.as_table().clone();
        table.set_implicit(false);
        table.set_position(None);
        let list = document.entry("welcome").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let list = list.as_array_of_tables_mut();
        list.ok_or_else(|| no(Code::ConfigurationInvalid, "welcome is no list of tables; see config check"))?
            .push(table);
        self.propose(&document, "welcome")
    }

    /// Takes a rule for welcome keys out of what is pending.
    pub(super) fn remove_welcome(&mut self, number: u32) -> Result<(), Refused> {
        let mut document = self.document()?;
        let list = document.get_mut("welcome").and_then(Item::as_array_of_tables_mut);
        let at = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        let list = list.filter(|list| at < list.len());
        let list = list.ok_or_else(|| {
            no(
                Code::InputInvalid,
                format!("there is no rule {number}; config show welcome --pending shows them"),
            )
        })?;
        list.remove(at);
        if list.is_empty() {
            document.remove("welcome");
        }
        self.propose(&document, "welcome")
    }

    /// What is pending, or else in force, as a document.
    fn document(&self) -> Result<DocumentMut, Refused> {
        let from = self.pending.as_ref().unwrap_or(&self.active);
        from.parse().map_err(|_| no(Code::ConfigurationInvalid, "it is not TOML; see config check"))
    }

    /// Lets a document be pending, unless a new problem is in that section.
    fn propose(&mut self, document: &DocumentMut, section: &str) -> Result<(), Refused> {
        let text = Zeroizing::new(document.to_string());
        let inside = |problem: &Problem| problem.field.split('.').next() == Some(section);
        if let Some(problem) = self.parse(&text).problems.into_iter().find(inside) {
            return Err(no(Code::InputInvalid, problem.to_string()));
        }
        self.pending = (*text != *self.active).then_some(text);
        Ok(())
    }

    pub(super) fn check(&self, text: Option<&str>) -> Vec<Problem> {
        let text = text.unwrap_or_else(|| self.pending.as_ref().unwrap_or(&self.active));
        self.parse(text).problems
    }

    /// Brings what is pending into force, for good or until it is confirmed.
    pub(super) fn commit(&mut self, confirmed: Option<Duration>) -> Result<Parsed, Refused> {
        let pending = self.pending.clone().ok_or_else(|| no(Code::NoChange, ""))?;
        let parsed = self.parse(&pending);
        if let Some(problem) = parsed.problems.first() {
            let place = problem.place.map(|(line, column)| format!("line {line}, column {column}: "));
            return Err(no(Code::ConfigurationInvalid, format!("{}{problem}", place.unwrap_or_default())));
        }
        match confirmed {
            Some(time) => {
                let time = jiff::SignedDuration::try_from(time).unwrap_or_default();
                self.confirm_by = now().checked_add(time).ok();
            }
            None => {
                self.keep(&pending)?;
                self.confirm_by = None;
            }
        }
        // What a second commit before a confirmation takes back is the first one's beginning.
        if self.previous.is_none() || confirmed.is_none() || self.confirm_by.is_none() {
            self.previous = Some(self.active.clone());
        }
        self.active = pending;
        self.pending = None;
        self.since = now();
        Ok(parsed)
    }

    /// Keeps what was committed for a while.
    pub(super) fn confirm(&mut self) -> Result<(), Refused> {
        if self.confirm_by.is_none() {
            return Err(no(Code::NoChange, ""));
        }
        self.keep(&self.active)?;
        self.confirm_by = None;
        Ok(())
    }

    /// Drops what is pending, or else takes the last commit back; then what is in force again.
    pub(super) fn rollback(&mut self) -> Result<Option<Parsed>, Refused> {
        if self.pending.take().is_some() {
            return Ok(None);
        }
        let previous = self.previous.take().ok_or_else(|| no(Code::NoChange, ""))?;
        if self.confirm_by.take().is_none() {
            self.keep(&previous)?;
        }
        self.active = previous;
        self.since = now();
        Ok(Some(self.parse(&self.active)))
    }

    /// When the time to confirm is over: what is in force then, if it is.
    pub(super) fn overdue(&mut self, at: Timestamp) -> Option<Parsed> {
        let due = self.confirm_by.is_some_and(|by| by <= at);
        let pending = self.pending.take();
        let parsed = if due { self.rollback().ok().flatten() } else { None };
        self.pending = pending;
        parsed
    }

    /// Writes a configuration so that a power cut leaves the old one or the new one.
    fn keep(&self, text: &str) -> Result<(), Refused> {
        let Some(state) = &self.state else { return Ok(()) };
        let write = || -> io::Result<()> {
            if *text == **self.base {
                return match std::fs::remove_file(state.join("committed.toml")) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            replace(&state.join("committed.toml"), text)?;
            replace(&state.join("committed.of"), &hash(&self.base))
        };
        write()
            .map_err(|error| no(Code::JournalFailed, format!("the configuration cannot be written: {error}")))
    }
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out =
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&new, file)?;
    match file.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The table of that name; one that is not there is made.
fn step<'a>(table: &'a mut dyn TableLike, part: &str) -> Option<&'a mut dyn TableLike> {
    if table.get(part).is_none() {
        let mut new = toml_edit::Table::new();
        new.set_implicit(true);
        table.insert(part, Item::Table(new));
    }
    table.get_mut(part)?.as_table_like_mut()
}

/// A value as somebody types it: TOML, or a bare word.
fn value_of(text: &str) -> Result<Value, Refused> {
    if let Ok(value) = text.parse::<Value>() {
        return Ok(value);
    }
    if text.chars().any(char::is_control) {
        return Err(no(Code::InputInvalid, "a value is one line"));
    }
    Ok(Value::from(text))
}

/// A configuration with its secrets left out.
fn masked(text: &str) -> Result<DocumentMut, Refused> {
    let mut document: DocumentMut =
        text.parse().map_err(|_| no(Code::ConfigurationInvalid, "it is not TOML; see config check"))?;
    if let Some(server) = document.get_mut("server").and_then(Item::as_table_like_mut)
        && server.contains_key("api-key")
    {
        server.insert("api-key", toml_edit::value(MASK));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../../docs/enrollment.toml");

    fn opened(directory: &Path) -> Changes {
        let (card, state) = (directory.join("card"), directory.join("state"));
        for part in [&card, &state] {
            std::fs::create_dir_all(part).unwrap();
        }
        let file = card.join("enrollment.toml");
        if !file.exists() {
            std::fs::write(&file, TEXT).unwrap();
        }
        let (changes, parsed) = Changes::open(&file, Some(&state));
        assert_eq!(parsed.problems, []);
        changes
    }

    #[test]
    fn a_change_is_seen_committed_kept_and_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        changes.set("server.url", Some("https://other.example.org")).unwrap();
        changes.set("shell.idle-minutes", Some("5")).unwrap();
        let diff = changes.diff().unwrap();
        assert!(diff.contains("+url = \"https://other.example.org\""), "{diff}");
        assert!(changes.text(Some("server"), false).unwrap().contains("pi.example.org"));
        let parsed = changes.commit(None).unwrap();
        assert_eq!(parsed.config.shell.idle_minutes.number(), 5);
        assert!(changes.shown().changed && !changes.shown().pending);
        let mut again = opened(directory.path());
        assert!(again.text(Some("server.url"), false).unwrap().contains("other.example.org"));
        assert_eq!(again.rollback().unwrap_err().code, Code::NoChange.to_string());
        changes.rollback().unwrap().unwrap();
        assert!(opened(directory.path()).text(Some("server.url"), false).unwrap().contains("pi.example.org"));
    }

    #[test]
    fn a_commit_that_nobody_confirms_is_gone_with_the_power_or_after_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        changes.set("station.name", Some("\"other\"")).unwrap();
        changes.commit(Some(Duration::from_secs(60))).unwrap();
        assert!(!opened(directory.path()).shown().changed);
        assert!(changes.overdue(now()).is_none());
        let late = now().checked_add(jiff::SignedDuration::from_secs(61)).unwrap();
        assert_eq!(changes.overdue(late).unwrap().config.station.name.as_str(), "desk-1");
        assert!(changes.overdue(late).is_none());
        changes.set("station.name", Some("other")).unwrap();
        changes.commit(Some(Duration::from_secs(60))).unwrap();
        changes.confirm().unwrap();
        assert!(opened(directory.path()).shown().changed);
    }

    // It comes back as it was before the commit for good.
    #[should_panic(expected = "what the disk says is not in force")]
    #[test]
    fn what_comes_back_is_what_the_disk_says() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        changes.set("station.name", Some("for-good")).unwrap();
        changes.commit(None).unwrap();
        changes.set("station.name", Some("for-a-minute")).unwrap();
        changes.commit(Some(Duration::from_secs(60))).unwrap();
        let late = now().checked_add(jiff::SignedDuration::from_secs(61)).unwrap();
        changes.overdue(late).unwrap();
        let kept = opened(directory.path()).text(Some("station"), false).unwrap();
        assert_eq!(changes.text(Some("station"), false).unwrap(), kept, "what the disk says is not in force");
    }

    #[test]
    fn a_card_that_was_prepared_anew_wins() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        changes.set("station.name", Some("other")).unwrap();
        changes.commit(None).unwrap();
        let card = directory.path().join("card/enrollment.toml");
        std::fs::write(&card, TEXT.replace("desk-1", "desk-2")).unwrap();
        let changes = opened(directory.path());
        assert!(!changes.shown().changed);
        assert!(directory.path().join("state/put-aside.toml").exists());
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        for (path, value) in [
            ("server.ulr", "x"),
            ("station.name", "Nö"),
            ("station", "x"),
            ("a..b", "x"),
            ("station.name.x", "1"),
        ] {
            assert!(changes.set(path, Some(value)).is_err(), "{path}");
            assert!(!changes.shown().pending, "{path}");
        }
        changes.set("station.mode", Some("armed")).unwrap();
        changes.set("profile.desk.key-pin", Some("asked")).unwrap_err();
        changes.set("profile.desk", None).unwrap();
        assert_eq!(
            changes.commit(None).map(|_| ()).unwrap_err().code,
            Code::ConfigurationInvalid.to_string()
        );
        changes.rollback().unwrap();
        assert!(!changes.shown().pending);
    }

    #[test]
    fn secrets_are_masked() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        changes.set("server.api-key", Some("aaa.bbb.ccc")).unwrap();
        let shown = changes.text(None, true).unwrap() + &changes.diff().unwrap();
        assert!(shown.contains(MASK) && !shown.contains("bbb"), "{shown}");
    }
}
