//! The report: which person got which key, when, and how it ended.
//!
//! It is made from the journal's records, so that it tells of every enrollment of a stretch of time, with and without a run; for a run
//! with a list it also tells of the lines that have no key yet. Times are given to it in words, since only the daemon knows in
//! which time zone the station is. It holds no secret.

use core::time::Duration;

use crate::engine::record::{EnrollmentId, Record, State};
use crate::engine::run::{Assignment, Standing};

/// The columns, as a table and JSON have them.
pub const COLUMNS: [&str; 10] =
    ["user", "realm", "key", "token", "port", "profile", "time", "outcome", "proof", "by"];

/// One enrollment, or one line of a list that has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// The login; empty where the token is for nobody.
    pub user: String,
    /// The realm.
    pub realm: String,
    /// The key's serial.
    pub key: String,
    /// The token; empty where there is none.
    pub token: String,
    /// The USB port.
    pub port: String,
    /// The profile's name.
    pub profile: String,
    /// Since 1970; `None` where nothing has happened yet.
    pub at: Option<Duration>,
    /// `enrolled`, `unfinished`, `undone E1234`, `open`, `skipped`, `set-aside E1234`.
    pub outcome: String,
    /// `proven`, when the key has given a right code and the server has taken it.
    pub proof: String,
    /// Who let it happen.
    pub by: String,
}

/// The newest record of each enrollment that was touched in that time, oldest first. Trials are none.
#[must_use]
pub fn between(records: &[Record], from: Duration, to: Duration) -> Vec<ReportLine> {
    newest(records, from).filter(|record| record.at < to).map(ReportLine::of).collect()
}

/// A run: the enrollments of its keys since it began, in the order of its list, then keys that were none of the list's, then
/// lines without a key. `standing` says of each line of the list what became of it without a key.
#[must_use]
pub fn of_run(
    records: &[Record],
    begun: Duration,
    list: &[Assignment],
    standing: impl Fn(u32) -> (Option<String>, String),
    keys: &[(String, Option<u32>, Standing)],
) -> Vec<ReportLine> {
    let mine: Vec<&Record> = newest(records, begun)
        .filter(|record| keys.iter().any(|(key, ..)| *key == record.key.to_string()))
        .collect();
    let line_of = |record: &Record| {
        let key = record.key.to_string();
        keys.iter().find(|(other, line, _)| *other == key && line.is_some()).and_then(|(_, line, _)| *line)
    };
    let mut lines = Vec::new();
    for (at, assignment) in (0_u32..).zip(list) {
        let (key, outcome) = standing(at);
        let done =
            mine.iter().rev().find(|record| line_of(record) == Some(at) && record.state == State::Done);
        match done.or_else(|| mine.iter().rev().find(|record| line_of(record) == Some(at))) {
            Some(record) => lines.push(ReportLine::of(record)),
            None => {
                let (user, realm) = assignment.person.clone().unwrap_or_default();
                lines.push(ReportLine {
                    user,
                    realm,
                    key: key.unwrap_or_default(),
                    outcome,
                    ..ReportLine::empty()
                });
            }
        }
    }
    lines.extend(mine.iter().filter(|record| line_of(record).is_none()).map(|record| ReportLine::of(record)));
    lines
}

/// The newest record of each enrollment from then on, oldest first.
fn newest(records: &[Record], from: Duration) -> impl Iterator<Item = &Record> {
    let last = |id: EnrollmentId| records.iter().rposition(|record| record.enrollment == id);
    let is_last = move |(at, record): &(usize, &Record)| last(record.enrollment) == Some(*at);
    let wanted = move |record: &&Record| record.at >= from && !record.token.is_trial();
    records.iter().enumerate().filter(is_last).map(|(_, record)| record).filter(wanted)
}

impl ReportLine {
    fn empty() -> Self {
        Self {
            user: String::new(),
            realm: String::new(),
            key: String::new(),
            token: String::new(),
            port: String::new(),
            profile: String::new(),
            at: None,
            outcome: String::new(),
            proof: String::new(),
            by: String::new(),
        }
    }

