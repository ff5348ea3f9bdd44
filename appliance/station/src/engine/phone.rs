//! Enrolling a smartphone: a token is made, an app reads its secret from a QR code on
//! the operator's terminal, and the token counts when the app has given a right code.
//!
//! The order is that of keys, with a person in the key's place: *server first, phone second,
//! proof third, and a journal record before each*. Until the proof the token does not
//! count; wrong codes are limited, patience too, and then everything is taken back. In two steps, the
//! server makes a part of the secret, the app the other, and the operator types in what the
//! app shows.
//!
//! What an app computes is checked here before the server sees it, so that a wrong code costs
//! nothing there.

use core::time::Duration;
use std::sync::Arc;

use keys::device::{Family, HashAlgorithm, KeySerial, Kind, Slot};
use keys::otp;
use keys::secret::Seed;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::calls::{NotRegistered, SecondStep};
use crate::engine::enrollment::confirm;
use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::lag::Patience;
use crate::engine::outcome::{Ending, Order, Proof, ProofKind};
use crate::engine::preflight;
use crate::engine::proof::{Checked, Matched, Moving, by_server};
use crate::engine::record::{EnrollmentId, Record, Remains, State};
use crate::engine::recovery;
use crate::engine::server::{LOOK_AHEAD, Registration, ServerCall, TokenSecret, TwoStepTerms};
use crate::engine::step::{Now, Phase, Step, StepResult};
use crate::engine::undo::{self, Slot as Undone};
use crate::profile::{TwoStep, Verify};
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

pub(crate) mod component;
pub(crate) mod question;
pub(crate) mod uri;

pub use component::{Typo, read_component};
pub use question::{Question, WrongCode};
pub use uri::PhoneCode;

/// What stands in the journal where a key's serial would be. No YubiKey has it.
pub const NO_KEY: KeySerial = KeySerial { family: Family::YubiKeyOtp, number: 0 };

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneOutcome {
    /// The enrollment, when one was begun.
    pub enrollment: Option<EnrollmentId>,
    pub token: Option<TokenSerial>,
    pub ending: Ending,
}

/// How many steps of time a code may be late or early: it has to be read and typed.
const LATE: u64 = 2;
const EARLY: u64 = 1;

/// How far a phone's clock may be off for that to be seen: a day, for those with the wrong date.
const FURTHEST: u64 = 24 * 3600;

/// Enrolls a phone for the order's person. Its profile says kind (HOTP or TOTP), digits, hash,
/// period, two-step, and how many wrong answers are forgiven; `patience` is how long each
/// answer may take.
pub fn enroll<R>(order: Order, patience: Duration, now: Now, mut rng: R) -> Next<PhoneOutcome>
where
    R: CryptoRng + Send + 'static,
{
    Flow::start(now, move |cx| async move {
        let id = EnrollmentId::random(&mut rng);
        let token = serial(id);
        cx.enter(Phase::Checking);
        let kind = match checked(&cx, &order, id, &token).await {
            Ok(kind) => kind,
            Err(refusal) => {
                return PhoneOutcome { enrollment: None, token: None, ending: Ending::Refused(refusal) };
            }
        };
        let mut record = record(&order, id, token.clone());
        let ending = match cx.record(&mut record, State::Planned).await {
            Err(refusal) => Ending::Refused(refusal),
            Ok(()) => {
                let mut enrolling = Enrolling { cx: &cx, order: &order, kind, patience, record };
                match enrolling.transact(&mut rng).await {
                    Ok(proof) => Ending::Enrolled(proof),
                    Err(Failed::Undo(refusal)) => {
                        undo::all(&cx, &order, &mut enrolling.record, refusal, Undone::LeaveAlone).await
                    }
                    Err(Failed::Unasked(refusal)) => undo::unasked(&cx, &mut enrolling.record, refusal).await,
                    Err(Failed::Later(refusal)) => Ending::Postponed(refusal),
                }
            }
        };
        PhoneOutcome { enrollment: Some(id), token: Some(token), ending }
    })
}

