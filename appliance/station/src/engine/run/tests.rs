use keys::device::{Family, Kind, Slot};

use super::*;
use crate::engine::record::EnrollmentId;
use crate::token::TokenSerial;

fn key(number: u32) -> KeySerial {
    KeySerial { family: Family::YubiKeyOtp, number }
}

fn run(target: Target) -> Run {
    let plan = RunPlan {
        name: "drawer".to_owned(),
        target,
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    plan.check().unwrap();
    let mut run = Run::new(RunId(1), plan, Actor::Operator("ada".to_owned()), Duration::ZERO);
    run.resume(Duration::ZERO).unwrap();
    run
}

fn done(run: &mut Run, number: u32, at: u64) {
    let now = Duration::from_secs(at);
    run.settle(key(number), Standing::Done, None, now, now);
}

#[test]
fn a_count_is_never_exceeded_and_each_key_counts_once() {
    let mut run = run(Target::Count(2));
    assert_eq!(run.claim(key(1)), Claim::Take(None));
    run.begin(key(1), None);
    run.begin(key(2), None);
    assert_eq!(run.claim(key(3)), Claim::Full);
    done(&mut run, 1, 10);
    assert!(matches!(run.claim(key(1)), Claim::Refuse(refusal) if refusal.code == Code::AlreadyEnrolled));
    assert_eq!(run.claim(key(3)), Claim::Full);
    let refused = Some(Code::NotTouched);
    run.settle(key(2), Standing::Refused, refused, Duration::ZERO, Duration::from_secs(20));
    assert_eq!(run.claim(key(3)), Claim::Take(None));
    let progress = run.progress();
    assert_eq!((progress.done, progress.refused, progress.to_go), (1, 1, Some(1)));
    run.begin(key(2), None);
    done(&mut run, 2, 30);
    let progress = run.progress();
    assert_eq!((progress.done, progress.refused, progress.to_go), (2, 0, Some(0)));
    assert_eq!(run.state, RunState::Finished);
    assert!(run.resume(Duration::from_secs(40)).is_err());
}

#[test]
fn a_done_key_stays_done() {
    let mut run = run(Target::Endless);
    done(&mut run, 1, 10);
    let again = Some(Code::AlreadyEnrolled);
    run.settle(key(1), Standing::Refused, again, Duration::ZERO, Duration::from_secs(11));
    assert_eq!(run.standing(key(1)), Some(Standing::Done));
}

#[test]
fn lines_go_to_their_key_or_to_the_next() {
    let person = |name: &str| Some((name.to_owned(), "office".to_owned()));
    let mut run = run(Target::List(vec![
        Assignment { key: None, person: person("ada"), random_pin: false },
        Assignment { key: Some("00000007".to_owned()), person: person("bob"), random_pin: false },
        Assignment { key: None, person: person("cleo"), random_pin: false },
    ]));
    assert_eq!(run.claim(key(7)), Claim::Take(Some(1)));
    assert_eq!(run.claim(key(1)), Claim::Take(Some(0)));
    run.begin(key(1), Some(0));
    assert_eq!(run.claim(key(2)), Claim::Take(Some(2)));
    run.begin(key(2), Some(2));
    assert_eq!(run.claim(key(3)), Claim::Full);
    let lost = Some(Code::PulledWhileWriting);
    run.settle(key(1), Standing::Quarantined, lost, Duration::ZERO, Duration::ZERO);
    // The key that had the line has it again, though another may take it meanwhile.
    assert_eq!(run.claim(key(1)), Claim::Take(Some(0)));
    assert_eq!(run.claim(key(3)), Claim::Take(Some(0)));
    run.begin(key(3), Some(0));
    done(&mut run, 3, 10);
    done(&mut run, 2, 20);
    assert!(matches!(run.claim(key(1)), Claim::Refuse(refusal) if refusal.code == Code::NotWelcome));
    assert_eq!(run.person(Some(1)).unwrap().to_string(), "bob@office");
    run.begin(key(7), Some(1));
    done(&mut run, 7, 30);
    assert_eq!(run.state, RunState::Finished);
}

#[test]
fn pauses_are_not_part_of_the_rate() {
    let mut run = run(Target::Count(10));
    done(&mut run, 1, 60);
    done(&mut run, 2, 120);
    assert_eq!(run.progress().per_hour, Some(60.0));
    assert_eq!(run.progress().left, Some(Duration::from_secs(480)));
    run.pause(Duration::from_secs(130));
    assert_eq!(run.active(Duration::from_secs(9_000)), Duration::from_secs(130));
    run.resume(Duration::from_secs(9_000)).unwrap();
    assert_eq!(run.progress().per_hour, None);
    done(&mut run, 3, 9_010);
    done(&mut run, 4, 9_040);
    assert_eq!(run.progress().per_hour, Some(120.0));
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let plan = |name: &str, target| RunPlan {
        name: name.to_owned(),
        target,
        profile: None,
        overwrite_confirmed: false,
        factory: false,
    };
    for wrong in [
        plan(" ", Target::Endless),
        plan("a\nb", Target::Endless),
        plan(&"x".repeat(61), Target::Endless),
        plan("a", Target::Count(0)),
        plan("a", Target::List(Vec::new())),
    ] {
        assert_eq!(wrong.check().unwrap_err().code, Code::RunInvalid, "{wrong:?}");
    }
    for word in RunState::ALL {
        assert_eq!(RunState::from_word(word.word()), Some(word));
    }
    for word in Standing::ALL {
        assert_eq!(Standing::from_word(word.word()), Some(word));
    }
}

fn record(number: u32, state: State) -> Record {
    let key = key(number);
    Record {
        enrollment: EnrollmentId::NONE,
        state,
        at: Duration::ZERO,
        key,
        slot: Slot(1),
        kind: Kind::Hotp,
        remains: Remains::Secret,
        token: TokenSerial::of(key, Kind::Hotp, Slot(1)),
        profile: "desk".to_owned(),
        person: None,
        actor: Actor::Armed,
        port: "1-1".to_owned(),
        reason: Some(Code::OutcomeUnknown),
        given_up: None,
    }
}

#[test]
fn what_recovery_finishes_or_takes_back_counts_as_that_and_keeps_its_line() {
    let people = ["ada", "bob"].map(|user| Assignment {
        key: None,
        person: Some((user.to_owned(), "office".to_owned())),
        random_pin: false,
    });
    let mut run = run(Target::List(people.to_vec()));
    let time = Duration::ZERO;
    run.begin(key(1), Some(0));
    run.begin(key(2), Some(1));
    let (ada, bob) = (run.person(Some(0)), run.person(Some(1)));
    let of_ada = |state| Record { person: ada.clone(), ..record(1, state) };
    // Proven, and then the power went: it may yet be finished, so nobody else gets its person,
    // and the key, when it is inserted again, gets nobody else.
    assert_eq!(run.claim(key(3)), Claim::Full);
    assert_eq!(run.claim(key(1)), Claim::Take(Some(0)));
    assert_eq!(run.recovered(&of_ada(State::Proven), time, time), None);
    // Whatever becomes of that insertion before recovery is through changes nothing.
    let early = Ending::Refused(Refusal::new(Code::PulledEarly, ""));
    assert_eq!(run.standing_after(&early, &[of_ada(State::Proven)]), None);
    assert_eq!(run.standing_after(&early, &[of_ada(State::Undone)]), Some(Standing::Refused));
    // What was begun for somebody else, before the run, is not what it waits for.
    assert_eq!(run.recovered(&Record { person: bob.clone(), ..record(1, State::Done) }, time, time), None);
    let done = run.recovered(&of_ada(State::Done), time, time).unwrap();
    assert_eq!((done.standing, done.line, done.code), (Standing::Done, Some(0), None));
    let back = Record { person: bob, ..record(2, State::Undone) };
    let back = run.recovered(&back, time, time).unwrap();
    assert_eq!((back.standing, back.line), (Standing::Quarantined, Some(1)));
    assert_eq!(run.claim(key(3)), Claim::Take(Some(1)));
    // Another key's enrollment is none of the run's business.
    assert_eq!(run.recovered(&record(9, State::Done), time, time), None);
    assert_eq!(run.progress().done, 1);
}

fn list_of(count: u32) -> Run {
    let line = |number: u32| Assignment {
        key: None,
        person: Some((format!("person-{number}"), "office".to_owned())),
        random_pin: false,
    };
    run(Target::List((0..count).map(line).collect()))
}

fn fails(run: &mut Run, number: u32, code: Code) -> KeyResult {
    run.settle(key(number), Standing::Refused, Some(code), Duration::ZERO, Duration::ZERO)
}

#[test]
fn a_line_that_fails_for_a_reason_of_its_own_is_set_aside_and_its_key_serves_the_next() {
    for code in [Code::PersonUnknown, Code::AssignRefused, Code::PolicyForbids, Code::RegistrationRefused] {
        let mut run = list_of(3);
        assert_eq!(run.next(), Some(0));
        run.begin(key(1), Some(0));
        assert_eq!(run.next(), Some(1));
        let result = fails(&mut run, 1, code);
        assert_eq!(result.sets_aside().map(|(line, aside)| (line, aside.code)), Some((0, Some(code))));
        assert_eq!((run.claim(key(1)), run.next()), (Claim::Take(Some(1)), Some(1)));
        // Another reason is the key's, or the person's at the desk: it has its line again.
        run.begin(key(1), Some(1));
        assert_eq!(fails(&mut run, 1, Code::NotTouched).sets_aside(), None);
        assert_eq!((run.claim(key(1)), run.claim(key(2))), (Claim::Take(Some(1)), Claim::Take(Some(1))));
        run.begin(key(1), Some(1));
        run.begin(key(2), Some(2));
        assert_eq!((run.next(), run.claim(key(3))), (None, Claim::Full));
        done(&mut run, 2, 10);
        done(&mut run, 1, 20);
        let progress = run.progress();
        assert_eq!((run.state, progress.done, progress.aside), (RunState::Finished, 2, 1));
        assert_eq!(run.retry(&[]).unwrap(), [0]);
        assert!(run.is_reopened());
        run.resume(Duration::ZERO).unwrap();
        assert_eq!((run.next(), run.claim(key(3))), (Some(0), Claim::Take(Some(0))));
    }
}

#[test]
fn a_line_is_skipped_and_comes_back_and_more_are_added() {
    let mut run = list_of(3);
    let skip = |line: u32| [(line, Aside::skipped(Duration::ZERO))];
    run.begin(key(1), Some(0));
    for line in [0, 3] {
        assert_eq!(run.set_aside(&skip(line), Duration::ZERO).unwrap_err().code, Code::RunInvalid, "{line}");
    }
    run.set_aside(&skip(1), Duration::ZERO).unwrap();
    assert_eq!(run.next(), Some(2));
    // Those that failed are none of these.
    assert_eq!(run.retry(&[]).unwrap(), [0_u32; 0]);
    assert_eq!(run.retry(&[2]).unwrap_err().code, Code::RunInvalid);
    done(&mut run, 1, 10);
    run.begin(key(2), Some(2));
    done(&mut run, 2, 20);
    assert_eq!(run.state, RunState::Finished);
    let more = Assignment { person: Some(("zoe".to_owned(), "office".to_owned())), ..Assignment::default() };
    run.add(vec![more]).unwrap();
    run.resume(Duration::ZERO).unwrap();
    assert_eq!((run.next(), run.progress().to_go), (Some(3), Some(1)));
    run.retry(&[1]).unwrap();
    assert_eq!((run.next(), run.progress().to_go), (Some(1), Some(2)));
    assert_eq!(run_of_count().add(Vec::new()).unwrap_err().code, Code::RunInvalid);
}

fn run_of_count() -> Run {
    run(Target::Count(1))
}

#[test]
fn a_key_that_a_line_names_serves_nobody_else() {
    let of = |key: Option<&str>, user: &str| Assignment {
        key: key.map(str::to_owned),
        person: Some((user.to_owned(), "office".to_owned())),
        random_pin: false,
    };
    let mut run = run(Target::List(vec![of(Some("7"), "ada"), of(None, "bob")]));
    run.begin(key(7), Some(0));
    fails(&mut run, 7, Code::PersonUnknown);
    assert!(matches!(run.claim(key(7)), Claim::Refuse(refusal) if refusal.code == Code::LineAside));
    assert_eq!(run.claim(key(8)), Claim::Take(Some(1)));
}

#[test]
fn a_key_that_has_a_line_no_more_says_nothing_about_it() {
    let mut run = list_of(2);
    run.begin(key(1), Some(0));
    run.settle(key(1), Standing::Quarantined, Some(Code::PulledWhileWriting), Duration::ZERO, Duration::ZERO);
    run.begin(key(2), Some(0));
    let record =
        Record { person: run.person(Some(0)), reason: Some(Code::AssignRefused), ..record(1, State::Undone) };
    run.recovered(&record, Duration::ZERO, Duration::ZERO).unwrap();
    assert!(!run.is_aside(0));
    done(&mut run, 2, 10);
    assert_eq!(run.progress().to_go, Some(1));
}

#[test]
fn when_line_after_line_fails_the_run_pauses() {
    let mut run = list_of(30);
    for line in 0..19 {
        run.begin(key(1), Some(line));
        fails(&mut run, 1, Code::AssignRefused);
    }
    assert_eq!((run.state, run.is_stalled()), (RunState::Running, false));
    run.begin(key(1), Some(19));
    fails(&mut run, 1, Code::AssignRefused);
    assert_eq!((run.state, run.is_stalled(), run.next()), (RunState::Paused, true, Some(20)));
    run.resume(Duration::ZERO).unwrap();
    assert!(!run.is_stalled());
}

proptest::proptest! {
    /// Whatever happens to keys and lines, `next` is what a new key gets, every line is in one state, and each line
    /// that can be served is served in the end.
    #[test]
    fn next_is_what_the_next_key_gets(steps in proptest::collection::vec((0_u32..6, 0_u32..8), 0..80)) {
        let (mut run, mut fresh, mut working) = (list_of(8), 100, Vec::new());
        let open = |run: &Run| (0..8).filter(|line| run.is_open(*line)).count();
        for (what, line) in steps {
            match what {
                0 | 1 => {
                    let next = run.next();
                    fresh += 1;
                    let claim = run.claim(key(fresh));
                    if run.state == RunState::Running {
                        proptest::prop_assert_eq!(next, match &claim { Claim::Take(line) => *line, _ => None });
                        if let Claim::Take(line) = claim {
                            run.begin(key(fresh), line);
                            working.push(fresh);
                        }
                    }
                }
                2 if !working.is_empty() => done(&mut run, working.remove(0), 1),
                3 if !working.is_empty() => drop(fails(&mut run, working.remove(0), Code::AssignRefused)),
                4 => drop(run.set_aside(&[(line, Aside::skipped(Duration::ZERO))], Duration::ZERO)),
                5 => {
                    let _ = run.retry(&[line]);
                    let _ = run.resume(Duration::ZERO);
                }
                _ => {}
            }
            let progress = run.progress();
            let counted = progress.done as usize + progress.aside as usize + open(&run) + working.len();
            proptest::prop_assert_eq!(counted, 8);
        }
        let lines: Vec<u32> = run.aside().map(|(line, _)| line).collect();
        let _ = run.retry(&lines);
        let _ = run.resume(Duration::ZERO);
        working.into_iter().for_each(|number| done(&mut run, number, 1));
        while let (RunState::Running, Claim::Take(line)) = (run.state, run.claim(key(fresh + 1))) {
            fresh += 1;
            run.begin(key(fresh), line);
            done(&mut run, fresh, 1);
        }
        proptest::prop_assert_eq!((run.state, run.progress().done), (RunState::Finished, 8));
    }
}
