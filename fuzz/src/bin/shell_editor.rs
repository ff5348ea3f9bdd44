//! What a terminal sends to the line editor.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some((columns, keys)) = bytes.split_first() {
        shell::editor::fuzz(keys, usize::from(*columns) % 64);
    }
});
