//! What else happens at the desk: phones, slots that are swapped or wiped, keys that are
//! asked for a code or released.

use keys::device::{Kind, Slot};
use station::engine::enrollment::{Ending, Order};
use station::engine::key_order::KeyOrder;
use station::engine::record::Actor;
use station::profile::{Profile, TwoStep};

use super::nitrokeys::{nitrokey3, pro, totp};
use super::{Faults, Flow, any_counts, enrolled, for_alice, insert, nothing, nothing_left, of, order};
use crate::explore::driver::Touching;
use crate::explore::power::PowerCut;
use crate::explore::world::{Beginning, OwnerWants, World};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "phone-totp",
        begin: Beginning::default,
        prepare: phones,
        act: |world| app(world, Kind::Totp, TwoStep::Never).map(drop),
        ended_well: any_counts,
    },
    Flow {
        name: "phone-hotp-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: phones,
        act: |world| app(world, Kind::Hotp, TwoStep::Never).map(drop),
        ended_well: any_counts,
    },
    Flow {
        name: "phone-two-step",
        begin: || Beginning { policies: vec!["twostep-force"], ..Beginning::default() },
        prepare: phones_in_two_steps,
        act: |world| app(world, Kind::Totp, TwoStep::Force).map(drop),
        ended_well: any_counts,
    },
    Flow {
        name: "phone-wrong-codes",
        begin: Beginning::default,
        prepare: |world| {
            world.touching = Touching::WrongSlot;
            phones(world)
        },
        act: |world| app(world, Kind::Totp, TwoStep::Never).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "phone-two-step-abandoned",
        begin: || Beginning { policies: vec!["twostep-force"], ..Beginning::default() },
        prepare: |world| {
            world.touching = Touching::Never;
            phones_in_two_steps(world)
        },
        act: |world| app(world, Kind::Totp, TwoStep::Force).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "torn-codes",
        begin: Beginning::default,
        prepare: |world| {
            tear(world, 4);
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "torn-codes-for-ever",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: |world| {
            tear(world, u32::MAX);
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "swap",
        begin: Beginning::default,
        prepare: |world| {
            world.owner_wants = OwnerWants::Swapped;
            world.again = |world| {
                let theirs = world.keys.first().and_then(super::Key::foreign_slot);
                let slot = if theirs == Some(Slot(1)) { Slot(2) } else { Slot(1) };
                of(Profile { slot, ..Profile::new(Kind::Hotp) })
            };
            Ok(())
        },
        act: |world| world.swap(0, key_order(None)).map(drop),
        ended_well: |world| world.keys.first().and_then(super::Key::foreign_slot) == Some(Slot(1)),
    },
    Flow {
        name: "wipe",
        begin: Beginning::default,
        prepare: |world| {
            world.owner_wants = OwnerWants::Wiped;
            Ok(())
        },
        act: |world| world.wipe(0, key_order(Some(Slot(2)))).map(drop),
        ended_well: |world| world.keys.first().is_some_and(|key| key.foreign_slot().is_none()),
    },
    Flow {
        name: "verify",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| world.verify(0, key_order(None)).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-verify",
        begin: pro,
        prepare: |world| insert(world, order()).map(drop),
        act: |world| world.verify(0, key_order(None)).map(drop),
        ended_well: any_counts,
    },
    Flow {
        name: "pro-release",
        begin: pro,
        prepare: |world| {
            world.again = |_| totp();
            insert(world, totp()).map(drop)
        },
        act: |world| world.release(0, key_order(None)).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "nitrokey3-release",
        begin: nitrokey3,
        prepare: |world| insert(world, order()).map(drop),
        act: |world| world.release(0, key_order(None)).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "two-keys-of-a-run",
        begin: || Beginning { keys: 2, ..Beginning::default() },
        prepare: nothing,
        act: |world| {
            insert(world, order())?;
            world.insert(1, order()).map(drop)
        },
        ended_well: enrolled,
    },
];

/// Lets what key 0 types arrive torn so many times.
fn tear(world: &mut World, times: u32) {
    if let Some(key) = world.keys.first_mut().and_then(super::Key::yubikey) {
        let faults = Faults { tear: times, ..Faults::default() };
        key.set_faults(faults);
    }
}

fn key_order(slot: Option<Slot>) -> KeyOrder {
    KeyOrder { slot, codes: of(Profile::new(Kind::Hotp)).codes, ..KeyOrder::new("1-1.2", Actor::Armed) }
}

pub(super) fn phones(world: &mut World) -> Result<(), PowerCut> {
    world.after = |world| app(world, Kind::Totp, TwoStep::Never);
    Ok(())
}

fn phones_in_two_steps(world: &mut World) -> Result<(), PowerCut> {
    world.after = |world| app(world, Kind::Totp, TwoStep::Force);
    Ok(())
}

/// Enrolls Alice's phone.
pub(super) fn app(world: &mut World, kind: Kind, two_step: TwoStep) -> Result<Ending, PowerCut> {
    let profile = Profile { two_step, ..Profile::new(kind) };
    let order = Order { profile, port: "phone".to_owned(), ..for_alice() };
    Ok(world.enroll_phone(order)?.ending)
}
