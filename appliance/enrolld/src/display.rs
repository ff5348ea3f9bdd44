//! Events as what the panel shows: the next action of the person at the desk.
//!
//! Each port has a view of its own. With one key in work the panel shows it large;
//! with several, one line each.

use std::collections::BTreeMap;

use panel::{Activity, Notice, Port, PortLine, PortState, Progress, Text, View};
use station::catalogue::Language;
use station::enrollment::{Ending, Outcome};
use station::refusal::{Code, Refusal};
use station::step::Phase;

use crate::event::{Event, What};

/// How many marks the progress bar of an enrollment has.
const STEPS: u8 = 6;

/// What every port is doing, and so what the panel shows.
#[derive(Debug, Clone)]
pub struct Display {
    language: Language,
    idle: View,
    ports: BTreeMap<String, At>,
}

#[derive(Debug, Clone)]
struct At {
    view: View,
    line: (PortState, Option<Progress>),
}

impl Display {
    /// A display that shows `idle` while no key is in work.
    #[must_use]
    pub fn new(language: Language, idle: View) -> Self {
        Self { language, idle, ports: BTreeMap::new() }
    }

    /// What is shown from now on while no key is in work.
    pub fn set_idle(&mut self, idle: View) {
        self.idle = idle;
    }

    /// Takes an event in; says whether the view may have changed.
    pub fn saw(&mut self, event: &Event) -> bool {
        let port = port(&event.port);
        let at = match &event.what {
            What::Entered(phase) => working(*phase, port),
            What::TouchWanted { within, attempt, attempts, .. } => At {
                view: View::Touch {
                    port,
                    // Rounded up, so that the countdown ends at one and not at zero.
                    seconds_left: u16::try_from(within.as_millis().div_ceil(1000)).unwrap_or(u16::MAX),
                    attempt: Progress::new(*attempt, *attempts),
                },
                line: (PortState::Touch, Some(Progress::new(4, STEPS))),
            },
            What::Typed { .. } => working(Phase::Finishing, port),
            What::Ended(outcome) => ended(outcome, port, self.language),
            _ => return false,
        };
        self.ports.insert(event.port.clone(), at);
        true
    }

    /// The token of the key in that port belongs to this person.
    pub fn belongs(&mut self, port: &str, person: &str) {
        if let Some(At { view: View::Done { user, .. }, .. }) = self.ports.get_mut(port) {
            *user = Some(Text::new(person));
        }
    }

    /// Whoever stands there has seen what is done: those keys are to be pulled out.
    pub fn done_was_seen(&mut self) {
        for at in self.ports.values_mut() {
            if let View::Done { port, .. } = at.view {
                *at = At { view: View::Remove { port }, line: (PortState::Remove, None) };
            }
        }
    }

    /// The key in that port was pulled out.
    pub fn pulled(&mut self, port: &str) {
        self.ports.remove(port);
    }

    /// Whether there is anything to say of a key.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.ports.is_empty()
    }

    /// What the panel shows.
    #[must_use]
    pub fn view(&self) -> View {
        let mut at = self.ports.values();
        match (at.next(), at.next()) {
            (None, _) => self.idle.clone(),
            (Some(only), None) => only.view.clone(),
            _ => View::Ports(self.lines()),
        }
    }

    fn lines(&self) -> Vec<PortLine> {
        let line = |(path, at): (&String, &At)| {
            let (state, progress) = at.line;
            Some(PortLine { port: port(path)?, state, progress })
        };
        self.ports.iter().filter_map(line).collect()
    }
}

