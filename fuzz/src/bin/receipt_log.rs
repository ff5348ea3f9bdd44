//! A receipt log, line by line, from its first to wherever it breaks.
#![no_main]

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let mut chain = station::receipt::Chain::default();
    let log = String::from_utf8_lossy(log);
    let _ = log.lines().try_for_each(|line| chain.push(line, |_| true, |_, _, _| true).map(drop));
});
