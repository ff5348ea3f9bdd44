//! The program `station-sim`; see the library for what it does.

use std::process::ExitCode;

use clap::Parser;
use sim::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        Command::Enroll(enroll) => sim::enroll::run(&enroll),
        Command::Phone(phone) => sim::phone::run(&phone),
        Command::Station(station) => sim::whole::run(&station),
        Command::Run(run) => sim::run::run(&run),
        Command::Explore(explore) => sim::explore::command::run(&explore),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("station-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
