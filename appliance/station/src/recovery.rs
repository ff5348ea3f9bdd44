//! What a journal record means after a power cut, and what is done about it.
//!
//! | newest record | what may be | recovery |
//! |---|---|---|
//! | `planned` | a token of ours may exist, and may count | delete it |
//! | `registered` | the token exists; the slot may hold the secret | delete it; the slot is ours, unfinished |
//! | `written` | as before; the token may count, since the key was proven | the same |
//! | `proven` | the token counts and its key answers | finish forward |
//! | `undoing` | the token may be gone, the slot may be empty | delete it; the slot is ours, unfinished |
//! | `done`, `undone` | final | nothing |
//!
//! A slot that is *ours, unfinished* may be written at the next insertion of the
//! same key without asking anybody. Recovery deletes no token but one that bears
//! the enrollment's name, and may itself be cut short at any step.

use std::sync::Arc;

use keys::secret::Pin;

use crate::flow::{Desk, Flow, Next, Part};
use crate::lag::Patience;
use crate::record::{Record, Remains, State};
use crate::refusal::{Code, Refusal};
use crate::server::{ServerCall, TokenView};
use crate::step::{Now, Phase};

/// What became of one unfinished enrollment.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Its newest record.
    pub record: Record,
    /// Why it is still not final.
    pub left: Option<Refusal>,
}

/// Puts right what was unfinished when the station stopped. Needs no key; what a
/// key still holds is dealt with when it is inserted.
///
/// An enrollment that cannot be settled now stays as it is, for the next time.
#[must_use]
pub fn recover(unfinished: Vec<Record>, now: Now) -> Next<Vec<Settled>> {
    Flow::start(now, move |desk| async move {
        desk.enter(Phase::Recovering);
        let mut settled = Vec::with_capacity(unfinished.len());
        for mut record in unfinished {
            let left = settle(&desk, &mut record).await.err();
            settled.push(Settled { record, left });
        }
        settled
    })
}

/// Puts one enrollment right.
pub(crate) fn settle<'a>(desk: &'a Desk, record: &'a mut Record) -> Part<'a, Result<(), Refusal>> {
    Box::pin(async move {
        match record.state {
            State::Done | State::Undone => Ok(()),
            State::Proven => match resume(desk, record).await {
                Ok(()) => Ok(()),
                Err(Unfinished::Later(refusal)) => Err(refusal),
                Err(Unfinished::Impossible(refusal)) => {
                    record.reason = Some(refusal.code);
                    take_back(desk, record).await
                }
            },
            State::Planned | State::Registered | State::Written | State::Undoing => {
                take_back(desk, record).await
            }
        }
    })
}

async fn take_back(desk: &Desk, record: &mut Record) -> Result<(), Refusal> {
    if record.remains == Remains::Secret {
        record.remains = Remains::Perhaps;
    }
    if record.state != State::Undoing {
        record.reason = record.reason.or(Some(Code::OutcomeUnknown));
        desk.record(record, State::Undoing).await?;
    }
    desk.withdraw(record.enrollment, &record.token, Patience::Recovery).await?;
    desk.record(record, State::Undone).await
}

/// Why a proven enrollment is not done.
pub(crate) enum Unfinished {
    /// It can be done later.
    Later(Refusal),
    /// It can never be done.
    Impossible(Refusal),
}

/// Takes up a proven enrollment after a restart.
async fn resume(desk: &Desk, record: &mut Record) -> Result<(), Unfinished> {
    let ours = |view: &TokenView| view.enrollment == Some(record.enrollment);
    match desk.look_until(record.enrollment, &record.token, Patience::Recovery, ours).await {
        Ok(Some(view)) if view.enrollment == Some(record.enrollment) => finish(desk, record, view).await,
        Ok(_) => Err(Unfinished::Impossible(Refusal::new(Code::TokenVanished, record.token.to_string()))),
        Err(refusal) => Err(Unfinished::Later(refusal)),
    }
}

