//! Programming, erasing and updating a slot, and swapping both.

use core::time::Duration;

use super::RECLAIM;
use super::exchange::{Exchange, Outcome};
use super::open::{Depth, Open, Opened};
use crate::conversation::{Conversation, Reply, Turn};
use crate::device::{Answer, KeyError, KeySerial, Occupancy};
use crate::secret::AccessCode;
use crate::yubikey::command::{self, OtpSlot};
use crate::yubikey::config::SlotConfig;
use crate::yubikey::firmware::{Feature, update_loses_access_code};
use crate::yubikey::ids::Identity;
use crate::yubikey::slot_write::SlotWrite;
use crate::yubikey::status::Status;

/// Changes a slot, and believes only what the status says after.
///
/// Ends in [`Answer::Programmed`], [`Answer::Erased`], [`Answer::CodeSet`] or [`Answer::Swapped`].
pub(super) struct Write {
    slot: OtpSlot,
    change: Change,
    /// What is sent for it; `None` when there is nothing to send. Taken when it is sent.
    config: Option<SlotConfig>,
    /// What the status said of both slots before.
    before: [Occupancy; 2],
    current: AccessCode,
    /// The serial that the key must have, when it is known.
    wanted: Option<KeySerial>,
    stage: Stage,
}

enum Stage {
    Opening(Open),
    Writing(Exchange),
}

/// What is to become of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Program,
    Erase,
    /// Only its access code.
    Update,
    /// Both slots exchange what they hold.
    Swap,
}

impl Write {
    /// An update, or a swap (`config` is then `None`, and the slot does not matter).
    pub(super) fn change(
        change: Change,
        identity: Identity,
        wanted: Option<KeySerial>,
        slot: OtpSlot,
        config: Option<SlotConfig>,
        current: AccessCode,
    ) -> Self {
        let stage = Stage::Opening(Open::new(identity, Depth::Serial));
        Self { slot, change, config, before: [Occupancy::Empty; 2], current, wanted, stage }
    }

    pub(super) fn program(
        identity: Identity,
        wanted: Option<KeySerial>,
        slot: OtpSlot,
        config: SlotConfig,
        current: AccessCode,
    ) -> Self {
        Self::change(Change::Program, identity, wanted, slot, Some(config), current)
    }

    pub(super) fn erase(
        identity: Identity,
        wanted: Option<KeySerial>,
        slot: OtpSlot,
        current: AccessCode,
    ) -> Self {
        Self::change(Change::Erase, identity, wanted, slot, None, current)
    }

    /// The key is known: what to send, or the end when there is nothing to do.
    fn opened(&mut self, opened: &Opened) -> Result<Option<Exchange>, KeyError> {
        same_key(self.wanted, opened.serial)?;
        let Status { firmware, .. } = opened.status;
        if !self.slot.is_in(firmware) {
            return Err(KeyError::NotAble { what: "it has one slot", firmware });
        }
        self.before = OtpSlot::ALL.map(|slot| opened.status.occupancy(slot));
        if self.change == Change::Swap {
            if !Feature::Swap.is_in(firmware) {
                return Err(KeyError::NotAble { what: "swapping its slots", firmware });
            }
            return Ok(Some(Exchange::new(command::swap(&self.current), opened.status)));
        }
        if self.change == Change::Update {
            if !Feature::Update.is_in(firmware) || update_loses_access_code(firmware) {
                return Err(KeyError::NotAble { what: "changing an access code", firmware });
            }
            if self.sees_empty(&opened.status) {
                return Err(KeyError::Empty);
            }
        }
        let write = match SlotConfig::taken(&mut self.config) {
            Some(config) if self.change == Change::Update => {
                let update = SlotWrite::configure(config.known_to(firmware), &self.current);
                return Ok(Some(Exchange::new(command::update(self.slot, &update), opened.status)));
            }
            Some(config) => {
                if !config.mode().is_known_to(firmware) {
                    return Err(KeyError::NotAble { what: "this kind of credential", firmware });
                }
                SlotWrite::configure(config.fitted_to(firmware), &self.current)
            }
            // To delete what is not there changes nothing, and looks like a refusal.
            None if self.sees_empty(&opened.status) => return Ok(None),
            None => SlotWrite::delete(&self.current),
        };
        Ok(Some(Exchange::new(command::write(self.slot, &write), opened.status)))
    }

    /// Whether the status says for sure that the slot is empty.
    fn sees_empty(&self, status: &Status) -> bool {
        status.occupancy(self.slot) == Occupancy::Empty
    }

    /// The key took the write: whether the slot is as wanted now.
    fn verify(&self, after: &Status) -> Result<Answer, KeyError> {
        let per_slot = Feature::ValidBits.is_in(after.firmware);
        match (self.change, self.sees_empty(after)) {
            (Change::Program, false) => Ok(Answer::Programmed),
            (Change::Update, false) => Ok(Answer::CodeSet),
            (Change::Erase, true) => Ok(Answer::Erased),
            // Firmware before 2.1 says only that some slot is valid.
            (Change::Erase, false) if !per_slot => Ok(Answer::Erased),
            (Change::Swap, _) => {
                let mut wanted = self.before;
                wanted.reverse();
                if OtpSlot::ALL.map(|slot| after.occupancy(slot)) == wanted {
                    Ok(Answer::Swapped)
                } else {
                    Err(KeyError::Garbled("it took the swap, but its slots are not exchanged"))
                }
            }
            (Change::Program | Change::Update, true) => {
                Err(KeyError::Garbled("it took the write, but says that the slot is empty"))
            }
            (Change::Erase, false) => {
                Err(KeyError::Garbled("it took the deletion, but says that the slot is in use"))
            }
        }
    }
}

/// Nothing is written to, or asked of, another key than the one inspected.
pub(super) fn same_key(wanted: Option<KeySerial>, found: Option<KeySerial>) -> Result<(), KeyError> {
    let (interval, attempts) = RECLAIM;
    match (wanted, found) {
        (Some(wanted), Some(found)) if wanted != found => Err(KeyError::AnotherKey),
        // It gave its serial before, so it does not listen yet.
        (Some(_), None) => Err(KeyError::TimedOut(interval * attempts.into())),
        _ => Ok(()),
    }
}

impl Conversation for Write {
    type Output = Answer;

    fn turn(&mut self, now: Duration, mut reply: Option<Reply>) -> Result<Turn<Answer>, KeyError> {
        loop {
            match &mut self.stage {
                Stage::Opening(open) => match open.turn(now, reply.take())? {
                    Turn::Do(request) => return Ok(Turn::Do(request)),
                    Turn::Done(opened) => match self.opened(&opened)? {
                        Some(exchange) => self.stage = Stage::Writing(exchange),
                        None => return Ok(Turn::Done(Answer::Erased)),
                    },
                },
                Stage::Writing(exchange) => {
                    return match exchange.turn(now, reply.take())? {
                        Turn::Do(request) => Ok(Turn::Do(request)),
                        Turn::Done(Outcome::Taken(after)) => self.verify(&after).map(Turn::Done),
                        Turn::Done(Outcome::Refused) => Err(KeyError::Refused),
                        Turn::Done(Outcome::Data(_)) => {
                            Err(KeyError::Garbled("an answer with data to a command that has none"))
                        }
                    };
                }
            }
        }
    }
}
