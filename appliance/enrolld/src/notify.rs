//! Word to the service manager (sd_notify(3)), when there is one. Nothing depends on it.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager of this process; by default, none.
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
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let microseconds = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        Self::at(&socket, microseconds)
    }

    /// The one at that socket, a path or `@` and an abstract name, which wants to hear at least
    /// so often, in microseconds.
    #[must_use]
    pub fn at(socket: &OsStr, watchdog: Option<u64>) -> Self {
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(socket),
        };
        // Twice as often as it has to be.
        let watchdog = watchdog.map(|time| Duration::from_micros(time / 2)).filter(|time| !time.is_zero());
        match address.and_then(|address| Ok((UnixDatagram::unbound()?, address))) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_what_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::at(path.as_os_str(), Some(30_000_000));
        assert_eq!(manager.watchdog, Some(Duration::from_secs(15)));
        manager.tell("READY=1");
        let mut bytes = [0; 64];
        let count = heard.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"READY=1");
        // Whoever is not there stops nothing.
        drop((heard, directory));
        manager.tell("STOPPING=1");
        Manager::default().tell("READY=1");
    }
}
