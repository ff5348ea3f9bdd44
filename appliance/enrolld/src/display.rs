//! What the panel shows: the next action of the person at the desk.
//!
//! It follows from what is done in each port at the moment and from nothing else, so that no state stays
//! on the display that is over. With one key in work the panel shows it large; with several, one line each.

use panel::{Activity, Notice, Port, PortLine, PortState, Progress, Text, View};
use station::catalogue::Language;
use station::engine::enrollment::{Ending, Outcome};
use station::engine::step::Phase;
use station::refusal::{Code, Refusal};

use dispatch::event::{Event, What};
use dispatch::scheduler::{Doing, Gone, PortView, Touch, port_number};

/// How many marks the progress bar of an enrollment has.
const STEPS: u8 = 6;

/// What one key has the panel show.
#[derive(Debug, Clone)]
struct At {
    view: View,
    line: (PortState, Option<Progress>),
}

/// What the panel shows: the keys that something is done with, else `idle`.
pub fn view(language: Language, idle: View, ports: &[PortView]) -> View {
    let shown = ports.iter().filter_map(|view| Some((view.port.as_str(), at(language, view)?)));
    let shown: Vec<_> = shown.collect();
    match shown.as_slice() {
        [] => idle,
        [(_, only)] => only.view.clone(),
        many => View::Ports(many.iter().filter_map(line).collect()),
    }
}

/// Whether there is anything to say of a key.
pub fn is_busy(language: Language, ports: &[PortView]) -> bool {
    ports.iter().any(|view| at(language, view).is_some())
}

fn line((path, at): &(&str, At)) -> Option<PortLine> {
    let (state, progress) = at.line;
    Some(PortLine { port: port(path)?, state, progress })
}

fn at(language: Language, view: &PortView) -> Option<At> {
    let port = port(&view.port);
    let serial = || view.key.as_ref().and_then(|key| key.serial).map(|serial| serial.to_string());
    Some(match (&view.doing, &view.touch) {
        // What nobody asked for anything of, and what is no key.
        (Doing::Inspecting | Doing::Waiting(_), _) => return None,
        (Doing::Nothing(_), _) if view.stranger => return None,
        (Doing::Working { .. } | Doing::Verifying | Doing::Releasing | Doing::Rearranging, Some(wanted)) => {
            touch(port, *wanted)
        }
        (Doing::SameKey | Doing::Queued | Doing::Settling, _) => working(Phase::Inspecting, port),
        (Doing::Working { phase, .. }, None) => working(*phase, port),
        (Doing::Verifying, None) => working(Phase::Proving, port),
        (Doing::Releasing, None) => working(Phase::Undoing, port),
        (Doing::Rearranging, None) => working(Phase::Writing, port),
        (Doing::Enrolled(token) | Doing::Done(token), _) => {
            let user = view.person.as_ref().map(|person| Text::new(&person.to_string()));
            done(port, token.as_str(), user)
        }
        (Doing::Released | Doing::Verified(Ok(())), _) => {
            At { view: View::Remove { port }, line: (PortState::Remove, None) }
        }
        (Doing::Nothing(refusal) | Doing::Verified(Err(refusal)) | Doing::Refused { refusal, .. }, _) => {
            refused(language, port, refusal, &serial().unwrap_or_default(), view.gone)
        }
    })
}

fn touch(port: Option<Port>, wanted: Touch) -> At {
    At {
        view: View::Touch {
            port,
            // Rounded up, so that the countdown ends at one and not at zero.
            seconds_left: u16::try_from(wanted.within.as_millis().div_ceil(1000)).unwrap_or(u16::MAX),
            attempt: Progress::new(wanted.attempt, wanted.attempts),
            torn: wanted.torn,
        },
        line: (PortState::Touch, Some(Progress::new(4, STEPS))),
    }
}

fn done(port: Option<Port>, token: &str, user: Option<Text>) -> At {
    At { view: View::Done { port, serial: Text::new(token), user }, line: (PortState::Done, None) }
}

