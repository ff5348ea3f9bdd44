//! PINs, and what stands in for them.

use zeroize::Zeroizing;

use super::NitrokeyProTwin;
use super::card::c_string;
use super::command::{
    ADMIN_PIN_UNCHANGED, NOT_UNBLOCKED, OK, PROGRESS, RESULT, Status, UNKNOWN, USER_PIN_UNCHANGED,
    WRONG_PASSWORD,
};
use super::report::Buffer;

impl NitrokeyProTwin {
    pub(super) fn first_authenticate(&mut self, report: &Buffer) -> Status {
        if self.model.login_forgets() {
            self.session.admin = None;
        }
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        self.session.admin = Some(Zeroizing::new(report.array(26)));
        OK
    }

    pub(super) fn user_authenticate(&mut self, report: &Buffer) -> Status {
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
    pub(super) fn present_admin(&mut self, field: &[u8; 25]) -> bool {
        !self.plug.faults.card_silent && self.memory.card.admin.verify(c_string(field))
    }

    pub(super) fn present_user(&mut self, field: &[u8; 25]) -> bool {
        !self.plug.faults.card_silent && self.memory.card.user.verify(c_string(field))
    }

    pub(super) fn authorize(&mut self, report: &Buffer) -> Status {
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

    pub(super) fn user_authorize(&mut self, report: &Buffer) -> Status {
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
    pub(super) fn old_command(&mut self) -> Status {
        if self.model.is_storage() {
            self.session.silenced = true;
            OK
        } else {
            UNKNOWN
        }
    }

    /// What the card says of its counters; 255 (Pro) and 88 (Storage) when it does
    /// not answer.
    pub(super) fn admin_retries(&self, answer: &mut Buffer) -> Status {
        answer.put(RESULT, &[self.retries(self.memory.card.admin.tries)]);
        if self.model.is_storage() {
            answer.put(PROGRESS, &[0xaa]);
        }
        OK
    }

    pub(super) fn user_retries(&self, answer: &mut Buffer) -> Status {
        answer.put(RESULT, &[self.retries(self.memory.card.user.tries)]);
        OK
    }

    pub(super) fn retries(&self, tries: u8) -> u8 {
        match (self.plug.faults.card_silent, self.model.is_storage()) {
            (false, _) => tries,
            (true, false) => 255,
            (true, true) => 88,
        }
    }

    pub(super) fn change_user_pin(&mut self, report: &Buffer) -> Status {
        if !self.present_user(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.user.change(c_string(&report.array::<25>(26)));
        if new { OK } else { USER_PIN_UNCHANGED }
    }

    pub(super) fn change_admin_pin(&mut self, report: &Buffer) -> Status {
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.admin.change(c_string(&report.array::<25>(26)));
        if new { OK } else { ADMIN_PIN_UNCHANGED }
    }

    pub(super) fn unblock_user(&mut self, report: &Buffer) -> Status {
        if !self.present_admin(&report.array(1)) {
            return WRONG_PASSWORD;
        }
        let new = self.memory.card.user.change(c_string(&report.array::<25>(26)));
        if new { OK } else { NOT_UNBLOCKED }
    }
}
