//! The proof: a code that came out of the key, compared here, then checked by the server.

use keys::device::{Answer, Digits, HashAlgorithm, KeyError, Kind, Operation, ProofWay, Unlock};
use keys::otp;
use keys::secret::Seed;
use zeroize::Zeroizing;

use crate::enrollment::Order;
use crate::flow::Desk;
use crate::record::EnrollmentId;
use crate::refusal::{Code, Refusal};
use crate::server::{ServerCall, ServerFault, Verdict};
use crate::step::{KeyFault, Step, StepResult, Typed};
use crate::token::{TokenKind, TokenSerial};

/// How many HOTP counters the server looks ahead (privacyIDEA, `count_window` 10).
const LOOK_AHEAD: u64 = 10;

/// A code that came out of the key and fits the secret.
pub(crate) struct Matched {
    pub(crate) code: Zeroizing<String>,
    /// The HOTP counter it belongs to.
    pub(crate) counter: u64,
    /// How many attempts it took.
    pub(crate) attempts: u8,
}

/// Why no proof came.
pub(crate) enum NoProof {
    /// The key was pulled out.
    Gone,
    /// Too many attempts, or cancelled.
    Failed(Refusal),
}

/// Has the key give a code and compares it with the secret.
pub(crate) async fn of_key(
    desk: &Desk,
    order: &Order,
    way: ProofWay,
    seed: &Seed,
    label: &str,
) -> Result<Matched, NoProof> {
    let profile = &order.profile;
    let mut last = Refusal::new(Code::NotTouched, "");
    for attempt in 1..=profile.attempts {
        if desk.cancelled() {
            return Err(NoProof::Failed(Refusal::new(Code::Cancelled, "")));
        }
        let typed = match way {
            ProofWay::Returned { .. } => returned(desk, order, label).await?,
            way => {
                let until = desk.now().monotonic + profile.touch;
                let step = Step::AwaitTyped { way, until, attempt, attempts: profile.attempts };
                match desk.ask(step).await {
                    StepResult::Typed(Ok(typed)) => typed,
                    StepResult::Typed(Err(KeyFault::Gone)) => return Err(NoProof::Gone),
                    StepResult::Typed(Err(fault)) => {
                        last = Refusal::new(Code::KeySilent, fault.to_string());
                        continue;
                    }
                    _ => {
                        return Err(NoProof::Failed(Refusal::new(
                            Code::Internal,
                            "waiting for a code was answered by something else",
                        )));
                    }
                }
            }
        };
        match typed {
            Typed::Nothing => last = Refusal::new(Code::NotTouched, attempts_word(attempt)),
            Typed::Unfit => last = Refusal::new(Code::WrongCode, attempts_word(attempt)),
            Typed::Code(code) => match counter_of(seed, &code, profile.digits) {
                Some(counter) => return Ok(Matched { code, counter, attempts: attempt }),
                None => last = Refusal::new(Code::WrongCode, attempts_word(attempt)),
            },
        }
    }
    if desk.cancelled() {
        last = Refusal::new(Code::Cancelled, "");
    }
    Err(NoProof::Failed(last))
}

/// Asks a key that returns its codes.
async fn returned(desk: &Desk, order: &Order, label: &str) -> Result<Typed, NoProof> {
    let profile = &order.profile;
    let challenge = match profile.kind {
        Kind::Hotp => Vec::new(),
        _ => (desk.now().unix.as_secs() / 30).to_be_bytes().to_vec(),
    };
    let operation = Operation::AskCode {
        slot: profile.slot,
        kind: profile.kind,
        challenge,
        digits: profile.digits,
        label: label.to_owned(),
        unlock: Unlock::None,
    };
    match desk.key(operation).await {
        Ok(Answer::Code(code)) => Ok(Typed::Code(Zeroizing::new(code))),
        Ok(_) => Ok(Typed::Unfit),
        Err(KeyFault::Gone) => Err(NoProof::Gone),
        Err(KeyFault::Protocol(KeyError::NotTouched)) => Ok(Typed::Nothing),
        Err(_) => Ok(Typed::Unfit),
    }
}

fn attempts_word(attempts: u8) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}

/// Which counter a code belongs to, among those that the server would accept of a new token.
fn counter_of(seed: &Seed, code: &str, digits: Digits) -> Option<u64> {
    (0..LOOK_AHEAD).find(|counter| {
        let expected = Zeroizing::new(otp::hotp(seed, *counter, digits, HashAlgorithm::Sha1));
        expected.as_str() == code
    })
}

/// What the server made of the proof.
pub(crate) enum Checked {
    /// It agrees; the token counts now.
    Accepted,
    /// It does not.
    Rejected(Refusal),
    /// It could not be found out.
    Unknown(Refusal),
}

/// Has the server check a code that fits.
///
/// A token in state *verify* is finished by it. Any other is enabled first, since
/// the server checks no code of a disabled token; that is safe here, because the
/// key has just shown that it answers.
pub(crate) async fn by_server(
    desk: &Desk,
    id: EnrollmentId,
    serial: &TokenSerial,
    kind: TokenKind,
    unverified: bool,
    matched: &Matched,
) -> Checked {
    if !unverified && let Err(refusal) = desk.done(id, ServerCall::Enable(serial.clone())).await {
        return Checked::Unknown(refusal);
    }
    let mut lost = false;
    let mut attempt = 0;
    loop {
        let code = matched.code.clone();
        let call = if unverified {
            ServerCall::Verify { serial: serial.clone(), kind, code }
        } else {
            ServerCall::Check { serial: serial.clone(), code }
        };
        let (refusal, again) = match desk.verdict(call).await {
            Ok(Verdict::Accepted) => return Checked::Accepted,
            Ok(Verdict::Rejected(words)) => (Refusal::new(Code::CodeRejected, words), None),
            Err(ServerFault::Refused { code, detail }) => (Refusal::new(code, detail), None),
            Err(fault) => {
                lost |= matches!(fault, ServerFault::Unknown { .. });
                let again = desk.wait_after(id, &fault, attempt).await;
                (Refusal::new(fault.code(), fault.detail()), Some(again))
            }
        };
        // A request whose answer was lost may have used the code up, were it late: then
        // the server has moved on, and rightly rejects the same code.
        if lost {
            match desk.look(id, serial).await {
                Ok(None) => return Checked::Rejected(Refusal::new(Code::TokenVanished, serial.to_string())),
                Ok(Some(view)) => {
                    let moved_on = !view.unverified && view.active && view.counter > matched.counter;
                    if moved_on {
                        return Checked::Accepted;
                    }
                }
                Err(refusal) => return Checked::Unknown(Refusal::new(Code::OutcomeUnknown, refusal.detail)),
            }
        }
        match again {
            None => return Checked::Rejected(refusal),
            Some(false) => return Checked::Unknown(refusal),
            Some(true) => attempt += 1,
        }
    }
}
