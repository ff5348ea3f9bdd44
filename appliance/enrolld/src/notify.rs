//! Word to the service manager (sd_notify(3)), when there is one. Nothing depends on it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager of this process.
#[derive(Debug, Default)]
pub struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that all is well, when it wants that.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// What the environment says of it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let address = match path.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&path),
        };
        let to = address.and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        let microseconds = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        // Twice as often as it has to be.
        let watchdog =
            microseconds.map(|time: u64| Duration::from_micros(time / 2)).filter(|time| !time.is_zero());
        match to {
            Ok(to) => Self { to: Some(to), watchdog },
            Err(error) => {
                tracing::warn!("the service manager cannot be told anything: {error}");
                Self::default()
            }
        }
    }

    /// Tells it something, such as `READY=1`.
    pub fn tell(&self, state: &str) {
        let Some((socket, address)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!("the service manager cannot be told '{state}': {error}");
        }
    }
}
