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

use crate::engine::flow::{Flow, FlowContext, Next, Part};
use crate::engine::lag::Patience;
use crate::engine::record::{Record, Remains, State};
use crate::engine::server::{ServerCall, TokenView};
use crate::engine::step::{Now, Phase};
use crate::refusal::{Code, Refusal};

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
pub fn recover(unfinished: Vec<Record>, now: Now) -> Next<Vec<Settled>> {
    Flow::start(now, move |cx| async move {
        cx.enter(Phase::Recovering);
        let mut settled = Vec::with_capacity(unfinished.len());
        for mut record in unfinished {
            let left = settle(&cx, &mut record).await.err();
            settled.push(Settled { record, left });
        }
        settled
    })
}

/// Puts one enrollment right.
pub(crate) fn settle<'a>(cx: &'a FlowContext, record: &'a mut Record) -> Part<'a, Result<(), Refusal>> {
    Box::pin(async move {
        match record.state {
            State::Done | State::Undone => Ok(()),
            State::Proven => match resume(cx, record).await {
                Ok(()) => Ok(()),
                Err(Unfinished::Later(refusal)) => Err(refusal),
                Err(Unfinished::Impossible(refusal)) => {
                    record.reason = Some(refusal.code);
                    take_back(cx, record).await
                }
            },
            State::Planned | State::Registered | State::Written | State::Undoing => {
                take_back(cx, record).await
            }
        }
    })
}

async fn take_back(cx: &FlowContext, record: &mut Record) -> Result<(), Refusal> {
    if record.remains == Remains::Secret {
        record.remains = Remains::Perhaps;
    }
    if record.state != State::Undoing {
        record.reason = record.reason.or(Some(Code::OutcomeUnknown));
        cx.record(record, State::Undoing).await?;
    }
    cx.withdraw(record.enrollment, &record.token, Patience::Recovery).await?;
    cx.record(record, State::Undone).await
}

/// Why a proven enrollment is not done.
pub(crate) enum Unfinished {
    /// It can be done later.
    Later(Refusal),
    /// It can never be done.
    Impossible(Refusal),
}

/// Takes up a proven enrollment after a restart.
async fn resume(cx: &FlowContext, record: &mut Record) -> Result<(), Unfinished> {
    let ours = |view: &TokenView| view.enrollment == Some(record.enrollment);
    match cx.look_until(record.enrollment, &record.token, Patience::Recovery, ours).await {
        Ok(Some(view)) if view.enrollment == Some(record.enrollment) => finish(cx, record, view).await,
        Ok(_) => Err(Unfinished::Impossible(Refusal::new(Code::TokenVanished, record.token.to_string()))),
        Err(refusal) => Err(Unfinished::Later(refusal)),
    }
}

/// Brings a proven enrollment, whose token is as in `view`, to its end. Every step may be repeated.
async fn finish(cx: &FlowContext, record: &mut Record, view: TokenView) -> Result<(), Unfinished> {
    // The PIN was in RAM alone. The token has it; where a rule wants to see it once more, it cannot be done.
    forward(cx, record, view, None).await?;
    done(cx, record).await.map_err(Unfinished::Later)
}

/// Says that an enrollment is done.
pub(crate) async fn done(cx: &FlowContext, record: &mut Record) -> Result<(), Refusal> {
    record.remains = Remains::Secret;
    cx.record(record, State::Done).await
}

/// Lets the token of a proven enrollment count for its person. Every step may be repeated.
pub(crate) async fn forward(
    cx: &FlowContext,
    record: &Record,
    view: TokenView,
    pin: Option<Arc<Pin>>,
) -> Result<(), Unfinished> {
    owned(cx, record, view, pin).await?;
    noted(cx, record).await;
    Ok(())
}

/// Lets the token count and gives it to its person.
pub(crate) async fn owned(
    cx: &FlowContext,
    record: &Record,
    view: TokenView,
    pin: Option<Arc<Pin>>,
) -> Result<(), Unfinished> {
    if !view.active {
        let enable = ServerCall::Enable(record.token.clone());
        cx.done(record.enrollment, enable).await.map_err(Unfinished::Later)?;
    }
    assign(cx, record, view, pin).await
}

/// Notes at the token where and by whom it was made.
pub(crate) async fn noted(cx: &FlowContext, record: &Record) {
    let notes = vec![("enrollment.port", record.port.clone()), ("enrollment.by", record.actor.to_string())];
    // The facts are a courtesy to people who look at the token; a server that does
    // not take them (right `settokeninfo`) does not make the key any worse.
    let note = ServerCall::Note { serial: record.token.clone(), notes };
    let _ = cx.done(record.enrollment, note).await;
}

async fn assign(
    cx: &FlowContext,
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
    let refusal = match cx.done(id, call).await {
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
    match cx.look_until(id, &record.token, Patience::AtTheDesk, shows).await {
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
