//! One plugged-in key: a thread of its own for its reports, and what it types.
//!
//! A key that hangs blocks its own thread and nothing else. The thread ends when
//! the [`Key`] is dropped.

use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use keys::conversation::Hint;
use keys::device::{Answer, KeyError, KeyInfo, Operation};
use keys::secret::Entropy;
use keys::wire::{Failure, Wire, WireFault};
use keys::yubikey::typed::{Collector, TypedCode};
use station::engine::step::{KeyFault, Typed};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::clock::SystemClock;
use crate::random::kernel_random;

/// What a boot keyboard sends: modifiers, a reserved byte, six usages (HID 1.11, appendix B.1).
pub type Keystroke = [u8; 8];

/// How many keystroke reports may wait. A Yubico OTP with its Enter makes 90.
pub const KEYSTROKES: usize = 512;

/// A key as the rim hands it over when it was plugged in.
pub struct Plugged {
    /// Where, as a USB port path (`1-1.3`).
    pub port: String,
    /// USB vendor id.
    pub vendor: u16,
    /// USB product id.
    pub product: u16,
    /// Its reports.
    pub wire: Box<dyn Wire + Send>,
    /// What it types, as it types it; closed when the key is gone.
    pub keystrokes: mpsc::Receiver<Keystroke>,
}

enum Job {
    Operate(Operation, mpsc::UnboundedSender<bool>, oneshot::Sender<Result<Answer, KeyFault>>),
}

/// A plugged-in key, ready to be asked.
pub struct Key {
    pub port: String,
    jobs: blocking::Sender<Job>,
    keystrokes: mpsc::Receiver<Keystroke>,
}

impl Key {
    /// Starts the key's thread.
    pub fn start(plugged: Plugged, clock: SystemClock) -> Self {
        let Plugged { port, vendor, product, wire, keystrokes } = plugged;
        let (jobs, inbox) = blocking::channel();
        // Fails only when the machine has no more threads; then the key counts as gone.
        let _ = thread::Builder::new()
            .name(format!("key {port}"))
            .spawn(move || work(vendor, product, wire, clock, &inbox));
        Self { port, jobs, keystrokes }
    }

    /// Asks something of the key. `waiting` hears when the key wants to be touched and when no longer.
    pub async fn operate(
        &mut self,
        operation: Operation,
        waiting: impl Fn(bool),
    ) -> Result<Answer, KeyFault> {
        let (hints, mut heard) = mpsc::unbounded_channel();
        let (reply, mut answer) = oneshot::channel();
        self.jobs.send(Job::Operate(operation, hints, reply)).map_err(|_| KeyFault::Gone)?;
        loop {
            tokio::select! {
                biased;
                Some(hint) = heard.recv() => waiting(hint),
                result = &mut answer => return result.unwrap_or(Err(KeyFault::Gone)),
            }
        }
    }

    /// Forgets what the key typed so far.
    pub fn forget_typed(&mut self) {
        while self.keystrokes.try_recv().is_ok() {}
    }

    /// Waits for the key to type a code.
    pub async fn typed(&mut self, clock: SystemClock, until: Duration) -> Result<Typed, KeyFault> {
        let mut collector = Collector::new();
        loop {
            let quiet = collector.deadline().map_or(until, |deadline| deadline.min(until));
            let now = tokio::select! {
                report = self.keystrokes.recv() => {
                    let Some(report) = report else { return Err(KeyFault::Gone) };
                    let now = clock.now().monotonic;
                    collector.push(now, &report);
                    now
                }
                () = tokio::time::sleep_until(clock.instant(quiet)) => clock.now().monotonic,
            };
            if let Some(code) = collector.take(now) {
                return Ok(typed(&code));
            }
            if now >= until {
                return Ok(Typed::Nothing);
            }
        }
    }
}

fn work(
    vendor: u16,
    product: u16,
    mut wire: Box<dyn Wire + Send>,
    mut clock: SystemClock,
    inbox: &blocking::Receiver<Job>,
) {
    let mut known: Option<KeyInfo> = None;
    for Job::Operate(operation, hints, reply) in inbox {
        let result = converse(vendor, product, known.as_ref(), operation, wire.as_mut(), &mut clock, &hints);
        if let Ok(Answer::Inspected(info)) = &result {
            known = Some(info.clone());
        }
        // Nobody waits for the answer any more when the enrollment was dropped.
        let _ = reply.send(result);
    }
}

fn converse(
    vendor: u16,
    product: u16,
    known: Option<&KeyInfo>,
    operation: Operation,
    wire: &mut (dyn Wire + Send),
    clock: &mut SystemClock,
    hints: &mpsc::UnboundedSender<bool>,
) -> Result<Answer, KeyFault> {
    let mut conversation = start(vendor, product, known, operation)?;
    let told = |hint: Option<Hint>| {
        // Nobody listens any more when the enrollment was dropped.
        let _ = hints.send(matches!(hint, Some(Hint::TouchWanted { .. })));
    };
    keys::wire::run(conversation.as_mut(), wire, clock, told).map_err(fault)
}

/// The conversation for an operation with a key of these USB ids.
pub fn start(
    vendor: u16,
    product: u16,
    known: Option<&KeyInfo>,
    operation: Operation,
) -> Result<keys::conversation::BoxedConversation, KeyError> {
    keys::identify::start((vendor, product), known, operation, &Entropy::random(&mut kernel_random()))
}

/// What a failed conversation means to the engine.
pub fn fault(failure: Failure) -> KeyFault {
    match failure {
        Failure::Wire(WireFault::Gone) => KeyFault::Gone,
        Failure::Wire(fault @ WireFault::Slow) => KeyFault::Slow(fault.to_string()),
        Failure::Wire(fault) => KeyFault::Unreachable(fault.to_string()),
        Failure::Key(error) => KeyFault::Protocol(error),
    }
}

/// What a typed code is to the engine: text to compare, or nothing that could be a code.
pub fn typed(code: &TypedCode) -> Typed {
    match code.flaw() {
        None => Typed::Code(Zeroizing::new(code.text().to_owned())),
        Some(_) => Typed::Unfit,
    }
}
