//! Slots: written whole or in parts, read, erased, and asked for codes.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::NitrokeyProTwin;
use super::command::{NO_NAME, NOT_AUTHORIZED, NOT_PROGRAMMED, OK, RESULT, Status, WRONG_SLOT};
use super::memory::{Slot, Spot};
use super::report::Buffer;
use super::session::no_parts;
use crate::plug::one_of;

impl NitrokeyProTwin {
    /// Whether a change is allowed: by the temporary password at `at`, or by an
    /// authorization before it.
    pub(super) fn may_change(&self, report: &Buffer, at: usize) -> bool {
        if self.model.in_parts() {
            self.session.is_admin(&report.array(at))
        } else {
            self.session.authorized == Some(report.crc())
        }
    }

    pub(super) fn write_whole(&mut self, report: &Buffer) -> Status {
        if !self.may_change(report, 0) {
            return NOT_AUTHORIZED;
        }
        let name: [u8; 15] = report.array(2);
        if name.first() == Some(&0) {
            return NO_NAME;
        }
        let Some(spot) = Spot::of(&self.model, report.byte(1)) else { return WRONG_SLOT };
        let mut secret = Zeroizing::new([0; 40]);
        for (to, from) in secret.iter_mut().zip(report.array::<20>(17)) {
            *to = from;
        }
        if !self.model.is_storage() && secret.first() == Some(&0) {
            self.keep_secret(spot, &mut secret);
        }
        let factor = match spot {
            Spot::Totp(_) => u16::from_le_bytes(report.array(51)).into(),
            Spot::Hotp(_) if self.model.is_storage() => atoi(&report.array::<13>(51)),
            Spot::Hotp(_) => u64::from_le_bytes(report.array(51)),
        };
        let slot = Slot { name, secret, config: report.byte(37), token_id: report.array(38), factor };
        self.store(spot, slot)
    }

    pub(super) fn send_otp_data(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        if !self.session.is_admin(&report.array(1)) {
            return NOT_AUTHORIZED;
        }
        let session = &mut self.session;
        if !session.parts_begun {
            session.parts = no_parts();
        }
        session.parts_begun = true;
        match report.byte(26) {
            b'N' => {
                session.parts.name = report.array(28);
                answer.put(RESULT, &session.parts.name);
            }
            b'S' => {
                let offset = usize::from(report.byte(27)) * 30;
                let offset = if offset > 40 { 0 } else { offset };
                let part = Zeroizing::new(report.array::<30>(28));
                for (to, from) in session.parts.secret.iter_mut().skip(offset).zip(part.iter()) {
                    *to = *from;
                }
                answer.put(RESULT, session.parts.secret.as_slice());
            }
            _ => {}
        }
        OK
    }

    pub(super) fn write_parts(&mut self, report: &Buffer) -> Status {
        if !self.session.is_admin(&report.array(1)) || !self.session.parts_begun {
            return NOT_AUTHORIZED;
        }
        self.session.parts_begun = false;
        let parts = &mut self.session.parts;
        parts.config = report.byte(35);
        parts.token_id = report.array(36);
        parts.factor = u64::from_le_bytes(report.array(27));
        if parts.name.first() == Some(&0) {
            return NO_NAME;
        }
        let Some(spot) = Spot::of(&self.model, report.byte(26)) else { return WRONG_SLOT };
        if self.model.last_totp_overlaps() && spot.is_last_totp() {
            // storage-firmware issue 91: it would hit the first HOTP slot.
            return OK;
        }
        let mut slot = self.session.parts.clone();
        if slot.secret.iter().all(|byte| *byte == 0) {
            self.keep_secret(spot, &mut slot.secret);
        }
        self.store(spot, slot)
    }

    /// A secret that looks empty stands for the old one; in an empty slot that is
    /// what erased flash holds.
    pub(super) fn keep_secret(&self, spot: Spot, secret: &mut Zeroizing<[u8; 40]>) {
        let old = self.memory.slot(spot).map_or(Zeroizing::new([0xff; 40]), |slot| slot.secret.clone());
        let length = if self.model.in_parts() { 40 } else { 20 };
        for (to, from) in secret.iter_mut().take(length).zip(old.iter()) {
            *to = *from;
        }
    }

    pub(super) fn store(&mut self, spot: Spot, slot: Slot) -> Status {
        if one_of(&mut self.plug.faults.lose_writes) {
            return OK;
        }
        if let Some(counter) = self.memory.counter(spot) {
            *counter = slot.factor;
        }
        self.memory.put(spot, Some(slot));
        OK
    }

    /// A slot that can be read, or what is said instead.
    pub(super) fn readable(&self, number: u8) -> Result<(Spot, &Slot), Status> {
        let spot = Spot::of(&self.model, number).ok_or(WRONG_SLOT)?;
        if self.model.last_totp_overlaps() && spot.is_last_totp() {
            return Err(NOT_PROGRAMMED);
        }
        Ok((spot, self.memory.slot(spot).ok_or(NOT_PROGRAMMED)?))
    }

