//! Keys as they are sold: a new YubiKey has a Yubico OTP of its maker in slot 1, with which it is known at
//! YubiCloud. It may go for something better, once the key has shown by a touch that it is like one.
//!
//! What is asked: 44 letters, a public id that begins with `cc` (the range the maker gives its keys,
//! developers.yubico.com/OTP/OTPs_Explained.html), and no token at the server that has this id. That it is the
//! maker's cannot be proven from the key: a company that runs a validation service of its own may have
//! written the same kind of identity.

use keys::device::{Ability, KeyInfo, Kind, Occupancy};
use keys::modhex;
use keys::yubikey::yubico_otp::TypedOtp;

use crate::engine::flow::FlowContext;
use crate::engine::outcome::Order;
use crate::engine::proof::{self, Gathered, NoProof};
use crate::engine::record::EnrollmentId;
use crate::engine::server::ServerAnswer;
use crate::engine::server::ServerCall;
use crate::engine::step::Phase;
use crate::engine::torn::{self, Attempts};
use crate::refusal::{Code, Refusal};

/// Letters of the whole OTP.
const LETTERS: usize = 44;

/// Bytes of the maker's public ids.
const PUBLIC_ID: usize = 6;

/// What the first byte of the maker's public ids is: `cc` in modhex.
const FIRST: u8 = 0x00;

/// How a slot of the key types a Yubico OTP; `None` where it cannot hold one.
fn ability<'a>(info: &'a KeyInfo, order: &Order) -> Option<&'a Ability> {
    info.ability(Kind::YubicoOtp, order.profile.slot)
}

/// Whether a touch can show what the slot holds. Nobody sees how long a key was touched: what it types is this
/// slot's for sure only when the other one, as in keys that are sold, is empty.
pub(crate) fn may_show(info: &KeyInfo, order: &Order) -> Result<(), Refusal> {
    let slot = order.profile.slot;
    if ability(info, order).is_none() {
        return Err(Refusal::new(Code::SlotOccupied, format!("slot {slot} of {}", info.model)));
    }
    let mut others = info.slots.iter().filter(|other| other.slot != slot);
    match others.find(|other| other.occupancy == Occupancy::Occupied) {
        None => Ok(()),
        Some(other) => {
            let text = format!(
                "slot {slot}; slot {} holds something, too, so what the key types may be either",
                other.slot
            );
            Err(Refusal::new(Code::SlotOccupied, text))
        }
    }
}

/// The public id of what the slot holds, in modhex, when the key shows that it is like what the maker sells it
/// with, and no token of the server has it. Nothing is changed.
pub(crate) async fn recognise(
    cx: &FlowContext,
    id: EnrollmentId,
    info: &KeyInfo,
    order: &Order,
) -> Result<String, Refusal> {
    let occupied =
        |why: &str| Refusal::new(Code::SlotOccupied, format!("slot {}: {why}", order.profile.slot));
    let Some(ability) = ability(info, order) else {
        return Err(occupied("it cannot be a Yubico OTP"));
    };
    cx.enter(Phase::Proving);
    let mut said = None;
    let mut why = occupied("it typed nothing, so what it holds is not known");
    let mut attempts = Attempts::of(&order.profile);
    while let Some(attempt) = attempts.next() {
        if cx.cancelled() {
            return Err(Refusal::new(Code::Cancelled, ""));
        }
        match proof::gather(cx, &order.profile, ability.proof, "", attempt).await {
            Err(NoProof::Gone) => return Err(Refusal::new(Code::PulledEarly, "")),
            Err(NoProof::Failed(refusal)) => return Err(refusal),
            Ok(Gathered { text: Ok(text), .. }) if torn::is_almost(&text, &[LETTERS], true) => {
                attempts.torn();
                why = Refusal::new(Code::CodeTorn, attempts.in_words());
            }
            Ok(Gathered { text: Ok(text), .. }) => {
                said = Some(text);
                break;
            }
            Ok(Gathered { text: Err(Code::NotTouched), .. }) => {}
            Ok(Gathered { text: Err(Code::WrongCode), .. }) => {
                return Err(occupied("what it types is no Yubico OTP"));
            }
            Ok(Gathered { text: Err(code), .. }) => return Err(Refusal::new(code, "")),
        }
    }
    if cx.cancelled() {
        return Err(Refusal::new(Code::Cancelled, ""));
    }
    cx.enter(Phase::Checking);
    let Some(text) = said else { return Err(why) };
    let public_id = identity(&text).map_err(occupied)?;
    match cx.holders(id, &public_id).await? {
        tokens if tokens.is_empty() => Ok(public_id),
        tokens => Err(Refusal::new(Code::IdentityInUse, format!("{public_id}: token {}", tokens.join(", ")))),
    }
}

/// The public id in a text that a key typed, if it is like the maker's; else why it is not.
fn identity(text: &str) -> Result<String, &'static str> {
    let typed = TypedOtp::parse(text).map_err(|_| "what it types is no Yubico OTP")?;
    match typed.public_id() {
        [FIRST, ..] if text.len() == LETTERS && typed.public_id().len() == PUBLIC_ID => {
            Ok(modhex::encode(typed.public_id()))
        }
        _ => Err(
            "it types a Yubico OTP, but none with an identity like the maker's (44 letters, the first of them cc)",
        ),
    }
}

impl FlowContext {
    /// The tokens of the server that have a Yubico OTP of this public id, YubiCloud's included.
    async fn holders(&self, id: EnrollmentId, public_id: &str) -> Result<Vec<String>, Refusal> {
        match self.persist(id, ServerCall::Holders(public_id.to_owned())).await? {
            ServerAnswer::Holders(tokens) => Ok(tokens),
            _ => Err(Refusal::new(Code::Internal, "the step 'holders' was answered by something else")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_like_the_makers_is_one() {
        let rest = "bknkhfdlikfudjnhfhdivuccgttrvkhu";
        assert_eq!(identity(&format!("ccccccbchvth{rest}")), Ok("ccccccbchvth".to_owned()));
        assert_eq!(identity(&format!("CCCCCCBCHVTH{}", rest.to_uppercase())), Ok("ccccccbchvth".to_owned()));
        for other in [
            // The range left to users, another length, no public id, a password, an HOTP code, nothing.
            format!("vvccccbchvth{rest}"),
            format!("cbccccbchvth{rest}"),
            format!("ccccccbchv{rest}"),
            format!("ccccccbchvthcc{rest}"),
            rest.to_owned(),
            "correct horse battery staple, all 44 letters".to_owned(),
            "cc755224".to_owned(),
            String::new(),
        ] {
            assert!(identity(&other).is_err(), "{other}");
        }
    }
}
