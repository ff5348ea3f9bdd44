//! The flows that are explored: what the world begins as, and what is done in it.

use std::sync::Arc;

use keys::device::{Digits, Firmware, Kind};
use keys::secret::Pin;
use station::access::{Codes, StationSecret};
use station::engine::enrollment::{Ending, Order, Outcome, Replace};
use station::engine::key_order::KeyOrder;
use station::engine::record::Actor;
use station::engine::server::Person;
use station::profile::{CodeTo, NewCode, Profile, TwoStep};
use station::token::TokenSerial;
use twins::privacyidea::{Fault, Mode, Version};
use twins::yubikey::Faults;
use zeroize::Zeroizing;

use super::driver::Touching;
use super::key::{Key, Twin};
use super::power::PowerCut;
use super::transport::lock;
use super::world::{Beginning, STRANGER, World};

mod desk;
mod finished;
mod machines;
mod nitrokeys;
mod orders;

/// One flow.
pub struct Flow {
    /// Its name, for reports and for `--flow`.
    pub name: &'static str,
    /// What the world begins as.
    pub begin: fn() -> Beginning,
    /// What is done before the power may go.
    pub prepare: fn(&mut World) -> Result<(), PowerCut>,
    /// What is explored.
    pub act: fn(&mut World) -> Result<(), PowerCut>,
    /// Whether the act, undisturbed, ends as it should.
    pub ended_well: fn(&World) -> bool,
}

/// All flows, whatever the key.
pub fn all() -> impl Iterator<Item = &'static Flow> {
    FLOWS
        .iter()
        .chain(nitrokeys::FLOWS)
        .chain(desk::FLOWS)
        .chain(finished::FLOWS)
        .chain(machines::FLOWS)
        .chain(orders::FLOWS)
}

