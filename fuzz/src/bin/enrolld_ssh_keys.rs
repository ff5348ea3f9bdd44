//! Public SSH keys, as files of clients have them.
#![no_main]

use enrolld::config::SshKey;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(keys) = SshKey::read_all(text) {
        assert!(!keys.is_empty(), "without a key it is refused");
        for key in keys {
            assert!(!key.line.contains(['\n', '\r']), "a key is one line");
            assert_eq!(SshKey::parse(&key.line).map(|again| again.fingerprint), Ok(key.fingerprint));
        }
    }
});
