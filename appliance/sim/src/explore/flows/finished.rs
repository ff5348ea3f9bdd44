//! Keys that are somebody's already, by orders that name that and orders that do not; and keys as they are sold.

use keys::device::Kind;
use station::engine::enrollment::{Order, Replace};
use station::engine::record::Actor;
use station::profile::{Overwrite, Profile};

use super::{Flow, enrolled, for_alice, for_bob, for_nobody, insert, insert_anew, nothing_left, of, order};
use crate::explore::driver::Touching;
use crate::explore::power::PowerCut;
use crate::explore::transport::lock;
use crate::explore::world::{Beginning, World};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "as-sold",
        begin: || Beginning { sold: true, ..Beginning::default() },
        prepare: |world| {
            world.again = |_| given_up();
            Ok(())
        },
        act: |world| insert(world, given_up()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        // What a key was sold with stays when nobody gives it up.
        name: "as-sold-kept",
        begin: || Beginning { sold: true, ..Beginning::default() },
        prepare: |world| {
            world.again = |_| given_up();
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        // Plugging Alice's key in is not enough.
        name: "finished-armed",
        begin: || Beginning { keys: 2, ..Beginning::default() },
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| {
            insert(world, order())?;
            next(world)
        },
        // The invariant says whose it has to be.
        ended_well: enrolled,
    },
    Flow {
        name: "finished-unnamed",
        begin: || Beginning { keys: 2, policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| {
            insert(world, by_operator(for_bob()))?;
            next(world)
        },
        ended_well: of_alice,
    },
    Flow {
        name: "finished-other-named",
        begin: || Beginning { keys: 3, ..Beginning::default() },
        prepare: |world| {
            insert(world, for_alice())?;
            world.insert(1, order()).map(drop)
        },
        act: |world| {
            let order = Order { replace: Replace::Token("UBOM00001001_1".to_owned()), ..for_bob() };
            insert(world, order)?;
            next(world)
        },
        ended_well: of_alice,
    },
    Flow {
        name: "replaced-for-another",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| {
            let order = Order { replace: Replace::Token("UBOM00001000_1".to_owned()), ..for_bob() };
            insert(world, order).map(drop)
        },
        ended_well: |world| enrolled(world) && !of_alice(world),
    },
    Flow {
        // What the server says of the new one is found out before the old one goes.
        name: "replaced-for-nobody",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| insert_anew(world, for_nobody()).map(drop),
        ended_well: of_alice,
    },
    Flow {
        name: "replaced-not-touched",
        begin: Beginning::default,
        prepare: |world| {
            insert(world, for_alice())?;
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| insert_anew(world, for_bob()).map(drop),
        ended_well: nothing_left,
    },
];

/// The last key is plugged in, which nobody has enrolled yet.
fn next(world: &mut World) -> Result<(), PowerCut> {
    let last = world.keys.len().saturating_sub(1);
    world.insert(last, order()).map(drop)
}

/// The main job, for keys as they are sold.
fn given_up() -> Order {
    of(Profile { overwrite: Overwrite::Factory, ..Profile::new(Kind::Hotp) })
}

/// As an operator orders it who has not looked at what is on the key.
fn by_operator(order: Order) -> Order {
    Order { actor: Actor::Operator("bob".to_owned()), replace: Replace::Unnamed, ..order }
}

/// Whether key 0 is still Alice's.
fn of_alice(world: &World) -> bool {
    let shared = lock(&world.shared);
    let token = shared.server.token("UBOM00001000_1");
    let hers = token.and_then(|token| token.user.as_ref()).is_some_and(|user| user == "alice");
    hers && shared.server.counts("UBOM00001000_1", shared.unix())
}
