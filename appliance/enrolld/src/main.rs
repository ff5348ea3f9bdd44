//! The station's daemon.

use std::process::ExitCode;

use enrolld::sys::Wiping;

#[global_allocator]
static MEMORY: Wiping = Wiping;

fn main() -> ExitCode {
    enrolld::cli::main()
}
