//! The 64 bytes that program a slot: what is read is written back as it was.
#![no_main]

use keys::yubikey::slot_write::SlotWrite;

libfuzzer_sys::fuzz_target!(|payload: [u8; 64]| {
    if let Ok(write) = SlotWrite::parse(&payload) {
        assert!(SlotWrite::parse(write.payload().bytes()).is_ok());
    }
});
