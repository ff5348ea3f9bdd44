//! An otpauth:// address.
#![no_main]

libfuzzer_sys::fuzz_target!(|uri: &str| {
    let _ = privacyidea::OtpUri::parse(uri);
});
