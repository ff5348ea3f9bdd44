//! Lists of people: who gets a key, as a table that any spreadsheet writes.
//!
//! ```csv
//! user,realm,profile,key,pin
//! ada,office,desk,,random
//! "O'Hara, Zoë",office,,12345678,none
//! ```
//!
//! The header names the columns, in any order; only `user` has to be there. The text is
//! UTF-8, with or without a byte order mark, divided by commas or semicolons. What is wrong is
//! said with line and column, all of it at once. A list holds no secret.

use core::fmt;
use std::collections::BTreeMap;

use keys::device::KeySerial;

use crate::engine::run::{Assignment, Run, RunPlan, Standing, Target};
use crate::engine::server::Person;
use crate::papers::stamp::Stamp;

pub(crate) mod csv;
mod directory;
pub(crate) mod named;

use csv::Field;
pub use directory::{Directory, Opinion, forms};
pub use named::{Named, NoName, same_realm};

/// The columns that a list may have.
pub const COLUMNS: [&str; 5] = ["user", "realm", "profile", "key", "pin"];

/// What becomes of the PIN of somebody's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PinPolicy {
    #[default]
    None,
    /// The station makes one up and puts it into the hand-over file.
    Random,
    /// The operator is asked, or the person types it at the operator's terminal.
    Ask,
}

impl PinPolicy {
    /// The word for it in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Random => "random",
            Self::Ask => "ask",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::None, Self::Random, Self::Ask].into_iter().find(|policy| policy.word() == word)
    }
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// For whom, as written.
    pub person: Named,
    /// How; without it, by the profile of the run.
    pub profile: Option<String>,
    /// With which key, by its serial; without it, with any.
    pub key: Option<String>,
    /// What becomes of the token's PIN.
    pub pin: PinPolicy,
    /// Where it stands in the file, counted from 1.
    pub line: usize,
}

/// Something wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// The longest list, and the longest name of a profile.
const MOST: usize = 100_000;
const LONGEST: usize = 320;

/// Reads a list. People whose realm is not named are of `default_realm`; without one, the server may know it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file, at most 50 things.
pub fn read(text: &str, default_realm: Option<&str>) -> Result<Vec<Entry>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let separator = if head.contains(';') && !head.contains(',') { ';' } else { ',' };
    let records = csv::records(text, separator).map_err(|wrong| {
        vec![Problem { line: wrong.line, column: wrong.column, problem: wrong.problem.to_owned() }]
    })?;
    let mut sheet = Sheet { default_realm, ..Sheet::default() };
    let mut records = records.into_iter();
    match records.next() {
        Some(header) => sheet.header(&header),
        None => sheet.wrong(1, 1, "the list is empty; its first line names the columns, such as user,realm"),
    }
    if sheet.problems.is_empty() {
        if records.len() > MOST {
            sheet.wrong(1, 1, format!("the list has over {MOST} lines"));
        } else {
            records.for_each(|record| sheet.entry(&record));
        }
        if sheet.entries.is_empty() && sheet.problems.is_empty() {
            sheet.wrong(1, 1, "the list names nobody");
        }
    }
    if sheet.problems.is_empty() { Ok(sheet.entries) } else { Err(sheet.problems) }
}

#[derive(Default)]
struct Sheet<'a> {
    default_realm: Option<&'a str>,
    /// Which column a field of each line is of.
    columns: Vec<&'static str>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    people: BTreeMap<(Named, Option<String>), usize>,
    keys: BTreeMap<String, usize>,
}

