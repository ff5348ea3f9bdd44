//! Programming and erasing a slot.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::answer::SlotContent;
use super::super::command::{self, Factor, FittingPin, TemporaryPassword};
use super::super::ids::Authorization;
use super::super::report::{self, CommandStatus, Query};
use super::super::slot::{OtpSlot, SlotConfig, SlotKind, SlotName};
use super::SENDS;
use super::open::Opened;
use super::talk::{Manner, Outcome, Talk, refusal};
use crate::bytes::{Cut, joined_padded};
use crate::device::{Answer, KeyError, KeySerial};
use crate::secret::{Pin, Seed};

/// What a slot shall hold.
pub(super) struct Content {
    pub(super) slot: OtpSlot,
    pub(super) name: SlotName,
    pub(super) seed: Seed,
    pub(super) config: SlotConfig,
    pub(super) factor: Factor,
}

/// How far a write came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    /// It was lost on the way, or the key knows no temporary password: both are
    /// mended by beginning anew.
    No,
}

/// What the key answers when it knows no temporary password, or not this one.
fn unauthorized(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::NotAuthorized | CommandStatus::WrongPassword)
}

/// The token id of a slot that types none.
const NO_TOKEN_ID: [u8; 13] = [0; 13];

/// Writes a slot and reads back what can be read. Ends in [`Answer::Programmed`].
pub(super) async fn program(
    talk: Talk,
    wanted: Option<KeySerial>,
    content: Content,
    pin: Pin,
    password: TemporaryPassword,
) -> Result<Answer, KeyError> {
    let pin = fitting(&pin)?;
    let opened = talk.open(wanted).await?;
    fits(&content, &opened)?;
    let written = talk.write(&opened, &content, pin, &password).await;
    if !matches!(written, Err(KeyError::WrongPin { .. } | KeyError::PinAtRisk { .. })) {
        talk.lock().await;
    }
    written.map(|()| Answer::Programmed)
}

/// Empties a slot; ends well at once when it is empty. Ends in [`Answer::Erased`].
pub(super) async fn erase(
    talk: Talk,
    wanted: Option<KeySerial>,
    slot: OtpSlot,
    pin: Option<Pin>,
    password: TemporaryPassword,
) -> Result<Answer, KeyError> {
    let opened = talk.open(wanted).await?;
    usable(slot, &opened)?;
    if talk.slot_name(slot, &opened).await?.is_none() {
        return Ok(Answer::Erased);
    }
    let pin = pin.ok_or(KeyError::PinNeeded(super::ADMIN_PIN))?;
    let erased = talk.erase(&opened, slot, fitting(&pin)?, &password).await;
    if !matches!(erased, Err(KeyError::WrongPin { .. } | KeyError::PinAtRisk { .. })) {
        talk.lock().await;
    }
    erased.map(|()| Answer::Erased)
}

pub(super) fn fitting(pin: &Pin) -> Result<FittingPin<'_>, KeyError> {
    FittingPin::new(pin).ok_or(KeyError::DoesNotFit("a PIN of this key has at most 25 bytes"))
}

fn fits(content: &Content, opened: &Opened) -> Result<(), KeyError> {
    let firmware = opened.firmware;
    let seed = content.seed.expose();
    if content.name.is_empty() {
        return Err(KeyError::DoesNotFit("a slot must have a name"));
    }
    usable(content.slot, opened)?;
    if seed.len() > opened.longest_secret() {
        return Err(KeyError::NotAble { what: "a secret of that length", firmware });
    }
    if opened.model.keeps_old_secret(firmware, seed) {
        return Err(KeyError::DoesNotFit("the key takes this secret for none and keeps its old one"));
    }
    Ok(())
}

/// Whether the slot has memory of its own.
pub(super) fn usable(slot: OtpSlot, opened: &Opened) -> Result<(), KeyError> {
    let Opened { model, firmware, .. } = *opened;
    if slot.kind() == SlotKind::Totp && slot.slot().0 >= model.totp_slots(firmware) {
        return Err(KeyError::NotAble { what: "the last TOTP slot, which shares its memory", firmware });
    }
    Ok(())
}

