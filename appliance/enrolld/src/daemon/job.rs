//! What the daemon says of itself to whoever decides whether a slot on trial does its job (`card trial`): a file beside its control socket.

use std::path::{Path, PathBuf};

fn file(control: &Path) -> PathBuf {
    control.with_file_name("job")
}

/// Says that it is ready, and why USB is not watched, if it is not.
pub(super) fn tell(control: &Path, usb: Option<&str>) {
    let usb: String = usb.unwrap_or("good").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Err(error) = std::fs::write(file(control), format!("ready yes\nusb {usb}\n")) {
        tracing::warn!("nobody hears that the daemon is ready: {error}");
    }
}

/// Takes back what a daemon before this one has said.
pub(super) fn take_back(control: &Path) {
    let _ = std::fs::remove_file(file(control));
}
