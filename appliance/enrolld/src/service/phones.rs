//! Enrolling phones: the engine asks, and whoever listens to the call answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use control::types::{
    Ending as Ended, Order as Waiting, PhoneAnswer, PhoneEnroll, PhoneNews, PhoneOutcome, PhoneWish,
};
use control::wire::Reply;
use control::{Refusal, Replies, Role, Secret};
use futures_util::stream;
use jiff::Timestamp;
use keys::device::Kind;
use station::engine::enrollment::{Ending, Order};
use station::engine::mode::Mode;
use station::engine::phone::{self, NO_KEY, PhoneCode, Question};
use station::engine::record::Actor;
use station::engine::server::Person;
use station::profile::{Profile, TwoStep};
use station::refusal::Code;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::call_handler::Caller;
use super::credential::now;
use super::enroll::secrets;
use super::refuse::{no, told};
use super::translate::{milliseconds, whole};
use super::{Service, lock};
use dispatch::clock::SystemClock;
use dispatch::driver::{Cancel, Station};
use dispatch::phone::Terminal;

/// How long each answer may take: an app has to be found, and opened, and read.
const TIMEOUT: Duration = Duration::from_secs(180);

/// How long phones get at a shutdown until their tokens are taken back; recovery does the rest.
const HANG_UP: Duration = Duration::from_secs(10);

/// The enrollments of phones that are under way.
#[derive(Default)]
pub(super) struct Phones {
    last: i64,
    open: BTreeMap<i64, Talk>,
}

impl Phones {
    /// The enrollments that are under way, as orders: each waits for a person.
    pub(super) fn orders(&self) -> impl Iterator<Item = Waiting> + '_ {
        self.open.iter().map(|(ticket, talk)| Waiting {
            ticket: *ticket,
            what: "phone enroll".to_owned(),
            key: None,
            profile: talk.profile.clone(),
            person: Some(talk.person.clone()),
            operator: talk.by.clone(),
            since: talk.since,
            until: None,
            detached: false,
        })
    }
}

struct Talk {
    by: String,
    person: String,
    profile: Option<String>,
    since: Timestamp,
    answers: mpsc::Sender<Option<Zeroizing<String>>>,
    cancel: watch::Sender<bool>,
    over: watch::Receiver<bool>,
}

impl Service {
    /// Enrolls a phone with whoever listens.
    pub(super) async fn enroll_phone(
        self: &Arc<Self>,
        caller: &Caller,
        request: PhoneEnroll,
    ) -> Result<Replies<PhoneNews>, Refusal> {
        let snapshot = self.snapshot().await?;
        if let Some(problem) = lock(&self.problems).first() {
            return Err(no(Code::ConfigurationInvalid, problem.to_string()));
        }
        if snapshot.stopping {
            return Err(no(Code::Stopping, ""));
        }
        if snapshot.mode == Mode::Locked {
            return Err(no(Code::Locked, ""));
        }
        // Whoever reads a token out of a sealed file has no phone to show it to.
        self.credentials.client()?;
        let server = self.credentials.port().ok_or_else(|| no(Code::NoCredential, ""))?;
        let (who, _) = self.person(&request.person, request.unchecked.unwrap_or(false)).await?;
        let order = self.order_for_phone(caller, &request, who.clone())?;
        let profile = request.profile.clone();
        let (news, heard) = mpsc::channel(4);
        let (answers, answered) = mpsc::channel(1);
        let (cancel, cancelled) = watch::channel(false);
        let (done, over) = watch::channel(false);
        let ticket = {
            let mut phones = lock(&self.phones);
            phones.last += 1;
            let ticket = phones.last;
            let (by, person) = (caller.name.clone(), request.person.clone());
            let (profile, since) = (profile.clone(), now());
            let cancel = cancel.clone();
            phones.open.insert(ticket, Talk { by, person, profile, since, answers, cancel, over });
            ticket
        };
        let station = Station {
            server,
            store: self.store.clone(),
            clock: SystemClock::new(),
            watcher: Arc::new(|_| ()),
        };
        // Whoever hangs up is noticed at once, and not only at the next question.
        let listener = news.clone();
        let watching = tokio::spawn(async move {
            listener.closed().await;
            cancel.send_replace(true);
        });
        let service = Arc::clone(self);
        let mut terminal = Wire { ticket, news: news.clone(), answers: answered, patience: TIMEOUT };
        // Once begun, it is carried to its end; whoever hangs up has it taken back.
        tokio::spawn(async move {
            let person = who.to_string();
            let outcome = station.enroll_phone(order, TIMEOUT, &mut terminal, Cancel::on(cancelled)).await;
            let outcome = told_of(outcome, person, profile);
            tracing::info!(
                "phone of {}: {} {}",
                outcome.person,
                outcome.ending,
                outcome.token.as_deref().unwrap_or("")
            );
            watching.abort();
            service.scheduler.see_to(NO_KEY).await;
            lock(&service.phones).open.remove(&ticket);
            // Whoever listened may have gone.
            let _ = news.send(PhoneNews { outcome: Some(outcome), ..piece(ticket, PhoneWish::Over) }).await;
            done.send_replace(true);
        });
        Ok(Box::pin(stream::unfold(Some(heard), |heard| async move {
            let mut heard = heard?;
            let news = heard.recv().await?;
            let continues = news.wish != PhoneWish::Over;
            Some((Ok(Reply { parameters: news, continues }), continues.then_some(heard)))
        })))
    }