/// Brings a proven enrollment, whose token is as in `view`, to its end. Every step may be repeated.
async fn finish(desk: &Desk, record: &mut Record, view: TokenView) -> Result<(), Unfinished> {
    // The PIN was in RAM alone. The token has it; where a rule wants to see it once more, it cannot be done.
    forward(desk, record, view, None).await?;
    done(desk, record).await.map_err(Unfinished::Later)
}

/// Says that an enrollment is done.
pub(crate) async fn done(desk: &Desk, record: &mut Record) -> Result<(), Refusal> {
    record.remains = Remains::Secret;
    desk.record(record, State::Done).await
}

/// Lets the token of a proven enrollment count for its person. Every step may be repeated.
pub(crate) async fn forward(
    desk: &Desk,
    record: &Record,
    view: TokenView,
    pin: Option<Arc<Pin>>,
) -> Result<(), Unfinished> {
    owned(desk, record, view, pin).await?;
    noted(desk, record).await;
    Ok(())
}

/// Lets the token count and gives it to its person.
pub(crate) async fn owned(
    desk: &Desk,
    record: &Record,
    view: TokenView,
    pin: Option<Arc<Pin>>,
) -> Result<(), Unfinished> {
    if !view.active {
        let enable = ServerCall::Enable(record.token.clone());
        desk.done(record.enrollment, enable).await.map_err(Unfinished::Later)?;
    }
    assign(desk, record, view, pin).await
}

/// Notes at the token where and by whom it was made.
pub(crate) async fn noted(desk: &Desk, record: &Record) {
    let notes = vec![("enrollment.port", record.port.clone()), ("enrollment.by", record.actor.to_string())];
    // The facts are a courtesy to people who look at the token; a server that does
    // not take them (right `settokeninfo`) does not make the key any worse.
    let note = ServerCall::Note { serial: record.token.clone(), notes };
    let _ = desk.done(record.enrollment, note).await;
}

async fn assign(
    desk: &Desk,
    record: &Record,
    view: TokenView,
    pin: Option<Arc<Pin>>,
) -> Result<(), Unfinished> {
    let Some(person) = &record.person else {
        return Ok(());
    };
    let is_theirs = |view: &TokenView| view.owner.as_ref().is_some_and(|owner| owner.is(person));
    if is_theirs(&view) {
        return Ok(());
    }
    let id = record.enrollment;
    let call = ServerCall::Assign { serial: record.token.clone(), person: person.clone(), pin };
    let refusal = match desk.done(id, call).await {
        // A server that divides names elsewhere than others has given it to somebody else.
        Ok(()) if person.user.contains(['@', '\\']) => {
            Refusal::new(Code::AssignRefused, "the server gave it to somebody else")
        }
        Ok(()) => return Ok(()),
        Err(refusal) => refusal,
    };
    // A repeated assignment is refused even to the same person: ask whose it is now. Where it was
    // refused for another reason, nothing is going to show.
    let lasting = !matches!(refusal.code, Code::RegistrationRefused | Code::AssignRefused);
    let shows = |view: &TokenView| is_theirs(view) || lasting;
    match desk.look_until(id, &record.token, Patience::AtTheDesk, shows).await {
        Ok(Some(view)) if is_theirs(&view) => Ok(()),
        Ok(_) if is_temporary(refusal.code) => Err(Unfinished::Later(refusal)),
        Ok(_) => {
            let code = if refusal.code == Code::PersonUnknown { refusal.code } else { Code::AssignRefused };
            Err(Unfinished::Impossible(Refusal::new(code, format!("{person}: {}", refusal.detail))))
        }
        Err(refusal) => Err(Unfinished::Later(refusal)),
    }
}

/// Whether a refusal may be gone when the server is asked again later.
const fn is_temporary(code: Code) -> bool {
    matches!(
        code,
        Code::ServerUnreachable
            | Code::CertificateUntrusted
            | Code::CertificateExpired
            | Code::CertificateWrongHost
            | Code::ClockWrong
            | Code::PinMismatch
            | Code::TlsFailed
            | Code::WrongCredentials
            | Code::PasswordHeld
            | Code::NotAnAdministrator
            | Code::SessionRefused
            | Code::NoCredential
            | Code::OutcomeUnknown
            | Code::ServerFault
            | Code::ServerBusy
            | Code::AnswerUnreadable
    )
}
