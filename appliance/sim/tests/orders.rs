//! Whose an order is, and how it ends: the scheduler with keys and fingers, and clients that go away.
#![cfg(test)]

use std::time::Duration;

use dispatch::event::{Event, What};
use dispatch::scheduler::{
    Cancelled, Doing, EnrollRequest, KeyRequest, SchedulerEvent, Secrets, Selector, Ticket,
};
use keys::device::Kind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sim::key::SimKey;
use station::engine::enrollment::Ending;
use station::engine::mode::{Mode, Wait};
use station::engine::run::Target;
use station::engine::server::Person;
use station::profile::Profile;
use station::refusal::Code;

// What the tests of runs use of it and these do not.
#[allow(dead_code)]
#[path = "runs/room.rs"]
mod room;

use room::{FIRMWARE, Room, Site, operator, plan};

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

fn order(key: Selector) -> EnrollRequest {
    EnrollRequest {
        profile: None,
        person: Some(Person { user: "alice".to_owned(), realm: "office".to_owned() }),
        key,
        overwrite_confirmed: false,
        factory: false,
        replace: None,
        secrets: Secrets::default(),
        by: operator(),
        detached: false,
        within: None,
    }
}

fn key(serial: u32) -> SimKey {
    SimKey::yubikey(FIRMWARE, serial).unwrap()
}

async fn attended(site: &Site, state: &std::path::Path) -> Room {
    Room::new(Some(site.port()), room::settings(Mode::Attended, Profile::new(Kind::Hotp)), state)
}

