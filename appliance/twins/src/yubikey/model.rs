//! Which YubiKey it is: what is fixed when the key leaves the factory.

use keys::device::Firmware;

/// USB interfaces as bits.
pub mod interface {
    /// Keyboard with the OTP application.
    pub const OTP: u8 = 1;
    /// U2F and FIDO2.
    pub const FIDO: u8 = 2;
    /// Smart card.
    pub const CCID: u8 = 4;
}

/// Applications as bits (yubikit/management.py, `CAPABILITY`).
pub mod capability {
    /// The OTP application.
    pub const OTP: u16 = 0x01;
    /// U2F.
    pub const U2F: u16 = 0x02;
    /// Smart card as such.
    pub const CCID: u16 = 0x04;
    /// OpenPGP, PIV and OATH.
    pub const CARDS: u16 = 0x38;
    /// YubiHSM Auth.
    pub const HSM_AUTH: u16 = 0x100;
    /// FIDO2.
    pub const FIDO2: u16 = 0x200;
}

/// Yubico's USB vendor id.
pub const VENDOR: u16 = 0x1050;

/// Product ids of one hardware line, by interface bits 1 to 7.
/// (yubikit/core/__init__.py, `PID`.)
const NEO: [u16; 7] = [0x0110, 0x0113, 0x0114, 0x0112, 0x0111, 0x0115, 0x0116];
const FOUR_AND_FIVE: [u16; 7] = [0x0401, 0x0402, 0x0403, 0x0404, 0x0405, 0x0406, 0x0407];

/// Form factors (yubikit/management.py, `FORM_FACTOR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormFactor {
    /// USB-A, on a key ring; with NFC in the 5 series.
    AKeychain = 1,
    /// USB-A, stays in the port.
    ANano = 2,
    /// USB-C, on a key ring; with NFC from 5.2.4 on.
    CKeychain = 3,
    /// USB-C, stays in the port.
    CNano = 4,
}

/// What is fixed about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its firmware, 2.0.0 to 5.7.x.
    pub firmware: Firmware,
    pub serial: u32,
    /// Interfaces that are switched on when the key is new: [`interface`] bits.
    pub interfaces: u8,
    /// Its shape.
    pub form_factor: FormFactor,
    /// A FIPS edition.
    pub fips: bool,
    /// The high byte of the touch level in the status: 3 was seen on a 4.3.4, 5
    /// on a 5.4.2. Its meaning is not published; clients must mask it away.
    pub touch_high: u8,
}

/// Why a model cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No such firmware in this twin.
    #[error("firmware {0} is not among those this twin knows (2.0 to 5.7)")]
    Firmware(Firmware),
    /// The product id does not go with the firmware.
    #[error("no key with firmware {firmware} has the product id {product_id:04x}")]
    ProductId {
        /// The firmware asked for.
        firmware: Firmware,
        /// The product id asked for.
        product_id: u16,
    },
}

impl Model {
    /// A key with that firmware and serial and every interface its line has.
    pub fn new(firmware: Firmware, serial: u32) -> Result<Self, ModelError> {
        let touch_high = match firmware.major {
            2 => 0,
            3 | 4 => 3,
            5 if firmware.minor <= 7 => 5,
            _ => return Err(ModelError::Firmware(firmware)),
        };
        let interfaces = match (firmware.major, firmware.minor) {
            (2, _) => interface::OTP,
            // The Plus and the Edge.
            (4, 0 | 1) => interface::OTP | interface::FIDO,
            _ => interface::OTP | interface::FIDO | interface::CCID,
        };
        let form_factor = FormFactor::AKeychain;
        Ok(Self {
            firmware,
            serial,
            interfaces,
            form_factor,
            fips: firmware.major == 4 && firmware.minor == 4,
            touch_high,
        })
    }

    /// The same key with the interfaces that make it report `product_id`.
    pub fn with_product_id(mut self, product_id: u16) -> Result<Self, ModelError> {
        let found = (1..=7).find(|bits| self.product_id(*bits) == Some(product_id));
        let wrong = ModelError::ProductId { firmware: self.firmware, product_id };
        self.interfaces = found.ok_or(wrong)?;
        Ok(self)
    }

