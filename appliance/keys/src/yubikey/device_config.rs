//! The device configuration that a key from 5.0 on takes: which interfaces are
//! switched on, and the code that locks this choice (yubikit `management.py`).
//!
//! The form is that of [`device_info`](super::device_info).

use zeroize::Zeroizing;

use super::device_info::tag;
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
}

fn put_tag(body: &mut Vec<u8>, tag: u8, value: &[u8]) {
    body.push(tag);
    if value.len() > 0x7f {
        body.push(0x81);
    }
    body.push(value.len() as u8);
    body.extend_from_slice(value);
}

fn with_length(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(body.len() + 1));
    whole.push(u8::try_from(body.len()).ok()?);
    whole.extend_from_slice(body);
    Some(whole)
}
