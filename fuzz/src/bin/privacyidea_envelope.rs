//! The body of a server's answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = privacyidea::envelope::parse(body);
});
