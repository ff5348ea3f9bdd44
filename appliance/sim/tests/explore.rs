//! The crash explorer finds nothing in the engine, and finds every planted defect.
#![cfg(test)]

use std::time::Duration;

use keys::device::{Firmware, Kind};
use sim::explore::check::{self, Violation};
use sim::explore::defect::Defect;
use sim::explore::flows::{self, FLOWS, Flow};
use sim::explore::key::Sort;
use sim::explore::world::{Beginning, World};
use sim::explore::{exhaustive, random, transport};
use station::engine::enrollment::{Ending, Order};
use station::engine::key_order::KeyOrder;
use station::engine::record::Actor;
use station::profile::Profile;
use station::refusal::Code;
use twins::{nitrokey3, yubikey};

#[test]
fn every_flow_of_a_yubikey_survives_one_cut_anywhere() {
    survive_one_cut(FLOWS.iter());
}

#[test]
fn every_other_flow_survives_one_cut_anywhere() {
    // Nitrokeys, phones, and what else happens at a desk.
    survive_one_cut(flows::all().skip(FLOWS.len()));
}

/// All of them do so in the stage `explore`.
#[test]
fn a_flow_survives_two_cuts_anywhere() {
    let covered =
        exhaustive::two_cuts(flows::find("hotp6").unwrap()).unwrap_or_else(|found| panic!("{found}"));
    println!("{covered:?}");
    assert!(covered.worlds > 2_000 && covered.followed > 50, "{covered:?}");
}

fn survive_one_cut(flows: impl Iterator<Item = &'static Flow>) {
    for flow in flows {
        let covered = exhaustive::one_cut(flow).unwrap_or_else(|found| panic!("{found}"));
        println!("{}: {covered:?}", flow.name);
        assert!(covered.points > 20 && covered.followed > 1, "{}: {covered:?}", flow.name);
    }
}

#[test]
fn random_worlds_end_well() {
    let mut total = random::Round::default();
    for seed in 0..300 {
        total += random::round(seed, false).unwrap_or_else(|found| panic!("{found}"));
    }
    println!("{total:#?}");
    // Each kind of fault, so that a world without one of them is noticed.
    assert!(total.faults.len() >= 23 && total.faults.values().all(|times| *times > 3), "{total:?}");
    assert!(total.enrollments > 2_000 && total.cuts > 100, "{total:?}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17] {
        assert_eq!(random::round(seed, false).unwrap(), random::round(seed, false).unwrap());
    }
}

#[test]
fn every_planted_defect_is_caught() {
    for defect in Defect::ALL {
        let flow = match defect {
            Defect::RepeatStepTwo => "two-step",
            Defect::GuessPin => "pro-hotp6",
            Defect::BelieveOneLook => "reads-lag-a-minute-answers-lost",
            Defect::OutliveClient => "client-goes-before-the-key",
            Defect::ForgetHandOver => "locked-code-handed-over",
            Defect::ReplaceUnnamed => "finished-armed",
            _ => "hotp6",
        };
        let caught = exhaustive::one_cut_with(flows::find(flow).unwrap(), defect).err();
        println!("{defect:?}: {caught:?}");
        assert!(caught.is_some(), "{defect:?} was not noticed");
    }
}

#[test]
fn whenever_its_client_goes_an_order_leaves_nothing_or_a_proven_key() {
    for policies in [Vec::new(), vec!["verify-enrollment"]] {
        let (mut undone, mut enrolled) = (0, 0);
        for steps in 0..80 {
            let begin = Beginning { policies: policies.clone(), ..Beginning::default() };
            let mut world = World::new(&begin).unwrap();
            world.client.goes_after(steps);
            let outcome = world.insert(0, flows::for_alice()).unwrap();
            check::settled(&world).unwrap();
            let ours = world.keys[0].holds_ours();
            assert_eq!(flows::is_enrolled(&outcome), ours, "after step {steps}: {outcome:?}");
            // Once it is proven, it is finished whoever goes.
            assert!(flows::is_enrolled(&outcome) || enrolled == 0, "after step {steps}: {outcome:?}");
            undone += u32::from(!ours);
            enrolled += u32::from(ours);
        }
        assert!(undone > 10 && enrolled > 10, "{undone} undone, {enrolled} enrolled");
    }
}

#[test]
fn an_order_that_outlives_its_client_is_caught_wherever_that_goes() {
    for flow in flows::all().filter(|flow| flow.name.starts_with("client-goes")) {
        let caught = exhaustive::one_cut_with(flow, Defect::OutliveClient).err();
        println!("{}: {caught:?}", flow.name);
        assert_eq!(caught.is_some(), flow.name != "client-goes-detached", "{}", flow.name);
    }
    // And by the invariant, in a world that does not know how it ought to end.
    for steps in 0..5 {
        let mut world = World::new(&Beginning::default()).unwrap();
        world.defect = Some(Defect::OutliveClient);
        world.client.goes_after(steps);
        world.insert(0, flows::for_alice()).unwrap();
        assert!(matches!(check::settled(&world), Err(Violation::NobodyWaited(_))), "after step {steps}");
    }
}

