//! Presenting and changing PINs without putting a key at risk.

use super::super::answer::{Job, job, retries};
use super::super::command::{self, FittingPin, LONGEST_PIN_OF_STORAGE, TemporaryPassword};
use super::super::ids::Model;
use super::super::report::{self, CommandStatus, Query};
use super::open::Opened;
use super::talk::{Manner, Outcome, Talk, refusal};
use super::write::fitting;
use super::{CARD, SENDS, TRIES_WANTED};
use crate::device::{Answer, KeyError, KeySerial};
use crate::secret::Pin;

/// Whose PIN.
#[derive(Clone, Copy)]
enum Owner {
    Admin,
    User,
}

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
        self.tries(Owner::Admin).await
    }

    /// Agrees on a temporary password. When the answer is lost, the next command
    /// that needs it tells whether it holds.
    pub(super) async fn unlock(
        &self,
        opened: &Opened,
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<(), KeyError> {
        let query = command::first_authenticate(pin, password);
        self.present(opened, Owner::Admin, &query).await.map(drop)
    }

    /// The same with the user's PIN, for codes.
    pub(super) async fn unlock_codes(
        &self,
        opened: &Opened,
        pin: FittingPin<'_>,
        password: &TemporaryPassword,
    ) -> Result<(), KeyError> {
        self.present(opened, Owner::User, &command::user_authenticate(pin, password)).await.map(drop)
    }

    async fn tries(&self, owner: Owner) -> Result<u8, KeyError> {
        let query = match owner {
            Owner::Admin => command::admin_retries(),
            Owner::User => command::user_retries(),
        };
        retries(&self.ask_card(&query).await?).ok_or(KeyError::CardSilent)
    }

    /// Sends a report with a PIN in it, if that puts nothing at risk.
    async fn present(&self, opened: &Opened, owner: Owner, query: &Query) -> Result<Presented, KeyError> {
        let before = self.tries(owner).await?;
        if before < TRIES_WANTED {
            return Err(KeyError::PinAtRisk { tries_left: before });
        }
        match self.carry(query, Manner::OnceOfCard).await? {
            Outcome::Answered(answer) => match answer.status() {
                CommandStatus::Ok => Ok(Presented::Right),
                CommandStatus::WrongPassword => {
                    Err(KeyError::WrongPin { tries_left: self.tries(owner).await? })
                }
                CommandStatus::PinUnchanged => Err(UNFIT),
                _ => Err(refusal(&answer, opened.firmware)),
            },
            Outcome::Lost => {
                let tries_left = self.tries(owner).await?;
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
        for _ in 0..SENDS {
            // What was lost was not taken, as far as can be told. Should it have been
            // after all, the old PIN is wrong now, and that costs one try of three.
            let presented = match opened.model {
                Model::Pro | Model::LibremKey => {
                    self.present(opened, Owner::Admin, &command::change_admin_pin(old, new)).await?
                }
                Model::Storage => self.change_on_storage(old, new).await?,
            };
            if presented == Presented::Right {
                return Ok(());
            }
        }
        Err(KeyError::TimedOut(CARD))
    }

    /// A Storage is told the old PIN first, then the new one.
    async fn change_on_storage(
        &self,
        old: FittingPin<'_>,
        new: FittingPin<'_>,
    ) -> Result<Presented, KeyError> {
        if self.tell(&command::send_admin_pin(old)).await? != Some(Job::Done) {
            return Ok(Presented::Perhaps);
        }
        match self.tell(&command::send_new_admin_pin(new)).await {
            Ok(Some(Job::Done)) => Ok(Presented::Right),
            // The old one was right a moment ago.
            Err(KeyError::WrongPin { .. }) => Err(UNFIT),
            Ok(_) => Ok(Presented::Perhaps),
            Err(error) => Err(error),
        }
    }

    /// Sends a PIN as a Storage wants it, if that puts nothing at risk.
    async fn tell(&self, query: &Query) -> Result<Option<Job>, KeyError> {
        let before = self.admin_tries().await?;
        if before < TRIES_WANTED {
            return Err(KeyError::PinAtRisk { tries_left: before });
        }
        let ended = |answer: &report::Answer| match job(answer.result(), query.command()) {
            Job::Working => None,
            ended => Some(ended),
        };
        match self.job(query, Manner::OnceOfCard, ended).await? {
            Some(Job::WrongPin) => Err(KeyError::WrongPin { tries_left: self.admin_tries().await? }),
            Some(Job::CardSilent) => Err(KeyError::CardSilent),
            Some(Job::Refused) => Err(KeyError::Refused),
            other => Ok(other),
        }
    }
}

/// The card's own rule (OpenPGP card, PW3).
const UNFIT: KeyError =
    KeyError::DoesNotFit("the smart card does not take this PIN; it wants at least eight characters");

/// Changes the administrator's PIN. Ends in [`Answer::PinChanged`].
pub(super) async fn change_admin(
    talk: Talk,
    wanted: Option<KeySerial>,
    old: Pin,
    new: Pin,
) -> Result<Answer, KeyError> {
    let (old, new) = (fitting(&old)?, fitting(&new)?);
    let opened = talk.open(wanted).await?;
    if opened.model == Model::Storage && old.length().max(new.length()) > LONGEST_PIN_OF_STORAGE {
        return Err(KeyError::DoesNotFit("a PIN of this key has at most 20 bytes"));
    }
    let changed = talk.change(&opened, old, new).await;
    if opened.model == Model::Storage {
        // It remembers the PIN that was presented.
        talk.lock().await;
    }
    changed.map(|()| Answer::PinChanged)
}
