//! The station's SSH door.

use std::process::ExitCode;

fn main() -> ExitCode {
    shell::program::main()
}