impl Sheet<'_> {
    fn wrong(&mut self, line: usize, column: usize, problem: impl Into<String>) {
        // Fifty are enough to see that it is the wrong file.
        if self.problems.len() < 50 {
            self.problems.push(Problem { line, column, problem: problem.into() });
        }
    }

    fn header(&mut self, header: &[Field]) {
        for field in header {
            let word = field.text.trim().to_lowercase();
            match COLUMNS.iter().find(|column| **column == word) {
                Some(column) if self.columns.contains(column) => {
                    self.wrong(field.line, field.column, format!("there are two columns {column}"));
                }
                Some(column) => self.columns.push(column),
                None => {
                    let name = quoted(&field.text);
                    let known = COLUMNS.join(", ");
                    self.wrong(
                        field.line,
                        field.column,
                        format!("there is no column {name}; there are {known}"),
                    );
                }
            }
        }
        if self.problems.is_empty() && !self.columns.contains(&"user") {
            self.wrong(1, 1, "the column user is missing");
        }
    }

    fn entry(&mut self, record: &[Field]) {
        let Some(first) = record.first() else { return };
        if record.len() != self.columns.len() {
            let problem =
                format!("the line has {} fields, and there are {} columns", record.len(), self.columns.len());
            return self.wrong(first.line, first.column, problem);
        }
        let before = self.problems.len();
        let field = |name: &str| {
            let place = self.columns.iter().position(|column| *column == name);
            place.and_then(|place| record.get(place)).filter(|field| !field.text.trim().is_empty())
        };
        let [user, realm, profile, key, pin] = COLUMNS.map(field);
        let profile = profile.and_then(|field| self.name(field));
        if user.is_none() {
            self.wrong(first.line, first.column, "the user is missing");
        }
        let in_realm = realm.map(|field| field.text.as_str()).or(self.default_realm);
        let person = user.and_then(|user| match Named::in_realm(&user.text, in_realm) {
            Ok(person) => Some(person),
            Err(error) => {
                self.wrong(user.line, user.column, error.to_string());
                None
            }
        });
        let key = key.and_then(|field| self.key(field));
        let pin = pin.map_or(PinPolicy::None, |field| {
            PinPolicy::from_word(&field.text.trim().to_lowercase()).unwrap_or_else(|| {
                let problem = format!("the pin is none, random or ask, and not {}", quoted(&field.text));
                self.wrong(field.line, field.column, problem);
                PinPolicy::None
            })
        });
        let Some(person) = person else { return };
        let at = user.unwrap_or(first);
        match self.people.get(&(person.folded(), profile.clone())) {
            Some(earlier) => {
                let problem = format!("{} is in line {earlier} already", quoted(&person.to_string()));
                self.wrong(at.line, at.column, problem);
            }
            None => drop(self.people.insert((person.folded(), profile.clone()), at.line)),
        }
        if self.problems.len() == before {
            self.entries.push(Entry { person, profile, key, pin, line: first.line });
        }
    }

    /// A name of somebody or something.
    fn name(&mut self, field: &Field) -> Option<String> {
        let name = field.text.trim();
        let problem = if name.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            "a name has no control characters, and is UTF-8"
        } else if name.chars().count() > LONGEST {
            "a name has at most 320 characters"
        } else {
            return Some(name.to_owned());
        };
        self.wrong(field.line, field.column, problem);
        None
    }

    fn key(&mut self, field: &Field) -> Option<String> {
        let key = field.text.trim();
        if key.len() > 16 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let problem =
                format!("{} is no serial of a key; it has digits, as printed on the key", quoted(key));
            self.wrong(field.line, field.column, problem);
            return None;
        }
        let plain = key.trim_start_matches('0').to_ascii_lowercase();
        if let Some(earlier) = self.keys.insert(plain, field.line) {
            self.wrong(field.line, field.column, format!("the key {key} is in line {earlier} already"));
        }
        Some(key.to_owned())
    }
}

/// A text of the list as it is repeated in an error.
fn quoted(text: &str) -> String {
    let short: String = text.trim().chars().take(40).filter(|c| !c.is_control()).collect();
    format!("'{short}'")
}

/// The people of a list as it is written, when no server is asked.
///
/// # Errors
/// Each line whose realm is missing.
pub fn unasked(list: &[Entry]) -> Result<Vec<Person>, Vec<Problem>> {
    let missing = "the realm is missing, and no other is named for the whole list";
    let wrong = |entry: &Entry| Problem { line: entry.line, column: 1, problem: missing.to_owned() };
    let problems: Vec<Problem> =
        list.iter().filter(|entry| entry.person.unasked().is_none()).map(wrong).take(50).collect();
    if problems.is_empty() {
        Ok(list.iter().filter_map(|entry| entry.person.unasked()).collect())
    } else {
        Err(problems)
    }
}

/// The list as a run takes it: line *n* of the run is entry *n* of the list, for the *n*th of `people`.
pub fn assignments(list: &[Entry], people: &[Person]) -> Vec<Assignment> {
    let assignment = |(entry, person): (&Entry, &Person)| Assignment {
        key: entry.key.clone(),
        person: Some((person.user.clone(), person.realm.clone())),
        random_pin: entry.pin == PinPolicy::Random,
    };
    list.iter().zip(people).map(assignment).collect()
}

