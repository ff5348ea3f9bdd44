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

use crate::run::{Assignment, Run, RunPlan, Standing, Target};
use crate::server::Person;
use crate::stamp::Stamp;

pub(crate) mod csv;

use csv::Field;

/// The columns that a list may have.
pub const COLUMNS: [&str; 5] = ["user", "realm", "profile", "key", "pin"];

/// What becomes of the PIN of somebody's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PinPolicy {
    /// It has none.
    #[default]
    None,
    /// The station makes one up and puts it into the hand-over file.
    Random,
    /// The operator is asked, or the person types it at the operator's terminal.
    Ask,
}

impl PinPolicy {
    /// The word for it in lists.
    #[must_use]
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
    /// For whom.
    pub person: Person,
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

/// The longest list and the longest name. The server's columns for logins have 320 characters
/// (privacyIDEA, models/token.py, `TokenOwner.user_id`).
const MOST: usize = 100_000;
const LONGEST: usize = 320;

/// Reads a list. People whose realm is not named are of `default_realm`.
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
    people: BTreeMap<(String, String, Option<String>), usize>,
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
        let named = [user, realm, profile].map(|field| field.and_then(|field| self.name(field)));
        let [user_name, realm_name, profile] = named;
        if user.is_none() {
            self.wrong(first.line, first.column, "the user is missing");
        }
        let realm_name = realm_name.or_else(|| self.default_realm.map(str::to_owned));
        if realm_name.is_none() && realm.is_none() {
            self.wrong(
                first.line,
                first.column,
                "the realm is missing, and no other is named for the whole list",
            );
        }
        let key = key.and_then(|field| self.key(field));
        let pin = pin.map_or(PinPolicy::None, |field| {
            PinPolicy::from_word(&field.text.trim().to_lowercase()).unwrap_or_else(|| {
                let problem = format!("the pin is none, random or ask, and not {}", quoted(&field.text));
                self.wrong(field.line, field.column, problem);
                PinPolicy::None
            })
        });
        let (Some(user_name), Some(realm_name)) = (user_name, realm_name) else { return };
        // Realms are kept in lower case by the server.
        let who = (user_name.clone(), realm_name.to_lowercase(), profile.clone());
        let at = user.unwrap_or(first);
        match self.people.get(&who) {
            Some(earlier) => {
                let problem = format!("{}@{realm_name} is in line {earlier} already", quoted(&user_name));
                self.wrong(at.line, at.column, problem);
            }
            None => drop(self.people.insert(who, at.line)),
        }
        if self.problems.len() == before {
            let person = Person { user: user_name, realm: realm_name };
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

/// The list as a run takes it: line *n* of the run is entry *n* of the list.
#[must_use]
pub fn assignments(list: &[Entry]) -> Vec<Assignment> {
    let assignment = |entry: &Entry| Assignment {
        key: entry.key.clone(),
        person: Some((entry.person.user.clone(), entry.person.realm.clone())),
        random_pin: entry.pin == PinPolicy::Random,
    };
    list.iter().map(assignment).collect()
}

/// Lists divided by profile, since a run has one. The profile of lines that name none is
/// `None`. In the order in which the profiles come up.
#[must_use]
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
pub fn plan(name: &str, list: &[Entry]) -> Result<RunPlan, Problem> {
    let first = list.first().and_then(|entry| entry.profile.clone());
    if let Some(other) = list.iter().find(|entry| entry.profile != first) {
        let problem = "a run has one profile, and this line names another; make a run of each".to_owned();
        return Err(Problem { line: other.line, column: 1, problem });
    }
    Ok(RunPlan {
        name: name.to_owned(),
        target: Target::List(assignments(list)),
        profile: first,
        overwrite_confirmed: false,
    })
}

/// What became of each line, as a table; and of keys that were none of the list's. Whatever
/// a spreadsheet could take for a formula is defused.
#[must_use]
pub fn results(run: &Run) -> String {
    let mut text = String::new();
    csv::write(&mut text, ["user", "realm", "key", "result", "reason", "time"]);
    let list: &[Assignment] = match &run.plan.target {
        Target::List(list) => list,
        _ => &[],
    };
    let keys: Vec<(KeySerial, crate::run::KeyResult)> = run.keys().collect();
    for (line, entry) in (0_u32..).zip(list) {
        let mut mine = keys.iter().filter(|(_, result)| result.line == Some(line));
        // A key that is enrolled says more than one that was refused before.
        let done = mine.clone().find(|(_, result)| result.standing == Standing::Done);
        let (user, realm) = entry.person.clone().unwrap_or_default();
        match done.or_else(|| mine.next()) {
            Some((key, result)) => row(&mut text, [&user, &realm], *key, *result),
            None => {
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

fn row(text: &mut String, [user, realm]: [&str; 2], key: KeySerial, result: crate::run::KeyResult) {
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
mod tests {
    use core::time::Duration;

    use keys::device::Family;
    use proptest::prelude::*;

    use super::*;
    use crate::record::Actor;
    use crate::refusal::Code;
    use crate::run::RunId;

    fn problems(text: &str) -> Vec<String> {
        read(text, None).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_of_spreadsheets_are_read() {
        let text = "\u{feff}PIN;Key;user;Realm\r\nrandom;00012345;\"O'Hara; Zoë\";büro\r\n;;müller;büro\r\n";
        let list = read(text, None).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].person, Person { user: "O'Hara; Zoë".into(), realm: "büro".into() });
        assert_eq!(
            (list[0].key.as_deref(), list[0].pin, list[0].line),
            (Some("00012345"), PinPolicy::Random, 2)
        );
        assert_eq!(
            (list[1].key.as_deref(), list[1].pin, list[1].profile.as_deref()),
            (None, PinPolicy::None, None)
        );
        let list = read("user\nada\n", Some("office")).unwrap();
        assert_eq!(list[0].person.to_string(), "ada@office");
        assert_eq!(assignments(&list)[0].person, Some(("ada".into(), "office".into())));
    }

    #[test]
    fn everything_wrong_is_said_with_line_and_column() {
        assert!(problems("user,realm,mail\n")[0].starts_with("line 1, column 12: there is no column 'mail'"));
        assert!(problems("realm\noffice\n")[0].contains("column user is missing"));
        assert!(problems("user,user\n")[0].starts_with("line 1, column 6: there are two"));
        assert!(problems("")[0].contains("empty"));
        assert!(problems("user,realm\n")[0].contains("names nobody"));
        let text = "user,realm,key,pin\nada,office,7,\n,office,8,\nada,Office,0007,x\nbob,,1-2,\nc\n";
        let got = problems(text);
        let wanted = [
            "line 3, column 1: the user is missing",
            "line 4, column 12: the key 0007 is in line 2 already",
            "line 4, column 17: the pin is none, random or ask",
            "line 4, column 1: 'ada'@Office is in line 2 already",
            "line 5, column 1: the realm is missing",
            "line 5, column 6: '1-2' is no serial",
            "line 6, column 1: the line has 1 fields",
        ];
        for wanted in wanted {
            assert!(got.iter().any(|got| got.starts_with(wanted)), "{wanted}: {got:#?}");
        }
        assert_eq!(got.len(), wanted.len());
        assert!(problems("user,realm\n\"a,b")[0].starts_with("line 2, column 1: its quotes"));
        assert!(problems("user,realm\n\"a\nb\",c")[0].contains("control"));
    }

    #[test]
    fn a_person_may_have_a_key_of_each_profile_in_runs_of_their_own() {
        let list = read("user,realm,profile\nada,o,desk\nbob,o,desk\nada,o,vault\n", None).unwrap();
        assert_eq!(plan("x", &list).unwrap_err().line, 4);
        let parts = by_profile(&list);
        assert_eq!(parts.iter().map(|(_, part)| part.len()).collect::<Vec<_>>(), [2, 1]);
        let plan = plan("x", &parts[0].1).unwrap();
        assert_eq!(plan.profile.as_deref(), Some("desk"));
        plan.check().unwrap();
    }

    #[test]
    fn results_name_every_line_and_run_no_formula() {
        let list = read("user,realm\n\"=HYPERLINK(\"\"x\"\")\",o\nbob,o\ncleo,o\n", None).unwrap();
        let plan = plan("x", &list).unwrap();
        let mut run = Run::new(RunId(1), plan, Actor::Operator("ada".to_owned()), Duration::ZERO);
        run.resume(Duration::ZERO).unwrap();
        let key = |number| KeySerial { family: Family::YubiKeyOtp, number };
        let (at, now) = (Duration::from_secs(1), Duration::ZERO);
        run.begin(key(7), Some(1));
        run.settle(key(7), Standing::Refused, Some(Code::NotTouched), at, now);
        run.begin(key(8), Some(1));
        run.settle(key(8), Standing::Done, None, at, now);
        let text = results(&run);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "user,realm,key,result,reason,time");
        assert_eq!(lines[1], "\"'=HYPERLINK(\"\"x\"\")\",o,,open,,");
        assert_eq!(lines[2], "bob,o,00000008,done,,1970-01-01T00:00:01.000+00:00");
        assert_eq!(lines[3], "cleo,o,,open,,");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_is_whole(text in "(user|realm|key|pin|profile|[a-z0-9\"',;\r\n äö=]){0,60}") {
            for entry in read(&text, Some("o")).unwrap_or_default() {
                prop_assert!(!entry.person.user.is_empty() && !entry.person.realm.is_empty());
            }
        }

        #[test]
        fn names_survive_the_way_through_a_table(names in prop::collection::btree_set("[a-zäöüß'\"., -]{0,10}[a-zé]", 1..8)) {
            let mut text = "user,realm\n".to_owned();
            for name in &names {
                text.push_str(&format!("\"{}\",o\n", name.replace('"', "\"\"")));
            }
            let trimmed: std::collections::BTreeSet<_> = names.iter().map(|name| name.trim().to_owned()).collect();
            prop_assume!(trimmed.len() == names.len());
            let read: Vec<_> = read(&text, None).unwrap().into_iter().map(|entry| entry.person.user).collect();
            prop_assert_eq!(read, names.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>());
        }
    }
}
