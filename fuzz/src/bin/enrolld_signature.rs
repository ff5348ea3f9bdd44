//! What is sent as an SSH signature of a change.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    enrolld::service::examine_signature(text);
});
