//! What is taken back, and what is left alone: a server and a key that are played by a few lines.

use keys::device::Firmware;
use keys::device::{
    Ability, Answer, Family, HashAlgorithm, KeyInfo, KeySerial, Kind, Lock, Occupancy, Operation, ProofWay,
    Slot as Number, SlotState,
};

use super::{Slot, all};
use crate::engine::flow::{Flow, Next};
use crate::engine::lag::{LAG, Patience};
use crate::engine::outcome::{Ending, Order, Replace};
use crate::engine::preflight::{Preparation, in_the_way, preparation};
use crate::engine::proof::what_counts;
use crate::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use crate::engine::server::{ServerAnswer, ServerCall, TokenView};
use crate::engine::step::{KeyFault, Now, Step, StepResult};
use crate::profile::Profile;
use crate::refusal::{Code, Refusal};

const KEY: KeySerial = KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 };

fn id(text: &str) -> EnrollmentId {
    EnrollmentId::parse(text).unwrap()
}

fn record(state: State) -> Record {
    Record { state, ..what_counts::record(Kind::Hotp) }
}

fn order(replace: Replace) -> Order {
    Order { replace, ..Order::new("station", "1-1", Actor::Armed, "desk", Profile::new(Kind::Hotp)) }
}

/// A server that shows the token of an enrollment for these seconds after the start, unless it is deleted.
struct Played {
    shows: core::ops::Range<u64>,
    of: EnrollmentId,
    deletions: Vec<u64>,
    erasures: u32,
    now: Now,
}

impl Played {
    fn new(shows: core::ops::Range<u64>) -> Self {
        let of = record(State::Written).enrollment;
        Self { shows, of, deletions: Vec::new(), erasures: 0, now: Now::default() }
    }

    fn view(&self) -> Option<TokenView> {
        let there = self.shows.contains(&self.now.monotonic.as_secs()) && self.deletions.is_empty();
        there.then(|| TokenView {
            serial: record(State::Written).token.to_string(),
            kind: "HOTP".to_owned(),
            active: false,
            unverified: false,
            half_made: false,
            digits: 6,
            hash: Some("sha1".to_owned()),
            counter: 0,
            owner: None,
            enrollment: Some(self.of),
        })
    }

    fn play<T>(&mut self, mut next: Next<T>) -> T {
        for _ in 0..1000 {
            let (step, flow) = match next {
                Next::End(ending) => return ending,
                Next::Step(step, flow) => (step, flow),
            };
            let result = match step {
                Step::Wait { until } => {
                    self.now.monotonic = self.now.monotonic.max(until);
                    StepResult::Waited
                }
                Step::Record(_) => StepResult::Recorded,
                Step::Server(ServerCall::Look(_)) => StepResult::Server(Ok(ServerAnswer::Token(self.view()))),
                Step::Server(ServerCall::Delete(_)) => {
                    self.deletions.push(self.now.monotonic.as_secs());
                    StepResult::Server(Ok(ServerAnswer::Done))
                }
                Step::Key(Operation::Erase { .. }) => {
                    self.erasures += 1;
                    StepResult::Key(Ok(Answer::Erased))
                }
                Step::Key(_) => StepResult::Key(Err(KeyFault::Gone)),
                _ => panic!("only looks, deletions and erasures are expected"),
            };
            next = flow.advance(result, self.now);
        }
        panic!("no end");
    }

    fn withdraw(&mut self, patience: Patience) -> Result<(), Code> {
        let Record { enrollment, token, .. } = record(State::Written);
        let next = Flow::start(self.now, move |cx| async move {
            cx.withdraw(enrollment, &token, patience).await.map_err(|refusal| refusal.code)
        });
        self.play(next)
    }

    fn take_back(&mut self, slot: Slot) -> (Ending, Remains) {
        let next = Flow::start(self.now, move |cx| async move {
            let (order, mut record) = (order(Replace::Nobody), record(State::Written));
            let refusal = Refusal::new(Code::WrongCode, "");
            let ending = all(&cx, &order, &mut record, refusal, slot).await;
            (ending, record.remains)
        });
        self.play(next)
    }
}

