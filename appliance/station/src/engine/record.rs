//! What the journal keeps of an enrollment, as values.
//!
//! A record says how far an enrollment has come. It is written *before* the thing
//! it announces, so that after a power cut the newest record of each enrollment
//! tells what may have happened: see [`State`] and [`crate::engine::recovery`]. No record
//! holds a secret.

use core::fmt;
use core::time::Duration;

use keys::device::{KeySerial, Kind, Slot};
use serde::{Deserialize, Serialize};

pub use crate::names::EnrollmentId;
use crate::names::Person;
use crate::refusal::Code;
use crate::token::TokenSerial;

/// How far an enrollment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The token may exist, and may count.
    Planned,
    /// The token exists and does not count; the slot may hold the secret.
    Registered,
    /// The slot holds the secret; nobody has seen it prove that.
    Written,
    /// The key has proven it, and the server has agreed.
    Proven,
    /// Final: the token counts and its key answers.
    Done,
    /// Everything is being taken back.
    Undoing,
    /// Final: there is no token. What the slot holds, [`Record::remains`] says.
    Undone,
}

impl State {
    /// All states, in order.
    pub const ALL: [Self; 7] = [
        Self::Planned,
        Self::Registered,
        Self::Written,
        Self::Proven,
        Self::Done,
        Self::Undoing,
        Self::Undone,
    ];

    /// Whether nothing is left to be done for an enrollment in this state.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Undone)
    }

    /// The states that may follow this one. `Undoing` may follow itself, since
    /// recovery can be interrupted and begun again.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::Planned => &[Self::Registered, Self::Undoing, Self::Undone],
            Self::Registered => &[Self::Written, Self::Undoing],
            Self::Written => &[Self::Proven, Self::Undoing],
            Self::Proven => &[Self::Done, Self::Undoing],
            Self::Done => &[Self::Undoing],
            Self::Undoing => &[Self::Undoing, Self::Undone],
            Self::Undone => &[Self::Undoing],
        }
    }

    /// The word for it in the journal and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Registered => "registered",
            Self::Written => "written",
            Self::Proven => "proven",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What the slot may hold of an enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remains {
    /// Nothing of this enrollment: it was not written, or it was erased since.
    Nothing,
    /// Perhaps its secret: a write was begun or not taken back.
    Perhaps,
    /// Its secret, written and proven.
    Secret,
}

impl Remains {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Perhaps, Self::Secret];

    /// The word for it in the journal and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Perhaps => "perhaps",
            Self::Secret => "secret",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|remains| remains.word() == word)
    }
}

/// Who let an enrollment happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person with an SSH key.
    Operator(String),
    /// The station itself, armed by its configuration.
    Armed,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => f.write_str(name),
            Self::Armed => f.write_str("armed"),
        }
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub enrollment: EnrollmentId,
    /// How far it has come.
    pub state: State,
    /// Since 1970, as far as the station knew.
    pub at: Duration,
    pub key: KeySerial,
    /// The slot in it.
    pub slot: Slot,
    /// The kind of credential.
    pub kind: Kind,
    /// What the slot may hold of this enrollment.
    pub remains: Remains,
    pub token: TokenSerial,
    /// The profile's name.
    pub profile: String,
    /// Whom the token is for.
    pub person: Option<Person>,
    /// Who let it happen.
    pub actor: Actor,
    /// Where the key was plugged in, as a USB port path.
    pub port: String,
    /// Why it was or is being taken back.
    pub reason: Option<Code>,
    /// The public id of the maker's Yubico OTP that is given up for it.
    pub given_up: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_leads_to_a_final_one() {
        for start in State::ALL {
            let mut reached = vec![start];
            while let Some(next) = reached
                .iter()
                .flat_map(|state| state.successors())
                .find(|state| !reached.contains(state))
                .copied()
            {
                reached.push(next);
            }
            assert!(reached.iter().any(|state| state.is_final()), "{start:?}");
        }
    }
}
