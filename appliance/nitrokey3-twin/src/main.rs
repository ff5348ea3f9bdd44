//! `nitrokey3-twin`: a Nitrokey 3 in software, behind the line protocol.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use nitrokey3_twin::{Faults, Model, Nitrokey3Twin};
use tokio::signal::unix::{SignalKind, signal};
use twins::line::{Listener, Pace, Server};

/// A Nitrokey 3 in software, for tests and for trying the station out.
///
/// It is Nitrokey's own application code, spoken to in lines of text: `OUT <hex>` and
/// `IN` carry CTAPHID packets, `TOUCH 1` touches it, `POWER` replugs it, `ADVANCE <ms>`
/// lets its time pass. Without --listen it reads requests from standard input and
/// ends when that does; with --listen it serves any number of clients on a Unix socket
/// until it gets SIGTERM or SIGINT, and takes the socket away when it ends.
#[derive(Parser)]
#[command(name = "nitrokey3-twin", version, after_long_help = AFTER)]
struct Cli {
    /// Serial, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = serial, default_value = "11223344")]
    serial: u32,

    /// The firmware that it says it has; "none" does not say. The applications are
    /// the same whatever it says
    #[arg(long, value_name = "X.Y.Z", value_parser = firmware, default_value = "1.9.0")]
    firmware: Firmware,

    /// Where all that is random about the key comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Something that goes wrong, see FAULTS in --help; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,

    /// Serve a Unix socket instead of standard input and output
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    /// How the key's time passes
    #[arg(long, value_enum, default_value_t = Clock::Real)]
    clock: Clock,
}

const AFTER: &str = "\
FAULTS
  pull-out-after-reports=N    gone once it has taken N packets; N=0 takes none
  pull-out-after-transfers=N  the same, counting packets that it sends too
  dead-after=MS               after MS every transfer fails, until POWER
  nack=N                      the next N transfers fail
  ignore-touches=N            the next N touches do nothing

EXIT STATUS
  0  ended by end of input, SIGTERM or SIGINT
  1  the twin could not be made or served; standard error says why
  2  wrong arguments";

#[derive(Clone, Copy)]
struct Firmware(Option<[u8; 3]>);

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// With the computer's clock, and by ADVANCE
    Real,
    /// By ADVANCE alone, so that a test repeats exactly
    Manual,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nitrokey3-twin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let mut faults = Faults::default();
    for fault in &cli.fault {
        faults.set(fault)?;
    }
    let Firmware(firmware) = cli.firmware;
    let mut twin = Nitrokey3Twin::new(Model { serial: cli.serial, firmware, seed: cli.seed })?;
    twin.set_faults(faults);
    let pace = match cli.clock {
        Clock::Real => Pace::Real,
        Clock::Manual => Pace::Manual,
    };
    serve(Server::new(twin, pace), cli.listen.as_deref())
}

fn serve(server: Server<Nitrokey3Twin>, listen: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = listen.map(Listener::bind).transpose()?;
        let served = async {
            match &listener {
                Some(listener) => server.serve(listener).await,
                None => server.talk(tokio::io::stdin(), tokio::io::stdout()).await,
            }
        };
        tokio::select! {
            result = served => result,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    });
    // A read of standard input cannot be called off; do not wait for it.
    runtime.shutdown_background();
    Ok(result?)
}

fn serial(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 16).map_err(|_| "a serial is up to eight hexadecimal digits".to_owned())
}

fn firmware(text: &str) -> Result<Firmware, String> {
    if text == "none" {
        return Ok(Firmware(None));
    }
    let numbers: Vec<u8> = text.split('.').filter_map(|number| number.parse().ok()).collect();
    match <[u8; 3]>::try_from(numbers) {
        Ok(numbers) if text.split('.').count() == 3 => Ok(Firmware(Some(numbers))),
        _ => Err("a firmware is three numbers with dots between them, or \"none\"".to_owned()),
    }
}
