//! The vendor-neutral entry.

use zeroize::Zeroizing;

use super::ask::{Ask, Form};
use super::inspect::Inspect;
use super::write::{Change, Write};
use crate::conversation::BoxedConversation;
use crate::device::{Credential, Digits, Guard, KeyError, KeyInfo, Kind, Operation, Slot, Unlock};
use crate::secret::AccessCode;
use crate::yubikey::command::OtpSlot;
use crate::yubikey::config::{ConfigError, SlotConfig};
use crate::yubikey::ids::Identity;

/// The longest challenge that a slot for short challenges takes.
const LONGEST_CHALLENGE: usize = 63;

/// The conversation that does `operation` at the YubiKey with that USB product
/// id (of vendor [`VENDOR`](crate::yubikey::ids::VENDOR)).
///
/// `known` is what inspection found. With it, nothing is written to a key that
/// has another serial ([`KeyError::AnotherKey`]). The driver speaks feature
/// reports of the keyboard interface: the one whose report descriptor begins
/// with usage page 1, usage 6.
///
/// What each operation does here:
///
/// * **Inspect** reads the status, the serial and, from 4.1 on, device
///   information. A serial of `None` is one that the key hides. On a NEO that
///   hides its serial it takes three seconds, because the key cannot be told
///   from one that does not listen yet.
/// * **Program** writes a configuration whose flags are cut down to what the
///   firmware knows, and ends well only when the status says that the key took
///   it *and* that the slot is valid. What the flags are is said at
///   [`build`](crate::yubikey::build). A wrong access code looks like any other
///   refusal: [`KeyError::Refused`]. No source says that keys count wrong codes,
///   and nothing here tries twice. After [`KeyError::TimedOut`] and [`KeyError::Garbled`] the slot
///   may hold either; only an inspection and a proof can tell.
/// * **Erase** ends well at once when the status says that the slot is empty.
/// * **SetCode** is an update (firmware 2.3 and up, but not 4.3.2 to 4.3.5, which
///   silently keep the old code): flags as the builders set them, and the new code; one of
///   zeros takes the lock off.
/// * **Swap** (firmware 2.3 and up) ends well when the status shows both slots exchanged.
/// * **AskCode** sends a challenge of up to 63 bytes to an HMAC slot.
///   [`Kind::ChallengeResponse`] gives the 20 bytes as hexadecimal digits;
///   [`Kind::Totp`] and [`Kind::Hotp`] make a code of them, so that a challenge
///   of the eight-byte time step or counter gives TOTP or HOTP.
///
/// ```
/// use keys::device::{Answer, Operation};
/// use keys::wire::{Clock, Failure, Wire, run};
///
/// fn inspect(wire: &mut dyn Wire, clock: &mut dyn Clock) -> Result<Answer, Failure> {
///     let mut conversation = keys::yubikey::start(0x0407, None, Operation::Inspect)?;
///     run(conversation.as_mut(), wire, clock, |hint| println!("{hint:?}"))
/// }
/// ```
///
/// # Errors
///
/// At once for what no YubiKey can do: [`KeyError::DoesNotFit`], and
/// [`KeyError::InterfaceOff`] when the product id shows that OTP is switched off.
pub fn start(
    product_id: u16,
    known: Option<&KeyInfo>,
    operation: Operation,
) -> Result<BoxedConversation, KeyError> {
    let identity = Identity::of(product_id)
        .filter(|identity| identity.programmable())
        .ok_or(KeyError::InterfaceOff("OTP over USB"))?;
    let wanted = known.and_then(|known| known.serial);
    Ok(match operation {
        Operation::Inspect => Box::new(Inspect::new(identity)),
        Operation::Program { slot, credential, unlock, new_code, label: _, guard } => {
            if guard != Guard::Nothing {
                return Err(KeyError::DoesNotFit("its slots ask for nothing but a touch"));
            }
            let mut config = configuration(&credential)?;
            if let Some(code) = &new_code {
                if code.is_none() {
                    return Err(KeyError::DoesNotFit("an access code of zeros guards nothing"));
                }
                config = config.with_new_code(code);
            }
            Box::new(Write::program(identity, wanted, otp_slot(slot)?, config, access_code(unlock)?))
        }
        Operation::Erase { slot, kind: _, unlock, label: _ } => {
            Box::new(Write::erase(identity, wanted, otp_slot(slot)?, access_code(unlock)?))
        }
        Operation::SetCode { slot, kind, guard, unlock, new_code } => {
            let update = SlotConfig::new_code_update(kind, guard == Guard::Touch, &new_code);
            let (slot, current) = (otp_slot(slot)?, access_code(unlock)?);
            Box::new(Write::change(Change::Update, identity, wanted, slot, Some(update), current))
        }
        Operation::Swap { unlock } => {
            let current = access_code(unlock)?;
            Box::new(Write::change(Change::Swap, identity, wanted, OtpSlot::One, None, current))
        }
        Operation::AskCode { slot, kind, challenge, digits, label: _, unlock: _ } => {
            let challenge = Zeroizing::new(challenge);
            if challenge.len() > LONGEST_CHALLENGE {
                return Err(KeyError::DoesNotFit("a challenge has at most 63 bytes"));
            }
            let form = form_of(kind, digits)?;
            Box::new(Ask::new(identity, wanted, otp_slot(slot)?, challenge, form))
        }
        Operation::ChangePin { .. } => {
            return Err(KeyError::DoesNotFit("its slots have access codes, not a PIN"));
        }
    })
}

