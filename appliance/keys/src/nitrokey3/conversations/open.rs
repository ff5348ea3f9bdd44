//! Finding out what is plugged in: the way every operation begins.

use core::time::Duration;

use super::super::answer::{Listed, Selected, StatusWord, version};
use super::super::apdu::{self, Label};
use super::super::firmware::{self, enrollable};
use super::talk::{Reply, Talk, Touch};
use crate::device::{Firmware, KeyError, KeySerial};
use crate::script::Line;

/// What was found out.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    /// The firmware's version, or that of the application when it does not say.
    pub(super) firmware: Firmware,
    pub(super) serial: Option<KeySerial>,
    /// How often the PIN may still be wrong; `None` when there is none.
    pub(super) pin_tries: Option<u8>,
}

/// Opens a channel to the key that is wanted, if it can be enrolled at all.
pub(super) async fn open(
    line: Line,
    nonce: [u8; 8],
    wanted: Option<KeySerial>,
) -> Result<(Talk, Opened), KeyError> {
    let talk = Talk::begin(line, &nonce).await?;
    let firmware = match talk.version().await? {
        Some(data) => Some(version(&data).ok_or(KeyError::Garbled("a version that is none"))?),
        None => None,
    };
    let selected = talk.select().await?;
    enrollable(firmware, selected.version)?;
    let serial = selected.serial.map(|number| KeySerial { family: firmware::FAMILY, number });
    if wanted.is_some() && wanted != serial {
        return Err(KeyError::AnotherKey);
    }
    let firmware = firmware.unwrap_or(selected.version);
    Ok((talk, Opened { firmware, serial, pin_tries: selected.pin_tries }))
}

impl Talk {
    /// What the application says about itself. A verified PIN is forgotten by it.
    pub(super) async fn select(&self) -> Result<Selected, KeyError> {
        let reply = self.command(apdu::select(), Touch::Never).await?;
        match reply.status {
            StatusWord::Ok => {
                Selected::parse(&reply.data).ok_or(KeyError::Garbled("a selection that is not well formed"))
            }
            _ => Err(refusal(&reply)),
        }
    }

    /// All that can be seen: what wants the PIN only when that was just verified.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, KeyError> {
        let reply = self.command(apdu::list(), Touch::Never).await?;
        match reply.status {
            StatusWord::Ok => {
                Listed::parse_all(&reply.data).ok_or(KeyError::Garbled("a list that is not well formed"))
            }
            // Nothing was ever put into it.
            StatusWord::ReferenceNotFound => Ok(Vec::new()),
            _ => Err(refusal(&reply)),
        }
    }

    /// What the list has under that name.
    pub(super) async fn find(&self, label: &Label) -> Result<Option<Listed>, KeyError> {
        Ok(self.list().await?.into_iter().find(|listed| listed.label == label.as_str()))
    }
}

/// A refusal that takes longer than this is one for want of a touch.
const UNTOUCHED: Duration = Duration::from_secs(5);

/// What a status word that is not "ok" means, where nothing else is meant by it.
pub(super) fn refusal(reply: &Reply) -> KeyError {
    match reply.status {
        // The same word says that no touch came, after 15 seconds.
        StatusWord::SecurityStatus if reply.took > UNTOUCHED => KeyError::NotTouched,
        StatusWord::SecurityStatus => KeyError::PinNeeded("its PIN"),
        StatusWord::Blocked => KeyError::Occupied,
        StatusWord::WrongData => KeyError::DoesNotFit("the key does not take this name or secret"),
        StatusWord::NotFound => KeyError::Empty,
        StatusWord::NotEnoughMemory => KeyError::Full,
        _ => KeyError::Refused,
    }
}
