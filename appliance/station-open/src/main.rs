//! `station-open`: the program. All of it is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match station_open::run(&station_open::Arguments::parse()) {
        Ok(said) => {
            eprintln!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("station-open: {problem}");
            ExitCode::FAILURE
        }
    }
}
