//! Keys that say anything: every conversation ends, within bounds, and never panics.

use std::time::Duration;

use keys::conversation::{Conversation, Reply, Report, Request, Turn};
use keys::device::{KeyError, Kind, Operation, Unlock};
use keys::yubikey::command::{self, OtpSlot};
use keys::yubikey::conversations::{Exchange, Settle};
use keys::yubikey::start;
use keys::yubikey::status::Status;
use proptest::prelude::*;

use crate::{ask_code, erase, program};

/// More turns than this are too many: six attempts, each of twelve writes and
/// some forty looks for each of them.
const MOST_TURNS: usize = 6 * 2 * 12 * 60;
/// More time than this is too much, even with a touch to wait for.
const MOST_TIME: Duration = Duration::from_secs(120);

fn operation(which: u8) -> Operation {
    match which % 5 {
        0 => Operation::Inspect,
        1 => program(1 + which / 5 % 2, Unlock::None, None),
        2 => erase(1, Unlock::None),
        3 => ask_code(2, Kind::ChallengeResponse, &[1, 2, 3]),
        _ => ask_code(2, Kind::Totp, &[0; 8]),
    }
}

/// How time passes for the driver.
#[derive(Clone, Copy)]
enum Clock {
    Right,
    StandsStill,
}

/// Answers reads out of `shown`, over and over. The number of turns and the time.
fn drive<T>(
    conversation: &mut (impl Conversation<Output = T> + ?Sized),
    shown: &[[u8; 8]],
    clock: Clock,
) -> (Result<T, KeyError>, usize, Duration) {
    let mut reports = shown.iter().cycle();
    let mut now = Duration::from_secs(1000);
    let mut reply = None;
    for turns in 1.. {
        let request = match conversation.turn(now, reply.take()) {
            Ok(Turn::Do(request)) => request,
            Ok(Turn::Done(output)) => return (Ok(output), turns, now),
            Err(error) => return (Err(error), turns, now),
        };
        assert!(turns <= MOST_TURNS, "it does not end");
        let _ = conversation.hint();
        reply = Some(match request {
            Request::SetFeature(report) => {
                assert_eq!(report.bytes().len(), 8);
                Reply::Sent
            }
            Request::GetFeature { length: 8 } => {
                Reply::Report(Report::short(reports.next().unwrap_or(&[0; 8])))
            }
            Request::Wait { until } => {
                if let Clock::Right = clock {
                    assert!(until > now, "a busy loop");
                    now = until;
                }
                Reply::Silence
            }
            _ => panic!("not a request for a YubiKey"),
        });
    }
    unreachable!()
}

/// Reports that lead far: mostly well formed.
fn report() -> impl Strategy<Value = [u8; 8]> {
    let control = prop_oneof![
        6 => Just(0u8),
        3 => 0x40u8..0x46,
        2 => Just(0x80u8),
        1 => 0x20u8..0x40,
        1 => Just(0x9fu8),
        1 => any::<u8>(),
    ];
    let major = prop_oneof![Just(2u8), Just(3u8), Just(5u8), any::<u8>()];
    (control, major, any::<u8>(), 0u8..3, any::<[u8; 3]>()).prop_map(
        |(control, major, minor, sequence, [a, b, c])| [a, major, minor, 1, sequence, b, c, control],
    )
}

