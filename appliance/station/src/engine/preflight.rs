//! Everything that can be known before anything is changed: is the key able, is
//! the slot free or ours, is the server ready, is the token's serial free.

use keys::device::{
    Ability, Digits, Family, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Lock, Occupancy, ProofWay, Slot,
};
use keys::yubikey::firmware::{Feature, update_loses_access_code};

use crate::engine::factory;
use crate::engine::flow::FlowContext;
use crate::engine::lag::Patience;
use crate::engine::outcome::{Order, Replace};
use crate::engine::record::{EnrollmentId, Record, Remains, State};
use crate::engine::server::{Readiness, Right};
use crate::engine::step::Phase;
use crate::profile::{CodeTo, NewCode, Overwrite, Profile};
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// The fewest tries a PIN must have left for the station to present one: a wrong
/// one leaves two to whoever owns the key.
const TRIES_WANTED: u8 = 3;

/// Whether the key can hold what the profile wants; how it will prove it.
pub(crate) fn able(info: &KeyInfo, order: &Order) -> Result<Ability, Refusal> {
    let profile = &order.profile;
    let cannot = |what: String| {
        let text = format!("{} with firmware {} cannot {what}", info.model, info.firmware);
        Err(Refusal::new(Code::FirmwareTooOld, text))
    };
    let Some(ability) = info.ability(profile.kind, profile.slot).copied() else {
        return if info.has_slot(profile.slot) {
            cannot(format!("hold {} in slot {}", kind_word(profile.kind), profile.slot))
        } else {
            let text = format!("{} has no slot {} over its OTP interface", info.model, profile.slot);
            Err(Refusal::new(Code::NoSuchSlot, text))
        };
    };
    if profile.digits == Digits::Eight && !ability.eight_digits {
        return Err(Refusal::new(
            Code::FirmwareTooOld,
            format!("firmware {} has no codes of eight digits", info.firmware),
        ));
    }
    if profile.hash > ability.best_hash {
        return cannot(format!("compute codes with {}", hash_word(profile.hash)));
    }
    if profile.guard != Guard::Nothing && !ability.guards.contains(&profile.guard) {
        return cannot("be told to want a touch before each code".to_owned());
    }
    // Other kinds have secrets of a length of their own.
    let seeded = matches!(profile.kind, Kind::Hotp | Kind::Totp | Kind::ChallengeResponse);
    if seeded && profile.seed_length > ability.longest_seed {
        return Err(Refusal::new(
            Code::NoSuchSlot,
            format!("the key takes seeds of at most {} bytes", ability.longest_seed),
        ));
    }
    lockable(info, profile)?;
    if ability.proof == ProofWay::BehindPin {
        return Err(Refusal::new(Code::KeyPin, "it gives codes only after its user's PIN"));
    }
    Ok(ability)
}

/// Whether the key can get the access code that the profile wants, and would say if it did not.
fn lockable(info: &KeyInfo, profile: &Profile) -> Result<(), Refusal> {
    let firmware = info.firmware;
    let why = match info.family {
        _ if profile.new_access_code == NewCode::None => return Ok(()),
        Family::YubiKeyOtp if update_loses_access_code(firmware) => {
            format!("firmware {firmware} says that it took a new code, and keeps the old one")
        }
        Family::YubiKeyOtp if Feature::Update.is_in(firmware) => return Ok(()),
        Family::YubiKeyOtp => format!("firmware {firmware} cannot change the code of a slot"),
        _ => format!("{} has a PIN for all its slots, no access codes", info.model),
    };
    Err(Refusal::new(Code::AccessCodeFixed, why))
}

/// Whether the access code that the profile wants can be made and kept.
pub(crate) fn code_at_hand(order: &Order) -> Result<(), Refusal> {
    let missing = |what| Err(Refusal::new(Code::AccessCode, what));
    match order.profile.new_access_code {
        NewCode::Fixed if order.codes.fixed.is_none() => missing("nobody gave the fixed code"),
        NewCode::Derived if order.codes.secret.is_none() => {
            missing("the station has no secret to derive codes from")
        }
        _ => Ok(()),
    }
}

