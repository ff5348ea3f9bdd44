//! The commands for runs.

use clap::{Args, Subcommand, ValueEnum};
use control::types::ReportForm;

/// `run …`
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Enroll every key that is plugged in from now on
    Start(RunStart),
    /// How far it is
    Status {
        /// The run's number; the present or last one when missing
        #[arg(value_name = "RUN")]
        run: Option<i64>,
    },
    /// Let keys wait
    Pause,
    /// Go on
    Resume,
    /// Let lines of the list get no key
    Skip {
        /// Lines, by their number in run status
        #[arg(value_name = "LINE", required = true, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        lines: Vec<i64>,
    },
    /// Let lines that were set aside or skipped get keys again
    Retry {
        /// Lines, by their number in run status; failed means all that were set aside
        #[arg(value_name = "LINE|failed", required = true, value_parser = line)]
        lines: Vec<ListLine>,
        /// Do not look up again whom the server did not know
        #[arg(long)]
        unchecked: bool,
    },
    /// Put people behind the last one of the list
    Add(RunAdd),
    /// Which person got which key, when, and how it ended
    Report {
        /// The run's number or name
        #[arg(value_name = "RUN")]
        run: String,
        /// Its form: a table (CSV), a table on paper (PDF), or JSON
        #[arg(long, value_enum, default_value_t = ReportWord::Csv)]
        format: ReportWord,
    },
    /// End it; enrollments that have begun are finished
    Stop,
}

/// `report`
#[derive(Debug, Args)]
pub struct Report {
    /// The first day, such as 2026-12-01; the first of all when missing
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// The last day; today when missing
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// Its form: a table (CSV), a table on paper (PDF), or JSON
    #[arg(long, value_enum, default_value_t = ReportWord::Csv)]
    pub format: ReportWord,
}

/// In which form a report comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportWord {
    /// A table
    Csv,
    /// A table on paper
    Pdf,
    /// JSON
    Json,
}

impl ReportWord {
    /// The form, as the station has it.
    #[must_use]
    pub const fn form(self) -> ReportForm {
        match self {
            Self::Csv => ReportForm::Csv,
            Self::Pdf => ReportForm::Pdf,
            Self::Json => ReportForm::Json,
        }
    }
}

/// A line of a list, or all that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListLine {
    /// That one.
    Number(i64),
    /// All that were set aside.
    Failed,
}

fn line(text: &str) -> Result<ListLine, String> {
    let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
    match number {
        Some(number) => Ok(ListLine::Number(number)),
        None if text == "failed" => Ok(ListLine::Failed),
        None => Err("a line is a number from 1, as run status shows it, or the word failed".to_owned()),
    }
}

/// `run add`
#[derive(Debug, Args)]
pub struct RunAdd {
    /// One key for each person of a list: `-` reads a table with the columns user, realm, profile, key, pin
    #[arg(long, value_name = "-", value_parser = ["-"], required = true)]
    pub list: String,
    /// The realm of people in the list whose line names none
    #[arg(long, value_name = "REALM")]
    pub realm: Option<String>,
    /// What the column of logins is called, where it is not user, login, sAMAccountName or the like
    #[arg(long, value_name = "NAME", requires = "list")]
    pub user_column: Option<String>,
    /// The list's encoding, where it is not Unicode, such as windows-1250
    #[arg(long, value_name = "ENCODING", requires = "list")]
    pub encoding: Option<String>,
    /// Set people aside whom the server does not know, and go on with the others
    #[arg(long, conflicts_with = "unchecked")]
    pub skip_unknown: bool,
    /// Do not look people up at the server
    #[arg(long)]
    pub unchecked: bool,
}

/// `run start`
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["count", "endless", "list"])))]
pub struct RunStart {
    /// So many keys
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub count: Option<i64>,
    /// Until it is stopped
    #[arg(long)]
    pub endless: bool,
    /// One key for each person of a list: `-` reads a table with the columns user, realm, profile, key, pin
    #[arg(long, value_name = "-", value_parser = ["-"])]
    pub list: Option<String>,
    /// The realm of people in the list whose line names none
    #[arg(long, value_name = "REALM")]
    pub realm: Option<String>,
    /// What the column of logins is called, where it is not user, login, sAMAccountName or the like
    #[arg(long, value_name = "NAME", requires = "list")]
    pub user_column: Option<String>,
    /// The list's encoding, where it is not Unicode, such as windows-1250
    #[arg(long, value_name = "ENCODING", requires = "list")]
    pub encoding: Option<String>,
    /// Set people aside whom the server does not know, and begin with the others
    #[arg(long, requires = "list", conflicts_with = "unchecked")]
    pub skip_unknown: bool,
    /// Do not look people up at the server
    #[arg(long, requires = "list")]
    pub unchecked: bool,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The way of enrolling; for each key the one that fits when missing
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Write over what slots hold, whosever it is
    #[arg(long)]
    pub overwrite: bool,
    /// Write over the Yubico OTP that keys are sold with; each types once, and YubiCloud knows it no more
    #[arg(long)]
    pub factory: bool,
    /// Ask for the slots' access code
    #[arg(long)]
    pub unlock: bool,
    /// Ask for the keys' administrator PIN
    #[arg(long)]
    pub key_pin: bool,
}