/// The first line for somebody who has an earlier one for the same profile, written otherwise.
pub fn twice(list: &[Entry], people: &[Person]) -> Option<Problem> {
    let mut known = BTreeMap::new();
    list.iter().zip(people).find_map(|(entry, person)| {
        let who = (person.user.clone(), person.realm.to_lowercase(), entry.profile.clone());
        let earlier = known.insert(who, entry.line)?;
        Some(Problem {
            line: entry.line,
            column: 1,
            problem: format!("{person} is in line {earlier} already"),
        })
    })
}

/// Lists divided by profile, since a run has one. The profile of lines that name none is
/// `None`. In the order in which the profiles come up.
pub fn by_profile(list: &[Entry]) -> Vec<(Option<String>, Vec<Entry>)> {
    let mut parts: Vec<(Option<String>, Vec<Entry>)> = Vec::new();
    for entry in list {
        match parts.iter_mut().find(|(profile, _)| *profile == entry.profile) {
            Some((_, part)) => part.push(entry.clone()),
            None => parts.push((entry.profile.clone(), vec![entry.clone()])),
        }
    }
    parts
}

/// What a run of this list is asked for.
///
/// # Errors
/// Lines that name different profiles: such a list is to be divided [`by_profile`].
pub fn plan(name: &str, list: &[Entry], people: &[Person]) -> Result<RunPlan, Problem> {
    let first = list.first().and_then(|entry| entry.profile.clone());
    if let Some(other) = list.iter().find(|entry| entry.profile != first) {
        let problem = "a run has one profile, and this line names another; make a run of each".to_owned();
        return Err(Problem { line: other.line, column: 1, problem });
    }
    Ok(RunPlan {
        name: name.to_owned(),
        target: Target::List(assignments(list, people)),
        profile: first,
        overwrite_confirmed: false,
        factory: false,
    })
}

/// What became of each line, as a table; and of keys that were none of the list's. Whatever
/// a spreadsheet could take for a formula is defused.
pub fn results(run: &Run) -> String {
    let mut text = String::new();
    csv::write(&mut text, ["user", "realm", "key", "result", "reason", "time"]);
    let list: &[Assignment] = match &run.plan.target {
        Target::List(list) => list,
        _ => &[],
    };
    let keys: Vec<(KeySerial, crate::engine::run::KeyResult)> = run.keys().collect();
    for (line, entry) in (0_u32..).zip(list) {
        let mut mine = keys.iter().filter(|(_, result)| result.line == Some(line));
        // A key that is enrolled says more than one that was refused before.
        let done = mine.clone().find(|(_, result)| result.standing == Standing::Done);
        let (user, realm) = entry.person.clone().unwrap_or_default();
        let aside = run.aside().find(|(aside, _)| *aside == line).map(|(_, aside)| aside);
        match (done.or_else(|| mine.next()), aside) {
            (key, Some(aside)) => {
                let key =
                    key.map(|(key, _)| key.to_string()).or_else(|| entry.key.clone()).unwrap_or_default();
                let code = aside.code.map(|code| code.to_string()).unwrap_or_default();
                let time = Stamp::new(aside.at, 0).to_string();
                csv::write(&mut text, [&user, &realm, &key, aside.word(), &code, &time]);
            }
            (Some((key, result)), None) => row(&mut text, [&user, &realm], *key, *result),
            (None, None) => {
                let key = entry.key.as_deref().unwrap_or_default();
                csv::write(&mut text, [&user, &realm, key, "open", "", ""]);
            }
        }
    }
    for (key, result) in keys.iter().filter(|(_, result)| result.line.is_none()) {
        row(&mut text, ["", ""], *key, *result);
    }
    text
}

fn row(text: &mut String, [user, realm]: [&str; 2], key: KeySerial, result: crate::engine::run::KeyResult) {
    let (key, time) = (key.to_string(), Stamp::new(result.at, 0).to_string());
    let reason = result.code.map(|code| code.to_string()).unwrap_or_default();
    csv::write(text, [user, realm, &key, result.standing.word(), &reason, &time]);
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.person, f)
    }
}

#[cfg(test)]
mod tests;
