//! What the display shows: the keys in work, else what the station waits for.

use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use panel::{Fingerprint, Notice, Press, Run, ServerTrouble, Station, Text, View};
use station::catalogue::Language;
use station::mode::Mode;
use station::refusal::Code;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::display::{Display, notice};
use crate::floor::{Cancelled, Doing, FloorEvent, FloorHandle, Snapshot};
use crate::service::{Desk, Face, addresses};

/// How long the host key is shown: as long as somebody needs to compare it.
const KEY_SHOWN: Duration = Duration::from_secs(60);

/// How long what the station waits for and the host key are shown by turns after a start.
const TURN: Duration = Duration::from_secs(6);

/// How long a token's serial and its owner are shown before "Remove the key": they take turns there.
const DONE_SHOWN: Duration = Duration::from_secs(8);

/// Draws until the floor has ended.
pub(super) async fn draw(
    desk: Arc<Desk>,
    floor: FloorHandle,
    face: Arc<Face>,
    presses: blocking::Receiver<Press>,
) {
    let mut presses = forwarded(presses);
    let mut events = floor.events();
    let (mut configs, mut door, mut server) = (desk.configs(), desk.door(), desk.server_changes());
    let mut display = Display::new(desk.config().station.language.language(), View::Starting { step: None });
    let (mut host_key, mut done_until): (Option<HostKey>, _) = (None, None);
    loop {
        let Some(snapshot) = floor.snapshot().await else { return };
        display.set_idle(idle(&desk, &snapshot));
        let now = Instant::now();
        // Whoever has a key to touch is not kept waiting by it.
        let its_turn = host_key.is_some_and(|host_key| host_key.has_its_turn(now)) && !display.is_busy();
        let fingerprint = its_turn.then(|| door.borrow().clone()).flatten();
        let fingerprint = fingerprint.and_then(|door| Fingerprint::parse(&door.host_key).ok());
        face.show(fingerprint.map_or_else(|| display.view(), View::HostKey));
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    take(&mut display, &event);
                    if let FloorEvent::Ended(ended) = event {
                        done_until = Some(Instant::now() + DONE_SHOWN);
                        if let Some(person) = desk.person_of(&ended.report.outcome).await {
                            display.belongs(&ended.port, &person);
                        }
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            changed = configs.changed() => if changed.is_err() { return },
            // A door that opens shows its key, so that the first login can be compared. Keys are taken
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
                            let _ = floor.cancel(Cancelled::Key(port)).await;
                        }
                        None => host_key = Some(HostKey { from: Instant::now(), by_turns: false }),
                    }
                }
            }
            () = until(host_key.and_then(|host_key| host_key.next_turn(now))) => {}
            () = until(done_until) => {
                done_until = None;
                display.done_was_seen();
            }
        }
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

fn take(display: &mut Display, event: &FloorEvent) {
    match event {
        FloorEvent::Step(event) => drop(display.saw(event)),
        FloorEvent::Left { port } => display.pulled(port),
        _ => {}
    }
}

/// The only port in which something can be called off.
fn working(snapshot: &Snapshot) -> Option<String> {
    let mut working = snapshot.ports.iter().filter(|view| matches!(view.doing, Doing::Working { .. }));
    match (working.next(), working.next()) {
        (Some(only), None) => Some(only.port.clone()),
        _ => None,
    }
}

/// What is shown while no key is in work.
fn idle(desk: &Desk, snapshot: &Snapshot) -> View {
    let config = desk.config();
    let language = config.station.language.language();
    if let Some(problem) = desk.problems().first() {
        let line = problem.place.map(|(line, column)| match language {
            Language::English => format!("Line {line}, column {column}: "),
            Language::German => format!("Zeile {line}, Spalte {column}: "),
        });
        // What is about the whole names no field.
        let field = if problem.field.is_empty() { String::new() } else { format!("{}: ", problem.field) };
        let cause = format!("{}{field}{}.", line.unwrap_or_default(), problem.text);
        let worded = notice(Code::ConfigurationInvalid, language);
        return View::Fault(Notice {
            cause: Text::new(&cause),
            remedy: Text::new(&problem.remedy),
            ..worded
        });
    }
    if let Some(refusal) = desk.kept_trouble() {
        return View::Fault(notice(refusal.code, language));
    }
    if let Some(why) = &snapshot.lost {
        return View::Fault(Notice { cause: Text::new(why), ..notice(Code::Internal, language) });
    }
    let server = desk.server();
    let remedy = |code: Code| Some(Text::new(code.text(language).remedy));
    if server.url.is_none() {
        return View::Locked { reason: remedy(Code::NoServer) };
    }
    if !snapshot.server {
        return View::Locked { reason: remedy(Code::NoCredential) };
    }
    if snapshot.mode == Mode::Locked {
        return View::Locked { reason: remedy(Code::Locked) };
    }
    if let Some(trouble) = server.trouble.as_ref().and_then(|refusal| trouble(&refusal.code)) {
        // Without an address of its own the station reaches nobody.
        if trouble == ServerTrouble::Unreachable && addresses().is_empty() {
            return View::NoNetwork { detail: None };
        }
        let host = config.server.url.as_ref().map(|url| url.host().to_owned()).unwrap_or_default();
        return View::Server { trouble, host: Text::new(&host) };
    }
    if let Some(run) = &snapshot.run {
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
        address: Text::new(&addresses().into_iter().next().unwrap_or_default()),
        state: Text::new(&server.product.unwrap_or_default()),
    })
}

fn trouble(code: &str) -> Option<ServerTrouble> {
    Some(match Code::parse(code)? {
        Code::ServerUnreachable | Code::ServerFault | Code::ServerBusy | Code::AnswerUnreadable => {
            ServerTrouble::Unreachable
        }
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
    fn at_the_button_the_host_key_is_shown_at_once_and_for_a_minute() {
        assert_eq!(shown(false), [true, false]);
    }
}