/// The number that a person reads beside the socket: the last of the port path.
#[must_use]
pub fn port(path: &str) -> Option<Port> {
    path.rsplit(['.', '-']).next()?.parse().ok().and_then(Port::new)
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

fn ended(outcome: &Outcome, port: Option<Port>, language: Language) -> At {
    let key = || {
        let serial = outcome.key.as_ref().and_then(|key| key.serial);
        Text::new(&serial.map(|serial| serial.to_string()).unwrap_or_default())
    };
    match &outcome.ending {
        Ending::Enrolled(_) => {
            let serial = Text::new(outcome.token.as_ref().map_or("", |token| token.as_str()));
            At { view: View::Done { port, serial, user: None }, line: (PortState::Done, None) }
        }
        Ending::Quarantined(refusal) if refusal.code == Code::PulledWhileWriting => {
            At { view: View::Quarantined { port, key: key() }, line: (PortState::Quarantined, None) }
        }
        ending => {
            let refusal = ending.refusal().cloned().unwrap_or_else(|| Refusal::new(Code::Internal, ""));
            let mut notice = notice(refusal.code, language);
            if let Some(gone) = gone(outcome, language) {
                notice.cause = Text::new(gone);
            }
            At { view: View::Refused { port, notice }, line: (PortState::Refused, None) }
        }
    }
}

/// What does not come back although the enrollment did not succeed. Whose it was is not for the display.
const fn gone(outcome: &Outcome, language: Language) -> Option<&'static str> {
    Some(match (outcome.gone.is_some(), outcome.given_up.is_some(), language) {
        (true, _, Language::English) => {
            "The token that this key had is gone for good. The rest was taken back."
        }
        (true, _, Language::German) => {
            "Das frühere Token des Keys ist endgültig weg. Der Rest ist zurückgenommen."
        }
        (_, true, Language::English) => "The maker's Yubico OTP is gone for good. The rest was taken back.",
        (_, true, Language::German) => {
            "Das Yubico-OTP des Herstellers ist endgültig weg. Der Rest ist zurückgenommen."
        }
        _ => return None,
    })
}

/// A refusal as the panel shows it.
#[must_use]
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
#[must_use]
pub const fn panel_language(language: Language) -> panel::Language {
    match language {
        Language::English => panel::Language::English,
        Language::German => panel::Language::German,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keys::device::{Family, KeySerial, Kind, ProofWay, Slot};
    use panel::{Glass, fits};
    use station::record::{Actor, EnrollmentId, Record, Remains, State};
    use station::server::Person;
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
                let View::Refused { notice, .. } = ended(&outcome, None, language).view else {
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

    fn touch(port: &str) -> Event {
        let what = What::TouchWanted {
            way: ProofWay::TypedShort,
            within: Duration::from_millis(29_200),
            attempt: 2,
            attempts: 3,
        };
        Event { port: port.to_owned(), what }
    }

    #[test]
    fn what_is_done_is_seen_before_the_key_is_to_be_removed() {
        let mut display = Display::new(Language::English, View::Ready(panel::Station::default()));
        let port = Port::new(3);
        let done = View::Done { port, serial: "UBOM12345678_1".into(), user: None };
        display.ports.insert("1-1.3".to_owned(), At { view: done, line: (PortState::Done, None) });
        display.belongs("1-1.3", "alice@office");
        let View::Done { user: Some(user), .. } = display.view() else { panic!("not done") };
        assert_eq!(user.as_str(), "alice@office");
        display.saw(&touch("1-1.4"));
        display.done_was_seen();
        display.pulled("1-1.4");
        assert_eq!(display.view(), View::Remove { port });
        display.belongs("1-1.3", "bob@office");
        assert_eq!(display.view(), View::Remove { port });
    }

    #[test]
    fn one_key_is_shown_large_and_several_as_a_list() {
        let idle = View::Ready(panel::Station::default());
        let mut display = Display::new(Language::English, idle.clone());
        assert_eq!(display.view(), idle);
        assert!(display.saw(&touch("1-1.3")));
        let wanted = View::Touch { port: Port::new(3), seconds_left: 30, attempt: Progress::new(2, 3) };
        assert_eq!(display.view(), wanted);
        display.saw(&Event { port: "1-1.4".to_owned(), what: What::Entered(Phase::Writing) });
        let View::Ports(lines) = display.view() else { panic!("not a list") };
        assert_eq!(lines.iter().map(|line| line.port.number()).collect::<Vec<_>>(), [3, 4]);
        display.pulled("1-1.4");
        assert_eq!(display.view(), wanted);
    }
}
