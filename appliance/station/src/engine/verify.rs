//! Verify: does the key still answer for its token? The key gives a code, the server
//! checks it; nothing is changed but that the code is used up.
//!
//! A wrong code counts at the server's fail counter, so only one is sent.

use keys::device::{KeyInfo, KeySerial, Kind, Occupancy, ProofWay, Slot};
use zeroize::Zeroizing;

use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::key_order::{self, KeyOrder};
use crate::engine::lag::Patience;
use crate::engine::outcome::ProofKind;
use crate::engine::preflight;
use crate::engine::proof::{self, Checked, Gathered, Matched, Moving, NoProof};
use crate::engine::record::{EnrollmentId, Record};
use crate::engine::server::{Right, TokenView};
use crate::engine::step::{Now, Phase};
use crate::engine::torn::{self, Attempts};
use crate::profile::Profile;
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// What a verification found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What the key answered with, or why that is not known or not right.
    pub result: Result<Answered, Refusal>,
    /// What the key is, when that could be found out.
    pub key: Option<KeyInfo>,
    /// The token in question.
    pub token: Option<TokenSerial>,
    /// The token as the server showed it before: whose it is, whether it is enabled.
    pub view: Option<TokenView>,
    /// What the server calls itself.
    pub server: Option<String>,
}

/// A key that answers for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    pub kind: ProofKind,
    /// Whether the token counts: it is enabled and not waiting for anything.
    pub counts: bool,
    /// Whether the enrollment is one of this station.
    pub ours: bool,
}

/// Has the key in `key_order.port` give a code and the server check it.
pub fn verify(key_order: KeyOrder, now: Now) -> Next<Verified> {
    Flow::start(now, move |cx| async move {
        let mut verified = Verified {
            result: Err(Refusal::new(Code::Internal, "the verification did not run")),
            key: None,
            token: None,
            view: None,
            server: None,
        };
        verified.result = run(&cx, &key_order, &mut verified).await;
        verified
    })
}

/// What is asked of which slot.
struct Question {
    slot: Slot,
    kind: Kind,
    token: TokenSerial,
    view: TokenView,
    profile: Profile,
    /// The token id that the key types before its codes, where that is known.
    token_id: Option<String>,
    id: EnrollmentId,
    ours: bool,
}

async fn run(cx: &FlowContext, key_order: &KeyOrder, verified: &mut Verified) -> Result<Answered, Refusal> {
    cx.enter(Phase::Inspecting);
    let serial = key_order::inspect(cx, &mut verified.key).await?;
    let info = verified.key.clone().ok_or_else(|| Refusal::new(Code::Internal, ""))?;
    cx.enter(Phase::Checking);
    let records = cx.recall(serial).await?;
    if let Some(open) = records.iter().find(|record| !record.state.is_final()) {
        return Err(Refusal::new(Code::Unsettled, open.token.to_string()));
    }
    let record = key_order.meant(&records)?;
    let id = record.map_or(EnrollmentId::NONE, |record| record.enrollment);
    let readiness = cx.prepare(id).await?;
    verified.server = Some(readiness.product.clone());
    preflight::granted(&readiness, &[Right::List])?;
    let question = match record {
        Some(record) => of_record(cx, key_order, record).await?,
        None => of_server(cx, key_order, &info, serial).await?,
    };
    verified.token = Some(question.token.clone());
    verified.view = Some(question.view.clone());
    ask(cx, key_order, &info, question).await
}

async fn of_record(cx: &FlowContext, key_order: &KeyOrder, record: &Record) -> Result<Question, Refusal> {
    let (id, token) = (record.enrollment, record.token.clone());
    // What was enrolled a moment ago may not show yet.
    let shows = |view: &TokenView| view.enrollment == Some(id) || cx.shows_everywhere(record);
    let view = cx.look_until(id, &token, Patience::AtTheDesk, shows).await?;
    let Some(view) = view else {
        return Err(Refusal::new(Code::TokenVanished, token.to_string()));
    };
    let ours = view.enrollment == Some(id);
    let profile = key_order.profile_of(record);
    // Where the profile says something else by now, a torn code is one of another length, and not sent either.
    let token_id = profile.token_id.as_ref().and_then(|id| id.of(record.key)).map(|id| id.text());
    Ok(Question { slot: record.slot, kind: record.kind, token, view, profile, token_id, id, ours })
}

