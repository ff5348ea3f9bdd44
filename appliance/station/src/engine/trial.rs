//! A trial: whether the server takes what is to take the place of a finished enrollment, found out before
//! that is given up.
//!
//! A token is made as the real one will be, under a name of its own: compared, kept from counting,
//! given to the person, and deleted. It stands in the journal as any other does, so a power cut leaves nothing
//! of it. What it holds is known to nobody, and it never counts.
//!
//! Two things it cannot show: a limit that the earlier token itself fills as long as it is there, and
//! what changes between the trial and the real thing. Whoever orders is told so before.

use std::sync::Arc;

use keys::device::Ability;
use rand_core::CryptoRng;

use crate::engine::calls::NotRegistered;
use crate::engine::flow::FlowContext;
use crate::engine::lag::Patience;
use crate::engine::outcome::{Ending, Order, PIN_DIGITS};
use crate::engine::record::{EnrollmentId, Record, Remains, State};
use crate::engine::register;
use crate::engine::server::{Person, ServerCall, TokenView};
use crate::engine::step::Phase;
use crate::papers::hand_over::random_pin;
use crate::refusal::{Code, Refusal};
use crate::token::TokenKind;

/// Tries out what `planned` is about to do. `earlier` is what it takes the place of.
///
/// # Errors
/// [`Ending::Refused`] with what the server says, when nothing was changed; [`Ending::Postponed`] when the
/// token of the trial could not be deleted now.
pub(crate) async fn trial(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    planned: &Record,
    earlier: &Record,
) -> Result<(), Ending> {
    cx.enter(Phase::Checking);
    let mut record = Record {
        enrollment: EnrollmentId::random(rng),
        token: planned.token.of_trial(),
        remains: Remains::Nothing,
        reason: None,
        ..planned.clone()
    };
    cx.record(&mut record, State::Planned).await.map_err(Ending::Refused)?;
    let order = match random(order, rng) {
        Ok(pinned) => pinned,
        Err(refusal) => return Err(Ending::Refused(refusal)),
    };
    let tried = tried(cx, &order, kind, ability, rng, &record).await;
    record.reason = Some(Code::Trial);
    // As with any undoing: the journal holds an earlier state when this fails, and recovery goes on from there.
    let _ = cx.record(&mut record, State::Undoing).await;
    let gone = match &tried {
        // The server has made nothing.
        Err(NotRegistered { may_exist: false, .. }) => Ok(()),
        _ => cx.withdraw(record.enrollment, &record.token, Patience::AtTheDesk).await,
    };
    if let Err(left) = gone {
        let text = format!("still to be deleted: token {} ({})", record.token, left.detail);
        return Err(Ending::Postponed(Refusal::new(left.code, text)));
    }
    cx.record(&mut record, State::Undone).await.map_err(Ending::Postponed)?;
    match tried {
        Err(NotRegistered { refusal, .. }) if !is_filled_by(&refusal, earlier, &order) => {
            Err(Ending::Refused(refusal))
        }
        _ if cx.cancelled() => Err(Ending::Refused(Refusal::new(Code::Cancelled, ""))),
        _ => Ok(()),
    }
}

/// The order with a PIN like the one that will be made up.
fn random(order: &Order, rng: &mut impl CryptoRng) -> Result<Order, Refusal> {
    if !order.random_pin || order.pin.is_some() {
        return Ok(order.clone());
    }
    let made = random_pin(PIN_DIGITS, rng);
    let pin = made.ok_or_else(|| Refusal::new(Code::Internal, "no random PIN could be made"))?;
    Ok(Order { pin: Some(Arc::new(pin)), ..order.clone() })
}

