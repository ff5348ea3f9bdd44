//! A list as bytes: its encoding, its fields, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = table::decode(bytes, None) {
        let _ = station::papers::people::read(&text, Some("office"));
    }
});
