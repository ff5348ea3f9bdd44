//! A list of people, as a spreadsheet writes it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = station::papers::people::read(text, Some("office"));
});
