//! What somebody at the desk can have done beside plain enrollments, through the control socket: phones,
//! registration codes, lists of people, sealed files, slots, welcome keys.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use control::sim::{Plug, Pull, TouchKey};
use control::types::*;
use control::{CallError, Client, Incoming, Secret};
use enrolld::service::Ring;
use sim::args::{Args, Command, Station};
use sim::explore::phone::Phone;
use sim::whole::Simulation;
use station::engine::phone::Question;
use zeroize::Zeroizing;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Somebody who can read what is handed over: the example of age's own documentation.
const READER: &str =
    "[hand-over]\nto = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\n";

fn args(directory: &Path, options: &[&str], more: &str) -> Station {
    let operator = directory.join("op.pub");
    std::fs::create_dir_all(directory).unwrap();
    // A key that nobody has.
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    std::fs::write(&operator, line).unwrap();
    let mut words = vec!["station-sim", "station", "--directory"];
    let (house, operator) = (directory.join("house"), operator.display().to_string());
    let house = house.display().to_string();
    words.extend([house.as_str(), "--operator-key", operator.as_str()]);
    words.extend(options);
    let Command::Station(mut station) = Args::parse_from(words).command else { panic!("not a station") };
    more.clone_into(&mut station.more);
    *station
}

async fn started(directory: &Path, options: &[&str], more: &str) -> (Simulation, Client) {
    let simulation = Simulation::start(&args(directory, options, more), Ring::new()).await.unwrap();
    let client = Client::local(&simulation.control());
    let problems = client.config_check(&ConfigCheck::default()).await.unwrap().problems;
    assert_eq!(problems, []);
    (simulation, client)
}

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.to_owned()))
}

fn code(error: &CallError) -> String {
    error.refusal().map(|refusal| refusal.code.clone()).unwrap_or_else(|| error.to_string())
}

async fn next<T: for<'a> serde::Deserialize<'a>>(incoming: &mut Incoming<T>) -> Option<T> {
    let next = tokio::time::timeout(TIMEOUT, incoming.next()).await.unwrap();
    next.map(|next| next.unwrap_or_else(|error| panic!("{error}")))
}

/// Waits until the station knows what the only key is.
async fn recognised(client: &Client) {
    let mut watching = client.watch().await.unwrap();
    loop {
        let event = next(&mut watching).await.unwrap();
        let known = |status: &Status| status.ports.iter().any(|port| port.key.is_some());
        if event.key.is_some() || event.status.as_deref().is_some_and(known) {
            return;
        }
    }
}

/// The last event; the only key is touched whenever that is wanted.
async fn last(client: &Client, mut events: Incoming<Event>) -> Event {
    let mut last = None;
    while let Some(event) = next(&mut events).await {
        if event.kind == EventKind::Touch {
            client.sim_touch(&TouchKey::default()).await.unwrap();
        }
        last = Some(event);
    }
    last.unwrap()
}

/// An app that has read a QR code; that a reader of its own reads the picture so is tried elsewhere.
fn app(news: &PhoneNews) -> Phone {
    assert!(news.rows.len() >= 21 && news.rows.iter().all(|row| row.expose().len() == news.rows.len()));
    Phone::scan(news.address.as_ref().unwrap().expose(), 1).unwrap()
}

