//! Messages and commands over a channel.

use core::time::Duration;

use zeroize::Zeroizing;

use super::super::answer::StatusWord;
use super::super::apdu::{self, Apdu};
use super::super::ctaphid::{
    Added, Assembler, BROADCAST, Command, HidError, Message, TOUCH_WANTED, channel_given,
};
use super::{ANSWER, BUSY, MOST_PARTS, TOUCH, WORKING};
use crate::conversation::Hint;
use crate::device::KeyError;
use crate::script::Line;

/// The way to one key.
pub(super) struct Talk {
    line: Line,
    channel: u32,
}

/// Whether the key wants a touch before it answers. It does not say so: keep-alives
/// come with FIDO commands only (usbd-ctaphid `pipe.rs`). Its silence says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    Never,
    /// Perhaps; a silence that is longer than its work says that it does.
    Perhaps,
    Surely,
}

impl Touch {
    /// How long a silence means that it waits for a touch.
    const fn told_by(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Perhaps => Some(Duration::from_secs(1)),
            Self::Surely => Some(Duration::from_millis(100)),
        }
    }

    /// How long the key may be silent.
    const fn longest(self) -> Duration {
        match self {
            Self::Never => ANSWER,
            Self::Perhaps | Self::Surely => TOUCH,
        }
    }
}

/// The answer to a command.
pub(super) struct Reply {
    pub(super) status: StatusWord,
    pub(super) data: Zeroizing<Vec<u8>>,
    /// How long the key took.
    pub(super) took: Duration,
}

/// What came of a message.
enum Heard {
    Answer(Message),
    Error(HidError),
}

/// A second bound on packets, for a driver whose clock stands still.
const MOST_PACKETS: u16 = 4000;

impl Talk {
    /// Opens a channel. The answer is recognised by the nonce.
    pub(super) async fn begin(line: Line, nonce: &[u8; 8]) -> Result<Self, KeyError> {
        let mut talk = Self { line, channel: BROADCAST };
        let init = Message::new(Command::Init, nonce).ok_or(TOO_LONG)?;
        let (pause, times) = BUSY;
        for _ in 0..times {
            talk.send(&init).await?;
            match talk.hear(Command::Init, Touch::Never).await? {
                Heard::Answer(answer) => {
                    // Another program may open one at the same time.
                    if let Some(channel) = channel_given(&answer.data, nonce) {
                        talk.channel = channel;
                        return Ok(talk);
                    }
                }
                Heard::Error(HidError::Busy) => talk.rest(pause).await,
                Heard::Error(_) => return Err(KeyError::Garbled("an error in place of a channel")),
            }
        }
        Err(KeyError::TimedOut(pause * times.into()))
    }

    /// The firmware's version; `None` when the key has no such command.
    pub(super) async fn version(&self) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        // 1 asks for text; older firmware answers four bytes whatever is asked.
        match self.call(Command::Version, &[1], Touch::Never).await? {
            Heard::Answer(answer) => Ok(Some(answer.data)),
            Heard::Error(_) => Ok(None),
        }
    }

    /// Has the application carry out a command, and collects a long answer.
    pub(super) async fn command(&self, command: Option<Apdu>, touch: Touch) -> Result<Reply, KeyError> {
        let mut reply = self.part(command, touch).await?;
        for _ in 0..MOST_PARTS {
            if reply.status != StatusWord::More {
                return Ok(reply);
            }
            let next = self.part(apdu::send_remaining(), Touch::Never).await?;
            reply.status = next.status;
            reply.data.extend_from_slice(&next.data);
        }
        Err(KeyError::Garbled("an answer without end"))
    }

    async fn part(&self, command: Option<Apdu>, touch: Touch) -> Result<Reply, KeyError> {
        let command = command.ok_or(TOO_LONG)?;
        let began = self.line.now();
        match self.call(Command::Secrets, command.bytes(), touch).await? {
            Heard::Answer(answer) => {
                let (status, data) = StatusWord::split(&answer.data)
                    .ok_or(KeyError::Garbled("an answer without a status word"))?;
                let took = self.line.now().saturating_sub(began);
                Ok(Reply { status, data: Zeroizing::new(data.to_vec()), took })
            }
            Heard::Error(HidError::UnknownCommand) => Err(KeyError::InterfaceOff("its Secrets application")),
            Heard::Error(_) => Err(KeyError::Garbled("an error in place of an answer")),
        }
    }

    /// Sends a message until somebody has time for it.
    async fn call(&self, command: Command, data: &[u8], touch: Touch) -> Result<Heard, KeyError> {
        let message = Message::new(command, data).ok_or(TOO_LONG)?;
        let (pause, times) = BUSY;
        for _ in 0..times {
            self.send(&message).await?;
            match self.hear(command, touch).await? {
                Heard::Error(HidError::Busy | HidError::MessageTimeout) => self.rest(pause).await,
                heard => return Ok(heard),
            }
        }
        Err(KeyError::TimedOut(pause * times.into()))
    }

    async fn send(&self, message: &Message) -> Result<(), KeyError> {
        for packet in message.packets(self.channel) {
            self.line.output(packet.as_slice()).await?;
        }
        Ok(())
    }

    /// Reads until the answer to `command` is whole.
    async fn hear(&self, command: Command, touch: Touch) -> Result<Heard, KeyError> {
        let heard = self.listen(command, touch).await;
        self.line.suggest(None);
        heard
    }

    async fn listen(&self, command: Command, touch: Touch) -> Result<Heard, KeyError> {
        let began = self.line.now();
        let mut assembler = Assembler::new(self.channel);
        // What a silence up to then says, and the end of patience.
        let mut told_by = touch.told_by().map(|silence| began.saturating_add(silence));
        let mut deadline = began.saturating_add(touch.longest());
        for _ in 0..MOST_PACKETS {
            let Some(packet) = self.line.input(told_by.unwrap_or(deadline)).await else {
                match told_by.take() {
                    Some(_) => self.line.suggest(Some(Hint::TouchWanted { seconds_left: 0 })),
                    None => break,
                }
                continue;
            };
            let message = match assembler.push(packet.bytes()) {
                Added::Whole(message) => message,
                Added::Nothing | Added::Part => continue,
                Added::Spoilt => return Err(KeyError::Garbled("packets out of order")),
            };
            match message.command {
                byte if byte == Command::KeepAlive as u8 => {
                    if message.data.first() == Some(&TOUCH_WANTED) {
                        told_by = None;
                        self.line.suggest(Some(Hint::TouchWanted { seconds_left: 0 }));
                        deadline = began.saturating_add(TOUCH);
                    } else {
                        deadline = (self.line.now() + ANSWER).min(began + WORKING).max(deadline);
                    }
                }
                byte if byte == Command::Error as u8 => {
                    let code = message.data.first().copied().unwrap_or_default();
                    return Ok(Heard::Error(HidError::from_byte(code)));
                }
                byte if byte == command as u8 => return Ok(Heard::Answer(message)),
                _ => return Err(KeyError::Garbled("an answer to another command")),
            }
        }
        if touch == Touch::Never {
            return Err(KeyError::TimedOut(ANSWER));
        }
        // So that it does not take a later touch for this.
        if let Some(cancel) = Message::new(Command::Cancel, &[]) {
            self.send(&cancel).await?;
        }
        Err(KeyError::NotTouched)
    }

    async fn rest(&self, pause: Duration) {
        self.line.rest(self.line.now().saturating_add(pause)).await;
    }
}

/// Nothing that is sent here is too long for a message; it would be a defect.
const TOO_LONG: KeyError = KeyError::DoesNotFit("it is too long for a command");
