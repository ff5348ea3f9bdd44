//! What is known of a log apart from itself.

use std::collections::BTreeMap;

use station::papers::receipt::Bytes32;

use super::Written;

/// What the journal was told of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The last line. Lines may have followed that nobody told of any more.
    pub head: Option<Written>,
    /// The number of the oldest line that has to be there.
    pub oldest: Option<u64>,
    /// The keys that may have signed, each with the number of the first line that it may have signed;
    /// when there are none, nobody knows.
    pub keys: Vec<(Bytes32, u64)>,
    /// The number of the line since which all this is known.
    pub since: u64,
    /// Lines that the journal knows one by one.
    pub marks: BTreeMap<u64, Bytes32>,
}

impl Known {
    /// Whether a key may have signed the line of that number.
    #[must_use]
    pub fn may_sign(&self, key: &Bytes32, number: u64) -> bool {
        self.keys.is_empty() || self.keys.iter().any(|(known, since)| known == key && *since <= number)
    }
}
