//! The SSH server holds no software key, no simulation, and nothing of the daemon.
#![cfg(test)]

use std::collections::BTreeSet;

/// The crates that a program has symbols of, mangled as of old (`_ZN5russh…`) or as now (`…_5russh…`).
fn crates(program: &str) -> BTreeSet<String> {
    let program = std::fs::read(program).unwrap();
    let mut found = BTreeSet::new();
    for (place, pair) in program.windows(2).enumerate() {
        if !matches!(pair[0], b'N' | b'_') || !pair[1].is_ascii_digit() {
            continue;
        }
        let rest = &program[place + 1..];
        let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        let length: usize = std::str::from_utf8(&rest[..digits]).unwrap().parse().unwrap();
        let name = rest.get(digits..digits + length).unwrap_or_default();
        if !name.is_empty() && name.iter().all(|byte| byte.is_ascii_lowercase()) {
            found.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
    found
}

#[test]
fn the_door_has_no_symbol_of_a_twin_or_of_the_daemon() {
    let found = crates(env!("CARGO_BIN_EXE_enroll-shell"));
    for own in ["russh", "shell", "control"] {
        assert!(found.contains(own), "{own} is not found, so nothing else would be");
    }
    for stranger in [
        "twins",
        "sim",
        "enrolld",
        "station",
        "journal",
        "privacyidea",
        "usb",
        "panel",
        "rusqlite",
        "reqwest",
        "hidapi",
    ] {
        assert!(!found.contains(stranger), "enroll-shell holds {stranger}");
    }
}
