//! The station's daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    enrolld::cli::main()
}
