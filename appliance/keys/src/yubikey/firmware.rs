//! Which firmware can do what.
//!
//! Sources: yubikey-personalization `ykpers.c` (the `capability_*` functions)
//! and `doc/Compatibility.asciidoc`, `ykdef.h`, yubikit `yubiotp.py` and
//! `management.py`.

use crate::device::Firmware;

/// Something that only some firmwares have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// A second slot: 2.0, but not the NEO beta.
    SlotTwo,
    /// `touchLevel` says which slots are valid: 2.1.
    ValidBits,
    /// OATH-HOTP slots: 2.1.
    Hotp,
    /// Typed passwords made of scan codes: 2.0, but not the first NEO beta.
    ScanCodes,
    /// Challenge-response slots: 2.2.
    ChallengeResponse,
    /// The command that reads the serial: 2.2 and the NEO beta.
    SerialByApi,
    /// The flags that show the serial at touch or in `iSerial`: 2.2.
    SerialElsewhere,
    /// The update commands and the flags numeric keypad, fast trigger, allow
    /// update and dormant: 2.3.
    Update,
    /// The command that swaps the slots: 2.3.
    Swap,
    /// The flag that inverts the LED: 2.4, and again from 3.1.
    LedInversion,
    /// The command that reads device information: 4.1.
    DeviceInfo,
    /// The command that writes device information: 5.0.
    WriteDeviceInfo,
}

impl Feature {
    /// Whether `firmware` has it.
    pub fn is_in(self, firmware: Firmware) -> bool {
        let from = |major, minor| firmware >= Firmware::new(major, minor, 0);
        let beta = is_neo_beta(firmware);
        match self {
            Self::SlotTwo => from(2, 0) && !beta,
            Self::ValidBits | Self::Hotp => from(2, 1),
            Self::ScanCodes => from(2, 0) && !(beta && firmware.build < 5),
            Self::ChallengeResponse | Self::SerialElsewhere => from(2, 2),
            Self::SerialByApi => from(2, 2) || beta,
            Self::Update | Self::Swap => from(2, 3),
            Self::LedInversion => from(2, 4) && (firmware.major, firmware.minor) != (3, 0),
            Self::DeviceInfo => from(4, 1),
            Self::WriteDeviceInfo => from(5, 0),
        }
    }
}

/// The beta of the NEO called itself 2.1.4 and up; it has one slot.
pub fn is_neo_beta(firmware: Firmware) -> bool {
    (firmware.major, firmware.minor) == (2, 1) && firmware.build >= 4
}

/// The NEO keeps an old copy of its programming sequence until it is written
/// to, so its status must be shaken loose before it is believed (yubikit).
pub fn caches_sequence(firmware: Firmware) -> bool {
    firmware.major == 3
}

/// Firmware 4.4 is the FIPS edition of the YubiKey 4; newer keys say it in
/// their device information.
pub fn is_fips_by_version(firmware: Firmware) -> bool {
    (firmware.major, firmware.minor) == (4, 4)
}

/// On 4.3.2 to 4.3.5 an update silently leaves the access code as it was, and
/// updates with the same code have locked keys; such keys must be programmed
/// anew instead (yubikey-manager PR 126, yubikey-personalization-gui issue 73).
pub fn update_loses_access_code(firmware: Firmware) -> bool {
    (Firmware::new(4, 3, 2)..=Firmware::new(4, 3, 5)).contains(&firmware)
}

/// 4.2.4 reports wrong capabilities; all six of its generation are there.
pub fn misreports_capabilities(firmware: Firmware) -> bool {
    firmware == Firmware::new(4, 2, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(feature: Feature, version: (u8, u8, u8)) -> bool {
        feature.is_in(Firmware::new(version.0, version.1, version.2))
    }

    #[test]
    fn one_x_has_one_slot_and_no_hotp() {
        assert!(!has(Feature::SlotTwo, (1, 3, 0)));
        assert!(!has(Feature::Hotp, (1, 3, 0)));
        assert!(has(Feature::SlotTwo, (2, 0, 0)));
        assert!(!has(Feature::Hotp, (2, 0, 9)));
        assert!(has(Feature::Hotp, (2, 1, 0)));
    }

    #[test]
    fn neo_beta_has_no_slot_two_but_a_serial() {
        assert!(has(Feature::SlotTwo, (2, 1, 3)));
        assert!(!has(Feature::SlotTwo, (2, 1, 4)));
        assert!(has(Feature::SerialByApi, (2, 1, 4)));
        assert!(!has(Feature::SerialElsewhere, (2, 1, 4)));
        assert!(has(Feature::SlotTwo, (2, 2, 0)));
        assert!(!has(Feature::ScanCodes, (2, 1, 4)));
        assert!(has(Feature::ScanCodes, (2, 1, 5)));
    }

    #[test]
    fn led_inversion_skips_three_zero() {
        assert!(!has(Feature::LedInversion, (2, 3, 9)));
        assert!(has(Feature::LedInversion, (2, 4, 0)));
        assert!(!has(Feature::LedInversion, (3, 0, 1)));
        assert!(has(Feature::LedInversion, (3, 1, 0)));
    }

    #[test]
    fn device_information_came_with_4_1() {
        assert!(!has(Feature::DeviceInfo, (4, 0, 9)));
        assert!(has(Feature::DeviceInfo, (4, 1, 0)));
    }

    #[test]
    fn commands_begin_with_the_firmware_that_brought_them() {
        for (feature, before, from) in [
            (Feature::SlotTwo, (1, 3, 0), (2, 0, 0)),
            (Feature::Update, (2, 2, 0), (2, 3, 0)),
            (Feature::Swap, (2, 2, 0), (2, 3, 0)),
            (Feature::SerialByApi, (2, 1, 0), (2, 2, 0)),
            (Feature::ChallengeResponse, (2, 1, 0), (2, 2, 0)),
            (Feature::DeviceInfo, (4, 0, 0), (4, 1, 0)),
            (Feature::WriteDeviceInfo, (4, 4, 0), (5, 0, 0)),
        ] {
            assert!(!has(feature, before), "{feature:?}");
            assert!(has(feature, from), "{feature:?}");
        }
    }

    #[test]
    fn update_loses_the_access_code_on_4_3_2_to_4_3_5_only() {
        assert!(!update_loses_access_code(Firmware::new(4, 3, 1)));
        assert!(update_loses_access_code(Firmware::new(4, 3, 2)));
        assert!(update_loses_access_code(Firmware::new(4, 3, 5)));
        assert!(!update_loses_access_code(Firmware::new(4, 3, 6)));
    }
}
