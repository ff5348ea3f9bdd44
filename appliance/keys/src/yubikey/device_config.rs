//! The device configuration that a key from 5.0 on takes: which interfaces are
//! switched on, and the code that locks this choice (yubikit `management.py`).
//!
//! The form is that of [`device_info`](super::device_info).

use zeroize::Zeroizing;

use super::device_info::{DeviceInfoError, ber_value, number, put_tag, tag, with_length};
use crate::bytes::{take, take_slice};
use crate::secret::LockCode;

/// A change of the device configuration; `None` leaves a part as it is.
///
/// May hold lock codes, so it has no `Debug`.
#[derive(Default)]
pub struct DeviceConfig {
    /// Restart the key afterwards, so that changed interfaces show.
    pub reboot: bool,
    /// The lock code of now.
    pub unlock: Option<LockCode>,
    /// What to switch on over USB: [`capability`](super::device_info::capability) bits.
    pub usb_enabled: Option<u16>,
    /// What to switch on by radio.
    pub nfc_enabled: Option<u16>,
    /// Seconds until the card is ejected.
    pub auto_eject: Option<u16>,
    /// Seconds to wait for a touch in challenge-response.
    pub challenge_timeout: Option<u8>,
    /// 0x40 remote wakeup, 0x80 eject by touch.
    pub flags: Option<u8>,
    /// The lock code from now on; all zero for none.
    pub new_lock: Option<LockCode>,
    /// Put the radio to sleep until the key is powered over USB.
    pub nfc_restricted: bool,
}

impl DeviceConfig {
    /// The bytes, with their length in front, in yubikit's order. `None` when
    /// they are longer than 255.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut body = Zeroizing::new(Vec::with_capacity(64));
        if self.reboot {
            put_tag(&mut body, tag::REBOOT, &[]);
        }
        if let Some(code) = &self.unlock {
            put_tag(&mut body, tag::UNLOCK, code.expose());
        }
        if let Some(enabled) = self.usb_enabled {
            put_tag(&mut body, tag::USB_ENABLED, &enabled.to_be_bytes());
        }
        if let Some(enabled) = self.nfc_enabled {
            put_tag(&mut body, tag::NFC_ENABLED, &enabled.to_be_bytes());
        }
        if let Some(seconds) = self.auto_eject {
            put_tag(&mut body, tag::AUTO_EJECT, &seconds.to_be_bytes());
        }
        if let Some(seconds) = self.challenge_timeout {
            put_tag(&mut body, tag::CHALLENGE_TIMEOUT, &[seconds]);
        }
        if let Some(flags) = self.flags {
            put_tag(&mut body, tag::FLAGS, &[flags]);
        }
        if let Some(code) = &self.new_lock {
            put_tag(&mut body, tag::LOCK, code.expose());
        }
        if self.nfc_restricted {
            put_tag(&mut body, tag::NFC_RESTRICTED, &[1]);
        }
        with_length(&body)
    }

    /// Reads the bytes of a payload as a key does; what is behind the length
    /// is not looked at.
    pub fn parse(payload: &[u8]) -> Result<Self, DeviceInfoError> {
        let mut all = payload;
        let [said] = take(&mut all).unwrap_or([0]);
        let mut rest = take_slice(&mut all, said.into())
            .ok_or(DeviceInfoError::Length { said: said.into(), got: all.len() })?;
        let mut config = Self::default();
        let code = |tag, value| LockCode::new(value).map_err(|_| DeviceInfoError::Value(tag));
        while let Some([tag]) = take(&mut rest) {
            let value = ber_value(&mut rest).ok_or(DeviceInfoError::CutOff(tag))?;
            match tag {
                tag::REBOOT => config.reboot = true,
                tag::UNLOCK => config.unlock = Some(code(tag, value)?),
                tag::USB_ENABLED => config.usb_enabled = Some(number(tag, value)?),
                tag::NFC_ENABLED => config.nfc_enabled = Some(number(tag, value)?),
                tag::AUTO_EJECT => config.auto_eject = Some(number(tag, value)?),
                tag::CHALLENGE_TIMEOUT => config.challenge_timeout = Some(number(tag, value)?),
                tag::FLAGS => config.flags = Some(number(tag, value)?),
                tag::LOCK => config.new_lock = Some(code(tag, value)?),
                tag::NFC_RESTRICTED => config.nfc_restricted = number::<u8>(tag, value)? == 1,
                _ => {}
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_comes_back() {
        let config = DeviceConfig {
            reboot: true,
            unlock: Some(LockCode::from_array(&[1; 16])),
            usb_enabled: Some(0x23f),
            nfc_enabled: Some(0),
            auto_eject: Some(300),
            challenge_timeout: Some(9),
            flags: Some(0x40),
            new_lock: Some(LockCode::from_array(&[2; 16])),
            nfc_restricted: true,
        };
        let bytes = config.encode().unwrap();
        let again = DeviceConfig::parse(&bytes).unwrap();
        assert!(again.encode().unwrap() == bytes);
        assert!(super::super::command::write_device_info(&config).is_some(), "all at once fit a frame");
    }

    #[test]
    fn a_lock_code_has_sixteen_bytes() {
        assert_eq!(
            DeviceConfig::parse(&[4, tag::LOCK, 2, 0, 0]).map(drop),
            Err(DeviceInfoError::Value(tag::LOCK))
        );
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(payload: Vec<u8>) {
            if let Ok(config) = DeviceConfig::parse(&payload) {
                let _ = config.encode();
            }
        }
    }
}
