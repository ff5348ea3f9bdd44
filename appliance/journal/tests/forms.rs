//! Journals of every form that was released are read, and what is written now is what was written then: rows,
//! words and columns (docs/forms.md).
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use journal::Journal;
use keys::device::{Family, KeySerial, Kind, Slot};
use rusqlite::Connection;
use rusqlite::types::Value;
use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use station::engine::run::{Aside, KeyResult, RunId, RunPlan, RunState, Standing, Target};
use station::engine::server::Person;
use station::refusal::Code;
use station::token::TokenSerial;

const FORM_1: &str = include_str!("forms/form-1.sql");
const FORM_2_MORE: &str = include_str!("forms/form-2-more.sql");

fn written(directory: &Path, sql: &[&str]) -> PathBuf {
    let path = directory.join("journal.db");
    let connection = Connection::open(&path).unwrap();
    sql.iter().for_each(|sql| connection.execute_batch(sql).unwrap());
    path
}

fn id(number: u8) -> EnrollmentId {
    EnrollmentId::parse(&format!("{number:024x}")).unwrap()
}

struct Row(u8, State, Family, u32, u8, Kind, Remains, &'static str);

/// What the rows of form 1 say.
fn records() -> Vec<Record> {
    let rows = [
        Row(1, State::Done, Family::YubiKeyOtp, 12_345_678, 1, Kind::Hotp, Remains::Secret, "UBOM12345678_1"),
        Row(2, State::Undone, Family::NitrokeyPro, 0x5555, 0, Kind::Totp, Remains::Perhaps, "NK00005555_T0"),
        Row(
            3,
            State::Planned,
            Family::Nitrokey3,
            0xdead_beef,
            1,
            Kind::Hotp,
            Remains::Nothing,
            "NKDEADBEEF_1",
        ),
        Row(
            4,
            State::Registered,
            Family::YubiKeyOtp,
            u32::MAX,
            2,
            Kind::YubicoOtp,
            Remains::Nothing,
            "UBAM4294967295_2",
        ),
        Row(
            5,
            State::Written,
            Family::YubiKeyOtp,
            7,
            1,
            Kind::StaticPassword,
            Remains::Perhaps,
            "UBSM00000007_1",
        ),
        Row(
            6,
            State::Proven,
            Family::YubiKeyOtp,
            8,
            1,
            Kind::ChallengeResponse,
            Remains::Secret,
            "UBOM00000008_1",
        ),
        Row(7, State::Undoing, Family::YubiKeyOtp, 9, 1, Kind::Hotp, Remains::Secret, "UBOM00000009_1"),
        Row(8, State::Undone, Family::YubiKeyOtp, 10, 1, Kind::Hotp, Remains::Nothing, "UBOM00000010_1"),
    ];
    let person = |user: &str| Some(Person { user: user.to_owned(), realm: "office".to_owned() });
    rows.into_iter()
        .map(|Row(number, state, family, key, slot, kind, remains, token)| Record {
            enrollment: id(number),
            state,
            at: Duration::from_millis(1_795_279_095_122 + u64::from(number)),
            key: KeySerial { family, number: key },
            slot: Slot(slot),
            kind,
            remains,
            token: TokenSerial::new(token).unwrap(),
            profile: match number {
                2 => "pro",
                3 => "three",
                _ => "desk",
            }
            .to_owned(),
            person: match number {
                1 => person("jörg"),
                6 => person("alice"),
                _ => None,
            },
            actor: match number {
                1 => Actor::Operator("ada".to_owned()),
                2 | 3 => Actor::Armed,
                _ => Actor::Operator("eve".to_owned()),
            },
            port: match number {
                1 => "1-1.3",
                2 => "1-1.4",
                3 => "1-2",
                _ => "1-3",
            }
            .to_owned(),
            reason: match number {
                2 => Some(Code::PulledWhileWriting),
                7 => Some(Code::Released),
                // 9999 is of a version to come.
                _ => None,
            },
            given_up: None,
        })
        .collect()
}

#[test]
fn journals_of_every_form_are_read() {
    for sql in [&[FORM_1][..], &[FORM_1, FORM_2_MORE]] {
        let directory = tempfile::tempdir().unwrap();
        let path = written(directory.path(), sql);
        // The second time it has the newest form.
        for _ in 0..2 {
            let journal = Journal::open(&path).unwrap();
            assert_eq!(journal.all().unwrap(), records());
            assert_eq!(journal.unfinished().unwrap(), records()[2..7]);
            assert_eq!(journal.state_of(id(7)).unwrap(), Some(State::Undoing));
            assert_eq!(journal.state_of(id(99)).unwrap(), None);
        }
    }
}

#[test]
fn runs_of_form_2_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&written(directory.path(), &[FORM_1, FORM_2_MORE])).unwrap();
    let runs = journal.runs().unwrap();
    let states: Vec<_> = runs.iter().map(|run| (run.plan.name.as_str(), run.state)).collect();
    assert_eq!(
        states,
        [
            ("drawer", RunState::Finished),
            ("endless", RunState::Stopped),
            ("list", RunState::Paused),
            ("now", RunState::Running)
        ]
    );
    assert_eq!((runs[1].by.clone(), runs[0].active), (Actor::Armed, Duration::from_secs(61)));
    let key = |family, number| KeySerial { family, number };
    let result = |standing, code, at| KeyResult { standing, code, line: None, at: Duration::from_millis(at) };
    assert_eq!(
        runs[0].keys,
        [
            (key(Family::YubiKeyOtp, 12_345_678), result(Standing::Done, None, 1_795_279_095_123)),
            (
                key(Family::NitrokeyPro, 0x5555),
                result(Standing::Quarantined, Some(Code::PulledWhileWriting), 1_795_279_095_124)
            ),
            (
                key(Family::YubiKeyOtp, 10),
                result(Standing::Refused, Some(Code::SlotOccupied), 1_795_279_095_125)
            ),
        ]
    );
    let at = Duration::from_millis(1_795_279_095_126);
    assert_eq!(runs[2].claimed, [(key(Family::Nitrokey3, 0xdead_beef), Some(1), at)]);
    assert_eq!(journal.owed(None).unwrap(), records()[7..]);
    let newest = journal.newest_receipt().unwrap().unwrap();
    assert!(newest.starts_with("7:5070bee7"), "{newest}");
}