    pub(super) fn read_slot_name(&self, report: &Buffer, answer: &mut Buffer) -> Status {
        match self.readable(report.byte(1)) {
            Ok((_, slot)) => {
                answer.put(RESULT, &slot.name);
                OK
            }
            Err(status) => status,
        }
    }

    pub(super) fn read_slot(&self, report: &Buffer, answer: &mut Buffer) -> Status {
        let (spot, slot) = match self.readable(report.byte(1)) {
            Ok(found) => found,
            Err(status) => return status,
        };
        answer.put(RESULT, &slot.name);
        answer.put(RESULT + 15, &[slot.config]);
        answer.put(RESULT + 16, &slot.token_id);
        let counter = self.memory.counted(spot);
        let in_digits = self.model.is_storage() && !(self.model.in_parts() && report.byte(2) == 1);
        match spot {
            Spot::Totp(_) if self.model.in_parts() => answer.put(RESULT + 29, &slot.factor.to_le_bytes()),
            Spot::Totp(_) => answer.put(RESULT + 29, &(slot.factor as u16).to_le_bytes()),
            Spot::Hotp(_) if in_digits => {
                let text = counter.to_string();
                answer.put(RESULT + 29, text.as_bytes().get(..7).unwrap_or(text.as_bytes()));
            }
            Spot::Hotp(_) => answer.put(RESULT + 29, &counter.to_le_bytes()),
        }
        OK
    }

    pub(super) fn get_code(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        if self.memory.config[3] == 1 {
            let allowed = if self.model.in_parts() {
                self.session.is_user(&report.array(19))
            } else {
                self.session.user_authorized.take() == Some(report.crc())
            };
            if !allowed {
                return NOT_AUTHORIZED;
            }
        }
        let (spot, slot) = match self.readable(report.byte(1)) {
            Ok((spot, _)) if spot.is_reserved() => return WRONG_SLOT,
            Ok((spot, slot)) => (spot, slot.clone()),
            Err(status) => return status,
        };
        let moving = match spot {
            Spot::Hotp(_) => {
                let counter = self.memory.counted(spot);
                if let Some(place) = self.memory.counter(spot) {
                    *place = counter.wrapping_add(1);
                }
                counter
            }
            // A Cortex-M divides by zero to zero.
            Spot::Totp(_) => {
                let interval = u64::from(slot.factor as u16);
                self.session.unix(self.plug.now).checked_div(interval).unwrap_or_default()
            }
        };
        let modulus = if slot.config & 1 == 0 { 1_000_000 } else { 100_000_000 };
        let code = truncated(slot.secret.as_slice(), moving) % modulus;
        answer.put(RESULT, &code.to_le_bytes());
        answer.put(RESULT + 4, &[slot.config]);
        answer.put(RESULT + 5, &slot.token_id);
        OK
    }

    pub(super) fn write_config(&mut self, report: &Buffer) -> Status {
        if !self.may_change(report, 6) {
            return NOT_AUTHORIZED;
        }
        self.memory.config = report.array(1);
        OK
    }

    pub(super) fn erase_slot(&mut self, report: &Buffer) -> Status {
        if !self.may_change(report, 2) {
            return NOT_AUTHORIZED;
        }
        let Some(spot) = Spot::of(&self.model, report.byte(1)) else { return WRONG_SLOT };
        if one_of(&mut self.plug.faults.lose_writes) {
            return OK;
        }
        if self.model.last_totp_overlaps() && spot.is_last_totp() {
            self.memory.put(Spot::Hotp(0), None);
            return OK;
        }
        self.memory.put(spot, None);
        if let Some(counter) = self.memory.counter(spot) {
            *counter = 0;
        }
        OK
    }
}

/// C's `atoi` of a field that may run on into the CRC.
fn atoi(field: &[u8]) -> u64 {
    let digits = field.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u32, |sum, digit| sum.wrapping_mul(10).wrapping_add((digit - b'0').into())).into()
}

/// RFC 4226, section 5.3. Zeros behind a key do not change its HMAC.
fn truncated(secret: &[u8], counter: u64) -> u32 {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return 0 };
    mac.update(&counter.to_be_bytes());
    let mac = mac.finalize().into_bytes();
    let at = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let bytes = mac.iter().skip(at).take(4);
    bytes.fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_in_digits_end_where_the_digits_end() {
        assert_eq!(atoi(b"4711\0\0"), 4711);
        assert_eq!(atoi(b"x"), 0);
        assert_eq!(atoi(b"12345678\x31\x32"), 1_234_567_812, "the CRC is read along");
    }
}
