//! Runs: stretches of mass enrollment.

use jiff::Timestamp;

use super::Counts;
use crate::Secret;

words! {
    /// How a run is.
    pub enum RunState {
        /// Keys that are plugged in are enrolled.
        Running = "running",
        /// Keys that are plugged in wait.
        Paused = "paused",
        /// An operator ended it.
        Stopped = "stopped",
        /// It reached its target.
        Finished = "finished",
    }
}

values! {
    /// A run.
    pub struct Run {
        /// Its number.
        pub run: i64,
        /// Its name.
        pub name: String,
        /// How it is.
        pub state: RunState,
        /// The profile; `null` when each key gets the one that fits.
        pub profile: Option<String>,
        /// How many keys are wanted; `null` when it is endless.
        pub target: Option<i64>,
        /// How its enrollments ended.
        pub counts: Counts,
        /// Whom the next key is for, in a run with a list, unless a line names that key; `null` when no line waits.
        pub next: Option<String>,
        /// The line of that person.
        pub next_line: Option<i64>,
        /// How many lines of the list get no key for now.
        pub aside: Option<i64>,
        /// Why it takes no keys although nobody paused it.
        pub trouble: Option<String>,
        /// When it was started.
        pub started: Timestamp,
        /// When it ended, as far as that is known.
        pub ended: Option<Timestamp>,
        /// Who started it.
        pub operator: String,
        /// Keys an hour, over the whole run without its pauses; `null` before the first.
        pub per_hour: Option<i64>,
    }

    /// One line of a run with a list.
    pub struct RunEntry {
        /// Its number in the list, from 1.
        pub line: i64,
        /// Whom the token is for.
        pub person: Option<String>,
        /// The key it has to be.
        pub key: Option<String>,
        /// The token, once there is one.
        pub token: Option<String>,
        /// `open`, `working`, `enrolled`, `set-aside`, `skipped`, or how it ended.
        pub state: String,
        /// The refusal's code, when it failed.
        pub code: Option<String>,
    }

    /// A run and its list.
    pub struct RunDetails {
        /// The run; `null` when there was none yet.
        pub run: Option<Run>,
        /// Its list; empty when it has none.
        pub entries: Vec<RunEntry>,
        /// Earlier runs, newest first.
        pub earlier: Vec<Run>,
        /// After a list was read: its columns that say nothing here.
        pub ignored: Option<Vec<String>>,
    }
}

requests! {
    /// A run to be started. It needs exactly one of `count`, `endless` and `list`.
    pub struct RunStart {
        /// What it is called; the date when missing.
        pub name: Option<String>,
        /// How many keys.
        pub count: Option<i64>,
        /// Until it is stopped.
        pub endless: Option<bool>,
        /// Whom tokens are for, one a key, in this order.
        pub list: Option<Vec<Assignment>>,
        /// The profile; each key gets the one that fits when missing.
        pub profile: Option<String>,
        /// Whether foreign credentials may be overwritten.
        pub overwrite_confirmed: bool,
        /// Whether the Yubico OTP that keys were sold with may be overwritten: each of them types once.
        pub factory: Option<bool>,
        /// Whether to begin without those whom the server does not know: their lines are set aside.
        pub skip_unknown: Option<bool>,
        /// Whether to begin without looking people up at the server.
        pub unchecked: Option<bool>,
        /// What unlocks the slots: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
        /// The administrator PIN of the keys.
        pub key_pin: Option<Secret>,
    }

    /// A run over a list of people to be started.
    pub struct RunStartList {
        /// What it is called; the date when missing.
        pub name: Option<String>,
        /// The list, line by line: a table with the columns user, realm, profile, key and pin.
        pub lines: Vec<String>,
        /// In place of the lines: the list as it is, base64, where it is not UTF-8.
        pub file: Option<String>,
        /// The encoding of that file; the one of the settings, or none, when missing.
        pub encoding: Option<String>,
        /// What the column of logins is called; when missing, the names that directories give it are known.
        pub user_column: Option<String>,
        /// The realm of people whose line names none.
        pub realm: Option<String>,
        /// The profile of lines that name none; each key gets the one that fits when missing.
        pub profile: Option<String>,
        /// Whether foreign credentials may be overwritten.
        pub overwrite_confirmed: bool,
        /// Whether the Yubico OTP that keys were sold with may be overwritten: each of them types once.
        pub factory: Option<bool>,
        /// Whether to begin without those whom the server does not know: their lines are set aside.
        pub skip_unknown: Option<bool>,
        /// Whether to begin without looking people up at the server.
        pub unchecked: Option<bool>,
        /// What unlocks the slots: the access code, 12 hexadecimal digits.
        pub unlock: Option<Secret>,
        /// The administrator PIN of the keys.
        pub key_pin: Option<Secret>,
    }

    /// More lines for a run with a list.
    pub struct RunAdd {
        /// Which run; the present or last one when missing.
        pub run: Option<i64>,
        /// The lines, with a header, as for a new run.
        pub lines: Vec<String>,
        /// In place of the lines: the list as it is, base64, where it is not UTF-8.
        pub file: Option<String>,
        /// The encoding of that file; the one of the settings, or none, when missing.
        pub encoding: Option<String>,
        /// What the column of logins is called; when missing, the names that directories give it are known.
        pub user_column: Option<String>,
        /// The realm of people whose line names none.
        pub realm: Option<String>,
        /// Whether to add without those whom the server does not know: their lines are set aside.
        pub skip_unknown: Option<bool>,
        /// Whether to add without looking people up at the server.
        pub unchecked: Option<bool>,
    }

    /// Lines of a run's list.
    pub struct RunLines {
        /// Which run; the present or last one when missing.
        pub run: Option<i64>,
        /// Their numbers in the list, from 1. For a retry, none means all that failed.
        pub lines: Vec<i64>,
        /// Whether to retry without looking people up at the server.
        pub unchecked: Option<bool>,
    }

    /// One line of a list.
    pub struct Assignment {
        /// Whom the token is for: `login@realm`; the login alone where the server knows one answer.
        pub person: Option<String>,
        /// The serial of the key it has to be; any key when missing.
        pub key: Option<String>,
    }

    /// Which run.
    pub struct ByRun {
        /// Its number; the present or last one when missing.
        pub run: Option<i64>,
    }
}
