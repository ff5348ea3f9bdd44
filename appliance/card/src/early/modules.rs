//! The kernel modules without which the card cannot be read.

use std::fs::{self, File};

use rustix::io::Errno;
use rustix::system::finit_module;

use super::say;

/// `MODULE_INIT_COMPRESSED_FILE`, linux/module.h: the kernel unpacks the file itself.
const COMPRESSED: core::ffi::c_int = 4;

/// Loads them in the order of the list. One that cannot be loaded is said and passed over: another
/// board may not need it, and without one that is needed no card appears.
pub(super) fn load_all() {
    let Ok(list) = fs::read_to_string("/modules.list") else { return };
    for path in list.lines().filter(|line| !line.is_empty()) {
        let flags = if path.ends_with(".ko") { 0 } else { COMPRESSED };
        let loaded = File::open(path)
            .map_err(|error| error.to_string())
            .and_then(|file| finit_module(&file, c"", flags).or_else(there));
        if let Err(error) = loaded {
            say(5, &format!("{path} is not loaded: {error}"));
        }
    }
}

fn there(error: Errno) -> Result<(), String> {
    if error == Errno::EXIST { Ok(()) } else { Err(error.to_string()) }
}
