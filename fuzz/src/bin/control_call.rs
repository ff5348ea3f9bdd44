//! A call on the control socket, and an answer to one.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    control::examine(message);
});
