//! What was expected of a case, what came, and what was wrong about it.

use std::fmt::Display;

/// The course of a case.
#[derive(Default)]
pub(crate) struct Story {
    expected: Vec<String>,
    came: Vec<String>,
    /// What was not as it must be; empty when all is well.
    pub(crate) complaints: Vec<String>,
}

impl Story {
    /// Notes one ending.
    pub(crate) fn note(&mut self, expected: impl Display, came: impl Display) {
        self.expected.push(expected.to_string());
        self.came.push(came.to_string());
    }

    /// Makes sure of something.
    pub(crate) fn claim(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.complaints.push(otherwise());
        }
    }

    /// Makes sure that two things are equal.
    pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, is: T, should: T) {
        let equal = is == should;
        self.claim(equal, || format!("{what} is {is:?} and should be {should:?}"));
    }
}

impl Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}; came {}", self.expected.join(", then "), self.came.join(", then "))
    }
}