async fn tried(
    cx: &FlowContext,
    order: &Order,
    kind: TokenKind,
    ability: Ability,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<(), NotRegistered> {
    register::try_out(cx, order, kind, ability, rng, record).await?;
    let Some(person) = &record.person else { return Ok(()) };
    let pin = register::pin(order, record);
    let call = ServerCall::Assign { serial: record.token.clone(), person: person.clone(), pin };
    let Err(refusal) = cx.done(record.enrollment, call).await else { return Ok(()) };
    // After a lost answer a repeated assignment is refused even to the same person.
    let lasting = refusal.code != Code::RegistrationRefused;
    let theirs = |view: &TokenView| view.owner.as_ref().is_some_and(|owner| owner.is(person));
    let shows = |view: &TokenView| theirs(view) || lasting;
    let exists = |refusal| NotRegistered { refusal, may_exist: true };
    let view = cx.look_until(record.enrollment, &record.token, Patience::AtTheDesk, shows).await;
    match view.map_err(exists)? {
        Some(view) if theirs(&view) => Ok(()),
        _ => Err(exists(worded(refusal, person))),
    }
}

/// A refused assignment, with the person.
fn worded(refusal: Refusal, person: &Person) -> Refusal {
    let code = match refusal.code {
        Code::PolicyForbids | Code::RegistrationRefused | Code::SerialTaken => Code::AssignRefused,
        code => code,
    };
    Refusal::new(code, format!("{person}: {}", refusal.detail))
}

/// Whether a limit of the server may be filled by the very token that is to go, so that the trial says
/// nothing: "The number of tokens for this user is limited!", or "in this realm" (privacyIDEA,
/// api/lib/prepolicy.py, `check_max_token_user`, `check_max_token_realm`).
fn is_filled_by(refusal: &Refusal, earlier: &Record, order: &Order) -> bool {
    let words = refusal.detail.to_lowercase();
    if !words.contains("limited") {
        return false;
    }
    let realm = |person: Option<&Person>| person.map(|person| person.realm.to_lowercase());
    let wanted = realm(order.person.as_ref())
        .or_else(|| order.profile.realm.as_ref().map(|realm| realm.to_lowercase()));
    // Whose realm is not known may be the same.
    let same_realm =
        realm(earlier.person.as_ref()).is_none_or(|had| wanted.is_none_or(|wanted| wanted == had));
    let same_person = order.person.is_some() && order.person == earlier.person;
    if words.contains("realm") { same_realm } else { same_person }
}

#[cfg(test)]
mod tests {
    use keys::device::{Family, KeySerial, Kind, Slot};

    use super::*;
    use crate::engine::record::Actor;
    use crate::profile::Profile;
    use crate::token::TokenSerial;

    fn person(user: &str, realm: &str) -> Option<Person> {
        Some(Person { user: user.to_owned(), realm: realm.to_owned() })
    }

    #[test]
    fn only_a_limit_that_the_earlier_token_fills_is_no_answer() {
        let key = KeySerial { family: Family::YubiKeyOtp, number: 7 };
        let earlier = |person| Record {
            enrollment: EnrollmentId::NONE,
            state: State::Done,
            at: core::time::Duration::ZERO,
            key,
            slot: Slot(1),
            kind: Kind::Hotp,
            remains: Remains::Secret,
            token: TokenSerial::of(key, Kind::Hotp, Slot(1)),
            profile: "desk".to_owned(),
            person,
            actor: Actor::Armed,
            port: "1-1".to_owned(),
            reason: None,
            given_up: None,
        };
        let order = |person| Order {
            person,
            ..Order::new("s", "1-1", Actor::Armed, "desk", Profile::new(Kind::Hotp))
        };
        let says = |words: &str| Refusal::new(Code::PolicyForbids, words.to_owned());
        let (user, realm) = (
            "The number of tokens for this user is limited!",
            "The number of tokens in this realm is limited!",
        );
        for (words, had, wants, expected) in [
            (user, person("alice", "office"), person("alice", "office"), true),
            (user, person("alice", "office"), person("bob", "office"), false),
            (user, person("alice", "office"), person("alice", "lab"), false),
            (user, None, None, false),
            (realm, person("alice", "office"), person("bob", "Office"), true),
            (realm, person("alice", "office"), person("bob", "lab"), false),
            (realm, None, person("bob", "lab"), true),
            ("The minimum OTP PIN length is 6", person("alice", "office"), person("alice", "office"), false),
            ("", person("alice", "office"), person("alice", "office"), false),
        ] {
            assert_eq!(
                is_filled_by(&says(words), &earlier(had.clone()), &order(wants.clone())),
                expected,
                "{words} {had:?} {wants:?}"
            );
        }
    }
}
