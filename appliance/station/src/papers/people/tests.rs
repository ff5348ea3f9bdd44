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
    assert!(
        problems("realm,Mail\noffice,x\n")[0].contains("column user is missing; there are 'realm', 'Mail'")
    );
    assert!(problems("user,user\n")[0].starts_with("line 1, column 6: 'user' is a second column user"));
    assert!(problems("")[0].contains("empty"));
    assert!(problems("user,realm\n")[0].contains("names nobody"));
    let text = "user,realm,key,pin\nada,office,7,\n,office,8,\nada,Office,0007,x\nbob,,1-2,\nc,,,,x\n";
    let got = problems(text);
    let wanted = [
        "line 3, column 1: the user is missing",
        "line 4, column 12: the key 0007 is in line 2 already",
        "line 4, column 17: the pin is none, random or ask",
        "line 4, column 1: 'ada@Office' is in line 2 already",
        "line 5, column 6: '1-2' is no serial",
        "line 6, column 6: 'x' stands behind the last of 4 columns",
    ];
    for wanted in wanted {
        assert!(got.iter().any(|got| got.starts_with(wanted)), "{wanted}: {got:#?}");
    }
    assert_eq!(got.len(), wanted.len());
    assert!(problems("user,realm\n\"a,b")[0].starts_with("line 2, column 1: its quotes"));
    assert!(problems("user,realm\n\"a\nb\",c")[0].contains("control"));
}

fn listed(text: &str, how: Reading<'_>) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
    match read_with(text, &how) {
        Ok(list) => Ok((list.entries.iter().map(|e| e.person.to_string()).collect(), list.ignored)),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn what_directories_and_spreadsheets_make_is_read() {
    let office = Reading { default_realm: Some("office"), user_column: None };
    let two = ["alice@office", "bob@office"].map(str::to_owned).to_vec();
    for text in [
        "user;realm;;\nalice;office;;\nbob;office;;\n;;;\n;;;\n",
        "user;realm\nalice;office\n;\n;\nbob;office\n;\n",
        "sep=;\r\nuser;realm\r\nalice;office\r\nbob;office\r\n",
        "user\trealm\nalice\toffice\nbob\toffice\n",
        "user\ralice\rbob\r",
        "user\nalice\nbob",
        ";;\n;;\nuser;realm;\nalice;office\nbob\n",
        "USER ;Realm\nalice;office\nbob;office\n",
    ] {
        assert_eq!(listed(text, office), Ok((two.clone(), Vec::new())), "{text:?}");
    }
    let directory = "Name;sAMAccountName;Department;mail\nAlice A;alice;Sales;a@b\nBob, B;bob;;\n";
    let ignored = ["Name", "Department", "mail"].map(str::to_owned).to_vec();
    assert_eq!(listed(directory, office), Ok((two.clone(), ignored)));
    // The name itself is meant more than one that may be.
    let both = "login,user\nwrong,alice\nwrong,bob\n";
    assert_eq!(listed(both, office), Ok((two.clone(), vec!["login".to_owned()])));
    let unclear = "login,uid\nalice,1\nbob,2\n";
    assert_eq!(
        listed(unclear, office).unwrap_err(),
        ["line 1, column 7: 'uid' is a second column user; name the one with logins: --user-column NAME"]
    );
    let chosen = Reading { user_column: Some("Login"), ..office };
    assert_eq!(listed(unclear, chosen), Ok((two, vec!["uid".to_owned()])));
    let missing = Reading { user_column: Some("nick"), ..office };
    assert!(listed(unclear, missing).unwrap_err()[0].contains("no column 'nick'; there are 'login', 'uid'"));
}

#[test]
fn what_a_spreadsheet_spoilt_is_named_with_its_line() {
    let office = Reading { default_realm: Some("office"), user_column: None };
    let text = "sep=;\nuser;key;tel\n=B2;1;=C3\nada;1,23457E+07;\n#NV;3;\nbob;7;\nbob;0007;\n";
    let got = listed(text, office).unwrap_err();
    let wanted = [
        "line 3, column 1: '=B2' is a formula",
        "line 4, column 5: '1,23457E+07': the spreadsheet has rounded",
        "line 5, column 1: '#NV': this is a formula without a result",
        "line 7, column 5: the key 0007 is in line 6 already",
        "line 7, column 1: 'bob@office' is in line 6 already",
    ];
    for wanted in wanted {
        assert!(got.iter().any(|got| got.starts_with(wanted)), "{wanted}: {got:#?}");
    }
    assert_eq!(got.len(), wanted.len(), "{got:#?}");
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
    let list = read("user,realm\nx,o\nbob,o\ncleo,o\n", None).unwrap();
    // As a server may name somebody.
    let mut people = unasked(&list).unwrap();
    people[0].user = "=HYPERLINK(\"x\")".to_owned();
    let plan = plan("x", &list, &people).unwrap();
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
