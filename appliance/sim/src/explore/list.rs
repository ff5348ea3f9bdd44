//! Random worlds with a run over a list, some of whose people the server does not know, or lets have no
//! further token. Whatever happens, every line that can be served is served in the end, once.

use keys::device::{Firmware, Kind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use station::engine::enrollment::{Ending, Order};
use station::profile::Profile;
use twins::privacyidea::{ADMIN, Lag, Request};

use super::check::{self, Violation};
use super::flows;
use super::key::Sort;
use super::power::{EPOCH, PowerCut};
use super::random::{Found, Round, VERSIONS, calm, disturb, pick, restart};
use super::run::begin_list;
use super::story;
use super::transport::lock;
use super::world::{Beginning, NoWorld, World};

/// Who can be served, and who cannot.
const GOOD: [&str; 3] = ["alice", "carol", "j\u{f6}rg"];
const LIMITED: [&str; 2] = ["bob", "dave.o'neil"];
const UNKNOWN: [&str; 2] = ["alicia", "nobody"];

/// Plays one world to its end.
pub(super) fn round(seed: u64, tells: bool) -> Result<Round, Found> {
    let mut rng = StdRng::seed_from_u64(seed);
    // One key more than lines that can be served.
    let keys = u32::try_from(GOOD.len()).unwrap_or(3) + 1;
    let (sort, firmware) = (Sort::YubiKey, Firmware::new(5, 4, 3));
    let policies = if rng.random_bool(0.5) { vec!["verify-enrollment"] } else { Vec::new() };
    let version = pick(&VERSIONS, &mut rng);
    let begin = Beginning { seed, keys, sort, firmware, version, policies, ..Beginning::default() };
    let mut world = World::new(&begin)?;
    world.tells = tells;
    limit(&world)?;
    let mut people: Vec<&str> = GOOD.iter().chain(&LIMITED).chain(&UNKNOWN).copied().collect();
    for at in (1..people.len()).rev() {
        people.swap(at, rng.random_range(0..=at));
    }
    begin_list(&mut world, &people).map_err(NoWorld::because)?;
    let mut round = Round::default();
    round.fault("list: a person who is unknown, or may have no token");
    let wrong = |violation| Found::Violation { seed, violation };

    for _ in 0..rng.random_range(4..=12) {
        disturb(&mut world, &mut rng, &mut round);
        let key = rng.random_range(0..world.keys.len());
        match serve(&mut world, key, &mut round) {
            Ok(()) => {
                story::state(&world);
                check::always(&world).map_err(wrong)?;
            }
            Err(PowerCut) => restart(&mut world, &mut rng, &mut round).map_err(wrong)?,
        }
        if rng.random_bool(0.1) {
            world.run_retries();
        }
    }

    calm(&mut world);
    // Without a planned cut the power stays on.
    let _ = world.recover();
    lock(&world.shared).server.set_lag(Lag::default());
    // What a fault made look like a reason of the line's own.
    world.run_retries();
    for _ in 0..=people.len() {
        for key in 0..world.keys.len() {
            world.replug(key);
            let _ = serve(&mut world, key, &mut round);
        }
    }
    check::settled(&world).map_err(wrong)?;
    served(&world, &people).map_err(wrong)?;
    let image = world.disk.image().unwrap_or_default();
    check::disk_is_clean(&world, &image).map_err(wrong)?;
    Ok(round)
}

/// Has a key enrolled for the line that the run gives it; as long as that line is set aside and the
/// key is as it was, for the next.
fn serve(world: &mut World, key: usize, round: &mut Round) -> Result<(), PowerCut> {
    while let Some((line, person)) = world.run_wants(key) {
        let order = Order { person, ..flows::of(Profile::new(Kind::Hotp)) };
        round.enrollments += 1;
        story::insertion(world, key, &order);
        let ending = world.insert(key, order)?.ending;
        round.enrolled += u64::from(matches!(ending, Ending::Enrolled(_)));
        if !world.run.is_aside(line) || !matches!(ending, Ending::Undone(_)) {
            break;
        }
    }
    Ok(())
}

/// Lets some have no token.
fn limit(world: &World) -> Result<(), NoWorld> {
    let mut shared = lock(&world.shared);
    let login = serde_json::json!({"username": ADMIN.0, "password": ADMIN.1});
    let answer = shared.server.handle(&Request::new("POST", "/auth").json(&login), EPOCH);
    let answer = answer.json().unwrap_or_default();
    let token = answer.pointer("/result/value/token").and_then(|token| token.as_str()).unwrap_or_default();
    let policy = serde_json::json!({
        "scope": "enrollment", "action": "max_token_per_user=0", "user": LIMITED.join(","),
        "active": true, "realm": "",
    });
    let request = Request::new("POST", "/policy/NoToken").token(token).json(&policy);
    match shared.server.handle(&request, EPOCH).status {
        200 => Ok(()),
        status => Err(NoWorld::because(format!("the policy: status {status}"))),
    }
}

/// Whether everybody has what the list can give them, and nobody else has anything.
fn served(world: &World, people: &[&str]) -> Result<(), Violation> {
    let (run, _) = world.run_on_disk();
    let shared = lock(&world.shared);
    let now = shared.unix();
    for (line, person) in (0_u32..).zip(people) {
        let tokens = shared.server.tokens().filter(|token| token.user.as_deref() == Some(*person));
        let counting = tokens.filter(|token| shared.server.counts(&token.serial, now)).count();
        let (good, aside) = (GOOD.contains(person), run.is_aside(line));
        let what = match (good, counting, aside) {
            (true, 1, false) | (false, 0, true) => continue,
            (true, 1, true) => "has its key, and is set aside",
            (true, 0, _) => "was not served",
            (true, ..) => "has several tokens",
            (false, 0, false) => "cannot be served, and is not set aside",
            (false, ..) => "has a token against the server's rules",
        };
        return Err(Violation::Line(line, (*person).to_owned(), what));
    }
    Ok(())
}
