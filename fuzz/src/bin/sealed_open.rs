//! A sealed file that somebody made up, opened with a key that it may be for.
#![no_main]

const KEY: &[u8] = include_bytes!("../../../appliance/seal/tests/keys/age.key");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut identities = seal::Identities::default();
    let _ = identities.add(KEY, None);
    let _ = identities.open(bytes);
    let _ = seal::Identities::default().add(bytes, None);
});
