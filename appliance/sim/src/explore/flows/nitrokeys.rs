//! The flows of Nitrokeys: PINs, touches, keys that drop reports, and both
//! generations of the Pro's protocol.

use std::sync::Arc;
use std::time::Duration;

use keys::device::{Digits, Firmware, Guard, HashAlgorithm, Kind};
use keys::secret::Pin;
use station::engine::enrollment::Order;
use station::profile::{KeyPin, Profile};
use twins::nitrokey_pro::{self, Product};
use twins::nitrokey3;
use zeroize::Zeroizing;

use super::{
    Flow, any_counts as enrolled, for_alice, for_nobody, insert, insert_anew, nothing, nothing_left, order,
};
use crate::explore::driver::Touching;
use crate::explore::key::{Key, Sort};
use crate::explore::power::PowerCut;
use crate::explore::world::{Beginning, World};

/// The PIN of keys whose owner changed it.
const OWN_PIN: &str = "their own PIN";

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "pro-hotp6",
        begin: pro,
        prepare: nothing,
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-0.7-totp8-assigned",
        begin: || Beginning { firmware: Firmware::new(0, 7, 0), ..pro() },
        prepare: |world| again(world, |_| totp()),
        act: |world| {
            let profile = Profile { digits: Digits::Eight, ..Profile::new(Kind::Totp) };
            insert(world, Order { profile, ..for_alice() }).map(drop)
        },
        ended_well: enrolled,
    },
    Flow {
        name: "storage-0.53-hotp6",
        begin: || storage(53),
        prepare: nothing,
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "storage-0.57-totp6-verify",
        begin: || Beginning { policies: vec!["verify-enrollment"], ..storage(57) },
        prepare: |world| again(world, |_| totp()),
        act: |world| insert(world, totp()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-re-enrollment",
        begin: pro,
        prepare: |world| {
            again(world, |_| totp())?;
            insert(world, totp()).map(drop)
        },
        act: |world| insert_anew(world, totp()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-pin-asked",
        begin: pro,
        prepare: |world| {
            own_pin(world, 3);
            again(world, |_| asked())
        },
        act: |world| insert(world, asked()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-pin-changed",
        begin: pro,
        prepare: |world| {
            own_pin(world, 3);
            world.mend = owner_presents_it;
            again(world, |_| asked())
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: |world| nothing_left(world) && tries(world) == 2,
    },
    Flow {
        name: "pro-pin-low",
        begin: pro,
        prepare: |world| {
            own_pin(world, 2);
            world.mend = owner_presents_it;
            again(world, |_| asked())
        },
        act: |world| insert(world, asked()).map(drop),
        ended_well: |world| nothing_left(world) && tries(world) == 2,
    },
    Flow {
        name: "pro-pin-random",
        begin: pro,
        prepare: |world| again(world, anew_handed_over),
        act: |world| insert(world, renewed(None)).map(drop),
        ended_well: |world| enrolled(world) && has_new_pin(world),
    },
    Flow {
        name: "storage-pin-random-late",
        begin: || storage(54),
        prepare: |world| {
            own_pin(world, 3);
            again(world, anew_handed_over)?;
            pro_fault(world, |faults| {
                faults.commit_late = true;
                faults.drop_reports = 1;
            })
        },
        act: |world| insert(world, renewed(given())).map(drop),
        ended_well: |world| enrolled(world) && has_new_pin(world),
    },
    Flow {
        name: "pro-undo-assignment-refused",
        begin: || Beginning { policies: vec!["max-token-per-user"], ..pro() },
        prepare: nothing,
        act: |world| insert(world, for_nobody()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "pro-reports-dropped",
        begin: pro,
        prepare: |world| {
            pro_fault(world, |faults| {
                faults.drop_reports = 2;
                faults.garble_every = std::num::NonZeroU32::new(9);
                faults.commit_late = true;
            })
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-0.7-slow-late",
        begin: || Beginning { firmware: Firmware::new(0, 7, 0), ..pro() },
        prepare: |world| {
            pro_fault(world, |faults| {
                faults.slow = Duration::from_millis(400);
                faults.commit_late = true;
            })
        },
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "pro-write-lost",
        begin: pro,
        prepare: |world| pro_fault(world, |faults| faults.lose_writes = 1),
        act: |world| insert(world, order()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "pro-pulled-while-card-works",
        begin: pro,
        prepare: |world| pro_fault(world, |faults| faults.pull_out_after_reports = Some(24)),
        act: |world| insert(world, order()).map(drop),
        ended_well: |_| true,
    },
    Flow {
        name: "nitrokey3-hotp6",
        begin: nitrokey3,
        prepare: nothing,
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "nitrokey3-totp8-sha256-touch",
        begin: nitrokey3,
        prepare: |world| again(world, |_| touched()),
        act: |world| insert(world, touched()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "nitrokey3-re-enrollment-with-pin",
        begin: nitrokey3,
        prepare: |world| {
            own_pin(world, 8);
            insert(world, order()).map(drop)
        },
        act: |world| insert_anew(world, super::anew()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "nitrokey3-undo-assignment-refused",
        begin: || Beginning { policies: vec!["max-token-per-user"], ..nitrokey3() },
        prepare: nothing,
        act: |world| insert(world, for_nobody()).map(drop),
        ended_well: nothing_left,
    },
    Flow {
        name: "nitrokey3-undo-not-touched",
        begin: || Beginning { policies: vec!["max-token-per-user"], ..nitrokey3() },
        prepare: |world| {
            world.touching = Touching::Never;
            Ok(())
        },
        act: |world| insert(world, for_nobody()).map(drop),
        // It is there still, quarantined: a deletion wants a touch.
        ended_well: |world| !enrolled(world),
    },
    Flow {
        name: "nitrokey3-busy",
        begin: nitrokey3,
        prepare: |world| nitrokey3_fault(world, |faults| faults.busy = 9),
        act: |world| insert(world, order()).map(drop),
        ended_well: enrolled,
    },
    Flow {
        name: "nitrokey3-pulled-while-writing",
        begin: nitrokey3,
        prepare: |world| nitrokey3_fault(world, |faults| faults.pull_out_after_transfers = Some(24)),
        act: |world| insert(world, order()).map(drop),
        ended_well: |_| true,
    },
];

pub(super) fn pro() -> Beginning {
    Beginning {
        sort: Sort::NitrokeyPro(Product::Pro),
        firmware: Firmware::new(0, 15, 0),
        ..Beginning::default()
    }
}

fn storage(minor: u8) -> Beginning {
    Beginning {
        sort: Sort::NitrokeyPro(Product::Storage),
        firmware: Firmware::new(0, minor, 0),
        ..Beginning::default()
    }
}

pub(super) fn nitrokey3() -> Beginning {
    Beginning { sort: Sort::Nitrokey3, firmware: Firmware::new(1, 9, 0), ..Beginning::default() }
}

pub(super) fn totp() -> Order {
    Order { profile: Profile::new(Kind::Totp), ..order() }
}

fn touched() -> Order {
    let profile = Profile {
        digits: Digits::Eight,
        hash: HashAlgorithm::Sha256,
        seed_length: 32,
        guard: Guard::Touch,
        ..Profile::new(Kind::Totp)
    };
    Order { profile, ..order() }
}

/// For keys whose owner gave the station their PIN.
fn asked() -> Order {
    let profile = Profile { key_pin: KeyPin::Asked, ..Profile::new(Kind::Hotp) };
    Order { profile, key_pin: given(), ..order() }
}

/// For keys that get a PIN of their own.
fn renewed(key_pin: Option<Arc<Pin>>) -> Order {
    let profile = Profile { key_pin: KeyPin::Random, ..Profile::new(Kind::Hotp) };
    Order { profile, key_pin, ..order() }
}

/// With the PIN that whoever owns the key finds in the hand-over file, or had before.
fn anew_handed_over(world: &World) -> Order {
    let handed = world.handed_over.iter().rev().filter_map(|what| what.admin_pin.clone());
    let pins = handed.chain(given());
    let right = |pin: &Arc<Pin>| world.keys.first().is_some_and(|key| key.pin_is(pin.expose()));
    renewed(pins.into_iter().find(right))
}

fn has_new_pin(world: &World) -> bool {
    let handed = world.handed_over.last().and_then(|what| what.admin_pin.clone());
    handed.zip(world.keys.first()).is_some_and(|(pin, key)| key.pin_is(pin.expose()))
}

fn given() -> Option<Arc<Pin>> {
    Pin::new(Zeroizing::new(OWN_PIN.to_owned())).ok().map(Arc::new)
}

fn again(world: &mut World, order: fn(&World) -> Order) -> Result<(), PowerCut> {
    world.again = order;
    Ok(())
}

fn own_pin(world: &mut World, tries: u8) {
    if let Some(key) = world.keys.first_mut() {
        key.set_pin(OWN_PIN, tries);
    }
}

/// A right PIN, presented by whoever owns the key, gives all tries back.
fn owner_presents_it(key: &mut Key) {
    key.set_pin(OWN_PIN, 3);
}

fn tries(world: &World) -> u8 {
    world.keys.first().map_or(0, Key::tries)
}

fn pro_fault(world: &mut World, set: fn(&mut nitrokey_pro::Faults)) -> Result<(), PowerCut> {
    if let Some(key) = world.keys.first_mut().and_then(Key::nitrokey_pro) {
        let mut faults = nitrokey_pro::Faults::default();
        set(&mut faults);
        key.set_faults(faults);
    }
    Ok(())
}

fn nitrokey3_fault(world: &mut World, set: fn(&mut nitrokey3::Faults)) -> Result<(), PowerCut> {
    if let Some(key) = world.keys.first_mut().and_then(Key::nitrokey3) {
        let mut faults = nitrokey3::Faults::default();
        set(&mut faults);
        key.set_faults(faults);
    }
    Ok(())
}
