//! Which USB ids belong to this family, and what each model's firmware can do.

use crate::device::Firmware;

/// The vendor id of Nitrokey's devices (Clay Logic's).
pub const NITROKEY: u16 = 0x20a0;
/// The vendor id of Purism.
pub const PURISM: u16 = 0x316d;

/// A model of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// Nitrokey Pro and Pro 2, which share their id.
    Pro,
    /// Nitrokey Storage and Storage 2, which share theirs.
    Storage,
    /// Purism's Librem Key: the firmware of the Pro.
    LibremKey,
}

/// How a change is authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authorization {
    /// By a report before it, which names the CRC of the one to come. The
    /// temporary password is used up by it (firmware 0.7 of the Pro).
    Before,
    /// By the temporary password inside of it.
    Inside,
}

impl Model {
    /// All models.
    pub const ALL: [Self; 3] = [Self::Pro, Self::Storage, Self::LibremKey];

    /// The model with these USB ids.
    pub const fn of(vendor: u16, product: u16) -> Option<Self> {
        match (vendor, product) {
            (NITROKEY, 0x4108) => Some(Self::Pro),
            (NITROKEY, 0x4109) => Some(Self::Storage),
            (PURISM, 0x4c4b) => Some(Self::LibremKey),
            _ => None,
        }
    }

    /// Its USB ids, vendor and product.
    pub const fn ids(self) -> (u16, u16) {
        match self {
            Self::Pro => (NITROKEY, 0x4108),
            Self::Storage => (NITROKEY, 0x4109),
            Self::LibremKey => (PURISM, 0x4c4b),
        }
    }

    /// What a person calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pro => "Nitrokey Pro",
            Self::Storage => "Nitrokey Storage",
            Self::LibremKey => "Librem Key",
        }
    }

    /// The first firmware that authorizes inside, and takes long secrets.
    pub const fn first_inside(self) -> Firmware {
        match self {
            Self::Pro | Self::LibremKey => Firmware::new(0, 8, 0),
            Self::Storage => Firmware::new(0, 54, 0),
        }
    }

    /// How `firmware` of this model authorizes changes.
    pub fn authorization(self, firmware: Firmware) -> Authorization {
        if firmware < self.first_inside() { Authorization::Before } else { Authorization::Inside }
    }

    /// The longest secret that `firmware` of this model takes, in bytes.
    pub fn longest_secret(self, firmware: Firmware) -> usize {
        match self.authorization(firmware) {
            Authorization::Before => 20,
            Authorization::Inside => 40,
        }
    }

    /// How many TOTP slots can be used. The last one of a Storage from 0.54 on
    /// shares its memory with the first HOTP slot (storage-firmware issue 91): a
    /// write is answered by "ok" and does nothing, an erasure erases the other.
    pub fn totp_slots(self, firmware: Firmware) -> u8 {
        match (self, self.authorization(firmware)) {
            (Self::Storage, Authorization::Inside) => 14,
            _ => 15,
        }
    }

    /// Whether `firmware` of this model takes a secret for "none", and keeps the
    /// one that was there before (`hotp.c`, `write_to_slot`).
    pub fn keeps_old_secret(self, firmware: Firmware, new: &[u8]) -> bool {
        match (self, self.authorization(firmware)) {
            (Self::Pro | Self::LibremKey, Authorization::Before) => new.first() == Some(&0),
            _ => new.iter().all(|byte| *byte == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_model() {
        for model in Model::ALL {
            let (vendor, product) = model.ids();
            assert_eq!(Model::of(vendor, product), Some(model));
        }
        // The Crypto Stick has no OTP.
        assert_eq!(Model::of(NITROKEY, 0x4107), None);
        assert_eq!(Model::of(PURISM, 0x4108), None);
    }

    #[test]
    fn generations_change_at_their_versions() {
        use Authorization::{Before, Inside};
        for (model, minor, expected) in [
            (Model::Pro, 7, Before),
            (Model::Pro, 8, Inside),
            (Model::Pro, 15, Inside),
            (Model::LibremKey, 7, Before),
            (Model::Storage, 15, Before),
            (Model::Storage, 53, Before),
            (Model::Storage, 54, Inside),
        ] {
            let firmware = Firmware::new(0, minor, 0);
            assert_eq!(model.authorization(firmware), expected, "{model:?} {minor}");
            assert_eq!(model.longest_secret(firmware), if expected == Before { 20 } else { 40 });
        }
    }

    #[test]
    fn some_secrets_are_taken_for_none() {
        let mut secret = [7; 20];
        secret[0] = 0;
        assert!(Model::Pro.keeps_old_secret(Firmware::new(0, 7, 0), &secret));
        assert!(!Model::Pro.keeps_old_secret(Firmware::new(0, 8, 0), &secret));
        assert!(!Model::Storage.keeps_old_secret(Firmware::new(0, 53, 0), &secret));
        assert!(Model::Storage.keeps_old_secret(Firmware::new(0, 54, 0), &[0; 20]));
    }
}
