//! One command and what comes of it.

use core::time::Duration;

use zeroize::Zeroizing;

use super::port::{Event, Pace, Port};
use super::{ANSWER, REFUSAL_SURE, STARTUP, TOUCH, WRITE_TAKEN};
use crate::conversation::{Conversation, Hint, Reply, Turn};
use crate::device::KeyError;
use crate::yubikey::command::{AnswerForm, Command};
use crate::yubikey::frame::{ABORT, Frame, LAST};
use crate::yubikey::report::KeyReport;
use crate::yubikey::response::{Length, Reader};
use crate::yubikey::status::{Status, Verdict};

/// What came of a command. Data may be secret, so there is no `Debug`.
pub enum Outcome {
    /// The key took it, and shows this status now.
    Taken(Status),
    /// The key answered with these bytes; length and CRC were right.
    Data(Zeroizing<Vec<u8>>),
    /// The key did nothing, which is how it refuses.
    Refused,
}

/// Sends one frame and waits for what comes of it: a changed status or a
/// response, as the command wants.
///
/// Before each chunk it waits until the key has taken the last write. While the
/// key waits for a touch, [`hint`](Conversation::hint) says so, and an answer
/// that never comes is [`KeyError::NotTouched`]. A status that another program
/// changed, or a spoilt response, is [`KeyError::Garbled`].
///
/// It begins with a settled key: see [`Settle`](super::Settle).
pub struct Exchange {
    frame: Frame,
    answer: AnswerForm,
    may_want_touch: bool,
    before: Status,
    port: Port,
    phase: Phase,
    /// Of the wait that goes on now.
    pace: Option<Pace>,
    /// Of the wait for a key that still starts.
    startup: Option<Pace>,
    /// Since when the status shows nothing but the one of before.
    unchanged_since: Option<Duration>,
    touch: Touch,
    /// The response, once it is complete.
    data: Zeroizing<Vec<u8>>,
    /// The abort behind the response was lost.
    abort_again: bool,
}

enum Phase {
    /// Waiting to write this chunk, or the next that is not left out.
    Sending(u8),
    /// All chunks are written.
    Waiting,
    Reading(Length, Reader),
    /// The response is complete, and its end is shown until it is aborted.
    Closing,
}

/// Goes forward only, so that a key cannot hold a conversation up for ever by
/// asking again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    NotAsked,
    Wanted(u8),
    WasWanted,
}

impl Exchange {
    /// The exchange of `frame` with a key whose status is `before`.
    pub fn new(frame: Frame, before: Status) -> Self {
        let command = Command::from_byte(frame.command());
        Self {
            answer: command.map_or(AnswerForm::Status, Command::answer),
            may_want_touch: matches!(command, Some(Command::ChallengeHmac(_))),
            frame,
            before,
            port: Port::default(),
            phase: Phase::Sending(0),
            pace: None,
            startup: None,
            unchanged_since: None,
            touch: Touch::NotAsked,
            data: Zeroizing::default(),
            abort_again: false,
        }
    }

    /// Looks again later, within the pace of the wait that goes on.
    fn patience<T>(&mut self, now: Duration, allowed: Duration) -> Result<Turn<T>, KeyError> {
        let until = self.pace.get_or_insert_with(|| Pace::begin(now, allowed)).next(now)?;
        Ok(self.port.rest(until))
    }

    fn shown(&mut self, now: Duration, shown: KeyReport) -> Result<Turn<Outcome>, KeyError> {
        match (&self.phase, shown) {
            (_, KeyReport::Starting) => {
                let until = self.startup.get_or_insert_with(|| Pace::begin(now, STARTUP)).next(now)?;
                Ok(self.port.rest(until))
            }
            (Phase::Sending(_), KeyReport::Busy) => self.patience(now, WRITE_TAKEN),
            (Phase::Sending(first), KeyReport::Status(_)) => {
                let first = *first;
                self.send(first)
            }
            // What an abort before this command ends may still be shown for an instant.
            (Phase::Sending(_), _) => self
                .patience(now, WRITE_TAKEN)
                .map_err(|_| KeyError::Garbled("no status where it should take a command")),
            (Phase::Closing, shown) => Ok(self.close(now, &shown)),
            (_, KeyReport::Chunk { sequence, data }) => self.read_chunk(sequence, &Zeroizing::new(data)),
            (Phase::Reading(..), _) => Err(KeyError::Garbled("a response that broke off")),
            (_, KeyReport::TouchWanted { seconds_left, .. }) if self.may_want_touch => {
                self.want_touch(now, seconds_left)
            }
            (_, KeyReport::Status(after)) => {
                self.end_of_touch();
                self.judge(now, after)
            }
            (_, KeyReport::Busy | KeyReport::TouchWanted { .. } | KeyReport::Unknown(_)) => {
                self.end_of_touch();
                self.unchanged_since = None;
                self.patience(now, ANSWER)
            }
        }
    }