fn otp_slot(slot: Slot) -> Result<OtpSlot, KeyError> {
    OtpSlot::new(slot).ok_or(KeyError::DoesNotFit("a YubiKey has the slots 1 and 2"))
}

fn access_code(unlock: Unlock) -> Result<AccessCode, KeyError> {
    match unlock {
        Unlock::None => Ok(AccessCode::from_array(&[0; 6])),
        Unlock::AccessCode(code) => Ok(code),
        Unlock::AdminPin(_) | Unlock::UserPin(_) => {
            Err(KeyError::DoesNotFit("its slots open by an access code, not by a PIN"))
        }
    }
}

fn form_of(kind: Kind, digits: Digits) -> Result<Form, KeyError> {
    match kind {
        Kind::ChallengeResponse => Ok(Form::Hex),
        Kind::Totp | Kind::Hotp => Ok(Form::Code(digits)),
        Kind::YubicoOtp | Kind::StaticPassword => {
            Err(KeyError::DoesNotFit("it types this kind of credential and does not return it"))
        }
    }
}

fn configuration(credential: &Credential) -> Result<SlotConfig, KeyError> {
    match credential {
        Credential::Hotp { seed, digits } => SlotConfig::hotp(seed, *digits),
        Credential::HotpBehindId { seed, digits, id } => {
            SlotConfig::hotp(seed, *digits).and_then(|config| config.with_token_id(&id.bytes, id.form))
        }
        Credential::YubicoOtp { public_id, private_id, key } => {
            SlotConfig::yubico_otp(public_id, private_id, key)
        }
        Credential::ChallengeResponse { seed, touch } => SlotConfig::challenge_hmac(seed, *touch),
        Credential::StaticPassword { password } => SlotConfig::static_password(password),
        Credential::Totp { .. } => {
            return Err(KeyError::DoesNotFit("its slots have no clock; use challenge-response"));
        }
    }
    .map_err(|error| {
        KeyError::DoesNotFit(match error {
            ConfigError::KeyTooLong(_) => "a slot takes a seed of at most 20 bytes",
            ConfigError::FixedTooLong(_) => "a public id has at most 16 bytes",
            ConfigError::PasswordLength(_) => "a typed password has at most 38 characters",
            ConfigError::NotTypable(_) => "a typed password has characters of the US layout only",
            ConfigError::Counter(_) | ConfigError::WrongMode(_) => "the configuration is not well formed",
        })
    })
}
