//! Drives a flow through a world whose power can go, one step at a time.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use enrolld::bench;
use enrolld::keys::conversation::Report;
use enrolld::keys::device::{Answer, KeyInfo, Operation, ProofWay};
use enrolld::keys::wire::{Clock, Wire, WireFault};
use enrolld::keys::yubikey::typed::Collector;
use enrolld::station::flow::Next;
use enrolld::station::step::{KeyFault, Now, Step, StepResult, Typed};
use twins::key::{KeyTwin, Press, TwinError};
use twins::yubikey::{VENDOR, YubiKeyTwin};

use super::defect::Defect;
use super::power::{EPOCH, PowerCut};
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
        let (step, flow) = match next {
            Next::Step(step, flow) => (step, flow),
            Next::End(outcome) => return Ok(outcome),
        };
        world.point()?;
        let result = carry_out(world, step, key, &mut known)?;
        world.point()?;
        next = flow.advance(result, now(&world.shared));
    }
}

/// Both times of the world.
#[must_use]
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
        _ => StepResult::NotRecorded("a step that the explorer does not know".to_owned()),
    })
}

/// Has the key do something, report by report.
pub(super) fn operate(
    world: &mut World,
    operation: Operation,
    key: Option<usize>,
    known: &mut Option<KeyInfo>,
) -> Result<Result<Answer, KeyFault>, PowerCut> {
    let Some(twin) = key.and_then(|index| world.keys.get_mut(index)) else {
        return Ok(Err(KeyFault::Gone));
    };
    let Some(product) = twin.product_id() else {
        return Ok(Err(KeyFault::Gone));
    };
    let mut conversation = match bench::start(VENDOR, product, known.as_ref(), operation) {
        Ok(conversation) => conversation,
        Err(error) => return Ok(Err(KeyFault::Protocol(error))),
    };
    let mut clock = TwinClock(world.shared.clone());
    let mut wire = TwinWire { twin, shared: world.shared.clone() };
    let result = enrolld::keys::wire::run(conversation.as_mut(), &mut wire, &mut clock, |_| {});
    if lock(&world.shared).power.is_off() {
        return Err(PowerCut);
    }
    if let Ok(Answer::Inspected(info)) = &result {
        *known = Some(info.clone());
    }
    Ok(result.map_err(bench::fault))
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
    let Some(twin) = key.and_then(|index| world.keys.get_mut(index)) else {
        return Err(KeyFault::Gone);
    };
    let reports = match press.map(|press| twin.touch(press)) {
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
            return Ok(bench::typed(&code));
        }
    }
    world.wait(until);
    Ok(collector.take(until).map_or(Typed::Nothing, |code| bench::typed(&code)))
}

/// A twin's reports; the power can go before and after each.
struct TwinWire<'a> {
    twin: &'a mut YubiKeyTwin,
    shared: Handle,
}

/// How long a report takes on a full-speed bus behind a hub.
const REPORT: Duration = Duration::from_millis(2);

impl TwinWire<'_> {
    fn pass<R>(
        &mut self,
        act: impl FnOnce(&mut YubiKeyTwin) -> Result<R, TwinError>,
    ) -> Result<R, WireFault> {
        let off = |_: PowerCut| WireFault::Failed("the power is off".to_owned());
        {
            let mut shared = lock(&self.shared);
            shared.time += REPORT;
            shared.power.point().map_err(off)?;
        }
        // A twin that is pulled out has no time.
        let _ = self.twin.advance(REPORT);
        let result = act(self.twin).map_err(|error| match error {
            TwinError::Gone => WireFault::Gone,
            error => WireFault::Failed(error.to_string()),
        });
        lock(&self.shared).power.point().map_err(off)?;
        result
    }
}

impl Wire for TwinWire<'_> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        self.pass(|twin| twin.set_feature(report))
    }

    fn feature(&mut self, _length: usize) -> Result<Report, WireFault> {
        let bytes = self.pass(KeyTwin::get_feature)?;
        Report::new(&bytes).ok_or_else(|| WireFault::Failed("a report of the wrong length".to_owned()))
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault> {
        self.pass(|twin| twin.out(packet))
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        lock(&self.shared).time += timeout;
        Ok(self.pass(KeyTwin::input)?.and_then(|bytes| Report::new(&bytes)))
    }
}

/// The virtual time, for conversations. The key's own time goes along with its reports.
struct TwinClock(Handle);

impl Clock for TwinClock {
    fn now(&self) -> Duration {
        lock(&self.0).time
    }

    fn wait_until(&mut self, until: Duration) {
        let mut shared = lock(&self.0);
        shared.time = shared.time.max(until);
    }
}

/// Runs a future that never waits for anything.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