/// What its owner reads off it.
fn read_off(app: &mut Option<Phone>, question: &Question) -> Secret {
    let unix = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    Secret::new(app.as_mut().unwrap().answer(question, unix).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_enrolled_by_its_code_and_taken_back_without() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), &[], "").await;
    let wanted = |person: &str| PhoneEnroll { person: person.to_owned(), ..PhoneEnroll::default() };
    let mut news = client.phone_enroll(&wanted("alice@office")).await.unwrap();
    let (mut phone, mut wrong_first, mut outcome) = (None, true, None);
    while let Some(told) = next(&mut news).await {
        match told.wish {
            PhoneWish::Show => phone = Some(app(&told)),
            PhoneWish::Code => {
                assert_eq!(told.wrong.is_none(), wrong_first, "{:?}", told.wrong);
                // Too short to be anybody's.
                let code = if std::mem::take(&mut wrong_first) {
                    secret("1")
                } else {
                    read_off(&mut phone, &Question::Code { wrong: None })
                };
                let answer = PhoneAnswer { ticket: told.ticket, answer: Some(code) };
                client.phone_answer(&answer).await.unwrap();
            }
            PhoneWish::Part => panic!("nobody wanted two steps"),
            PhoneWish::Over => outcome = told.outcome,
        }
    }
    let outcome = outcome.unwrap();
    assert_eq!((outcome.ending, outcome.attempts), (Ending::Enrolled, Some(2)), "{outcome:?}");
    let serial = outcome.token.unwrap();
    let token = client.token_show(&ByToken { serial: serial.clone() }).await.unwrap();
    assert!(token.active && token.person.as_deref() == Some("alice@office"), "{token:?}");

    // Whoever gives up, and whoever hangs up, leaves nothing behind.
    let mut news = client.phone_enroll(&wanted("bob@office")).await.unwrap();
    let mut outcome = None;
    while let Some(told) = next(&mut news).await {
        if told.wish == PhoneWish::Code {
            client.phone_answer(&PhoneAnswer { ticket: told.ticket, answer: None }).await.unwrap();
            let late = PhoneAnswer { ticket: told.ticket + 1, answer: None };
            assert!(client.phone_answer(&late).await.is_err());
        }
        outcome = told.outcome.or(outcome);
    }
    assert_eq!(outcome.unwrap().ending, Ending::Undone);
    let mut news = client.phone_enroll(&wanted("bob@office")).await.unwrap();
    while next(&mut news).await.unwrap().wish != PhoneWish::Code {}
    // The station stops in the middle: it takes the token back first.
    simulation.stop().await.unwrap();
    drop(news);
    let (simulation, client) = started(directory.path(), &[], "").await;
    let status = client.status().await.unwrap();
    assert_eq!(status.unsettled, [], "{status:?}");
    let pages = client.receipts_list(&ReceiptsList::default()).await.unwrap().all().await.unwrap();
    let receipts: Vec<_> = pages.into_iter().flat_map(|page| page.receipts).collect();
    let of_phones: Vec<(&str, bool)> = receipts
        .iter()
        .filter(|one| one.token.as_deref().is_some_and(|token| token.starts_with("PHON")))
        .map(|one| (one.ending.as_str(), one.key.is_none()))
        .collect();
    assert_eq!(of_phones.iter().filter(|one| **one == ("enrolled", true)).count(), 1, "{of_phones:?}");
    assert_eq!(of_phones.iter().filter(|one| **one == ("undone", true)).count(), 2, "{of_phones:?}");
    for (person, why) in [("nobody@office", "E"), ("alice", "E")] {
        let refused = match client.phone_enroll(&wanted(person)).await {
            Err(error) => code(&error),
            Ok(mut news) => {
                let mut refusal = None;
                while let Some(told) = next(&mut news).await {
                    if told.wish == PhoneWish::Code {
                        client
                            .phone_answer(&PhoneAnswer { ticket: told.ticket, answer: None })
                            .await
                            .unwrap();
                    }
                    refusal = told.outcome.and_then(|outcome| outcome.refusal).or(refusal);
                }
                refusal.unwrap().code
            }
        };
        assert!(refused.starts_with(why), "{person}: {refused}");
    }
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_and_the_server_make_a_secret_together() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), &["--policy", "twostep-allow"], "").await;
    let wanted =
        PhoneEnroll { person: "carol@office".to_owned(), two_step: Some(true), ..PhoneEnroll::default() };
    let mut news = client.phone_enroll(&wanted).await.unwrap();
    let (mut phone, mut mistyped, mut outcome) = (None, true, None);
    while let Some(told) = next(&mut news).await {
        let answer = match told.wish {
            PhoneWish::Show => {
                phone = Some(app(&told));
                continue;
            }
            PhoneWish::Part if std::mem::take(&mut mistyped) => secret("AAAA AAAA"),
            PhoneWish::Part => {
                assert!(told.wrong.is_some());
                read_off(&mut phone, &Question::Component { letters: 20, typo: None })
            }
            PhoneWish::Code => read_off(&mut phone, &Question::Code { wrong: None }),
            PhoneWish::Over => {
                outcome = told.outcome;
                continue;
            }
        };
        client.phone_answer(&PhoneAnswer { ticket: told.ticket, answer: Some(answer) }).await.unwrap();
    }
    let outcome = outcome.unwrap();
    assert_eq!(outcome.ending, Ending::Enrolled, "{outcome:?}");
    let token = client.token_show(&ByToken { serial: outcome.token.unwrap() }).await.unwrap();
    assert!(token.active && token.person.as_deref() == Some("carol@office"), "{token:?}");
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_worked_off_line_by_line_with_pins_in_sealed_files() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), &[], READER).await;
    let list = |text: &str| RunStartList {
        name: Some("autumn".to_owned()),
        lines: text.lines().map(str::to_owned).collect(),
        realm: Some("office".to_owned()),
        profile: Some("hotp6".to_owned()),
        ..RunStartList::default()
    };
    for (text, words) in [
        ("mail\nx\n", "column"),
        ("user,key\nalice,1\nbob,1\n", "line 3, column 5: the key 1 is in line 2 already"),
        ("user,pin\nalice,ask\n", "line 2: a run asks nobody for PINs"),
        ("", "the list is empty"),
    ] {
        let error = client.run_start_list(&list(text)).await.unwrap_err();
        let detail = error.refusal().unwrap().detail.clone();
        assert!(detail.contains(words), "{text}: {detail}");
    }
    let begun = client.run_start_list(&list("user,key,pin\nbob,,\nalice,12345678,random\n")).await.unwrap();
    let states: Vec<&str> = begun.entries.iter().map(|entry| entry.state.as_str()).collect();
    assert_eq!(states, ["open", "open"]);
    let mut watching = client.watch().await.unwrap();
    client.sim_plug(&Plug { serial: Some(12_345_678), ..Plug::default() }).await.unwrap();
    loop {
        let event = next(&mut watching).await.unwrap();
        match event.kind {
            EventKind::Touch => {
                let working = client.run_status(&ByRun::default()).await.unwrap().entries;
                assert_eq!(working[1].state, "working", "{working:?}");
                client.sim_touch(&TouchKey::default()).await.unwrap();
            }
            EventKind::Outcome => {
                assert_eq!(event.outcome.unwrap().ending, Ending::Enrolled);
                break;
            }
            _ => {}
        }
    }
    let entries = client.run_status(&ByRun::default()).await.unwrap().entries;
    assert_eq!((entries[0].state.as_str(), entries[0].person.as_deref()), ("open", Some("bob@office")));
    let done = &entries[1];
    assert_eq!((done.state.as_str(), done.key.as_deref()), ("enrolled", Some("12345678")));
    assert_eq!(done.token.as_deref(), Some("UBOM12345678_1"));
    let token = client.token_show(&ByToken { serial: "UBOM12345678_1".to_owned() }).await.unwrap();
    assert_eq!(token.person.as_deref(), Some("alice@office"));
    let files = client.sealed_list().await.unwrap().files;
    let [pin] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((pin.token.as_str(), pin.what.as_str()), ("UBOM12345678_1", "the PIN of a token"));
    let shown = client.sealed_show(&BySealed { name: pin.name.clone() }).await.unwrap();
    assert!(shown.text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{}", shown.text);
    client.sealed_remove(&BySealed { name: pin.name.clone() }).await.unwrap();
    assert!(client.sealed_list().await.unwrap().files.is_empty());
    for name in ["../journal.db", &pin.name, ""] {
        assert!(client.sealed_show(&BySealed { name: name.to_owned() }).await.is_err(), "{name}");
    }
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_access_code_is_sealed_and_slots_are_handled() {
    let directory = tempfile::tempdir().unwrap();
    let more = format!(
        "{READER}[profile.locked]\nkind = \"hotp\"\nslot = 2\nnew-access-code = \"random\"\naccess-code-to = \"hand-over\"\n"
    );
    let (simulation, client) = started(directory.path(), &["--keys", "1"], &more).await;
    recognised(&client).await;
    let key = || "12345678".to_owned();
    // Nothing is in either slot, so that nothing has to be done.
    let handled = client.key_swap(&KeySwap { key: key(), unlock: None }).await.unwrap();
    assert_eq!(handled.key.as_deref(), Some("12345678"));
    // A dry run says what there would be, and leaves everything as it is.
    let check = ProfileCheck { profile: "hotp6".to_owned(), key: None };
    let fit = client.profile_check(&check).await.unwrap();
    assert_eq!((fit.refusal.clone(), fit.token.as_deref()), (None, Some("UBOM12345678_1")), "{fit:?}");
    assert_eq!((fit.slot.as_deref(), fit.proof.is_some()), (Some("written"), true), "{fit:?}");
    assert!(client.token_show(&ByToken { serial: "UBOM12345678_1".to_owned() }).await.is_err());
    for profile in ["locked", "hotp6"] {
        let enroll = Enroll { profile: Some(profile.to_owned()), ..Enroll::default() };
        let mut events = client.enroll(&enroll).await.unwrap();
        let mut outcome = None;
        while let Some(event) = next(&mut events).await {
            if event.kind == EventKind::Touch {
                let long = profile == "locked";
                client.sim_touch(&TouchKey { key: None, long }).await.unwrap();
            }
            outcome = event.outcome.or(outcome);
        }
        let outcome = outcome.unwrap();
        assert_eq!(outcome.ending, Ending::Enrolled, "{profile}: {outcome:?}");
    }
    let files = client.sealed_list().await.unwrap().files;
    let [sealed] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(
        (sealed.token.as_str(), sealed.what.as_str()),
        ("UBOM12345678_2", "the access code of a slot")
    );
    // What is enrolled is not to be lost by accident.
    let swap = client.key_swap(&KeySwap { key: key(), unlock: None }).await.unwrap_err();
    assert_eq!(code(&swap), "E1006");
    let wipe = client.key_wipe(&KeyWipe { key: key(), slot: 1, ..KeyWipe::default() }).await.unwrap_err();
    assert_eq!(code(&wipe), "E1006");
    let fit = client.profile_check(&check).await.unwrap();
    assert_eq!(fit.slot.as_deref(), Some("UBOM12345678_1 released first"), "{fit:?}");
    let release = Release { key: key(), token: Some("UBOM12345678_1".to_owned()), ..Release::default() };
    assert_eq!(
        last(&client, client.release(&release).await.unwrap()).await.outcome.unwrap().ending,
        Ending::Released
    );
    client.key_wipe(&KeyWipe { key: key(), slot: 1, ..KeyWipe::default() }).await.unwrap();
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_code_gets_its_owner_a_key_once() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) =
        started(directory.path(), &["--keys", "1", "--policy", "userstore-pin"], READER).await;
    let mut table = Vec::new();
    let mut made = None;
    let create = RegistrationCreate {
        realm: "office".to_owned(),
        without_token: true,
        ..RegistrationCreate::default()
    };
    let mut parts = client.registration_create(&create).await.unwrap();
    while let Some(part) = next(&mut parts).await {
        for piece in &part.pieces {
            table.extend(STANDARD.decode(piece.expose()).unwrap());
        }
        made = part.made.or(made);
    }
    let made = made.unwrap();
    assert!(made.codes == made.people && made.failed.is_none(), "{made:?}");
    let table = String::from_utf8(table).unwrap();
    let line = |user: &str| table.lines().find(|line| line.starts_with(user)).unwrap().to_owned();
    let quoted = |line: &str| line.split(",\"").last().unwrap().trim_end_matches('"').replace("\"\"", "\"");
    let (alices, bobs) = (quoted(&line("alice,")), quoted(&line("bob,")));
    // Everybody has one now.
    assert!(client.registration_create(&create).await.is_err());
    let wanted = |user: &str, password: &str, code: &str| KeyHandOver {
        person: format!("{user}@office"),
        password: secret(password),
        code: secret(code),
        profile: Some("hotp6".to_owned()),
        ..KeyHandOver::default()
    };
    for (user, password, given) in [
        ("alice", "alice-passwort", alices.as_str()),
        ("alice", "alice-password", bobs.as_str()),
        ("bob", "bob-password", alices.as_str()),
    ] {
        let error = client.key_hand_over(&wanted(user, password, given)).await.map(drop).unwrap_err();
        assert!(code(&error).starts_with('E'), "{user}: {error}");
    }
    let outcome =
        last(&client, client.key_hand_over(&wanted("alice", "alice-password", &alices)).await.unwrap()).await;
    assert_eq!(outcome.outcome.unwrap().ending, Ending::Enrolled);
    let token = client.token_show(&ByToken { serial: "UBOM12345678_1".to_owned() }).await.unwrap();
    assert_eq!(token.person.as_deref(), Some("alice@office"));
    // No code is used up for a key that is somebody's already.
    let taken = client.key_hand_over(&wanted("bob", "bob-password", &bobs)).await.map(drop).unwrap_err();
    assert_eq!(code(&taken), "E1006");
    client.sim_pull(&Pull { key: Some("12345678".to_owned()) }).await.unwrap();
    client.sim_plug(&Plug { serial: Some(23_456_789), ..Plug::default() }).await.unwrap();
    let again =
        client.key_hand_over(&wanted("alice", "alice-password", &alices)).await.map(drop).unwrap_err();
    assert!(again.to_string().contains("no registration code"), "{again}");
    simulation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_parameter_files_welcome_rules_and_armed_profiles() {
    let directory = tempfile::tempdir().unwrap();
    let (simulation, client) = started(directory.path(), &["--keys", "1"], "").await;
    let file =
        "--url=https://pi.example.org\n--password=Geheimnis-1\ntoken\nyubikey_mass_enroll\n--yubislot=2\n";
    let lines = || file.lines().map(secret).collect();
    let imported =
        client.profile_import(&ProfileImport { name: "old".to_owned(), lines: lines() }).await.unwrap();
    assert!(
        imported.profile && imported.toml.contains("[profile.old]") && imported.toml.contains("slot = 2")
    );
    assert!(!format!("{imported:?}").contains("Geheimnis"), "{imported:?}");

    assert!(client.welcome_list().await.unwrap().rules.is_empty());
    for wrong in ["vendor = \"nobody\"", "nonsense", "serials = [\"9-1\"]"] {
        assert!(client.welcome_add(&WelcomeAdd { toml: wrong.to_owned() }).await.is_err(), "{wrong}");
    }
    let add = WelcomeAdd { toml: "name = \"stock\"\nserials = [\"20000000-20000499\"]\n".to_owned() };
    let pending = client.welcome_add(&add).await.unwrap().text;
    assert!(pending.contains("+[[welcome]]"), "{pending}");
    assert!(client.welcome_list().await.unwrap().rules.is_empty());
    client.config_commit(&ConfigCommit::default()).await.unwrap();
    let rules = client.welcome_list().await.unwrap().rules;
    assert_eq!(rules.iter().map(|rule| rule.name.as_deref()).collect::<Vec<_>>(), [Some("stock")]);
    let check = ProfileCheck { profile: "hotp6".to_owned(), key: None };
    let refused = client.profile_check(&check).await.unwrap().refusal.unwrap();
    assert_eq!(refused.code, "E1016");
    assert!(client.welcome_remove(&WelcomeRemove { number: 2 }).await.is_err());
    client.welcome_remove(&WelcomeRemove { number: 1 }).await.unwrap();
    client.config_commit(&ConfigCommit::default()).await.unwrap();
    assert_eq!(client.profile_check(&check).await.unwrap().refusal, None);

    let mode = |mode, profile: &str| SetMode { mode: Some(mode), profile: Some(profile.to_owned()) };
    assert!(client.set_mode(&mode(Mode::Attended, "hotp8")).await.is_err());
    assert!(client.set_mode(&mode(Mode::Armed, "nothing")).await.is_err());
    let status = client.set_mode(&mode(Mode::Locked, "hotp8")).await;
    assert!(status.is_err());
    simulation.stop().await.unwrap();
}

/// Before 3.14, servers do not say of which realm the people are whom they list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_found_with_their_realm_at_every_server() {
    for server in ["3.14", "3.13.4", "3.10.2", "3.9.3", "edumfa-2.8.0"] {
        let directory = tempfile::tempdir().unwrap();
        let (simulation, client) =
            started(directory.path(), &["--keys", "1", "--twin-version", server], "").await;
        for realm in [None, Some("office".to_owned())] {
            let find = UserFind { text: "arche".to_owned(), realm };
            let found = client.user_find(&find).await.unwrap().people;
            let named: Vec<_> =
                found.iter().map(|person| format!("{}@{}", person.user, person.realm)).collect();
            assert_eq!(named, ["alice@office"], "{server}");
        }
        simulation.stop().await.unwrap();
    }
}
