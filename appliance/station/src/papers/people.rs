//! Lists of people: who gets a key, as a table that any spreadsheet writes.
//!
//! ```csv
//! user,realm,profile,key,pin
//! ada,office,desk,,random
//! "O'Hara, Zoë",office,,12345678,none
//! ```
//!
//! The header names the columns, in any order; only `user` has to be there, under this name or one that directories
//! give it ([`SYNONYMS`]). Other columns are passed over and named. Fields are divided by commas, semicolons or tabs; what
//! spreadsheets leave behind the last column and the last person does no harm. What is wrong is
//! said with line and column, all of it at once. A list holds no secret.

use core::fmt;
use std::collections::BTreeMap;

use keys::device::KeySerial;
use table::Field;

use crate::engine::run::{Assignment, Run, RunPlan, Standing, Target};
use crate::engine::server::Person;
use crate::papers::stamp::Stamp;

mod directory;
mod header;
pub(crate) mod named;

pub use directory::{Directory, Opinion, forms};
pub use header::{List, Reading, SYNONYMS};
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

/// Reads a list whose columns have their own names. People whose realm is not named are of `default_realm`; without one, the
/// server may know it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file, at most 50 things.
pub fn read(text: &str, default_realm: Option<&str>) -> Result<Vec<Entry>, Vec<Problem>> {
    read_with(text, &Reading { default_realm, ..Reading::default() }).map(|list| list.entries)
}

/// Reads a list as a spreadsheet wrote it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file, at most 50 things.
pub fn read_with(text: &str, how: &Reading<'_>) -> Result<List, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (declared, text, before) = match table::declared(text) {
        Some((separator, rest)) => (Some(separator), rest, 1),
        None => (None, text, 0),
    };
    let separator = declared.unwrap_or_else(|| header::separator(text, how));
    let records = table::records(text, separator).map_err(|wrong| {
        vec![Problem { line: wrong.line + before, column: wrong.column, problem: wrong.problem.to_owned() }]
    })?;
    let mut sheet = Sheet { default_realm: how.default_realm, before, ..Sheet::default() };
    let mut records =
        records.into_iter().filter(|record| !record.iter().all(|field| field.text.trim().is_empty()));
    match records.next() {
        Some(header) => sheet.header(&header, how),
        None => sheet.wrong(1, 1, "the list is empty; its first line names the columns, such as user,realm"),
    }
    if sheet.problems.is_empty() {
        for (number, record) in records.enumerate() {
            if number == MOST {
                let line = record.first().map_or(0, |field| field.line);
                sheet.wrong(line, 1, format!("the list has over {MOST} lines"));
                break;
            }
            sheet.entry(&record);
        }
        if sheet.entries.is_empty() && sheet.problems.is_empty() {
            sheet.wrong(1, 1, "the list names nobody: below its first line is nothing");
        }
    }
    if sheet.problems.is_empty() {
        Ok(List { entries: sheet.entries, ignored: sheet.ignored })
    } else {
        Err(sheet.problems)
    }
}

#[derive(Default)]
struct Sheet<'a> {
    default_realm: Option<&'a str>,
    /// How many lines stand before the text that is read.
    before: usize,
    /// Which column a field of each line is of; `None` for one that is passed over.
    columns: Vec<Option<&'static str>>,
    ignored: Vec<String>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    people: BTreeMap<(Named, Option<String>), usize>,
    keys: BTreeMap<String, usize>,
}

impl Sheet<'_> {
    fn wrong(&mut self, line: usize, column: usize, problem: impl Into<String>) {
        // Fifty are enough to see that it is the wrong file.
        if self.problems.len() < 50 {
            self.problems.push(Problem { line: line + self.before, column, problem: problem.into() });
        }
    }

    fn entry(&mut self, record: &[Field]) {
        let Some(first) = record.first() else { return };
        // Spreadsheets leave out what is empty at the end of a line, and add what is empty behind the last column.
        let beyond = record.iter().skip(self.columns.len()).find(|field| !field.text.trim().is_empty());
        if let Some(field) = beyond {
            let problem =
                format!("{} stands behind the last of {} columns", quoted(&field.text), self.columns.len());
            return self.wrong(field.line, field.column, problem);
        }
        let before = self.problems.len();
        let used = record.iter().zip(&self.columns).filter(|(_, column)| column.is_some());
        let spoilt: Vec<(usize, usize, String)> = used.filter_map(|(field, _)| spoilt(field)).collect();
        if !spoilt.is_empty() {
            return spoilt.into_iter().for_each(|(line, column, problem)| self.wrong(line, column, problem));
        }
        let field = |name: &str| {
            let place = self.columns.iter().position(|column| *column == Some(name));
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
                let problem =
                    format!("{} is in line {} already", quoted(&person.to_string()), earlier + self.before);
                self.wrong(at.line, at.column, problem);
            }
            None => drop(self.people.insert((person.folded(), profile.clone()), at.line)),
        }
        if self.problems.len() == before {
            self.entries.push(Entry { person, profile, key, pin, line: first.line + self.before });
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
            let earlier = earlier + self.before;
            self.wrong(field.line, field.column, format!("the key {key} is in line {earlier} already"));
        }
        Some(key.to_owned())
    }
}

/// What a spreadsheet made of a field that names no person and no key any more.
fn spoilt(field: &Field) -> Option<(usize, usize, String)> {
    let said = match table::damage(&field.text) {
        Some(damage) => format!("{}: {damage}", quoted(&field.text)),
        None if table::is_formula(&field.text) => {
            format!(
                "{} is a formula, and a list has texts; copy the column and paste its values",
                quoted(&field.text)
            )
        }
        None => return None,
    };
    Some((field.line, field.column, said))
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
    table::write(&mut text, ["user", "realm", "key", "result", "reason", "time"]);
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
                table::write(&mut text, [&user, &realm, &key, aside.word(), &code, &time]);
            }
            (Some((key, result)), None) => row(&mut text, [&user, &realm], *key, *result),
            (None, None) => {
                let key = entry.key.as_deref().unwrap_or_default();
                table::write(&mut text, [&user, &realm, key, "open", "", ""]);
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
    table::write(text, [user, realm, &key, result.standing.word(), &reason, &time]);
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.person, f)
    }
}

#[cfg(test)]
mod tests;
