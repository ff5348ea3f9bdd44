//! A finished enrollment belongs to its person, and a key as it is sold may be given up for: at a whole scheduler.
#![cfg(test)]

use dispatch::scheduler::{Doing, EnrollRequest, Secrets, Selector};
use keys::device::{Kind, Slot};
use sim::key::SimKey;
use station::engine::mode::Mode;
use station::engine::run::{Assignment, RunPlan, Target};
use station::engine::server::Person;
use station::profile::{Overwrite, Profile};
use station::refusal::Code;
use twins::yubikey::{Foreign, Model, YubiKeyTwin};

#[allow(dead_code, reason = "the runs need more of it")]
#[path = "runs/room.rs"]
mod room;

use room::{FIRMWARE, Room, Site, operator, plan, refused, settings};

#[tokio::test]
async fn what_is_finished_goes_only_by_the_line_or_the_order_that_names_it() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    // What once let an armed station replace it.
    let profile = Profile { overwrite: Overwrite::Ours, ..Profile::new(Kind::Hotp) };
    let mut room = Room::new(Some(site.port()), settings(Mode::Armed, profile), state.path());
    let key = SimKey::yubikey(FIRMWARE, 131).unwrap();
    let line = |key: Option<&str>, user: &str| Assignment {
        key: key.map(str::to_owned),
        person: Some((user.to_owned(), "office".to_owned())),
        random_pin: false,
    };
    let alice = plan("alice", Target::List(vec![line(None, "alice")]));
    room.scheduler.run_start(alice, Secrets::default(), operator()).await.unwrap();
    room.plug(&key, "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    let token = "UBOM00000131_1";

    // Armed, in a run that takes what comes, and by an order that names nothing, or something else.
    for (turn, target) in
        [None, Some(Target::Count(1)), Some(Target::List(vec![line(None, "bob")]))].into_iter().enumerate()
    {
        room.pull(&key, "1-1.1").await;
        if let Some(target) = target {
            let run = plan(&format!("run {turn}"), target);
            room.scheduler.run_start(run, Secrets::default(), operator()).await.unwrap();
        }
        room.plug(&key, "1-1.1").await;
        assert_eq!(refused(&room.over("1-1.1").await), Some(Code::SomebodysKey), "{turn}");
        assert_eq!((site.owner(token).as_str(), site.counting()), ("alice", vec![token.to_owned()]));
        if turn > 0 {
            room.scheduler.run_stop(None).await.unwrap();
        }
    }
    let request = |replace: Option<&str>| EnrollRequest {
        profile: None,
        person: Some(Person { user: "bob".to_owned(), realm: "office".to_owned() }),
        key: Selector::Port("1".to_owned()),
        overwrite_confirmed: true,
        factory: true,
        replace: replace.map(str::to_owned),
        secrets: Secrets::default(),
        by: operator(),
        detached: false,
        within: None,
    };
    for (replace, code) in [(None, Code::AlreadyEnrolled), (Some("UBOM00000130_1"), Code::OtherToken)] {
        let ticket = room.scheduler.enroll(request(replace)).await.unwrap();
        assert_eq!(refused(&room.over("1-1.1").await), Some(code));
        let outcome = ticket.report.await.unwrap().unwrap().outcome;
        assert_eq!(outcome.ending.refusal().map(|refusal| refusal.code), Some(code));
        let stands = outcome.in_the_way.unwrap();
        assert_eq!((stands.token.as_str(), stands.person.unwrap().user.as_str()), (token, "alice"));
        assert_eq!(site.owner(token), "alice");
    }
    let ticket = room.scheduler.enroll(request(Some(token))).await.unwrap();
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    let outcome = ticket.report.await.unwrap().unwrap().outcome;
    assert_eq!(outcome.gone.unwrap().person.unwrap().user, "alice");
    assert_eq!((site.owner(token).as_str(), site.tokens()), ("bob", 1));

    // The line of a list names the very key.
    room.pull(&key, "1-1.1").await;
    let named = plan("named", Target::List(vec![line(Some("131"), "alice")]));
    room.scheduler.run_start(named, Secrets::default(), operator()).await.unwrap();
    room.plug(&key, "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    assert_eq!((site.owner(token).as_str(), site.tokens()), ("alice", 1));
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn a_key_as_it_is_sold_is_given_up_for_and_its_receipt_says_so() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let profile = Profile { overwrite: Overwrite::Factory, ..Profile::new(Kind::Hotp) };
    let mut room = Room::new(Some(site.port()), settings(Mode::Armed, profile), state.path());
    let mut kept = Vec::new();
    for (serial, foreign, ends) in [
        (141, Foreign::Factory, None),
        (142, Foreign::Own, Some(Code::SlotOccupied)),
        (143, Foreign::Hotp, Some(Code::SlotOccupied)),
    ] {
        let mut twin = YubiKeyTwin::new(Model::new(FIRMWARE, serial).unwrap(), serial.into());
        twin.hold(Slot(1), foreign, None);
        let product = twin.product_id().unwrap();
        let key = SimKey::of(format!("{foreign:?}"), product, Box::new(twin));
        room.plug(&key, "1-1.1").await;
        assert_eq!(refused(&room.over("1-1.1").await), ends, "{foreign:?}");
        room.pull(&key, "1-1.1").await;
        kept.push(key);
    }
    room.scheduler.shutdown().await;
    assert_eq!(site.counting(), ["UBOM00000141_1"]);
    let log = std::fs::read_to_string(state.path().join("receipts/receipts-000001.jsonl")).unwrap();
    let given_up: Vec<&str> = log.lines().filter(|line| line.contains("\"given_up\":\"cc")).collect();
    assert!(given_up.len() == 1 && given_up[0].contains("UBOM00000141_1"), "{log}");
}

#[tokio::test]
async fn a_run_gives_up_what_keys_are_sold_with_when_its_order_says_so() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room =
        Room::new(Some(site.port()), settings(Mode::Attended, Profile::new(Kind::Hotp)), state.path());
    let held = |serial: u32, foreign| {
        let mut twin = YubiKeyTwin::new(Model::new(FIRMWARE, serial).unwrap(), serial.into());
        twin.hold(Slot(1), foreign, None);
        SimKey::of(format!("{foreign:?}"), twin.product_id().unwrap(), Box::new(twin))
    };
    // What the order says, what the key holds, and how it ends.
    let stories = [
        (151, false, Foreign::Factory, Some(Code::SlotOccupied)),
        (152, true, Foreign::Factory, None),
        (153, true, Foreign::Own, Some(Code::SlotOccupied)),
        (154, true, Foreign::Hotp, Some(Code::SlotOccupied)),
    ];
    for (serial, factory, foreign, ends) in stories {
        let run = RunPlan { factory, ..plan(&format!("run {serial}"), Target::Count(1)) };
        room.scheduler.run_start(run, Secrets::default(), operator()).await.unwrap();
        let key = held(serial, foreign);
        room.plug(&key, "1-1.1").await;
        assert_eq!(refused(&room.over("1-1.1").await), ends, "{serial}");
        room.pull(&key, "1-1.1").await;
        room.scheduler.run_stop(None).await.unwrap();
    }
    room.scheduler.shutdown().await;
    assert_eq!(site.counting(), ["UBOM00000152_1"]);
}
