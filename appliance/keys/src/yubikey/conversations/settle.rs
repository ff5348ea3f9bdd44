//! Bringing a key to rest and reading its status.

use core::time::Duration;

use super::port::{Event, Pace, Port};
use super::{STARTUP, WRITE_TAKEN};
use crate::conversation::{Conversation, Reply, Turn};
use crate::device::KeyError;
use crate::yubikey::frame::ABORT;
use crate::yubikey::report::KeyReport;
use crate::yubikey::status::Status;

/// How often an abort is repeated when the key goes on showing something else
/// than its status.
const MOST_ABORTS: u8 = 2;

/// Aborts whatever is under way, and ends with the status.
///
/// The abort is written even when the key looks idle: a frame that another
/// program left half sent does not show, and would spoil the next one. It also
/// cancels a wait for touch and an unread response. A key that is busy is left
/// alone for as long as the slowest command takes before it is interrupted, and
/// one that still starts gets three seconds.
#[derive(Default)]
pub struct Settle {
    port: Port,
    pace: Option<Pace>,
    /// Aborts written so far.
    aborts: u8,
    startup: Option<Pace>,
}

impl Settle {
    /// To be driven from its first turn.
    pub fn new() -> Self {
        Self::default()
    }

    fn abort<T>(&mut self, now: Duration) -> Turn<T> {
        self.aborts += 1;
        self.pace = Some(Pace::begin(now, WRITE_TAKEN));
        self.port.write(&ABORT)
    }

    /// Looks again later; when it has taken too long, aborts again, and in the
    /// end says `otherwise`.
    fn patience<T>(&mut self, now: Duration, otherwise: Option<KeyError>) -> Result<Turn<T>, KeyError> {
        let pace = self.pace.get_or_insert_with(|| Pace::begin(now, WRITE_TAKEN));
        match pace.next(now) {
            Ok(until) => Ok(self.port.rest(until)),
            Err(_) if self.aborts < MOST_ABORTS => Ok(self.abort(now)),
            Err(timed_out) => Err(otherwise.unwrap_or(timed_out)),
        }
    }
}

impl Conversation for Settle {
    type Output = Status;

    fn turn(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<Status>, KeyError> {
        let shown = match self.port.take(reply)? {
            Event::Started | Event::Sent | Event::Rested => return Ok(self.port.read()),
            Event::Shown(shown) => shown,
        };
        match shown {
            KeyReport::Starting => {
                let pace = self.startup.get_or_insert_with(|| Pace::begin(now, STARTUP));
                let until = pace.next(now)?;
                Ok(self.port.rest(until))
            }
            KeyReport::Busy => self.patience(now, None),
            _ if self.aborts == 0 => Ok(self.abort(now)),
            KeyReport::Status(status) => Ok(Turn::Done(status)),
            KeyReport::Chunk { .. } | KeyReport::TouchWanted { .. } | KeyReport::Unknown(_) => {
                self.patience(now, Some(KeyError::Garbled("no status, although everything was aborted")))
            }
        }
    }
}
