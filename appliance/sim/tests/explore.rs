//! The crash explorer finds nothing in the engine, and finds every planted defect.

use sim::explore::defect::Defect;
use sim::explore::flows::{self, FLOWS};
use sim::explore::{exhaustive, random};

#[test]
fn every_flow_survives_one_cut_anywhere() {
    for flow in FLOWS {
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
        let caught = FLOWS.iter().find_map(|flow| exhaustive::one_cut_with(flow, defect).err());
        println!("{defect:?}: {caught:?}");
        assert!(caught.is_some(), "{defect:?} was not noticed");
    }
}

#[test]
fn flows_are_found_by_name() {
    for flow in FLOWS {
        assert_eq!(flows::find(flow.name).map(|found| found.name), Some(flow.name));
    }
    assert!(flows::find("no such flow").is_none());
}
