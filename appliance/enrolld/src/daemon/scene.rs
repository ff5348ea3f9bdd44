//! What the display shows: the keys in work, else what the station waits for.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use control::types::Credential;
use keys::device::KeySerial;
use panel::{Fingerprint, Notice, Press, Run, ServerTrouble, Station, Text, View};
use station::catalogue::Language;
use station::engine::mode::Mode;
use station::engine::run::RunState;
use station::refusal::Code;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::display::{self, notice};
use crate::service::{Face, Service, addresses, mends_itself};
use dispatch::scheduler::{Cancelled, Doing, SchedulerEvent, SchedulerHandle, Selector, Snapshot};

/// How long the host key is shown: as long as somebody needs to compare it.
const KEY_SHOWN: Duration = Duration::from_secs(60);

/// How long what the station waits for and the host key are shown by turns after a start.
const TURN: Duration = Duration::from_secs(6);

/// How long it is told what became of a key that was pulled out before its enrollment had ended.
const TOLD: Duration = Duration::from_secs(30);

/// How long after a trouble with the server it is asked again: this, then twice as long each time, up to the other.
const FIRST_TRY: Duration = Duration::from_secs(15);
const LAST_TRY: Duration = Duration::from_secs(300);

/// Draws until the scheduler has ended.
pub(super) async fn draw(
    service: Arc<Service>,
    scheduler: SchedulerHandle,
    face: Arc<Face>,
    presses: blocking::Receiver<Press>,
) {
    let mut presses = forwarded(presses);
    let mut events = scheduler.events();
    let (mut configs, mut door, mut server) = (service.configs(), service.door(), service.server_changes());
    let mut host_key: Option<HostKey> = None;
    let mut aftermath: Option<(View, Instant)> = None;
    let mut departed = Departed::default();
    let mut again = Again::default();
    loop {
        let Some(snapshot) = scheduler.snapshot().await else { return };
        let language = crate::config::language(service.config().station.language);
        let now = Instant::now();
        aftermath = aftermath.filter(|(_, until)| *until > now);
        again.wanted(now, can_be_tried(&service, &snapshot));
        // Whoever has a key to touch is not kept waiting by it.
        let its_turn = host_key.is_some_and(|host_key| host_key.has_its_turn(now))
            && !display::is_busy(language, &snapshot.ports);
        let fingerprint = its_turn.then(|| door.borrow().clone()).flatten();
        let fingerprint = fingerprint.and_then(|door| Fingerprint::parse(&door.host_key).ok());
        let view = fingerprint.map_or_else(
            || {
                let idle = aftermath.as_ref().map(|(view, _)| view.clone());
                display::view(
                    language,
                    idle.unwrap_or_else(|| idle_view(&service, &snapshot)),
                    &snapshot.ports,
                )
            },
            View::HostKey,
        );
        service.board().show(&view);
        face.show(view);
        tokio::select! {
            event = events.recv() => match event {
                Ok(SchedulerEvent::Ended(ended)) => {
                    let outcome = &ended.report.outcome;
                    let serial = outcome.key.as_ref().and_then(|key| key.serial);
                    let pulled = outcome.ending.refusal().is_some_and(|refusal| {
                        matches!(refusal.code, Code::PulledWhileWriting | Code::PulledEarly)
                    });
                    let told = (pulled || !ended.there) && !departed.is_over(&ended.port, serial);
                    // What ended last is what is told, be it in a port or not any more.
                    aftermath = display::aftermath(language, &ended.port, outcome)
                        .filter(|_| told)
                        .map(|view| (view, Instant::now() + TOLD));
                }
                // Whoever stands there has turned to something else.
                Ok(SchedulerEvent::Arrived { .. }) => {
                    aftermath = None;
                    departed.somebody_came();
                }
                Ok(SchedulerEvent::Left { port }) => departed.left(&snapshot, port),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            changed = configs.changed() => if changed.is_err() { return },
            // An SSH server that opens shows its key, so that the first login can be compared. Keys are taken
            // meanwhile, so it does not hide for long that one is waited for.
            changed = door.changed() => {
                if changed.is_err() { return }
                host_key = Some(HostKey { from: Instant::now(), by_turns: true });
            }
            _ = server.recv() => {}
            Some(press) = presses.recv() => {
                if press == Press::Long {
                    match working(&snapshot) {
                        Some(port) => {
                            tracing::info!("port {port}: called off at the button");
                            // It may be over already.
                            let _ = scheduler.cancel(Cancelled::Key(port)).await;
                        }
                        None => host_key = Some(HostKey { from: Instant::now(), by_turns: false }),
                    }
                }
            }
            () = until(host_key.and_then(|host_key| host_key.next_turn(now))) => {}
            () = until(aftermath.as_ref().map(|(_, until)| *until)) => {}
            () = until(again.at) => {
                again.tried();
                // What it finds out is told by an event.
                let service = Arc::clone(&service);
                tokio::spawn(async move { service.freshen().await });
            }
        }
    }
}

/// The keys that have left while something was done with them, and whether somebody came with another since:
/// what becomes of them is told to nobody then.
#[derive(Debug, Default)]
struct Departed(Vec<(String, Option<KeySerial>, bool)>);

impl Departed {
    fn left(&mut self, before: &Snapshot, port: String) {
        let view = before.ports.iter().find(|view| view.port == port);
        let worked = view.filter(|view| matches!(view.doing, Doing::Working { .. }));
        if let Some(view) = worked {
            self.0.push((port, view.key.as_ref().and_then(|key| key.serial), false));
        }
    }

    fn somebody_came(&mut self) {
        self.0.iter_mut().for_each(|(.., came)| *came = true);
    }

    /// Something has ended with a key of a port: whether it had left before somebody else came.
    fn is_over(&mut self, port: &str, serial: Option<KeySerial>) -> bool {
        let at = self.0.iter().position(|(place, key, _)| place == port && *key == serial);
        at.is_some_and(|at| self.0.swap_remove(at).2)
    }
}

/// Since when the host key is shown, and whether all the time.
#[derive(Debug, Clone, Copy)]
struct HostKey {
    from: Instant,
    by_turns: bool,
}

impl HostKey {
    /// Whether it is shown at `now`; by turns it comes second.
    fn has_its_turn(self, now: Instant) -> bool {
        let shown = now.saturating_duration_since(self.from);
        let turn = shown.as_millis() / TURN.as_millis();
        shown < KEY_SHOWN && (!self.by_turns || turn % 2 == 1)
    }

    /// When something else is to be shown; `None` once that is over.
    fn next_turn(self, now: Instant) -> Option<Instant> {
        let shown = now.saturating_duration_since(self.from);
        let turn = if self.by_turns { TURN } else { KEY_SHOWN };
        let turns = u32::try_from(shown.as_millis() / turn.as_millis()).ok()?;
        let next = turn.checked_mul(turns.checked_add(1)?)?;
        (next <= KEY_SHOWN).then(|| self.from + next)
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The button's presses, which come on a thread of the panel's.
fn forwarded(presses: blocking::Receiver<Press>) -> mpsc::Receiver<Press> {
    let (sender, receiver) = mpsc::channel(4);
    // Without a thread the button turns pages and does nothing else.
    let _ = std::thread::Builder::new().name("button".to_owned()).spawn(move || {
        for press in presses {
            if sender.blocking_send(press).is_err() {
                return;
            }
        }
    });
    receiver
}

/// When a trouble is looked at again that may be gone without anybody's doing. Never, when there is none.
#[derive(Debug, Default)]
struct Again {
    at: Option<Instant>,
    times: u32,
}

impl Again {
    fn wanted(&mut self, now: Instant, trouble: bool) {
        if !trouble {
            *self = Self::default();
        } else if self.at.is_none() {
            let pause = FIRST_TRY.saturating_mul(1 << self.times.min(10)).min(LAST_TRY);
            self.at = Some(now + pause);
        }
    }

    fn tried(&mut self) {
        self.at = None;
        self.times = self.times.saturating_add(1);
    }
}

/// Whether something stands in the way that may be gone when it is tried again.
fn can_be_tried(service: &Service, snapshot: &Snapshot) -> bool {
    let trouble = service.server().trouble.and_then(|refusal| Code::parse(&refusal.code));
    snapshot.server && trouble.is_some_and(mends_itself)
}

/// The only port in which something can be called off.
fn working(snapshot: &Snapshot) -> Option<String> {
    let mut working = snapshot.ports.iter().filter(|view| matches!(view.doing, Doing::Working { .. }));
    match (working.next(), working.next()) {
        (Some(only), None) => Some(only.port.clone()),
        _ => None,
    }
}

/// What is shown while no key is in work: what stops the next key, else what it is for. Of the server
/// it promises nothing: a key that comes is the question.
fn idle_view(service: &Service, snapshot: &Snapshot) -> View {
    let config = service.config();
    let language = crate::config::language(config.station.language);
    let own = addresses();
    // Whoever is called has to know where to come to.
    let operator = |why: View| match own.as_slice() {
        [] => why,
        own => View::Operator {
            why: Box::new(why),
            name: Text::new(config.station.name.as_str()),
            addresses: own.iter().map(|address| Text::new(address)).collect(),
        },
    };
    if let Some(problem) = service.problems().first() {
        let line = problem.place.map(|(line, column)| match language {
            Language::English => format!("Line {line}, column {column}: "),
            Language::German => format!("Zeile {line}, Spalte {column}: "),
        });
        // What is about the whole names no field.
        let field = if problem.field.is_empty() { String::new() } else { format!("{}: ", problem.field) };
        let cause = format!("{}{field}{}.", line.unwrap_or_default(), problem.text);
        let worded = notice(Code::ConfigurationInvalid, language);
        return operator(View::Fault(Notice {
            cause: Text::new(&cause),
            remedy: Text::new(&problem.remedy),
            ..worded
        }));
    }
    if let Some(refusal) = service.kept_trouble() {
        return operator(View::Fault(notice(refusal.code, language)));
    }
    if let Some(why) = &snapshot.lost {
        return operator(View::Fault(Notice { cause: Text::new(why), ..notice(Code::Internal, language) }));
    }
    let server = service.server();
    let remedy = |code: Code| Some(Text::new(code.text(language).remedy));
    if server.url.is_none() {
        return operator(View::Locked { reason: remedy(Code::NoServer) });
    }
    if !snapshot.server {
        return operator(View::Locked { reason: remedy(Code::NoCredential) });
    }
    if snapshot.mode == Mode::Locked {
        return operator(View::Locked { reason: remedy(Code::Locked) });
    }
    let host = config.server.url.as_ref().map(|url| url.host().to_owned()).unwrap_or_default();
    // Without an address of its own the station reaches nobody but itself.
    let itself = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if own.is_empty() && !itself && server.credential != Credential::Files {
        return View::NoNetwork { detail: None };
    }
    if let Some(code) = server.trouble.as_ref().and_then(|refusal| Code::parse(&refusal.code)) {
        return operator(match trouble(code) {
            Some(trouble) => View::Server { trouble, host: Text::new(&host) },
            None => View::Fault(notice(code, language)),
        });
    }
    // What only waits for a key to be looked at is not for the person at the desk: it has no time limit.
    let orders = snapshot.orders.iter().filter(|order| order.what == "enroll" || order.left.is_some());
    let wanted: Vec<&Selector> = orders.map(|order| &order.key).collect();
    if !wanted.is_empty() {
        let key = match wanted.as_slice() {
            [Selector::Serial(serial)] => Some(Text::new(serial)),
            _ => None,
        };
        return View::Order { key };
    }
    // A run that is over, or pauses, asks for no key.
    if let Some(run) = snapshot.run.as_ref().filter(|run| run.state == RunState::Running) {
        let progress = &run.progress;
        return View::Run(Run {
            name: Text::new(&run.plan.name),
            done: progress.done,
            total: progress.to_go.map(|to_go| to_go + progress.done),
            refused: progress.refused,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A rate of keys an hour is small.
            per_hour: progress.per_hour.filter(|rate| (0.0..1e6).contains(rate)).map(|rate| rate.round() as u32),
            left: progress.left,
        });
    }
    View::Ready(Station {
        name: Text::new(config.station.name.as_str()),
        address: Text::new(own.first().map(String::as_str).unwrap_or_default()),
        state: Text::default(),
        warnings: warnings(service).into_iter().map(|code| notice(code, language)).collect(),
    })
}

/// What should be done about the station, although it takes keys.
fn warnings(service: &Service) -> Vec<Code> {
    let board = service.board().troubles().into_iter().map(|refusal| refusal.code);
    board.chain((!dispatch::clock::is_known()).then_some(Code::ClockUnknown)).collect()
}

fn trouble(code: Code) -> Option<ServerTrouble> {
    Some(match code {
        Code::ServerUnreachable
        | Code::ServerFault
        | Code::ServerBusy
        | Code::AnswerUnreadable
        | Code::OutcomeUnknown => ServerTrouble::Unreachable,
        Code::CertificateUntrusted
        | Code::CertificateExpired
        | Code::CertificateWrongHost
        | Code::PinMismatch
        | Code::TlsFailed => ServerTrouble::Untrusted,
        Code::ClockWrong => ServerTrouble::ClockWrong,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(by_turns: bool) -> Vec<bool> {
        let from = Instant::now();
        let host_key = HostKey { from, by_turns };
        let (mut at, mut shown) = (from, vec![host_key.has_its_turn(from)]);
        while let Some(next) = host_key.next_turn(at) {
            assert!(next > at && next <= from + KEY_SHOWN);
            assert_eq!(host_key.has_its_turn(next - Duration::from_millis(1)), shown[shown.len() - 1]);
            shown.push(host_key.has_its_turn(next));
            at = next;
        }
        shown
    }

    #[test]
    fn after_a_start_a_call_for_a_key_comes_first_and_the_host_key_by_turns() {
        assert_eq!(shown(true), [false, true, false, true, false, true, false, true, false, true, false]);
    }

    #[test]
    fn a_trouble_is_looked_at_again_less_and_less_often_and_never_without_one() {
        let mut again = Again::default();
        let mut now = Instant::now();
        again.wanted(now, false);
        assert_eq!(again.at, None, "a station at rest is not woken");
        let mut pauses = Vec::new();
        for _ in 0..7 {
            again.wanted(now, true);
            let at = again.at.unwrap();
            pauses.push((at - now).as_secs());
            now = at;
            again.tried();
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        again.wanted(now, false);
        again.wanted(now, true);
        assert_eq!(again.at, Some(now + FIRST_TRY), "after a while without trouble it begins anew");
    }

    #[test]
    fn at_the_button_the_host_key_is_shown_at_once_and_for_a_minute() {
        assert_eq!(shown(false), [true, false]);
    }
}
