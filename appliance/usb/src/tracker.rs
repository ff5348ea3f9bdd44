//! What came and what went, out of how sysfs looks one time and the next.
//!
//! Time is an argument, nothing is read here. What is told does not depend on which
//! events brought the looks about, nor on how many there were.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::policy::{Policy, Standing};
use crate::port::PortPath;
use crate::sysfs::{Device, Nodes};

/// How long a key may be away without having left. A contact that bounces, and a key
/// that gives itself another product id, come back on their port well within; nobody
/// changes keys as fast.
pub const LINGER: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key is there.
    Came {
        device: Device,
        /// It, or one of the same vendor, was on this port a moment ago and has not
        /// been told to have left.
        again: bool,
    },
    /// What can be opened of it is another, or may be opened now.
    Nodes {
        port: PortPath,
        /// All of them.
        nodes: Nodes,
    },
    /// Nothing more can be done with the key that is, or was, on that port.
    Gone { port: PortPath },
    /// What was on that port, key or stranger, is told to have left. Behind
    /// [`Change::Gone`] at once, or when the key did not come back.
    Left { port: PortPath },
    /// Something is there that does not belong here.
    Stranger {
        port: PortPath,
        /// What, for a person.
        what: String,
    },
}

/// Remembers what is where.
pub struct Tracker {
    policy: Policy,
    places: BTreeMap<PortPath, Place>,
}

enum Place {
    Key(Device),
    Stranger {
        address: u8,
    },
    Furniture {
        address: u8,
    },
    /// A key that went, and may come back until then. Its address may be in sysfs still.
    Away {
        address: u8,
        vendor: u16,
        until: Duration,
    },
    /// A key that left, and that the kernel could not let go of yet.
    Husk {
        address: u8,
    },
}

impl Tracker {
    /// With nothing plugged in.
    pub fn new(policy: Policy) -> Self {
        Self { policy, places: BTreeMap::new() }
    }

    /// Takes a look at everything at `now`, and says what is different from the one before.
    pub fn look(&mut self, seen: Vec<Device>, now: Duration) -> Vec<Change> {
        let mut seen: BTreeMap<PortPath, Device> =
            seen.into_iter().map(|device| (device.port.clone(), device)).collect();
        let mut changes = Vec::new();
        let known: Vec<PortPath> = self.places.keys().cloned().collect();
        for port in known {
            let Some(place) = self.places.remove(&port) else { continue };
            let here = seen.get(&port);
            if let Some(place) = step(&port, place, here, now, &mut changes) {
                self.places.insert(port, place);
            }
        }
        // What is where it was is not new.
        seen.retain(|port, device| match self.places.get(port) {
            Some(Place::Key(_)) => false,
            Some(Place::Stranger { address } | Place::Furniture { address }) => *address != device.address,
            Some(Place::Away { address, .. } | Place::Husk { address }) => {
                // Its nodes are back: a driver was bound anew, and nobody pulled it out.
                *address != device.address || device.nodes.events().next().is_some()
            }
            None => true,
        });
        for (port, device) in seen {
            self.arrive(port, device, &mut changes);
        }
        changes
    }

    /// When to look again even if nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let until = |place: &Place| match place {
            Place::Away { until, .. } => Some(*until),
            _ => None,
        };
        self.places.values().filter_map(until).min()
    }

    fn arrive(&mut self, port: PortPath, device: Device, changes: &mut Vec<Change>) {
        let away = match self.places.remove(&port) {
            Some(Place::Away { vendor, .. }) => Some(vendor),
            _ => None,
        };
        let address = device.address;
        let standing = self.policy.standing(&device);
        let again = away == Some(device.ids.0) && standing == Standing::Key;
        if away.is_some() && !again {
            changes.push(Change::Left { port: port.clone() });
        }
        let place = match standing {
            Standing::Key => {
                changes.push(Change::Came { device: device.clone(), again });
                Place::Key(device)
            }
            Standing::Stranger(what) => {
                changes.push(Change::Stranger { port: port.clone(), what });
                Place::Stranger { address }
            }
            Standing::Furniture => Place::Furniture { address },
        };
        self.places.insert(port, place);
    }
}

