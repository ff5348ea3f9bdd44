//! Enrolling a phone with somebody at a terminal.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use station::engine::enrollment::Order;
use station::engine::flow::Next;
use station::engine::phone::{self, PhoneCode, PhoneOutcome, Question};
use station::engine::step::{Step, StepResult};
use zeroize::Zeroizing;

use crate::driver::{Cancel, Station};
use crate::random::kernel_random;

/// The operator's terminal.
pub trait Terminal: Send {
    /// Shows a secret for a phone to read. It is to be gone from the screen when the enrollment is over.
    ///
    /// # Errors
    /// Why it cannot be shown, in words without secrets.
    fn show(&mut self, code: &PhoneCode) -> Result<(), String>;

    /// Asks for something; `None` when the person gives up. It is dropped when time is over.
    fn ask<'a>(
        &'a mut self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Option<Zeroizing<String>>> + Send + 'a>>;
}

impl Station {
    /// Enrolls a phone. Each answer may take as long as `patience`; whoever gives up, or calls
    /// `cancel`, leaves nothing behind.
    pub async fn enroll_phone(
        &self,
        order: Order,
        patience: Duration,
        terminal: &mut dyn Terminal,
        mut cancel: Cancel,
    ) -> PhoneOutcome {
        let port = order.port.clone();
        self.server.ordered().await;
        let mut next = phone::enroll(order, patience, self.clock.now(), kernel_random());
        // No key's serial locks it, and recovery must not take back what is under way.
        let mut in_hand = None;
        loop {
            let (step, mut flow) = match next {
                Next::Step(step, flow) => (step, flow),
                Next::End(outcome) => return outcome,
            };
            flow.expect_lag(self.server.lag());
            if let (Step::Record(record), None) = (&step, &in_hand) {
                in_hand = Some(self.store.take_in_hand(record.enrollment));
            }
            let result = match step {
                Step::ShowPhone(code) => match terminal.show(&code) {
                    Ok(()) => StepResult::Recorded,
                    Err(why) => StepResult::NotRecorded(why),
                },
                Step::AskOperator { question, until } => {
                    let answer = tokio::select! {
                        answer = terminal.ask(&question) => answer,
                        () = tokio::time::sleep_until(self.clock.instant(until)) => None,
                        () = cancel.wait() => None,
                    };
                    StepResult::Answered(answer)
                }
                other => self.carry_out(other, &port, None, &mut cancel).await,
            };
            if cancel.fired() {
                flow.cancel();
            }
            next = flow.advance(result, self.clock.now());
        }
    }
}
