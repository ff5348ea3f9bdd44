//! The first line of a list: which column is what.

use table::{Field, SEPARATORS};

use super::{COLUMNS, Entry, Sheet, quoted};

/// What directories and spreadsheets call the columns. A list that has the name itself needs none of these.
pub const SYNONYMS: [(&str, &[&str]); 4] = [
    (
        "user",
        &[
            "username",
            "user name",
            "user id",
            "userid",
            "uid",
            "login",
            "login name",
            "loginname",
            "logon name",
            "account",
            "account name",
            "accountname",
            "samaccountname",
            "sam account name",
            "userprincipalname",
            "upn",
            "benutzer",
            "benutzername",
            "benutzerkennung",
            "kennung",
            "anmeldename",
            "kontoname",
        ],
    ),
    ("realm", &["bereich"]),
    ("profile", &["profil"]),
    ("key", &["serial", "serial number", "key serial", "seriennummer", "schlüssel"]),
];

/// How a list is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading<'a> {
    /// The realm of people whose line names none.
    pub default_realm: Option<&'a str>,
    /// What the column of logins is called in this list.
    pub user_column: Option<&'a str>,
}

/// A list that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its lines.
    pub entries: Vec<Entry>,
    /// The columns that say nothing here, as they are called.
    pub ignored: Vec<String>,
}

/// The name of a column without case, and without what stands around it.
fn folded(name: &str) -> String {
    name.trim().trim_matches(|c: char| c == '\u{feff}' || c == '*').trim().to_lowercase()
}

/// Which of our columns one of that name is.
fn known(name: &str, how: &Reading<'_>) -> Option<&'static str> {
    let name = folded(name);
    match how.user_column.map(folded) {
        Some(user) if name == user => Some("user"),
        // The option says that no other column is it.
        Some(_) if meant(&name) == Some("user") => None,
        _ => meant(&name),
    }
}

fn meant(name: &str) -> Option<&'static str> {
    let own = COLUMNS.into_iter().find(|column| *column == name);
    own.or_else(|| SYNONYMS.iter().find(|(_, others)| others.contains(&name)).map(|(column, _)| *column))
}

/// What divides the fields of a list that does not say so: the separator by which its first line has the most columns that are
/// known, and then the most columns.
pub(super) fn separator(text: &str, how: &Reading<'_>) -> char {
    let head = text.split(['\n', '\r']).find(|line| !line.trim().is_empty()).unwrap_or_default();
    let score = |separator: char| {
        let record = table::records(head, separator).ok().and_then(|records| records.into_iter().next());
        let record = record.unwrap_or_default();
        (record.iter().filter(|field| known(&field.text, how).is_some()).count(), record.len())
    };
    SEPARATORS.into_iter().max_by_key(|separator| score(*separator)).unwrap_or(',')
}

impl Sheet<'_> {
    /// Reads the first line.
    pub(super) fn header(&mut self, header: &[Field], how: &Reading<'_>) {
        let found: Vec<Option<&'static str>> = header.iter().map(|field| known(&field.text, how)).collect();
        for (field, found) in header.iter().zip(&found) {
            let twice = |column: &&'static str| self.columns.contains(&Some(*column));
            match found {
                // A name of our own is meant more than one that only may be meant.
                Some(column) if folded(&field.text) != *column && self.own(header, column, how) => {
                    self.pass_over(field);
                }
                Some(column) if twice(column) => {
                    let option =
                        if *column == "user" { "; name the one with logins: --user-column NAME" } else { "" };
                    let problem = format!("{} is a second column {column}{option}", quoted(&field.text));
                    self.wrong(field.line, field.column, problem);
                }
                Some(column) => self.columns.push(Some(column)),
                None => self.pass_over(field),
            }
        }
        let (line, column) = header.first().map_or((1, 1), |field| (field.line, field.column));
        if self.problems.is_empty() && !self.columns.contains(&Some("user")) {
            let names: Vec<String> = header
                .iter()
                .filter(|field| !field.text.trim().is_empty())
                .map(|field| quoted(&field.text))
                .collect();
            let problem = match how.user_column {
                Some(name) => format!("there is no column {}; there are {}", quoted(name), names.join(", ")),
                None => format!(
                    "the column user is missing; there are {}; name the one with logins: --user-column NAME",
                    names.join(", ")
                ),
            };
            self.wrong(line, column, problem);
        }
    }

    fn pass_over(&mut self, field: &Field) {
        self.columns.push(None);
        let name = field.text.trim();
        if !name.is_empty() {
            self.ignored.push(name.chars().take(40).filter(|c| !c.is_control()).collect());
        }
    }

    /// Whether a column has this name itself.
    fn own(&self, header: &[Field], column: &str, how: &Reading<'_>) -> bool {
        how.user_column.is_none() && header.iter().any(|field| folded(&field.text) == column)
    }
}
