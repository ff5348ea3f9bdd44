//! Which version can do what (nitrokey-3-firmware `CHANGELOG.md`).

use crate::device::{Ability, Family, Firmware, Guard, HashAlgorithm, KeyError, Kind, ProofWay};

/// The first firmware that is enrolled: credentials are never overwritten, and
/// are deleted only after a touch.
pub const OLDEST: Firmware = Firmware::new(1, 7, 1);

/// The first version of the application that is enrolled when the firmware does
/// not say its own: 0.14 came after firmware 1.7.1, which has 0.13.
pub const OLDEST_APPLICATION: Firmware = Firmware::new(4, 14, 0);

/// The family, for serials.
pub const FAMILY: Family = Family::Nitrokey3;

/// What a person calls it.
pub const NAME: &str = "Nitrokey 3";

/// Whether the key can be enrolled; the error says how it can be made to.
pub fn enrollable(firmware: Option<Firmware>, application: Firmware) -> Result<(), KeyError> {
    const UPDATE: &str = "the station wants 1.7.1 or later; update the key with the Nitrokey app";
    match firmware {
        Some(firmware) if firmware < OLDEST => Err(KeyError::NotAble { what: UPDATE, firmware }),
        None if application < OLDEST_APPLICATION => {
            Err(KeyError::NotAble { what: UPDATE, firmware: application })
        }
        _ => Ok(()),
    }
}

/// What it can hold, under any name. It takes longer secrets than [`Seed`](crate::secret::Seed) has.
pub const ABILITIES: [Ability; 2] =
    [ability(Kind::Hotp, HashAlgorithm::Sha1), ability(Kind::Totp, HashAlgorithm::Sha256)];

const fn ability(kind: Kind, best_hash: HashAlgorithm) -> Ability {
    Ability {
        kind,
        eight_digits: true,
        best_hash,
        longest_seed: 64,
        proof: ProofWay::Returned { touch: false },
        guards: &[Guard::Touch, Guard::Pin],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_firmware_is_told_to_be_updated() {
        let application = Firmware::new(4, 13, 0);
        assert!(enrollable(Some(Firmware::new(1, 7, 1)), application).is_ok());
        assert!(enrollable(Some(Firmware::new(1, 10, 0)), application).is_ok());
        let error = enrollable(Some(Firmware::new(1, 6, 0)), application).unwrap_err();
        assert!(error.to_string().contains("update"), "{error}");
        // A key that does not say its firmware.
        assert!(enrollable(None, application).is_err());
        assert!(enrollable(None, Firmware::new(4, 16, 0)).is_ok());
    }
}
