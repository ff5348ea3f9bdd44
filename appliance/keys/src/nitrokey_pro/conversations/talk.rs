//! One command and its answer.

use core::time::Duration;

use super::super::command;
use super::super::ids::Model;
use super::super::report::{Answer, CommandStatus, LENGTH, Query, Shown};
use super::{ANSWER, CARD, DROPPED, SENDS};
use crate::device::{Firmware, KeyError};
use crate::script::Line;

/// How a command is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It may be asked again: asking twice is the same as asking once.
    Freely,
    /// The same, and the smart card is asked.
    FreelyOfCard,
    /// It must be known whether it was taken before it is asked again.
    Once,
    /// The same, and the smart card is asked.
    OnceOfCard,
}

impl Manner {
    /// How long the key may take.
    pub(super) const fn allowed(self) -> Duration {
        match self {
            Self::Freely | Self::Once => ANSWER,
            Self::FreelyOfCard | Self::OnceOfCard => CARD,
        }
    }

    const fn sends(self) -> u8 {
        match self {
            Self::Freely | Self::FreelyOfCard => SENDS,
            Self::Once | Self::OnceOfCard => 1,
        }
    }
}

/// What came of a command.
pub(super) enum Outcome {
    /// The key took it and says this.
    Answered(Answer),
    /// Whether the key took it is not known.
    Lost,
}

/// The way to one key.
pub(super) struct Talk {
    line: Line,
    model: Model,
}

/// How long to wait between looks: twice as long each time.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(100);
/// A second bound on looks, for a driver whose clock stands still.
const MOST_LOOKS: u16 = 1000;

impl Talk {
    pub(super) const fn new(line: Line, model: Model) -> Self {
        Self { line, model }
    }

    pub(super) const fn model(&self) -> Model {
        self.model
    }

    pub(super) fn now(&self) -> Duration {
        self.line.now()
    }

    /// Asks what may be asked again, until there is an answer.
    pub(super) async fn ask(&self, query: &Query) -> Result<Answer, KeyError> {
        self.sure(query, Manner::Freely).await
    }

    /// The same, of the smart card.
    pub(super) async fn ask_card(&self, query: &Query) -> Result<Answer, KeyError> {
        self.sure(query, Manner::FreelyOfCard).await
    }

    async fn sure(&self, query: &Query, manner: Manner) -> Result<Answer, KeyError> {
        match self.carry(query, manner).await? {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Lost => Err(KeyError::TimedOut(self.dropped_after() * SENDS.into())),
        }
    }

    /// Asks once: what is dropped is [`Outcome::Lost`].
    pub(super) async fn carry(&self, query: &Query, manner: Manner) -> Result<Outcome, KeyError> {
        let allowed = manner.allowed();
        for _ in 0..manner.sends() {
            self.line.set_feature(query.bytes()).await?;
            if let Some(answer) = self.await_answer(query, allowed).await? {
                // The key did not take what was spoilt on the way, so it may be sent
                // again; here only if it may be in any case.
                if answer.status() != CommandStatus::WrongCrc {
                    return Ok(Outcome::Answered(answer));
                }
            }
        }
        if matches!(manner, Manner::Once | Manner::OnceOfCard) {
            // Perhaps it began only now.
            self.rest(self.dropped_after()).await;
            if self.look().await?.works_on(query) {
                return Ok(self.await_answer(query, allowed).await?.map_or(Outcome::Lost, Outcome::Answered));
            }
        }
        Ok(Outcome::Lost)
    }

    /// Looks until the answer is there; `None` when the key shows that it dropped
    /// the report.
    async fn await_answer(&self, query: &Query, allowed: Duration) -> Result<Option<Answer>, KeyError> {
        let deadline = self.now().saturating_add(allowed);
        let mut step = FIRST_LOOK;
        let mut idle_since = None;
        for _ in 0..MOST_LOOKS {
            let now = self.now();
            if now >= deadline {
                break;
            }
            self.line.rest(now.saturating_add(step).min(deadline)).await;
            step = (step * 2).min(LONGEST_LOOK);
            match self.look().await? {
                Shown::Answer(answer) if answer.answers(query) => return Ok(Some(answer)),
                shown if shown.works_on(query) => idle_since = None,
                // An older answer, or none since it was plugged in.
                _ => {
                    let now = self.now();
                    let since = *idle_since.get_or_insert(now);
                    if now.saturating_sub(since) >= self.dropped_after() {
                        return Ok(None);
                    }
                }
            }
        }
        Err(KeyError::TimedOut(allowed))
    }

    /// What the key shows.
    pub(super) async fn look(&self) -> Result<Shown, KeyError> {
        let report = self.line.feature(LENGTH).await?;
        <&[u8; LENGTH]>::try_from(report.bytes())
            .map(Shown::parse)
            .map_err(|_| KeyError::Garbled("a feature report that is not 64 bytes long"))
    }

    /// Lets time pass.
    pub(super) async fn rest(&self, pause: Duration) {
        self.line.rest(self.now().saturating_add(pause)).await;
    }

    /// Has the key forget what was unlocked. It is no harm when it does not: the
    /// temporary password is known to nobody.
    pub(super) async fn lock(&self) {
        let _ = self.carry(&command::lock(), Manner::Freely).await;
    }

    const fn dropped_after(&self) -> Duration {
        let (at_once, slowly) = DROPPED;
        match self.model {
            Model::Pro | Model::LibremKey => at_once,
            Model::Storage => slowly,
        }
    }
}

/// What an outcome that is not "ok" means, where nothing else is meant by it.
pub(super) fn refusal(answer: &Answer, firmware: Firmware) -> KeyError {
    match answer.status() {
        CommandStatus::Ok => KeyError::Garbled("a result that is not well formed"),
        CommandStatus::WrongSlot => KeyError::DoesNotFit("it has no such slot"),
        CommandStatus::SlotEmpty => KeyError::Empty,
        CommandStatus::NoName => KeyError::DoesNotFit("a slot must have a name"),
        CommandStatus::NotSupported | CommandStatus::UnknownCommand => {
            KeyError::NotAble { what: "a command that its versions are said to have", firmware }
        }
        _ => KeyError::Refused,
    }
}
