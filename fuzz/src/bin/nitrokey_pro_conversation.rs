//! A whole operation with a Nitrokey Pro that answers anything. The first byte chooses
//! the operation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::operate((0x20a0, 0x4108), data));
