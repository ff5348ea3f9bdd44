//! What an operator is asked for while a phone is enrolled.

use super::component::Typo;

/// What the operator is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The app's part of the secret, as the app shows it: so many letters.
    Component {
        /// How many letters it has.
        letters: usize,
        /// What was wrong with the last one.
        typo: Option<Typo>,
    },
    /// The code that the app shows now.
    Code {
        /// Why the last one did not do.
        wrong: Option<WrongCode>,
    },
}

/// Why a code did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongCode {
    /// It has not as many digits as it should.
    #[error("the code has {0} digits")]
    Digits(u8),
    /// The app does not have the secret, or somebody misread it.
    #[error("the code is not that of this token; wait for the next one and try again")]
    Other,
    /// It would be right at another time.
    #[error("the phone's clock is {0} s off; let the phone set its time by itself")]
    Clock(i64),
}
