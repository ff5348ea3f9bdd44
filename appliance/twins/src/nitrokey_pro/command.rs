//! What commands do. Numbers are those of `report_protocol.h`.

use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::card::c_string;
use super::faults::one_of;
use super::memory::{Memory, Slot, Spot};
use super::report::Buffer;
use super::session::{Session, no_parts};
use super::twin::NitrokeyProTwin;

/// Where an answer has its status and its result.
const STATUS: usize = 6;
const RESULT: usize = 7;
/// Where a Storage says how far a command of its own kind is, and its data.
const PROGRESS: usize = 20;
pub(super) const DATA: usize = 25;

/// 2014-01-01, from which the key counts minutes.
const EPOCH_2014: u64 = 1_388_534_400;

pub(super) const GET_DEVICE_STATUS: u8 = 0x2e;

/// How far a Storage is with a command of its own kind.
const JOB_DONE: u8 = 1;
const JOB_BUSY: u8 = 2;
const JOB_WRONG: u8 = 3;
const JOB_CARD_SILENT: u8 = 7;

/// A command of a Storage's own kind, which another part of its firmware sees to.
pub(super) struct Job {
    number: u8,
    pub(super) command: u8,
    /// How it is going to end.
    ends: u8,
    /// When; `None` once it has.
    pub(super) until: Option<Duration>,
}

const OK: u8 = 0;
const WRONG_CRC: u8 = 1;
const WRONG_SLOT: u8 = 2;
const NOT_PROGRAMMED: u8 = 3;
const WRONG_PASSWORD: u8 = 4;
const NOT_AUTHORIZED: u8 = 5;
const TIMESTAMP_WARNING: u8 = 6;
const NO_NAME: u8 = 7;
const UNKNOWN: u8 = 9;
const USER_PIN_UNCHANGED: u8 = 12;
const ADMIN_PIN_UNCHANGED: u8 = 13;
const NOT_UNBLOCKED: u8 = 14;

/// How long a command takes. The smart card is slow, and so is flash that must be
/// erased; the figures are of the right size, not measured.
pub(super) fn duration(command: u8) -> Duration {
    Duration::from_millis(match command {
        0x01 | 0x05 | 0x06 => 120,
        0x0b => 25,
        0x09 | 0x0f => 60,
        0x07 | 0x0e => 400,
        0x11 | 0x14 | 0x15 => 800,
        0x13 => 3000,
        _ => 1,
    })
}

/// What comes of a command: its status, with the result put into the answer.
type Status = u8;

impl NitrokeyProTwin {
    /// Carries a report out; the answer that will be shown.
    pub(super) fn execute(&mut self, report: &Buffer) -> Buffer {
        let mut answer = Buffer::zeroed();
        let sent = report.word(60);
        let own = report.crc();
        answer.put(1, &[report.byte(0)]);
        // The Pro repeats the CRC that it computed, the Storage the one that it got.
        let repeated = if self.model.is_storage() { sent } else { own };
        answer.put(2, &repeated.to_le_bytes());
        let status = if own == sent {
            let status = self.carry_out(report, &mut answer);
            if self.session.authorized == Some(own) {
                self.session.authorized = None;
            }
            if status == NOT_AUTHORIZED && self.session.silenced { OK } else { status }
        } else {
            WRONG_CRC
        };
        answer.put(STATUS, &[status]);
        answer.seal();
        answer
    }

    fn carry_out(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        let storage = self.model.is_storage();
        let in_parts = self.model.in_parts();
        match report.byte(0) {
            0x00 => self.get_status(answer),
            0x01 if in_parts => self.write_parts(report),
            0x01 => self.write_whole(report),
            0x02 => self.read_slot_name(report, answer),
            0x03 => self.read_slot(report, answer),
            0x04 => self.get_code(report, answer),
            0x05 => self.write_config(report),
            0x06 => self.erase_slot(report),
            0x07 => self.first_authenticate(report),
            0x08 => self.authorize(report),
            0x09 => self.admin_retries(answer),
            0x0b => self.set_time(report),
            0x0e => self.user_authenticate(report),
            0x0f => self.user_retries(answer),
            0x10 => self.user_authorize(report),
            0x11 if !storage => self.unblock_user(report),
            0x12 => self.lock(),
            0x13 => self.factory_reset(report),
            0x14 if !storage => self.change_user_pin(report),
            0x15 if !storage => self.change_admin_pin(report),
            0x17 if in_parts => self.send_otp_data(report, answer),
            GET_DEVICE_STATUS if storage => self.begin_job(report, answer, JOB_DONE),
            0x32 if storage => self.send_password(report, answer),
            0x33 if storage => self.send_new_password(report, answer),
            // A Storage has no answer to what it does not know but "ok".
            _ if storage => OK,
            _ => UNKNOWN,
        }
    }

