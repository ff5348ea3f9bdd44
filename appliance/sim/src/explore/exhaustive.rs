//! Every flow, cut at every point; and every recovery, cut at every point of it.
//!
//! Most points leave behind what the point before left: a report that was only read, a
//! request that was refused. So the undisturbed way is walked once, with a digest of what is
//! kept without power noted at each point, and only those points are cut that leave something
//! new behind.

use std::collections::HashSet;

use station::engine::enrollment::Ending;
use twins::privacyidea::Lag;

use super::check::{self, Violation};
use super::defect::Defect;
use super::driver::Touching;
use super::flows::Flow;
use super::power::{Left, Power, PowerCut};
use super::transport::lock;
use super::world::{NoWorld, World};

/// What an exploration covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Covered {
    /// Points of the flow itself.
    pub points: u64,
    /// Instants at which the power was cut: those, and with two cuts each point of
    /// what follows the first.
    pub worlds: u64,
    /// Of these, how many left behind, but for the time, what another had left.
    pub alike: u64,
    /// The others: worlds that were restarted, put right and checked.
    pub followed: u64,
    /// Enrollments that were begun for it.
    pub enrollments: u64,
}

impl std::ops::AddAssign for Covered {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.worlds += other.worlds;
        self.alike += other.alike;
        self.followed += other.followed;
        self.enrollments += other.enrollments;
    }
}

/// What was found wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Found {
    /// An invariant does not hold.
    #[error("{flow}, power cut at {cuts:?}: {violation}")]
    Violation {
        flow: &'static str,
        /// The points of the cuts: in the flow, then in each restart.
        cuts: Vec<u64>,
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
    explore(flow, None, 1)
}

/// Cuts the power at every point of `flow`, and again at every point of what follows the restart.
pub fn two_cuts(flow: &Flow) -> Result<Covered, Found> {
    explore(flow, None, 2)
}

/// As [`one_cut`], with a defect planted between the engine and the world.
pub fn one_cut_with(flow: &Flow, defect: Defect) -> Result<Covered, Found> {
    explore(flow, Some(defect), 1)
}

fn explore(flow: &Flow, defect: Option<Defect>, cuts: usize) -> Result<Covered, Found> {
    let (covered, trail) = undisturbed(flow, defect)?;
    let mut seen = vec![HashSet::new(); cuts];
    let mut explorer = Explorer { flow, defect, covered };
    explorer.cut_along(&trail, &mut Vec::new(), &mut seen)?;
    Ok(explorer.covered)
}

struct Explorer<'a> {
    flow: &'a Flow,
    defect: Option<Defect>,
    covered: Covered,
}

impl Explorer<'_> {
    /// Cuts the power at each point of a trail that leaves something new behind, puts it
    /// right, checks, and does the same again along the way of that, as deep as there is
    /// something to be `seen` in.
    fn cut_along(
        &mut self,
        trail: &[Left],
        cuts: &mut Vec<u64>,
        seen: &mut [HashSet<Left>],
    ) -> Result<(), Found> {
        let Some((known, deeper)) = seen.split_first_mut() else { return Ok(()) };
        for (point, left) in (0..).zip(trail) {
            self.covered.worlds += 1;
            if !known.insert(*left) {
                self.covered.alike += 1;
                continue;
            }
            cuts.push(point);
            let along = {
                let mut world = self.cut(cuts)?;
                // What nobody cuts again along need not be watched.
                let power = if deeper.is_empty() { Power::default() } else { Power::watched() };
                self.put_right_and_check(&mut world, power, cuts)?
            };
            self.cut_along(&along, cuts, deeper)?;
            cuts.pop();
        }
        Ok(())
    }

    /// Runs the flow with cuts: the first in the flow itself, each further one in what follows a restart.
    fn cut(&mut self, cuts: &[u64]) -> Result<World, Found> {
        let wrong = |violation| self.wrong(cuts, violation);
        let mut world = begin(self.flow, self.defect)?;
        let mut cuts_left = cuts.iter().copied();
        lock(&world.shared).power = Power::until(cuts_left.next());
        // The cut is meant to happen; a flow that ends before it is as good.
        let _ = (self.flow.act)(&mut world);
        check::always(&world).map_err(wrong)?;
        for cut in cuts_left {
            world.restart(Power::until(Some(cut)));
            // As above; what a later check finds, the check after the last cut finds too.
            let _ = put_right(&mut world);
            check::always(&world).map_err(wrong)?;
        }
        self.covered.enrollments += world.insertions();
        Ok(world)
    }

    /// Restarts, lets everything be put right without a further cut, and checks; gives
    /// back what a cut at each point of that would have left behind, if that is watched.
    fn put_right_and_check(
        &mut self,
        world: &mut World,
        power: Power,
        cuts: &[u64],
    ) -> Result<Vec<Left>, Found> {
        let before = world.insertions();
        world.restart(power);
        let Ok(ended) = put_right(world) else { return Err(Found::NotWell(self.flow.name)) };
        ended.map_err(|violation| self.wrong(cuts, violation))?;
        let image = world.disk.image().unwrap_or_default();
        check::disk_is_clean(world, &image).map_err(|violation| self.wrong(cuts, violation))?;
        self.covered.enrollments += world.insertions() - before;
        self.covered.followed += 1;
        Ok(lock(&world.shared).power.take_trail())
    }

    fn wrong(&self, cuts: &[u64], violation: Violation) -> Found {
        Found::Violation { flow: self.flow.name, cuts: cuts.to_vec(), violation }
    }
}

/// Runs the flow without a cut, and notes what a cut at each of its points would leave behind.
fn undisturbed(flow: &Flow, defect: Option<Defect>) -> Result<(Covered, Vec<Left>), Found> {
    let mut world = begin(flow, defect)?;
    lock(&world.shared).power = Power::watched();
    if (flow.act)(&mut world).is_err() || !(flow.ended_well)(&world) {
        return Err(Found::NotWell(flow.name));
    }
    let wrong = |violation| Found::Violation { flow: flow.name, cuts: Vec::new(), violation };
    check::settled(&world).map_err(wrong)?;
    let trail = lock(&world.shared).power.take_trail();
    let points = trail.len() as u64;
    Ok((Covered { points, enrollments: world.insertions(), ..Covered::default() }, trail))
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
    world.calls_off = None;
    lock(&world.shared).server.fault_clear();
    world.recover()?;
    if let Err(violation) = check::settled(world) {
        return Ok(Err(violation));
    }
    // From here on it shows what it has done.
    lock(&world.shared).server.set_lag(Lag::default());
    let mend = world.mend;
    if let Some(key) = world.keys.first_mut() {
        mend(key);
    }
    let after = world.after;
    let ending = after(world)?;
    if !matches!(ending, Ending::Enrolled(_)) {
        let words = ending.refusal().map_or_else(String::new, ToString::to_string);
        return Ok(Err(Violation::NotEnrolled(0, words)));
    }
    Ok(check::settled(world))
}
