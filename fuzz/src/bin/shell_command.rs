//! A command line: as a command, and as something to be completed.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| {
    let _ = shell::command::parse(line);
    let place = shell::command::complete::place(line);
    let _ = place.offer(Vec::new());
    let _ = shell::command::complete::place(line).explain(Vec::new(), true);
});
