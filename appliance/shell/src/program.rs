//! The program `enroll-shell`: arguments, log, signals, and word to the service manager.

use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::ssh::{self, Settings};

/// The enrollment station's SSH server.
///
/// Operators log in here with their SSH keys, and say what the station is to do. It owns no device
/// and no credential: all that it can do is to make calls to the daemon, which decides who may make
/// which. Who may log in, and where it listens, it learns from the daemon too.
#[derive(Debug, Parser)]
#[command(name = "enroll-shell", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the SSH server, until SIGTERM.
    ///
    /// Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot be opened.
    Run {
        /// The daemon's socket.
        #[arg(long, value_name = "SOCKET", default_value = "/run/enrolld/control.sock")]
        control: PathBuf,
        /// Where the SSH host key is kept; it is made at the first start.
        #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/enroll-shell")]
        state: PathBuf,
        /// Where to listen, such as `[::]:22`; may be given again. Without it, the daemon says.
        #[arg(long, value_name = "ADDRESS")]
        listen: Vec<String>,
    },
    /// Print what is written about this program, made from its code.
    Reference {
        /// What.
        #[arg(value_parser = ["commands", "enroll-shell.8"], default_value = "commands")]
        page: String,
    },
}

/// The program.
pub fn main() -> ExitCode {
    match Args::parse().command {
        Command::Run { control, state, listen } => run(Settings { control, state, listen }),
        Command::Reference { page } => {
            let text = if page == "commands" { crate::command::reference::reference() } else { manual() };
            match std::io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// How long sessions go on after SIGTERM.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn run(settings: Settings) -> ExitCode {
    let level =
        EnvFilter::try_from_env("ENROLL_SHELL_LOG").unwrap_or_else(|_| EnvFilter::new("info,russh=warn"));
    // The service manager notes the time.
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).without_time().init();
    // Connections wait much and compute little; two threads keep one slow handshake from the others.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("no signals can be taken");
            return ExitCode::FAILURE;
        };
        notify("READY=1\nSTATUS=waiting for the daemon");
        let door = ssh::run(settings, |addresses| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            tracing::info!("the SSH server is open at {}", addresses.join(", "));
            notify(&format!("STATUS=open at {}", addresses.join(", ")));
        });
        tokio::select! {
            ended = door => match ended {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!("{error}");
                    ExitCode::FAILURE
                }
            },
            _ = terminate.recv() => {
                // Sessions go on for a moment: one that has switched the station off tells its client that it did.
                tokio::time::sleep(LAST_WORDS).await;
                ExitCode::SUCCESS
            }
            _ = interrupt.recv() => ExitCode::SUCCESS,
        }
    })
}

/// Tells the service manager (sd_notify(3)), when there is one. Nothing depends on it.
fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

fn manual() -> String {
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(Args::command()).section("8").date("");
    // Writing into memory does not fail.
    let _ = manual.render(&mut page);
    for command in Args::command().get_subcommands() {
        let manual = clap_mangen::Man::new(command.clone());
        let _ = writeln!(page, ".SH {}", command.get_name().to_uppercase());
        let _ = manual.render_description_section(&mut page);
        let _ = manual.render_options_section(&mut page);
    }
    page.extend_from_slice(FILES.as_bytes());
    String::from_utf8_lossy(&page).into_owned()
}

const FILES: &str = r".SH FILES
.TP
\fIssh_host_ed25519_key\fR (in the state directory)
The SSH host key, readable by the program's user only. Without it a new one is made, and operators' clients warn that it changed. Its fingerprint is in the log, in the greeting, and on the station's display.
.SH ENVIRONMENT
.TP
\fBENROLL_SHELL_LOG\fR
What is logged, such as \fBdebug\fR; \fBinfo\fR without it.
.SH SEE ALSO
\fBenrolld\fR(8), \fBenrollment.toml\fR(5), \fBssh\fR(1)
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_sound() {
        Args::command().debug_assert();
        assert!(manual().contains("control"));
    }
}
