//! Drives a flow through a world whose power can go, one step at a time.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dispatch::driver::step_in_words;
use dispatch::key_thread;
use keys::conversation::Report;
use keys::device::{Answer, KeyInfo, Operation, ProofWay};
use keys::wire::{Clock, Wire, WireFault};
use keys::yubikey::typed::Collector;
use station::engine::flow::Next;
use station::engine::phone::Question;
use station::engine::step::{KeyFault, Now, Step, StepResult, Typed};
use twins::key::{KeyTwin, Press, TwinError};
use zeroize::Zeroizing;

use super::defect::Defect;
use super::key::Key;
use super::phone::Phone;
use super::power::{EPOCH, PowerCut};
use super::story;
use super::transport::{Handle, lock};
use super::world::World;

/// What the person at the desk does when the key is to be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touching {
    /// Touches it as shown.
    Right,
    /// Does not touch it.
    Never,
    /// Touches it long instead of shortly, so that the other slot types.
    WrongSlot,
    /// Touches it as shown only at this attempt, counted from 1.
    OnlyAt(u8),
}

/// Drives `next` to its end, or to the power cut. `key` is the index of the key that is plugged in.
pub fn drive<T>(world: &mut World, mut next: Next<T>, key: Option<usize>) -> Result<T, PowerCut> {
    let mut known = None;
    loop {
        let (step, mut flow) = match next {
            Next::Step(step, flow) => (step, flow),
            Next::End(outcome) => return Ok(outcome),
        };
        if world.defect == Some(Defect::BelieveOneLook) {
            flow.expect_lag(Duration::ZERO);
        }
        world.point()?;
        let words = world.tells.then(|| step_in_words(&step));
        let called_off =
            world.client.has_gone_by_now(flow.phase()) && world.defect != Some(Defect::OutliveClient);
        if called_off {
            flow.cancel();
        }
        let result = match step {
            // Nobody is asked for a touch any more.
            Step::AwaitTyped { .. } if called_off => Ok(StepResult::Typed(Ok(Typed::Nothing))),
            step => carry_out(world, step, key, &mut known),
        };
        if let Some(words) = words {
            story::step(&words, result.as_ref());
        }
        let result = result?;
        world.point()?;
        if world.calls_off == Some(flow.phase()) {
            flow.cancel();
        }
        next = flow.advance(result, now(&world.shared));
    }
}

/// Both times of the world.
pub fn now(shared: &Handle) -> Now {
    let time = lock(shared).time;
    Now { monotonic: time, unix: EPOCH + time }
}

fn carry_out(
    world: &mut World,
    step: Step,
    key: Option<usize>,
    known: &mut Option<KeyInfo>,
) -> Result<StepResult, PowerCut> {
    Ok(match step {
        Step::Recall(serial) => match world.disk.recall(serial) {
            Ok(records) => StepResult::Recalled(records),
            Err(error) => StepResult::NotRecorded(error.to_string()),
        },
        Step::Record(record) => match world.write(&record) {
            Ok(()) => StepResult::Recorded,
            Err(why) => StepResult::NotRecorded(why),
        },
        Step::HandOver(what) => {
            if !Defect::loses_what_is_handed_over(world) {
                world.handed_over.push(*what);
            }
            StepResult::Recorded
        }
        Step::ShowPhone(code) => {
            let number = world.phones.len() as u64;
            match Phone::scan(code.uri(), number) {
                Some(phone) => world.phones.push(phone),
                None => return Ok(StepResult::NotRecorded("no app can read that".to_owned())),
            }
            StepResult::Recorded
        }
        Step::AskOperator { question, until } => StepResult::Answered(answered(world, &question, until)),
        Step::Server(call) => {
            if let Some(result) = Defect::instead_of_call(world, &call, key) {
                return Ok(result);
            }
            let result = block_on(world.server.call(call));
            if lock(&world.shared).power.is_off() {
                return Err(PowerCut);
            }
            StepResult::Server(result)
        }
        Step::Wait { until } => {
            world.wait(until);
            StepResult::Waited
        }
        Step::Key(operation) => {
            if let Some(result) = Defect::instead_of_operation(world, &operation) {
                return Ok(result);
            }
            StepResult::Key(operate(world, operation, key, known)?)
        }
        Step::AwaitTyped { way, until, attempt, .. } => {
            StepResult::Typed(typed(world, way, until, attempt, key))
        }
    })
}

/// Has the key do something, report by report.
pub(super) fn operate(
    world: &mut World,
    operation: Operation,
    key: Option<usize>,
    known: &mut Option<KeyInfo>,
) -> Result<Result<Answer, KeyFault>, PowerCut> {
    let touched = world.touching != Touching::Never;
    let index = key.unwrap_or_default();
    let Some(key) = key.and_then(|index| world.keys.get_mut(index)) else {
        return Ok(Err(KeyFault::Gone));
    };
    let Some((vendor, product)) = key.ids() else {
        return Ok(Err(KeyFault::Gone));
    };
    let mut conversation = match key_thread::start(vendor, product, known.as_ref(), operation) {
        Ok(conversation) => conversation,
        Err(error) => return Ok(Err(KeyFault::Protocol(error))),
    };
    let port = Port { key: RefCell::new(key), index, shared: world.shared.clone(), finger: Cell::new(false) };
    let result = keys::wire::run(conversation.as_mut(), &mut &port, &mut &port, |hint| {
        port.finger.set(touched && hint.is_some());
    });
    if lock(&world.shared).power.is_off() {
        return Err(PowerCut);
    }
    if let Ok(Answer::Inspected(info)) = &result {
        *known = Some(info.clone());
    }
    Ok(result.map_err(key_thread::fault))
}

