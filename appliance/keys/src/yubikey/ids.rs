//! Which USB product ids are YubiKeys, and what can be done with each
//! (yubikit `core/__init__.py`, `ykdef.h`).
//!
//! The product id changes when interfaces are switched on or off, so it says
//! what a key can do now, not which key it is.

use super::device_info::DeviceInfo;
use super::firmware::is_fips_by_version;
use crate::device::Firmware;

/// Yubico's USB vendor id.
pub const VENDOR: u16 = 0x1050;

/// A line of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// YubiKey Standard and Nano, firmware 1 and 2.
    Standard,
    /// YubiKey NEO, firmware 3.
    Neo,
    /// The blue Security Key that speaks FIDO only.
    SecurityKey,
    /// YubiKey 4, 5, their FIPS editions, Bio, and newer Security Keys.
    FourFive,
    /// YubiKey Plus, firmware 4.0.
    Plus,
}

/// What a product id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The hardware.
    pub line: Line,
    /// Whether the OTP application is there: a boot keyboard.
    pub otp: bool,
    /// Whether FIDO is there.
    pub fido: bool,
    /// Whether the smart card interface is there.
    pub ccid: bool,
}

impl Identity {
    /// What `product_id` of vendor [`VENDOR`] is; `None` for what is no YubiKey.
    pub const fn of(product_id: u16) -> Option<Self> {
        use Line::{FourFive, Neo, Plus, SecurityKey, Standard};
        let (line, otp, fido, ccid) = match product_id {
            0x0010 => (Standard, true, false, false),
            0x0110 => (Neo, true, false, false),
            0x0111 => (Neo, true, false, true),
            0x0112 => (Neo, false, false, true),
            0x0113 => (Neo, false, true, false),
            0x0114 => (Neo, true, true, false),
            0x0115 => (Neo, false, true, true),
            0x0116 => (Neo, true, true, true),
            0x0120 => (SecurityKey, false, true, false),
            0x0401 => (FourFive, true, false, false),
            0x0402 => (FourFive, false, true, false),
            0x0403 => (FourFive, true, true, false),
            0x0404 => (FourFive, false, false, true),
            0x0405 => (FourFive, true, false, true),
            0x0406 => (FourFive, false, true, true),
            0x0407 => (FourFive, true, true, true),
            0x0410 => (Plus, true, true, false),
            _ => return None,
        };
        Some(Self { line, otp, fido, ccid })
    }

    /// Whether slots can be programmed over HID: only where OTP is switched on.
    pub const fn programmable(self) -> bool {
        self.otp
    }

    /// Whether the key has other interfaces than OTP. Such a key does not
    /// answer OTP commands for about three seconds after it spoke through one
    /// of them ("reclaim", ykman issue 34).
    pub const fn has_more_than_otp(self) -> bool {
        self.fido || self.ccid
    }

    /// The interfaces in words, as keys spell them in their USB product string:
    /// "OTP+FIDO+CCID".
    pub fn interfaces(self) -> String {
        let names = [(self.otp, "OTP"), (self.fido, "FIDO"), (self.ccid, "CCID")];
        names.iter().filter_map(|&(there, name)| there.then_some(name)).collect::<Vec<_>>().join("+")
    }
}

/// The firmware in the USB field `bcdDevice`: 0x0543 is 5.4.3.
pub const fn firmware_of_bcd(bcd_device: u16) -> Firmware {
    let [high, low] = bcd_device.to_be_bytes();
    Firmware::new(high, low >> 4, low & 0x0f)
}

/// `bcdDevice` of a firmware, the other way round; each number is cut to its digits.
pub const fn bcd_of_firmware(firmware: Firmware) -> u16 {
    u16::from_be_bytes([firmware.major, firmware.minor << 4 | firmware.build & 0x0f])
}

