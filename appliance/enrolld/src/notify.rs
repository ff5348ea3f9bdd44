//! Word to the service manager (sd_notify(3)), when there is one. Nothing depends on it.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

/// The service manager of this process; by default, none.
#[derive(Debug, Default)]
pub struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that all is well, when it wants that.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// What the environment says of it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    pub fn from_environment() -> Self {
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let microseconds = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        Self::at(&socket, microseconds)
    }

    /// The one at that socket, a path or `@` and an abstract name, which wants to hear at least
    /// so often, in microseconds.
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

/// The watchdog's beat, which a thread of its own waits for. tokio's sleep of many seconds wakes its thread
/// once or twice before the end, to see how much is left; an idle station has nothing else to wake for.
pub struct Beat {
    due: Arc<Notify>,
    /// Its end is the thread's.
    _stop: Option<Sender<Infallible>>,
}

impl Beat {
    /// At once, and then so often; never without a time.
    ///
    /// # Errors
    ///
    /// When the kernel has no thread left.
    pub fn new(every: Option<Duration>) -> io::Result<Self> {
        let due = Arc::new(Notify::new());
        let Some(every) = every else { return Ok(Self { due, _stop: None }) };
        let (stop, stopped) = mpsc::channel();
        let beat = Arc::clone(&due);
        thread::Builder::new().name("beat".to_owned()).spawn(move || {
            beat.notify_one();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                beat.notify_one();
            }
        })?;
        Ok(Self { due, _stop: Some(stop) })
    }

    /// Waits for the next one; those that were missed meanwhile are one. It can be dropped at any time.
    pub async fn tick(&self) {
        self.due.notified().await;
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

    #[tokio::test]
    async fn a_beat_comes_at_once_and_again_and_without_a_time_never() {
        let beat = Beat::new(Some(Duration::from_millis(2))).unwrap();
        for _ in 0..3 {
            beat.tick().await;
        }
        let never = Beat::new(None).unwrap();
        tokio::select! {
            () = never.tick() => panic!("a beat without a watchdog"),
            () = beat.tick() => {}
        }
    }
}
