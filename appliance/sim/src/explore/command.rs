//! `station-sim explore`: the explorer at a terminal.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Context;

use super::flows::{self, Flow};
use super::{exhaustive, random};
use crate::args::Explore;

/// How often a long run says that it is alive, in random worlds.
const SAY_EVERY: u64 = 10_000;

/// Carries the command out; true when every invariant held.
pub fn run(args: &Explore) -> anyhow::Result<bool> {
    let started = Instant::now();
    let (mut held, mut broken) = flows_at_once(&chosen(args)?, args.cuts);
    let (total, found) = worlds(args);
    println!(
        "random worlds {} to {}: {} enrollments ({} proven), {} power cuts, {} faults",
        args.seed,
        args.seed.saturating_add(args.rounds),
        total.enrollments,
        total.enrolled,
        total.cuts,
        total.faults.values().sum::<u64>()
    );
    for (fault, times) in &total.faults {
        println!("{times:>9} {fault}");
    }
    held += args.rounds - found;
    broken += found;
    println!("took {:.1} s", started.elapsed().as_secs_f64());
    println!("{held} passed, {broken} failed");
    Ok(broken == 0)
}

/// Explores flows, as many at once as there are processors; how many held, and how many did not.
fn flows_at_once(flows: &[&'static Flow], cuts: u8) -> (u64, u64) {
    let next = AtomicUsize::new(0);
    let held = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(flow) = flows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let well = (1..=cuts).filter(|cuts| explored(flow, *cuts)).count();
                    held.fetch_add(well as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let held = held.into_inner();
    (held, (flows.len() as u64 * u64::from(cuts)).saturating_sub(held))
}

/// Explores one flow and says what came of it; true when every invariant held.
fn explored(flow: &Flow, cuts: u8) -> bool {
    let began = Instant::now();
    let result = if cuts == 1 { exhaustive::one_cut(flow) } else { exhaustive::two_cuts(flow) };
    match result {
        Ok(covered) => println!(
            "{:<32} {cuts} cut{} at {:>4} points: {:>7} worlds, {:>4} of them different, {:>6} enrollments, {:>5.1} s",
            flow.name,
            if cuts == 1 { " " } else { "s" },
            covered.points,
            covered.worlds,
            covered.followed,
            covered.enrollments,
            began.elapsed().as_secs_f64()
        ),
        Err(ref found) => println!("{found}"),
    }
    result.is_ok()
}

fn chosen(args: &Explore) -> anyhow::Result<Vec<&'static Flow>> {
    match &args.flow {
        None => Ok(flows::all().collect()),
        Some(name) => {
            let names = || flows::all().map(|flow| flow.name).collect::<Vec<_>>().join(", ");
            let flow = flows::find(name)
                .with_context(|| format!("there is no flow '{name}'; there are: {}", names()))?;
            Ok(vec![flow])
        }
    }
}

fn worlds(args: &Explore) -> (random::Round, u64) {
    let mut total = random::Round::default();
    let mut found = 0;
    for number in 0..args.rounds {
        match random::round(args.seed.wrapping_add(number), args.tell) {
            Ok(round) => total += round,
            Err(what) => {
                found += 1;
                println!("{what}");
            }
        }
        if (number + 1) % SAY_EVERY == 0 {
            println!("{} worlds, {} enrollments", number + 1, total.enrollments);
        }
    }
    (total, found)
}
