//! The proof: a code that came out of the key, compared here, then checked by the server.

use core::time::Duration;

use keys::device::{Answer, Guard, HashAlgorithm, KeyError, Kind, Operation, ProofWay, Unlock};
use keys::otp;
use keys::secret::Seed;
use keys::yubikey::yubico_otp::TypedOtp;
use zeroize::Zeroizing;

use crate::engine::flow::FlowContext;
use crate::engine::lag::Patience;
use crate::engine::material::Material;
use crate::engine::outcome::{Order, ProofKind};
use crate::engine::record::{EnrollmentId, Record};
use crate::engine::server::{LOOK_AHEAD, ServerCall, ServerFault, TokenView, Verdict};
use crate::engine::step::{KeyFault, Step, StepResult, Typed};
use crate::engine::torn::{self, Attempt, Attempts, Unfit};
use crate::profile::Profile;
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// How often a machine that does not know the token is asked again: see [`crate::engine::lag`].
const UNHEARD: usize = 8;

/// A code that came out of the key and fits the secret.
pub(crate) struct Matched {
    /// What the server is asked about.
    pub(crate) code: Zeroizing<String>,
    /// What it is the code of.
    pub(crate) moving: Moving,
    /// How many attempts it took.
    pub(crate) attempts: u8,
    /// What was proven by it.
    pub(crate) kind: ProofKind,
}

/// What moves a code on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moving {
    /// The counter of HOTP, and of Yubico OTP: use counter times 256 plus session use.
    Counter(u64),
    /// The time step of TOTP.
    Step(u64),
    /// Nothing: a password stays as it is.
    Nothing,
}

impl Moving {
    /// What is known of a code that nobody can decipher here: that a server which
    /// takes it moves on from this counter.
    pub(crate) const fn since(kind: Kind, counter: u64) -> Self {
        match kind {
            Kind::StaticPassword => Self::Nothing,
            _ => Self::Counter(counter),
        }
    }

    /// The counter, or the step.
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Counter(number) | Self::Step(number) => number,
            Self::Nothing => 0,
        }
    }

    /// Whether a server whose token is at `counter` must have seen this code: it keeps
    /// the next counter of HOTP and Yubico OTP, and the last step of TOTP (privacyIDEA,
    /// lib/tokens/hotptoken.py, yubikeytoken.py, totptoken.py).
    pub(crate) const fn was_seen(self, counter: u64) -> bool {
        match self {
            Self::Counter(code) => counter > code,
            Self::Step(code) => counter >= code,
            Self::Nothing => false,
        }
    }

    /// Whether a server whose token is at `counter` can have accepted this code.
    pub(crate) const fn may_be_seen(self, counter: u64) -> bool {
        matches!(self, Self::Nothing) || self.was_seen(counter)
    }
}

/// Why no proof came.
pub(crate) enum NoProof {
    /// The key was pulled out.
    Gone,
    /// Too many attempts, or cancelled.
    Failed(Refusal),
}

/// What a key gave when it was asked for a code.
pub(crate) struct Gathered {
    /// The text, or why there is none.
    pub(crate) text: Result<Zeroizing<String>, Code>,
    /// The time step at which it was asked for.
    pub(crate) step: u64,
}

/// What a proof by a credential of that kind is.
pub(crate) const fn kind_of(kind: Kind) -> ProofKind {
    match kind {
        Kind::Totp => ProofKind::Totp,
        Kind::ChallengeResponse => ProofKind::Response,
        Kind::YubicoOtp => ProofKind::YubicoOtp,
        Kind::StaticPassword => ProofKind::Password,
        Kind::Hotp => ProofKind::Hotp,
    }
}

/// How a key that was programmed by this profile gives its proof.
pub(crate) fn way(ability: ProofWay, profile: &Profile) -> ProofWay {
    match ability {
        ProofWay::Returned { touch } => ProofWay::Returned { touch: touch || profile.guard == Guard::Touch },
        way => way,
    }
}

