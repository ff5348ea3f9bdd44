//! Asking a challenge-response slot.

use core::time::Duration;

use zeroize::Zeroizing;

use super::exchange::{Exchange, Outcome};
use super::open::{Depth, Open, Opened};
use super::write::same_key;
use crate::conversation::{Conversation, Hint, Reply, Turn};
use crate::device::{Answer, Digits, KeyError, KeySerial, Occupancy};
use crate::otp;
use crate::secret::CodeText;
use crate::yubikey::command::{self, OtpSlot};
use crate::yubikey::firmware::Feature;
use crate::yubikey::ids::Identity;

/// What becomes of the 20 bytes that the key answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// 40 hexadecimal digits.
    Hex,
    /// A code of RFC 4226, section 5.3: TOTP, when the challenge was the time step.
    Code(Digits),
}

/// Sends an HMAC-SHA1 challenge. Ends in [`Answer::Code`].
pub(super) struct Ask {
    slot: OtpSlot,
    challenge: Zeroizing<Vec<u8>>,
    form: Form,
    wanted: Option<KeySerial>,
    stage: Stage,
}

enum Stage {
    Opening(Open),
    Asking(Exchange),
}

impl Ask {
    pub(super) fn new(
        identity: Identity,
        wanted: Option<KeySerial>,
        slot: OtpSlot,
        challenge: Zeroizing<Vec<u8>>,
        form: Form,
    ) -> Self {
        let stage = Stage::Opening(Open::new(identity, Depth::Serial));
        Self { slot, challenge, form, wanted, stage }
    }

    fn opened(&self, opened: &Opened) -> Result<Exchange, KeyError> {
        same_key(self.wanted, opened.serial)?;
        let status = opened.status;
        let firmware = status.firmware;
        if !self.slot.is_in(firmware) || !Feature::ChallengeResponse.is_in(firmware) {
            return Err(KeyError::NotAble { what: "challenge-response in this slot", firmware });
        }
        if status.occupancy(self.slot) == Occupancy::Empty {
            return Err(KeyError::Empty);
        }
        let frame = command::challenge_hmac(self.slot, &self.challenge)
            .ok_or(KeyError::DoesNotFit("the challenge is too long"))?;
        Ok(Exchange::new(frame, status))
    }

    fn answer(&self, mac: &[u8]) -> Answer {
        Answer::Code(CodeText::new(match self.form {
            Form::Hex => hex(mac),
            Form::Code(digits) => Zeroizing::new(otp::code_of_mac(mac, digits)),
        }))
    }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    // With room for all, so that no part of it is left behind in a smaller buffer.
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

impl Conversation for Ask {
    type Output = Answer;

    fn turn(&mut self, now: Duration, mut reply: Option<Reply>) -> Result<Turn<Answer>, KeyError> {
        loop {
            match &mut self.stage {
                Stage::Opening(open) => match open.turn(now, reply.take())? {
                    Turn::Do(request) => return Ok(Turn::Do(request)),
                    Turn::Done(opened) => self.stage = Stage::Asking(self.opened(&opened)?),
                },
                Stage::Asking(exchange) => {
                    return match exchange.turn(now, reply.take())? {
                        Turn::Do(request) => Ok(Turn::Do(request)),
                        Turn::Done(Outcome::Data(mac)) => Ok(Turn::Done(self.answer(&mac))),
                        // Another kind of credential is in the slot.
                        Turn::Done(Outcome::Refused) => Err(KeyError::Refused),
                        Turn::Done(Outcome::Taken(_)) => {
                            Err(KeyError::Garbled("a changed status in place of an answer"))
                        }
                    };
                }
            }
        }
    }

    fn hint(&self) -> Option<Hint> {
        match &self.stage {
            Stage::Opening(_) => None,
            Stage::Asking(exchange) => exchange.hint(),
        }
    }
}
