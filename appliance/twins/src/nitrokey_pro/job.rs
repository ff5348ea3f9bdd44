//! The Storage's own commands: taken at once, and seen to by another part of its
//! firmware (`html_io.c`).

use core::time::Duration;

use super::NitrokeyProTwin;
use super::card::c_string;
use super::command::{OK, PROGRESS, Status};
use super::report::Buffer;

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

impl NitrokeyProTwin {
    pub(super) fn get_device_status(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        self.begin_job(report, answer, JOB_DONE)
    }

    pub(super) fn send_password(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        let pin = report.array::<20>(2);
        self.session.presented = None;
        let right = match report.byte(1) {
            b'A' => !self.plug.faults.card_silent && self.memory.card.admin.verify(c_string(&pin)),
            b'P' => !self.plug.faults.card_silent && self.memory.card.user.verify(c_string(&pin)),
            _ => false,
        };
        if right {
            self.session.presented = Some(report.byte(1));
        }
        self.begin_job(report, answer, if right { JOB_DONE } else { JOB_WRONG })
    }

    pub(super) fn send_new_password(&mut self, report: &Buffer, answer: &mut Buffer) -> Status {
        let pin = report.array::<20>(2);
        let new = match report.byte(1) {
            kind if self.session.presented != Some(kind) => false,
            b'A' => self.memory.card.admin.change(c_string(&pin)),
            _ => self.memory.card.user.change(c_string(&pin)),
        };
        self.begin_job(report, answer, if new { JOB_DONE } else { JOB_WRONG })
    }

    /// The command is taken at once, and another part of the firmware sees to it.
    pub(super) fn begin_job(&mut self, report: &Buffer, answer: &mut Buffer, ends: u8) -> Status {
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
        let state = if self.plug.faults.card_silent { JOB_CARD_SILENT } else { job.ends };
        self.shown.put(PROGRESS, &[job.number, job.command, state, 0]);
        self.shown.seal();
    }
}
