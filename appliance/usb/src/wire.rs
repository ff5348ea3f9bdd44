//! The reports of one key, carried by a thread of its own.
//!
//! A transfer that hangs in the kernel cannot be called off: it ends after 5 s, or
//! after 10 s and more when some other device is plugged in meanwhile, because all of
//! hidraw shares one lock. So the transfers are another thread's, and whoever waits for
//! one is told at once when the key is gone, and after [`DEADLINE`] in any case.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use keys::conversation::Report;
use keys::wire::{Wire, WireFault};
use zeroize::Zeroizing;

use crate::opener::{Handle, Opener};
use crate::session::Session;

/// How long one transfer may take: longer than a healthy key can be held up by another
/// one that hangs while a third is plugged in (10.2 s were measured).
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// How long the nodes of a key may take to appear and become ours before it is said to be silent. For 15
/// keys at once udev took over 20 s in an emulated machine that had a fifth of a processor, and
/// over a minute in one that had less. A key whose nodes come later still is told of anew.
pub(crate) const NODES: Duration = Duration::from_secs(60);

/// How long after a failed transfer the kernel may take to say that the key was pulled.
const CONFIRM: Duration = Duration::from_millis(250);

/// The longest report with its id: 64 bytes and one.
const LONGEST: usize = 65;

/// The wire to one key. Its node is found below the key's own sysfs path.
///
/// It can be had as soon as the key was plugged in, before there is a node to open:
/// [`Wire::ready`] waits for that.
pub struct HidWire {
    session: Arc<Session>,
    opener: Arc<dyn Opener>,
    /// The directory of the nodes: `/dev`.
    dev: String,
    limits: Limits,
    line: Option<Line>,
}

/// How long to wait, shorter in tests.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) transfer: Duration,
    pub(crate) nodes: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transfer: DEADLINE, nodes: NODES }
    }
}

/// To the thread that carries.
struct Line {
    jobs: Sender<Numbered>,
    answer: Arc<Mutex<Option<(u64, Outcome)>>>,
    last: u64,
}

type Numbered = (u64, Job);
type Outcome = Result<Option<Report>, String>;

enum Job {
    SetFeature(Zeroizing<Vec<u8>>),
    Feature(usize),
    Output(Zeroizing<Vec<u8>>),
    Input(Duration),
}

impl HidWire {
    pub(crate) fn new(session: Arc<Session>, opener: Arc<dyn Opener>, dev: String, limits: Limits) -> Self {
        Self { session, opener, dev, limits, line: None }
    }

    /// The thread's line, opened when the node is there.
    fn line(&mut self) -> Result<&mut Line, WireFault> {
        if self.line.is_none() {
            let node = self.node()?;
            self.line = Some(self.open(node)?);
        }
        // It was set just now.
        self.line.as_mut().ok_or(WireFault::Gone)
    }

    /// Waits for the node.
    fn node(&self) -> Result<String, WireFault> {
        if !self.session.speaks() {
            return Err(WireFault::Failed("the station has no protocol for this device".to_owned()));
        }
        let until = Instant::now() + self.limits.nodes;
        let found = self.session.wait(until, |state| {
            if state.gone { Some(Err(WireFault::Gone)) } else { state.ready.clone().map(Ok) }
        });
        found.unwrap_or_else(|| {
            let mut state = self.session.lock();
            // It opened in the last moment.
            if let Some(node) = &state.ready {
                return Ok(node.clone());
            }
            state.given_up = true;
            let why = state.obstacle.clone().unwrap_or_else(|| {
                "the kernel made no node for it; the rules of udev may keep this port or vendor out"
                    .to_owned()
            });
            Err(WireFault::Failed(why))
        })
    }

    fn open(&self, node: String) -> Result<Line, WireFault> {
        let (jobs, inbox) = mpsc::channel();
        let answer = Arc::new(Mutex::new(None));
        let (session, opener, replies) =
            (Arc::clone(&self.session), Arc::clone(&self.opener), Arc::clone(&answer));
        let path = format!("{}/{node}", self.dev);
        let named = thread::Builder::new().name(format!("hid {}", self.session.port));
        named
            .spawn(move || carry(&path, &*opener, &session, &inbox, &replies))
            .map_err(|error| WireFault::Failed(format!("no thread for it: {error}")))?;
        Ok(Line { jobs, answer, last: 0 })
    }

