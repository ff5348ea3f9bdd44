//! The logs that a station keeps, and what stands in that of its operators.

use serde::{Deserialize, Serialize};

use super::Body;
use crate::papers::stamp::Stamp;

/// A log. One key signs them all, and a line of one fits into no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Book {
    /// The receipts of enrollments.
    #[default]
    Receipts,
    /// The audit: what operators did.
    Audit,
}

impl Book {
    /// The word for it, which its files are named by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receipts => "receipts",
            Self::Audit => "audit",
        }
    }

    /// What stands before the signed bytes, so that no other signature of the same key fits.
    pub const fn signed_for(self) -> &'static str {
        match self {
            Self::Receipts => "enrollment station receipt\n",
            Self::Audit => "enrollment station deed\n",
        }
    }

    /// Whether a line that says this may stand in it.
    pub const fn takes(self, body: &Body) -> bool {
        match body {
            Body::Checkpoint(_) => true,
            Body::Receipt(_) => matches!(self, Self::Receipts),
            Body::Deed(_) => matches!(self, Self::Audit),
        }
    }
}

/// What an operator did, or tried to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When it ended.
    pub at: Stamp,
    /// The operator's name.
    pub by: String,
    /// Where the operator came from.
    pub from: String,
    pub session: String,
    /// What was asked: the name of a call with its arguments. Never a secret.
    pub what: String,
    /// What came of it: `ok`, or the code of the refusal.
    pub result: String,
    /// How long it took.
    pub took_ms: u64,
}