/// `PHON` and twelve digits of the enrollment's name.
fn serial(id: EnrollmentId) -> TokenSerial {
    let digits: String = id.to_string().to_ascii_uppercase().chars().take(12).collect();
    TokenSerial::phone(&digits)
}

async fn checked(
    cx: &FlowContext,
    order: &Order,
    id: EnrollmentId,
    token: &TokenSerial,
) -> Result<TokenKind, Refusal> {
    let kind = match order.profile.kind {
        Kind::Totp => TokenKind::Totp,
        Kind::Hotp => TokenKind::Hotp,
        _ => return Err(Refusal::new(Code::InputInvalid, "phones take hotp and totp")),
    };
    if order.person.is_none() {
        return Err(Refusal::new(Code::InputInvalid, "a phone is somebody's: name the user"));
    }
    let readiness = cx.prepare(id).await?;
    preflight::rights(&readiness, kind, order)?;
    match cx.look(id, token).await? {
        Some(_) => Err(Refusal::new(Code::SerialTaken, token.to_string())),
        None => Ok(kind),
    }
}

fn record(order: &Order, id: EnrollmentId, token: TokenSerial) -> Record {
    Record {
        enrollment: id,
        state: State::Planned,
        at: Duration::ZERO,
        key: NO_KEY,
        slot: Slot(0),
        kind: order.profile.kind,
        // There is no slot that could hold anything.
        remains: Remains::Nothing,
        token,
        profile: order.profile_name.clone(),
        person: order.person.clone(),
        actor: order.actor.clone(),
        port: order.port.clone(),
        reason: None,
        given_up: None,
    }
}

/// Why it did not end well.
enum Failed {
    /// Everything is to be taken back.
    Undo(Refusal),
    /// The server has made nothing.
    Unasked(Refusal),
    /// Recovery finishes it.
    Later(Refusal),
}

impl From<NotRegistered> for Failed {
    fn from(failed: NotRegistered) -> Self {
        if failed.may_exist { Self::Undo(failed.refusal) } else { Self::Unasked(failed.refusal) }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Undo(refusal)
    }
}

/// What the server made.
struct Begun {
    seed: Arc<Seed>,
    terms: Option<TwoStepTerms>,
    unverified: bool,
}

struct Enrolling<'a> {
    cx: &'a FlowContext,
    order: &'a Order,
    kind: TokenKind,
    patience: Duration,
    record: Record,
}

