//! Asking for a code.

use zeroize::Zeroizing;

use super::super::answer::{Code, SlotContent};
use super::super::command::{self, Factor, FittingPin, TemporaryPassword};
use super::super::ids::Authorization;
use super::super::report::{self, CommandStatus};
use super::super::slot::{OtpSlot, SlotKind};
use super::SENDS;
use super::open::Opened;
use super::talk::{Talk, refusal};
use super::write::{fitting, usable};
use crate::device::{Answer, Digits, KeyError, KeySerial};
use crate::secret::{CodeText, Pin};

/// Why a key that wants a PIN before each code gives none.
const USER_PIN: &str = "its user's PIN before it gives a code";

/// What code is wanted.
pub(super) struct Wanted {
    pub(super) slot: OtpSlot,
    /// The time step, for TOTP.
    pub(super) step: u64,
    pub(super) digits: Digits,
}

/// Ends in [`Answer::Code`]. For TOTP, the clock of the key is set to the
/// beginning of the time step first.
///
/// A code of HOTP whose answer is lost is asked for again, so that more than one
/// counter may be used up, at most three.
pub(super) async fn ask(
    talk: Talk,
    known: Option<KeySerial>,
    wanted: Wanted,
    pin: Option<Pin>,
    password: TemporaryPassword,
) -> Result<Answer, KeyError> {
    let Wanted { slot, step, digits } = wanted;
    let opened = talk.open(known).await?;
    usable(slot, &opened)?;
    let (time, interval) = match slot.kind() {
        SlotKind::Hotp => (0, 0),
        SlotKind::Totp => talk.set_clock(&opened, slot, step).await?,
    };
    let answer = if opened.user_pin_for_codes {
        let pin = pin.as_ref().ok_or(KeyError::PinNeeded(USER_PIN))?;
        let answer = talk.guarded_code(&opened, slot, (time, interval), fitting(pin)?, &password).await;
        talk.lock().await;
        answer?
    } else {
        talk.ask(&command::get_code(slot, time, interval, None)).await?
    };
    match answer.status() {
        CommandStatus::Ok => {}
        CommandStatus::NotAuthorized => return Err(KeyError::PinNeeded(USER_PIN)),
        _ => return Err(refusal(&answer, opened.firmware)),
    }
    let code = Code::parse(answer.result()).ok_or(KeyError::Garbled("a code that is not well formed"))?;
    if code.config.digits != digits {
        return Err(KeyError::DoesNotFit("the slot gives codes with another number of digits"));
    }
    code.text()
        .map(|text| Answer::Code(CodeText::new(Zeroizing::new(text))))
        .ok_or(KeyError::Garbled("a code with more digits than it should have"))
}

impl Talk {
    /// A code of a key that wants its user's PIN before.
    async fn guarded_code(
        &self,
        opened: &Opened,
        slot: OtpSlot,
        (time, interval): (u64, u8),
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<report::Answer, KeyError> {
        let inside = opened.authorization() == Authorization::Inside;
        let query = command::get_code(slot, time, interval, inside.then_some(password));
        for _ in 0..SENDS {
            self.unlock_codes(opened, pin, password).await?;
            if !inside {
                self.ask(&command::user_authorize(&query, password)).await?;
            }
            let answer = self.ask(&query).await?;
            if answer.status() != CommandStatus::NotAuthorized {
                return Ok(answer);
            }
        }
        Err(KeyError::Refused)
    }

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