/// What becomes of one place; `None` when it is empty.
fn step(
    port: &PortPath,
    place: Place,
    here: Option<&Device>,
    now: Duration,
    changes: &mut Vec<Change>,
) -> Option<Place> {
    let same = |address: u8| here.is_some_and(|device| device.address == address);
    match place {
        Place::Key(before) => match here.filter(|device| device.address == before.address) {
            Some(device) if !lost_its_keyboard(&before.nodes, &device.nodes) => {
                if before.nodes != device.nodes {
                    changes.push(Change::Nodes { port: port.clone(), nodes: device.nodes.clone() });
                }
                Some(Place::Key(device.clone()))
            }
            _ => {
                changes.push(Change::Gone { port: port.clone() });
                let until = now.saturating_add(LINGER);
                Some(Place::Away { address: before.address, vendor: before.ids.0, until })
            }
        },
        Place::Away { address, until, .. } if now >= until => {
            changes.push(Change::Left { port: port.clone() });
            same(address).then_some(Place::Husk { address })
        }
        Place::Stranger { address } if !same(address) => {
            changes.push(Change::Left { port: port.clone() });
            None
        }
        Place::Furniture { address } | Place::Husk { address } if !same(address) => None,
        place => Some(place),
    }
}

/// When a key is pulled out while a transfer hangs, its keyboard vanishes at once, and
/// everything else only when the transfer's time is up, seconds later.
fn lost_its_keyboard(before: &Nodes, after: &Nodes) -> bool {
    before.events().next().is_some() && after.events().next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::Function;
    use crate::sysfs::{HidInterface, HidKind};
    use keys::identify::UsbIds;
    use proptest::prelude::*;

    const YUBIKEY: UsbIds = (0x1050, 0x0407);
    const FIDO_ONLY: UsbIds = (0x1050, 0x0402);
    const NITROKEY: UsbIds = (0x20a0, 0x4108);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn port(number: u8) -> PortPath {
        PortPath::new(1, &[number]).unwrap()
    }

    fn device(number: u8, address: u8, ids: UsbIds) -> Device {
        Device {
            port: port(number),
            address,
            ids,
            bcd_device: 0x0543,
            class: 0,
            authorized: true,
            functions: vec![Function { number: 0, class: 3, subclass: 1, protocol: 1 }],
            nodes: Nodes::default(),
        }
    }

    fn with_nodes(mut device: Device) -> Device {
        device.nodes.interfaces = vec![HidInterface {
            number: 0,
            kind: HidKind::Keyboard,
            hidraw: Some("hidraw0".into()),
            events: vec!["event0".into()],
        }];
        device
    }

    fn stick(number: u8, address: u8) -> Device {
        let function = Function { number: 0, class: 8, subclass: 6, protocol: 0x50 };
        Device { functions: vec![function], ..device(number, address, (0x0781, 0x5567)) }
    }

    fn came(device: &Device, again: bool) -> Change {
        Change::Came { device: device.clone(), again }
    }

    fn gone(number: u8) -> Change {
        Change::Gone { port: port(number) }
    }

    fn left(number: u8) -> Change {
        Change::Left { port: port(number) }
    }

    #[test]
    fn a_key_comes_gets_its_nodes_and_leaves() {
        let mut tracker = Tracker::new(Policy::default());
        let bare = device(1, 2, YUBIKEY);
        let whole = with_nodes(bare.clone());
        assert_eq!(tracker.look(vec![bare.clone()], at(0)), [came(&bare, false)]);
        assert_eq!(tracker.look(vec![bare], at(1)), []);
        let nodes = Change::Nodes { port: port(1), nodes: whole.nodes.clone() };
        assert_eq!(tracker.look(vec![whole.clone()], at(400)), [nodes]);
        assert_eq!(tracker.deadline(), None);
        assert_eq!(tracker.look(vec![], at(1000)), [gone(1)]);
        let until = tracker.deadline().unwrap();
        assert_eq!(until, at(1000) + LINGER);
        assert_eq!(tracker.look(vec![], until), [left(1)]);
        assert_eq!(tracker.deadline(), None);
    }

    #[test]
    fn a_key_with_another_product_id_is_the_one_that_was_there() {
        let mut tracker = Tracker::new(Policy::default());
        let (old, new) = (device(1, 2, YUBIKEY), device(1, 3, FIDO_ONLY));
        tracker.look(vec![old.clone()], at(0));
        tracker.look(vec![], at(1000));
        assert_eq!(tracker.look(vec![new.clone()], at(1200)), [came(&new, true)]);
        // Also when the look between was missed.
        let back = device(1, 4, YUBIKEY);
        assert_eq!(tracker.look(vec![back.clone()], at(1500)), [gone(1), came(&back, true)]);
    }

    #[test]
    fn another_makers_key_is_another_key() {
        let mut tracker = Tracker::new(Policy::default());
        tracker.look(vec![device(1, 2, YUBIKEY)], at(0));
        let other = device(1, 3, NITROKEY);
        assert_eq!(tracker.look(vec![other.clone()], at(1)), [gone(1), left(1), came(&other, false)]);
    }

    #[test]
    fn a_key_whose_transfer_hangs_is_gone_when_its_keyboard_is() {
        let mut tracker = Tracker::new(Policy::default());
        let (bare, whole) = (device(1, 2, YUBIKEY), with_nodes(device(1, 2, YUBIKEY)));
        tracker.look(vec![whole.clone()], at(0));
        assert_eq!(tracker.look(vec![bare.clone()], at(50)), [gone(1)]);
        assert_eq!(tracker.look(vec![bare.clone()], at(500)), [left(1)]);
        // The kernel still holds it; that is no key.
        assert_eq!(tracker.look(vec![bare], at(3000)), []);
        assert_eq!(tracker.look(vec![], at(4000)), []);
        let next = device(1, 3, YUBIKEY);
        assert_eq!(tracker.look(vec![next.clone()], at(5000)), [came(&next, false)]);
    }

    #[test]
    fn a_driver_that_is_bound_anew_brings_the_key_back() {
        let mut tracker = Tracker::new(Policy::default());
        let (bare, whole) = (device(1, 2, YUBIKEY), with_nodes(device(1, 2, YUBIKEY)));
        tracker.look(vec![whole.clone()], at(0));
        tracker.look(vec![bare.clone()], at(50));
        assert_eq!(tracker.look(vec![whole.clone()], at(60)), [came(&whole, true)]);
        tracker.look(vec![bare.clone()], at(100));
        tracker.look(vec![bare], at(1000));
        assert_eq!(tracker.look(vec![whole.clone()], at(1100)), [came(&whole, false)]);
    }

    #[test]
    fn strangers_are_told_once_and_leave() {
        let mut tracker = Tracker::new(Policy::default());
        let told = Change::Stranger { port: port(3), what: "a storage device (0781:5567)".into() };
        assert_eq!(tracker.look(vec![stick(3, 2)], at(0)), [told]);
        assert_eq!(tracker.look(vec![stick(3, 2)], at(1)), []);
        assert_eq!(tracker.look(vec![], at(2)), [left(3)]);
        assert_eq!(tracker.look(vec![], at(3)), []);
    }

    #[test]
    fn a_stranger_where_a_key_was_makes_the_key_leave_first() {
        let mut tracker = Tracker::new(Policy::default());
        tracker.look(vec![device(1, 2, YUBIKEY)], at(0));
        let changes = tracker.look(vec![stick(1, 3)], at(10));
        assert_eq!(changes[..2], [gone(1), left(1)]);
        assert!(matches!(&changes[2], Change::Stranger { .. }));
    }

    #[test]
    fn hubs_are_not_told() {
        let mut tracker = Tracker::new(Policy::default());
        let hub = Device { class: 9, ..device(1, 2, (0x05e3, 0x0608)) };
        assert_eq!(tracker.look(vec![hub], at(0)), []);
        assert_eq!(tracker.look(vec![], at(1)), []);
    }

    proptest! {
        /// Whatever is plugged where and when: who keeps count of what is told knows
        /// what is plugged in, and keys come, go and leave in that order.
        #[test]
        fn what_is_told_adds_up(
            looks in prop::collection::vec(
                (prop::collection::vec((1u8..4, 1u8..6, 0usize..4, any::<bool>()), 0..4), 0u64..600), 1..60),
        ) {
            let mut tracker = Tracker::new(Policy::default());
            let mut now = Duration::ZERO;
            // Port -> what was told: 1 a live key, 2 a key that is gone, 3 a stranger.
            let mut told: BTreeMap<PortPath, u8> = BTreeMap::new();
            for (devices, gap) in looks {
                now += at(gap);
                let seen: Vec<Device> = devices
                    .into_iter()
                    .map(|(number, address, what, nodes)| {
                        let device = match what {
                            0 => device(number, address, YUBIKEY),
                            1 => device(number, address, FIDO_ONLY),
                            2 => device(number, address, NITROKEY),
                            _ => stick(number, address),
                        };
                        if nodes { with_nodes(device) } else { device }
                    })
                    .collect();
                for change in tracker.look(seen, now) {
                    match change {
                        Change::Came { device, again } => {
                            let before = told.insert(device.port, 1);
                            prop_assert_eq!(before, if again { Some(2) } else { None });
                        }
                        Change::Nodes { port, .. } => prop_assert_eq!(told.get(&port), Some(&1)),
                        Change::Gone { port } => prop_assert_eq!(told.insert(port, 2), Some(1)),
                        Change::Left { port } => {
                            let before = told.remove(&port);
                            prop_assert!(matches!(before, Some(2 | 3)), "{before:?}");
                        }
                        Change::Stranger { port, .. } => prop_assert_eq!(told.insert(port, 3), None),
                    }
                }
            }
            tracker.look(vec![], now);
            for change in tracker.look(vec![], now + at(1000)) {
                if let Change::Left { port } = change { told.remove(&port); }
            }
            told.retain(|_, what| *what == 1);
            prop_assert!(told.is_empty() && tracker.deadline().is_none());
        }
    }
}
