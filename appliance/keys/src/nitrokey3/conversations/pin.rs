//! The PIN of the Secrets application.

use super::super::answer::StatusWord;
use super::super::apdu;
use super::TRIES_WANTED;
use super::open::{Opened, refusal};
use super::talk::{Talk, Touch};
use crate::device::{Answer, KeyError};
use crate::secret::Pin;

/// Verifies the PIN, if there is one to verify, after a touch. It holds for the next
/// command.
pub(super) async fn verify(talk: &Talk, pin: Option<&Pin>) -> Result<(), KeyError> {
    let Some(pin) = pin else { return Ok(()) };
    at_risk(talk.select().await?.pin_tries)?;
    let reply = talk.command(apdu::verify_pin(pin), Touch::Surely).await?;
    match reply.status {
        StatusWord::Ok => Ok(()),
        StatusWord::VerificationFailed => Err(wrong(talk).await?),
        _ => Err(refusal(&reply)),
    }
}

/// Sets the first PIN, or changes it. Ends in [`Answer::PinChanged`].
pub(super) async fn change(
    talk: Talk,
    opened: Opened,
    old: Option<Pin>,
    new: Pin,
) -> Result<Answer, KeyError> {
    let command = match (&old, opened.pin_tries) {
        (None, None) => apdu::set_pin(&new),
        (None, Some(_)) => return Err(KeyError::PinNeeded("its PIN, since it has one already")),
        (Some(old), tries) => {
            at_risk(tries)?;
            apdu::change_pin(old, &new)
        }
    };
    let reply = talk.command(command, Touch::Surely).await?;
    match reply.status {
        StatusWord::Ok => Ok(Answer::PinChanged),
        StatusWord::VerificationFailed if old.is_some() => Err(wrong(&talk).await?),
        _ => Err(refusal(&reply)),
    }
}

/// Whether a PIN may be presented.
fn at_risk(tries: Option<u8>) -> Result<(), KeyError> {
    match tries {
        None => Err(KeyError::PinNeeded("a PIN to be set first")),
        Some(tries_left) if tries_left < TRIES_WANTED => Err(KeyError::PinAtRisk { tries_left }),
        Some(_) => Ok(()),
    }
}

async fn wrong(talk: &Talk) -> Result<KeyError, KeyError> {
    Ok(KeyError::WrongPin { tries_left: talk.select().await?.pin_tries.unwrap_or_default() })
}
