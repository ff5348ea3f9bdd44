//! What a device says it is: the interfaces in its descriptors (USB 2.0, chapter 9.6).
//!
//! Everything here comes from the device and may be a lie or nonsense. Lengths are
//! checked, nothing is allocated by a number that a device said, and what cannot be
//! read ends the list.

use core::fmt;

/// One interface as the device describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// bInterfaceNumber.
    pub number: u8,
    /// bInterfaceClass.
    pub class: u8,
    /// bInterfaceSubClass.
    pub subclass: u8,
    /// bInterfaceProtocol.
    pub protocol: u8,
}

/// Human interface device.
pub(crate) const HID: u8 = 0x03;
/// Mass storage.
pub(crate) const STORAGE: u8 = 0x08;
pub(crate) const HUB: u8 = 0x09;
/// Smart card.
pub(crate) const CCID: u8 = 0x0b;

impl Function {
    /// Whether it is a keyboard that boots (HID 1.11, 4.2 and 4.3), as the OTP
    /// application of a YubiKey is.
    pub const fn is_keyboard(self) -> bool {
        self.class == HID && self.subclass == 1 && self.protocol == 1
    }
}

/// What a person calls it. Classes are those of usb.org ("Defined Class Codes").
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.class, self.subclass, self.protocol) {
            (0x01, ..) => "a sound device",
            (0x02, 0x02, _) => "a modem or serial device",
            (0x02 | 0x0a, ..) => "a network or serial device",
            (HID, 1, 1) => "a keyboard",
            (HID, 1, 2) => "a mouse",
            (HID, ..) => "an input device",
            (0x06, ..) => "a camera",
            (0x07, ..) => "a printer",
            (STORAGE, ..) => "a storage device",
            (HUB, ..) => "a hub",
            (CCID, ..) => "a smart card reader",
            (0x0e | 0x10, ..) => "a video device",
            (0xe0, ..) => "a wireless device",
            _ => "an unknown device",
        })
    }
}

const INTERFACE: u8 = 4;
const SHORTEST_INTERFACE: usize = 9;
/// More interfaces than this are not listed. The kernel takes 32 (USB_MAXINTERFACES).
const MOST: usize = 32;

/// The interfaces in the concatenated descriptors of a device, as sysfs gives them in
/// `descriptors`: of every configuration, alternate settings once.
pub fn functions(descriptors: &[u8]) -> Vec<Function> {
    let mut found: Vec<Function> = Vec::new();
    let mut rest = descriptors;
    while let [length, kind, ..] = *rest {
        let length = usize::from(length);
        let Some((this, behind)) = rest.split_at_checked(length).filter(|_| length >= 2) else { break };
        rest = behind;
        if kind != INTERFACE || length < SHORTEST_INTERFACE {
            continue;
        }
        if let [_, _, number, _alternate, _endpoints, class, subclass, protocol, ..] = *this {
            let function = Function { number, class, subclass, protocol };
            if !found.contains(&function) && found.len() < MOST {
                found.push(function);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEVICE: [u8; 18] = [18, 1, 0, 2, 0, 0, 0, 64, 0x50, 0x10, 7, 4, 0x43, 5, 1, 2, 0, 1];
    const CONFIGURATION: [u8; 9] = [9, 2, 32, 0, 1, 1, 0, 0x80, 15];
    const KEYBOARD: [u8; 9] = [9, 4, 0, 0, 1, 3, 1, 1, 0];
    const ENDPOINT: [u8; 7] = [7, 5, 0x81, 3, 8, 0, 10];

    #[test]
    fn the_interfaces_are_found_between_other_descriptors() {
        let bytes =
            [&DEVICE[..], &CONFIGURATION, &KEYBOARD, &ENDPOINT, &[9, 4, 1, 0, 2, 8, 6, 0x50, 0]].concat();
        let found = functions(&bytes);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_keyboard());
        assert_eq!(found[1].to_string(), "a storage device");
    }

    #[test]
    fn alternate_settings_count_once() {
        let bytes = [KEYBOARD, [9, 4, 0, 1, 1, 3, 1, 1, 0]].concat();
        assert_eq!(functions(&bytes).len(), 1);
    }

    #[test]
    fn a_descriptor_without_length_or_end_ends_the_list() {
        assert!(functions(&[0, 4, 0, 0, 1, 3, 1, 1, 0]).is_empty());
        assert!(functions(&[1, 4, 9, 4, 0, 0, 1, 3, 1, 1, 0]).is_empty());
        assert!(functions(&KEYBOARD[..8]).is_empty());
        assert!(functions(&[8, 4, 0, 0, 1, 3, 1, 1]).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let found = functions(&bytes);
            prop_assert!(found.len() <= MOST && found.len() * SHORTEST_INTERFACE <= bytes.len());
        }
    }
}
