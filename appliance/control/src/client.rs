//! The side of the shells: one method a call.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use crate::types::{LogIn, Session};
use crate::wire::{self, Fault, Receiver, Reply, WireError};
use crate::{Method, Refusal};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The station says no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The call was wrong, or the daemon is of another version.
    #[error("the daemon does not take this call: {0}")]
    Misfit(Fault),
    /// The daemon cannot be reached; nothing happened.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The connection broke; what was asked for may have happened.
    #[error("the connection to the daemon broke: {0}")]
    Lost(WireError),
}

impl CallError {
    /// The refusal, when it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    fn of(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refusal) => Self::Refused(refusal),
            fault => Self::Misfit(fault),
        }
    }
}

/// The daemon, as a shell sees it. Copies share what they are.
///
/// Calls may be made at the same time. One connection is kept for the next call; each
/// stream has one of its own, which is closed when the stream is dropped.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    caller: Option<LogIn>,
    idle: Mutex<Option<Connection>>,
}

struct Connection {
    stream: UnixStream,
    receiver: Receiver,
}

impl Client {
    /// A client that makes calls as the user whom it runs as, without an operator.
    pub fn local(socket: &Path) -> Self {
        Self::with(socket, None)
    }

    /// Logs an operator in.
    pub async fn connect(socket: &Path, caller: LogIn) -> Result<(Self, Session), CallError> {
        let client = Self::with(socket, Some(caller));
        let (connection, session) = client.open().await?;
        client.keep(connection);
        match session {
            Some(session) => Ok((client, session)),
            None => Err(CallError::Lost(WireError::Torn)),
        }
    }

    fn with(socket: &Path, caller: Option<LogIn>) -> Self {
        let shared = Shared { socket: socket.to_owned(), caller, idle: Mutex::new(None) };
        Self { shared: Arc::new(shared) }
    }

    async fn open(&self) -> Result<(Connection, Option<Session>), CallError> {
        let stream = UnixStream::connect(&self.shared.socket).await.map_err(CallError::Unreachable)?;
        let mut connection = Connection { stream, receiver: Receiver::default() };
        let Some(caller) = &self.shared.caller else { return Ok((connection, None)) };
        let name = format!("{}.{}", Method::INTERFACE, Method::LogIn.name());
        connection.send(&name, caller, false).await?;
        let session: Reply<Session> = connection.receive().await?;
        Ok((connection, Some(session.parameters)))
    }

    /// Sends a call on the idle connection, or on a new one when the daemon has closed that
    /// meanwhile: a write to a closed Unix socket fails at once, and nothing of it arrives.
    async fn begin<P: Serialize>(
        &self,
        method: &str,
        request: &P,
        more: bool,
    ) -> Result<Connection, CallError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = idle {
            match connection.send(method, request, more).await {
                Err(CallError::Lost(WireError::Io(error))) if error.kind() == io::ErrorKind::BrokenPipe => {}
                sent => return sent.map(|()| connection),
            }
        }
        let mut connection = self.open().await?.0;
        connection.send(method, request, more).await?;
        Ok(connection)
    }

    fn keep(&self, connection: Connection) {
        *self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    pub(crate) async fn call<P, R>(&self, method: &str, request: &P) -> Result<R, CallError>
    where
        P: Serialize,
        R: for<'a> Deserialize<'a>,
    {
        let mut connection = self.begin(method, request, false).await?;
        let reply = connection.receive::<R>().await;
        // After an answer, whichever, the connection is ready for the next call.
        if matches!(reply, Ok(_) | Err(CallError::Refused(_) | CallError::Misfit(_))) {
            self.keep(connection);
        }
        Ok(reply?.parameters)
    }

    pub(crate) async fn stream<P, R>(&self, method: &str, request: &P) -> Result<Incoming<R>, CallError>
    where
        P: Serialize,
        R: for<'a> Deserialize<'a>,
    {
        let mut connection = self.begin(method, request, true).await?;
        // A refusal at once is the call's answer, not the stream's.
        let first = connection.receive::<R>().await?;
        Ok(Incoming { connection: first.continues.then_some(connection), first: Some(first.parameters) })
    }
}

impl Connection {
    async fn send<P: Serialize>(&mut self, method: &str, request: &P, more: bool) -> Result<(), CallError> {
        let message = wire::call(method, request, more).map_err(CallError::Lost)?;
        wire::send(&mut self.stream, &message).await.map_err(CallError::Lost)
    }

    async fn receive<R: for<'a> Deserialize<'a>>(&mut self) -> Result<Reply<R>, CallError> {
        let message = self.receiver.next(&mut self.stream).await.map_err(CallError::Lost)?;
        let message = message.ok_or(CallError::Lost(WireError::Torn))?;
        wire::read_reply(&message).map_err(CallError::Lost)?.map_err(CallError::of)
    }
}

/// Answers as they come in.
pub struct Incoming<T> {
    connection: Option<Connection>,
    first: Option<T>,
}

impl<T: for<'a> Deserialize<'a>> Incoming<T> {
    /// The next answer; `None` after the last. Waiting may be given up and begun again.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let connection = self.connection.as_mut()?;
        let reply = connection.receive::<T>().await;
        if !matches!(&reply, Ok(reply) if reply.continues) {
            self.connection = None;
        }
        Some(reply.map(|reply| reply.parameters))
    }

    /// All that come, up to the last.
    pub async fn all(mut self) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        while let Some(next) = self.next().await {
            all.push(next?);
        }
        Ok(all)
    }
}
