use core::time::Duration;

use keys::device::Family;
use proptest::prelude::*;

use super::*;
use crate::engine::record::Actor;
use crate::engine::run::RunId;
use crate::refusal::Code;

fn problems(text: &str) -> Vec<String> {
    read(text, None).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn lists_of_spreadsheets_are_read() {
    let text = "\u{feff}PIN;Key;user;Realm\r\nrandom;00012345;\"O'Hara; Zoë\";büro\r\n;;müller;büro\r\n";
    let list = read(text, None).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(unasked(&list).unwrap()[0], Person { user: "O'Hara; Zoë".into(), realm: "büro".into() });
    assert_eq!((list[0].key.as_deref(), list[0].pin, list[0].line), (Some("00012345"), PinPolicy::Random, 2));
    assert_eq!(
        (list[1].key.as_deref(), list[1].pin, list[1].profile.as_deref()),
        (None, PinPolicy::None, None)
    );
    let list = read("user\nada\n", Some("office")).unwrap();
    assert_eq!(list[0].person.to_string(), "ada@office");
    let people = unasked(&list).unwrap();
    assert_eq!(assignments(&list, &people)[0].person, Some(("ada".into(), "office".into())));
    // Without a realm there may be one answer at the server.
    let list = read("user,realm\nada,\nbob@office,\n", None).unwrap();
    assert_eq!(unasked(&list).unwrap_err()[0].line, 2);
    let office = |user: &str| Person { user: user.to_owned(), realm: "office".to_owned() };
    assert_eq!(twice(&list, &[office("ada"), office("bob")]), None);
    assert_eq!(twice(&list, &[office("bob"), office("bob")]).unwrap().line, 3);
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
        "line 4, column 1: 'ada@Office' is in line 2 already",
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
    assert_eq!(plan("x", &list, &unasked(&list).unwrap()).unwrap_err().line, 4);
    let parts = by_profile(&list);
    assert_eq!(parts.iter().map(|(_, part)| part.len()).collect::<Vec<_>>(), [2, 1]);
    let plan = plan("x", &parts[0].1, &unasked(&parts[0].1).unwrap()).unwrap();
    assert_eq!(plan.profile.as_deref(), Some("desk"));
    plan.check().unwrap();
}

#[test]
fn results_name_every_line_and_run_no_formula() {
    let list = read("user,realm\n\"=HYPERLINK(\"\"x\"\")\",o\nbob,o\ncleo,o\n", None).unwrap();
    let plan = plan("x", &list, &unasked(&list).unwrap()).unwrap();
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
            let person = entry.person.unasked().unwrap();
            prop_assert!(!person.user.is_empty() && !person.realm.is_empty());
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
        let read: Vec<_> = read(&text, None).unwrap().into_iter().map(|entry| entry.person.unasked().unwrap().user).collect();
        prop_assert_eq!(read, names.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    }
}
