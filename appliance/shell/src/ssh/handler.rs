//! One connection: whose key it is, and which channels become sessions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{Notify, mpsc};

use super::alive::Client;
use super::gate::Progress;
use super::pool::Taken;
use super::stream::Scissors;
use super::{Door, Place};
use crate::command::exit::Exit;
use crate::editor::Terminal;
use crate::session::console::Piece;
use crate::session::inbox::Inbox;
use crate::session::{self, Start};

/// Channels that one connection may have open: some programs run commands side by side.
const CHANNELS: usize = 4;

/// Pieces that wait to be sent. With [`console`](crate::session::desk)'s size of a piece, that is the
/// memory that a client that does not read can hold.
const WAITING: usize = 4;

/// The longest command line that is looked at.
const LONGEST: usize = crate::words::LONGEST;

/// What the connection's task and its handler share.
#[derive(Default)]
pub(super) struct Login {
    pub(super) done: Notify,
    pub(super) is_done: AtomicBool,
    /// Sessions of this connection that are open.
    pub(super) open: AtomicU32,
    pub(super) changed: Notify,
}

pub(super) struct Connection {
    pub(super) door: Arc<Door>,
    pub(super) place: Arc<Place>,
    pub(super) login: Arc<Login>,
    pub(super) peer: SocketAddr,
    pub(super) scissors: Arc<Scissors>,
    /// The fingerprint of the key that logged in.
    pub(super) visitor: Option<String>,
    pub(super) channels: HashMap<ChannelId, Opened>,
}

/// A channel that is open.
pub(super) struct Opened {
    write: Option<ChannelWriteHalf<Msg>>,
    inbox: Arc<Inbox>,
    terminal: Option<Terminal>,
    /// The session has said its last word. What the client answers to that is seen by nobody, so
    /// this is how the place becomes free.
    over: Arc<AtomicBool>,
    /// Its place among all sessions, until the session itself has it.
    seat: Option<Seat>,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

impl Connection {
    async fn find(&self, key: &PublicKey) -> Option<String> {
        self.door.authorizer.find(key, self.peer.ip()).await
    }

    /// Begins the session of a channel; whether it could.
    fn begin(&mut self, channel: ChannelId, command: Option<String>) -> bool {
        let (Some(opened), Some(fingerprint)) = (self.channels.get_mut(&channel), &self.visitor) else {
            return false;
        };
        let (Some(write), Some(seat)) = (opened.write.take(), opened.seat.take()) else { return false };
        let (out, pieces) = mpsc::channel(WAITING);
        let start = Start {
            fingerprint: fingerprint.clone(),
            address: self.peer.to_string(),
            session: self.door.session_name(),
            terminal: opened.terminal,
            command,
        };
        let (shared, inbox) = (Arc::clone(&self.door.shared), Arc::clone(&opened.inbox));
        let login = Arc::clone(&self.login);
        let running = Running::new(seat, login);
        let (terminal, over) = (opened.terminal.is_some(), Arc::clone(&opened.over));
        tokio::spawn(async move {
            let running = running;
            let writer = tokio::spawn(write_out(write, pieces, Arc::clone(&inbox), over));
            supervise(session::run(shared, start, inbox, out.clone()), &out, terminal).await;
            drop(out);
            let _ = writer.await;
            drop(running);
        });
        true
    }
}

/// Runs a session in a task of its own: what goes wrong in it ends it alone, and is told.
async fn supervise(
    session: impl Future<Output = ()> + Send + 'static,
    out: &mpsc::Sender<Piece>,
    terminal: bool,
) {
    if let Err(error) = tokio::spawn(session).await {
        tracing::error!("a session failed: {error}");
        let end = if terminal { "\r\n" } else { "\n" };
        let text =
            format!("A fault in the shell ended this session; it is in the log. The station goes on.{end}");
        let _ = out.send(Piece::Err(text.into_bytes())).await;
        let _ = out.send(Piece::Exit(Exit::Fault.status())).await;
    }
}

/// A place among all sessions.
struct Seat {
    door: Arc<Door>,
    place: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.door.places(|places| places.leave(self.place));
    }
}

/// Counts a session as long as it lives.
struct Running {
    _seat: Seat,
    login: Arc<Login>,
}

impl Running {
    fn new(seat: Seat, login: Arc<Login>) -> Self {
        login.open.fetch_add(1, Ordering::Relaxed);
        login.changed.notify_one();
        Self { _seat: seat, login }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.login.open.fetch_sub(1, Ordering::Relaxed);
        self.login.changed.notify_one();
    }
}

