//! A parameter file of the old enrollment client.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = station::papers::import::read("fuzz", text);
});
