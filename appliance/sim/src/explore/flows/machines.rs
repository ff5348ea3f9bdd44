//! Servers that are several machines behind one name, and people who call an enrollment off.

use std::sync::Arc;
use std::time::Duration;

use keys::device::Kind;
use keys::secret::Pin;
use station::engine::enrollment::Order;
use station::engine::step::Phase;
use station::profile::TwoStep;
use twins::privacyidea::{Fault, Lag, Mode};
use zeroize::Zeroizing;

use super::desk::{app, phones};
use super::{
    Flow, anew, any_counts, enrolled, for_alice, insert, nothing, nothing_left, order, release, two_step,
    with_pin,
};
use crate::explore::driver::Touching;
use crate::explore::power::PowerCut;
use crate::explore::transport::lock;
use crate::explore::world::{Beginning, World};

const NONE: Lag = Lag { reads: Duration::ZERO, machines: Duration::ZERO, deletions: Duration::ZERO };
const MINUTE: Duration = Duration::from_secs(60);

const fn reads(lag: Duration) -> Lag {
    Lag { reads: lag, ..NONE }
}

const fn machines(lag: Duration) -> Lag {
    Lag { machines: lag, ..NONE }
}

const fn deletions(lag: Duration) -> Lag {
    Lag { deletions: lag, ..NONE }
}

fn at(lag: Lag) -> Beginning {
    Beginning { lag, ..Beginning::default() }
}

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "reads-lag-a-second",
        begin: || at(reads(Duration::from_millis(1_200))),
        prepare: nothing,
        act: |world| insert(world, for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        // Longer than anybody waits at the desk: it is taken back when it shows.
        name: "reads-lag-a-minute",
        begin: || at(reads(MINUTE)),
        prepare: nothing,
        act: |world| postponed(world, order()),
        ended_well: |world| world.ended == Some("postponed") && nothing_left(world),
    },
    Flow {
        // The token is there, and nobody knows.
        name: "reads-lag-a-minute-answers-lost",
        begin: || at(reads(MINUTE)),
        prepare: |world| {
            lose(world, "/token/init", 20);
            Ok(())
        },
        act: |world| postponed(world, order()),
        // Settled it is, which says that nothing is left over.
        ended_well: |_| true,
    },
    Flow {
        name: "reads-lag-verify",
        begin: || Beginning {
            policies: vec!["verify-enrollment"],
            ..at(reads(Duration::from_millis(2_500)))
        },
        prepare: |world| {
            lose(world, "/token/assign", 1);
            Ok(())
        },
        act: |world| insert(world, for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "reads-lag-two-step",
        begin: || Beginning { policies: vec!["twostep-allow"], ..at(reads(Duration::from_millis(1_500))) },
        prepare: nothing,
        act: |world| insert(world, two_step(TwoStep::Force)).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "reads-lag-undo",
        begin: || at(reads(Duration::from_secs(3))),
        prepare: |world| {
            world.touching = Touching::WrongSlot;
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "reads-lag-release",
        begin: || at(reads(Duration::from_secs(5))),
        prepare: |world| insert(world, order()).map(drop),
        act: |world| release(world).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "reads-lag-phone",
        begin: || at(reads(Duration::from_millis(1_200))),
        prepare: phones,
        act: |world| app(world, Kind::Totp, TwoStep::Never).map(drop),
        ended_well: any_counts,
    },
    Flow {
        name: "two-machines-take-turns",
        begin: || at(machines(Duration::from_secs(2))),
        prepare: nothing,
        act: |world| insert(world, for_alice()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "two-machines-a-minute-apart-undo",
        begin: || at(machines(MINUTE)),
        prepare: |world| {
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| {
            insert(world, for_alice())?;
            world.recover().map(drop)
        },
        ended_well: no_token,
    },
    Flow {
        name: "deletion-comes-late",
        begin: || at(deletions(Duration::from_secs(4))),
        prepare: |world| {
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "deletion-comes-a-minute-late",
        begin: || at(deletions(MINUTE)),
        prepare: |world| {
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| postponed(world, order()),
        ended_well: |world| world.ended == Some("postponed") && no_token(world),
    },
    Flow {
        name: "deletion-comes-late-answer-lost",
        begin: || at(deletions(Duration::from_secs(7))),
        prepare: |world| {
            lose(world, "/token/init", 1);
            Ok(())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        // The rule for PINs is applied to the token when it is made and when it is given to its person. After a
        // power cut in between nobody has the PIN any more, and the enrollment is taken back.
        name: "pin-rule",
        begin: || Beginning { policies: vec!["pin-quality"], ..Beginning::default() },
        prepare: |world| {
            world.again = |_| with_good_pin(anew());
            Ok(())
        },
        act: |world| insert(world, with_good_pin(order())).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pin-random",
        begin: || Beginning { policies: vec!["pin-random"], ..Beginning::default() },
        prepare: |world| {
            world.again = |_| with_pin(anew());
            Ok(())
        },
        act: |world| insert(world, with_pin(order())).map(drop),
        ended_well: enrolled,
    },
    Flow {
        // Called off before the key is written: nothing of it is on the key.
        name: "called-off-before-the-write",
        begin: Beginning::default,
        prepare: |world| {
            world.calls_off = Some(Phase::Registering);
            Ok(())
        },
        act: |world| {
            insert(world, order())?;
            world.calls_off = None;
            Ok(())
        },
        ended_well: |world| world.ended == Some("undone") && nothing_left(world),
    },
];

/// Whether the server has no token of ours. What the key holds is worth nothing then.
fn no_token(world: &World) -> bool {
    lock(&world.shared).server.tokens().count() == 1
}

/// An enrollment that ends as postponed, and what the station does about it afterwards.
fn postponed(world: &mut World, order: Order) -> Result<(), PowerCut> {
    insert(world, order)?;
    world.recover().map(drop)
}

fn with_good_pin(order: Order) -> Order {
    let pin = Pin::new(Zeroizing::new("abc123".to_owned())).ok().map(Arc::new);
    Order { pin, ..with_pin(order) }
}

/// The server acts on so many of these requests, and nobody hears of it.
fn lose(world: &mut World, path: &str, times: u32) {
    let mut lost = Fault::new(path, Mode::Lost);
    lost.shots = times;
    lock(&world.shared).server.fault_add(lost);
}
