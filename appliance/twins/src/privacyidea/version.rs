//! The servers the twin can be, and in what they differ.
//!
//! Each predicate is one row of the table of differences that was measured on
//! the real servers; `tests/privacyidea_equal.rs` holds the twin to it.

use std::str::FromStr;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// A product and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// privacyIDEA 3.14, what a new installation gets.
    #[default]
    V3_14,
    /// privacyIDEA 3.13.4, which replaces the client's key unless an admin policy exists.
    V3_13_4,
    /// privacyIDEA 3.12.3, which replaces it, too.
    V3_12_3,
    /// privacyIDEA 3.11.4.
    V3_11_4,
    /// privacyIDEA 3.10.2, the first with containers.
    V3_10_2,
    /// privacyIDEA 3.9.3, without containers.
    V3_9_3,
    /// eduMFA 2.9.5, a fork of privacyIDEA 3.9.
    EduMfa2_9_5,
    /// eduMFA 2.8.0.
    EduMfa2_8_0,
}

/// The name is none of the versions that the twin knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "no such server: {0:?}; the twin can be 3.14, 3.13.4, 3.12.3, 3.11.4, 3.10.2, 3.9.3, edumfa-2.9.5 or edumfa-2.8.0"
)]
pub struct UnknownVersion(String);

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL.into_iter().find(|v| v.name() == text).ok_or_else(|| UnknownVersion(text.into()))
    }
}

/// What was read off a fresh server of one version.
pub(super) struct Recorded {
    /// `result.value` of an administrator's login, without token and rights.
    pub(super) login: Map<String, Value>,
    /// The rights in that login, in the server's order.
    pub(super) rights: Vec<String>,
    /// Every action of scope `admin`, and its type (`bool`, `str`, `int`).
    pub(super) admin_actions: Map<String, Value>,
    /// `result.value` of a user's login.
    pub(super) user_login: Map<String, Value>,
    /// The token types that can be enrolled, with their descriptions.
    pub(super) enrollable: Map<String, Value>,
    pub(super) container_types: Map<String, Value>,
}

impl Version {
    /// All of them, newest first.
    pub const ALL: [Self; 8] = [
        Self::V3_14,
        Self::V3_13_4,
        Self::V3_12_3,
        Self::V3_11_4,
        Self::V3_10_2,
        Self::V3_9_3,
        Self::EduMfa2_9_5,
        Self::EduMfa2_8_0,
    ];

    /// Those that differ the most from each other, and whose every answer is held against recordings. The
    /// ones in between take after their neighbours.
    pub const RECORDED: [Self; 4] = [Self::V3_14, Self::V3_13_4, Self::V3_9_3, Self::EduMfa2_9_5];

    /// The name by which scripts call it: `3.14`, `edumfa-2.9.5`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EduMfa2_9_5 => "edumfa-2.9.5",
            Self::EduMfa2_8_0 => "edumfa-2.8.0",
            other => other.number(),
        }
    }

    /// `versionnumber` of its answers.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3_14 => "3.14",
            Self::V3_13_4 => "3.13.4",
            Self::V3_12_3 => "3.12.3",
            Self::V3_11_4 => "3.11.4",
            Self::V3_10_2 => "3.10.2",
            Self::V3_9_3 => "3.9.3",
            Self::EduMfa2_9_5 => "2.9.5",
            Self::EduMfa2_8_0 => "2.8.0",
        }
    }

    /// `version` of its answers: product and number.
    pub fn text(self) -> &'static str {
        match self {
            Self::V3_14 => "privacyIDEA 3.14",
            Self::V3_13_4 => "privacyIDEA 3.13.4",
            Self::V3_12_3 => "privacyIDEA 3.12.3",
            Self::V3_11_4 => "privacyIDEA 3.11.4",
            Self::V3_10_2 => "privacyIDEA 3.10.2",
            Self::V3_9_3 => "privacyIDEA 3.9.3",
            Self::EduMfa2_9_5 => "eduMFA 2.9.5",
            Self::EduMfa2_8_0 => "eduMFA 2.8.0",
        }
    }

    pub(super) fn is_edumfa(self) -> bool {
        matches!(self, Self::EduMfa2_9_5 | Self::EduMfa2_8_0)
    }

    /// From 3.10 on: containers, `jwt_validity`, checked AES keys, upper-case modhex and much else.
    pub fn is_recent(self) -> bool {
        self != Self::V3_9_3 && !self.is_edumfa()
    }

    pub(super) fn is_3_14(self) -> bool {
        self == Self::V3_14
    }

    /// The `otpkey` of the client is thrown away as long as no admin policy exists.
    pub fn replaces_keys_without_policies(self) -> bool {
        matches!(self, Self::V3_13_4 | Self::V3_12_3)
    }

    /// `rollout_state` of a finished token.
    pub(super) fn enrolled(self) -> &'static str {
        if self.is_3_14() { "enrolled" } else { "" }
    }

    pub(super) fn speaks_json_for_unknown_routes(self) -> bool {
        self.is_recent()
    }

    pub(super) fn recorded(self) -> &'static Recorded {
        static ALL: [OnceLock<Recorded>; 8] = [const { OnceLock::new() }; 8];
        let text = match self {
            Self::V3_14 => include_str!("data/privacyidea-3.14.json"),
            Self::V3_13_4 => include_str!("data/privacyidea-3.13.4.json"),
            Self::V3_12_3 => include_str!("data/privacyidea-3.12.3.json"),
            Self::V3_11_4 => include_str!("data/privacyidea-3.12.3.json"),
            Self::V3_10_2 => include_str!("data/privacyidea-3.12.3.json"),
            Self::V3_9_3 => include_str!("data/privacyidea-3.9.3.json"),
            Self::EduMfa2_9_5 => include_str!("data/edumfa-2.9.5.json"),
            Self::EduMfa2_8_0 => include_str!("data/edumfa-2.9.5.json"),
        };
        let [first, ..] = &ALL;
        let slot =
            ALL.iter().zip(Self::ALL).find(|(_, version)| *version == self).map_or(first, |(slot, _)| slot);
        slot.get_or_init(|| Recorded::parse(text))
    }
}

impl Recorded {
    fn parse(text: &str) -> Self {
        let mut all: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let mut map = |name: &str| match all.remove(name) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let (login, admin_actions, user_login) = (map("login"), map("admin_actions"), map("user_login"));
        let (enrollable, container_types) = (map("enrollable"), map("container_types"));
        let rights = match all.remove("rights") {
            Some(Value::Array(list)) => {
                list.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        Self { login, rights, admin_actions, user_login, enrollable, container_types }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_record() {
        for version in Version::ALL {
            let recorded = version.recorded();
            assert!(recorded.rights.iter().any(|right| right == "enrollHOTP"), "{version:?}");
            assert_eq!(recorded.admin_actions.len(), recorded.rights.len());
            assert!(recorded.enrollable.contains_key("hotp"));
            assert_eq!(recorded.user_login["role"], "user");
            assert_eq!(version.name().parse::<Version>().unwrap(), version);
        }
    }
}
