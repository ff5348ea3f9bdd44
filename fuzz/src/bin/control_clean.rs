//! Foreign text on its way to a terminal, and into JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    control::clean::examine(text);
});
