//! The journal gives back what it was given, in order, and refuses what cannot be.

use std::time::Duration;

use journal::{Journal, JournalError};
use keys::device::{Family, KeySerial, Kind, Slot};
use proptest::prelude::*;
use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use station::engine::server::Person;
use station::refusal::Code;
use station::token::TokenSerial;

fn record(number: u32) -> Record {
    let key = KeySerial { family: Family::YubiKeyOtp, number };
    Record {
        enrollment: EnrollmentId::random(&mut rand::rng()),
        state: State::Planned,
        at: Duration::from_millis(1_795_279_095_123),
        key,
        slot: Slot(1),
        kind: Kind::Hotp,
        remains: Remains::Nothing,
        token: TokenSerial::of(key, Kind::Hotp, Slot(1)),
        profile: "desk".to_owned(),
        person: Some(Person { user: "jörg".to_owned(), realm: "office".to_owned() }),
        actor: Actor::Operator("dave.o'neil".to_owned()),
        port: "1-1.3".to_owned(),
        reason: None,
        given_up: None,
    }
}

#[test]
fn what_was_given_up_stays_with_its_enrollment() {
    let mut journal = Journal::in_memory().unwrap();
    let (plain, mut giving) = (record(1), Record { given_up: Some("ccccccbchvth".to_owned()), ..record(2) });
    journal.write(&plain).unwrap();
    journal.write(&giving).unwrap();
    giving.state = State::Undone;
    journal.write(&giving).unwrap();
    assert_eq!(journal.all().unwrap(), [plain, giving]);
}

#[test]
fn a_trial_has_no_receipt() {
    let mut journal = Journal::in_memory().unwrap();
    let token = TokenSerial::new("UBOM00000001_1_TRIAL").unwrap();
    for token in [record(1).token, token] {
        let mut record = Record { token, ..record(1) };
        journal.write(&record).unwrap();
        record.state = State::Undone;
        journal.write(&record).unwrap();
    }
    let owed = journal.owed(None).unwrap();
    assert_eq!(owed.iter().map(|record| record.token.as_str()).collect::<Vec<_>>(), ["UBOM00000001_1"]);
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let mut journal = Journal::in_memory().unwrap();
    for kind in [Kind::Hotp, Kind::Totp, Kind::YubicoOtp, Kind::StaticPassword, Kind::ChallengeResponse] {
        for family in [Family::YubiKeyOtp, Family::NitrokeyPro, Family::Nitrokey3] {
            let mut written = record(u32::MAX);
            written.kind = kind;
            written.key.family = family;
            written.reason = Some(Code::ServerContradicts);
            journal.write(&written).unwrap();
            assert_eq!(journal.recall(written.key).unwrap().last(), Some(&written));
        }
    }
}

#[test]
fn the_newest_record_of_an_enrollment_counts() {
    let mut journal = Journal::in_memory().unwrap();
    let mut first = record(1);
    let mut second = record(1);
    journal.write(&first).unwrap();
    journal.write(&second).unwrap();
    for state in [State::Registered, State::Written, State::Proven, State::Done] {
        first.state = state;
        first.remains = Remains::Perhaps;
        journal.write(&first).unwrap();
    }
    assert_eq!(journal.recall(first.key).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(journal.unfinished().unwrap(), [second.clone()]);
    second.state = State::Undone;
    journal.write(&second).unwrap();
    assert!(journal.unfinished().unwrap().is_empty());
    assert_eq!(journal.count().unwrap(), [(State::Done, 1), (State::Undone, 1)]);
}

#[test]
fn records_out_of_order_are_refused_and_change_nothing() {
    let mut journal = Journal::in_memory().unwrap();
    for from in State::ALL {
        for to in State::ALL {
            let mut it = record(7);
            let path: &[State] = match from {
                State::Planned => &[State::Planned],
                State::Registered => &[State::Planned, State::Registered],
                State::Written => &[State::Planned, State::Registered, State::Written],
                State::Proven => &[State::Planned, State::Registered, State::Written, State::Proven],
                State::Done => {
                    &[State::Planned, State::Registered, State::Written, State::Proven, State::Done]
                }
                State::Undoing => &[State::Planned, State::Undoing],
                State::Undone => &[State::Planned, State::Undoing, State::Undone],
            };
            for state in path {
                it.state = *state;
                journal.write(&it).unwrap();
            }
            let before = it.clone();
            it.state = to;
            let result = journal.write(&it);
            let expected = if from.successors().contains(&to) { &it } else { &before };
            assert_eq!(result.is_ok(), from.successors().contains(&to), "{from:?} to {to:?}: {result:?}");
            assert_eq!(journal.recall(it.key).unwrap().last(), Some(expected));
        }
    }
    let mut new = record(8);
    new.state = State::Registered;
    assert!(matches!(journal.write(&new), Err(JournalError::OutOfOrder { from: "nothing", .. })));
}

#[test]
fn it_survives_being_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let written = record(3);
    Journal::open(&path).unwrap().write(&written).unwrap();
    assert_eq!(Journal::open(&path).unwrap().unfinished().unwrap(), [written]);
}

