//! A page of device information.
#![no_main]

libfuzzer_sys::fuzz_target!(|page: &[u8]| {
    let _ = keys::yubikey::device_info::DeviceInfo::default().add_page(page);
});
