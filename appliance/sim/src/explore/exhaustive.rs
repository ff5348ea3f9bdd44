//! Every flow, cut at every point; and every recovery, cut at every point of it.

use std::collections::HashSet;

use super::check::{self, Violation};
use super::defect::Defect;
use super::driver::Touching;
use super::flows::{self, Flow};
use super::power::{Power, PowerCut};
use super::transport::lock;
use super::world::{NoWorld, World};

/// What an exploration covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Covered {
    /// Points of the flow itself.
    pub points: u64,
    /// Worlds that were run.
    pub worlds: u64,
    /// Enrollments that were begun in them.
    pub enrollments: u64,
    /// Worlds that were, but for the time, as one before, and were not followed further.
    pub alike: u64,
}

impl std::ops::AddAssign for Covered {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.worlds += other.worlds;
        self.enrollments += other.enrollments;
        self.alike += other.alike;
    }
}

/// What was found wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Found {
    /// An invariant does not hold.
    #[error("{flow}, power cut at {cuts:?}: {violation}")]
    Violation {
        /// In which flow.
        flow: &'static str,
        /// The points of the cuts: in the flow, then in each restart.
        cuts: Vec<u64>,
        /// What.
        violation: Violation,
    },
    /// The flow does not even do its job without a cut.
    #[error("{0} does not end well even when nothing happens to it")]
    NotWell(&'static str),
    /// The explorer itself failed.
    #[error(transparent)]
    NoWorld(#[from] NoWorld),
}

/// Cuts the power once, at every point of `flow`.
pub fn one_cut(flow: &Flow) -> Result<Covered, Found> {
    explore(flow, None, false)
}

/// Cuts the power at every point of `flow`, and again at every point of what follows the restart.
pub fn two_cuts(flow: &Flow) -> Result<Covered, Found> {
    explore(flow, None, true)
}

/// As [`one_cut`], with a defect planted between the engine and the world.
pub fn one_cut_with(flow: &Flow, defect: Defect) -> Result<Covered, Found> {
    explore(flow, Some(defect), false)
}

fn explore(flow: &Flow, defect: Option<Defect>, twice: bool) -> Result<Covered, Found> {
    let mut covered = Covered { points: undisturbed(flow, defect)?, worlds: 1, enrollments: 1, alike: 0 };
    let mut seen = HashSet::new();
    let mut seen_twice = HashSet::new();
    for first in 0..covered.points {
        let mut world = cut(flow, defect, &[first])?;
        covered.worlds += 1;
        covered.enrollments += 1;
        if !seen.insert(world.digest()) {
            covered.alike += 1;
            continue;
        }
        covered.enrollments += 1;
        let points = put_right_and_check(flow, &mut world, &[first])?;
        for second in (0..points).filter(|_| twice) {
            let mut world = cut(flow, defect, &[first, second])?;
            covered.worlds += 1;
            covered.enrollments += 2;
            if !seen_twice.insert(world.digest()) {
                covered.alike += 1;
                continue;
            }
            covered.enrollments += 1;
            put_right_and_check(flow, &mut world, &[first, second])?;
        }
    }
    Ok(covered)
}

/// Runs the flow without a cut and counts its points.
fn undisturbed(flow: &Flow, defect: Option<Defect>) -> Result<u64, Found> {
    let mut world = begin(flow, defect)?;
    if (flow.act)(&mut world).is_err() || !(flow.ended_well)(&world) {
        return Err(Found::NotWell(flow.name));
    }
    let wrong = |violation| Found::Violation { flow: flow.name, cuts: Vec::new(), violation };
    check::settled(&world).map_err(wrong)?;
    let points = lock(&world.shared).power.passed();
    Ok(points)
}

/// Runs the flow with cuts: the first in the flow itself, each further one in what follows a restart.
fn cut(flow: &Flow, defect: Option<Defect>, cuts: &[u64]) -> Result<World, Found> {
    let wrong = |violation| Found::Violation { flow: flow.name, cuts: cuts.to_vec(), violation };
    let mut world = begin(flow, defect)?;
    let mut cuts_left = cuts.iter().copied();
    lock(&world.shared).power = Power::until(cuts_left.next());
    // The cut is meant to happen; a flow that ends before it is as good.
    let _ = (flow.act)(&mut world);
    check::always(&world).map_err(wrong)?;
    for cut in cuts_left {
        world.restart(Power::until(Some(cut)));
        // As above; what a later check finds, the check after the last cut finds too.
        let _ = put_right(&mut world);
        check::always(&world).map_err(wrong)?;
    }
    Ok(world)
}

/// Restarts, lets everything be put right without a further cut, and checks; gives
/// back how many points there were.
fn put_right_and_check(flow: &Flow, world: &mut World, cuts: &[u64]) -> Result<u64, Found> {
    let wrong = |violation| Found::Violation { flow: flow.name, cuts: cuts.to_vec(), violation };
    world.restart(Power::default());
    let Ok(ended) = put_right(world) else { return Err(Found::NotWell(flow.name)) };
    ended.map_err(wrong)?;
    let image = world.disk.image().unwrap_or_default();
    check::disk_is_clean(world, &image).map_err(wrong)?;
    let points = lock(&world.shared).power.passed();
    Ok(points)
}

fn begin(flow: &Flow, defect: Option<Defect>) -> Result<World, Found> {
    let mut world = World::new(&(flow.begin)())?;
    world.defect = defect;
    if (flow.prepare)(&mut world).is_err() {
        return Err(Found::NotWell(flow.name));
    }
    // Only what the flow itself does is counted.
    lock(&world.shared).power = Power::default();
    Ok(world)
}

/// What happens after a restart: recovery, then the same key is inserted again,
/// by a person who touches it as shown, at a server without faults.
fn put_right(world: &mut World) -> Result<Result<(), Violation>, PowerCut> {
    world.touching = Touching::Right;
    lock(&world.shared).server.fault_clear();
    world.recover()?;
    if let Err(violation) = check::settled(world) {
        return Ok(Err(violation));
    }
    let mend = world.mend;
    if let Some(key) = world.keys.first_mut() {
        mend(key);
    }
    let order = (world.again)(world);
    let outcome = world.insert(0, order)?;
    if !flows::is_enrolled(&outcome) {
        let words = outcome.ending.refusal().map_or_else(String::new, ToString::to_string);
        return Ok(Err(Violation::NotEnrolled(0, words)));
    }
    Ok(check::settled(world))
}