/// The rows of a table, as they lie on the disk.
fn rows(path: &Path, sql: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|n| row.get(n)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn what_is_written_now_are_the_rows_of_then() {
    const COLUMNS: &str = "SELECT id, state, at_ms, family, key_number, slot, kind, remains, token, profile, user, \
                           realm, operator, port, reason FROM enrollment ORDER BY id";
    let directory = tempfile::tempdir().unwrap();
    let then = written(directory.path(), &[FORM_1, FORM_2_MORE]);
    let now = directory.path().join("now.db");
    let mut journal = Journal::open(&now).unwrap();
    for record in records() {
        let path: &[State] = match record.state {
            State::Planned => &[],
            State::Registered => &[State::Planned],
            State::Written => &[State::Planned, State::Registered],
            State::Proven => &[State::Planned, State::Registered, State::Written],
            State::Done => &[State::Planned, State::Registered, State::Written, State::Proven],
            State::Undoing => &[State::Planned],
            State::Undone => &[State::Planned, State::Undoing],
        };
        for state in path {
            journal.write(&Record { state: *state, ..record.clone() }).unwrap();
        }
        // A reason that this version does not know can be read, and not be written.
        let reason = if record.enrollment == id(8) { Some(Code::Cancelled) } else { record.reason };
        journal.write(&Record { reason, ..record }).unwrap();
    }
    let mut wanted = rows(&then, COLUMNS);
    *wanted.last_mut().unwrap().last_mut().unwrap() = Value::Integer(4003);
    assert_eq!(rows(&now, COLUMNS), wanted);

    let plans = journal_of(&then).runs().unwrap().into_iter().map(|run| (run.plan, run.by, run.begun));
    for (plan, by, begun) in plans {
        journal.run_new(&plan, &by, begun).unwrap();
    }
    const RUNS: &str = "SELECT id, name, plan, operator, begun_ms FROM run ORDER BY id";
    assert_eq!(rows(&now, RUNS), rows(&then, RUNS));
    let first = RunPlan {
        name: "x".to_owned(),
        target: Target::Endless,
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    let run = journal.run_new(&first, &Actor::Armed, Duration::ZERO).unwrap();
    let key = KeySerial { family: Family::Nitrokey3, number: 5 };
    journal.run_claim(run, key, Some(3), Duration::from_millis(9)).unwrap();
    let keys = || rows(&now, "SELECT family, key_number, standing, code, line, at_ms FROM run_key");
    let text = |text: &str| Value::Text(text.to_owned());
    let number = Value::Integer;
    let claimed = vec![text("nitrokey3"), number(5), text("claimed"), Value::Null, number(3), number(9)];
    assert_eq!(keys(), [claimed]);
    let result = KeyResult {
        standing: Standing::Quarantined,
        code: Some(Code::OutcomeUnknown),
        line: Some(3),
        at: Duration::from_millis(10),
    };
    journal.run_result(run, key, &result).unwrap();
    let ended = vec![text("nitrokey3"), number(5), text("quarantined"), number(2050), number(3), number(10)];
    assert_eq!(keys(), [ended]);
}

/// Tables that came beside form 2: whoever does not know them reads the rest as before.
#[test]
fn what_came_beside_form_2_has_its_columns() {
    let directory = tempfile::tempdir().unwrap();
    let path = written(directory.path(), &[FORM_1, FORM_2_MORE]);
    let mut journal = Journal::open(&path).unwrap();
    let giving = Record {
        enrollment: id(20),
        state: State::Planned,
        given_up: Some("ccccccbchvth".to_owned()),
        ..records().remove(0)
    };
    journal.write(&giving).unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    let number = Value::Integer;
    let row = vec![text("000000000000000000000014"), text("ccccccbchvth")];
    assert_eq!(rows(&path, "SELECT id, public_id FROM given_up"), [row]);
    let at = Duration::from_millis(9);
    let failed = Aside { skipped: false, code: Some(Code::PersonUnknown), at };
    journal.run_lines(RunId(3), &[(0, Some(Aside::skipped(at))), (1, Some(failed))]).unwrap();
    let lines = rows(&path, "SELECT run, line, standing, code, at_ms FROM run_line ORDER BY line");
    let skipped = vec![number(3), number(0), text("skipped"), Value::Null, number(9)];
    assert_eq!(lines, [skipped, vec![number(3), number(1), text("set-aside"), number(2060), number(9)]]);
}

fn journal_of(path: &Path) -> Journal {
    Journal::open(path).unwrap()
}