    fn get_status(&self, answer: &mut Buffer) -> Status {
        if self.model.is_storage() {
            // Its stick 1 part still says 0.1, and no serial.
            answer.put(RESULT, &[1, 0]);
        } else {
            answer.put(RESULT, &[self.model.firmware.minor, self.model.firmware.major]);
            answer.put(RESULT + 2, &self.model.serial.to_le_bytes());
        }
        answer.put(RESULT + 6, &self.memory.config);
        OK
    }

    /// Whether a change is allowed: by the temporary password at `at`, or by an
    /// authorization before it.
    fn may_change(&self, report: &Buffer, at: usize) -> bool {
        if self.model.in_parts() {
            self.session.is_admin(&report.array(at))
        } else {
            self.session.authorized == Some(report.crc())
        }
    }

    fn write_whole(&mut self, report: &Buffer) -> Status {
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

    fn send_otp_data(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
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

    fn write_parts(&mut self, report: &Buffer) -> Status {
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
    fn keep_secret(&self, spot: Spot, secret: &mut Zeroizing<[u8; 40]>) {
        let old = self.memory.slot(spot).map_or(Zeroizing::new([0xff; 40]), |slot| slot.secret.clone());
        let length = if self.model.in_parts() { 40 } else { 20 };
        for (to, from) in secret.iter_mut().take(length).zip(old.iter()) {
            *to = *from;
        }
    }

    fn store(&mut self, spot: Spot, slot: Slot) -> Status {
        if one_of(&mut self.faults.lose_writes) {
            return OK;
        }
        if let Some(counter) = self.memory.counter(spot) {
            *counter = slot.factor;
        }
        self.memory.put(spot, Some(slot));
        OK
    }

    /// A slot that can be read, or what is said instead.
    fn readable(&self, number: u8) -> Result<(Spot, &Slot), Status> {
        let spot = Spot::of(&self.model, number).ok_or(WRONG_SLOT)?;
        if self.model.last_totp_overlaps() && spot.is_last_totp() {
            return Err(NOT_PROGRAMMED);
        }
        Ok((spot, self.memory.slot(spot).ok_or(NOT_PROGRAMMED)?))
    }

    fn read_slot_name(&self, report: &Buffer, answer: &mut Buffer) -> Status {
        match self.readable(report.byte(1)) {
            Ok((_, slot)) => {
                answer.put(RESULT, &slot.name);
                OK
            }
            Err(status) => status,
        }
    }

    fn read_slot(&self, report: &Buffer, answer: &mut Buffer) -> Status {
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

    fn get_code(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
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
                self.session.unix(self.now).checked_div(interval).unwrap_or_default()
            }
        };
        let modulus = if slot.config & 1 == 0 { 1_000_000 } else { 100_000_000 };
        let code = truncated(slot.secret.as_slice(), moving) % modulus;
        answer.put(RESULT, &code.to_le_bytes());
        answer.put(RESULT + 4, &[slot.config]);
        answer.put(RESULT + 5, &slot.token_id);
        OK
    }

    fn write_config(&mut self, report: &Buffer) -> Status {
        if !self.may_change(report, 6) {
            return NOT_AUTHORIZED;
        }
        self.memory.config = report.array(1);
        OK
    }

    fn erase_slot(&mut self, report: &Buffer) -> Status {
        if !self.may_change(report, 2) {
            return NOT_AUTHORIZED;
        }
        let Some(spot) = Spot::of(&self.model, report.byte(1)) else { return WRONG_SLOT };
        if one_of(&mut self.faults.lose_writes) {
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

    fn first_authenticate(&mut self, report: &Buffer) -> Status {
        if self.model.login_forgets() {
            self.session.admin = None;
        }
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        self.session.admin = Some(Zeroizing::new(report.array(26)));
        OK
    }

    fn user_authenticate(&mut self, report: &Buffer) -> Status {
        if self.model.login_forgets() {
            self.session.user = None;
        }
        if !self.present_user(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        self.session.user = Some(Zeroizing::new(report.array(26)));
        OK
    }

    /// Presents a PIN to the card, if that answers.
    fn present_admin(&mut self, field: &[u8; 25]) -> bool {
        !self.faults.card_silent && self.memory.card.admin.verify(c_string(field))
    }

    fn present_user(&mut self, field: &[u8; 25]) -> bool {
        !self.faults.card_silent && self.memory.card.user.verify(c_string(field))
    }

    fn authorize(&mut self, report: &Buffer) -> Status {
        if self.model.in_parts() {
            return self.old_command();
        }
        match &self.session.admin {
            // No word about it, and nothing authorized.
            None => OK,
            Some(password) if **password == report.array(5) => {
                self.session.authorized = Some(report.word(1));
                if self.model.password_is_used_up() {
                    self.session.admin = None;
                }
                OK
            }
            Some(_) => WRONG_PASSWORD,
        }
    }

    fn user_authorize(&mut self, report: &Buffer) -> Status {
        if self.model.in_parts() {
            return self.old_command();
        }
        match &self.session.user {
            None => OK,
            Some(password) if **password == report.array(5) => {
                self.session.user_authorized = Some(report.word(1));
                if self.model.password_is_used_up() {
                    self.session.user = None;
                }
                OK
            }
            Some(_) => WRONG_PASSWORD,
        }
    }

    /// What newer firmware makes of the older way.
    fn old_command(&mut self) -> Status {
        if self.model.is_storage() {
            self.session.silenced = true;
            OK
        } else {
            UNKNOWN
        }
    }

    /// What the card says of its counters; 255 (Pro) and 88 (Storage) when it does
    /// not answer.
    fn admin_retries(&self, answer: &mut Buffer) -> Status {
        answer.put(RESULT, &[self.retries(self.memory.card.admin.tries)]);
        if self.model.is_storage() {
            answer.put(PROGRESS, &[0xaa]);
        }
        OK
    }

    fn user_retries(&self, answer: &mut Buffer) -> Status {
        answer.put(RESULT, &[self.retries(self.memory.card.user.tries)]);
        OK
    }

    fn retries(&self, tries: u8) -> u8 {
        match (self.faults.card_silent, self.model.is_storage()) {
            (false, _) => tries,
            (true, false) => 255,
            (true, true) => 88,
        }
    }

    fn set_time(&mut self, report: &Buffer) -> Status {
        let unix = u64::from_le_bytes(report.array(2));
        let minutes = (unix.wrapping_sub(EPOCH_2014) / 60) as u32;
        let force = report.byte(1);
        let never_set = self.memory.minutes == 0;
        if force == 0 && never_set || force != 1 && self.memory.minutes > minutes {
            return TIMESTAMP_WARNING;
        }
        self.session.clock = (unix, self.now);
        self.memory.minutes = minutes;
        OK
    }

    fn lock(&mut self) -> Status {
        if !self.faults.lock_keeps_passwords {
            self.session.admin = None;
            self.session.user = None;
            self.session.authorized = None;
            self.session.user_authorized = None;
        }
        OK
    }

    fn factory_reset(&mut self, report: &Buffer) -> Status {
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        self.memory = Memory::new();
        self.session = Session::begin(self.now);
        OK
    }

    fn change_user_pin(&mut self, report: &Buffer) -> Status {
        if !self.present_user(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.user.change(c_string(&report.array::<25>(26)));
        if new { OK } else { USER_PIN_UNCHANGED }
    }

    fn change_admin_pin(&mut self, report: &Buffer) -> Status {
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.admin.change(c_string(&report.array::<25>(26)));
        if new { OK } else { ADMIN_PIN_UNCHANGED }
    }

    fn unblock_user(&mut self, report: &Buffer) -> Status {
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.user.change(c_string(&report.array::<25>(26)));
        if new { OK } else { NOT_UNBLOCKED }
    }

    fn send_password(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        let pin = report.array::<20>(2);
        self.session.presented = None;
        let right = match report.byte(1) {
            b'A' => !self.faults.card_silent && self.memory.card.admin.verify(c_string(&pin)),
            b'P' => !self.faults.card_silent && self.memory.card.user.verify(c_string(&pin)),
            _ => false,
        };
        if right {
            self.session.presented = Some(report.byte(1));
        }
        self.begin_job(report, answer, if right { JOB_DONE } else { JOB_WRONG })
    }

    fn send_new_password(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        let pin = report.array::<20>(2);
        let new = match report.byte(1) {
            kind if self.session.presented != Some(kind) => false,
            b'A' => self.memory.card.admin.change(c_string(&pin)),
            _ => self.memory.card.user.change(c_string(&pin)),
        };
        self.begin_job(report, answer, if new { JOB_DONE } else { JOB_WRONG })
    }

    /// The command is taken at once, and another part of the firmware sees to it.
    fn begin_job(&mut self, report: &Buffer, answer: &mut Buffer, ends: u8) -> Status {
        let number = self.job.as_ref().map_or(0, |job| job.number).wrapping_add(1);
        let job = Job { number, command: report.byte(0), ends, until: Some(self.job_end()) };
        answer.put(PROGRESS, &[number, job.command, JOB_BUSY, 0]);
        self.job = Some(job);
        OK
    }

    /// What a Storage adds to its answer when it is through.
    pub(super) fn device_status(&self) -> [u8; 29] {
        let mut data = Buffer::zeroed();
        // Number, type "status", nothing follows, size.
        data.put(0, &[1, 3, 0, 25]);
        data.put(4, &[0x18, 0x09]);
        data.put(8, &[self.model.firmware.major, self.model.firmware.minor]);
        let card = &self.memory.card;
        data.put(22, &[self.retries(card.user.tries), self.retries(card.admin.tries)]);
        data.put(24, &self.model.serial.to_le_bytes());
        data.array(0)
    }

    /// Marks the job as done in the answer that is shown.
    pub(super) fn finish_job(&mut self) {
        let Some(job) = &mut self.job else { return };
        job.until = None;
        let state = if self.faults.card_silent { JOB_CARD_SILENT } else { job.ends };
        self.shown.put(PROGRESS, &[job.number, job.command, state, 0]);
        self.shown.seal();
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