#[test]
fn a_nitrokey_3_pulled_at_any_packet_is_enrolled_when_it_comes_again_elsewhere() {
    let three = Beginning { sort: Sort::Nitrokey3, firmware: Firmware::new(1, 9, 0), ..Beginning::default() };
    let mut left = 0;
    for packet in 0..200 {
        let mut world = World::new(&three).unwrap();
        let faults =
            nitrokey3::Faults { pull_out_after_reports: Some(packet), ..nitrokey3::Faults::default() };
        world.keys[0].nitrokey3().unwrap().set_faults(faults);
        let ending = world.insert(0, flows::order()).unwrap().ending;
        check::always(&world).unwrap();
        if matches!(ending, Ending::Enrolled(_)) {
            break;
        }
        left += u32::from(matches!(ending, Ending::Quarantined(_) | Ending::Undone(_)));
        world.keys[0].calm();
        world.replug(0);
        let again = world.insert(0, Order { port: "2-1.4".to_owned(), ..flows::order() }).unwrap();
        assert!(flows::is_enrolled(&again), "pulled after packet {packet} ({}): {again:?}", ending.word());
        check::settled(&world).unwrap();
    }
    assert!(left > 3);
}

/// A world whose YubiKey has faults, and what comes of an order.
fn with_faults(
    order: Order,
    change: impl FnOnce(&mut yubikey::Faults),
) -> (World, station::engine::enrollment::Outcome) {
    let mut world = World::new(&Beginning::default()).unwrap();
    let mut faults = yubikey::Faults::default();
    change(&mut faults);
    world.keys[0].yubikey().unwrap().set_faults(faults);
    let outcome = world.insert(0, order).unwrap();
    check::always(&world).unwrap();
    (world, outcome)
}

#[test]
fn a_torn_code_is_asked_for_again_and_never_sent() {
    for kind in [Kind::Hotp, Kind::YubicoOtp, Kind::StaticPassword] {
        for torn in 0..=5 {
            let order = || flows::of(Profile { attempts: 1, ..Profile::new(kind) });
            let (_, exchanged) = with_faults(order(), |faults| faults.exchange = torn);
            assert!(flows::is_enrolled(&exchanged), "{kind:?} {torn}: {exchanged:?}");
            let (mut world, outcome) = with_faults(order(), |faults| faults.tear = torn);
            let Ending::Enrolled(proof) = &outcome.ending else { panic!("{kind:?} {torn}: {outcome:?}") };
            assert_eq!(proof.attempts, 1, "{kind:?} {torn}");
            // Nor when it is asked for again later.
            if kind != Kind::StaticPassword {
                let faults = yubikey::Faults { tear: torn, ..yubikey::Faults::default() };
                world.keys[0].yubikey().unwrap().set_faults(faults);
                let verified = world.verify(0, KeyOrder::new("1-1.2", Actor::Armed)).unwrap();
                let answered = verified.result.unwrap_or_else(|refusal| panic!("{kind:?} {torn}: {refusal}"));
                assert!(answered.counts && answered.ours);
            }
            let shared = transport::lock(&world.shared);
            assert!(shared.server.tokens().all(|token| token.failcount == 0), "{kind:?} {torn}");
        }
    }
    for attempts in 1..=2 {
        let order = flows::of(Profile { attempts, ..Profile::new(Kind::Hotp) });
        let (world, outcome) = with_faults(order, |faults| faults.tear = u32::MAX);
        let refusal = outcome.ending.refusal().unwrap();
        assert_eq!(refusal.code, Code::CodeTorn);
        assert!(refusal.detail.ends_with(&format!("{} torn codes", 5 + attempts)), "{}", refusal.detail);
        assert!(flows::nothing_left(&world));
    }
}

#[test]
fn a_key_that_answers_late_each_time_is_refused_in_time() {
    for late in [1_200, 3_000, 9_000] {
        let (world, outcome) =
            with_faults(flows::order(), |faults| faults.late = Duration::from_millis(late));
        assert_eq!(outcome.ending.refusal().map(|refusal| refusal.code), Some(Code::KeySlow), "{late} ms");
        let took = transport::lock(&world.shared).time;
        assert!(took < Duration::from_millis(5 * late + 2_000), "{late} ms: after {took:?}");
        assert!(flows::nothing_left(&world));
    }
    let (_, outcome) = with_faults(flows::order(), |faults| faults.late = Duration::from_millis(200));
    assert!(flows::is_enrolled(&outcome), "{outcome:?}");
}

#[test]
fn flows_are_found_by_name() {
    for flow in flows::all() {
        assert_eq!(flows::find(flow.name).map(|found| found.name), Some(flow.name));
    }
    assert!(flows::find("no such flow").is_none());
}