/// The flows of YubiKeys.
pub const FLOWS: &[Flow] = &[
    Flow {
        name: "hotp6",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "hotp8-assigned-verify-3.9.3",
        begin: || Beginning {
            version: Version::V3_9_3,
            policies: vec!["verify-enrollment"],
            firmware: Firmware::new(4, 3, 4),
            ..Beginning::default()
        },
        prepare: nothing,
        act: |world| insert(world, eight_for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "hotp6-assigned-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: nothing,
        act: |world| insert(world, for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "hotp6-neo",
        begin: || Beginning { firmware: Firmware::new(3, 4, 9), ..Beginning::default() },
        prepare: nothing,
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "re-enrollment",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| insert_anew(world, anew()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "undo-wrong-code",
        begin: Beginning::default,
        prepare: |world| {
            world.touching = Touching::WrongSlot;
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "undo-not-touched-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: |world| {
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "pulled-while-writing",
        begin: Beginning::default,
        prepare: |world| {
            pull_out_after(world, 30);
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: |_| true,
    },
    Flow {
        name: "answer-lost",
        begin: Beginning::default,
        prepare: |world| {
            lock(&world.shared).server.fault_add(Fault::new("/token/init", Mode::Lost));
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "assignment-refused",
        begin: || Beginning { policies: vec!["max-token-per-user"], ..Beginning::default() },
        prepare: nothing,
        act: |world| insert(world, for_nobody()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        // The insertion finishes what the one before had to leave, and the run counts it.
        name: "assigned-at-the-next-insertion",
        begin: Beginning::default,
        prepare: |world| {
            let mut away = Fault::new("/token/assign", Mode::Status);
            away.shots = 20;
            lock(&world.shared).server.fault_add(away);
            insert(world, for_alice())?;
            lock(&world.shared).server.fault_clear();
            // One that ends before anything is done changes nothing in that.
            pull_out_after(world, 1);
            insert(world, for_alice())?;
            world.keys.iter_mut().for_each(Key::calm);
            world.replug(0);
            Ok(())
        },
        act: |world| insert(world, for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "yubico-otp",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, of(Profile::new(Kind::YubicoOtp))).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "yubico-otp-anew",
        begin: Beginning::default,
        prepare: |world| insert(world, of(Profile::new(Kind::YubicoOtp))).map(drop),
        act: |world| insert_anew(world, of(Profile::new(Kind::YubicoOtp))).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "challenge-response-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: nothing,
        act: |world| insert(world, of(Profile::new(Kind::ChallengeResponse))).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "challenge-response-after-hotp",
        begin: Beginning::default,
        prepare: |world| insert(world, order()).map(drop),
        act: |world| insert_anew(world, of(Profile::new(Kind::ChallengeResponse))).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "static-password",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, of(Profile::new(Kind::StaticPassword))).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "two-step",
        begin: || Beginning { policies: vec!["twostep-force"], ..Beginning::default() },
        prepare: |world| {
            world.again = |_| of(Profile { two_step: TwoStep::Force, ..Profile::new(Kind::Hotp) });
            Ok(())
        },
        act: |world| insert(world, two_step(TwoStep::Force)).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "two-step-verify-answer-lost",
        begin: || Beginning { policies: vec!["twostep-allow", "verify-enrollment"], ..Beginning::default() },
        prepare: |world| {
            // The second of the two.
            let lost = Fault { skip: 1, ..Fault::new("/token/init", Mode::Lost) };
            lock(&world.shared).server.fault_add(lost);
            Ok(())
        },
        act: |world| insert(world, two_step(TwoStep::Force)).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "two-step-not-offered",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, two_step(TwoStep::WhenOffered)).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "locked-by-a-derived-code",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, locked(NewCode::Derived, CodeTo::Server)).map(drop),
        ended_well: enrolled_and_locked,
    },
    Flow {
        name: "locked-code-at-the-server",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| insert(world, locked(NewCode::Random, CodeTo::Server)).map(drop),
        ended_well: enrolled_and_locked,
    },
    Flow {
        name: "locked-code-handed-over",
        begin: Beginning::default,
        prepare: |world| {
            world.again = |world| {
                let handed = world.handed_over.iter().rev().find_map(|what| what.access_code.clone());
                Order { unlock: handed, ..anew() }
            };
            Ok(())
        },
        act: |world| insert(world, locked(NewCode::Random, CodeTo::HandOver)).map(drop),
        ended_well: enrolled_and_locked,
    },
    Flow {
        name: "release",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| release(world).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        // The code is kept with the token, so the token has to stay.
        name: "re-enrollment-lock-stays-on",
        begin: Beginning::default,
        prepare: |world| {
            insert(world, locked(NewCode::Random, CodeTo::Server))?;
            lose_writes(world, 2);
            Ok(())
        },
        act: |world| insert_anew(world, anew()).map(drop),
        ended_well: enrolled_and_locked,
    },
    Flow {
        name: "release-locked",
        begin: Beginning::default,
        prepare: |world| insert(world, locked(NewCode::Random, CodeTo::Server)).map(drop),
        act: |world| release(world).map(drop),
        ended_well: nothing_left,
    },
];

/// The flow of that name.
pub fn find(name: &str) -> Option<&'static Flow> {
    all().find(|flow| flow.name == name)
}

fn nothing(_: &mut World) -> Result<(), PowerCut> {
    Ok(())
}

/// Plugs key 0 in.
pub fn insert(world: &mut World, order: Order) -> Result<Outcome, PowerCut> {
    world.insert(0, order)
}

/// The main job.
pub fn order() -> Order {
    Order {
        station: "explorer".to_owned(),
        port: "1-1.2".to_owned(),
        actor: Actor::Armed,
        profile_name: "desk".to_owned(),
        profile: Profile::new(Kind::Hotp),
        person: None,
        pin: None,
        random_pin: false,
        unlock: None,
        key_pin: None,
        server_name: "privacyIDEA".to_owned(),
        overwrite_confirmed: false,
        factory: false,
        replace: Replace::Nobody,
        codes: Codes::default(),
        welcome: None,
    }
}

/// The main job, for a person.
pub fn for_alice() -> Order {
    Order { person: Some(Person { user: "alice".to_owned(), realm: "office".to_owned() }), ..order() }
}

/// The same order for a person, with a PIN for the token.
pub(super) fn with_pin(order: Order) -> Order {
    let pin = Pin::new(Zeroizing::new("24680".to_owned())).ok().map(Arc::new);
    Order { person: for_alice().person, pin, ..order }
}

fn for_nobody() -> Order {
    Order { person: Some(Person { user: "nobody".to_owned(), realm: "office".to_owned() }), ..order() }
}

fn eight_for_alice() -> Order {
    let profile = Profile { digits: Digits::Eight, ..Profile::new(Kind::Hotp) };
    Order { profile, ..for_alice() }
}

/// The main job, by a station that can derive access codes.
pub fn anew() -> Order {
    of(Profile::new(Kind::Hotp))
}

/// The order of somebody who names that key, so that what is finished on it may be replaced.
pub fn naming(world: &World, key: usize, order: Order) -> Order {
    world
        .key_serial(key)
        .map_or_else(|| order.clone(), |key| Order { replace: Replace::Key(key), ..order.clone() })
}

/// The token that an order would make on a key.
pub(super) fn token_of(world: &World, key: usize, order: &Order) -> String {
    let of = |key| TokenSerial::of(key, order.profile.kind, order.profile.slot).to_string();
    world.key_serial(key).map(of).unwrap_or_default()
}

/// Plugs key 0 in, and names it.
fn insert_anew(world: &mut World, order: Order) -> Result<Outcome, PowerCut> {
    let order = naming(world, 0, order);
    insert(world, order)
}

/// The main job, for another person.
pub fn for_bob() -> Order {
    Order { person: Some(Person { user: "bob".to_owned(), realm: "office".to_owned() }), ..order() }
}

/// An order with this profile, by a station that can derive access codes.
pub fn of(profile: Profile) -> Order {
    let secret = Some(Arc::new(station_secret()));
    Order { profile, codes: Codes { secret, ..Codes::default() }, ..order() }
}

/// What the explorer's station derives access codes from.
pub fn station_secret() -> StationSecret {
    StationSecret::new(b"station's secret")
}

/// Profiles of other kinds.
pub(super) const KINDS: [fn() -> Profile; 4] = [
    || Profile::new(Kind::YubicoOtp),
    || Profile::new(Kind::ChallengeResponse),
    || Profile::new(Kind::StaticPassword),
    || Profile { two_step: TwoStep::WhenOffered, ..Profile::new(Kind::Hotp) },
];

fn two_step(two_step: TwoStep) -> Order {
    of(Profile { two_step, ..Profile::new(Kind::Hotp) })
}

/// HOTP in a slot that is locked in the end.
pub(super) fn locked(new_access_code: NewCode, access_code_to: CodeTo) -> Order {
    of(Profile { new_access_code, access_code_to, ..Profile::new(Kind::Hotp) })
}

/// Takes back what is enrolled on key 0.
fn release(world: &mut World) -> Result<Outcome, PowerCut> {
    world.release(
        0,
        KeyOrder { codes: of(Profile::new(Kind::Hotp)).codes, ..KeyOrder::new("1-1.2", Actor::Armed) },
    )
}

/// Lets key 0 count so many changes that it does not make.
fn lose_writes(world: &mut World, times: u32) {
    if let Some(key) = world.keys.first_mut().and_then(Key::yubikey) {
        let faults = Faults { lose_writes: times, ..Faults::default() };
        key.set_faults(faults);
    }
}

/// Lets key 0 be pulled out after so many reports.
pub fn pull_out_after(world: &mut World, reports: u32) {
    if let Some(key) = world.keys.first_mut().and_then(Key::yubikey) {
        let faults = Faults { pull_out_after_reports: Some(reports), ..Faults::default() };
        key.set_faults(faults);
    }
}

/// Whether key 0 is enrolled.
pub fn enrolled(world: &World) -> bool {
    let shared = lock(&world.shared);
    let counts = |prefix| {
        let serial = format!("{prefix}{:08}_1", super::world::serial(0));
        shared.server.counts(&serial, shared.unix())
    };
    ["UBOM", "UBAM", "UBSM"].into_iter().filter(|prefix| counts(*prefix)).count() == 1
}

/// Whether a token counts that was made here.
fn any_counts(world: &World) -> bool {
    let shared = lock(&world.shared);
    let mut tokens = shared.server.tokens();
    tokens.any(|token| token.serial != STRANGER && shared.server.counts(&token.serial, shared.unix()))
}

/// Whether key 0 is enrolled, and an access code guards its slot.
fn enrolled_and_locked(world: &World) -> bool {
    let Some(Twin::YubiKey(twin)) = world.keys.first().map(Key::twin) else { return false };
    enrolled(world)
        && twin.snapshot().slots.first().is_some_and(|slot| slot.as_ref().is_some_and(|slot| slot.protected))
}

/// Whether nothing of key 0 is left, neither token nor secret.
pub fn nothing_left(world: &World) -> bool {
    let empty = world.keys.first().is_some_and(|key| !key.holds_ours());
    empty && lock(&world.shared).server.tokens().count() == 1
}

/// Whether an outcome is an enrolled key.
pub fn is_enrolled(outcome: &Outcome) -> bool {
    matches!(outcome.ending, Ending::Enrolled(_))
}