/// Has the key give a code and compares it with the secret.
pub(crate) async fn of_key(
    cx: &FlowContext,
    order: &Order,
    ability: ProofWay,
    material: &Material,
    record: &Record,
) -> Result<Matched, NoProof> {
    let profile = &order.profile;
    let (way, label) = (way(ability, profile), order.label(&record.token));
    let mut last = Refusal::new(Code::NotTouched, "");
    let mut attempts = Attempts::of(profile);
    while let Some(attempt) = attempts.next() {
        if cx.cancelled() {
            return Err(NoProof::Failed(Refusal::new(Code::Cancelled, "")));
        }
        let Gathered { text, step } = gather(cx, profile, way, &label, attempt).await?;
        let code = match text {
            Ok(text) => match matching(material, &text, profile, record, step) {
                Some((code, moving)) => {
                    let kind = kind_of(profile.kind);
                    return Ok(Matched { code, moving, attempts: attempt.number, kind });
                }
                None if matches!(way, ProofWay::Returned { .. }) => Code::WrongCode,
                None => match torn::of_material(material, &text, profile, record, step) {
                    Unfit::Wrong => Code::WrongCode,
                    Unfit::Torn => {
                        attempts.torn();
                        Code::CodeTorn
                    }
                    Unfit::Checksum => {
                        attempts.torn();
                        Code::WrongCode
                    }
                },
            },
            Err(code) => code,
        };
        last = Refusal::new(code, attempts.in_words());
    }
    if cx.cancelled() {
        last = Refusal::new(Code::Cancelled, "");
    }
    Err(NoProof::Failed(last))
}

/// Has the key give a code, by a touch or because it is asked.
pub(crate) async fn gather(
    cx: &FlowContext,
    profile: &Profile,
    way: ProofWay,
    label: &str,
    attempt: Attempt,
) -> Result<Gathered, NoProof> {
    let step = cx.now().unix.as_secs() / u64::from(profile.period.max(1));
    if let ProofWay::Returned { .. } = way {
        let text = returned(cx, profile, label, step).await?;
        return Ok(Gathered { text, step });
    }
    let until = cx.now().monotonic + profile.touch;
    let Attempt { number: attempt, torn } = attempt;
    let wanted = Step::AwaitTyped { way, until, attempt, attempts: profile.attempts, torn };
    let text = match cx.ask(wanted).await {
        StepResult::Typed(Ok(Typed::Code(text))) => Ok(text),
        StepResult::Typed(Ok(Typed::Unfit)) => Err(Code::WrongCode),
        StepResult::Typed(Ok(Typed::Nothing)) => Err(Code::NotTouched),
        StepResult::Typed(Err(KeyFault::Gone)) => return Err(NoProof::Gone),
        StepResult::Typed(Err(_)) => Err(Code::KeySilent),
        _ => {
            return Err(NoProof::Failed(Refusal::new(
                Code::Internal,
                "waiting for a code was answered by something else",
            )));
        }
    };
    Ok(Gathered { text, step })
}

/// Asks a key that returns its codes.
async fn returned(
    cx: &FlowContext,
    profile: &Profile,
    label: &str,
    step: u64,
) -> Result<Result<Zeroizing<String>, Code>, NoProof> {
    let (kind, challenge) = match profile.kind {
        Kind::Hotp => (Kind::Hotp, Vec::new()),
        // The answer to the time step, cut to digits, is the TOTP code.
        Kind::Totp | Kind::ChallengeResponse | Kind::YubicoOtp | Kind::StaticPassword => {
            (Kind::Totp, step.to_be_bytes().to_vec())
        }
    };
    let operation = Operation::AskCode {
        slot: profile.slot,
        kind,
        challenge,
        digits: profile.digits,
        label: label.to_owned(),
        unlock: Unlock::None,
    };
    match cx.key(operation).await {
        Ok(Answer::Code(code)) => Ok(Ok(code.into_text())),
        Err(KeyFault::Gone) => Err(NoProof::Gone),
        Err(KeyFault::Protocol(KeyError::NotTouched)) => Ok(Err(Code::NotTouched)),
        Ok(_) | Err(_) => Ok(Err(Code::WrongCode)),
    }
}

