//! The commands for runs.

use clap::{Args, Subcommand};

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
    /// End it; enrollments that have begun are finished
    Stop,
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
    /// What it is called
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The way of enrolling; for each key the one that fits when missing
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Write over what slots hold, whosever it is
    #[arg(long)]
    pub overwrite: bool,
    /// Ask for the slots' access code
    #[arg(long)]
    pub unlock: bool,
    /// Ask for the keys' administrator PIN
    #[arg(long)]
    pub key_pin: bool,
}
