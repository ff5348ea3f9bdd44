//! What a key from 4.1 on says about itself (yubikit `management.py`).
//!
//! A page is one length byte and that many bytes of tags: one byte of tag, a
//! BER length, a value with its high byte first. Tag 0x10 with value 1 says
//! that there is another page (5.7).

use super::firmware;
use crate::bytes::{take, take_slice};
use crate::device::Firmware;

/// Interfaces and applications, as bits.
pub mod capability {
    /// The OTP application.
    pub const OTP: u16 = 0x01;
    /// FIDO U2F.
    pub const U2F: u16 = 0x02;
    /// The smart card interface.
    pub const CCID: u16 = 0x04;
    pub const OPENPGP: u16 = 0x08;
    pub const PIV: u16 = 0x10;
    /// OATH codes for an authenticator program.
    pub const OATH: u16 = 0x20;
    /// YubiHSM Auth.
    pub const HSM_AUTH: u16 = 0x100;
    /// FIDO2.
    pub const FIDO2: u16 = 0x200;
}

/// The most pages that are read of any key.
pub const MOST_PAGES: u8 = 8;

pub(super) mod tag {
    pub(in crate::yubikey) const USB_SUPPORTED: u8 = 0x01;
    pub(in crate::yubikey) const SERIAL: u8 = 0x02;
    pub(in crate::yubikey) const USB_ENABLED: u8 = 0x03;
    pub(in crate::yubikey) const FORM_FACTOR: u8 = 0x04;
    pub(in crate::yubikey) const VERSION: u8 = 0x05;
    pub(in crate::yubikey) const AUTO_EJECT: u8 = 0x06;
    pub(in crate::yubikey) const CHALLENGE_TIMEOUT: u8 = 0x07;
    pub(in crate::yubikey) const FLAGS: u8 = 0x08;
    pub(in crate::yubikey) const LOCK: u8 = 0x0a;
    pub(in crate::yubikey) const UNLOCK: u8 = 0x0b;
    pub(in crate::yubikey) const REBOOT: u8 = 0x0c;
    pub(in crate::yubikey) const NFC_SUPPORTED: u8 = 0x0d;
    pub(in crate::yubikey) const NFC_ENABLED: u8 = 0x0e;
    pub(in crate::yubikey) const MORE: u8 = 0x10;
    pub(in crate::yubikey) const NFC_RESTRICTED: u8 = 0x17;
}

/// Why bytes are not a page of device information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceInfoError {
    /// The first byte promises more or less than there is.
    #[error("the page is {got} bytes long, but says {said}")]
    Length {
        /// By its first byte.
        said: usize,
        /// As it came.
        got: usize,
    },
    /// A tag's length reaches beyond the page.
    #[error("tag {0:#04x} is cut off")]
    CutOff(u8),
    /// A number longer than its place.
    #[error("tag {0:#04x} has a value of a length that it cannot have")]
    Value(u8),
}

/// The shape of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormFactor(pub u8);

