//! A phone is enrolled at a small server: what the terminal shows is read by an independent QR
//! decoder, and its codes come from an independent implementation of TOTP.
#![cfg(test)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keys::device::Kind;
use keys::secret::Seed;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha1::{Digest, Sha1};
use station::engine::enrollment::{Ending, Order};
use station::engine::flow::Next;
use station::engine::phone::{self, PhoneOutcome, Question, Typo, WrongCode};
use station::engine::record::{Actor, Record, State};
use station::engine::server::{
    Person, Readiness, Registered, ServerAnswer, ServerCall, ServerFault, TokenSecret, TokenView,
    TwoStepTerms, Verdict,
};
use station::engine::step::{Now, Step, StepResult};
use station::profile::{Profile, TwoStep};
use station::refusal::Code;
use zeroize::Zeroizing;

const TERMS: TwoStepTerms = TwoStepTerms { part: 8, seed: 20, rounds: 10 };
const NOW: u64 = 1_700_000_000;

/// What the terminal shows, read as a phone's camera does.
fn scan(screen: &str, inverted: bool) -> String {
    let dark = |lit: bool| lit == inverted;
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in screen.lines() {
        rows.push(line.chars().map(|c| dark(matches!(c, '█' | '▀'))).collect());
        rows.push(line.chars().map(|c| dark(matches!(c, '█' | '▄'))).collect());
    }
    let size = rows[0].len() - 8;
    let grid = rqrr::SimpleGrid::from_func(size, |x, y| rows[y + 4][x + 4]);
    rqrr::Grid::new(grid).decode().unwrap().1
}

/// An app, as far as it goes.
struct App {
    secret: Vec<u8>,
    component: [u8; 8],
}

impl App {
    fn scan(uri: &str) -> Self {
        let field = |name: &str| {
            let (_, rest) = uri.split_once(&format!("{name}="))?;
            Some(rest.split('&').next().unwrap().to_owned())
        };
        assert!(uri.starts_with("otpauth://totp/privacyIDEA:PHON"), "{uri}");
        assert_eq!(field("algorithm").as_deref(), Some("SHA1"));
        assert_eq!((field("digits").unwrap().as_str(), field("period").unwrap().as_str()), ("6", "30"));
        let secret = totp_rs::Secret::try_from_base32(field("secret").unwrap()).unwrap();
        let mut app = Self { secret: secret.to_vec(), component: [7, 1, 2, 3, 4, 5, 6, 9] };
        if let Some(size) = field("2step_salt") {
            assert_eq!(size, "8");
            app.secret = derive(&app.secret, &app.component);
        }
        app
    }

    fn shown_component(&self) -> String {
        let mut whole = Sha1::digest(self.component)[..4].to_vec();
        whole.extend(self.component);
        let bits: String = whole.iter().map(|byte| format!("{byte:08b}")).collect();
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let letter = |five: &[u8]| {
            let five = std::str::from_utf8(five).unwrap();
            char::from(letters[usize::from_str_radix(&format!("{five:0<5}"), 2).unwrap()])
        };
        bits.as_bytes().chunks(5).map(letter).collect()
    }

    fn code(&self, unix: u64) -> String {
        totp(&self.secret, unix)
    }
}

fn totp(secret: &[u8], unix: u64) -> String {
    totp_rs::Builder::new().with_secret(secret.to_vec()).build_noncompliant().generate(unix).to_string()
}

fn derive(server: &[u8], part: &[u8]) -> Vec<u8> {
    let password: String = server.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut seed = vec![0; TERMS.seed];
    pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), part, TERMS.rounds, &mut seed);
    seed
}

#[derive(Default)]
struct World {
    two_step: bool,
    verifies: bool,
    token: Option<(TokenView, Vec<u8>)>,
    journal: Vec<State>,
    last: Option<Record>,
    app: Option<App>,
    inverted: bool,
}

