//! The descriptors that a device shows of itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(usb::functions(data).len() <= 32);
});