#[test]
fn people_are_forgotten_when_their_time_is_over_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut journal = Journal::open(&path).unwrap();
    let person = |name: &str| Some(Person { user: name.to_owned(), realm: "office".to_owned() });
    let done = |number: u32, name: &str, at: u64| {
        let states = [State::Planned, State::Registered, State::Written, State::Proven, State::Done];
        let base = record(number);
        states.map(|state| Record {
            state,
            person: person(name),
            at: Duration::from_secs(at),
            ..base.clone()
        })
    };
    for it in done(6, "goneperson", 100).iter().chain(&done(7, "stays", 300)) {
        journal.write(it).unwrap();
    }
    let open = Record { person: person("unfinished"), at: Duration::from_secs(100), ..record(8) };
    journal.write(&open).unwrap();
    assert_eq!(journal.forget_people(Duration::from_secs(200)).unwrap(), 1);
    let people: Vec<_> = journal.all().unwrap().into_iter().map(|it| it.person.map(|p| p.user)).collect();
    assert_eq!(people.iter().flatten().count(), 2, "{people:?}");
    assert_eq!(journal.forget_people(Duration::from_secs(200)).unwrap(), 0);
    let image = journal.image().unwrap();
    assert!(!image.windows(10).any(|part| part == b"goneperson"), "it is written over");
}

#[test]
fn a_torn_write_shows_the_record_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut it = record(4);
    let mut journal = Journal::open(&path).unwrap();
    journal.write(&it).unwrap();
    let before = std::fs::read(folder.path().join("journal.db-wal")).unwrap();
    it.state = State::Registered;
    journal.write(&it).unwrap();
    let after = std::fs::read(folder.path().join("journal.db-wal")).unwrap();
    // What the disk holds when the power goes after so many bytes of the second write.
    for length in (before.len()..=after.len()).step_by(61).chain([after.len()]) {
        let copy = tempfile::tempdir().unwrap();
        let torn = copy.path().join("journal.db");
        std::fs::copy(&path, &torn).unwrap();
        std::fs::write(copy.path().join("journal.db-wal"), &after[..length]).unwrap();
        let found = Journal::open(&torn).unwrap().recall(it.key).unwrap();
        let expected = if length == after.len() { State::Registered } else { State::Planned };
        assert_eq!(found.iter().map(|record| record.state).collect::<Vec<_>>(), [expected], "{length}");
    }
}

#[test]
fn faults_of_the_disk_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    std::fs::write(&path, b"this is no database, but it is long enough to be taken for one at first")
        .unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::Damaged(_))));

    let path = folder.path().join("newer.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::TooNew { found: 99 })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic(at in 0_usize..40_000, value: u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        {
            let mut journal = Journal::open(&path).unwrap();
            journal.write(&record(5)).unwrap();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(journal) = Journal::open(&path) {
            let _ = journal.unfinished();
            let _ = journal.recall(record(5).key);
            let _ = journal.count();
        }
    }
}
