//! The command line of `enrolld`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config;

/// The enrollment station's daemon.
///
/// It speaks to keys, server, display and journal, and listens on no network. Shells reach it
/// through its control socket.
#[derive(Debug, Parser)]
#[command(name = "enrolld", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at a configuration and say everything that is wrong with it.
    ///
    /// Exit status: 0 when it is right, 1 when it is not, 2 when it cannot be read.
    Check {
        /// The file. Files that it names are looked for beside it.
        file: PathBuf,
    },
    /// Print what is written about this program, made from its code.
    Reference {
        /// What.
        #[arg(value_enum, default_value_t = Page::Configuration)]
        page: Page,
    },
}

/// A page that is made from the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Every field of the configuration, as Markdown.
    Configuration,
    /// The manual page enrolld(8).
    #[value(name = "enrolld.8")]
    Enrolld8,
    /// The manual page enrollment.toml(5).
    #[value(name = "enrollment.toml.5")]
    Toml5,
    /// The control interface, as Varlink describes it.
    Control,
}

impl Page {
    /// Its text.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Configuration => config::reference::markdown(),
            Self::Toml5 => config::reference::manual(),
            Self::Control => control::Method::description(),
            Self::Enrolld8 => {
                let mut page = Vec::new();
                let manual = clap_mangen::Man::new(Args::command()).section("8").date("");
                // Writing to memory does not fail.
                let _ = manual.render(&mut page);
                String::from_utf8_lossy(&page).into_owned()
            }
        }
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    match Args::parse().command {
        Command::Check { file } => check(&file),
        Command::Reference { page } => {
            // Who closes the pipe early has seen enough.
            let _ = std::io::stdout().lock().write_all(page.text().as_bytes());
            ExitCode::SUCCESS
        }
    }
}

fn check(file: &std::path::Path) -> ExitCode {
    let (_, parsed) = match config::load(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{}: it cannot be read: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    if parsed.problems.is_empty() {
        println!("{} is right", file.display());
        return ExitCode::SUCCESS;
    }
    for problem in &parsed.problems {
        eprintln!("{}", problem.line(&file.display().to_string()));
    }
    ExitCode::from(1)
}
