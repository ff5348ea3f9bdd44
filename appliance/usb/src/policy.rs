//! Which devices the station speaks to.
//!
//! The first walls are the kernel's: modules that are not there, and udev's rules that
//! authorize nothing else (`systemd/udev`). This is the last one, and the one that has
//! words. It goes by what a device says, so it keeps mistakes out and makes lies
//! visible; what a liar still gets is a HID conversation, which trusts nothing.

use keys::device::Family;
use keys::identify::{UsbIds, Verdict, identify};

use crate::descriptors::{CCID, HID, HUB, STORAGE};
use crate::port::PortPattern;
use crate::sysfs::Device;

/// What is soldered to the boards that the station runs on: hub and network of the
/// Raspberry Pi 1 to 3 (LAN9514, LAN9512, LAN7800) and the hub of the Pi 4 (VL805).
const ONBOARD: [UsbIds; 5] =
    [(0x0424, 0x9514), (0x0424, 0xec00), (0x0424, 0x7800), (0x0424, 0x2514), (0x2109, 0x3431)];

/// The one key that has a storage interface, which nothing binds.
const NITROKEY_STORAGE: UsbIds = (0x20a0, 0x4109);

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// On which ports; empty allows every port.
    pub ports: Vec<PortPattern>,
    /// What belongs to the board and is passed over in silence.
    pub onboard: Vec<UsbIds>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { ports: Vec::new(), onboard: ONBOARD.to_vec() }
    }
}

/// What a device is to the station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A key, be it one that can only be refused with the right words.
    Key,
    /// Something that does not belong here; what, for a person: "a storage device".
    Stranger(String),
    /// A hub, or a part of the board.
    Furniture,
}

impl Policy {
    /// What `device` is.
    pub fn standing(&self, device: &Device) -> Standing {
        if device.class == HUB || self.onboard.contains(&device.ids) {
            return Standing::Furniture;
        }
        let (vendor, product) = device.ids;
        let Some(known) = identify(device.ids) else {
            return Standing::Stranger(format!("{} ({vendor:04x}:{product:04x})", words(device)));
        };
        if !self.ports.is_empty() && !self.ports.iter().any(|pattern| pattern.matches(&device.port)) {
            return Standing::Stranger(format!("a {} on a port that is not for keys", known.name));
        }
        let Verdict::Speaks(family) = known.verdict else { return Standing::Key };
        if let Some(lie) = lie(device, family) {
            return Standing::Stranger(format!("something that calls itself {} but {lie}", known.name));
        }
        Standing::Key
    }
}

/// In what a device cannot be the key that its ids promise.
fn lie(device: &Device, family: Family) -> Option<String> {
    let fits = |class: u8| match class {
        HID | CCID => true,
        STORAGE => device.ids == NITROKEY_STORAGE,
        _ => false,
    };
    if let Some(foreign) = device.functions.iter().find(|function| !fits(function.class)) {
        return Some(format!("is {foreign}, too"));
    }
    let wanted = match family {
        Family::YubiKeyOtp => device.functions.iter().any(|function| function.is_keyboard()),
        _ => device.functions.iter().any(|function| function.class == HID),
    };
    (!wanted).then(|| "lacks the interface that such a key has".to_owned())
}

/// A stranger in words: what it is most dangerous as.
fn words(device: &Device) -> String {
    let danger = |class: u8| match class {
        HID => 0,
        0x02 | 0x0a | 0xe0 => 1,
        STORAGE => 2,
        _ => 3,
    };
    let worst = device.functions.iter().min_by_key(|function| danger(function.class));
    worst.map_or_else(|| "a device that does not say what it is".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::Function;
    use crate::sysfs::Nodes;

    const KEYBOARD: (u8, u8, u8) = (3, 1, 1);
    const FIDO: (u8, u8, u8) = (3, 0, 0);
    const CARD: (u8, u8, u8) = (0x0b, 0, 0);

    fn device(ids: UsbIds, port: &str, functions: &[(u8, u8, u8)]) -> Device {
        let functions = functions.iter().zip(0..).map(|(&(class, subclass, protocol), number)| Function {
            number,
            class,
            subclass,
            protocol,
        });
        Device {
            port: port.parse().unwrap(),
            address: 3,
            ids,
            bcd_device: 0x0543,
            class: 0,
            authorized: true,
            functions: functions.collect(),
            nodes: Nodes::default(),
        }
    }

    fn stranger(device: &Device) -> String {
        match Policy::default().standing(device) {
            Standing::Stranger(what) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_are_welcome_on_every_port_by_default() {
        for (ids, functions) in [
            ((0x1050, 0x0407), &[KEYBOARD, FIDO, CARD][..]),
            ((0x20a0, 0x4108), &[FIDO, CARD]),
            ((0x20a0, 0x4109), &[FIDO, CARD, (8, 6, 0x50)]),
            ((0x20a0, 0x42b2), &[FIDO, CARD]),
            // Refused later, in words.
            ((0x1050, 0x0402), &[FIDO]),
            ((0x20a0, 0x42e8), &[(2, 2, 1)]),
        ] {
            assert_eq!(
                Policy::default().standing(&device(ids, "1-1.4", functions)),
                Standing::Key,
                "{ids:x?}"
            );
        }
    }

    #[test]
    fn only_ports_that_are_named_are_for_keys() {
        let policy = Policy { ports: vec!["1-1.*".parse().unwrap()], ..Policy::default() };
        let key = |port| device((0x1050, 0x0407), port, &[KEYBOARD]);
        assert_eq!(policy.standing(&key("1-1.3")), Standing::Key);
        match policy.standing(&key("1-2")) {
            Standing::Stranger(what) => assert!(what.ends_with("on a port that is not for keys"), "{what}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn strangers_are_named_by_what_they_could_do() {
        assert_eq!(
            stranger(&device((0x0781, 0x5567), "1-3", &[(8, 6, 0x50)])),
            "a storage device (0781:5567)"
        );
        assert_eq!(stranger(&device((1, 2), "1-3", &[(8, 6, 0x50), KEYBOARD])), "a keyboard (0001:0002)");
        assert!(stranger(&device((1, 2), "1-3", &[])).contains("does not say"));
    }

    #[test]
    fn what_cannot_be_the_key_it_says_is_a_stranger() {
        let hides_a_disk = device((0x1050, 0x0407), "1-3", &[KEYBOARD, (8, 6, 0x50)]);
        assert!(
            stranger(&hides_a_disk).contains("calls itself YubiKey (OTP+FIDO+CCID) but is a storage device")
        );
        assert!(stranger(&device((0x1050, 0x0407), "1-3", &[FIDO, CARD])).contains("lacks the interface"));
        assert!(stranger(&device((0x20a0, 0x42b2), "1-3", &[CARD])).contains("lacks the interface"));
        assert!(stranger(&device((0x20a0, 0x4108), "1-3", &[])).contains("lacks the interface"));
    }

    #[test]
    fn hubs_and_the_board_are_passed_over() {
        let hub = Device { class: 9, ..device((0x05e3, 0x0608), "1-1", &[(9, 0, 0)]) };
        assert_eq!(Policy::default().standing(&hub), Standing::Furniture);
        let network = device((0x0424, 0xec00), "1-1.1", &[(255, 0, 255)]);
        assert_eq!(Policy::default().standing(&network), Standing::Furniture);
    }
}