fn refused(language: Language, port: Option<Port>, refusal: &Refusal, key: &str, gone: Option<Gone>) -> At {
    if refusal.code == Code::PulledWhileWriting {
        let view = View::Quarantined { port, key: Text::new(key) };
        return At { view, line: (PortState::Quarantined, None) };
    }
    let mut notice = notice(refusal.code, language);
    if let Some(gone) = gone {
        notice.cause = Text::new(gone_in_words(gone, language));
    }
    At { view: View::Refused { port, notice }, line: (PortState::Refused, None) }
}

/// What does not come back although the enrollment did not succeed. Whose it was is not for the display.
const fn gone_in_words(gone: Gone, language: Language) -> &'static str {
    match (gone, language) {
        (Gone::Token, Language::English) => {
            "The token that this key had is gone for good. The rest was taken back."
        }
        (Gone::Token, Language::German) => {
            "Das frühere Token des Keys ist endgültig weg. Der Rest ist zurückgenommen."
        }
        (Gone::MakersOtp, Language::English) => {
            "The maker's Yubico OTP is gone for good. The rest was taken back."
        }
        (Gone::MakersOtp, Language::German) => {
            "Das Yubico-OTP des Herstellers ist endgültig weg. Der Rest ist zurückgenommen."
        }
    }
}

/// What is to be said of a key that was pulled out before its enrollment had ended; `None` where it ended well.
pub fn aftermath(language: Language, path: &str, outcome: &Outcome) -> Option<View> {
    ended(outcome, port(path), language).map(|at| at.view).filter(|view| !matches!(view, View::Done { .. }))
}

/// The same for one key at a bench without a scheduler: what its events have the panel show.
#[derive(Debug, Clone)]
pub struct Bench {
    language: Language,
    idle: View,
    now: Option<At>,
}

impl Bench {
    /// A bench that shows `idle` while no key is in work.
    pub fn new(language: Language, idle: View) -> Self {
        Self { language, idle, now: None }
    }

    /// Takes an event in; says whether the view may have changed.
    pub fn saw(&mut self, event: &Event) -> bool {
        let port = port(&event.port);
        let now = match &event.what {
            What::Entered(Phase::Noting) => return false,
            What::Entered(phase) => working(*phase, port),
            What::TouchWanted { within, attempt, attempts, torn, .. } => {
                touch(port, Touch { within: *within, attempt: *attempt, attempts: *attempts, torn: *torn })
            }
            What::Typed { .. } => working(Phase::Finishing, port),
            What::Enrolled(token) => done(port, token.as_str(), None),
            What::Ended(outcome) => match ended(outcome, port, self.language) {
                Some(ended) => ended,
                None => return false,
            },
            _ => return false,
        };
        self.now = Some(now);
        true
    }

    /// What the panel shows.
    pub fn view(&self) -> View {
        self.now.as_ref().map_or_else(|| self.idle.clone(), |now| now.view.clone())
    }
}

/// The number that a person reads beside the socket: the last of the port path.
pub fn port(path: &str) -> Option<Port> {
    port_number(path).and_then(Port::new)
}

fn working(phase: Phase, port: Option<Port>) -> At {
    let (activity, step) = match phase {
        Phase::Inspecting => (Activity::Reading, 0),
        Phase::Checking | Phase::Recovering => (Activity::Reading, 1),
        Phase::Registering => (Activity::Writing, 2),
        Phase::Writing => (Activity::Writing, 3),
        Phase::Proving => (Activity::Checking, 4),
        _ => (Activity::Checking, 5),
    };
    let progress = Progress::new(step, STEPS);
    At {
        view: View::Work { activity, port, progress, subject: None },
        line: (PortState::Work(activity), Some(progress)),
    }
}

fn ended(outcome: &Outcome, port: Option<Port>, language: Language) -> Option<At> {
    let serial = outcome.key.as_ref().and_then(|key| key.serial).map(|serial| serial.to_string());
    match &outcome.ending {
        Ending::Enrolled(_) => {
            Some(done(port, outcome.token.as_ref().map_or("", |token| token.as_str()), None))
        }
        ending => {
            let key = serial.unwrap_or_default();
            ending.refusal().map(|refusal| refused(language, port, refusal, &key, Gone::of(outcome)))
        }
    }
}

