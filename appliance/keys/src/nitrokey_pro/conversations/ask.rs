//! Asking for a code.

use super::super::answer::{Code, SlotContent};
use super::super::command::{self, Factor};
use super::super::report::CommandStatus;
use super::super::slot::{OtpSlot, SlotKind};
use super::open::Opened;
use super::talk::{Talk, refusal};
use crate::device::{Answer, Digits, KeyError, KeySerial};

/// Why a key that wants a PIN before each code gives none.
const USER_PIN: &str = "its user's PIN before it gives a code";

/// Ends in [`Answer::Code`]. For TOTP, `step` is the time step; the clock of the
/// key is set to its beginning first.
///
/// A code of HOTP whose answer is lost is asked for again, so that more than one
/// counter may be used up, at most three.
pub(super) async fn ask(
    talk: Talk,
    wanted: Option<KeySerial>,
    slot: OtpSlot,
    step: u64,
    digits: Digits,
) -> Result<Answer, KeyError> {
    let opened = talk.open(wanted).await?;
    if opened.user_pin_for_codes {
        return Err(KeyError::PinNeeded(USER_PIN));
    }
    let (time, interval) = match slot.kind() {
        SlotKind::Hotp => (0, 0),
        SlotKind::Totp => talk.set_clock(&opened, slot, step).await?,
    };
    let answer = talk.ask(&command::get_code(slot, time, interval, None)).await?;
    match answer.status() {
        CommandStatus::Ok => {}
        CommandStatus::NotAuthorized => return Err(KeyError::PinNeeded(USER_PIN)),
        _ => return Err(refusal(&answer, opened.firmware)),
    }
    let code = Code::parse(answer.result()).ok_or(KeyError::Garbled("a code that is not well formed"))?;
    if code.config.digits != digits {
        return Err(KeyError::DoesNotFit("the slot gives codes with another number of digits"));
    }
    code.text().map(Answer::Code).ok_or(KeyError::Garbled("a code with more digits than it should have"))
}

impl Talk {
    /// Sets the clock to the beginning of a step of the slot. Gives the time and
    /// the interval as [`get_code`](command::get_code) wants them.
    async fn set_clock(&self, opened: &Opened, slot: OtpSlot, step: u64) -> Result<(u64, u8), KeyError> {
        let form = opened.counter_form();
        let answer = self.ask(&command::read_slot(slot, form)).await?;
        if answer.status() != CommandStatus::Ok {
            return Err(refusal(&answer, opened.firmware));
        }
        let interval = match SlotContent::parse(slot, form, answer.result()).map(|content| content.factor) {
            Some(Factor::Interval(seconds)) if seconds > 0 => seconds,
            _ => return Err(KeyError::Garbled("a slot without an interval")),
        };
        let time = step.saturating_mul(interval.into());
        let answer = self.ask(&command::set_time(time, true)).await?;
        match answer.status() {
            CommandStatus::Ok => Ok((time, u8::try_from(interval).unwrap_or(u8::MAX))),
            _ => Err(refusal(&answer, opened.firmware)),
        }
    }
}