#[test]
fn a_token_is_gone_when_it_was_deleted_or_has_not_shown_for_as_long_as_a_change_takes() {
    let lag = LAG.as_secs();
    let mut at_once = Played::new(0..u64::MAX);
    assert_eq!(at_once.withdraw(Patience::Recovery), Ok(()));
    assert_eq!(at_once.deletions, [0]);

    for first in [1, 30, lag - 5] {
        let mut late = Played::new(first..u64::MAX);
        assert_eq!(late.withdraw(Patience::Recovery), Ok(()));
        assert!(late.deletions.len() == 1 && late.deletions[0] >= first, "{first}: {:?}", late.deletions);
    }

    let mut never = Played::new(0..0);
    assert_eq!(never.withdraw(Patience::Recovery), Ok(()));
    assert_eq!(never.deletions, [] as [u64; 0]);
    assert!(never.now.monotonic >= LAG, "{:?}", never.now.monotonic);

    // Nobody at the desk waits that long, so it is not said that it is gone.
    let mut cx = Played::new(0..0);
    assert_eq!(cx.withdraw(Patience::AtTheDesk), Err(Code::ServerLags));
    assert!(cx.now.monotonic < LAG, "{:?}", cx.now.monotonic);

    let mut others = Played { of: id("0b0a09080706050403020100"), ..Played::new(0..u64::MAX) };
    assert_eq!(others.withdraw(Patience::Recovery), Ok(()));
    assert_eq!(others.deletions, [] as [u64; 0], "another enrollment's token stays");
}

#[test]
fn the_slot_is_emptied_when_it_may_hold_the_secret_and_else_left_alone() {
    let mut played = Played::new(0..u64::MAX);
    let (ending, remains) = played.take_back(Slot::Erase);
    assert_eq!(
        (ending, remains, played.erasures),
        (Ending::Undone(Refusal::new(Code::WrongCode, "")), Remains::Nothing, 1)
    );

    let mut played = Played::new(0..u64::MAX);
    let (ending, remains) = played.take_back(Slot::LeaveAlone);
    let quarantined = Ending::Quarantined(Refusal::new(Code::WrongCode, ""));
    assert_eq!((ending, remains, played.erasures), (quarantined, Remains::Perhaps, 0));

    // The token may count for all that is known, so its key has to go on answering.
    let mut played = Played::new(0..0);
    let (ending, remains) = played.take_back(Slot::Erase);
    assert!(matches!(ending, Ending::Postponed(refusal) if refusal.code == Code::WrongCode));
    assert_eq!((remains, played.erasures), (Remains::Perhaps, 0));
}

fn info(occupancy: Occupancy) -> KeyInfo {
    let ability = Ability {
        kind: Kind::Hotp,
        eight_digits: true,
        best_hash: HashAlgorithm::Sha1,
        longest_seed: 20,
        proof: ProofWay::TypedShort,
        guards: &[],
    };
    KeyInfo {
        family: Family::YubiKeyOtp,
        model: "YubiKey 5".to_owned(),
        serial: Some(KEY),
        firmware: Firmware::new(5, 4, 3),
        slots: vec![SlotState { slot: Number(1), occupancy, abilities: vec![ability], label: None }],
        named: None,
        lock: Lock::Open,
        form_factor: None,
        fips: None,
        config_locked: false,
    }
}

#[test]
fn a_finished_enrollment_makes_way_for_an_order_that_names_it_and_for_no_other() {
    let finished = record(State::Done);
    let token = finished.token.clone();
    let elsewhere = KeySerial { number: 1, ..KEY };
    for occupancy in [Occupancy::Empty, Occupancy::Occupied] {
        let decided = |replace: Replace| {
            preparation(&info(occupancy), std::slice::from_ref(&finished), &order(replace), &token)
        };
        for named in [Replace::Token(token.to_string()), Replace::Key(KEY)] {
            assert!(matches!(decided(named), Ok(Preparation::ToRelease(record)) if *record == finished));
        }
        for (other, code) in [
            (Replace::Nobody, Code::SomebodysKey),
            (Replace::Unnamed, Code::AlreadyEnrolled),
            (Replace::Key(elsewhere), Code::AlreadyEnrolled),
            (Replace::Token("UBOM00000001_1".to_owned()), Code::OtherToken),
        ] {
            assert_eq!(decided(other.clone()).map_err(|refusal| refusal.code), Err(code));
            assert_eq!(
                in_the_way(&info(occupancy), std::slice::from_ref(&finished), &order(other)),
                Some(finished.clone())
            );
        }
    }
    let named = order(Replace::Key(KEY));
    assert_eq!(in_the_way(&info(Occupancy::Occupied), &[finished], &named), None);
    for state in [State::Planned, State::Written, State::Undoing, State::Undone] {
        assert_eq!(in_the_way(&info(Occupancy::Occupied), &[record(state)], &order(Replace::Nobody)), None);
    }
}
