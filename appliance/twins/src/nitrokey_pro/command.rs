//! What commands do. Numbers are those of `report_protocol.h`.

use core::time::Duration;

use super::NitrokeyProTwin;
use super::memory::Memory;
use super::report::Buffer;
use super::session::Session;

/// Where an answer has its status and its result.
const STATUS: usize = 6;
pub(super) const RESULT: usize = 7;
/// Where a Storage says how far a command of its own kind is, and its data.
pub(super) const PROGRESS: usize = 20;
pub(super) const DATA: usize = 25;

/// 2014-01-01, from which the key counts minutes.
const EPOCH_2014: u64 = 1_388_534_400;

pub(super) const GET_DEVICE_STATUS: u8 = 0x2e;

pub(super) const OK: u8 = 0;
pub(super) const WRONG_CRC: u8 = 1;
pub(super) const WRONG_SLOT: u8 = 2;
pub(super) const NOT_PROGRAMMED: u8 = 3;
pub(super) const WRONG_PASSWORD: u8 = 4;
pub(super) const NOT_AUTHORIZED: u8 = 5;
pub(super) const TIMESTAMP_WARNING: u8 = 6;
pub(super) const NO_NAME: u8 = 7;
pub(super) const UNKNOWN: u8 = 9;
pub(super) const USER_PIN_UNCHANGED: u8 = 12;
pub(super) const ADMIN_PIN_UNCHANGED: u8 = 13;
pub(super) const NOT_UNBLOCKED: u8 = 14;

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
pub(super) type Status = u8;

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
            GET_DEVICE_STATUS if storage => self.get_device_status(report, answer),
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

    fn set_time(&mut self, report: &Buffer) -> Status {
        let unix = u64::from_le_bytes(report.array(2));
        let minutes = (unix.wrapping_sub(EPOCH_2014) / 60) as u32;
        let force = report.byte(1);
        let never_set = self.memory.minutes == 0;
        if force == 0 && never_set || force != 1 && self.memory.minutes > minutes {
            return TIMESTAMP_WARNING;
        }
        self.session.clock = (unix, self.plug.now);
        self.memory.minutes = minutes;
        OK
    }

    fn lock(&mut self) -> Status {
        if !self.plug.faults.lock_keeps_passwords {
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
        self.session = Session::begin(self.plug.now);
        OK
    }
}
