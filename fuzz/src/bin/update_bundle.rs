//! A bundle that somebody offers: its front, its head with a right signature, and the compressed slot.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::bundle(bytes);
});
