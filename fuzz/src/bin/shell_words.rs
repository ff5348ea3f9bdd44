//! A command line as it comes through SSH.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| {
    let _ = shell::words::split(line);
    let seen = shell::words::partial(line);
    // Quotes may make a long word too long.
    if line.len() > shell::words::LONGEST / 2 - 8 {
        return;
    }
    assert_eq!(shell::words::split(&shell::words::quote(&seen.last)).ok(), Some(vec![seen.last]));
});