    /// The product id with those interfaces on; `None` when the hardware line has
    /// no such combination.
    pub fn product_id(&self, interfaces: u8) -> Option<u16> {
        let index = usize::from(interfaces.checked_sub(1)?);
        match (self.firmware.major, self.firmware.minor) {
            (2, _) => (interfaces == interface::OTP).then_some(0x0010),
            (3, _) => NEO.get(index).copied(),
            (4, 0) => (interfaces == interface::OTP | interface::FIDO).then_some(0x0410),
            _ => FOUR_AND_FIVE.get(index).copied(),
        }
    }

    /// bcdDevice: the firmware, one nibble for minor and build.
    pub fn bcd_device(&self) -> u16 {
        let Firmware { major, minor, build } = self.firmware;
        u16::from(major) << 8 | u16::from(minor & 0x0f) << 4 | u16::from(build & 0x0f)
    }

    /// Applications that the hardware has on USB.
    pub fn supported(&self) -> u16 {
        let cards = capability::CCID | capability::CARDS;
        match self.firmware.major {
            2 => capability::OTP,
            4 if self.firmware.minor < 2 => capability::OTP | capability::U2F | capability::CCID,
            3 | 4 => capability::OTP | capability::U2F | cards,
            _ if self.firmware >= Firmware::new(5, 4, 3) => 0x23f | capability::HSM_AUTH,
            _ => 0x23f,
        }
    }

    /// Whether it can be spoken to over NFC.
    pub fn has_nfc(&self) -> bool {
        match self.firmware.major {
            3 => true,
            5 => match self.form_factor {
                FormFactor::AKeychain => true,
                FormFactor::CKeychain => self.firmware >= Firmware::new(5, 2, 4),
                FormFactor::ANano | FormFactor::CNano => false,
            },
            _ => false,
        }
    }
}

/// Interfaces that applications need.
pub(super) const fn interfaces_of(capabilities: u16) -> u8 {
    let mut bits = 0;
    if capabilities & capability::OTP != 0 {
        bits |= interface::OTP;
    }
    if capabilities & (capability::U2F | capability::FIDO2) != 0 {
        bits |= interface::FIDO;
    }
    if capabilities & (capability::CCID | capability::CARDS | capability::HSM_AUTH) != 0 {
        bits |= interface::CCID;
    }
    bits
}

/// Applications of `supported` that those interfaces carry.
pub(super) const fn capabilities_on(interfaces: u8, supported: u16) -> u16 {
    let mut mask = 0;
    if interfaces & interface::OTP != 0 {
        mask |= capability::OTP;
    }
    if interfaces & interface::FIDO != 0 {
        mask |= capability::U2F | capability::FIDO2;
    }
    if interfaces & interface::CCID != 0 {
        mask |= capability::CCID | capability::CARDS | capability::HSM_AUTH;
    }
    supported & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_ids_follow_the_table() {
        let key = |major, minor, build| Model::new(Firmware::new(major, minor, build), 1).unwrap();
        assert_eq!(key(2, 3, 0).product_id(interface::OTP), Some(0x0010));
        assert_eq!(key(3, 4, 0).product_id(interface::OTP | interface::CCID), Some(0x0111));
        assert_eq!(key(5, 4, 3).product_id(7), Some(0x0407));
        assert_eq!(key(5, 4, 3).product_id(0), None);
        assert_eq!(key(5, 4, 3).with_product_id(0x0402).unwrap().interfaces, interface::FIDO);
        assert!(key(5, 4, 3).with_product_id(0x0110).is_err());
        assert_eq!(key(4, 3, 4).bcd_device(), 0x0434);
        assert!(Model::new(Firmware::new(6, 0, 0), 1).is_err());
    }

    #[test]
    fn interfaces_and_capabilities_agree() {
        for bits in 0..8 {
            assert_eq!(interfaces_of(capabilities_on(bits, 0x33f)), bits);
        }
    }
}