proptest! {
    #[test]
    fn every_conversation_ends(
        which: u8,
        composite: bool,
        shown in prop::collection::vec(report(), 1..40),
    ) {
        let product_id = if composite { 0x0407 } else { 0x0401 };
        let mut conversation = start(product_id, None, operation(which)).unwrap();
        let (result, _, now) = drive(conversation.as_mut(), &shown, Clock::Right);
        prop_assert!(!matches!(result, Err(KeyError::Confused(_))));
        prop_assert!(now - Duration::from_secs(1000) < MOST_TIME);
    }

    #[test]
    fn every_conversation_ends_although_the_clock_stands_still(
        which: u8,
        shown in prop::collection::vec(report(), 1..10),
    ) {
        let mut conversation = start(0x0401, None, operation(which)).unwrap();
        let (result, ..) = drive(conversation.as_mut(), &shown, Clock::StandsStill);
        prop_assert!(!matches!(result, Err(KeyError::Confused(_))));
    }

    #[test]
    fn every_command_and_every_settling_ends(
        command: u8,
        payload in prop::collection::vec(any::<u8>(), 0..=64),
        before: [u8; 6],
        shown in prop::collection::vec(prop_oneof![report(), any::<[u8; 8]>()], 1..20),
    ) {
        use keys::yubikey::frame::{Frame, Payload};
        let frame = Frame::new(command, &Payload::new(&payload).unwrap());
        let (exchanged, ..) = drive(&mut Exchange::new(frame, Status::parse(&before)), &shown, Clock::Right);
        prop_assert!(!matches!(exchanged, Err(KeyError::Confused(_))));
        let (settled, ..) = drive(&mut Settle::new(), &shown, Clock::Right);
        prop_assert!(!matches!(settled, Err(KeyError::Confused(_))));
    }

    #[test]
    fn a_reply_that_was_not_asked_for_is_an_error_of_the_driver(
        which: u8,
        after in 0usize..60,
        kind in 0u8..4,
        shown in prop::collection::vec(report(), 1..10),
    ) {
        let mut conversation = start(0x0407, None, operation(which)).unwrap();
        let mut reports = shown.iter().cycle();
        let mut reply = None;
        let mut now = Duration::ZERO;
        for turn in 0..=after {
            let Ok(Turn::Do(request)) = conversation.turn(now, reply.take()) else { return Ok(()) };
            let (right, fitting) = match &request {
                Request::SetFeature(_) => (Reply::Sent, 0),
                Request::Wait { until } => {
                    now = *until;
                    (Reply::Silence, 1)
                }
                _ => (Reply::Report(Report::short(reports.next().unwrap())), 2),
            };
            if turn == after && kind != fitting {
                let wrong = match kind {
                    0 => Some(Reply::Sent),
                    1 => Some(Reply::Silence),
                    2 => Some(Reply::Report(Report::short(&[0; 8]))),
                    _ => None,
                };
                prop_assert!(matches!(conversation.turn(now, wrong), Err(KeyError::Confused(_))));
                return Ok(());
            }
            reply = Some(right);
        }
    }
}

#[test]
fn a_key_that_always_wants_a_touch_is_given_up() {
    let status = Status::parse(&[5, 4, 3, 1, 3, 0]);
    let frame = command::challenge_hmac(OtpSlot::One, &[0xaa; 63]).unwrap();
    // Idle while the ten chunks are sent, then a touch wait that never ends.
    let mut shown = vec![[0, 5, 4, 3, 1, 3, 0, 0]; 10];
    shown.extend([[0, 5, 4, 3, 1, 3, 0, 0x3f]; 1000]);
    let (result, turns, now) = drive(&mut Exchange::new(frame, status), &shown, Clock::Right);
    assert!(matches!(result, Err(KeyError::NotTouched)));
    assert!(turns < 800, "{turns}");
    assert!(now <= Duration::from_secs(1034), "{now:?}");
}

#[test]
fn a_key_that_wavers_between_touch_and_idle_is_given_up() {
    let status = Status::parse(&[5, 4, 3, 1, 3, 0]);
    let frame = command::challenge_hmac(OtpSlot::One, &[0xaa; 63]).unwrap();
    let mut shown = vec![[0, 5, 4, 3, 1, 3, 0, 0]; 10];
    for _ in 0..1000 {
        shown.extend([[0, 5, 4, 3, 1, 3, 0, 0x2f], [0, 5, 4, 3, 1, 3, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0x80]]);
    }
    let (result, _, now) = drive(&mut Exchange::new(frame, status), &shown, Clock::Right);
    assert!(result.is_err());
    assert!(now < Duration::from_secs(1004), "{now:?}");
}
