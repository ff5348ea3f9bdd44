//! The vendor-neutral entry.

use super::super::apdu::{Label, Moving};
use super::open::{Opened, open};
use super::operations::{Content, ask, delete, inspect, put};
use super::pin::change;
use super::talk::Talk;
use crate::conversation::BoxedConversation;
use crate::device::{Answer, Credential, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Operation, Unlock};
use crate::script::Script;
use crate::secret::{Entropy, Pin};

/// The conversation that does `operation` at a Nitrokey 3.
///
/// `known` is what inspection found. With it, nothing is written to a key that
/// has another serial ([`KeyError::AnotherKey`]). `entropy` makes the nonce of the
/// channel. The driver speaks 64-byte packets of the FIDO interface.
///
/// What each operation does here:
///
/// * **Inspect** reads firmware, serial and names. Firmware before 1.7.1 is
///   [`KeyError::NotAble`], with the remedy.
/// * **Program** adds a credential under the label, which has up to 127 bytes. One
///   of the same name is never replaced: [`KeyError::Occupied`]. A credential that
///   shall want a touch wants one now; one that shall want the PIN wants it now.
/// * **Erase** ends well at once when there is none of that name. Else the key
///   wants a touch.
/// * **AskCode** returns the code. For [`Kind::Totp`] the challenge is the time
///   step, eight bytes big-endian.
/// * **ChangePin** sets the first PIN of the application, or changes it; both want
///   a touch. There is one PIN, and no way to unblock it.
///
/// The number of a slot means nothing to this key. While it waits for a touch, the
/// conversation's hint says so.
///
/// # Errors
///
/// At once for what no such key can do: [`KeyError::DoesNotFit`], [`KeyError::PinNeeded`].
pub fn start(
    known: Option<&KeyInfo>,
    operation: Operation,
    entropy: &Entropy,
) -> Result<BoxedConversation, KeyError> {
    let wanted = known.and_then(|known| known.serial);
    let nonce = entropy.expose().first_chunk().copied().unwrap_or_default();
    let begin = |line| open(line, nonce, wanted);
    Ok(match operation {
        Operation::Inspect => script(begin, inspect),
        Operation::Program { slot: _, credential, unlock, new_code, label, guard } => {
            if new_code.is_some() {
                return Err(KeyError::DoesNotFit("it is guarded by a PIN, not by access codes"));
            }
            let pin = pin_of(unlock)?;
            if guard == Guard::Pin && pin.is_none() {
                return Err(KeyError::PinNeeded("its PIN for a credential that shall want it"));
            }
            // Only a credential that wants the PIN needs it to be added.
            let pin = pin.filter(|_| guard == Guard::Pin);
            let content = content(credential, label_of(&label)?, guard)?;
            script(begin, |talk, _| put(talk, content, pin))
        }
        Operation::Erase { slot: _, kind: _, unlock, label } => {
            let (label, pin) = (label_of(&label)?, pin_of(unlock)?);
            script(begin, |talk, _| delete(talk, label, pin))
        }
        Operation::AskCode { slot: _, kind, challenge, digits, label, unlock } => {
            let (label, pin) = (label_of(&label)?, pin_of(unlock)?);
            let step = match kind {
                Kind::Hotp => 0,
                Kind::Totp => <[u8; 8]>::try_from(challenge.as_slice())
                    .map(u64::from_be_bytes)
                    .map_err(|_| KeyError::DoesNotFit("a time step has eight bytes"))?,
                Kind::YubicoOtp | Kind::StaticPassword | Kind::ChallengeResponse => return Err(OTHER_KIND),
            };
            script(begin, move |talk, _| ask(talk, label, step, digits, pin))
        }
        Operation::SetCode { .. } => {
            return Err(KeyError::DoesNotFit("it is guarded by a PIN, not by access codes"));
        }
        Operation::Swap { .. } => return Err(KeyError::DoesNotFit("its slots cannot be swapped")),
        Operation::ChangePin { old, new } => script(begin, |talk, opened| change(talk, opened, old, new)),
    })
}

const OTHER_KIND: KeyError = KeyError::DoesNotFit("the station puts HOTP and TOTP into it only");

fn script<B, C>(
    begin: impl FnOnce(crate::script::Line) -> B,
    code: impl FnOnce(Talk, Opened) -> C + Send + 'static,
) -> BoxedConversation
where
    B: Future<Output = Result<(Talk, Opened), KeyError>> + Send + 'static,
    C: Future<Output = Result<Answer, KeyError>> + Send + 'static,
{
    Box::new(Script::new(|line| {
        let opening = begin(line);
        async move {
            let (talk, opened) = opening.await?;
            code(talk, opened).await
        }
    }))
}

fn label_of(label: &str) -> Result<Label, KeyError> {
    Label::new(label).ok_or(KeyError::DoesNotFit("a credential has a name of 1 to 127 bytes"))
}

fn pin_of(unlock: Unlock) -> Result<Option<Pin>, KeyError> {
    match unlock {
        Unlock::None => Ok(None),
        // It has one PIN, whoever presents it.
        Unlock::AdminPin(pin) | Unlock::UserPin(pin) => Ok(Some(pin)),
        Unlock::AccessCode(_) => Err(KeyError::DoesNotFit("it is guarded by a PIN, not by access codes")),
    }
}

fn content(credential: Credential, label: Label, guard: Guard) -> Result<Content, KeyError> {
    let (moving, hash, digits, seed) = match credential {
        Credential::Hotp { seed, digits } => (Moving::Counter(0), HashAlgorithm::Sha1, digits, seed),
        Credential::Totp { seed, digits, hash, period: _ } => (Moving::Time, hash, digits, seed),
        Credential::YubicoOtp { .. }
        | Credential::HotpBehindId { .. }
        | Credential::ChallengeResponse { .. }
        | Credential::StaticPassword { .. } => return Err(OTHER_KIND),
    };
    if hash == HashAlgorithm::Sha512 {
        return Err(KeyError::DoesNotFit("it computes codes with SHA-1 and SHA-256"));
    }
    Ok(Content { label, moving, hash, digits, seed, guard })
}