/// Whether the key's slots can be unlocked without putting its PIN at risk.
pub(crate) fn unlockable(info: &KeyInfo, order: &Order) -> Result<(), Refusal> {
    let Lock::AdminPin { tries_left } = info.lock else {
        return Ok(());
    };
    if tries_left < TRIES_WANTED {
        let error = KeyError::PinAtRisk { tries_left };
        return Err(Refusal::new(Code::KeyPin, error.to_string()));
    }
    if order.pin_of_key(info.family).is_none() {
        return Err(Refusal::new(Code::KeyPin, "the profile wants the operator to give it, and nobody did"));
    }
    Ok(())
}

/// What is to be done with a slot before it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Preparation {
    /// It is empty.
    Free,
    /// It may hold what an unfinished enrollment of ours left; it is erased first, which also shows
    /// whether the access code is right while nothing else has changed.
    ToErase,
    /// It holds what is foreign and may be overwritten; it is erased first, too. As long as it is there, it
    /// stays foreign: whoever comes next is asked anew.
    Foreign,
    /// It holds what is foreign, and may go if the key shows that it is like what it was sold with.
    Factory,
    /// It holds, or the server still has, a finished enrollment of ours.
    ToRelease(Box<Record>),
}

/// The newest enrollment of the place that the order is about.
fn latest<'a>(info: &KeyInfo, records: &'a [Record], order: &Order) -> Option<&'a Record> {
    let Profile { kind, slot, .. } = order.profile;
    let here = |record: &&Record| record.slot == slot && info.share_slots(record.kind, kind);
    // A trial says nothing of what the slot holds.
    records.iter().rev().filter(here).find(|record| !record.token.is_trial())
}

/// The finished enrollment that stands in the way of an order which does not name it.
pub(crate) fn in_the_way(info: &KeyInfo, records: &[Record], order: &Order) -> Option<Record> {
    let finished = latest(info, records, order).filter(|record| record.state == State::Done);
    finished.filter(|record| !order.replace.names(record)).cloned()
}

/// Whether the slot may be written, and how.
pub(crate) fn preparation(
    info: &KeyInfo,
    records: &[Record],
    order: &Order,
    token: &TokenSerial,
) -> Result<Preparation, Refusal> {
    let Profile { kind, slot, .. } = order.profile;
    let latest = latest(info, records, order);
    let occupied = info.occupancy(kind, slot, &order.label(token)) == Occupancy::Occupied;
    was_here(records, &order.replace)?;
    match latest.map(|record| (record.state, record.remains, record)) {
        // It is somebody's, whatever the profile lets be overwritten.
        Some((State::Done, _, record)) if order.replace.names(record) => {
            Ok(Preparation::ToRelease(Box::new(record.clone())))
        }
        Some((State::Done, _, record)) => {
            let nobody = order.replace == Replace::Nobody;
            let code = if nobody { Code::SomebodysKey } else { Code::AlreadyEnrolled };
            Err(Refusal::new(code, record.token.to_string()))
        }
        _ if !occupied => Ok(Preparation::Free),
        Some((_, Remains::Perhaps | Remains::Secret, _)) => Ok(Preparation::ToErase),
        _ if order.profile.overwrite == Overwrite::Confirmed && order.overwrite_confirmed => {
            Ok(Preparation::Foreign)
        }
        _ if order.factory || order.profile.overwrite == Overwrite::Factory => {
            factory::may_show(info, order).map(|()| Preparation::Factory)
        }
        _ => Err(Refusal::new(Code::SlotOccupied, what_is_held(info, order))),
    }
}

/// What is known of a slot that may not be written.
fn what_is_held(info: &KeyInfo, order: &Order) -> String {
    let slot = order.profile.slot;
    let text = format!("slot {slot} of {}", info.model);
    if info.family != Family::YubiKeyOtp || slot != Slot(1) {
        return text;
    }
    format!(
        "{text}; whether it is the Yubico OTP of the maker cannot be proven from the key: with overwrite = \"factory\" \
         it types once, and what is like the maker's, and no token of the server has, is given up"
    )
}

