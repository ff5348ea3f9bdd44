//! Phones: what the terminal shows is read by a QR decoder, and an app that is not ours answers.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

use dispatch::driver::Cancel;
use dispatch::phone::Terminal;
use keys::device::{Digits, Kind};
use sha1::{Digest, Sha1};
use station::engine::enrollment::Ending;
use station::engine::phone::{PhoneCode, PhoneOutcome, Question};
use station::profile::{Profile, TwoStep, Verify};
use station::refusal::Code;
use totp_rs::Secret;
use twins::privacyidea::{Fault, Mode, Version};
use zeroize::Zeroizing;

use crate::Broken;
use crate::cases::{Case, Script};
use crate::observer::Whose;
use crate::plan::{Expect, Plan};
use crate::room::Room;
use crate::site::Site;
use crate::story::Story;

use Expect::{Declined, Enrolled, Refused, Undone};

/// What goes wrong at the desk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    /// The app's part is mistyped so often.
    Typos(u8),
    /// The part of another phone is typed in.
    AnotherPart,
    /// The first codes are wrong.
    Codes(u8),
    /// Nobody answers.
    Silence,
}

pub(super) fn cases(version: Version) -> Vec<Case> {
    let base: &[&'static str] =
        if version.replaces_keys_without_policies() { &["admin-rights"] } else { &[] };
    let verify = [base, &["verify-enrollment"]].concat();
    let (allow, force, defaults) = (["twostep-allow"], ["twostep-force"], ["twostep-defaults"]);
    let case = |name: &str, policies: &[&'static str], script: Script| {
        // One enrollment, so not as heavy as other scripts are.
        Case { weight: 2, ..Case::script(&format!("phones / {name}"), policies, script) }
    };
    let mut cases = vec![
        case("in one step", base, |site| played(site, totp(), None, Enrolled)),
        case("in one step, verified", &verify, |site| {
            played(site, totp().profile(|p| p.verify = Verify::Required), None, Enrolled)
        }),
        case("HOTP, eight digits", base, |site| {
            played(site, totp().profile(|p| (p.kind, p.digits) = (Kind::Hotp, Digits::Eight)), None, Enrolled)
        }),
        case("with a PIN", base, |site| played(site, totp().pin("1234"), None, Enrolled)),
        case("with a PIN that meets the rule", &["pin-quality"], |site| {
            played(site, totp().pin("abc123"), None, Enrolled)
        }),
        case("in two steps, sizes by policy", &allow, |site| played(site, twice(), None, Enrolled)),
        case("in two steps, forced", &force, |site| played(site, twice(), None, Enrolled)),
        case("in two steps, default sizes", &defaults, |site| played(site, twice(), None, Enrolled)),
        case("in two steps, not offered", base, |site| {
            played(site, twice(), None, Undone(Code::TwoStepMissing))
        }),
        case("in two steps, the second request cut off", &allow, |site| {
            let cut = Fault { skip: 1, ..Fault::new("/token/init", Mode::Cut) };
            played(site, twice().fault(cut), None, Enrolled)
        }),
        // The app has its secret and gets no other: the person begins anew.
        case("in two steps, the second answer lost", &allow, |site| {
            let lost = Fault { skip: 1, ..Fault::new("/token/init", Mode::Lost) };
            played(site, twice().fault(lost), None, Undone(Code::OutcomeUnknown))
        }),
        case("in one step, and two are forced", &force, |site| {
            played(site, totp(), None, Declined(Code::PolicyForbids))
        }),
        case("a part with a typo, then without", &allow, |site| {
            played(site, twice(), Some(Slip::Typos(2)), Enrolled)
        }),
        case("a part with typos", &allow, |site| {
            played(site, twice(), Some(Slip::Typos(3)), Undone(Code::WrongCode))
        }),
        case("a part of another phone", &allow, |site| {
            played(site, twice(), Some(Slip::AnotherPart), Undone(Code::WrongCode))
        }),
        case("wrong codes, then a right one", base, |site| {
            played(site, totp(), Some(Slip::Codes(2)), Enrolled)
        }),
        case("wrong codes", base, |site| played(site, totp(), Some(Slip::Codes(3)), Undone(Code::WrongCode))),
        case("wrong codes, verified", &verify, |site| {
            played(site, totp(), Some(Slip::Codes(3)), Undone(Code::WrongCode))
        }),
        case("nobody answers", base, |site| {
            played(site, totp(), Some(Slip::Silence), Undone(Code::NotTouched))
        }),
        case("no-enroll", &["no-enroll"], |site| played(site, totp(), None, Refused(Code::RightMissing))),
    ];
    let both: &[&'static str] = &["twostep-allow", "verify-enrollment"];
    cases.push(if version.is_recent() {
        case("in two steps, verified", both, |site| played(site, twice(), None, Enrolled))
    } else {
        // These servers make a token of both policies that can never be finished.
        case("in two steps, verified", both, |site| {
            played(site, twice(), None, Undone(Code::TwoStepUnusable))
        })
    });
    cases
}

/// A phone for alice, as every app takes it.
fn totp() -> Plan {
    let profile = Profile::new(Kind::Totp);
    let plan = Plan::new("", Enrolled).person("alice");
    Plan { profile, profile_name: "phone", ..plan }
}

fn twice() -> Plan {
    totp().profile(|profile| profile.two_step = TwoStep::Force)
}

type Playing = Pin<Box<dyn Future<Output = Result<Story, Broken>> + Send>>;

fn played(site: Site, plan: Plan, slip: Option<Slip>, expect: Expect) -> Playing {
    Box::pin(async move {
        let mut story = Story::default();
        let room = Room::open(site, &plan).await?;
        let before = room.look().await?;
        room.site.add_faults(&plan.faults)?;
        let mut service = Service { slip, app: None, wrong: 0, broken: None };
        let outcome = room.enroll_phone(plan.order()?, &mut service, Cancel::never()).await;
        room.site.clear_faults()?;
        let came = outcome.ending.refusal().map_or_else(String::new, |refusal| refusal.code.to_string());
        story.note(expect, format!("{} {came}", outcome.ending.word()));
        story.claim(service.broken.is_none(), || format!("the app: {:?}", service.broken));
        let as_expected = match (expect, &outcome.ending) {
            (Enrolled, Ending::Enrolled(proof)) => {
                proof.two_step == (plan.profile.two_step != TwoStep::Never)
            }
            (Refused(code) | Declined(code), Ending::Refused(refusal) | Ending::Undone(refusal))
            | (Undone(code), Ending::Undone(refusal)) => refusal.code == code,
            _ => false,
        };
        story.claim(as_expected, || format!("it ended as {:?}", outcome.ending));
        story.equal("unfinished records", room.store.unfinished().await?.len(), 0);
        if matches!(outcome.ending, Ending::Enrolled(_)) {
            counts(&mut story, &room, &plan, &outcome, &service).await?;
        } else {
            let after = room.look().await?;
            story.claim(before.tokens == after.tokens, || "the server's tokens have changed".to_owned());
        }
        Ok(story)
    })
}

/// The person logs in with the app's codes.
async fn counts(
    story: &mut Story,
    room: &Room,
    plan: &Plan,
    outcome: &PhoneOutcome,
    service: &Service,
) -> Result<(), Broken> {
    let Some(app) = &service.app else { return Err("the phone has seen no code".into()) };
    let serial = outcome.token.as_ref().ok_or("the report names no token")?;
    let tokens = room.site.observer.tokens().await?;
    let token = tokens.get(serial.as_str()).ok_or("there is no such token")?;
    story.equal("active", token.active, true);
    story.equal("the owner", token.username.as_str(), "alice");
    story.equal("tokens", tokens.len(), 1);
    // The step at which the app proved itself is used up.
    let next = if app.hotp { token.count } else { UNIX_EPOCH.elapsed()?.as_secs() / 30 + 1 };
    let pass = format!("{}{}", plan.pin.unwrap_or_default(), app.code(next));
    for (what, wanted) in [("the app's next code", true), ("the same code again", false)] {
        let accepted = room.site.observer.accepts(&Whose::User("alice", "office"), &pass, None).await?;
        story.equal(what, accepted, wanted);
    }
    Ok(())
}

/// A terminal, and a person with a phone in front of it.
struct Service {
    slip: Option<Slip>,
    app: Option<App>,
    /// How many answers were wrong so far.
    wrong: u8,
    broken: Option<Broken>,
}

impl Terminal for Service {
    fn show(&mut self, code: &PhoneCode) -> Result<(), String> {
        let app = scan(&code.half_blocks(false), false).and_then(|read| {
            // Terminals that write dark on light show the same.
            let other = scan(&code.half_blocks(true), true)?;
            if read == other { App::of(&read) } else { Err("the two codes differ".into()) }
        });
        self.app = app.map_err(|error| self.broken = Some(error)).ok();
        Ok(())
    }

    fn ask<'a>(
        &'a mut self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Option<Zeroizing<String>>> + Send + 'a>> {
        let app = self.app.as_ref();
        let answer = app.filter(|_| self.slip != Some(Slip::Silence)).map(|app| match question {
            Question::Component { .. } => match self.slip {
                Some(Slip::Typos(times)) if self.wrong < times => {
                    self.wrong += 1;
                    // Another letter in the third place.
                    let other = |letter| if letter == 'A' { 'B' } else { 'A' };
                    let letters = app.shown_part(app.part);
                    letters.chars().enumerate().map(|(at, c)| if at == 2 { other(c) } else { c }).collect()
                }
                Some(Slip::AnotherPart) => app.shown_part([9; PART]),
                _ => app.shown_part(app.part),
            },
            _ => {
                let step = UNIX_EPOCH.elapsed().map(|now| now.as_secs() / 30).unwrap_or_default();
                match self.slip {
                    Some(Slip::Codes(times)) if self.wrong < times => {
                        self.wrong += 1;
                        // Right in a year.
                        app.code(step + 1_051_200)
                    }
                    _ => app.code(if app.hotp { 0 } else { step }),
                }
            }
        });
        Box::pin(std::future::ready(answer.map(Zeroizing::new)))
    }
}

/// What a camera reads off a terminal that shows this.
fn scan(screen: &str, inverted: bool) -> Result<String, Broken> {
    let dark = |lit: bool| lit == inverted;
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in screen.lines() {
        rows.push(line.chars().map(|c| dark(matches!(c, '█' | '▀'))).collect());
        rows.push(line.chars().map(|c| dark(matches!(c, '█' | '▄'))).collect());
    }
    // Four light modules are around it.
    let size = rows.first().map_or(0, Vec::len).checked_sub(8).ok_or("nothing is shown")?;
    let grid = rqrr::SimpleGrid::from_func(size, |x, y| rows[y + 4][x + 4]);
    Ok(rqrr::Grid::new(grid).decode()?.1)
}

/// The longest part that a policy here asks for.
const PART: usize = 10;

/// An app, as far as it goes.
struct App {
    hotp: bool,
    eight: bool,
    secret: Vec<u8>,
    part: [u8; PART],
    /// How many bytes of the part are used.
    size: usize,
}

impl App {
    fn of(address: &str) -> Result<Self, Broken> {
        let field = |name: &str| {
            let (_, query) = address.split_once('?')?;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name: &str| field(name).and_then(|text| text.parse::<u32>().ok());
        let secret = Secret::try_from_base32(field("secret").ok_or("no secret")?)
            .map_err(|error| format!("the secret: {error}"))?;
        let mut app = Self {
            hotp: address.starts_with("otpauth://hotp/"),
            eight: number("digits") == Some(8),
            secret: secret.to_vec(),
            part: [7, 1, 2, 3, 4, 5, 6, 9, 8, 0],
            size: 0,
        };
        if let (Some(size), Some(output), Some(rounds)) =
            (number("2step_salt"), number("2step_output"), number("2step_difficulty"))
        {
            app.size = usize::try_from(size)?;
            let password: String = app.secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut secret = vec![0; usize::try_from(output)?];
            let part = app.part.get(..app.size).ok_or("a part longer than this app has")?;
            pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), part, rounds, &mut secret);
            app.secret = secret;
        }
        Ok(app)
    }

    /// Its part as it shows it: four bytes of a checksum, and the part, in base32.
    fn shown_part(&self, part: [u8; PART]) -> String {
        let part = &part[..self.size];
        let whole = [&Sha1::digest(part)[..4], part].concat();
        let bits: String = whole.iter().map(|byte| format!("{byte:08b}")).collect();
        let letter = |five: &[u8]| {
            let value =
                five.iter().fold(0, |value, bit| value << 1 | usize::from(bit - b'0')) << (5 - five.len());
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
        };
        bits.as_bytes().chunks(5).map(letter).collect()
    }

    /// The code of a counter, or of a step of 30 seconds.
    fn code(&self, number: u64) -> String {
        let digits = if self.eight { 8 } else { 6 };
        let builder = totp_rs::Builder::new().with_secret(self.secret.clone()).with_digits(digits);
        // Codes of a counter are those of the time at which that many steps have passed.
        builder.build_noncompliant().generate(number * Duration::from_secs(30).as_secs()).to_string()
    }
}
