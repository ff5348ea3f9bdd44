//! Which key a twin is, and what its firmware does differently.

use keys::device::Firmware;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Nitrokey Pro or Pro 2.
    Pro,
    /// Nitrokey Storage or Storage 2.
    Storage,
    /// Purism Librem Key.
    LibremKey,
}

/// What a twin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub product: Product,
    /// Its firmware, 0.x.
    pub firmware: Firmware,
    /// The number of the smart card inside, which is the key's serial.
    pub serial: u32,
}

/// Why there is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The firmware is not one that the twin knows.
    #[error("there is no twin of firmware {got}; there are {known}")]
    Firmware {
        /// What was asked for.
        got: Firmware,
        known: &'static str,
    },
}

impl Model {
    /// A key of that product, firmware and serial.
    pub fn new(product: Product, firmware: Firmware, serial: u32) -> Result<Self, ModelError> {
        let (known, words) = match product {
            Product::Pro | Product::LibremKey => (7..=15, "0.7 to 0.15"),
            Product::Storage => (50..=57, "0.50 to 0.57"),
        };
        if firmware.major != 0 || firmware.build != 0 || !known.contains(&firmware.minor) {
            return Err(ModelError::Firmware { got: firmware, known: words });
        }
        Ok(Self { product, firmware, serial })
    }

    /// USB vendor and product id.
    pub const fn usb_ids(&self) -> (u16, u16) {
        match self.product {
            Product::Pro => (0x20a0, 0x4108),
            Product::Storage => (0x20a0, 0x4109),
            Product::LibremKey => (0x316d, 0x4c4b),
        }
    }

    pub(super) const fn is_storage(&self) -> bool {
        matches!(self.product, Product::Storage)
    }

    /// Whether temporary passwords are inside of commands, and slots written in
    /// parts; before that, commands were authorized by the CRC they were to have.
    pub(super) const fn in_parts(&self) -> bool {
        self.firmware.minor >= if self.is_storage() { 54 } else { 8 }
    }

    /// Whether an authorization uses the temporary password up. Only Pro 0.7.
    pub(super) const fn password_is_used_up(&self) -> bool {
        !self.is_storage() && !self.in_parts()
    }

    /// Whether a login, right or wrong, first forgets the last one
    /// (pro-firmware issue 45).
    pub(super) const fn login_forgets(&self) -> bool {
        self.is_storage() || self.firmware.minor >= 9
    }

    /// Whether a fourth HOTP slot exists, for measured boot.
    pub(super) const fn has_reserved_slot(&self) -> bool {
        self.firmware.minor >= if self.is_storage() { 54 } else { 9 }
    }

    /// Whether the last TOTP slot lies in the memory of the first HOTP slot.
    pub(super) const fn last_totp_overlaps(&self) -> bool {
        self.is_storage() && self.in_parts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_firmware_has_a_twin() {
        for (product, minor, known) in [
            (Product::Pro, 6, false),
            (Product::Pro, 7, true),
            (Product::Pro, 15, true),
            (Product::Pro, 16, false),
            (Product::LibremKey, 10, true),
            (Product::Storage, 15, false),
            (Product::Storage, 53, true),
            (Product::Storage, 58, false),
        ] {
            assert_eq!(
                Model::new(product, Firmware::new(0, minor, 0), 1).is_ok(),
                known,
                "{product:?} {minor}"
            );
        }
        assert!(Model::new(Product::Pro, Firmware::new(1, 8, 0), 1).is_err());
    }
}
