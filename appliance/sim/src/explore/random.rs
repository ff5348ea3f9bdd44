//! Seeded random worlds: many keys, many cuts, many faults. A seed replays exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use keys::device::{Firmware, Kind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use station::engine::enrollment::{Ending, Order, Replace};
use station::profile::{CodeTo, NewCode, Overwrite, Profile};
use station::refusal::Code;
use twins::nitrokey_pro::Product;
use twins::privacyidea::{Fault, Lag, Mode, Version};
use twins::{nitrokey_pro, nitrokey3, yubikey};

use super::check::{self, Violation};
use super::driver::Touching;
use super::flows;
use super::key::{Key, Sort};
use super::list;
use super::power::Power;
use super::story;
use super::transport::lock;
use super::world::{Beginning, NoWorld, World};

/// What one round covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Enrollments that were begun.
    pub enrollments: u64,
    /// Of these, how many ended with a proven key.
    pub enrolled: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Faults of the server, the keys and the people that were prepared, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Round {
    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }
}

impl std::ops::AddAssign for Round {
    fn add_assign(&mut self, other: Self) {
        self.enrollments += other.enrollments;
        self.enrolled += other.enrolled;
        self.cuts += other.cuts;
        for (kind, times) in other.faults {
            *self.faults.entry(kind).or_default() += times;
        }
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
        violation: Violation,
    },
    /// The explorer itself failed.
    #[error(transparent)]
    NoWorld(#[from] NoWorld),
}

/// The keys of a world, by their dice: half of them YubiKeys.
const SORTS: [(Sort, Firmware); 16] = [
    (Sort::YubiKey, Firmware::new(2, 3, 1)),
    (Sort::YubiKey, Firmware::new(2, 4, 3)),
    (Sort::YubiKey, Firmware::new(3, 4, 9)),
    (Sort::YubiKey, Firmware::new(4, 3, 4)),
    (Sort::YubiKey, Firmware::new(5, 1, 2)),
    (Sort::YubiKey, Firmware::new(5, 4, 3)),
    (Sort::YubiKey, Firmware::new(5, 4, 3)),
    (Sort::YubiKey, Firmware::new(5, 7, 1)),
    (Sort::NitrokeyPro(Product::Pro), Firmware::new(0, 7, 0)),
    (Sort::NitrokeyPro(Product::Pro), Firmware::new(0, 8, 0)),
    (Sort::NitrokeyPro(Product::Pro), Firmware::new(0, 15, 0)),
    (Sort::NitrokeyPro(Product::Storage), Firmware::new(0, 53, 0)),
    (Sort::NitrokeyPro(Product::Storage), Firmware::new(0, 57, 0)),
    (Sort::Nitrokey3, Firmware::new(1, 7, 2)),
    (Sort::Nitrokey3, Firmware::new(1, 8, 1)),
    (Sort::Nitrokey3, Firmware::new(1, 9, 0)),
];

pub(super) const VERSIONS: [Version; 3] = [Version::V3_14, Version::V3_9_3, Version::EduMfa2_9_5];

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

/// Plays one world to its end. With `tells`, prints what happens in it.
pub fn round(seed: u64, tells: bool) -> Result<Round, Found> {
    if seed % 8 == 5 {
        return list::round(seed, tells);
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let keys = rng.random_range(1..=4_u32);
    let policies = match rng.random_range(0..4) {
        0 => vec!["verify-enrollment"],
        1 => vec!["admin-rights"],
        2 => vec!["pin-random"],
        _ => Vec::new(),
    };
    let (sort, firmware) = pick(&SORTS, &mut rng);
    // Nitrokeys have places for both kinds, which are two enrollments.
    let kind = if sort != Sort::YubiKey && rng.random_bool(0.5) { Kind::Totp } else { Kind::Hotp };
    // A quarter of the worlds of YubiKeys has them as they are sold.
    let sold = sort == Sort::YubiKey && rng.random_bool(0.25);
    // A server that puts random PINs on tokens is sent people and PINs.
    let pinned = policies.contains(&"pin-random");
    let pin = move |order: Order| if pinned { flows::with_pin(order) } else { order };
    let anew = || pin(flows::of(Profile { overwrite: Overwrite::Factory, ..Profile::new(kind) }));
    let mut world = World::new(&Beginning {
        seed,
        keys,
        sort,
        firmware,
        version: pick(&VERSIONS, &mut rng),
        policies,
        sold,
        ..Beginning::default()
    })?;
    world.tells = tells;
    let mut round = Round::default();
    // Dice of their own, so that seeds mean what they meant before there were clients.
    let mut clients = StdRng::seed_from_u64(!seed);
    let wrong = |violation| Found::Violation { seed, violation };

    for _ in 0..rng.random_range(4..=12) {
        disturb(&mut world, &mut rng, &mut round);
        let key = rng.random_range(0..world.keys.len());
        let yubikey = sort == Sort::YubiKey;
        let order = match rng.random_range(0..7) {
            0 => {
                let person = if rng.random_bool(0.5) { flows::for_alice() } else { flows::for_bob() }.person;
                Order { person, ..flows::of(Profile::new(kind)) }
            }
            1 => anew(),
            2 if yubikey => flows::of(pick(&flows::KINDS, &mut rng)()),
            3 if yubikey => flows::locked(NewCode::Random, CodeTo::Server),
            _ => flows::of(Profile::new(kind)),
        };
        // One without is refused before anything is done.
        let order = if rng.random_bool(0.9) { pin(order) } else { order };
        let order = by_somebody(&world, key, order, &mut rng);
        world.client.comes();
        if clients.random_bool(0.15) {
            world.client.goes_after(clients.random_range(0..60));
            round.fault("person: goes away, and the order with them");
        }
        round.enrollments += 1;
        story::insertion(&world, key, &order);
        match world.insert(key, order) {
            Ok(outcome) => {
                story::state(&world);
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
    lock(&world.shared).server.set_lag(Lag::default());
    for key in 0..world.keys.len() {
        if let Some(refusal) = enrolled_in_the_end(&mut world, key, anew, &mut round) {
            return Err(wrong(Violation::NotEnrolled(key, refusal)));
        }
    }
    check::settled(&world).map_err(wrong)?;
    let image = world.disk.image().unwrap_or_default();
    check::disk_is_clean(&world, &image).map_err(wrong)?;
    Ok(round)
}

/// Whether a key can be enrolled when nothing goes wrong any more, within two insertions; else why not.
///
/// Of a million codes of six digits one is also that of another step within the server's window. The server then counts
/// from there, which is not what the key's code says, so the enrollment is taken back. The next one has another seed.
fn enrolled_in_the_end(
    world: &mut World,
    key: usize,
    anew: impl Fn() -> Order,
    round: &mut Round,
) -> Option<String> {
    let mut refusal = None;
    for _ in 0..2 {
        world.replug(key);
        round.enrollments += 1;
        let order = flows::naming(world, key, anew());
        // No cut is planned, so there is an outcome.
        let Ok(outcome) = world.insert(key, order) else { return None };
        if flows::is_enrolled(&outcome) {
            round.enrolled += 1;
            return None;
        }
        let why = outcome.ending.refusal();
        refusal = Some(why.map_or_else(String::new, ToString::to_string));
        if why.is_none_or(|why| why.code != Code::ServerContradicts) {
            break;
        }
    }
    refusal
}

/// The order as it comes: an armed station or a run that takes whatever is plugged in, an operator who did
/// not look, one who names what is on the key, or something that is on another, or a list that names the key.
fn by_somebody(world: &World, key: usize, order: Order, rng: &mut StdRng) -> Order {
    let replace = match rng.random_range(0..6) {
        0 | 1 => Replace::Nobody,
        2 => Replace::Unnamed,
        3 => Replace::Token(flows::token_of(world, rng.random_range(0..world.keys.len()), &order)),
        4 => Replace::Token(flows::token_of(world, key, &order)),
        _ => return flows::naming(world, key, order),
    };
    Order { replace, ..order }
}

/// Starts again after a cut; recovery may be cut, too.
pub(super) fn restart(world: &mut World, rng: &mut StdRng, round: &mut Round) -> Result<(), Violation> {
    loop {
        round.cuts += 1;
        check::always(world)?;
        let cut = rng.random_bool(0.3).then(|| rng.random_range(0..60));
        world.restart(Power::until(cut));
        let settled = world.recover().is_ok();
        story::state(world);
        if settled {
            return check::always(world);
        }
    }
}

/// Prepares what goes wrong next.
pub(super) fn disturb(world: &mut World, rng: &mut StdRng, round: &mut Round) {
    world.touching = match rng.random_range(0..8) {
        0 => Touching::Never,
        1 => Touching::WrongSlot,
        2 => Touching::OnlyAt(2),
        _ => Touching::Right,
    };
    match world.touching {
        Touching::Never => round.fault("person: does not touch the key"),
        Touching::WrongSlot => round.fault("person: touches the key for the other slot"),
        Touching::OnlyAt(_) => round.fault("person: touches the key only when asked again"),
        Touching::Right => {}
    }
    let cut = rng.random_bool(0.4).then(|| rng.random_range(0..220));
    {
        let mut shared = lock(&world.shared);
        shared.power = Power::until(cut);
        shared.reachable = !rng.random_bool(0.05);
        if !shared.reachable {
            round.fault("server: cannot be reached");
        }
        let (lag, what) = behind(rng);
        shared.server.set_lag(lag);
        if let Some(what) = what {
            round.fault(what);
        }
        for _ in 0..rng.random_range(0..3) {
            let mut fault = Fault::new(pick(&PATHS, rng), pick(&MODES, rng));
            fault.status = pick(&[429, 500, 502, 503], rng);
            fault.delay = Duration::from_secs(rng.random_range(1..60));
            fault.shots = rng.random_range(1..=6);
            fault.skip = rng.random_range(0..3);
            round.fault(match fault.mode {
                Mode::Status => "server: 429, 500, 502 or 503",
                Mode::Html => "server: a page instead of JSON",
                Mode::Truncate => "server: half an answer",
                Mode::Slow => "server: slow, up to a minute",
                Mode::Cut => "server: request not heard",
                Mode::Lost => "server: acts, and the answer is lost",
            });
            shared.server.fault_add(fault);
        }
    }
    for key in &mut world.keys {
        // The twin is in this process: plugging it in cannot fail.
        let _ = key.replug();
        key.calm();
        if rng.random_bool(0.2) {
            let what = spoil(key, rng);
            if world.tells {
                println!("{what}");
            }
            round.fault(what);
        }
    }
}

/// By how much what the server shows is behind, sometimes.
fn behind(rng: &mut StdRng) -> (Lag, Option<&'static str>) {
    let late = Duration::from_millis(pick(&[300, 1_000, 3_000, 9_000, 30_000, 60_000], rng));
    let none = Lag::default();
    match rng.random_range(0..16) {
        0 => (Lag { reads: late, ..none }, Some("server: shows late what it has done")),
        1 => (Lag { machines: late, ..none }, Some("server: two machines take turns")),
        2 => (Lag { deletions: late, ..none }, Some("server: deletes late")),
        _ => (none, None),
    }
}

/// Lets something go wrong with a key; says what.
fn spoil(key: &mut Key, rng: &mut StdRng) -> &'static str {
    let late = rng.random_bool(0.5);
    if let Some(key) = key.yubikey() {
        let mut faults = yubikey::Faults { commit_late: late, ..yubikey::Faults::default() };
        let what = match rng.random_range(0..8) {
            0 => pulled(&mut faults.pull_out_after_reports, 60, rng),
            1 => pulled(&mut faults.pull_out_after_transfers, 120, rng),
            5 => times(&mut faults.tear, 9, rng, "key: what it types is torn"),
            6 => times(&mut faults.exchange, 9, rng, "key: what it types is torn"),
            7 => {
                faults.late = Duration::from_millis(rng.random_range(50..4000));
                "key: answers late"
            }
            2 => times(&mut faults.refuse_writes, 2, rng, "key: refuses a write in silence"),
            3 => times(&mut faults.lose_writes, 2, rng, LOST_WRITE),
            _ => times(&mut faults.ignore_touches, 3, rng, DEAF),
        };
        key.set_faults(faults);
        return what;
    }
    if let Some(key) = key.nitrokey_pro() {
        let mut faults = nitrokey_pro::Faults { commit_late: late, ..nitrokey_pro::Faults::default() };
        let what = match rng.random_range(0..6) {
            0 => pulled(&mut faults.pull_out_after_reports, 60, rng),
            1 => pulled(&mut faults.pull_out_after_transfers, 240, rng),
            2 => times(&mut faults.drop_reports, 3, rng, "key: drops reports"),
            3 => times(&mut faults.lose_writes, 2, rng, LOST_WRITE),
            4 => times(&mut faults.wrong_crc, 3, rng, "key: answers with a wrong CRC"),
            _ => {
                faults.slow = Duration::from_millis(rng.random_range(50..600));
                "key: slow"
            }
        };
        key.set_faults(faults);
        return what;
    }
    let Some(key) = key.nitrokey3() else { return "key: nothing" };
    let mut faults = nitrokey3::Faults::default();
    let what = match rng.random_range(0..5) {
        0 => pulled(&mut faults.pull_out_after_reports, 60, rng),
        1 => pulled(&mut faults.pull_out_after_transfers, 120, rng),
        2 => times(&mut faults.busy, 9, rng, "key: busy"),
        3 => times(&mut faults.lose_writes, 2, rng, LOST_WRITE),
        _ => times(&mut faults.ignore_touches, 3, rng, DEAF),
    };
    key.set_faults(faults);
    what
}

const LOST_WRITE: &str = "key: says that it wrote, and did not";
const DEAF: &str = "key: does not notice a touch";

fn pulled(after: &mut Option<u32>, most: u32, rng: &mut StdRng) -> &'static str {
    *after = Some(rng.random_range(0..most));
    "key: pulled out"
}

fn times(fault: &mut u32, most: u32, rng: &mut StdRng, what: &'static str) -> &'static str {
    *fault = rng.random_range(1..=most);
    what
}

/// Everything works again.
pub(super) fn calm(world: &mut World) {
    world.touching = Touching::Right;
    for key in &mut world.keys {
        key.calm();
    }
    world.restart(Power::default());
    let mut shared = lock(&world.shared);
    shared.server.fault_clear();
    shared.reachable = true;
}

pub(super) fn pick<T: Copy, const N: usize>(choices: &[T; N], rng: &mut StdRng) -> T {
    let index = rng.random_range(0..N);
    // The index is within the array; the fallback is there for the compiler.
    choices.get(index).copied().unwrap_or(choices[0])
}
