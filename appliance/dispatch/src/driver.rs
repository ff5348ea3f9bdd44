//! Carries out the steps of a flow, one after the other, and tells what happens.

use std::sync::Arc;

use keys::device::Operation;
use station::engine::check::{self, Forecast};
use station::engine::enrollment::{self, Order, Outcome};
use station::engine::flow::Next;
use station::engine::key_order::KeyOrder;
use station::engine::record::Record;
use station::engine::recovery::{self, Settled};
use station::engine::release;
use station::engine::server::{ServerAnswer, Verdict};
use station::engine::slots::{self, Handled};
use station::engine::step::{KeyFault, Phase, Step, StepResult, Typed};
use station::engine::verify::{self, Verified};
use station::token::TokenSerial;
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::event::{Event, StepTime, Watcher, What};
use crate::key_thread::Key;
use crate::random::kernel_random;
use crate::server::ServerPort;
use crate::store::Store;

/// What every enrollment of a station shares.
#[derive(Clone)]
pub struct Station {
    pub server: Arc<dyn ServerPort>,
    /// The journal.
    pub store: Store,
    pub clock: SystemClock,
    /// Who wants to hear.
    pub watcher: Arc<dyn Watcher>,
}

/// An enrollment that is over, and how its time was spent.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Every step, in order.
    pub steps: Vec<StepTime>,
}

/// Lets somebody call an enrollment off.
#[derive(Clone)]
pub struct Cancel(watch::Receiver<bool>);

