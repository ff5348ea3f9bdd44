//! The vendor-neutral entry.

use super::super::command::{Factor, TemporaryPassword};
use super::super::ids::Model;
use super::super::slot::{OtpSlot, SlotConfig, SlotName};
use super::ask::{Wanted, ask};
use super::inspect::inspect;
use super::pin::change_admin;
use super::talk::Talk;
use super::write::{Content, erase, program};
use crate::conversation::BoxedConversation;
use crate::device::{
    Answer, Credential, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Operation, Slot, Unlock,
};
use crate::script::Script;
use crate::secret::{Entropy, Pin};

/// The conversation that does `operation` at a key of this family.
///
/// `known` is what inspection found. With it, nothing is written to a key that
/// has another serial ([`KeyError::AnotherKey`]). `entropy` makes the temporary
/// password. The driver speaks 64-byte feature reports of the HID interface.
///
/// What each operation does here:
///
/// * **Inspect** reads firmware, serial, tries of the administrator's PIN, and the
///   name of each slot. HOTP slots are 0 to 2, TOTP slots 0 to 14.
/// * **Program** wants the administrator's PIN. The label, or the part
///   of it behind the last colon, becomes the name of the slot, cut to 15 bytes. What can be read back is compared.
/// * **Erase** ends well at once when the slot is empty, without a PIN.
/// * **AskCode** returns the code of the slot. For [`Kind::Totp`] the challenge is
///   the time step, eight bytes big-endian; the clock of the key is set to it. A
///   key may want its user's PIN before.
/// * **ChangePin** changes the administrator's PIN.
///
/// No PIN is presented while fewer than three tries are left
/// ([`KeyError::PinAtRisk`]), and none twice in one conversation once it was wrong.
///
/// # Errors
///
/// At once for what no key of this family can do: [`KeyError::DoesNotFit`],
/// [`KeyError::PinNeeded`].
pub fn start(
    model: Model,
    known: Option<&KeyInfo>,
    operation: Operation,
    entropy: &Entropy,
) -> Result<BoxedConversation, KeyError> {
    let wanted = known.and_then(|known| known.serial);
    let password = password(entropy);
    Ok(match operation {
        Operation::Inspect => script(model, inspect),
        Operation::Program { slot, credential, unlock, new_code, label, guard } => {
            if new_code.is_some() {
                return Err(KeyError::DoesNotFit("its slots are guarded by a PIN, not by access codes"));
            }
            if guard != Guard::Nothing {
                return Err(KeyError::DoesNotFit("its slots ask for nothing before a code"));
            }
            let content = content(slot, credential, &label)?;
            let pin = admin_pin(unlock)?.ok_or(KeyError::PinNeeded(super::ADMIN_PIN))?;
            script(model, move |talk| program(talk, wanted, content, pin, password))
        }
        Operation::Erase { slot, kind, unlock, label: _ } => {
            let slot = otp_slot(kind, slot)?;
            let pin = admin_pin(unlock)?;
            script(model, move |talk| erase(talk, wanted, slot, pin, password))
        }
        Operation::AskCode { slot, kind, challenge, digits, label: _, unlock } => {
            let slot = otp_slot(kind, slot)?;
            let pin = match unlock {
                Unlock::UserPin(pin) => Some(pin),
                Unlock::None | Unlock::AdminPin(_) | Unlock::AccessCode(_) => None,
            };
            let step = match kind {
                Kind::Totp => <[u8; 8]>::try_from(challenge.as_slice())
                    .map(u64::from_be_bytes)
                    .map_err(|_| KeyError::DoesNotFit("a time step has eight bytes"))?,
                Kind::Hotp | Kind::YubicoOtp | Kind::StaticPassword | Kind::ChallengeResponse => 0,
            };
            script(model, move |talk| ask(talk, wanted, Wanted { slot, step, digits }, pin, password))
        }
        Operation::SetCode { .. } => {
            return Err(KeyError::DoesNotFit("its slots are guarded by a PIN, not by access codes"));
        }
        Operation::Swap { .. } => return Err(KeyError::DoesNotFit("its slots cannot be swapped")),
        Operation::ChangePin { old, new } => {
            let old = old.ok_or(KeyError::DoesNotFit("its administrator's PIN is never unset"))?;
            script(model, move |talk| change_admin(talk, wanted, old, new))
        }
    })
}

fn script<F>(model: Model, code: impl FnOnce(Talk) -> F) -> BoxedConversation
where
    F: Future<Output = Result<Answer, KeyError>> + Send + 'static,
{
    Box::new(Script::new(|line| code(Talk::new(line, model))))
}

fn password(entropy: &Entropy) -> TemporaryPassword {
    TemporaryPassword::from_random(entropy.expose().first_chunk().unwrap_or(&[1; 24]))
}

const OTHER_KIND: KeyError = KeyError::DoesNotFit("it has slots for HOTP and TOTP only");

fn otp_slot(kind: Kind, slot: Slot) -> Result<OtpSlot, KeyError> {
    OtpSlot::new(kind, slot).ok_or(match kind {
        Kind::Hotp => KeyError::DoesNotFit("its HOTP slots are 0 to 2"),
        Kind::Totp => KeyError::DoesNotFit("its TOTP slots are 0 to 14"),
        Kind::YubicoOtp | Kind::StaticPassword | Kind::ChallengeResponse => OTHER_KIND,
    })
}

fn admin_pin(unlock: Unlock) -> Result<Option<Pin>, KeyError> {
    match unlock {
        Unlock::None => Ok(None),
        Unlock::AdminPin(pin) => Ok(Some(pin)),
        Unlock::UserPin(_) => Err(KeyError::DoesNotFit("its slots open by the administrator's PIN")),
        Unlock::AccessCode(_) => Err(KeyError::DoesNotFit("its slots open by a PIN, not by an access code")),
    }
}

fn content(slot: Slot, credential: Credential, label: &str) -> Result<Content, KeyError> {
    let slot = otp_slot(credential.kind(), slot)?;
    let name = SlotName::of_label(label);
    Ok(match credential {
        Credential::Hotp { seed, digits } => {
            Content { slot, name, seed, config: SlotConfig::plain(digits), factor: Factor::Counter(0) }
        }
        Credential::Totp { seed, digits, hash: HashAlgorithm::Sha1, period } if period > 0 => {
            Content { slot, name, seed, config: SlotConfig::plain(digits), factor: Factor::Interval(period) }
        }
        Credential::Totp { hash: HashAlgorithm::Sha1, .. } => {
            return Err(KeyError::DoesNotFit("a time step has at least a second"));
        }
        Credential::Totp { .. } => return Err(KeyError::DoesNotFit("it computes codes with SHA-1 only")),
        Credential::YubicoOtp { .. }
        | Credential::HotpBehindId { .. }
        | Credential::ChallengeResponse { .. }
        | Credential::StaticPassword { .. } => return Err(OTHER_KIND),
    })
}
