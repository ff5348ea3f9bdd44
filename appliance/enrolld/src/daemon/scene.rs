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

use crate::display::{Display, notice};
use crate::floor::{Cancelled, Doing, FloorEvent, FloorHandle, Snapshot};
use crate::service::{Desk, Face, addresses};

/// How long the host key is shown: as long as somebody needs to compare it.
const KEY_SHOWN: Duration = Duration::from_secs(60);

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
    let (mut key_until, mut done_until) = (None, None);
    loop {
        let Some(snapshot) = floor.snapshot().await else { return };
        display.set_idle(idle(&desk, &snapshot));
        // Whoever has a key to touch is not kept waiting by it.
        let shows_key = key_until.filter(|until| *until > tokio::time::Instant::now() && !display.is_busy());
        let host_key = shows_key.and_then(|_| {
            let door = door.borrow().clone()?;
            Fingerprint::parse(&door.host_key).ok()
        });
        face.show(host_key.map_or_else(|| display.view(), View::HostKey));
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    take(&mut display, &event);
                    if let FloorEvent::Ended(ended) = event {
                        done_until = Some(tokio::time::Instant::now() + DONE_SHOWN);
                        if let Some(person) = desk.person_of(&ended.report.outcome).await {
                            display.belongs(&ended.port, &person);
                        }
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            changed = configs.changed() => if changed.is_err() { return },
            // A door that opens shows its key, so that the first login can be compared.
            changed = door.changed() => {
                if changed.is_err() { return }
                key_until = Some(tokio::time::Instant::now() + KEY_SHOWN);
            }
            _ = server.recv() => {}
            Some(press) = presses.recv() => {
                if press == Press::Long {
                    match working(&snapshot) {
                        Some(port) => {
                            tracing::info!("port {port}: called off at the button");
                            // It may be over already.
                            let _ = floor.cancel(Cancelled::Port(port)).await;
                        }
                        None => key_until = Some(tokio::time::Instant::now() + KEY_SHOWN),
                    }
                }
            }
            () = until(key_until) => key_until = None,
            () = until(done_until) => {
                done_until = None;
                display.done_was_seen();
            }
        }
    }
}

async fn until(at: Option<tokio::time::Instant>) {
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
        let cause = format!("{}{}: {}.", line.unwrap_or_default(), problem.field, problem.text);
        let worded = notice(Code::ConfigurationInvalid, language);
        return View::Fault(Notice {
            cause: Text::new(&cause),
            remedy: Text::new(&problem.remedy),
            ..worded
        });
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
