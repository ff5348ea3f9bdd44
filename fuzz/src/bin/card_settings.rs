//! The settings on the card's FAT partition, as the first process reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    card::examine::settings(file);
});
