//! Seeded random worlds: many keys, many cuts, many faults. A seed replays exactly.

use std::time::Duration;

use enrolld::keys::device::Firmware;
use enrolld::station::enrollment::Ending;
use enrolld::station::profile::{CodeTo, NewCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use twins::privacyidea::{Fault, Mode, Version};
use twins::yubikey::Faults;

use super::check::{self, Violation};
use super::driver::Touching;
use super::flows;
use super::key::Sort;
use super::power::Power;
use super::transport::lock;
use super::world::{Beginning, NoWorld, World};

/// What one round covered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Enrollments that were begun.
    pub enrollments: u64,
    /// Of these, how many ended with a proven key.
    pub enrolled: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Faults of the server, the keys and the people that were prepared.
    pub faults: u64,
}

impl std::ops::AddAssign for Round {
    fn add_assign(&mut self, other: Self) {
        self.enrollments += other.enrollments;
        self.enrolled += other.enrolled;
        self.cuts += other.cuts;
        self.faults += other.faults;
    }
}

/// What was found wrong, with the seed that finds it again.
#[derive(Debug, thiserror::Error)]
pub enum Found {
    /// An invariant does not hold.
    #[error("seed {seed}: {violation}")]
    Violation {
        /// The seed of the round.
        seed: u64,
        /// What.
        violation: Violation,
    },
    /// The explorer itself failed.
    #[error(transparent)]
    NoWorld(#[from] NoWorld),
}

const FIRMWARES: [Firmware; 7] = [
    Firmware::new(2, 3, 1),
    Firmware::new(2, 4, 3),
    Firmware::new(3, 4, 9),
    Firmware::new(4, 3, 4),
    Firmware::new(5, 1, 2),
    Firmware::new(5, 4, 3),
    Firmware::new(5, 7, 1),
];

const VERSIONS: [Version; 3] = [Version::V3_14, Version::V3_9_3, Version::EduMfa2_9_5];

const PATHS: [&str; 9] = [
    "/auth",
    "/token/init",
    "/token/",
    "/token/disable",
    "/token/enable",
    "/token/assign",
    "/token/info",
    "/validate/check",
    "/",
];

const MODES: [Mode; 6] = [Mode::Status, Mode::Html, Mode::Truncate, Mode::Slow, Mode::Cut, Mode::Lost];

/// Plays one world to its end.
pub fn round(seed: u64) -> Result<Round, Found> {
    let mut rng = StdRng::seed_from_u64(seed);
    let keys = rng.random_range(1..=4_u32);
    let policies = match rng.random_range(0..4) {
        0 => vec!["verify-enrollment"],
        1 => vec!["admin-rights"],
        2 => vec!["pin-random"],
        _ => Vec::new(),
    };
    let mut world = World::new(&Beginning {
        seed,
        keys,
        sort: Sort::YubiKey,
        firmware: pick(&FIRMWARES, &mut rng),
        version: pick(&VERSIONS, &mut rng),
        policies,
    })?;
    let mut round = Round::default();
    let wrong = |violation| Found::Violation { seed, violation };

    for _ in 0..rng.random_range(4..=12) {
        disturb(&mut world, &mut rng, &mut round);
        let key = rng.random_range(0..world.keys.len());
        let order = match rng.random_range(0..7) {
            0 => flows::for_alice(),
            1 => flows::anew(),
            2 => flows::of(pick(&flows::KINDS, &mut rng)()),
            3 => flows::locked(NewCode::Random, CodeTo::Server),
            _ => flows::order(),
        };
        round.enrollments += 1;
        match world.insert(key, order) {
            Ok(outcome) => {
                round.enrolled += u64::from(matches!(outcome.ending, Ending::Enrolled(_)));
                check::always(&world).map_err(wrong)?;
            }
            Err(_) => restart(&mut world, &mut rng, &mut round).map_err(wrong)?,
        }
    }

    calm(&mut world);
    // Without a planned cut the power stays on.
    let _ = world.recover();
    check::settled(&world).map_err(wrong)?;
    for key in 0..world.keys.len() {
        world.replug(key);
        round.enrollments += 1;
        let Ok(outcome) = world.insert(key, flows::anew()) else { continue };
        if !flows::is_enrolled(&outcome) {
            let words = outcome.ending.refusal().map_or_else(String::new, ToString::to_string);
            return Err(wrong(Violation::NotEnrolled(key, words)));
        }
        round.enrolled += 1;
    }
    check::settled(&world).map_err(wrong)?;
    let image = world.disk.image().unwrap_or_default();
    check::disk_is_clean(&world, &image).map_err(wrong)?;
    Ok(round)
}

/// Starts again after a cut; recovery may be cut, too.
fn restart(world: &mut World, rng: &mut StdRng, round: &mut Round) -> Result<(), Violation> {
    loop {
        round.cuts += 1;
        check::always(world)?;
        let cut = rng.random_bool(0.3).then(|| rng.random_range(0..60));
        world.restart(Power::until(cut));
        if world.recover().is_ok() {
            return check::always(world);
        }
    }
}

/// Prepares what goes wrong next.
fn disturb(world: &mut World, rng: &mut StdRng, round: &mut Round) {
    world.touching = match rng.random_range(0..8) {
        0 => Touching::Never,
        1 => Touching::WrongSlot,
        2 => Touching::OnlyAt(2),
        _ => Touching::Right,
    };
    let cut = rng.random_bool(0.4).then(|| rng.random_range(0..220));
    {
        let mut shared = lock(&world.shared);
        shared.power = Power::until(cut);
        shared.reachable = !rng.random_bool(0.05);
        for _ in 0..rng.random_range(0..3) {
            let mut fault = Fault::new(pick(&PATHS, rng), pick(&MODES, rng));
            fault.status = pick(&[429, 500, 502, 503], rng);
            fault.delay = Duration::from_secs(rng.random_range(1..60));
            fault.shots = rng.random_range(1..=6);
            fault.skip = rng.random_range(0..3);
            shared.server.fault_add(fault);
            round.faults += 1;
        }
    }
    for key in &mut world.keys {
        // The twin is in this process: plugging it in cannot fail.
        let _ = key.replug();
        let Some(key) = key.yubikey() else { continue };
        let mut faults = Faults::default();
        if rng.random_bool(0.2) {
            round.faults += 1;
            match rng.random_range(0..5) {
                0 => faults.pull_out_after_reports = Some(rng.random_range(0..60)),
                1 => faults.pull_out_after_transfers = Some(rng.random_range(0..120)),
                2 => faults.refuse_writes = rng.random_range(1..3),
                3 => faults.lose_writes = rng.random_range(1..3),
                _ => faults.ignore_touches = rng.random_range(1..4),
            }
            faults.commit_late = rng.random_bool(0.5);
        }
        key.set_faults(faults);
    }
}

/// Everything works again.
fn calm(world: &mut World) {
    world.touching = Touching::Right;
    for key in &mut world.keys {
        key.calm();
    }
    world.restart(Power::default());
    let mut shared = lock(&world.shared);
    shared.server.fault_clear();
    shared.reachable = true;
}

fn pick<T: Copy, const N: usize>(choices: &[T; N], rng: &mut StdRng) -> T {
    let index = rng.random_range(0..N);
    // The index is within the array; the fallback is there for the compiler.
    choices.get(index).copied().unwrap_or(choices[0])
}
