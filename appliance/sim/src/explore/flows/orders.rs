//! Orders whose client goes away: before the key comes, or before it is touched.

use station::engine::enrollment::{Order, Replace};
use station::engine::step::Phase;

use super::{Flow, anew, enrolled, for_alice, for_bob, insert, nothing, nothing_left};
use crate::explore::power::PowerCut;
use crate::explore::transport::lock;
use crate::explore::world::{Beginning, World};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        // The next key is nobody's, and then that of whoever orders next.
        name: "client-goes-before-the-key",
        begin: || Beginning { keys: 2, ..Beginning::default() },
        prepare: nothing,
        act: |world| {
            world.client.orders(for_alice());
            world.client_goes();
            world.plug(1)?;
            world.client.orders(for_bob());
            world.plug(0).map(drop)
        },
        ended_well: |world| enrolled(world) && owners(world) == ["bob"],
    },
    Flow {
        name: "client-goes-while-registering",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| goes_in(world, Phase::Registering, for_alice()),
        ended_well: nothing_left,
    },
    Flow {
        name: "client-goes-while-writing",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| goes_in(world, Phase::Writing, for_alice()),
        ended_well: nothing_left,
    },
    Flow {
        name: "client-goes-at-the-touch",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| goes_in(world, Phase::Proving, for_alice()),
        ended_well: nothing_left,
    },
    Flow {
        name: "client-goes-at-the-touch-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..Beginning::default() },
        prepare: nothing,
        act: |world| goes_in(world, Phase::Proving, for_alice()),
        ended_well: nothing_left,
    },
    Flow {
        // The old token is gone by then, and nobody's takes its place.
        name: "client-goes-while-a-key-is-replaced",
        begin: Beginning::default,
        prepare: |world| insert(world, for_alice()).map(drop),
        act: |world| {
            let named = Replace::Token("UBOM00001000_1".to_owned());
            goes_in(world, Phase::Writing, Order { replace: named, person: for_bob().person, ..anew() })
        },
        ended_well: nothing_left,
    },
    Flow {
        // It was told that the order goes on without it.
        name: "client-goes-detached",
        begin: Beginning::default,
        prepare: nothing,
        act: |world| {
            world.client.orders(for_alice());
            world.plug(0).map(drop)
        },
        ended_well: |world| enrolled(world) && owners(world) == ["alice"],
    },
];

/// Enrolls key 0, and the client goes in that phase.
fn goes_in(world: &mut World, phase: Phase, order: Order) -> Result<(), PowerCut> {
    world.client.comes();
    world.client.goes_in(phase);
    insert(world, order)?;
    world.client.comes();
    Ok(())
}

/// Whose tokens there are.
fn owners(world: &World) -> Vec<String> {
    lock(&world.shared).server.tokens().filter_map(|token| token.user.clone()).collect()
}
