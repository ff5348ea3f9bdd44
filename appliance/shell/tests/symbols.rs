//! The door holds no software key, no simulation, and nothing of the daemon.
#![cfg(test)]

/// Whether a program has a symbol of a crate, mangled as of old (`_ZN5russh…`) or as now (`…_5russh…`).
fn has(program: &[u8], name: &str) -> bool {
    let mangled = format!("{}{name}", name.len());
    let wanted = [format!("N{mangled}"), format!("_{mangled}")];
    wanted.iter().any(|wanted| program.windows(wanted.len()).any(|part| part == wanted.as_bytes()))
}

#[test]
fn the_door_has_no_symbol_of_a_twin_or_of_the_daemon() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_enroll-shell")).unwrap();
    for own in ["russh", "shell", "control"] {
        assert!(has(&program, own), "{own} is not found, so nothing else would be");
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
        assert!(!has(&program, stranger), "enroll-shell holds {stranger}");
    }
}
