//! The name that a station has before it is given one: `enroll-` and its board's serial number.

use std::fs;

/// What a machine without a serial number is called, such as an emulated one.
const WITHOUT_SERIAL: &str = "enroll-station";

/// The name of the machine this runs on.
pub fn of_this_machine() -> String {
    fs::read("/proc/device-tree/serial-number")
        .map_or_else(|_| WITHOUT_SERIAL.to_owned(), |serial| of(&serial))
}

/// The name for a serial number as the device tree has it: text that a NUL ends. A Pi's has sixteen
/// hexadecimal digits, of which the first eight are zeros on most boards.
pub fn of(serial: &[u8]) -> String {
    let digits: String = serial
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let short = digits.trim_start_matches('0');
    // A label of a host name has at most 63 characters.
    let short: String = short.chars().take(32).collect();
    if short.is_empty() { WITHOUT_SERIAL.to_owned() } else { format!("enroll-{short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_named_after_its_board() {
        assert_eq!(of(b"00000000a1B2c3d4\0"), "enroll-a1b2c3d4");
        assert_eq!(of(b"10000000a1b2c3d4\0"), "enroll-10000000a1b2c3d4");
    }

    #[test]
    fn a_board_without_serial_has_a_name_too() {
        assert_eq!(of(b""), "enroll-station");
        assert_eq!(of(b"0000000000000000\0"), "enroll-station");
        assert_eq!(of(b"../\n\xff"), "enroll-station");
        assert_eq!(of(&[b'a'; 500]).len(), 39);
    }
}