/// What the operator types, having read it off the phone.
fn answered(world: &mut World, question: &Question, until: Duration) -> Option<Zeroizing<String>> {
    if world.touching == Touching::Never {
        world.wait(until);
        return None;
    }
    let time = lock(&world.shared).time + Duration::from_secs(3);
    world.wait(time);
    if world.touching == Touching::WrongSlot {
        return Some(Zeroizing::new("000000".to_owned()));
    }
    let unix = lock(&world.shared).unix().as_secs();
    world.phones.last_mut()?.answer(question, unix)
}

fn typed(
    world: &mut World,
    way: ProofWay,
    until: Duration,
    attempt: u8,
    key: Option<usize>,
) -> Result<Typed, KeyFault> {
    let press = match (world.touching, way) {
        (Touching::Never, _) => None,
        (Touching::OnlyAt(wanted), _) if wanted != attempt => None,
        (Touching::WrongSlot, ProofWay::TypedLong) => Some(Press::Short),
        (Touching::WrongSlot, _) | (_, ProofWay::TypedLong) => Some(Press::Long),
        _ => Some(Press::Short),
    };
    let Some(key) = key.and_then(|index| world.keys.get_mut(index)) else {
        return Err(KeyFault::Gone);
    };
    let reports = match press.map(|press| key.plugged().touch(press)) {
        None => Vec::new(),
        Some(Ok(reports)) => reports,
        Some(Err(_)) => return Err(KeyFault::Gone),
    };
    let mut collector = Collector::new();
    let mut time = lock(&world.shared).time;
    for report in reports {
        time += Duration::from_millis(10);
        collector.push(time, &report);
        if let Some(code) = collector.take(time) {
            world.wait(time);
            return Ok(key_thread::typed(&code));
        }
    }
    world.wait(until);
    Ok(collector.take(until).map_or(Typed::Nothing, |code| key_thread::typed(&code)))
}

/// The port that a key is plugged into: its reports, the time, and the finger of the
/// person at the desk. The power can go before and after each report.
struct Port<'a> {
    key: RefCell<&'a mut Key>,
    /// Which of the world's.
    index: usize,
    shared: Handle,
    /// Whether the key is touched at the next opportunity.
    finger: Cell<bool>,
}

/// How long a report takes on a full-speed bus behind a hub.
const REPORT: Duration = Duration::from_millis(2);

impl Port<'_> {
    fn pass<R>(&self, act: impl FnOnce(&mut dyn KeyTwin) -> Result<R, TwinError>) -> Result<R, WireFault> {
        let late = self.key.borrow_mut().plugged().lateness();
        self.wait(REPORT + late);
        self.point()?;
        let result = act(self.key.borrow_mut().plugged()).map_err(|error| match error {
            TwinError::Gone => WireFault::Gone,
            error => WireFault::Failed(error.to_string()),
        });
        self.point()?;
        result
    }

    fn point(&self) -> Result<(), WireFault> {
        let mut shared = lock(&self.shared);
        if shared.power.is_watched()
            && let Some(kept) = shared.kept.get_mut(self.index)
        {
            *kept = self.key.borrow().kept();
        }
        shared.point().map_err(|PowerCut| WireFault::Failed("the power is off".to_owned()))
    }

    fn wait(&self, time: Duration) {
        lock(&self.shared).time += time;
        // A twin that is pulled out has no time.
        let _ = self.key.borrow_mut().plugged().advance(time);
    }

    fn packet(&self) -> Result<Option<Report>, WireFault> {
        if self.finger.take() {
            self.pass(|twin| twin.touch(Press::Short))?;
        }
        Ok(self.pass(|twin| twin.input())?.and_then(|bytes| Report::new(&bytes)))
    }
}

impl Wire for &Port<'_> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        self.pass(|twin| twin.set_feature(report))
    }

    fn feature(&mut self, _length: usize) -> Result<Report, WireFault> {
        let bytes = self.pass(|twin| twin.get_feature())?;
        Report::new(&bytes).ok_or_else(|| WireFault::Failed("a report of the wrong length".to_owned()))
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault> {
        self.pass(|twin| twin.out(packet))
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        if let Some(packet) = self.packet()? {
            return Ok(Some(packet));
        }
        // What comes meanwhile is read at the end: nobody measures how long it lay there.
        self.wait(timeout);
        self.packet()
    }
}

impl Clock for &Port<'_> {
    fn now(&self) -> Duration {
        lock(&self.shared).time
    }

    fn wait_until(&mut self, until: Duration) {
        let left = until.saturating_sub(self.now());
        self.wait(left);
    }
}

/// Runs a future that never waits for anything.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