impl FormFactor {
    /// Words for it; `None` for shapes that the list does not have.
    pub const fn words(self) -> Option<&'static str> {
        match self.0 & 0x0f {
            1 => Some("USB-A keychain"),
            2 => Some("USB-A nano"),
            3 => Some("USB-C keychain"),
            4 => Some("USB-C nano"),
            5 => Some("USB-C and Lightning"),
            6 => Some("USB-A with fingerprint reader"),
            7 => Some("USB-C with fingerprint reader"),
            _ => None,
        }
    }

    /// Whether it is sold as a Security Key.
    pub const fn is_security_key(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Whether it is a FIPS edition.
    pub const fn is_fips(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// Device information; `None` is what a key did not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceInfo {
    /// What it can do over USB: [`capability`] bits.
    pub usb_supported: Option<u16>,
    /// What is switched on over USB, as the key says it; see [`usb_enabled`](Self::usb_enabled).
    pub usb_enabled_raw: Option<u16>,
    /// What it can do by radio.
    pub nfc_supported: Option<u16>,
    pub serial: Option<u32>,
    /// The shape.
    pub form_factor: Option<FormFactor>,
    /// The firmware, which can be newer than the OTP application says.
    pub version: Option<Firmware>,
    /// Whether the interface configuration needs a [`LockCode`](crate::secret::LockCode).
    pub config_locked: Option<bool>,
}

impl DeviceInfo {
    /// Adds what a page says; a tag that was there before is replaced, unknown
    /// ones are passed over. Tells whether there is another page.
    pub fn add_page(&mut self, page: &[u8]) -> Result<bool, DeviceInfoError> {
        let (said, mut rest) =
            page.split_first().map_or((0, page), |(&said, rest)| (usize::from(said), rest));
        if page.is_empty() || said != rest.len() {
            return Err(DeviceInfoError::Length { said, got: rest.len() });
        }
        let mut more = false;
        while let Some([tag]) = take(&mut rest) {
            let value = ber_value(&mut rest).ok_or(DeviceInfoError::CutOff(tag))?;
            match tag {
                tag::USB_SUPPORTED => self.usb_supported = Some(number(tag, value)?),
                // 0 is what a key without one says.
                tag::SERIAL => self.serial = Some(number(tag, value)?).filter(|&serial| serial != 0),
                tag::USB_ENABLED => self.usb_enabled_raw = Some(number(tag, value)?),
                tag::FORM_FACTOR => self.form_factor = Some(FormFactor(number(tag, value)?)),
                tag::VERSION => {
                    let [major, minor, build] = value.try_into().map_err(|_| DeviceInfoError::Value(tag))?;
                    self.version = Some(Firmware::new(major, minor, build));
                }
                tag::LOCK => self.config_locked = Some(value.iter().any(|&byte| byte != 0)),
                tag::NFC_SUPPORTED => self.nfc_supported = Some(number(tag, value)?),
                tag::MORE => more = number::<u8>(tag, value)? == 1,
                _ => {}
            }
        }
        Ok(more)
    }

    /// What is switched on over USB. Firmware 4.x says it wrongly, so nothing
    /// is said there.
    pub fn usb_enabled(&self, firmware: Firmware) -> Option<u16> {
        self.usb_enabled_raw.filter(|_| firmware.major != 4)
    }

    /// What the key can do over USB, put right for 4.2.4.
    pub fn usb_supported(&self, firmware: Firmware) -> Option<u16> {
        if firmware::misreports_capabilities(firmware) { Some(0x3f) } else { self.usb_supported }
    }

    /// Whether it has a radio.
    pub fn has_nfc(&self) -> bool {
        self.nfc_supported.is_some_and(|supported| supported != 0)
    }
}

/// The value behind a BER length of one to three bytes.
fn ber_value<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [first] = take(input)?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81 => take::<1>(input).map(|[length]| usize::from(length))?,
        0x82 => take(input).map(|bytes| usize::from(u16::from_be_bytes(bytes)))?,
        _ => return None,
    };
    take_slice(input, length)
}

