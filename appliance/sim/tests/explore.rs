//! The crash explorer finds nothing in the engine, and finds every planted defect.

use sim::explore::defect::Defect;
use sim::explore::flows::{self, FLOWS, Flow};
use sim::explore::{exhaustive, random};

#[test]
fn every_flow_survives_one_cut_anywhere() {
    survive_one_cut(FLOWS.iter());
}

#[test]
fn every_flow_of_nitrokeys_survives_one_cut_anywhere() {
    // Those of YubiKeys come first.
    survive_one_cut(flows::all().skip(FLOWS.len()));
}

#[allow(clippy::panic)]
fn survive_one_cut(flows: impl Iterator<Item = &'static Flow>) {
    for flow in flows {
        let covered = exhaustive::one_cut(flow).unwrap_or_else(|found| panic!("{found}"));
        println!("{}: {covered:?}", flow.name);
        assert!(covered.points > 50, "{}: {covered:?}", flow.name);
    }
}

#[test]
fn random_worlds_end_well() {
    let mut total = random::Round::default();
    for seed in 0..300 {
        total += random::round(seed).unwrap_or_else(|found| panic!("{found}"));
    }
    println!("{total:?}");
    assert!(total.enrollments > 2_000 && total.cuts > 100 && total.faults > 100, "{total:?}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17] {
        assert_eq!(random::round(seed).unwrap(), random::round(seed).unwrap());
    }
}

#[test]
fn every_planted_defect_is_caught() {
    for defect in Defect::ALL {
        let caught = flows::all().find_map(|flow| exhaustive::one_cut_with(flow, defect).err());
        println!("{defect:?}: {caught:?}");
        assert!(caught.is_some(), "{defect:?} was not noticed");
    }
}

#[test]
fn flows_are_found_by_name() {
    for flow in flows::all() {
        assert_eq!(flows::find(flow.name).map(|found| found.name), Some(flow.name));
    }
    assert!(flows::find("no such flow").is_none());
}