/// The code in a text that came out of the key, and what it is the code of; `None` for
/// a text that the secret does not give.
fn matching(
    material: &Material,
    text: &str,
    profile: &Profile,
    record: &Record,
    step: u64,
) -> Option<(Zeroizing<String>, Moving)> {
    let owned = |code: &str| Zeroizing::new(code.to_owned());
    match material {
        Material::Seed(seed) => {
            let id = match profile.kind {
                Kind::Hotp => profile.token_id.as_ref().and_then(|id| id.of(record.key)),
                _ => None,
            };
            let code = match id {
                Some(id) => text.strip_prefix(id.text().as_str())?,
                None => text,
            };
            Some((owned(code), moving_of(seed, code, profile, step)?))
        }
        Material::Yubico { key, private_id, public_id } => {
            let typed = TypedOtp::parse(text).ok()?;
            let token = typed.decrypt(key).ok()?;
            let ours = typed.public_id() == public_id && token.private_id.same_as(private_id);
            let count = u64::from(token.powered_up()) * 256 + u64::from(token.session_use);
            // As keys type it: older servers take lower case only.
            ours.then(|| (Zeroizing::new(typed.text()), Moving::Counter(count)))
        }
        Material::Password(password) => (text == password.expose()).then(|| (owned(text), Moving::Nothing)),
    }
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
    cx: &FlowContext,
    id: EnrollmentId,
    serial: &TokenSerial,
    kind: TokenKind,
    unverified: bool,
    matched: &Matched,
) -> Checked {
    let first = ask(cx, id, serial, kind, unverified, matched).await;
    if unverified || matches!(first, Checked::Unknown(_)) {
        return first;
    }
    match (cx.done(id, ServerCall::Enable(serial.clone())).await, first) {
        (Err(refusal), _) => Checked::Unknown(refusal),
        (Ok(()), Checked::Accepted) => Checked::Accepted,
        (Ok(()), _) => ask(cx, id, serial, kind, unverified, matched).await,
    }
}

pub(crate) async fn ask(
    cx: &FlowContext,
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
        let (refusal, again) = match cx.verdict(call).await {
            Ok(Verdict::Accepted) => return Checked::Accepted,
            Ok(Verdict::Rejected(words)) => (Refusal::new(Code::CodeRejected, words), None),
            // A machine that has not heard of the token yet is asked again.
            Err(ServerFault::Refused { code: Code::TokenVanished, detail })
                if attempt < UNHEARD && cx.lag() > Duration::ZERO =>
            {
                cx.pause(id, Duration::from_secs(1)).await;
                (Refusal::new(Code::TokenVanished, detail), Some(true))
            }
            Err(ServerFault::Refused { code, detail }) => (Refusal::new(code, detail), None),
            Err(fault) => {
                lost |= matches!(fault, ServerFault::Unknown { .. });
                let again = cx.wait_after(id, &fault, attempt).await;
                (Refusal::new(fault.code(), fault.detail()), Some(again))
            }
        };
        // A request whose answer was lost may have used the code up, were it late: then
        // the server has moved on, and rightly rejects the same code.
        if lost {
            // While it can be asked again, it need only show at all; after that, the last word is what shows.
            let moved_on = |view: &TokenView| !view.unverified && matched.moving.was_seen(view.counter);
            let fits = |view: &TokenView| again == Some(true) || moved_on(view);
            match cx.look_until(id, serial, Patience::AtTheDesk, fits).await {
                Ok(None) => return Checked::Rejected(Refusal::new(Code::TokenVanished, serial.to_string())),
                Ok(Some(view)) => {
                    if moved_on(&view) {
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
#[path = "proof_tests.rs"]
pub(crate) mod what_counts;

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
        assert!(!Moving::Nothing.was_seen(9) && Moving::Nothing.may_be_seen(0));
    }
}
