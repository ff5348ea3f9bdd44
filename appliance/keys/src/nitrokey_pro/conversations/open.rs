//! Finding out what is plugged in: the way every operation begins.

use core::time::Duration;

use super::super::answer::{DeviceStatus, Progress, Status};
use super::super::command;
use super::super::ids::{Authorization, Model};
use super::super::report::{CommandStatus, Shown};
use super::talk::{Talk, refusal};
use super::{ANSWER, SENDS};
use crate::device::{Family, Firmware, KeyError, KeySerial};
use crate::nitrokey_pro::command::CounterForm;

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
            let mut answer = self.ask(&query).await?;
            let deadline = self.now().saturating_add(ANSWER);
            loop {
                match DeviceStatus::parse(answer.result()) {
                    Progress::Done(status) => return Ok(status),
                    Progress::CardSilent => return Err(KeyError::CardSilent),
                    Progress::Working => {}
                }
                self.rest(LOOK).await;
                if self.now() >= deadline {
                    break;
                }
                if let Shown::Answer(shown) = self.look().await?
                    && shown.answers(&query)
                {
                    answer = shown;
                }
            }
        }
        Err(KeyError::TimedOut(ANSWER * SENDS.into()))
    }
}