/// The journal knows nothing of the key: the server may, by the names that such keys' tokens have.
async fn of_server(
    cx: &FlowContext,
    key_order: &KeyOrder,
    info: &KeyInfo,
    serial: KeySerial,
) -> Result<Question, Refusal> {
    let id = EnrollmentId::NONE;
    for state in &info.slots {
        let slot = state.slot;
        if state.occupancy == Occupancy::Empty || key_order.slot.is_some_and(|wanted| wanted != slot) {
            continue;
        }
        let mut asked: Vec<TokenSerial> = Vec::new();
        for kind in state.abilities.iter().map(|ability| ability.kind) {
            let token = TokenSerial::of(serial, kind, slot);
            if asked.contains(&token) {
                continue;
            }
            if let Some(view) = cx.look(id, &token).await?
                && let Some(kind) = kind_of(&view, state.abilities.iter().map(|ability| ability.kind))
            {
                let profile = Profile { slot, ..Profile::new(kind) };
                return Ok(Question { slot, kind, token, view, profile, token_id: None, id, ours: false });
            }
            asked.push(token);
        }
    }
    Err(Refusal::new(Code::NothingEnrolled, format!("key {serial}; nor has the server a token of it")))
}

/// What must be in the slot for a token of that type.
fn kind_of(view: &TokenView, mut able: impl Iterator<Item = Kind>) -> Option<Kind> {
    able.find(|kind| TokenKind::of(*kind).word() == view.kind)
}

async fn ask(
    cx: &FlowContext,
    key_order: &KeyOrder,
    info: &KeyInfo,
    question: Question,
) -> Result<Answered, Refusal> {
    let Question { slot, kind, token, view, profile, token_id, id, ours } = question;
    let ability = info
        .ability(kind, slot)
        .ok_or_else(|| Refusal::new(Code::NoSuchSlot, format!("slot {slot} of {}", info.model)))?;
    let token_kind = TokenKind::of(kind);
    cx.enter(Phase::Proving);
    let label = profile.label_of(&key_order.server_name, token.as_str());
    let way = proof::way(ability.proof, &profile);
    let mut last = Refusal::new(Code::NotTouched, "");
    let mut attempts = Attempts::of(&profile);
    while let Some(attempt) = attempts.next() {
        if cx.cancelled() {
            return Err(Refusal::new(Code::Cancelled, ""));
        }
        let text = match proof::gather(cx, &profile, way, &label, attempt).await {
            Ok(Gathered { text: Ok(text), .. }) => text,
            Ok(Gathered { text: Err(code), .. }) => {
                last = Refusal::new(code, "");
                continue;
            }
            Err(NoProof::Gone) => return Err(Refusal::new(Code::PulledEarly, "")),
            Err(NoProof::Failed(refusal)) => return Err(refusal),
        };
        let typed = !matches!(way, ProofWay::Returned { .. });
        if typed && torn::of_unknown(text.trim_matches('\t'), kind, view.digits, token_id.as_deref()) {
            attempts.torn();
            last = Refusal::new(Code::CodeTorn, attempts.in_words());
            continue;
        }
        let Some(code) = likely(&text, kind, view.digits) else {
            last = Refusal::new(Code::WrongCode, "");
            continue;
        };
        // Which code it is only the server knows; that it was used shows by a counter that moved on.
        let (moving, kind) = (Moving::since(kind, view.counter), proof::kind_of(kind));
        let matched = Matched { code, moving, attempts: attempt.number, kind };
        return match proof::ask(cx, id, &token, token_kind, false, &matched).await {
            Checked::Accepted => Ok(Answered { kind, counts: view.active && !view.unverified, ours }),
            Checked::Rejected(refusal) | Checked::Unknown(refusal) => Err(refusal),
        };
    }
    Err(last)
}

/// The part of a typed text that can be the code. A token id in front of it is left out.
fn likely(text: &str, kind: Kind, digits: u32) -> Option<Zeroizing<String>> {
    let text = text.trim_matches('\t');
    let code = match kind {
        Kind::YubicoOtp | Kind::StaticPassword => text,
        _ => {
            let from = text.len().checked_sub(usize::try_from(digits).ok()?)?;
            text.get(from..).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?
        }
    };
    Some(Zeroizing::new(code.to_owned())).filter(|code| !code.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_is_left_out_and_other_text_is_no_code() {
        let code = |text, kind, digits| likely(text, kind, digits).map(|code| code.to_string());
        assert_eq!(code("755224", Kind::Hotp, 6).as_deref(), Some("755224"));
        assert_eq!(code("ubud00112233755224", Kind::Hotp, 6).as_deref(), Some("755224"));
        assert_eq!(code("75522", Kind::Hotp, 6), None);
        assert_eq!(code("75522c", Kind::Hotp, 6), None);
        assert_eq!(code("vvcbcdce", Kind::YubicoOtp, 8).as_deref(), Some("vvcbcdce"));
        assert_eq!(code("", Kind::StaticPassword, 0), None);
    }
}
