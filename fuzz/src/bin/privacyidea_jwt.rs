//! A token that a server gave.
#![no_main]

libfuzzer_sys::fuzz_target!(|token: &[u8]| {
    let _ = privacyidea::jwt::claims(token);
});