/// A key that never had the token that an order names is another key than is meant. One whose token went
/// already, since an earlier try got so far, is the one.
fn was_here(records: &[Record], replace: &Replace) -> Result<(), Refusal> {
    match replace {
        Replace::Token(token) if !records.iter().any(|record| replace.names(record)) => {
            Err(Refusal::new(Code::OtherToken, token.clone()))
        }
        _ => Ok(()),
    }
}

/// Whether the token's serial can be had: nobody has it, or the enrollment that has it gives it up.
pub(crate) async fn serial_is_free(
    cx: &FlowContext,
    id: EnrollmentId,
    token: &TokenSerial,
    records: &[Record],
    preparation: &Preparation,
) -> Result<(), Refusal> {
    let Some(view) = cx.look(id, token).await? else {
        return Ok(());
    };
    let of = |record: &Record| Some(record.enrollment) == view.enrollment;
    if matches!(preparation, Preparation::ToRelease(record) if of(record)) {
        return Ok(());
    }
    // A registration that was taken back may have been carried out all the same, much too late.
    let late = records.iter().find(|record| record.state == State::Undone && of(record));
    let Some(late) = late else {
        return Err(Refusal::new(Code::SerialTaken, token.to_string()));
    };
    cx.enter(Phase::Recovering);
    cx.withdraw(late.enrollment, token, Patience::AtTheDesk).await?;
    cx.enter(Phase::Checking);
    Ok(())
}

/// Whether the login may do all that the enrollment needs, its undoing included.
pub(crate) fn rights(readiness: &Readiness, kind: TokenKind, order: &Order) -> Result<(), Refusal> {
    let mut needed = vec![Right::Enroll(kind), Right::List, Right::Delete, Right::Enable, Right::Disable];
    if order.person.is_some() {
        needed.push(Right::Assign);
    }
    if order.pin.is_some() || order.profile.token_id.is_some() {
        needed.push(Right::EnrollPin);
    }
    let keeps = (order.profile.new_access_code, order.profile.access_code_to);
    if keeps == (NewCode::Random, CodeTo::Server) {
        needed.push(Right::Note);
    }
    granted(readiness, &needed)?;
    pin_is_known(readiness, order)
}

/// Whether somebody knows the token's PIN in the end. Where the server puts a random one on what is
/// made, the order's comes on it when it is given to its person.
fn pin_is_known(readiness: &Readiness, order: &Order) -> Result<(), Refusal> {
    let pinned = order.pin.is_some() || order.random_pin || order.profile.token_id.is_some();
    if pinned && order.person.is_some() {
        return Ok(());
    }
    let realm = order.person.as_ref().map(|person| &person.realm).or(order.profile.realm.as_ref());
    match readiness.random_pins.iter().find(|pins| pins.are_in(realm.map(String::as_str))) {
        Some(pins) => Err(Refusal::new(Code::RandomPin, format!("policy {}", pins.policy))),
        None => Ok(()),
    }
}

/// Whether the login has these rights, as far as the server tells.
pub(crate) fn granted(readiness: &Readiness, needed: &[Right]) -> Result<(), Refusal> {
    let Some(granted) = &readiness.rights else {
        return Ok(());
    };
    let missing: Vec<_> =
        needed.iter().filter(|right| !granted.contains(right)).map(ToString::to_string).collect();
    if missing.is_empty() { Ok(()) } else { Err(Refusal::new(Code::RightMissing, missing.join(", "))) }
}

/// What a person calls a hash.
const fn hash_word(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha1 => "SHA-1",
        HashAlgorithm::Sha256 => "SHA-256",
        HashAlgorithm::Sha512 => "SHA-512",
    }
}

/// What a person calls a kind of credential.
pub(crate) const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Hotp => "HOTP",
        Kind::Totp => "TOTP",
        Kind::YubicoOtp => "Yubico OTP",
        Kind::StaticPassword => "a static password",
        Kind::ChallengeResponse => "challenge-response",
    }
}
