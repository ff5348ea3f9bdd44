//! What comes of an operation.

use core::fmt;

use super::KeyInfo;
use crate::secret::CodeText;

/// What an operation found out.
pub enum Answer {
    /// Of [`Operation::Inspect`](crate::device::Operation::Inspect).
    Inspected(KeyInfo),
    /// Of [`Operation::Program`](crate::device::Operation::Program): written, and the key says that it took it.
    Programmed,
    /// Of [`Operation::Erase`](crate::device::Operation::Erase): empty now, and the key says so.
    Erased,
    /// Of [`Operation::AskCode`](crate::device::Operation::AskCode): the digits, or the raw response as hex.
    Code(CodeText),
    /// Of [`Operation::SetCode`](crate::device::Operation::SetCode): the key says that it took the update.
    CodeSet,
    /// Of [`Operation::Swap`](crate::device::Operation::Swap): each slot holds what the other held.
    Swapped,
    /// Of [`Operation::ChangePin`](crate::device::Operation::ChangePin): the new one holds.
    PinChanged,
}

/// Says which answer it is, and of a code nothing more.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inspected(info) => f.debug_tuple("Inspected").field(info).finish(),
            Self::Programmed => f.write_str("Programmed"),
            Self::Erased => f.write_str("Erased"),
            Self::Code(_) => f.write_str("Code(..)"),
            Self::CodeSet => f.write_str("CodeSet"),
            Self::Swapped => f.write_str("Swapped"),
            Self::PinChanged => f.write_str("PinChanged"),
        }
    }
}
