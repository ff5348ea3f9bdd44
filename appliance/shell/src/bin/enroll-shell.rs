//! The station's SSH server.

use std::process::ExitCode;

fn main() -> ExitCode {
    shell::program::main()
}
