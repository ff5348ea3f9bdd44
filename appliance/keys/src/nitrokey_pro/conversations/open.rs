//! Finding out what is plugged in: the way every operation begins.

use core::time::Duration;

use super::super::answer::{self, DeviceStatus, Job, Status};
use super::super::command::{self, CounterForm};
use super::super::ids::{Authorization, Model};
use super::super::report::{Answer, CommandStatus, Query, Shown};
use super::talk::{Manner, Outcome, Talk, refusal};
use super::{ANSWER, SENDS};
use crate::device::{Family, Firmware, KeyError, KeySerial};

/// What was found out.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub(super) model: Model,
    pub(super) firmware: Firmware,
    /// The number of its smart card; `None` when that does not say.
    pub(super) serial: Option<KeySerial>,
    /// Whether it wants its user's PIN before it gives a code.
    pub(super) user_pin_for_codes: bool,
}

impl Opened {
    pub(super) fn authorization(&self) -> Authorization {
        self.model.authorization(self.firmware)
    }

    pub(super) fn longest_secret(&self) -> usize {
        self.model.longest_secret(self.firmware)
    }

    /// How this key writes counters.
    pub(super) fn counter_form(&self) -> CounterForm {
        match (self.model, self.authorization()) {
            (Model::Storage, Authorization::Before) => CounterForm::Digits,
            _ => CounterForm::Number,
        }
    }
}

/// How often to look for the status of a Storage.
const LOOK: Duration = Duration::from_millis(40);

impl Talk {
    /// Reads who the key is, and refuses another than the one that is known.
    pub(super) async fn open(&self, wanted: Option<KeySerial>) -> Result<Opened, KeyError> {
        let answer = self.ask(&command::get_status()).await?;
        let status = Status::parse(answer.result())
            .filter(|_| answer.status() == CommandStatus::Ok)
            .ok_or_else(|| refusal(&answer, Firmware::default()))?;
        let (firmware, card) = match self.model() {
            Model::Pro | Model::LibremKey => (status.firmware, status.card),
            Model::Storage => {
                let device = self.device_status().await?;
                (device.firmware, device.card)
            }
        };
        // Memory that was never written reads as FF.
        let known = card != 0 && card != u32::MAX;
        let serial = known.then_some(KeySerial { family: Family::NitrokeyPro, number: card });
        match (wanted, serial) {
            (Some(wanted), Some(found)) if wanted != found => return Err(KeyError::AnotherKey),
            (Some(_), None) => return Err(KeyError::CardSilent),
            _ => {}
        }
        let user_pin_for_codes = status.config.user_pin_for_codes;
        Ok(Opened { model: self.model(), firmware, serial, user_pin_for_codes })
    }

    /// A Storage takes the command at once and adds the data to its answer later,
    /// for one reading only.
    async fn device_status(&self) -> Result<DeviceStatus, KeyError> {
        let query = command::get_device_status();
        for _ in 0..SENDS {
            let mut last = Job::Working;
            let found = self.job(&query, Manner::Freely, |answer| {
                last = answer::job(answer.result(), query.command());
                DeviceStatus::parse(answer.result())
            });
            match (found.await, last) {
                (Ok(Some(status)), _) => return Ok(status),
                (_, Job::CardSilent) => return Err(KeyError::CardSilent),
                // The data was in a report that was lost.
                (Ok(None) | Err(KeyError::TimedOut(_)), _) => {}
                (Err(error), _) => return Err(error),
            }
        }
        Err(KeyError::TimedOut(ANSWER * SENDS.into()))
    }

    /// Has a Storage do something of its own kind, and looks until `done` finds
    /// what is looked for. `None` when the report was lost.
    pub(super) async fn job<T>(
        &self,
        query: &Query,
        manner: Manner,
        mut done: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<Option<T>, KeyError> {
        let mut answer = match self.carry(query, manner).await? {
            Outcome::Answered(answer) => answer,
            Outcome::Lost => return Ok(None),
        };
        let allowed = manner.allowed();
        let deadline = self.now().saturating_add(allowed);
        loop {
            if let Some(found) = done(&answer) {
                return Ok(Some(found));
            }
            let before = self.now();
            self.rest(LOOK).await;
            // A clock that stands still must not make this last for ever.
            if self.now() >= deadline || self.now() <= before {
                return Err(KeyError::TimedOut(allowed));
            }
            if let Shown::Answer(shown) = self.look().await?
                && shown.answers(query)
            {
                answer = shown;
            }
        }
    }
}