impl Enrolling<'_> {
    async fn transact(&mut self, rng: &mut impl CryptoRng) -> Result<Proof, Failed> {
        let cx = self.cx;
        cx.enter(Phase::Registering);
        let begun = self.begin(rng).await?;
        let two_step = begun.terms.is_some();
        let mut unverified = begun.unverified;
        if !two_step {
            self.agree(unverified).await?;
        }
        cx.record(&mut self.record, State::Registered).await?;

        cx.enter(Phase::Writing);
        let profile = &self.order.profile;
        let token = &self.record.token;
        let code = PhoneCode::new(&self.order.server_name, token, profile, &begun.seed, begun.terms);
        let code = code.ok_or_else(|| Refusal::new(Code::Internal, "the secret does not fit a QR code"))?;
        match cx.ask(Step::ShowPhone(Box::new(code))).await {
            StepResult::Recorded => {}
            StepResult::NotRecorded(why) => return Err(Refusal::new(Code::Cancelled, why).into()),
            _ => return Err(confused()),
        }
        let mut seed = begun.seed;
        if let Some(terms) = begun.terms {
            (seed, unverified) = self.second_step(terms, &seed).await?;
            self.agree(unverified).await?;
        }
        cx.record(&mut self.record, State::Written).await?;

        cx.enter(Phase::Proving);
        let matched = self.code(&seed).await?;
        drop(seed);
        let (id, token) = (self.record.enrollment, self.record.token.clone());
        match by_server(cx, id, &token, self.kind, unverified, &matched).await {
            Checked::Accepted => {}
            Checked::Rejected(refusal) | Checked::Unknown(refusal) => return Err(refusal.into()),
        }
        let view = confirm(cx, &self.record, &matched).await?;
        cx.record(&mut self.record, State::Proven).await?;

        cx.enter(Phase::Finishing);
        match recovery::forward(cx, &self.record, view, self.order.pin.clone()).await {
            Ok(()) => {}
            Err(recovery::Unfinished::Impossible(refusal)) => return Err(refusal.into()),
            Err(recovery::Unfinished::Later(refusal)) => return Err(Failed::Later(refusal)),
        }
        recovery::done(cx, &mut self.record).await.map_err(Failed::Later)?;
        Ok(Proof {
            kind: matched.kind,
            counter: matched.moving.number(),
            attempts: matched.attempts,
            verified_by_policy: unverified,
            two_step,
        })
    }

    /// Makes the token: in one step with a seed of the station's, or whatever the server has
    /// instead, since an app takes any; or the first of two.
    async fn begin(&mut self, rng: &mut impl CryptoRng) -> Result<Begun, Failed> {
        let (cx, profile) = (self.cx, &self.order.profile);
        let (id, token) = (self.record.enrollment, self.record.token.clone());
        if profile.two_step != TwoStep::Never {
            let first = self.registration(TokenSecret::TwoStep);
            let begun = cx.register(id, &token, first).await?;
            let terms = begun.two_step.filter(|_| !begun.unverified);
            if let (Some(terms), Some(TokenSecret::Seed(seed))) = (terms, begun.echo) {
                terms.check(64)?;
                return Ok(Begun { seed, terms: Some(terms), unverified: false });
            }
            if profile.two_step == TwoStep::Force {
                let code = if begun.unverified { Code::TwoStepUnusable } else { Code::TwoStepMissing };
                return Err(Refusal::new(code, "").into());
            }
            cx.withdraw(id, &token, Patience::AtTheDesk).await?;
        }
        let seed = Arc::new(Seed::random(profile.seed_length, rng));
        let registration = self.registration(TokenSecret::Seed(seed));
        let made = cx.register(id, &token, registration).await?;
        let Some(TokenSecret::Seed(seed)) = made.echo else {
            let words = "the server does not say which secret it stored";
            return Err(Refusal::new(Code::ServerContradicts, words).into());
        };
        Ok(Begun { seed, terms: None, unverified: made.unverified })
    }

    fn registration(&self, secret: TokenSecret) -> Registration {
        let profile = &self.order.profile;
        Registration {
            serial: self.record.token.clone(),
            kind: self.kind,
            secret,
            digits: profile.digits,
            hash: profile.hash,
            period: profile.period,
            description: profile.describe(&self.order.station, "phone", &self.order.profile_name),
            realm: self.order.person.as_ref().map(|person| person.realm.clone()),
            pin: self.order.pin.clone(),
            prefix: String::new(),
            enrollment: self.record.enrollment,
        }
    }

    /// Keeps the token from counting; then, whether the server stored what the app is told.
    async fn agree(&self, unverified: bool) -> Result<(), Refusal> {
        let profile = &self.order.profile;
        if profile.verify == Verify::Required && !unverified {
            return Err(Refusal::new(Code::NotVerified, ""));
        }
        let (id, token) = (self.record.enrollment, &self.record.token);
        if !unverified {
            self.cx.done(id, ServerCall::Disable(token.clone())).await?;
        }
        let view = self.cx.look_at_made(id, token).await?;
        let digits = u32::from(profile.digits.count());
        if view.digits != digits {
            return Err(Refusal::new(Code::DigitsChanged, format!("{} instead of {digits}", view.digits)));
        }
        let wanted = uri::hash_word(profile.hash).to_ascii_lowercase();
        let hash = view.hash.as_deref().unwrap_or("sha1");
        if hash != wanted {
            return Err(Refusal::new(Code::HashChanged, format!("{hash} instead of {wanted}")));
        }
        Ok(())
    }

    /// Has the app's part typed in and sent; gives the seed that both have, and whether the
    /// token waits to be verified.
    async fn second_step(&self, terms: TwoStepTerms, server: &Seed) -> Result<(Arc<Seed>, bool), Failed> {
        let letters = component::letters(terms.part);
        let mut typo = None;
        let mut attempt = 0;
        let part = loop {
            let text = self.ask(Question::Component { letters, typo: typo.take() }).await?;
            match read_component(&text, terms.part) {
                Ok(part) => break Arc::new(part),
                Err(found) => typo = Some(found),
            }
            attempt += 1;
            if attempt >= self.order.profile.attempts {
                return Err(Refusal::new(Code::WrongCode, "the app's part was mistyped too often").into());
            }
        };
        let derived = terms.derive(server, &part);
        let seed = derived.ok_or_else(|| Refusal::new(Code::Internal, "the seed could not be derived"))?;
        let (id, token) = (self.record.enrollment, &self.record.token);
        match self.cx.finish_two_step(id, token, self.kind, &part).await? {
            SecondStep::Taken(made) => match made.echo {
                Some(TokenSecret::Seed(echo)) if echo.same_as(&seed) => Ok((Arc::new(seed), made.unverified)),
                _ => Err(Refusal::new(Code::SecretReplaced, "in the second of two steps").into()),
            },
            SecondStep::Lost => Err(Refusal::new(Code::OutcomeUnknown, "the second of two steps").into()),
        }
    }

    /// Asks for codes until one fits.
    async fn code(&self, seed: &Seed) -> Result<Matched, Failed> {
        let profile = &self.order.profile;
        let mut wrong = None;
        for attempt in 1..=profile.attempts {
            let text = self.ask(Question::Code { wrong }).await?;
            let code: Zeroizing<String> =
                Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
            match self.matching(seed, &code) {
                Ok(moving) => {
                    let kind = if self.kind == TokenKind::Hotp { ProofKind::Hotp } else { ProofKind::Totp };
                    return Ok(Matched { code, moving, kind, attempts: attempt });
                }
                Err(reason) => wrong = Some(reason),
            }
        }
        let detail = wrong.map(|wrong| wrong.to_string()).unwrap_or_default();
        Err(Refusal::new(Code::WrongCode, detail).into())
    }

    fn matching(&self, seed: &Seed, code: &str) -> Result<Moving, WrongCode> {
        let profile = &self.order.profile;
        let (digits, period) = (profile.digits, u64::from(profile.period.max(1)));
        if code.len() != usize::from(digits.count()) || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WrongCode::Digits(digits.count()));
        }
        let is = |number: u64, hash| Zeroizing::new(otp::hotp(seed, number, digits, hash)).as_str() == code;
        if self.kind == TokenKind::Hotp {
            let found = (0..LOOK_AHEAD).find(|counter| is(*counter, HashAlgorithm::Sha1));
            return found.map(Moving::Counter).ok_or(WrongCode::Other);
        }
        let now = self.cx.now().unix.as_secs() / period;
        let mut near = now.saturating_sub(LATE)..=now.saturating_add(EARLY);
        if let Some(step) = near.find(|step| is(*step, profile.hash)) {
            return Ok(Moving::Step(step));
        }
        let far = FURTHEST / period;
        let mut steps = (1..=far).flat_map(|off| [now.saturating_sub(off), now.saturating_add(off)]);
        match steps.find(|step| is(*step, profile.hash)) {
            Some(step) => {
                let off = i64::try_from(step).unwrap_or(0).saturating_sub(i64::try_from(now).unwrap_or(0));
                Err(WrongCode::Clock(off.saturating_mul(i64::from(profile.period))))
            }
            None => Err(WrongCode::Other),
        }
    }

    async fn ask(&self, question: Question) -> Result<Zeroizing<String>, Failed> {
        let cancelled = || Failed::Undo(Refusal::new(Code::Cancelled, ""));
        if self.cx.cancelled() {
            return Err(cancelled());
        }
        let until = self.cx.now().monotonic + self.patience;
        match self.cx.ask(Step::AskOperator { question, until }).await {
            StepResult::Answered(Some(text)) => Ok(text),
            StepResult::Answered(None) if self.cx.cancelled() => Err(cancelled()),
            StepResult::Answered(None) => {
                Err(Refusal::new(Code::NotTouched, "nobody answered in time").into())
            }
            _ => Err(confused()),
        }
    }
}

fn confused() -> Failed {
    Failed::Undo(Refusal::new(Code::Internal, "a step with the operator was answered by something else"))
}
