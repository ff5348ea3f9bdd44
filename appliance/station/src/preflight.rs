//! Everything that can be known before anything is changed: is the key able, is
//! the slot free or ours, is the server ready, is the token's serial free.

use keys::device::{Ability, Digits, KeyInfo, Kind, Occupancy, Slot};

use crate::enrollment::Order;
use crate::flow::Desk;
use crate::profile::Overwrite;
use crate::record::{EnrollmentId, Record, Remains, State};
use crate::refusal::{Code, Refusal};
use crate::server::{Readiness, Right};
use crate::step::Phase;
use crate::token::{TokenKind, TokenSerial};

/// Whether the key can hold what the profile wants; how it will prove it.
pub(crate) fn able(info: &KeyInfo, order: &Order) -> Result<Ability, Refusal> {
    let profile = &order.profile;
    let Some(slot) = info.slot(profile.slot) else {
        return Err(Refusal::new(
            Code::NoSuchSlot,
            format!("{} has no slot {} over its OTP interface", info.model, profile.slot),
        ));
    };
    let Some(ability) = slot.abilities.iter().find(|ability| ability.kind == profile.kind).copied() else {
        return Err(Refusal::new(
            Code::FirmwareTooOld,
            format!("{} with firmware {} cannot hold {}", info.model, info.firmware, kind_word(profile.kind)),
        ));
    };
    if profile.digits == Digits::Eight && !ability.eight_digits {
        return Err(Refusal::new(
            Code::FirmwareTooOld,
            format!("firmware {} has no codes of eight digits", info.firmware),
        ));
    }
    if profile.seed_length > ability.longest_seed {
        return Err(Refusal::new(
            Code::NoSuchSlot,
            format!("the key takes seeds of at most {} bytes", ability.longest_seed),
        ));
    }
    Ok(ability)
}

/// What is to be done with a slot before it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// It is empty.
    Free,
    /// It holds what may be overwritten; it is erased first, which also shows
    /// whether the access code is right while nothing else has changed.
    ToErase,
    /// It holds, or the server still has, a finished enrollment of ours.
    ToRelease(Box<Record>),
}

/// Whether the slot may be written, and how.
pub(crate) fn ground(info: &KeyInfo, records: &[Record], order: &Order) -> Result<Ground, Refusal> {
    let slot = order.profile.slot;
    let latest = latest_of(records, slot);
    let occupied = info.slot(slot).is_none_or(|state| state.occupancy == Occupancy::Occupied);
    match latest.map(|record| (record.state, record.remains, record)) {
        Some((State::Done, _, record)) => match order.profile.overwrite {
            Overwrite::Never => Err(Refusal::new(Code::AlreadyEnrolled, record.token.to_string())),
            Overwrite::Ours | Overwrite::Confirmed => Ok(Ground::ToRelease(Box::new(record.clone()))),
        },
        _ if !occupied => Ok(Ground::Free),
        Some((_, Remains::Perhaps | Remains::Secret, _)) => Ok(Ground::ToErase),
        _ if order.profile.overwrite == Overwrite::Confirmed && order.overwrite_confirmed => {
            Ok(Ground::ToErase)
        }
        _ => Err(Refusal::new(Code::SlotOccupied, format!("slot {slot} of {}", info.model))),
    }
}

/// The newest record about a slot.
pub(crate) fn latest_of(records: &[Record], slot: Slot) -> Option<&Record> {
    records.iter().rev().find(|record| record.slot == slot)
}

/// Whether the token's serial can be had: nobody has it, or the enrollment that has it gives it up.
pub(crate) async fn serial_is_free(
    desk: &Desk,
    id: EnrollmentId,
    token: &TokenSerial,
    records: &[Record],
    ground: &Ground,
) -> Result<(), Refusal> {
    let Some(view) = desk.look(id, token).await? else {
        return Ok(());
    };
    let of = |record: &Record| Some(record.enrollment) == view.enrollment;
    if matches!(ground, Ground::ToRelease(record) if of(record)) {
        return Ok(());
    }
    // A registration that was taken back may have been carried out all the same, much too late.
    let late = records.iter().find(|record| record.state == State::Undone && of(record));
    let Some(late) = late else {
        return Err(Refusal::new(Code::SerialTaken, token.to_string()));
    };
    desk.enter(Phase::Recovering);
    desk.withdraw(late.enrollment, token).await?;
    desk.enter(Phase::Checking);
    Ok(())
}

/// Whether the login may do all that the enrollment needs, its undoing included.
pub(crate) fn rights(readiness: &Readiness, kind: TokenKind, order: &Order) -> Result<(), Refusal> {
    let Some(granted) = &readiness.rights else {
        return Ok(());
    };
    let mut needed = vec![Right::Enroll(kind), Right::List, Right::Delete, Right::Enable, Right::Disable];
    if order.person.is_some() {
        needed.push(Right::Assign);
    }
    if order.pin.is_some() {
        needed.push(Right::EnrollPin);
    }
    let missing: Vec<_> =
        needed.iter().filter(|right| !granted.contains(right)).map(ToString::to_string).collect();
    if missing.is_empty() { Ok(()) } else { Err(Refusal::new(Code::RightMissing, missing.join(", "))) }
}

/// What a person calls a kind of credential.
pub(crate) const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Hotp => "HOTP",
        Kind::Totp => "TOTP",
        Kind::YubicoOtp => "Yubico OTP",
        Kind::StaticPassword => "a static password",
        Kind::ChallengeResponse => "challenge-response",
        _ => "this kind of credential",
    }
}
