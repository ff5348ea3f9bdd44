//! The crash explorer finds nothing in the engine, and finds every planted defect.

use sim::explore::flows::FLOWS;
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
    for seed in 0..200 {
        total += random::round(seed).unwrap_or_else(|found| panic!("{found}"));
    }
    println!("{total:?}");
    assert!(total.enrollments > 1000 && total.cuts > 100 && total.faults > 100, "{total:?}");
}
