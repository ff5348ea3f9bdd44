//! What a host writes into a key's interface configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let _ = keys::yubikey::device_config::DeviceConfig::parse(payload);
});