impl Cancel {
    /// One that never fires.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// One that fires when `true` is sent.
    pub fn on(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    pub(crate) fn fired(&self) -> bool {
        *self.0.borrow()
    }

    /// Comes back when it fires, and never when it cannot any more.
    pub(crate) async fn wait(&mut self) {
        if self.0.wait_for(|fired| *fired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Station {
    /// Enrolls the key that was plugged in.
    pub async fn enroll(&self, order: Order, key: &mut Key, cancel: Cancel) -> Report {
        let port = order.port.clone();
        self.server.ordered().await;
        let flow = enrollment::enroll(order, self.clock.now(), kernel_random());
        let mut steps = Vec::new();
        let outcome = self.run(flow, &port, Some(key), cancel, &mut steps).await;
        self.watcher.saw(Event { port, what: What::Ended(Box::new(outcome.clone())) });
        Report { outcome, steps }
    }

    /// Takes back what was enrolled on a key; ends in
    /// [`Ending::Released`](enrollment::Ending::Released).
    pub async fn release(&self, key_order: KeyOrder, key: &mut Key, cancel: Cancel) -> Report {
        let port = key_order.port.clone();
        let flow = release::release(key_order, self.clock.now());
        let mut steps = Vec::new();
        let outcome = self.run(flow, &port, Some(key), cancel, &mut steps).await;
        self.watcher.saw(Event { port, what: What::Ended(Box::new(outcome.clone())) });
        Report { outcome, steps }
    }

    /// Asks whether a key still answers for its token. Changes nothing.
    pub async fn verify(&self, key_order: KeyOrder, key: &mut Key, cancel: Cancel) -> Verified {
        let port = key_order.port.clone();
        let flow = verify::verify(key_order, self.clock.now());
        self.run(flow, &port, Some(key), cancel, &mut Vec::new()).await
    }

    /// Finds out what an enrollment would come to. Changes nothing.
    pub async fn check(&self, order: Order, key: &mut Key, cancel: Cancel) -> Forecast {
        let port = order.port.clone();
        let flow = check::check(order, self.clock.now());
        self.run(flow, &port, Some(key), cancel, &mut Vec::new()).await
    }

    /// Exchanges what is in the two slots of a key.
    pub async fn swap(&self, key_order: KeyOrder, key: &mut Key) -> Handled {
        let port = key_order.port.clone();
        let flow = slots::swap(key_order, self.clock.now());
        self.run(flow, &port, Some(key), Cancel::never(), &mut Vec::new()).await
    }

    /// Empties a slot, whoever's it is. An operator has confirmed it.
    pub async fn wipe(&self, key_order: KeyOrder, key: &mut Key) -> Handled {
        let port = key_order.port.clone();
        let flow = slots::wipe(key_order, self.clock.now());
        self.run(flow, &port, Some(key), Cancel::never(), &mut Vec::new()).await
    }

    /// Puts right what was unfinished when the station stopped.
    pub async fn recover(&self) -> Result<Vec<Settled>, String> {
        let unfinished = self.store.unfinished().await?;
        if unfinished.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.settle(unfinished).await)
    }

    /// Puts these enrollments right, as far as that can be done now.
    pub async fn settle(&self, unfinished: Vec<Record>) -> Vec<Settled> {
        let flow = recovery::recover(unfinished, self.clock.now());
        self.run(flow, "", None, Cancel::never(), &mut Vec::new()).await
    }

    async fn run<T>(
        &self,
        first: Next<T>,
        port: &str,
        mut key: Option<&mut Key>,
        mut cancel: Cancel,
        steps: &mut Vec<StepTime>,
    ) -> T {
        let mut next = first;
        let (mut phase, mut token) = (None, None);
        loop {
            let (step, mut flow) = match next {
                Next::Step(step, flow) => (step, flow),
                Next::End(outcome) => return outcome,
            };
            flow.expect_lag(self.server.lag());
            if phase != Some(flow.phase()) {
                phase = Some(flow.phase());
                self.tell(port, What::Entered(flow.phase()));
                if flow.phase() == Phase::Noting
                    && let Some(token) = &token
                {
                    self.tell(port, What::Enrolled(TokenSerial::clone(token)));
                }
            }
            if let Step::Record(record) = &step {
                token = Some(record.token.clone());
            }
            let started = self.clock.now().monotonic;
            let name = step_in_words(&step);
            let result = self.carry_out(step, port, key.as_deref_mut(), &mut cancel).await;
            let now = self.clock.now();
            let took = now.monotonic.saturating_sub(started);
            let time = StepTime { step: name, phase: flow.phase(), took, trouble: trouble_in_words(&result) };
            self.tell(port, What::Step(time.clone()));
            steps.push(time);
            if cancel.fired() {
                flow.cancel();
            }
            next = flow.advance(result, now);
        }
    }

    pub(crate) async fn carry_out(
        &self,
        step: Step,
        port: &str,
        key: Option<&mut Key>,
        cancel: &mut Cancel,
    ) -> StepResult {
        match (step, key) {
            (Step::Recall(serial), _) => match self.store.recall(serial).await {
                Ok(records) => StepResult::Recalled(records),
                Err(why) => StepResult::NotRecorded(why),
            },
            (Step::Record(record), _) => match self.store.write(record).await {
                Ok(()) => StepResult::Recorded,
                Err(why) => StepResult::NotRecorded(why),
            },
            (Step::HandOver(what), _) => match self.store.hand_over(*what).await {
                Ok(()) => StepResult::Recorded,
                Err(why) => StepResult::NotRecorded(why),
            },
            (Step::Server(call), _) => StepResult::Server(self.server.call(call).await),
            (Step::Wait { until }, _) => {
                tokio::select! {
                    () = tokio::time::sleep_until(self.clock.instant(until)) => {}
                    () = cancel.wait() => {}
                }
                StepResult::Waited
            }
            (Step::Key(operation), Some(key)) => {
                let told = |waiting| self.tell(port, What::KeyWaits { waiting });
                StepResult::Key(key.operate(operation, told).await)
            }
            (Step::AwaitTyped { way, until, attempt, attempts, torn }, Some(key)) => {
                let within = until.saturating_sub(self.clock.now().monotonic);
                // Before anybody is asked to touch it: a quick finger must not be lost.
                key.forget_typed();
                self.tell(port, What::TouchWanted { way, within, attempt, attempts, torn });
                let typed = tokio::select! {
                    typed = key.typed(self.clock, until) => typed,
                    () = cancel.wait() => Ok(Typed::Nothing),
                };
                if let Ok(typed) = &typed {
                    match typed {
                        Typed::Code(_) => self.tell(port, What::Typed { fit: true }),
                        Typed::Unfit => self.tell(port, What::Typed { fit: false }),
                        _ => {}
                    }
                }
                StepResult::Typed(typed)
            }
            (Step::Key(_), None) => StepResult::Key(Err(KeyFault::Gone)),
            (Step::AwaitTyped { .. }, None) => StepResult::Typed(Err(KeyFault::Gone)),
            _ => StepResult::NotRecorded("a step that this driver does not know".to_owned()),
        }
    }

    fn tell(&self, port: &str, what: What) {
        self.watcher.saw(Event { port: port.to_owned(), what });
    }
}

/// What a step is called in reports.
pub fn step_in_words(step: &Step) -> String {
    match step {
        Step::Recall(_) => "journal recall".to_owned(),
        Step::Record(record) => format!("journal {}", record.state.word()),
        Step::Key(Operation::Inspect) => "key inspect".to_owned(),
        Step::Key(Operation::Program { .. }) => "key program".to_owned(),
        Step::Key(Operation::Erase { .. }) => "key erase".to_owned(),
        Step::Key(Operation::SetCode { .. }) => "key set code".to_owned(),
        Step::Key(Operation::Swap { .. }) => "key swap".to_owned(),
        Step::Key(_) => "key ask code".to_owned(),
        Step::HandOver(_) => "hand over".to_owned(),
        Step::AwaitTyped { .. } => "key typed".to_owned(),
        Step::Server(call) => format!("server {}", call.word()),
        Step::Wait { .. } => "wait".to_owned(),
        _ => "step".to_owned(),
    }
}

/// What went wrong in a step, in words without secrets.
pub fn trouble_in_words(result: &StepResult) -> Option<String> {
    match result {
        StepResult::NotRecorded(why) => Some(why.clone()),
        StepResult::Key(Err(fault)) | StepResult::Typed(Err(fault)) => Some(fault.to_string()),
        StepResult::Typed(Ok(Typed::Unfit)) => Some("what was typed is no code".to_owned()),
        StepResult::Typed(Ok(Typed::Nothing)) => Some("nothing was typed".to_owned()),
        StepResult::Server(Err(fault)) => Some(fault.to_string()),
        StepResult::Server(Ok(ServerAnswer::Verdict(Verdict::Rejected(words)))) => {
            Some(format!("rejected: {words}"))
        }
        _ => None,
    }
}