    fn transfer(&mut self, job: Job, within: Duration) -> Result<Option<Report>, WireFault> {
        let session = Arc::clone(&self.session);
        if session.lock().gone {
            return Err(WireFault::Gone);
        }
        let limit = self.limits.transfer.saturating_add(within);
        let line = self.line()?;
        line.last += 1;
        let mine = line.last;
        if line.jobs.send((mine, job)).is_err() {
            self.line = None;
            return Err(fault(&session, "its thread has ended".to_owned()));
        }
        let answer = Arc::clone(&line.answer);
        let outcome = session.wait(Instant::now() + limit, |state| {
            // The answer goes before: what was done is done, also on a key that is gone.
            let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
            if answer.as_ref().is_some_and(|(number, _)| *number == mine) {
                return answer.take().map(|(_, outcome)| Ok(outcome));
            }
            state.gone.then_some(Err(WireFault::Gone))
        });
        match outcome {
            Some(Ok(Ok(report))) => Ok(report),
            Some(Ok(Err(why))) => Err(fault(&session, why)),
            Some(Err(gone)) => Err(gone),
            None => Err(fault(&session, format!("no end of a transfer within {} s", limit.as_secs()))),
        }
    }
}

/// What an error means is not said by its text, but by whether the key is there.
fn fault(session: &Session, why: String) -> WireFault {
    if session.turns_out_gone(CONFIRM) { WireFault::Gone } else { WireFault::Failed(why) }
}

impl Wire for HidWire {
    fn ready(&mut self) -> Result<(), WireFault> {
        self.line().map(|_| ())
    }

    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        self.transfer(Job::SetFeature(with_id(report)), Duration::ZERO).map(|_| ())
    }

    fn feature(&mut self, length: usize) -> Result<Report, WireFault> {
        let report = self.transfer(Job::Feature(length), Duration::ZERO)?;
        report.ok_or_else(|| WireFault::Failed("a transfer without an answer".to_owned()))
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault> {
        self.transfer(Job::Output(with_id(packet)), Duration::ZERO).map(|_| ())
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        self.transfer(Job::Input(timeout), timeout)
    }
}

/// hidraw wants the report id in front, 0 when the device has none.
fn with_id(report: &[u8]) -> Zeroizing<Vec<u8>> {
    // All the room at once, so that no copy stays behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + report.len()));
    bytes.push(0);
    bytes.extend_from_slice(report);
    bytes
}

/// The thread: opens the node, and carries until nobody wants it any more.
fn carry(
    path: &str,
    opener: &dyn Opener,
    session: &Session,
    inbox: &Receiver<Numbered>,
    answer: &Mutex<Option<(u64, Outcome)>>,
) {
    let mut handle = opener.open(path);
    for (number, job) in inbox {
        let outcome = match &mut handle {
            Ok(handle) => work(handle.as_mut(), job),
            Err(why) => Err(why.clone()),
        };
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, outcome));
        session.notify();
    }
}

fn work(handle: &mut dyn Handle, job: Job) -> Outcome {
    match job {
        Job::SetFeature(report) => handle.set_feature(&report).map(|()| None),
        Job::Output(packet) => handle.output(&packet).map(|()| None),
        Job::Feature(length) => {
            let mut buffer = Zeroizing::new([0; LONGEST]);
            let room = buffer.get_mut(..=length).ok_or("a report as long as no key has")?;
            let got = handle.feature(room)?;
            // Behind the id.
            let report = room.get(1..).filter(|_| got == length + 1).and_then(Report::new);
            report
                .map(Some)
                .ok_or_else(|| format!("a report of {} bytes instead of {length}", got.saturating_sub(1)))
        }
        Job::Input(within) => {
            let mut buffer = Zeroizing::new([0; LONGEST]);
            let got = handle.input(buffer.as_mut_slice(), within)?;
            if got == 0 {
                return Ok(None);
            }
            let packet = buffer.get(..got).and_then(Report::new);
            packet.map(Some).ok_or_else(|| format!("a packet of {got} bytes"))
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