/// Sends what a session says, as fast as the client takes it.
async fn write_out(
    write: ChannelWriteHalf<Msg>,
    mut pieces: mpsc::Receiver<Piece>,
    inbox: Arc<Inbox>,
    over: Arc<AtomicBool>,
) {
    let sending = async {
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Out(bytes) => write.data_bytes(bytes).await?,
                Piece::Err(bytes) => write.extended_data_bytes(1, bytes).await?,
                Piece::Exit(status) => {
                    write.exit_status(u32::from(status)).await?;
                    write.eof().await?;
                    break;
                }
            }
        }
        over.store(true, Ordering::Release);
        write.close().await
    };
    let sent: Result<(), russh::Error> = tokio::select! {
        sent = sending => sent,
        () = inbox.closed() => Ok(()),
    };
    if sent.is_err() {
        inbox.close();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for opened in self.channels.values() {
            opened.inbox.close();
        }
    }
}

impl Handler for Connection {
    type Error = ConnectionError;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        self.place.progress(Progress::Exchanged);
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        self.place.progress(Progress::Exchanged);
        Ok(if self.find(offer.public_key).await.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        // Whatever an earlier attempt of this connection came to, this one decides.
        self.visitor = self.find(key.public_key).await;
        Ok(if self.visitor.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        self.place.enter();
        self.login.is_done.store(true, Ordering::Release);
        self.login.done.notify_one();
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.retain(|_, opened| !opened.over.load(Ordering::Acquire));
        let client = Client::new(session.handle(), Arc::clone(&self.scissors));
        let inbox = Arc::new(Inbox::of(client));
        let key = self.visitor.as_deref().filter(|_| self.channels.len() < CHANNELS);
        let taken = key.and_then(|key| self.door.places(|places| places.take(key, Arc::clone(&inbox))));
        let Some(Taken { place, gives_way }) = taken else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        if let Some(other) = gives_way {
            other.close();
        }
        let seat = Some(Seat { door: Arc::clone(&self.door), place });
        let id = channel.id();
        // What comes in is taken by `data`; a half that nobody reads would fill up and block.
        let (_, write) = channel.split();
        let opened = Opened { write: Some(write), inbox, terminal: None, over: Arc::default(), seat };
        self.channels.insert(id, opened);
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(opened) = self.channels.get_mut(&channel).filter(|opened| opened.write.is_some()) else {
            session.channel_failure(channel)?;
            return Ok(());
        };
        let side = |number: u32| usize::try_from(number).unwrap_or(0);
        let dumb = matches!(term, "" | "dumb" | "unknown");
        opened.terminal = Some(Terminal { columns: side(columns), rows: side(rows), dumb });
        session.channel_success(channel)?;
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        answer(session, channel, self.begin(channel, None))
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        // One byte more, so that the parser says that it is too long.
        let line =
            String::from_utf8_lossy(data.get(..data.len().min(LONGEST + 1)).unwrap_or_default()).into_owned();
        answer(session, channel, self.begin(channel, Some(line)))
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        answer(session, channel, false)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(opened) = self.channels.get(&channel) {
            let side = |number: u32| usize::try_from(number).unwrap_or(0);
            opened.inbox.size(side(columns), side(rows));
        }
        Ok(())
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let (Some(opened), Sig::INT | Sig::TERM) = (self.channels.get(&channel), signal) {
            opened.inbox.interrupt();
        }
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(opened) = self.channels.get(&channel) {
            opened.inbox.data(data);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        if let Some(opened) = self.channels.get(&channel) {
            opened.inbox.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        if let Some(opened) = self.channels.remove(&channel) {
            opened.inbox.close();
        }
        Ok(())
    }
}

fn answer(session: &mut Session, channel: ChannelId, begun: bool) -> Result<(), ConnectionError> {
    if begun {
        session.channel_success(channel)?
    } else {
        session.channel_failure(channel)?
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_that_fails_says_so_and_ends_alone() {
        let (out, mut pieces) = mpsc::channel(4);
        supervise(async { panic!("a fault") }, &out, true).await;
        let Some(Piece::Err(text)) = pieces.recv().await else { panic!("nothing was said") };
        assert!(String::from_utf8(text).unwrap().contains("fault in the shell"));
        assert!(matches!(pieces.recv().await, Some(Piece::Exit(70))));
        supervise(async {}, &out, true).await;
        assert!(pieces.try_recv().is_err());
    }
}