/// What a person calls the key: "YubiKey 5C NFC", "YubiKey 4", "YubiKey NEO".
///
/// `info` is what the key says about itself, where it can. Without it the
/// firmware and the product id still tell the generation.
pub fn model(identity: Option<Identity>, firmware: Firmware, info: Option<&DeviceInfo>) -> String {
    let line = identity.map(|identity| identity.line);
    let form = info.and_then(|info| info.form_factor);
    let fips = form.is_some_and(|form| form.is_fips()) || is_fips_by_version(firmware);
    let nfc = info.is_some_and(DeviceInfo::has_nfc);
    let shape = form.map_or(0, |form| form.0 & 0x0f);
    let security_key = line == Some(Line::SecurityKey) || form.is_some_and(|form| form.is_security_key());

    let name = match (firmware.major, firmware.minor) {
        _ if security_key => match (shape, nfc) {
            (3, true) => "Security Key C NFC",
            (_, true) => "Security Key NFC",
            _ => "Security Key",
        },
        (0..=2, _) => "YubiKey",
        (3, _) => "YubiKey NEO",
        (4, 0) => "YubiKey Plus",
        (4, 1) => "YubiKey Edge",
        (4, _) => match shape {
            2 => "YubiKey 4 Nano",
            3 => "YubiKey 4C",
            4 => "YubiKey 4C Nano",
            _ => "YubiKey 4",
        },
        _ => match (shape, nfc) {
            (1, true) => "YubiKey 5 NFC",
            (2, _) => "YubiKey 5 Nano",
            (3, true) => "YubiKey 5C NFC",
            (3, false) => "YubiKey 5C",
            (4, _) => "YubiKey 5C Nano",
            (5, _) => "YubiKey 5Ci",
            (6, _) => "YubiKey Bio",
            (7, _) => "YubiKey C Bio",
            _ => "YubiKey 5",
        },
    };
    if fips { format!("{name} FIPS") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yubikey::device_info::FormFactor;

    #[test]
    fn only_ids_with_otp_can_be_programmed() {
        let programmable: Vec<u16> =
            (0..=0xffff).filter(|&id| Identity::of(id).is_some_and(Identity::programmable)).collect();
        assert_eq!(
            programmable,
            [0x0010, 0x0110, 0x0111, 0x0114, 0x0116, 0x0401, 0x0403, 0x0405, 0x0407, 0x0410]
        );
        let others: Vec<u16> =
            (0..=0xffff).filter(|&id| Identity::of(id).is_some_and(|identity| !identity.otp)).collect();
        assert_eq!(others, [0x0112, 0x0113, 0x0115, 0x0120, 0x0402, 0x0404, 0x0406]);
    }

    #[test]
    fn the_name_of_the_product_tells_its_interfaces() {
        assert_eq!(Identity::of(0x0407).unwrap().interfaces(), "OTP+FIDO+CCID");
        assert_eq!(Identity::of(0x0402).unwrap().interfaces(), "FIDO");
        assert!(!Identity::of(0x0401).unwrap().has_more_than_otp());
        assert!(Identity::of(0x0403).unwrap().has_more_than_otp());
    }

    #[test]
    fn bcd_device_carries_the_firmware() {
        for (bcd, version) in [(0x0543, (5, 4, 3)), (0x0434, (4, 3, 4)), (0x0349, (3, 4, 9))] {
            let firmware = Firmware::new(version.0, version.1, version.2);
            assert_eq!(firmware_of_bcd(bcd), firmware);
            assert_eq!(bcd_of_firmware(firmware), bcd);
        }
    }

    #[test]
    fn models_have_the_names_people_use() {
        let named = |id, version: (u8, u8, u8), shape: Option<u8>, nfc: u16| {
            let info = shape.map(|shape| DeviceInfo {
                form_factor: Some(FormFactor(shape)),
                nfc_supported: Some(nfc),
                ..DeviceInfo::default()
            });
            model(Identity::of(id), Firmware::new(version.0, version.1, version.2), info.as_ref())
        };
        assert_eq!(named(0x0407, (5, 4, 3), Some(0x01), 0x23f), "YubiKey 5 NFC");
        assert_eq!(named(0x0407, (5, 4, 3), Some(0x81), 0x23f), "YubiKey 5 NFC FIPS");
        assert_eq!(named(0x0407, (5, 4, 3), Some(0x03), 0), "YubiKey 5C");
        assert_eq!(named(0x0407, (5, 4, 3), None, 0), "YubiKey 5");
        assert_eq!(named(0x0407, (4, 3, 4), Some(0x00), 0), "YubiKey 4");
        assert_eq!(named(0x0407, (4, 4, 5), None, 0), "YubiKey 4 FIPS");
        assert_eq!(named(0x0116, (3, 4, 9), None, 0), "YubiKey NEO");
        assert_eq!(named(0x0410, (4, 0, 1), None, 0), "YubiKey Plus");
        assert_eq!(named(0x0402, (5, 4, 3), Some(0x43), 0x202), "Security Key C NFC");
        assert_eq!(named(0x0010, (2, 2, 3), None, 0), "YubiKey");
    }
}
