//! The proof: a code that came out of the key, compared here, then checked by the server.

use keys::device::{Answer, HashAlgorithm, KeyError, Kind, Operation, ProofWay, Unlock};
use keys::otp;
use keys::secret::Seed;
use zeroize::Zeroizing;

use crate::enrollment::Order;
use crate::flow::Desk;
use crate::profile::Profile;
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
    /// What it is the code of.
    pub(crate) moving: Moving,
    /// How many attempts it took.
    pub(crate) attempts: u8,
}

/// What moves a code on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moving {
    /// The counter of HOTP.
    Counter(u64),
    /// The time step of TOTP.
    Step(u64),
}

impl Moving {
    /// The counter, or the step.
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Counter(number) | Self::Step(number) => number,
        }
    }

    /// Whether a server whose token is at `counter` has seen this code: it keeps
    /// the next counter of HOTP, and the last step of TOTP (privacyIDEA,
    /// lib/tokens/hotptoken.py, totptoken.py).
    pub(crate) const fn was_seen(self, counter: u64) -> bool {
        match self {
            Self::Counter(code) => counter > code,
            Self::Step(code) => counter >= code,
        }
    }
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
        let step = desk.now().unix.as_secs() / u64::from(profile.period.max(1));
        let typed = match way {
            ProofWay::Returned { .. } => returned(desk, order, label, step).await?,
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
            Typed::Code(code) => match moving_of(seed, &code, profile, step) {
                Some(moving) => return Ok(Matched { code, moving, attempts: attempt }),
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
async fn returned(desk: &Desk, order: &Order, label: &str, step: u64) -> Result<Typed, NoProof> {
    let profile = &order.profile;
    let challenge = match profile.kind {
        Kind::Hotp => Vec::new(),
        _ => step.to_be_bytes().to_vec(),
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

/// What a code is the code of: the time step that was asked for, or a counter among
/// those that the server would accept of a new token.
fn moving_of(seed: &Seed, code: &str, profile: &Profile, step: u64) -> Option<Moving> {
    let is =
        |number: u64, hash| Zeroizing::new(otp::hotp(seed, number, profile.digits, hash)).as_str() == code;
    match profile.kind {
        Kind::Hotp => (0..LOOK_AHEAD).find(|counter| is(*counter, HashAlgorithm::Sha1)).map(Moving::Counter),
        _ => is(step, profile.hash).then_some(Moving::Step(step)),
    }
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

/// Has the server check a code that fits, and then lets the token count.
///
/// A token in state *verify* is finished by its code. Any other is still disabled:
/// the server checks its code all the same when it is asked for the OTP alone
/// (privacyIDEA 3.9 to 3.14, eduMFA 2.9), and only then the token is enabled. A
/// server that rejects the code of a disabled token is asked once more with the
/// token enabled; that is safe, because the key has just shown that it answers.
pub(crate) async fn by_server(
    desk: &Desk,
    id: EnrollmentId,
    serial: &TokenSerial,
    kind: TokenKind,
    unverified: bool,
    matched: &Matched,
) -> Checked {
    let first = ask(desk, id, serial, kind, unverified, matched).await;
    if unverified || matches!(first, Checked::Unknown(_)) {
        return first;
    }
    match (desk.done(id, ServerCall::Enable(serial.clone())).await, first) {
        (Err(refusal), _) => Checked::Unknown(refusal),
        (Ok(()), Checked::Accepted) => Checked::Accepted,
        (Ok(()), _) => ask(desk, id, serial, kind, unverified, matched).await,
    }
}

async fn ask(
    desk: &Desk,
    id: EnrollmentId,
    serial: &TokenSerial,
    kind: TokenKind,
    unverified: bool,
    matched: &Matched,
) -> Checked {
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
                    let moved_on = !view.unverified && matched.moving.was_seen(view.counter);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hotp_may_be_a_few_codes_on_and_totp_is_the_step_that_was_asked_for() {
        let seed = Seed::new(b"12345678901234567890").unwrap();
        let hotp = Profile::new(Kind::Hotp);
        assert_eq!(moving_of(&seed, "755224", &hotp, 7), Some(Moving::Counter(0)));
        assert_eq!(moving_of(&seed, "520489", &hotp, 7), Some(Moving::Counter(9)));
        assert_eq!(moving_of(&seed, "000000", &hotp, 7), None);
        let totp = Profile::new(Kind::Totp);
        assert_eq!(moving_of(&seed, "287082", &totp, 1), Some(Moving::Step(1)));
        assert_eq!(moving_of(&seed, "287082", &totp, 2), None);
        let sha256 = Profile { hash: HashAlgorithm::Sha256, ..totp };
        assert_eq!(moving_of(&seed, "287082", &sha256, 1), None);
    }

    #[test]
    fn the_server_keeps_the_next_counter_and_the_last_step() {
        assert!(!Moving::Counter(3).was_seen(3) && Moving::Counter(3).was_seen(4));
        assert!(!Moving::Step(3).was_seen(2) && Moving::Step(3).was_seen(3));
    }
}
