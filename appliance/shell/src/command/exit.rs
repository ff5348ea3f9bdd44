//! Exit statuses of `ssh station COMMAND`. They never change their meaning.

/// An exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// The station refused, or the operation failed and was taken back; the code is in the text.
    Refused = 1,
    /// The command line is wrong; nothing was done.
    Usage = 2,
    /// The operator's role may not; nothing was done.
    Role = 3,
    /// It needs `--yes`, or the question was answered with no; nothing was done.
    Unconfirmed = 4,
    /// The station's daemon cannot be reached, or the connection to it broke.
    Unreachable = 5,
    /// It was looked at, and it is not right: `verify`, `receipts verify`, `audit verify`, `config check`, `profile check`.
    Wrong = 6,
    /// A fault in the shell itself; it is in the log.
    Fault = 70,
    /// It was cancelled with Ctrl-C.
    Cancelled = 130,
}

impl Exit {
    /// All of them, with what they mean.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Done, "Done."),
        (
            Self::Refused,
            "The station refused, or the operation failed and was taken back. Code and remedy are on standard error.",
        ),
        (Self::Usage, "The command line is wrong; nothing was done."),
        (Self::Role, "The operator's role may not; nothing was done."),
        (Self::Unconfirmed, "It needs `--yes`, or the question was answered with no; nothing was done."),
        (Self::Unreachable, "The station's daemon cannot be reached, or the connection to it broke."),
        (
            Self::Wrong,
            "It was looked at, and it is not right: `verify`, `receipts verify`, `audit verify`, `config check`, `profile check`.",
        ),
        (Self::Fault, "A fault in the shell itself; it is in the log."),
        (Self::Cancelled, "It was cancelled with Ctrl-C (or signal INT)."),
    ];

    /// The number.
    pub const fn status(self) -> u8 {
        self as u8
    }
}
