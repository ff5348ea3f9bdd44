//! What an operator asks of a run.

use keys::device::KeySerial;
use serde::{Deserialize, Serialize};

use crate::engine::server::Person;
use crate::refusal::{Code, Refusal};

/// The longest list, and the longest name in characters.
const LONGEST_LIST: usize = 100_000;
const LONGEST_NAME: usize = 60;

/// One line of a list: for whom, and with which key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Assignment {
    /// The key's serial as its vendor prints it; without it, any key will do.
    pub key: Option<String>,
    /// For whom the token is: login name and realm; without it, for nobody yet.
    pub person: Option<(String, String)>,
    /// Whether the station makes up the token's PIN and hands it over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random_pin: bool,
}

impl Assignment {
    /// Whether this line is for that very key.
    pub(super) fn names(&self, key: KeySerial) -> bool {
        let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
        self.key.as_ref().is_some_and(|wanted| plain(wanted) == plain(&key.to_string()))
    }

    /// For whom the token is.
    pub fn person(&self) -> Option<Person> {
        self.person.clone().map(|(user, realm)| Person { user, realm })
    }
}

/// What a run is to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// So many keys.
    Count(u32),
    /// Whatever comes, until somebody stops it.
    Endless,
    /// Every line of a list.
    List(Vec<Assignment>),
}

/// What an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// What people call it; no other run has that name.
    pub name: String,
    /// What it is to reach.
    pub target: Target,
    /// The profile; without it, the one that fits each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether the operator confirmed, for this run, that foreign credentials may be
    /// overwritten where the profile allows to confirm that.
    #[serde(default)]
    pub overwrite_confirmed: bool,
    /// Whether the Yubico OTP that keys are sold with may be overwritten, as with `overwrite = "factory"`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub factory: bool,
}

impl RunPlan {
    /// Whether it can be carried out.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |detail: &'static str| Err(Refusal::new(Code::RunInvalid, detail));
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return wrong("the name must have 1 to 60 characters");
        }
        match &self.target {
            Target::Count(0) => wrong("the number of keys must be at least one"),
            Target::List(list) if list.is_empty() => wrong("the list is empty"),
            Target::List(list) if list.len() > LONGEST_LIST => wrong("the list has over 100000 lines"),
            _ => Ok(()),
        }
    }
}
