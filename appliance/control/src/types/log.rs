//! The daemon's own log.

use jiff::Timestamp;

words! {
    /// How important a line is.
    pub enum Level {
        /// Something does not work.
        Error = "error",
        /// Something may not work.
        Warn = "warn",
        /// What happens.
        Info = "info",
        /// In detail.
        Debug = "debug",
        /// In every detail.
        Trace = "trace",
    }
}

values! {
    /// A line of the log.
    pub struct LogLine {
        /// When.
        pub at: Timestamp,
        /// How important.
        pub level: Level,
        /// Which part of the program.
        pub target: String,
        /// What it says.
        pub text: String,
    }

    /// Lines of the log.
    pub struct LogLines {
        /// Oldest first.
        pub lines: Vec<LogLine>,
        /// How many lines before these are forgotten, or were lost because the listener was slow.
        pub lost: i64,
    }
}

requests! {
    /// Which lines of the log are wanted.
    pub struct Logs {
        /// How many of the newest lines to begin with; 100 when missing, at most 1000.
        pub newest: Option<u32>,
        /// Whether those that follow are wanted too.
        pub follow: bool,
        /// Only lines that are at least so important; `info` when missing.
        pub level: Option<Level>,
    }
}