impl World {
    fn server(&mut self, call: ServerCall) -> Result<ServerAnswer, ServerFault> {
        let seed = |bytes: &[u8]| Some(TokenSecret::Seed(Arc::new(Seed::new(bytes).unwrap())));
        Ok(match call {
            ServerCall::Prepare => ServerAnswer::Ready(Readiness {
                product: "test".into(),
                rights: None,
                random_pins: Vec::new(),
            }),
            ServerCall::Look(_) => ServerAnswer::Token(self.token.as_ref().map(|(view, _)| view.clone())),
            ServerCall::Register(wanted) => {
                let half = matches!(wanted.secret, TokenSecret::TwoStep) && self.two_step;
                let secret = match &wanted.secret {
                    TokenSecret::Seed(seed) => seed.expose().to_vec(),
                    _ => vec![0x31; 20],
                };
                let view = TokenView {
                    serial: wanted.serial.to_string(),
                    kind: "totp".into(),
                    active: !half,
                    unverified: self.verifies && !half,
                    half_made: half,
                    digits: 6,
                    hash: Some("sha1".into()),
                    counter: 0,
                    owner: None,
                    enrollment: Some(wanted.enrollment),
                };
                let echo = seed(&secret);
                let unverified = view.unverified;
                self.token = Some((view, secret));
                ServerAnswer::Registered(Registered { echo, unverified, two_step: half.then_some(TERMS) })
            }
            ServerCall::FinishTwoStep { part, .. } => {
                let (view, secret) = self.token.as_mut().unwrap();
                *secret = derive(secret, part.expose());
                (view.half_made, view.active, view.unverified) = (false, true, self.verifies);
                let (echo, unverified) = (seed(secret), view.unverified);
                ServerAnswer::Registered(Registered { echo, unverified, two_step: None })
            }
            ServerCall::Check { code, .. } | ServerCall::Verify { code, .. } => {
                let (view, secret) = self.token.as_mut().unwrap();
                let steps = [NOW - 30, NOW, NOW + 30];
                match steps.into_iter().find(|at| totp(secret, *at) == *code) {
                    Some(at) => {
                        view.counter = at / 30;
                        view.unverified = false;
                        ServerAnswer::Verdict(Verdict::Accepted)
                    }
                    None => ServerAnswer::Verdict(Verdict::Rejected("wrong otp value".into())),
                }
            }
            ServerCall::Disable(_) | ServerCall::Enable(_) => {
                let active = matches!(call, ServerCall::Enable(_));
                self.token.as_mut().unwrap().0.active = active;
                ServerAnswer::Done
            }
            ServerCall::Delete(_) => {
                self.token = None;
                ServerAnswer::Done
            }
            ServerCall::Assign { person, .. } => {
                self.token.as_mut().unwrap().0.owner = Some(person);
                ServerAnswer::Done
            }
            _ => ServerAnswer::Done,
        })
    }

    fn counts(&self) -> bool {
        self.token.as_ref().is_some_and(|(view, _)| view.active && !view.unverified && !view.half_made)
    }

    /// Plays an enrollment; `answer` is what the operator types.
    fn play(
        &mut self,
        two_step: TwoStep,
        mut answer: impl FnMut(&App, &Question) -> Option<String>,
    ) -> (PhoneOutcome, VecDeque<Question>) {
        let profile = Profile { two_step, ..Profile::new(Kind::Totp) };
        let person = Some(Person { user: "ada".into(), realm: "office".into() });
        let order =
            Order { person, ..Order::new("desk", "phone", Actor::Operator("bob".into()), "phone", profile) };
        let now = Now { monotonic: Duration::ZERO, unix: Duration::from_secs(NOW) };
        let mut next = phone::enroll(order, Duration::from_secs(300), now, StdRng::seed_from_u64(7));
        let mut asked = VecDeque::new();
        loop {
            let (step, flow) = match next {
                Next::Step(step, flow) => (step, flow),
                Next::End(outcome) => return (outcome, asked),
            };
            let result = match step {
                Step::Record(record) => {
                    self.journal.push(record.state);
                    self.last = Some(*record);
                    StepResult::Recorded
                }
                Step::Server(call) => StepResult::Server(self.server(call)),
                Step::ShowPhone(code) => {
                    assert!(!self.counts(), "a token counts before its phone has it");
                    let uri = scan(&code.half_blocks(self.inverted), self.inverted);
                    assert_eq!(uri, code.uri());
                    self.app = Some(App::scan(&uri));
                    StepResult::Recorded
                }
                Step::AskOperator { question, .. } => {
                    assert!(!self.counts(), "a token counts before its proof");
                    let text = answer(self.app.as_ref().unwrap(), &question);
                    asked.push_back(question);
                    StepResult::Answered(text.map(Zeroizing::new))
                }
                Step::Wait { .. } => StepResult::Waited,
                _ => panic!("a step that phones do not need"),
            };
            next = flow.advance(result, now);
        }
    }
}

fn honest(app: &App, question: &Question) -> Option<String> {
    Some(match question {
        Question::Component { letters, .. } => {
            let text = app.shown_component();
            assert_eq!(text.len(), *letters);
            text
        }
        _ => app.code(NOW),
    })
}