impl Talk {
    async fn write(
        &self,
        opened: &Opened,
        content: &Content,
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<(), KeyError> {
        for _ in 0..SENDS {
            self.unlock(opened, pin, password).await?;
            let taken = match opened.authorization() {
                Authorization::Inside => self.write_inside(opened, content, password).await?,
                Authorization::Before => {
                    let write = command::write_slot_authorized(
                        content.slot,
                        &content.name,
                        &content.seed,
                        content.factor,
                        opened.counter_form(),
                        content.config,
                        &NO_TOKEN_ID,
                    );
                    self.change_slot(opened, &write, password).await?
                }
            };
            if taken == Taken::Yes {
                return self.verify(opened, content).await;
            }
        }
        Err(KeyError::Refused)
    }

    /// Sends name and secret, compares what the key repeats, then has it write.
    async fn write_inside(
        &self,
        opened: &Opened,
        content: &Content,
        password: &TemporaryPassword,
    ) -> Result<Taken, KeyError> {
        let padded: Zeroizing<[u8; report::RESULT]> = joined_padded(Cut::<40>(content.seed.expose()));
        let name = command::send_name(&content.name, password);
        // Both parts, also of a short secret: a transfer that was broken off may
        // have left the end of a longer one.
        let [head, tail] = [0, 1].map(|part| command::send_secret(&content.seed, part, password));
        for (query, expected) in [(&name, None), (&head, None), (&tail, Some(&padded))] {
            let answer = self.ask(query).await?;
            match answer.status() {
                CommandStatus::Ok => {}
                status if unauthorized(status) => return Ok(Taken::No),
                _ => return Err(refusal(&answer, opened.firmware)),
            }
            if expected.is_some_and(|secret| !bool::from(secret.ct_eq(answer.result()))) {
                return Err(KeyError::Garbled("it repeats another secret than it was sent"));
            }
        }
        let write = command::write_slot(content.slot, content.factor, content.config, &NO_TOKEN_ID, password);
        self.taken(opened, &write).await
    }

    /// Carries a command that changes a slot.
    async fn change_slot(
        &self,
        opened: &Opened,
        change: &Query,
        password: &TemporaryPassword,
    ) -> Result<Taken, KeyError> {
        if opened.authorization() == Authorization::Before {
            match self.taken(opened, &command::authorize(change, password)).await? {
                Taken::Yes => {}
                Taken::No => return Ok(Taken::No),
            }
        }
        self.taken(opened, change).await
    }

    async fn taken(&self, opened: &Opened, query: &Query) -> Result<Taken, KeyError> {
        match self.carry(query, Manner::Once).await? {
            Outcome::Lost => Ok(Taken::No),
            Outcome::Answered(answer) => match answer.status() {
                CommandStatus::Ok => Ok(Taken::Yes),
                CommandStatus::WrongCrc => Ok(Taken::No),
                status if unauthorized(status) => Ok(Taken::No),
                _ => Err(refusal(&answer, opened.firmware)),
            },
        }
    }

    /// The key says "ok" to writes that it does not make (storage-firmware issue
    /// 91), so only what can be read back counts.
    async fn verify(&self, opened: &Opened, content: &Content) -> Result<(), KeyError> {
        let form = opened.counter_form();
        let answer = self.ask(&command::read_slot(content.slot, form)).await?;
        match answer.status() {
            CommandStatus::Ok => {}
            CommandStatus::SlotEmpty => return Err(KeyError::Refused),
            _ => return Err(refusal(&answer, opened.firmware)),
        }
        let found = SlotContent::parse(content.slot, form, answer.result())
            .ok_or(KeyError::Garbled("a slot that is not well formed"))?;
        let as_wanted =
            found.name == content.name && found.config == content.config && found.factor == content.factor;
        if as_wanted { Ok(()) } else { Err(KeyError::Garbled("it took the write, and holds something else")) }
    }

    async fn erase(
        &self,
        opened: &Opened,
        slot: OtpSlot,
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<(), KeyError> {
        let inside = (opened.authorization() == Authorization::Inside).then_some(password);
        let erase = command::erase_slot(slot, inside);
        for _ in 0..SENDS {
            self.unlock(opened, pin, password).await?;
            if self.change_slot(opened, &erase, password).await? == Taken::Yes {
                return match self.slot_name(slot, opened).await? {
                    None => Ok(()),
                    Some(_) => Err(KeyError::Refused),
                };
            }
        }
        Err(KeyError::Refused)
    }
}