/// A number, high byte first, of up to the width of `T`; an empty value is 0.
fn number<T: TryFrom<u32>>(tag: u8, value: &[u8]) -> Result<T, DeviceInfoError> {
    if value.len() > 4 {
        return Err(DeviceInfoError::Value(tag));
    }
    let whole = value.iter().fold(0, |number: u32, &byte| number << 8 | u32::from(byte));
    T::try_from(whole).map_err(|_| DeviceInfoError::Value(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The answer of a real 5.1.2 (ykman issue 264).
    const REAL: [u8; 44] = [
        0x2b, 0x01, 0x02, 0x02, 0x3f, 0x03, 0x02, 0x00, 0x24, 0x02, 0x04, 0x00, 0x8a, 0x6f, 0x13, 0x04, 0x01,
        0x01, 0x05, 0x03, 0x05, 0x01, 0x02, 0x06, 0x02, 0x00, 0x1e, 0x07, 0x01, 0x0f, 0x08, 0x01, 0x80, 0x0d,
        0x02, 0x02, 0x3f, 0x0e, 0x02, 0x00, 0x00, 0x0a, 0x01, 0x01,
    ];

    fn read(page: &[u8]) -> Result<(DeviceInfo, bool), DeviceInfoError> {
        let mut info = DeviceInfo::default();
        info.add_page(page).map(|more| (info, more))
    }

    #[test]
    fn the_answer_of_a_real_5_1_2_is_read() {
        let (info, more) = read(&REAL).unwrap();
        assert!(!more);
        assert_eq!(info.serial, Some(9_072_403));
        assert_eq!(info.config_locked, Some(true));
        assert_eq!(info.version, Some(Firmware::new(5, 1, 2)));
        assert_eq!(info.form_factor.and_then(FormFactor::words), Some("USB-A keychain"));
        assert_eq!(info.usb_enabled(Firmware::new(5, 1, 2)), Some(0x24));
        assert!(info.has_nfc());
    }

    #[test]
    fn a_second_page_adds_to_the_first() {
        let mut info = DeviceInfo::default();
        assert!(info.add_page(&[7, tag::MORE, 1, 1, tag::LOCK, 1, 1, 0x7f]).is_err(), "0x7f is cut off");
        assert_eq!(info.add_page(&[6, tag::MORE, 1, 1, tag::LOCK, 1, 1]), Ok(true));
        assert_eq!(info.add_page(&[6, tag::SERIAL, 4, 0, 0, 0, 9]), Ok(false));
        assert_eq!((info.serial, info.config_locked), (Some(9), Some(true)));
    }

    #[test]
    fn four_2_4_misreports_its_capabilities_and_four_x_what_is_enabled() {
        let info =
            DeviceInfo { usb_supported: Some(0x07), usb_enabled_raw: Some(0x07), ..DeviceInfo::default() };
        assert_eq!(info.usb_supported(Firmware::new(4, 2, 4)), Some(0x3f));
        assert_eq!(info.usb_supported(Firmware::new(4, 3, 1)), Some(0x07));
        assert_eq!(info.usb_enabled(Firmware::new(4, 3, 1)), None);
        assert_eq!(info.usb_enabled(Firmware::new(5, 0, 0)), Some(0x07));
    }

    #[test]
    fn form_factors_have_words_and_edition_bits() {
        let form = FormFactor(0x80 | 0x40 | 5);
        assert_eq!(form.words(), Some("USB-C and Lightning"));
        assert!(form.is_fips() && form.is_security_key());
        assert_eq!(FormFactor(0x0f).words(), None);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert_eq!(read(&[]).map(drop), Err(DeviceInfoError::Length { said: 0, got: 0 }));
        assert_eq!(read(&[4, 1, 2, 3]).map(drop), Err(DeviceInfoError::Length { said: 4, got: 3 }));
        assert_eq!(read(&[2, tag::SERIAL, 4]).map(drop), Err(DeviceInfoError::CutOff(tag::SERIAL)));
        assert_eq!(read(&[4, tag::VERSION, 2, 5, 4]).map(drop), Err(DeviceInfoError::Value(tag::VERSION)));
        assert_eq!(
            read(&[4, tag::FORM_FACTOR, 2, 1, 0]).map(drop),
            Err(DeviceInfoError::Value(tag::FORM_FACTOR))
        );
        assert_eq!(read(&[2, tag::SERIAL, 0x80]).map(drop), Err(DeviceInfoError::CutOff(tag::SERIAL)));
    }

    proptest! {
        #[test]
        fn any_page_is_read_or_refused(page: Vec<u8>) {
            let _ = read(&page);
        }
    }
}