#[test]
fn a_phone_is_enrolled_in_one_step_and_in_two_whether_the_server_verifies_or_not() {
    for (wanted, two_step) in [(TwoStep::Never, false), (TwoStep::WhenOffered, false), (TwoStep::Force, true)]
    {
        for verifies in [false, true] {
            for inverted in [false, true] {
                let mut world = World { two_step, verifies, inverted, ..World::default() };
                let (outcome, asked) = world.play(wanted, honest);
                let Ending::Enrolled(proof) = outcome.ending else { panic!("{:?}", outcome.ending) };
                assert_eq!((proof.two_step, proof.verified_by_policy), (two_step, verifies));
                assert_eq!(asked.len(), 1 + usize::from(two_step));
                assert!(world.counts());
                let (view, secret) = world.token.as_ref().unwrap();
                assert_eq!(view.owner.as_ref().unwrap().to_string(), "ada@office");
                assert_eq!(*secret, world.app.as_ref().unwrap().secret);
                let states = [State::Planned, State::Registered, State::Written, State::Proven, State::Done];
                assert_eq!(world.journal, states);
                // The phone goes on giving right codes.
                assert_eq!(totp(secret, NOW + 3_000), world.app.as_ref().unwrap().code(NOW + 3_000));
            }
        }
    }
}

#[test]
fn wrong_codes_are_limited_told_apart_and_then_everything_is_undone() {
    let mut world = World::default();
    let mut codes = ["12345", "000000"].into_iter();
    let (outcome, asked) = world.play(TwoStep::Never, |app, _| {
        Some(codes.next().map_or_else(|| app.code(NOW - 3_600), str::to_owned))
    });
    assert!(
        matches!(outcome.ending, Ending::Undone(refusal) if refusal.code == Code::WrongCode && refusal.detail.contains("-3600 s"))
    );
    let wrong = |question: &Question| match question {
        Question::Code { wrong } => *wrong,
        _ => None,
    };
    let wanted = [None, Some(WrongCode::Digits(6)), Some(WrongCode::Other)];
    assert_eq!(asked.iter().map(wrong).collect::<Vec<_>>(), wanted);
    assert!(world.token.is_none());
    assert_eq!(world.journal.last(), Some(&State::Undone));
}

#[test]
fn a_mistyped_part_is_named_and_may_be_typed_again() {
    let mut world = World { two_step: true, ..World::default() };
    let mut first = true;
    let (outcome, asked) = world.play(TwoStep::Force, |app, question| match question {
        Question::Component { .. } if std::mem::take(&mut first) => {
            let text = app.shown_component();
            let wrong = if text.ends_with('A') { 'B' } else { 'A' };
            Some(text.chars().enumerate().map(|(at, letter)| if at == 0 { wrong } else { letter }).collect())
        }
        _ => honest(app, question),
    });
    assert!(matches!(outcome.ending, Ending::Enrolled(_)), "{:?}", outcome.ending);
    let typo =
        Some(Typo::Wrong { place: 1, meant: world.app.unwrap().shown_component().chars().next().unwrap() });
    assert_eq!(asked[1], Question::Component { letters: 20, typo });

    let mut world = World { two_step: true, ..World::default() };
    let (outcome, _) = world.play(TwoStep::Force, |_, _| Some("0".repeat(20)));
    assert!(matches!(outcome.ending, Ending::Undone(refusal) if refusal.code == Code::WrongCode));
    assert!(world.token.is_none());
}

#[test]
fn another_apps_part_is_refused_by_its_code() {
    // Typed without a typo, but not what this phone has: its codes are then others.
    let mut world = World { two_step: true, ..World::default() };
    let other = App { secret: Vec::new(), component: [1; 8] }.shown_component();
    let (outcome, _) = world.play(TwoStep::Force, |app, question| match question {
        Question::Component { .. } => Some(other.clone()),
        _ => Some(app.code(NOW)),
    });
    assert!(matches!(outcome.ending, Ending::Undone(refusal) if refusal.code == Code::WrongCode));
    assert!(world.token.is_none());
}

#[test]
fn nobody_answers_and_nothing_is_left() {
    for two_step in [TwoStep::Never, TwoStep::Force] {
        let mut world = World { two_step: true, ..World::default() };
        let (outcome, _) = world.play(two_step, |_, _| None);
        assert!(matches!(outcome.ending, Ending::Undone(_)), "{:?}", outcome.ending);
        assert!(world.token.is_none());
    }
}

#[test]
fn two_steps_that_are_not_offered_are_refused_when_forced() {
    let mut world = World::default();
    let (outcome, asked) = world.play(TwoStep::Force, honest);
    assert!(matches!(outcome.ending, Ending::Undone(refusal) if refusal.code == Code::TwoStepMissing));
    assert!(asked.is_empty() && world.token.is_none());
}
