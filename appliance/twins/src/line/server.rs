//! Serving a twin to others: on a Unix socket, or on standard input and output.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::key::{KeyTwin, TwinError};

use super::{LineError, Lines, Reply, Request};

/// More clients than this at once are turned away: a key is one person's.
const CLIENTS: usize = 16;

/// How the key's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// With the clock, and by `ADVANCE` on top of it.
    Real,
    /// By `ADVANCE` alone.
    Manual,
}

/// A twin and whoever talks to it.
pub struct Server<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    /// The twin, and when it was last told the time.
    twin: Mutex<(T, Instant)>,
    pace: Pace,
}

impl<T> Clone for Server<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: KeyTwin + 'static> Server<T> {
    /// Serves `twin`; its time begins now.
    pub fn new(twin: T, pace: Pace) -> Self {
        Self { shared: Arc::new(Shared { twin: Mutex::new((twin, Instant::now())), pace }) }
    }

    /// The reply to one line.
    pub fn answer(&self, line: &str) -> Zeroizing<String> {
        match Request::parse(line) {
            Ok(request) => self.with(|twin| request.apply(twin)).line(),
            Err(error) => Reply::Failed(TwinError::Line(error.to_string())).line(),
        }
    }

    /// Does something with the twin itself, after letting its time pass.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        // A panic in another connection leaves a twin that is as good as before: it
        // has no state that is wrong between two assignments.
        let mut held = self.shared.twin.lock().unwrap_or_else(PoisonError::into_inner);
        let (twin, last) = &mut *held;
        if self.shared.pace == Pace::Real {
            let now = Instant::now();
            // An error of this kind belongs to the request that follows, which meets
            // the same one.
            let _ = twin.advance(now.saturating_duration_since(*last));
            *last = now;
        }
        act(twin)
    }

    /// Talks to one client until it hangs up. A line that is too long ends the
    /// conversation: where the next one would begin is not known.
    pub async fn talk(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut lines = Lines::new();
        let mut chunk = Zeroizing::new([0; 1024]);
        loop {
            loop {
                let line = match lines.next() {
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(error) => return refuse(&mut writer, error).await,
                };
                let mut reply = self.answer(&line);
                let late = self.with(|twin| twin.lateness());
                if self.shared.pace == Pace::Real && !late.is_zero() {
                    tokio::time::sleep(late).await;
                }
                reply.push('\n');
                writer.write_all(reply.as_bytes()).await?;
            }
            writer.flush().await?;
            let room = lines.room().min(chunk.len());
            let Some(room) = chunk.get_mut(..room) else { return Ok(()) };
            let length = reader.read(room).await?;
            if length == 0 {
                return Ok(());
            }
            lines.add(room.get(..length).unwrap_or_default());
        }
    }

    /// Serves clients of a listening socket; never ends by itself.
    pub async fn serve(self, listener: &Listener) -> io::Result<()> {
        let places = Arc::new(Semaphore::new(CLIENTS));
        loop {
            let (stream, _) = listener.socket.accept().await?;
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let server = self.clone();
            tokio::spawn(async move {
                let (reader, writer) = stream.into_split();
                // A client that breaks off is none of the others' business.
                let _ = server.talk(reader, writer).await;
                drop(place);
            });
        }
    }
}

async fn refuse(writer: &mut (impl AsyncWrite + Unpin), error: LineError) -> io::Result<()> {
    let reply = Reply::Failed(TwinError::Line(error.to_string())).line();
    writer.write_all(reply.as_bytes()).await?;
    writer.write_all(b"\n").await?;
    writer.flush().await
}

/// A listening socket that takes its file away when it goes.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, which only this user may use. A socket that nobody
    /// listens on any more is replaced; anything else there is an error.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
            && std::os::unix::net::UnixStream::connect(path).is_err()
        {
            std::fs::remove_file(path)?;
        }
        let socket = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// The next client.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.socket.accept().await?.0)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may be gone already; nothing else can be done about it here.
        let _ = std::fs::remove_file(&self.path);
    }
}
