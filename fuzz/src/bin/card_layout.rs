//! Sectors of a card: partition table, file system, hash tree, boot record.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    card::examine::card(bytes);
});
