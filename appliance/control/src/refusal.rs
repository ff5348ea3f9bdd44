//! The one error of the interface: a refusal says what, why, and what to do.

use std::fmt;

values! {
    /// A "no" of the station. As a Varlink error it is `org.enrollmentstation.Control.Refused`.
    pub struct Refusal {
        /// The stable code, such as `E2041`.
        pub code: String,
        /// What, in a few words.
        pub title: String,
        /// Why: a sentence.
        pub cause: String,
        /// What to do: a sentence.
        pub remedy: String,
        /// What is particular about this case; may be empty. Never a secret.
        pub detail: String,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.title, self.cause)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        write!(f, " {}", self.remedy)
    }
}

impl std::error::Error for Refusal {}
