//! The command line of `enrolld`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::daemon::{self, Hardware, Parts, Signal, Source};
use crate::harden::harden;
use crate::notify::Manager;
use crate::service::call_handler::Admitted;
use crate::service::{Files, Power, Ring};
use crate::{config, logging};

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
    /// Be the station, until SIGTERM. SIGHUP reads the configuration anew.
    ///
    /// Exit status: 0 after SIGTERM or SIGINT, 1 when the station cannot be.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "/etc/enrollment/enrollment.toml")]
        config: PathBuf,
        /// Where journal, receipts, audit and changes of the configuration are kept.
        #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/enrolld")]
        state: PathBuf,
        /// The control socket.
        #[arg(long, value_name = "SOCKET", default_value = "/run/enrolld/control.sock")]
        control: PathBuf,
        /// The user of the SSH server, by name or number, who may speak to the control socket. May be repeated.
        #[arg(long, value_name = "USER", default_value = "enroll-shell")]
        shell_user: Vec<String>,
        /// The program that is called with `reboot` or `poweroff`.
        #[arg(long, value_name = "PROGRAM", default_value = "systemctl")]
        power: std::ffi::OsString,
    },
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
pub fn main() -> ExitCode {
    match Args::parse().command {
        Command::Run { config, state, control, shell_user, power } => {
            let ring = Ring::new();
            logging::begin(&ring);
            harden();
            let users = shell_user.iter().filter_map(|user| user_number(user));
            let own = rustix::process::geteuid().as_raw();
            run(Parts {
                files: Files { config, state: Some(state) },
                control,
                // Who may connect is decided by the kernel's word for who connects, not by the file's mode.
                control_mode: 0o666,
                admitted: Admitted { trusted: vec![0, own], shells: users.collect() },
                source: Source::Usb,
                hardware: Hardware::Board,
                power: Power::by(power),
                ring,
                more: None,
                manager: Manager::from_environment(),
            })
        }
        Command::Check { file } => check(&file),
        Command::Reference { page } => {
            // Who closes the pipe early has seen enough.
            let _ = std::io::stdout().lock().write_all(page.text().as_bytes());
            ExitCode::SUCCESS
        }
    }
}

fn run(parts: Parts) -> ExitCode {
    // Keys, display and journal have threads of their own; two are enough for the rest.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        let (sender, signals) = mpsc::channel(4);
        for (kind, means) in [
            (SignalKind::terminate(), Signal::Stop),
            (SignalKind::interrupt(), Signal::Stop),
            (SignalKind::hangup(), Signal::Reload),
        ] {
            let mut heard = match signal(kind) {
                Ok(heard) => heard,
                Err(error) => {
                    tracing::error!("no signals can be taken: {error}");
                    return false;
                }
            };
            let sender = sender.clone();
            tokio::spawn(
                async move { while heard.recv().await.is_some() && sender.send(means).await.is_ok() {} },
            );
        }
        match daemon::run(parts, signals).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("{error}");
                false
            }
        }
    });
    // A key that hangs keeps its thread for seconds; the process need not wait for it.
    runtime.shutdown_background();
    if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A user's number, from /etc/passwd when it is given by name.
fn user_number(user: &str) -> Option<u32> {
    if let Ok(number) = user.parse() {
        return Some(number);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    if found.is_none() {
        tracing::warn!("there is no user {user}: only root can speak to the station");
    }
    found
}

fn check(file: &std::path::Path) -> ExitCode {
    let (_, parsed) = match config::load(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{}: it cannot be read: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    for notice in parsed.config.notices() {
        eprintln!("{}: notice: {notice}", file.display());
    }
    if parsed.problems.is_empty() {
        println!("{} is right", file.display());
        return ExitCode::SUCCESS;
    }
    for problem in &parsed.problems {
        eprintln!("{}", problem.line(&file.display().to_string()));
    }
    ExitCode::from(1)
}
