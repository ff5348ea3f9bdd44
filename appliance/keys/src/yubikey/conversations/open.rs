//! Finding out what is plugged in: the way every operation begins.

use core::time::Duration;

use super::exchange::{Exchange, Outcome};
use super::port::{Event, Port};
use super::settle::Settle;
use super::{RECLAIM, SPOILT_REPEATS};
use crate::conversation::{Conversation, Reply, Turn};
use crate::device::{Family, KeyError, KeySerial};
use crate::yubikey::command;
use crate::yubikey::device_info::{DeviceInfo, MOST_PAGES};
use crate::yubikey::firmware::{self, Feature};
use crate::yubikey::ids::Identity;
use crate::yubikey::status::Status;

/// How much to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The status and the serial: enough to know that it is the same key.
    Serial,
    /// Device information too, where the firmware has it.
    Everything,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The status, fresh.
    pub status: Status,
    /// The serial; `None` when the key hides it.
    pub serial: Option<KeySerial>,
    /// What the key says about itself; empty before firmware 4.1.
    pub info: Option<DeviceInfo>,
}

/// Settles a key, shakes a NEO awake, waits for one that just spoke through
/// another interface, and reads who it is.
///
/// * A NEO shows an old programming sequence until it is written to: it gets
///   [`neo_wakeup_probe`](command::neo_wakeup_probe) first, as yubikit does.
/// * A key with more interfaces than OTP refuses every command for about three
///   seconds after it spoke through another one. The reading of the serial is
///   therefore repeated up to six times at half-second intervals. A key from
///   4.1 on that hides its serial still gives device information, which shows
///   that it is awake and has the serial in it, so it is not waited for.
/// * A spoilt answer, or a key that does not take a write, is tried again twice,
///   because reading changes nothing.
pub struct Open {
    depth: Depth,
    stage: Stage,
    attempts_left: u8,
    /// How often a spoilt answer may still be asked for again.
    repeats_left: u8,
    probed: bool,
    serial: Option<u32>,
    /// Whether the key answered any command.
    awake: bool,
    info: Option<DeviceInfo>,
}

enum Stage {
    Settling(Settle),
    Probing(Exchange),
    AskingSerial(Exchange, Status),
    /// With the number of the page.
    AskingInfo(Exchange, Status, u8),
    Resting(Port),
    Finished(Status),
}

impl Stage {
    fn settle() -> Self {
        Self::Settling(Settle::new())
    }

    fn ask_info(status: Status, page: u8) -> Self {
        let exchange = Exchange::new(command::read_device_info(page), status);
        Self::AskingInfo(exchange, status, page)
    }
}

impl Open {
    /// Opens a key of that identity, as its product id tells it.
    pub fn new(identity: Identity, depth: Depth) -> Self {
        let (_, attempts) = RECLAIM;
        Self {
            depth,
            stage: Stage::Settling(Settle::new()),
            attempts_left: if identity.has_more_than_otp() { attempts } else { 1 },
            repeats_left: SPOILT_REPEATS,
            probed: false,
            serial: None,
            awake: false,
            info: None,
        }
    }