/// Waits for an event; nobody touches anything meanwhile.
async fn heard<T>(room: &mut Room, wanted: impl Fn(&SchedulerEvent) -> Option<T>) -> T {
    let hearing = async {
        loop {
            if let Some(found) = wanted(&room.events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, hearing).await.unwrap()
}

async fn waits_for_touch(room: &mut Room) {
    let wanted = |event: &SchedulerEvent| match event {
        SchedulerEvent::Step(Event { what: What::TouchWanted { .. }, .. }) => Some(()),
        _ => None,
    };
    heard(room, wanted).await;
}

/// Waits until as many orders wait.
async fn waiting(room: &mut Room, count: usize) {
    let told = |event: &SchedulerEvent| match event {
        SchedulerEvent::Orders(orders) if orders.len() == count => Some(()),
        _ => None,
    };
    if room.scheduler.snapshot().await.unwrap().orders.len() != count {
        heard(room, told).await;
    }
}

async fn idle(room: &mut Room, port: &str) {
    room.until(port, |doing| *doing == Doing::Waiting(Wait::Operator)).await;
}

#[tokio::test]
async fn an_order_ends_with_its_client_and_the_next_key_is_nobodys() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    // Of each way to name a key, one whose client goes away.
    let named = [Selector::Next, Selector::Serial("301".to_owned()), Selector::Port("1-1.1".to_owned())];
    for selector in named {
        let ticket = room.scheduler.enroll(order(selector.clone())).await.unwrap();
        let snapshot = room.scheduler.snapshot().await.unwrap();
        let [shown] = snapshot.orders.as_slice() else { panic!("{:?}", snapshot.orders) };
        assert_eq!((&shown.key, shown.what, shown.ticket), (&selector, "enroll", ticket.id));
        drop(ticket);
        waiting(&mut room, 0).await;
    }
    let first = key(301);
    room.plug(&first, "1-1.1").await;
    idle(&mut room, "1-1.1").await;
    assert_eq!(site.tokens(), 0);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn who_goes_away_at_the_touch_leaves_no_token() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let first = key(302);
    let ticket = room.scheduler.enroll(order(Selector::Next)).await.unwrap();
    room.plug(&first, "1-1.1").await;
    waits_for_touch(&mut room).await;
    drop(ticket);
    let ended = |event: &SchedulerEvent| match event {
        SchedulerEvent::Ended(ended) => Some(ended.report.outcome.ending.clone()),
        _ => None,
    };
    let ending = heard(&mut room, ended).await;
    assert!(matches!(&ending, Ending::Undone(refusal) if refusal.code == Code::Cancelled), "{ending:?}");
    assert_eq!(site.tokens(), 0);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn an_order_that_was_detached_goes_on_and_a_run_does_too() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let request = EnrollRequest { detached: true, ..order(Selector::Serial("303".to_owned())) };
    drop(room.scheduler.enroll(request).await.unwrap());
    let (other, meant) = (key(304), key(303));
    room.plug(&other, "1-1.1").await;
    idle(&mut room, "1-1.1").await;
    room.plug(&meant, "1-1.2").await;
    assert!(matches!(room.over("1-1.2").await, Doing::Done(_)));
    assert_eq!(site.owner("UBOM00000303_1"), "alice");
    room.scheduler.run_start(plan("run", Target::Count(1)), Secrets::default(), operator()).await.unwrap();
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    assert_eq!(site.counting(), ["UBOM00000303_1", "UBOM00000304_1"]);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn an_order_waits_no_longer_than_it_may() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let short = |detached| EnrollRequest {
        within: Some(Duration::from_millis(300)),
        detached,
        ..order(Selector::Serial("305".to_owned()))
    };
    drop(room.scheduler.enroll(short(true)).await.unwrap());
    let ticket = room.scheduler.enroll(short(false)).await.unwrap();
    let shown = room.scheduler.snapshot().await.unwrap().orders;
    assert!(shown.iter().all(|order| order.left.is_some_and(|left| left <= Duration::from_millis(300))));
    let Err(refusal) = ticket.report.await.unwrap() else { panic!("it has no limit") };
    assert_eq!(refusal.code, Code::OrderExpired);
    waiting(&mut room, 0).await;
    let late = key(305);
    room.plug(&late, "1-1.1").await;
    idle(&mut room, "1-1.1").await;
    assert_eq!(site.tokens(), 0);
    room.scheduler.shutdown().await;
}

async fn called_off(ticket: Ticket) -> Code {
    match tokio::time::timeout(TIMEOUT, ticket.report).await.unwrap().unwrap() {
        Ok(report) => report.outcome.ending.refusal().unwrap().code,
        Err(refusal) => refusal.code,
    }
}

#[tokio::test]
async fn cancel_reaches_what_waits_and_what_is_done() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    assert_eq!(room.scheduler.cancel(Cancelled::All).await, Ok(0));
    let nobody = room.scheduler.cancel(Cancelled::Key("306".to_owned())).await;
    assert_eq!(nobody.unwrap_err().code, Code::KeyAbsent);

    let by_serial = room.scheduler.enroll(order(Selector::Serial("0306".to_owned()))).await.unwrap();
    let by_port = room.scheduler.enroll(order(Selector::Port("1-1.3".to_owned()))).await.unwrap();
    let another = room.scheduler.enroll(order(Selector::Serial("307".to_owned()))).await.unwrap();
    assert_eq!(room.scheduler.cancel(Cancelled::Key("306".to_owned())).await, Ok(1));
    assert_eq!(called_off(by_serial).await, Code::Cancelled);
    assert_eq!(room.scheduler.cancel(Cancelled::Key("3".to_owned())).await, Ok(1));
    assert_eq!(called_off(by_port).await, Code::Cancelled);
    assert_eq!(room.scheduler.cancel(Cancelled::Ticket(another.id)).await, Ok(1));
    assert_eq!(called_off(another).await, Code::Cancelled);

    let worked_on = room.scheduler.enroll(order(Selector::Next)).await.unwrap();
    let first = key(308);
    room.plug(&first, "1-1.1").await;
    waits_for_touch(&mut room).await;
    let waits = room.scheduler.enroll(order(Selector::Serial("309".to_owned()))).await.unwrap();
    assert_eq!(room.scheduler.cancel(Cancelled::All).await, Ok(2));
    assert_eq!((called_off(worked_on).await, called_off(waits).await), (Code::Cancelled, Code::Cancelled));
    assert_eq!(site.tokens(), 0);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn a_verification_that_nobody_waits_for_is_called_off() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let first = key(310);
    let ticket = room.scheduler.enroll(order(Selector::Next)).await.unwrap();
    room.plug(&first, "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    assert!(ticket.report.await.unwrap().is_ok());
    let key_request = KeyRequest {
        key: Selector::Next,
        slot: None,
        secrets: Secrets::default(),
        by: operator(),
        within: None,
    };
    let scheduler = room.scheduler.clone();
    let asking = tokio::spawn(async move { scheduler.verify(key_request).await });
    waits_for_touch(&mut room).await;
    asking.abort();
    let verdict = |event: &SchedulerEvent| match event {
        SchedulerEvent::Doing { doing: Doing::Verified(Err(refusal)), .. } => Some(refusal.code),
        _ => None,
    };
    assert_eq!(heard(&mut room, verdict).await, Code::Cancelled);
    assert_eq!(site.counting(), ["UBOM00000310_1"]);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn verify_and_release_wait_for_their_key_as_long_as_they_are_told() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let (meant, other) = (key(311), key(312));
    let ticket = room.scheduler.enroll(order(Selector::Next)).await.unwrap();
    room.plug(&meant, "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    assert!(ticket.report.await.unwrap().is_ok());
    room.pull(&meant, "1-1.1").await;
    heard(&mut room, |event| matches!(event, SchedulerEvent::Left { .. }).then_some(())).await;

    let key_request = |within| KeyRequest {
        key: Selector::Serial("311".to_owned()),
        slot: None,
        secrets: Secrets::default(),
        by: operator(),
        within,
    };
    // Who does not wait is told that it is not there, and who waits for a moment that the moment is over.
    let short = Some(Duration::from_millis(300));
    for (within, code) in [(None, Code::KeyAbsent), (short, Code::OrderExpired)] {
        assert_eq!(room.scheduler.verify(key_request(within)).await.err().unwrap().code, code);
        assert_eq!(room.scheduler.release(key_request(within)).await.err().unwrap().code, code);
    }
    // A client that goes away takes its order along.
    let scheduler = room.scheduler.clone();
    let gone = tokio::spawn(async move { scheduler.release(key_request(Some(TIMEOUT))).await });
    waiting(&mut room, 1).await;
    gone.abort();
    waiting(&mut room, 0).await;

    // What was ordered of this very key comes before the run, and no other key is meant.
    let scheduler = room.scheduler.clone();
    let verifying = tokio::spawn(async move { scheduler.verify(key_request(Some(TIMEOUT))).await });
    waiting(&mut room, 1).await;
    let shown = room.scheduler.snapshot().await.unwrap().orders;
    assert_eq!((shown[0].what, &shown[0].key), ("verify", &Selector::Serial("311".to_owned())));
    assert!(shown[0].left.is_some_and(|left| left <= TIMEOUT));
    room.scheduler.run_start(plan("run", Target::Count(2)), Secrets::default(), operator()).await.unwrap();
    room.plug(&other, "1-1.2").await;
    assert!(matches!(room.over("1-1.2").await, Doing::Done(_)));
    room.plug(&meant, "1-1.1").await;
    room.until("1-1.1", |doing| matches!(doing, Doing::Verified(Ok(())))).await;
    assert!(verifying.await.unwrap().unwrap().result.is_ok());
    assert_eq!(site.counting(), ["UBOM00000311_1", "UBOM00000312_1"]);

    room.pull(&meant, "1-1.1").await;
    let scheduler = room.scheduler.clone();
    let releasing = tokio::spawn(async move { scheduler.release(key_request(Some(TIMEOUT))).await });
    waiting(&mut room, 1).await;
    room.plug(&meant, "1-1.3").await;
    room.until("1-1.3", |doing| matches!(doing, Doing::Released)).await;
    assert_eq!(releasing.await.unwrap().unwrap().outcome.ending, Ending::Released);
    assert_eq!(site.counting(), ["UBOM00000312_1"]);
    room.scheduler.shutdown().await;
}

/// Clients that order, go away and come back, keys that come and are touched, all in an order that a
/// number decides. Gives back what is wrong. With `defect`, orders do not end with their clients.
async fn story(number: u64, defect: bool) -> Vec<String> {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = attended(&site, state.path()).await;
    let mut dice = StdRng::seed_from_u64(number);
    let mut wrong = Vec::new();
    for turn in 0..3_u32 {
        let serial = 400 + turn;
        let token = format!("UBOM{serial:08}_1");
        let selector = match dice.random_range(0..3_u8) {
            0 => Selector::Next,
            1 => Selector::Serial(serial.to_string()),
            _ => Selector::Port("1-1.1".to_owned()),
        };
        let detached = dice.random_bool(0.25);
        let request = EnrollRequest { detached: detached || defect, ..order(selector) };
        let mut ticket = Some(room.scheduler.enroll(request).await.unwrap());
        let one = key(serial);
        // When the client goes: before the key comes, at its touch, or never.
        let goes = dice.random_range(0..3_u8);
        if goes == 0 {
            ticket = None;
            if !detached && !defect {
                waiting(&mut room, 0).await;
            }
        }
        room.plug(&one, "1-1.1").await;
        let at_touch = |event: &SchedulerEvent| match event {
            SchedulerEvent::Step(Event { what: What::TouchWanted { .. }, .. }) => Some(true),
            SchedulerEvent::Doing { doing: Doing::Waiting(Wait::Operator), .. } => Some(false),
            _ => None,
        };
        let wanted = heard(&mut room, at_touch).await;
        let gone = goes < 2 && !detached;
        if wanted && goes == 1 {
            ticket = None;
            // The station has time to notice; then somebody touches the key that still blinks, or not.
            room.scheduler.snapshot().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if wanted {
            let (_, finger) = room.fingers.iter().find(|(port, _)| port == "1-1.1").unwrap();
            let way = keys::device::ProofWay::TypedShort;
            // A key that was taken back meanwhile types nothing.
            let _ = finger.touch(way).await;
            let over = |event: &SchedulerEvent| matches!(event, SchedulerEvent::Ended(_)).then_some(());
            heard(&mut room, over).await;
        }
        let counts = site.counting().contains(&token);
        if counts == gone {
            wrong.push(format!("story {number}, key {serial}: counts {counts}, its client is gone: {gone}"));
        }
        if !room.scheduler.snapshot().await.unwrap().orders.is_empty() {
            wrong.push(format!("story {number}, key {serial}: an order is left"));
        }
        drop(ticket);
        room.pull(&one, "1-1.1").await;
        heard(&mut room, |event| matches!(event, SchedulerEvent::Left { .. }).then_some(())).await;
    }
    room.scheduler.shutdown().await;
    wrong
}

#[tokio::test]
async fn whatever_the_order_of_things_no_order_outlives_its_client() {
    for number in 0..12 {
        assert_eq!(story(number, false).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_order_that_outlives_its_client_is_noticed() {
    let mut noticed = 0;
    for number in 0..6 {
        noticed += usize::from(!story(number, true).await.is_empty());
    }
    assert!(noticed > 0, "the planted defect was not noticed");
}
