//! Flows: long transactions written as straight-line code, run one step at a time.
//!
//! A flow is an `async` function that never waits for anything but the answer to
//! a [`Step`]. Polling it with a waker that does nothing runs it up to its next
//! step; [`Flow::advance`] hands in the result and runs it further. So the
//! engine has no I/O, no clock and no executor, and its order of steps can be
//! read from top to bottom.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::engine::step::{Now, Phase, Step, StepResult};

/// How long a change may take to show, unless the configuration says otherwise.
pub const LAG: Duration = Duration::from_secs(90);

/// A part of a flow that is called from many places: one copy of its code, behind a pointer.
pub(crate) type Part<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What passes between a flow and whoever drives it.
struct Exchange {
    step: Option<Step>,
    result: Option<StepResult>,
    phase: Phase,
    now: Now,
    cancelled: bool,
    lag: Duration,
}

/// What a flow wants next: a step, or nothing any more.
#[must_use = "a flow that is dropped has stopped"]
pub enum Next<T> {
    /// This is to be carried out, and its result handed to [`Flow::advance`].
    Step(Step, Flow<T>),
    /// The flow has ended.
    End(T),
}

/// A flow that waits for the result of its step, and ends in a `T`.
pub struct Flow<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    exchange: Arc<Mutex<Exchange>>,
}

/// A flow's own end of the exchange: how its code asks for steps.
#[derive(Clone)]
pub(crate) struct FlowContext {
    exchange: Arc<Mutex<Exchange>>,
}

impl<T> Flow<T> {
    /// Runs the function `code` to its first step.
    pub(crate) fn start<F>(now: Now, code: impl FnOnce(FlowContext) -> F) -> Next<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let phase = Phase::Inspecting;
        let exchange = Arc::new(Mutex::new(Exchange {
            step: None,
            result: None,
            phase,
            now,
            cancelled: false,
            lag: LAG,
        }));
        let future = Box::pin(code(FlowContext { exchange: Arc::clone(&exchange) }));
        Self { future, exchange }.run()
    }

    /// Hands in what came of the step, and the time, and runs to the next one.
    pub fn advance(self, result: StepResult, now: Now) -> Next<T> {
        {
            let mut exchange = lock(&self.exchange);
            exchange.result = Some(result);
            exchange.now = now;
        }
        self.run()
    }

    /// Asks the flow to take everything back and end. It does so at its next step;
    /// whoever drives it should cut a wait for the person at the desk short, by
    /// answering it with "nothing came". A token that counts already stays.
    pub fn cancel(&mut self) {
        lock(&self.exchange).cancelled = true;
    }

    /// How long a change at the server may take to show; [`LAG`] unless it is said.
    pub fn expect_lag(&mut self, lag: Duration) {
        lock(&self.exchange).lag = lag;
    }

    /// Where the flow is, in words that a person at the desk can be shown.
    pub fn phase(&self) -> Phase {
        lock(&self.exchange).phase
    }

    fn run(mut self) -> Next<T> {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(outcome) = self.future.as_mut().poll(&mut context) {
            return Next::End(outcome);
        }
        let step = {
            let mut exchange = lock(&self.exchange);
            // A flow waits for nothing but steps, so there always is one; coming
            // back at once would do no harm if there were not.
            exchange.step.take().unwrap_or(Step::Wait { until: exchange.now.monotonic })
        };
        Next::Step(step, self)
    }
}

impl FlowContext {
    /// Has `step` carried out and gives back what came of it.
    pub(crate) async fn ask(&self, step: Step) -> StepResult {
        lock(&self.exchange).step = Some(step);
        std::future::poll_fn(|_| match lock(&self.exchange).result.take() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        })
        .await
    }

    /// The time at which the last result came in.
    pub(crate) fn now(&self) -> Now {
        lock(&self.exchange).now
    }

    /// Whether somebody wants the flow to end.
    pub(crate) fn cancelled(&self) -> bool {
        lock(&self.exchange).cancelled
    }

    /// How long a change at the server may take to show.
    pub(crate) fn lag(&self) -> Duration {
        lock(&self.exchange).lag
    }

    /// Says where the flow is.
    pub(crate) fn enter(&self, phase: Phase) {
        lock(&self.exchange).phase = phase;
    }
}

/// A panic elsewhere cannot leave the exchange half-written: every change is one assignment.
fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}