    /// Drives the stage of now.
    fn stage(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<Stage>, KeyError> {
        let next = match &mut self.stage {
            Stage::Settling(settle) => match settle.turn(now, reply)? {
                Turn::Do(request) => return Ok(Turn::Do(request)),
                Turn::Done(status) => self.settled(status),
            },
            Stage::Probing(exchange) => match exchange.turn(now, reply) {
                Ok(Turn::Do(request)) => return Ok(Turn::Do(request)),
                // Refused, as it should be; what else came of it is seen by settling again.
                Ok(Turn::Done(_)) | Err(KeyError::Garbled(_)) => Stage::settle(),
                Err(error) => return Err(error),
            },
            Stage::AskingSerial(exchange, status) => {
                let status = *status;
                match exchange.turn(now, reply)? {
                    Turn::Do(request) => return Ok(Turn::Do(request)),
                    Turn::Done(Outcome::Data(data)) => {
                        self.serial = command::parse_serial(&data);
                        self.awake = true;
                    }
                    Turn::Done(Outcome::Refused | Outcome::Taken(_)) => {}
                }
                self.after_serial(status)
            }
            Stage::AskingInfo(exchange, status, page) => {
                let (status, page) = (*status, *page);
                match exchange.turn(now, reply)? {
                    Turn::Do(request) => return Ok(Turn::Do(request)),
                    Turn::Done(Outcome::Data(data)) => self.add_page(status, page, &data)?,
                    Turn::Done(Outcome::Refused | Outcome::Taken(_)) => self.after_all(status),
                }
            }
            Stage::Resting(port) => match port.take(reply)? {
                Event::Started => {
                    let (interval, _) = RECLAIM;
                    return Ok(port.rest(now.saturating_add(interval)));
                }
                Event::Sent | Event::Shown(_) | Event::Rested => Stage::settle(),
            },
            Stage::Finished(status) => Stage::Finished(*status),
        };
        Ok(Turn::Done(next))
    }

    /// A settled key: what is to be asked first.
    fn settled(&mut self, status: Status) -> Stage {
        if firmware::caches_sequence(status.firmware) && !self.probed {
            self.probed = true;
            return Stage::Probing(Exchange::new(command::neo_wakeup_probe(), status));
        }
        if Feature::SerialByApi.is_in(status.firmware) {
            let exchange = Exchange::new(command::read_serial(), status);
            return Stage::AskingSerial(exchange, status);
        }
        // Before 2.2 there is nothing to ask.
        Stage::Finished(status)
    }

    fn after_serial(&mut self, status: Status) -> Stage {
        let wanted = self.depth == Depth::Everything || !self.awake;
        if wanted && Feature::DeviceInfo.is_in(status.firmware) {
            Stage::ask_info(status, 0)
        } else {
            self.after_all(status)
        }
    }

    /// A key that answered nothing is asked again, while attempts are left.
    fn after_all(&mut self, status: Status) -> Stage {
        if self.awake {
            return Stage::Finished(status);
        }
        self.rest().unwrap_or(Stage::Finished(status))
    }

    fn add_page(&mut self, status: Status, page: u8, bytes: &[u8]) -> Result<Stage, KeyError> {
        let more = self
            .info
            .get_or_insert_default()
            .add_page(bytes)
            .map_err(|_| KeyError::Garbled("device information that is not well formed"))?;
        self.awake = true;
        let next = page + 1;
        Ok(if more && next < MOST_PAGES { Stage::ask_info(status, next) } else { Stage::Finished(status) })
    }

    /// Takes an attempt away; `None` when it was the last.
    fn rest(&mut self) -> Option<Stage> {
        self.attempts_left = self.attempts_left.saturating_sub(1);
        (self.attempts_left > 0).then(|| Stage::Resting(Port::default()))
    }

    fn finish(&mut self, status: Status) -> Opened {
        let info = self.info.take();
        let number = self.serial.or(info.as_ref().and_then(|info| info.serial));
        let serial = number.map(|number| KeySerial { family: Family::YubiKeyOtp, number });
        Opened { status, serial, info }
    }
}

impl Conversation for Open {
    type Output = Opened;

    fn turn(&mut self, now: Duration, mut reply: Option<Reply>) -> Result<Turn<Opened>, KeyError> {
        loop {
            let next = match self.stage(now, reply.take()) {
                Ok(Turn::Do(request)) => return Ok(Turn::Do(request)),
                Ok(Turn::Done(next)) => next,
                // Settling has its own patience; what it cannot end, it would not end again.
                Err(error) if matches!(self.stage, Stage::Settling(_)) => return Err(error),
                Err(error @ (KeyError::Garbled(_) | KeyError::TimedOut(_))) => {
                    self.info = None;
                    self.repeats_left = self.repeats_left.checked_sub(1).ok_or(error)?;
                    Stage::Resting(Port::default())
                }
                Err(error) => return Err(error),
            };
            if let Stage::Finished(status) = next {
                return Ok(Turn::Done(self.finish(status)));
            }
            self.stage = next;
        }
    }
}