    fn order_for_phone(
        &self,
        caller: &Caller,
        request: &PhoneEnroll,
        person: Person,
    ) -> Result<Order, Refusal> {
        let config = self.config();
        let mut profile = match &request.profile {
            None => Profile::new(Kind::Totp),
            Some(name) => {
                let section = config.profiles.get(name);
                section.ok_or_else(|| no(Code::ProfileUnknown, name.clone()))?.profile.clone()
            }
        };
        match request.two_step {
            Some(true) => profile.two_step = TwoStep::Force,
            Some(false) => profile.two_step = TwoStep::Never,
            None => {}
        }
        let by = Actor::Operator(caller.name.clone());
        let name = request.profile.clone().unwrap_or_else(|| "phone".to_owned());
        Ok(Order {
            person: Some(person),
            pin: match &request.pin {
                Some(pin) => secrets(Some(copy(pin)), None, None)?.pin,
                None => None,
            },
            server_name: config.server.name.as_str().to_owned(),
            ..Order::new(config.station.name.as_str(), "phone", by, name, profile)
        })
    }

    /// What somebody typed.
    pub(super) async fn answer_phone(&self, caller: &Caller, request: PhoneAnswer) -> Result<(), Refusal> {
        let answers = {
            let phones = lock(&self.phones);
            let talk = phones
                .open
                .get(&request.ticket)
                .filter(|talk| talk.by == caller.name || caller.role == Role::Admin);
            let talk = talk.ok_or_else(|| {
                no(Code::InputInvalid, "no phone of yours is being enrolled under this number")
            })?;
            if request.answer.is_none() {
                talk.cancel.send_replace(true);
            }
            talk.answers.clone()
        };
        let answer = request.answer.map(Secret::into_inner);
        // One that nobody asked for stays until the next question, and no second one is kept.
        answers.try_send(answer).map_err(|_| no(Code::InputInvalid, "nothing was asked"))
    }

    /// Calls every enrollment of a phone off, and says how many.
    pub(super) fn call_phones_off(&self) -> usize {
        let phones = lock(&self.phones);
        phones.open.values().for_each(|talk| talk.cancel.send_modify(|cancel| *cancel = true));
        phones.open.len()
    }

    /// Has every enrollment of a phone taken back, and waits for that for a while.
    pub async fn hang_up(&self) {
        self.call_phones_off();
        let open: Vec<_> = lock(&self.phones).open.values().map(|talk| talk.over.clone()).collect();
        let all = async {
            for mut over in open {
                // A task that is gone is over, too.
                let _ = over.wait_for(|over| *over).await;
            }
        };
        // Recovery sees to what is left.
        let _ = tokio::time::timeout(HANG_UP, all).await;
    }
}

fn copy(secret: &Secret) -> Secret {
    Secret::new(Zeroizing::new(secret.expose().to_owned()))
}

/// News with nothing but what is wanted.
fn piece(ticket: i64, wish: PhoneWish) -> PhoneNews {
    PhoneNews {
        wish,
        ticket,
        rows: Vec::new(),
        address: None,
        letters: None,
        wrong: None,
        within_ms: None,
        outcome: None,
    }
}

fn told_of(outcome: phone::PhoneOutcome, person: String, profile: Option<String>) -> PhoneOutcome {
    let attempts = match &outcome.ending {
        Ending::Enrolled(proof) => Some(i64::from(proof.attempts)),
        _ => None,
    };
    PhoneOutcome {
        ending: match &outcome.ending {
            Ending::Enrolled(_) => Ended::Enrolled,
            Ending::Refused(_) => Ended::Refused,
            Ending::Undone(_) => Ended::Undone,
            _ => Ended::Postponed,
        },
        refusal: outcome.ending.refusal().map(told),
        enrollment: outcome.enrollment.map(|id| id.to_string()),
        token: outcome.token.map(|token| token.to_string()),
        person,
        profile,
        attempts,
    }
}

/// The terminal at the other end of the socket.
struct Wire {
    ticket: i64,
    news: mpsc::Sender<PhoneNews>,
    answers: mpsc::Receiver<Option<Zeroizing<String>>>,
    patience: Duration,
}

impl Wire {
    async fn question(&mut self, question: &Question) -> Option<Zeroizing<String>> {
        // What was typed before this was asked is no answer to it.
        while self.answers.try_recv().is_ok() {}
        let news = match question {
            Question::Component { letters, typo } => PhoneNews {
                letters: Some(whole(*letters)),
                wrong: typo.as_ref().map(ToString::to_string),
                ..piece(self.ticket, PhoneWish::Part)
            },
            Question::Code { wrong } => PhoneNews {
                wrong: wrong.map(|wrong| wrong.to_string()),
                ..piece(self.ticket, PhoneWish::Code)
            },
        };
        let news = PhoneNews { within_ms: Some(milliseconds(self.patience)), ..news };
        self.news.send(news).await.ok()?;
        tokio::select! {
            answer = self.answers.recv() => answer.flatten(),
            () = self.news.closed() => None,
        }
    }
}

impl Terminal for Wire {
    fn show(&mut self, code: &PhoneCode) -> Result<(), String> {
        let row = |row: usize| {
            let modules = (0..code.size()).map(|column| if code.dark(column, row) { '1' } else { '0' });
            let mut text = Zeroizing::new(String::with_capacity(code.size()));
            text.extend(modules);
            Secret::new(text)
        };
        let news = PhoneNews {
            rows: (0..code.size()).map(row).collect(),
            address: Some(Secret::new(Zeroizing::new(code.uri().to_owned()))),
            ..piece(self.ticket, PhoneWish::Show)
        };
        self.news.try_send(news).map_err(|_| "the terminal is gone".to_owned())
    }

    fn ask<'a>(
        &'a mut self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Option<Zeroizing<String>>> + Send + 'a>> {
        Box::pin(self.question(question))
    }
}
