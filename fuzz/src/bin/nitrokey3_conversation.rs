//! A whole operation with a Nitrokey 3 that answers anything. The first byte chooses
//! the operation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::operate((0x20a0, 0x42b2), data));
