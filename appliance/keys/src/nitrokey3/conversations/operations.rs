//! What is done with credentials.

use zeroize::Zeroizing;

use super::super::answer::{StatusWord, code};
use super::super::apdu::{self, Label, Moving};
use super::super::firmware;
use super::open::{Opened, refusal};
use super::pin::verify;
use super::talk::{Talk, Touch};
use crate::device::{Answer, Digits, Guard, HashAlgorithm, KeyError, KeyInfo, Lock, Named};
use crate::secret::{CodeText, Pin, Seed};

/// Ends in [`Answer::Inspected`].
pub(super) async fn inspect(talk: Talk, opened: Opened) -> Result<Answer, KeyError> {
    let names = talk.list().await?.into_iter().map(|listed| listed.label).collect();
    Ok(Answer::Inspected(KeyInfo {
        family: firmware::FAMILY,
        model: firmware::NAME.to_owned(),
        serial: opened.serial,
        firmware: opened.firmware,
        slots: Vec::new(),
        named: Some(Named { abilities: firmware::ABILITIES.to_vec(), names }),
        lock: Lock::Open,
        form_factor: None,
        fips: None,
        config_locked: false,
    }))
}

/// A credential to be put into the key.
pub(super) struct Content {
    pub(super) label: Label,
    pub(super) moving: Moving,
    pub(super) hash: HashAlgorithm,
    pub(super) digits: Digits,
    pub(super) seed: Seed,
    pub(super) guard: Guard,
}

/// Adds a credential; one of the same name is [`KeyError::Occupied`]. Ends in
/// [`Answer::Programmed`].
pub(super) async fn put(talk: Talk, content: Content, pin: Option<Pin>) -> Result<Answer, KeyError> {
    let Content { label, moving, hash, digits, seed, guard } = content;
    verify(&talk, pin.as_ref()).await?;
    let touch = if guard == Guard::Touch { Touch::Surely } else { Touch::Perhaps };
    let reply = talk.command(apdu::put(&label, moving, hash, digits, &seed, guard), touch).await?;
    if reply.status != StatusWord::Ok {
        return Err(refusal(&reply));
    }
    if pin.is_some() {
        // To see it in the list, the PIN would have to be verified again, after
        // another touch.
        return Ok(Answer::Programmed);
    }
    match talk.find(&label).await? {
        Some(listed) if listed.properties & 3 == expected_properties(guard) => Ok(Answer::Programmed),
        Some(_) => Err(KeyError::Garbled("it took the credential, and asks for something else")),
        None => Err(KeyError::Garbled("it took the credential, and does not list it")),
    }
}

/// 1 a touch, 2 the PIN: other bits than when it is put.
const fn expected_properties(guard: Guard) -> u8 {
    match guard {
        Guard::Nothing => 0,
        Guard::Touch => 1,
        Guard::Pin => 2,
    }
}

/// Takes a credential away, if it is there. Ends in [`Answer::Erased`].
pub(super) async fn delete(talk: Talk, label: Label, pin: Option<Pin>) -> Result<Answer, KeyError> {
    // With a PIN it need not be in the list, and each look would want a touch.
    if pin.is_none() && talk.find(&label).await?.is_none() {
        return Ok(Answer::Erased);
    }
    verify(&talk, pin.as_ref()).await?;
    let reply = talk.command(apdu::delete(&label), Touch::Surely).await?;
    match reply.status {
        StatusWord::Ok | StatusWord::NotFound => {}
        _ => return Err(refusal(&reply)),
    }
    if pin.is_none() && talk.find(&label).await?.is_some() {
        return Err(KeyError::Refused);
    }
    Ok(Answer::Erased)
}

/// Asks for a code. Ends in [`Answer::Code`].
pub(super) async fn ask(
    talk: Talk,
    label: Label,
    step: u64,
    digits: Digits,
    pin: Option<Pin>,
) -> Result<Answer, KeyError> {
    let touch = match &pin {
        None => match talk.find(&label).await? {
            None => return Err(KeyError::Empty),
            Some(listed) if listed.properties & 1 != 0 => Touch::Surely,
            Some(_) => Touch::Never,
        },
        Some(_) => Touch::Perhaps,
    };
    verify(&talk, pin.as_ref()).await?;
    let reply = talk.command(apdu::calculate(&label, step), touch).await?;
    if reply.status != StatusWord::Ok {
        return Err(refusal(&reply));
    }
    match code(&reply.data) {
        Some((found, code)) if found == digits => Ok(Answer::Code(CodeText::new(Zeroizing::new(code)))),
        Some(_) => Err(KeyError::DoesNotFit("the credential gives codes with another number of digits")),
        None => Err(KeyError::Garbled("a code that is not well formed")),
    }
}
