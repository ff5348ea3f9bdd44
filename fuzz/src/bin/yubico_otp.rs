//! A typed one-time password.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = keys::yubikey::yubico_otp::TypedOtp::parse(text);
});
