//! Presenting and changing PINs without putting a key at risk.

use super::super::answer::retries;
use super::super::command::{self, FittingPin, TemporaryPassword};
use super::super::report::{CommandStatus, Query};
use super::open::Opened;
use super::talk::{Manner, Outcome, Talk, refusal};
use super::{CARD, SENDS, TRIES_WANTED};
use crate::device::{Answer, KeyError, KeySerial};
use crate::secret::Pin;

/// Whether a PIN was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presented {
    /// It was, and it was right.
    Right,
    /// The answer was lost, and no try was lost: it was right, or it did not arrive.
    Perhaps,
}

impl Talk {
    /// How often the administrator's PIN may still be wrong.
    pub(super) async fn admin_tries(&self) -> Result<u8, KeyError> {
        retries(&self.ask_card(&command::admin_retries()).await?).ok_or(KeyError::CardSilent)
    }

    /// Agrees on a temporary password. When the answer is lost, the next command
    /// that needs it tells whether it holds.
    pub(super) async fn unlock(
        &self,
        opened: &Opened,
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<(), KeyError> {
        self.present(opened, &command::first_authenticate(pin, password)).await.map(drop)
    }

    /// Sends a report with the administrator's PIN in it, if that puts nothing at risk.
    async fn present(&self, opened: &Opened, query: &Query) -> Result<Presented, KeyError> {
        let before = self.admin_tries().await?;
        if before < TRIES_WANTED {
            return Err(KeyError::PinAtRisk { tries_left: before });
        }
        match self.carry(query, Manner::OnceOfCard).await? {
            Outcome::Answered(answer) => match answer.status() {
                CommandStatus::Ok => Ok(Presented::Right),
                CommandStatus::WrongPassword => {
                    Err(KeyError::WrongPin { tries_left: self.admin_tries().await? })
                }
                CommandStatus::PinUnchanged => Err(KeyError::DoesNotFit(
                    "the smart card does not take this PIN; it wants at least eight characters",
                )),
                _ => Err(refusal(&answer, opened.firmware)),
            },
            Outcome::Lost => {
                let tries_left = self.admin_tries().await?;
                if tries_left < before {
                    Err(KeyError::WrongPin { tries_left })
                } else {
                    Ok(Presented::Perhaps)
                }
            }
        }
    }

    /// Replaces the administrator's PIN.
    async fn change(
        &self,
        opened: &Opened,
        old: FittingPin<'_>,
        new: FittingPin<'_>,
    ) -> Result<(), KeyError> {
        let query = command::change_admin_pin(old, new);
        for _ in 0..SENDS {
            // What was lost was not taken, as far as can be told. Should it have been
            // after all, the old PIN is wrong now, and that costs one try of three.
            if self.present(opened, &query).await? == Presented::Right {
                return Ok(());
            }
        }
        Err(KeyError::TimedOut(CARD))
    }
}

/// Changes the administrator's PIN. Ends in [`Answer::PinChanged`].
pub(super) async fn change_admin(
    talk: Talk,
    wanted: Option<KeySerial>,
    old: Pin,
    new: Pin,
) -> Result<Answer, KeyError> {
    let long = KeyError::DoesNotFit("a PIN of this key has at most 25 bytes");
    let old = FittingPin::new(&old).ok_or_else(|| long.clone())?;
    let new = FittingPin::new(&new).ok_or(long)?;
    let opened = talk.open(wanted).await?;
    talk.change(&opened, old, new).await?;
    Ok(Answer::PinChanged)
}
