//! The smart-card door to the same application (yubikit/yubiotp.py and
//! management.py): SELECT, then commands as APDUs.

use super::YubiKeyTwin;
use super::command::{Outcome, Via};
use super::info::{self, Written};

/// What is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applet {
    Otp,
    Management,
}

const OTP_AID: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01];
const MANAGEMENT_AID: [u8; 8] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// ISO 7816-4 status words.
mod sw {
    pub(super) const OK: [u8; 2] = [0x90, 0x00];
    pub(super) const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
    pub(super) const SECURITY_STATUS: [u8; 2] = [0x69, 0x82];
    pub(super) const CONDITIONS: [u8; 2] = [0x69, 0x85];
    pub(super) const WRONG_DATA: [u8; 2] = [0x6a, 0x80];
    pub(super) const NOT_FOUND: [u8; 2] = [0x6a, 0x82];
    pub(super) const WRONG_PARAMETERS: [u8; 2] = [0x6a, 0x86];
    pub(super) const NO_SUCH_INSTRUCTION: [u8; 2] = [0x6d, 0x00];
    pub(super) const NO_SUCH_CLASS: [u8; 2] = [0x6e, 0x00];
}

/// A command APDU in one of ISO 7816-3's seven forms.
struct Apdu<'a> {
    class: u8,
    instruction: u8,
    p1: u8,
    p2: u8,
    data: &'a [u8],
}

impl<'a> Apdu<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([class, instruction, p1, p2], body) = bytes.split_first_chunk::<4>()?;
        let data: &[u8] = match body {
            // Nothing, or only Le.
            [] | [_] | [0, _, _] => &[],
            [0, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                Self::data(rest, length, 2)?
            }
            [length, rest @ ..] => Self::data(rest, usize::from(*length), 1)?,
        };
        Some(Self { class: *class, instruction: *instruction, p1: *p1, p2: *p2, data })
    }

    fn data(rest: &[u8], length: usize, le: usize) -> Option<&[u8]> {
        let (data, after) = rest.split_at_checked(length)?;
        (length > 0 && (after.is_empty() || after.len() == le)).then_some(data)
    }
}

impl YubiKeyTwin {
    /// One APDU; the answer with its status word.
    pub(super) fn card(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.reclaim();
        match Apdu::parse(bytes) {
            None => sw::WRONG_LENGTH.to_vec(),
            Some(Apdu { class, .. }) if class != 0 => sw::NO_SUCH_CLASS.to_vec(),
            Some(apdu) => match self.dispatch(&apdu) {
                Ok(mut data) => {
                    data.extend(sw::OK);
                    data
                }
                Err(word) => word.to_vec(),
            },
        }
    }

    fn dispatch(&mut self, apdu: &Apdu<'_>) -> Result<Vec<u8>, [u8; 2]> {
        match (self.session.applet, apdu.instruction) {
            (_, 0xa4) => self.select(apdu),
            (Some(Applet::Otp), 0x01) => self.configure(apdu),
            (Some(Applet::Otp), 0x03) => Ok(self.status().to_vec()),
            (Some(Applet::Management), 0x1d) => {
                info::page(&self.model, &self.memory, apdu.p1).ok_or(sw::WRONG_PARAMETERS)
            }
            (Some(Applet::Management), 0x1c) => {
                // The smart card says why: a locked configuration is 6982.
                let locked = self.memory.settings.lock.is_some();
                match info::write(&self.model, &mut self.memory, apdu.data) {
                    Written::Refused if locked => Err(sw::SECURITY_STATUS),
                    Written::Refused => Err(sw::WRONG_DATA),
                    Written::Kept => Ok(Vec::new()),
                    Written::Restart => {
                        self.restart_after(self.plug.now);
                        Ok(Vec::new())
                    }
                }
            }
            _ => Err(sw::NO_SUCH_INSTRUCTION),
        }
    }

    fn select(&mut self, apdu: &Apdu<'_>) -> Result<Vec<u8>, [u8; 2]> {
        if apdu.p1 != 0x04 {
            return Err(sw::WRONG_PARAMETERS);
        }
        let firmware = self.model.firmware;
        if apdu.data == OTP_AID {
            self.session.applet = Some(Applet::Otp);
            let mut answer = self.status().to_vec();
            if firmware.major == 3 {
                // The NEO adds its USB mode.
                answer.push(self.memory.mode());
            }
            return Ok(answer);
        }
        if apdu.data == MANAGEMENT_AID && firmware.major >= 4 {
            self.session.applet = Some(Applet::Management);
            return Ok(format!("Virtual mgr - FW version {firmware}").into_bytes());
        }
        self.session.applet = None;
        Err(sw::NOT_FOUND)
    }

    fn configure(&mut self, apdu: &Apdu<'_>) -> Result<Vec<u8>, [u8; 2]> {
        if apdu.p2 != 0 {
            return Err(sw::WRONG_PARAMETERS);
        }
        let mut payload = [0; 64];
        payload.get_mut(..apdu.data.len()).ok_or(sw::WRONG_LENGTH)?.copy_from_slice(apdu.data);
        match self.execute(apdu.p1, &payload, Via::Ccid) {
            Outcome::Data(data) => Ok(data),
            // Nobody can touch while the card waits inside one call.
            Outcome::Touch(_) => Err(sw::CONDITIONS),
            Outcome::Changed => Ok(self.status().to_vec()),
            Outcome::Restart => {
                self.restart_after(self.plug.now);
                Ok(self.status().to_vec())
            }
            // Serial, information and challenges have an error; the rest is refused
            // by an unchanged status, as over HID.
            Outcome::Refused if apdu.p1 >= 0x10 && !matches!(apdu.p1, 0x11 | 0x12 | 0x15) => {
                Err(sw::NOT_FOUND)
            }
            Outcome::Refused => Ok(self.status().to_vec()),
        }
    }
}
