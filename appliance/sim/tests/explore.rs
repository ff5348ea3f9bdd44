//! The crash explorer finds nothing in the engine, and finds every planted defect.
#![cfg(test)]

use enrolld::keys::device::Firmware;
use enrolld::station::enrollment::{Ending, Order};
use sim::explore::defect::Defect;
use sim::explore::flows::{self, FLOWS, Flow};
use sim::explore::key::Sort;
use sim::explore::world::{Beginning, World};
use sim::explore::{check, exhaustive, random};
use twins::nitrokey3;

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
    assert!(total.faults.len() >= 21 && total.faults.values().all(|times| *times > 3), "{total:?}");
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
fn a_nitrokey_3_pulled_at_any_packet_is_enrolled_when_it_comes_again_elsewhere() {
    let three = Beginning { sort: Sort::Nitrokey3, firmware: Firmware::new(1, 9, 0), ..Beginning::default() };
    let mut left = 0;
    for packet in 0..200 {
        let mut world = World::new(&three).unwrap();
        let mut faults = nitrokey3::Faults::default();
        faults.pull_out_after_reports = Some(packet);
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

#[test]
fn flows_are_found_by_name() {
    for flow in flows::all() {
        assert_eq!(flows::find(flow.name).map(|found| found.name), Some(flow.name));
    }
    assert!(flows::find("no such flow").is_none());
}