    /// The key has taken the last write: here is the next chunk.
    fn send(&mut self, first: u8) -> Result<Turn<Outcome>, KeyError> {
        // The last chunk is never left out, so one is always found.
        let (sequence, report) = (first..=LAST)
            .find_map(|sequence| Some((sequence, self.frame.report(sequence)?)))
            .ok_or(KeyError::Confused("no chunk is left to send"))?;
        self.pace = None;
        self.phase = if sequence == LAST { Phase::Waiting } else { Phase::Sending(sequence + 1) };
        Ok(self.port.write(&report))
    }

    fn want_touch(&mut self, now: Duration, seconds_left: u8) -> Result<Turn<Outcome>, KeyError> {
        self.unchanged_since = None;
        match self.touch {
            Touch::NotAsked => {
                self.pace = Some(Pace::begin_slowly(now, TOUCH));
                self.touch = Touch::Wanted(seconds_left);
            }
            Touch::Wanted(_) => self.touch = Touch::Wanted(seconds_left),
            Touch::WasWanted => {}
        }
        match self.patience(now, TOUCH) {
            Err(KeyError::TimedOut(_)) => Err(KeyError::NotTouched),
            turn => turn,
        }
    }

    /// The key no longer shows that it waits: it computes, or gave up.
    fn end_of_touch(&mut self) {
        if matches!(self.touch, Touch::Wanted(_)) {
            self.touch = Touch::WasWanted;
            self.pace = None;
        }
    }

    /// A plain status after the whole frame.
    fn judge(&mut self, now: Duration, after: Status) -> Result<Turn<Outcome>, KeyError> {
        match (Verdict::of(&self.before, &after), self.answer) {
            (Verdict::Refused, _) => {
                let since = *self.unchanged_since.get_or_insert(now);
                if now.saturating_sub(since) < REFUSAL_SURE {
                    return self.patience(now, ANSWER);
                }
                match self.touch {
                    Touch::NotAsked => Ok(Turn::Done(Outcome::Refused)),
                    Touch::Wanted(_) | Touch::WasWanted => Err(KeyError::NotTouched),
                }
            }
            (Verdict::Taken, AnswerForm::Status) => Ok(Turn::Done(Outcome::Taken(after))),
            (Verdict::Disturbed, AnswerForm::Status) => {
                Err(KeyError::Garbled("its programming sequence jumped, as if something else wrote to it"))
            }
            (Verdict::Taken | Verdict::Disturbed, AnswerForm::Response(_)) => {
                Err(KeyError::Garbled("a changed status in place of an answer"))
            }
        }
    }

    fn read_chunk(&mut self, sequence: u8, data: &[u8; 7]) -> Result<Turn<Outcome>, KeyError> {
        let spoilt = |_| KeyError::Garbled("a response with a wrong length, order or CRC");
        self.end_of_touch();
        if let (Phase::Waiting, AnswerForm::Response(length)) = (&self.phase, self.answer) {
            self.phase = Phase::Reading(length, Reader::new());
        }
        let Phase::Reading(length, reader) = &mut self.phase else {
            return Err(KeyError::Garbled("a response that was not asked for"));
        };
        if !reader.push(sequence, data).map_err(spoilt)? {
            return Ok(self.port.read());
        }
        self.data = core::mem::take(reader).finish(*length).map_err(spoilt)?;
        self.phase = Phase::Closing;
        self.pace = None;
        Ok(self.port.write(&ABORT))
    }

    /// Waits until the key shows its status again, so that it is settled for the
    /// next command. The answer counts even if that takes too long.
    fn close(&mut self, now: Duration, shown: &KeyReport) -> Turn<Outcome> {
        self.abort_again = matches!(shown, KeyReport::Chunk { .. });
        if (self.abort_again || matches!(shown, KeyReport::Busy))
            && let Ok(turn) = self.patience(now, WRITE_TAKEN)
        {
            return turn;
        }
        Turn::Done(Outcome::Data(core::mem::take(&mut self.data)))
    }
}

impl Conversation for Exchange {
    type Output = Outcome;

    fn turn(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<Outcome>, KeyError> {
        match self.port.take(reply)? {
            Event::Shown(shown) => self.shown(now, shown),
            Event::Rested if core::mem::take(&mut self.abort_again) => Ok(self.port.write(&ABORT)),
            Event::Started | Event::Sent | Event::Rested => Ok(self.port.read()),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self.touch {
            Touch::Wanted(seconds_left) => Some(Hint::TouchWanted { seconds_left }),
            Touch::NotAsked | Touch::WasWanted => None,
        }
    }
}
