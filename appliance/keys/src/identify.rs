//! Recognising keys by their USB ids, across vendors: what the station can enroll,
//! and what it knows well enough to refuse with the right words.
//!
//! Ids and names are from yubikit (`core/__init__.py`), libnitrokey
//! (`data/41-nitrokey.rules`) and the Nitrokey 3 (`70-nitrokey-3.rules`).

use crate::conversation::BoxedConversation;
use crate::device::{Family, KeyError, KeyInfo, Operation};
use crate::nitrokey_pro::ids::{Model, NITROKEY};
use crate::secret::Entropy;
use crate::{nitrokey_pro, nitrokey3, yubikey};

/// USB vendor and product id.
pub type UsbIds = (u16, u16);

/// A device that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What a person calls it.
    pub name: String,
    /// What the station makes of it.
    pub verdict: Verdict,
}

/// What the station makes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It speaks a protocol that the station speaks.
    Speaks(Family),
    /// It would, but what is needed is switched off on it.
    SwitchedOff(&'static str),
    /// It cannot be enrolled, for a reason that a person can do something about.
    Refused(&'static str),
}

/// Devices that are no keys for the station, and why.
const REFUSED: [(UsbIds, &str, &str); 14] = [
    ((NITROKEY, 0x4107), "Crypto Stick", "it has no one-time passwords"),
    ((NITROKEY, 0x4211), "Nitrokey Start", "it is a smart card for OpenPGP and has no one-time passwords"),
    ((NITROKEY, 0x4230), "Nitrokey HSM", "it is a smart card and has no one-time passwords"),
    ((NITROKEY, 0x4287), "Nitrokey FIDO U2F", FIDO_ONLY),
    ((0x2581, 0xf1d0), "Nitrokey FIDO U2F", FIDO_ONLY),
    ((NITROKEY, 0x42b1), "Nitrokey FIDO2", FIDO_ONLY),
    ((NITROKEY, 0x42f3), "Nitrokey Passkey", FIDO_ONLY),
    ((NITROKEY, 0x42b3), "Nitrokey FIDO2 in its bootloader", BOOTLOADER),
    ((NITROKEY, 0x42b4), "Nitrokey Pro in its bootloader", BOOTLOADER),
    ((NITROKEY, 0x42dd), "Nitrokey 3 in its bootloader", BOOTLOADER),
    ((NITROKEY, 0x42e8), "Nitrokey 3 Mini in its bootloader", BOOTLOADER),
    ((NITROKEY, 0x42f4), "Nitrokey Passkey in its bootloader", BOOTLOADER),
    // Other devices with a chip of Atmel have this id, too.
    ((0x03eb, 0x2ff1), "Nitrokey Storage in its bootloader", BOOTLOADER),
    ((yubikey::ids::VENDOR, 0x0120), "Security Key", FIDO_ONLY),
];

const FIDO_ONLY: &str = "it is for FIDO only and has no one-time passwords";
const BOOTLOADER: &str = "it waits for new firmware; finish its update, or pull it out and insert it again";

/// The Nitrokey 3, all of them.
const NITROKEY_3: UsbIds = (NITROKEY, 0x42b2);

/// What the device with these ids is; `None` when it is no security key that is known.
pub fn identify(ids: UsbIds) -> Option<Device> {
    if let Some((_, name, why)) = REFUSED.into_iter().find(|(known, ..)| *known == ids) {
        return Some(Device { name: name.to_owned(), verdict: Verdict::Refused(why) });
    }
    let (vendor, product) = ids;
    if ids == NITROKEY_3 {
        return Some(Device { name: "Nitrokey 3".to_owned(), verdict: Verdict::Speaks(Family::Nitrokey3) });
    }
    if let Some(model) = Model::of(vendor, product) {
        let verdict = Verdict::Speaks(Family::NitrokeyPro);
        return Some(Device { name: model.name().to_owned(), verdict });
    }
    if vendor != yubikey::ids::VENDOR {
        return None;
    }
    let identity = yubikey::ids::Identity::of(product)?;
    let verdict = if identity.programmable() {
        Verdict::Speaks(Family::YubiKeyOtp)
    } else {
        Verdict::SwitchedOff("OTP over USB")
    };
    Some(Device { name: format!("YubiKey ({})", identity.interfaces()), verdict })
}

/// All ids that [`identify`] knows, in order.
pub fn known() -> impl Iterator<Item = (UsbIds, Device)> {
    let vendors = [0x03eb, yubikey::ids::VENDOR, NITROKEY, 0x2581, nitrokey_pro::ids::PURISM];
    vendors.into_iter().flat_map(|vendor| {
        (0..=u16::MAX).filter_map(move |product| Some(((vendor, product), identify((vendor, product))?)))
    })
}

/// The conversation that does `operation` at a key with these ids.
///
/// `known` is what inspection found of it; nothing is written to a key with another
/// serial. `entropy` must be fresh.
///
/// # Errors
///
/// At once for what is no key of the station's, and for what no key of its family
/// can do.
pub fn start(
    ids: UsbIds,
    known: Option<&KeyInfo>,
    operation: Operation,
    entropy: &Entropy,
) -> Result<BoxedConversation, KeyError> {
    let (vendor, product) = ids;
    let device = identify(ids).ok_or(KeyError::Unsupported("the station does not know this device"))?;
    match device.verdict {
        Verdict::Refused(why) => Err(KeyError::Unsupported(why)),
        Verdict::SwitchedOff(what) => Err(KeyError::InterfaceOff(what)),
        Verdict::Speaks(Family::YubiKeyOtp) => yubikey::start(product, known, operation),
        Verdict::Speaks(Family::NitrokeyPro) => match Model::of(vendor, product) {
            Some(model) => nitrokey_pro::start(model, known, operation, entropy),
            None => Err(KeyError::Confused("a model that is known and is not")),
        },
        Verdict::Speaks(Family::Nitrokey3) => nitrokey3::start(known, operation, entropy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ids: UsbIds) -> Verdict {
        identify(ids).unwrap().verdict
    }

    #[test]
    fn keys_are_told_apart_by_their_ids() {
        assert_eq!(verdict((0x1050, 0x0407)), Verdict::Speaks(Family::YubiKeyOtp));
        assert_eq!(verdict((0x20a0, 0x4108)), Verdict::Speaks(Family::NitrokeyPro));
        assert_eq!(verdict((0x20a0, 0x4109)), Verdict::Speaks(Family::NitrokeyPro));
        assert_eq!(verdict((0x316d, 0x4c4b)), Verdict::Speaks(Family::NitrokeyPro));
        assert_eq!(verdict((0x20a0, 0x42b2)), Verdict::Speaks(Family::Nitrokey3));
        assert_eq!(identify((0x046d, 0xc52b)), None);
        assert_eq!(identify((0x1050, 0x9999)), None);
    }

    #[test]
    fn what_cannot_be_enrolled_is_refused_in_words() {
        for product in [0x0112, 0x0113, 0x0115, 0x0402, 0x0404, 0x0406] {
            assert_eq!(verdict((0x1050, product)), Verdict::SwitchedOff("OTP over USB"), "{product:04x}");
        }
        for (ids, words) in [
            ((0x20a0, 0x42b1), "FIDO only"),
            ((0x20a0, 0x42f3), "FIDO only"),
            ((0x20a0, 0x4287), "FIDO only"),
            ((0x2581, 0xf1d0), "FIDO only"),
            ((0x1050, 0x0120), "FIDO only"),
            ((0x20a0, 0x4211), "OpenPGP"),
            ((0x20a0, 0x4230), "smart card"),
            ((0x20a0, 0x4107), "no one-time passwords"),
            ((0x20a0, 0x42b3), "firmware"),
            ((0x20a0, 0x42b4), "firmware"),
            ((0x20a0, 0x42dd), "firmware"),
            ((0x20a0, 0x42e8), "firmware"),
            ((0x20a0, 0x42f4), "firmware"),
            ((0x03eb, 0x2ff1), "firmware"),
        ] {
            match verdict(ids) {
                Verdict::Refused(why) => assert!(why.contains(words), "{ids:x?}: {why}"),
                other => panic!("{ids:x?}: {other:?}"),
            }
            let entropy = Entropy::from_array(&[1; 32]);
            assert!(matches!(start(ids, None, Operation::Inspect, &entropy), Err(KeyError::Unsupported(_))));
        }
    }

    #[test]
    fn every_key_that_is_spoken_to_can_be_inspected() {
        let entropy = Entropy::from_array(&[1; 32]);
        for (ids, device) in known() {
            let begun = start(ids, None, Operation::Inspect, &entropy);
            assert_eq!(begun.is_ok(), matches!(device.verdict, Verdict::Speaks(_)), "{ids:x?}");
        }
    }
}