    fn of(record: &Record) -> Self {
        let (user, realm) = record
            .person
            .as_ref()
            .map(|person| (person.user.clone(), person.realm.clone()))
            .unwrap_or_default();
        let done = record.state == State::Done;
        let outcome = match (record.state, record.reason) {
            (State::Done, _) => "enrolled".to_owned(),
            (State::Undone, Some(code)) => format!("undone {code}"),
            (State::Undone, None) => "undone".to_owned(),
            _ => "unfinished".to_owned(),
        };
        Self {
            user,
            realm,
            key: record.key.to_string(),
            token: if done { record.token.to_string() } else { String::new() },
            port: record.port.clone(),
            profile: record.profile.clone(),
            at: Some(record.at),
            outcome,
            proof: if done { "proven".to_owned() } else { String::new() },
            by: record.actor.to_string(),
        }
    }

    /// Its texts, in the order of [`COLUMNS`]. `time` writes a time.
    pub fn texts(&self, time: impl Fn(Duration) -> String) -> [String; 10] {
        [
            self.user.clone(),
            self.realm.clone(),
            self.key.clone(),
            self.token.clone(),
            self.port.clone(),
            self.profile.clone(),
            self.at.map(time).unwrap_or_default(),
            self.outcome.clone(),
            self.proof.clone(),
            self.by.clone(),
        ]
    }
}

/// The report as a table that no spreadsheet runs.
#[must_use]
pub fn csv(lines: &[ReportLine], time: impl Fn(Duration) -> String) -> String {
    let mut text = String::new();
    table::write(&mut text, COLUMNS);
    for line in lines {
        let texts = line.texts(&time);
        table::write(&mut text, texts.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use keys::device::{Family, KeySerial, Kind, Slot};

    use super::*;
    use crate::engine::record::{Actor, Remains};
    use crate::engine::server::Person;
    use crate::refusal::Code;
    use crate::token::TokenSerial;

    fn record(id: u8, state: State, at: u64, key: u32, user: &str) -> Record {
        Record {
            enrollment: EnrollmentId::parse(&format!("{id:024x}")).unwrap(),
            state,
            at: Duration::from_secs(at),
            key: KeySerial { family: Family::YubiKeyOtp, number: key },
            slot: Slot(1),
            kind: Kind::Hotp,
            remains: Remains::Secret,
            token: TokenSerial::new(&format!("UBOM{key}_1")).unwrap(),
            profile: "desk".to_owned(),
            person: Some(Person { user: user.to_owned(), realm: "office".to_owned() }),
            actor: Actor::Operator("ada".to_owned()),
            port: "1-1.2".to_owned(),
            reason: None,
            given_up: None,
        }
    }

    fn records() -> Vec<Record> {
        let undone = Record { reason: Some(Code::NotTouched), ..record(2, State::Undone, 30, 8, "bob") };
        vec![
            record(1, State::Planned, 9, 7, "=ada"),
            record(1, State::Done, 10, 7, "=ada"),
            record(2, State::Planned, 20, 8, "bob"),
            undone,
            record(3, State::Written, 40, 9, "cleo"),
        ]
    }

    #[test]
    fn each_enrollment_of_the_time_is_told_once() {
        let all = between(&records(), Duration::ZERO, Duration::from_secs(100));
        let outcomes: Vec<&str> = all.iter().map(|line| line.outcome.as_str()).collect();
        assert_eq!(outcomes, ["enrolled", &format!("undone {}", Code::NotTouched), "unfinished"]);
        let some = between(&records(), Duration::from_secs(10), Duration::from_secs(30));
        assert_eq!(some.len(), 1);
        let text = csv(&some, |at| format!("{}+01:00", at.as_secs()));
        assert_eq!(
            text.lines().nth(1),
            Some("\"'=ada\",office,00000007,UBOM7_1,1-1.2,desk,10+01:00,enrolled,proven,ada")
        );
    }

    #[test]
    fn a_run_is_told_in_the_order_of_its_list() {
        let line = |user: &str| Assignment {
            key: None,
            person: Some((user.to_owned(), "office".to_owned())),
            random_pin: false,
        };
        let list = [line("open"), line("bob"), line("ada")];
        let key = |number: u32| record(0, State::Done, 0, number, "").key.to_string();
        let keys = [
            (key(7), Some(2), Standing::Done),
            (key(8), Some(1), Standing::Refused),
            (key(9), None, Standing::Refused),
        ];
        let told = of_run(&records(), Duration::ZERO, &list, |_| (None, "open".to_owned()), &keys);
        let shown: Vec<(&str, &str)> =
            told.iter().map(|l| (l.user.as_str(), l.outcome.split(' ').next().unwrap())).collect();
        assert_eq!(
            shown,
            [("open", "open"), ("bob", "undone"), ("=ada", "enrolled"), ("cleo", "unfinished")]
        );
    }
}