/// A refusal as the panel shows it.
pub fn notice(code: Code, language: Language) -> Notice {
    let text = code.text(language);
    Notice {
        code: Text::new(&code.to_string()),
        title: Text::new(text.title),
        cause: Text::new(text.cause),
        remedy: Text::new(text.remedy),
    }
}

/// The panel's word for a language.
pub const fn panel_language(language: Language) -> panel::Language {
    match language {
        Language::English => panel::Language::English,
        Language::German => panel::Language::German,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keys::device::{Family, KeySerial, Kind, Slot};
    use panel::{Glass, fits};
    use station::engine::mode::{Wait, Why};
    use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
    use station::engine::server::Person;
    use station::token::TokenSerial;

    use super::*;

    #[test]
    fn every_refusal_fits_every_glass_in_every_language() {
        let mut misfits = Vec::new();
        for language in Language::ALL {
            for code in Code::ALL {
                let Notice { code: shown, title, cause, remedy } = notice(*code, language);
                for glass in Glass::ALL {
                    let fit = fits(shown.as_str(), title.as_str(), cause.as_str(), remedy.as_str(), glass);
                    if let Err(misfit) = fit {
                        misfits.push(format!("{code} in {language:?} on {glass:?}: {misfit}"));
                    }
                }
            }
        }
        assert!(misfits.is_empty(), "{}", misfits.join("\n"));
    }

    #[test]
    fn what_is_gone_for_good_is_shown_and_not_whose_it_was() {
        let key = KeySerial { family: Family::YubiKeyOtp, number: 7 };
        let record = Record {
            enrollment: EnrollmentId::NONE,
            state: State::Done,
            at: Duration::ZERO,
            key,
            slot: Slot(1),
            kind: Kind::Hotp,
            remains: Remains::Secret,
            token: TokenSerial::of(key, Kind::Hotp, Slot(1)),
            profile: "desk".to_owned(),
            person: Some(Person { user: "alice".to_owned(), realm: "office".to_owned() }),
            actor: Actor::Armed,
            port: "1-1.3".to_owned(),
            reason: None,
            given_up: None,
        };
        for language in Language::ALL {
            for (code, refused) in
                [(Code::NotTouched, false), (Code::Cancelled, false), (Code::SomebodysKey, true)]
            {
                let mut outcome =
                    Outcome::refused(EnrollmentId::NONE, None, Refusal::new(code, "alice@office"));
                if refused {
                    outcome.in_the_way = Some(Box::new(record.clone()));
                } else {
                    outcome.ending = Ending::Undone(Refusal::new(code, ""));
                    outcome.gone = Some(Box::new(record.clone()));
                }
                let View::Refused { notice, .. } = ended(&outcome, None, language).unwrap().view else {
                    panic!("{code}")
                };
                let texts =
                    [&notice.code, &notice.title, &notice.cause, &notice.remedy].map(|text| text.as_str());
                assert_eq!(texts[2] == code.text(language).cause, refused, "{texts:?}");
                assert!(!texts.concat().contains("alice"), "{texts:?}");
                for glass in Glass::ALL {
                    fits(texts[0], texts[1], texts[2], texts[3], glass).unwrap_or_else(|misfit| {
                        panic!("{code} in {language:?} on {glass:?}: {misfit}");
                    });
                }
            }
        }
    }

    fn shown(port: &str, doing: Doing, touch: Option<Touch>) -> PortView {
        PortView {
            port: port.to_owned(),
            key: None,
            doing,
            since: Duration::ZERO,
            stranger: false,
            touch,
            gone: None,
            person: Some(Person { user: "alice".to_owned(), realm: "office".to_owned() }),
        }
    }

    fn phase(phase: Phase) -> Doing {
        Doing::Working { why: Why::Armed, profile: "desk".to_owned(), phase, by: Actor::Armed, ticket: None }
    }

    fn token() -> TokenSerial {
        TokenSerial::new("UBOM12345678_1").unwrap()
    }

    /// Everything that can be done in a port.
    fn every_doing() -> Vec<Doing> {
        let refusal = |code| Refusal::new(code, "");
        let mut all: Vec<_> = Phase::ALL.into_iter().map(phase).collect();
        for wait in [Wait::Locked, Wait::Credential, Wait::Operator, Wait::Run] {
            all.push(Doing::Waiting(wait));
        }
        for code in Code::ALL {
            all.push(Doing::Nothing(refusal(*code)));
            all.push(Doing::Verified(Err(refusal(*code))));
            for ending in ["refused", "undone", "quarantined", "postponed"] {
                all.push(Doing::Refused { ending, refusal: refusal(*code) });
            }
        }
        all.extend([Doing::Inspecting, Doing::SameKey, Doing::Queued, Doing::Settling, Doing::Releasing]);
        all.extend([Doing::Verifying, Doing::Rearranging, Doing::Enrolled(token()), Doing::Done(token())]);
        all.extend([Doing::Released, Doing::Verified(Ok(()))]);
        all
    }

    fn one(doing: Doing) -> View {
        view(Language::English, View::HostKey(fingerprint()), &[shown("1-1.3", doing, None)])
    }

    fn fingerprint() -> panel::Fingerprint {
        panel::Fingerprint::parse(&"A".repeat(43)).unwrap()
    }

    #[test]
    fn done_is_shown_with_its_person_while_what_needs_no_key_is_still_done() {
        for doing in [Doing::Enrolled(token()), Doing::Done(token())] {
            let View::Done { user: Some(user), serial, port } = one(doing) else { panic!("not done") };
            assert_eq!(
                (user.as_str(), serial.as_str(), port),
                ("alice@office", "UBOM12345678_1", Port::new(3))
            );
        }
    }

    #[test]
    fn whatever_is_over_wants_no_key_to_be_left_in_and_ends_when_it_is_pulled_out() {
        for doing in every_doing() {
            let over = matches!(
                doing,
                Doing::Enrolled(_)
                    | Doing::Done(_)
                    | Doing::Released
                    | Doing::Verified(_)
                    | Doing::Refused { .. }
                    | Doing::Nothing(_)
            );
            let seen = one(doing.clone());
            assert!(!over || !matches!(seen, View::Work { .. } | View::Touch { .. }), "{doing:?}: {seen:?}");
            assert!(!over || !matches!(seen, View::HostKey(_)), "{doing:?} is not told");
            let idle = view(Language::English, View::HostKey(fingerprint()), &[]);
            assert_eq!(idle, View::HostKey(fingerprint()));
        }
    }

    #[test]
    fn a_touch_is_asked_for_whatever_wants_it_and_no_longer_than_it_is_wanted() {
        let wanted = Touch { within: Duration::from_millis(29_200), attempt: 2, attempts: 3, torn: 1 };
        let asked =
            View::Touch { port: Port::new(3), seconds_left: 30, attempt: Progress::new(2, 3), torn: 1 };
        for doing in [phase(Phase::Proving), Doing::Verifying, Doing::Releasing, Doing::Rearranging] {
            let idle = || View::HostKey(fingerprint());
            let port = |touch| [shown("1-1.3", doing.clone(), touch)];
            assert_eq!(view(Language::English, idle(), &port(Some(wanted))), asked);
            assert!(matches!(view(Language::English, idle(), &port(None)), View::Work { .. }));
        }
    }

    #[test]
    fn one_key_is_shown_large_and_several_as_a_list() {
        let ports = [
            shown("1-1.3", Doing::Done(token()), None),
            shown("1-1.4", phase(Phase::Writing), None),
            shown("1-1.5", Doing::Waiting(Wait::Operator), None),
        ];
        let View::Ports(lines) = view(Language::English, View::HostKey(fingerprint()), &ports) else {
            panic!("not a list")
        };
        assert_eq!(lines.iter().map(|line| line.port.number()).collect::<Vec<_>>(), [3, 4]);
    }
}
