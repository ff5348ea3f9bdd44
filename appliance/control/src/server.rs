//! The side of the daemon: connections, and the calls on each, one after the other.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::interface::Answer;
use crate::wire::{self, Call, Fault, Message, Receiver, WireError};

/// How many connections there may be at a time. A shell has one for its calls and one a stream.
const MOST_CONNECTIONS: usize = 128;

/// How much may wait in the kernel to be read by the other side, in bytes; the kernel doubles it (socket(7)). Without
/// this it is 208 KiB a connection, whoever reads it or not.
const UNREAD: usize = 32 * 1024;

/// How long a message may take that has begun, in either direction. Both ends are on this machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Who is at the other end of a connection, as the kernel says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// The process, when the kernel says it.
    pub process: Option<i32>,
}

/// A description of an interface, as `org.varlink.service.GetInterfaceDescription` gives it.
pub struct Interface {
    /// Its name.
    pub name: &'static str,
    /// It in Varlink's language.
    pub description: String,
}

/// What answers calls.
pub trait Handler: Send + Sync + 'static {
    /// What is remembered of a connection.
    type Peer: Send;

    /// The interfaces there are.
    fn interfaces(&self) -> Vec<Interface>;

    /// Somebody connected.
    fn connected(&self, credentials: Credentials) -> Self::Peer;

    /// Whether a call is for somebody who waits for it, so that it ends when that one has gone.
    fn waits_for_client(&self, _call: &Call<'_>) -> bool {
        false
    }

    /// Somebody makes a call.
    fn handle(
        &self,
        peer: &mut Self::Peer,
        call: Call<'_>,
    ) -> impl Future<Output = Result<Answer, Fault>> + Send;
}

/// Serves connections until the listener fails or the future is dropped.
pub async fn serve<H: Handler>(listener: UnixListener, handler: Arc<H>) -> std::io::Result<()> {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Never closed, so it never fails.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The other side gave up before it was accepted.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        // Without it everything works, too.
        if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(&stream, UNREAD) {
            tracing::debug!("a connection keeps its send buffer: {error}");
        }
        let handler = Arc::clone(&handler);
        tokio::spawn(async move {
            if let Err(error) = connection(stream, handler.as_ref()).await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
}

async fn connection<H: Handler>(stream: UnixStream, handler: &H) -> Result<(), WireError> {
    let credentials = stream.peer_cred()?;
    let mut peer = handler.connected(Credentials {
        user: credentials.uid(),
        group: credentials.gid(),
        process: credentials.pid(),
    });
    let (mut reader, mut writer) = stream.into_split();
    let mut receiver = Receiver::default();
    while let Some(message) = next(&mut receiver, &mut reader).await? {
        let call = Call::read(&message)?;
        let (oneway, more) = (call.oneway, call.more);
        let answer = match introspection(handler, &call) {
            Some(answer) => answer,
            None => {
                let waits = handler.waits_for_client(&call);
                tokio::select! {
                    answer = handler.handle(&mut peer, call) => answer,
                    () = gone(&reader), if waits => return Err(WireError::Torn),
                }
            }
        };
        // A message may hold a password, and a stream may last for days.
        drop(message);
        match answer {
            Ok(Answer::Many(_)) if !more => send(&mut writer, &wire::fault(&Fault::ExpectedMore)?).await?,
            Ok(Answer::One(reply)) if !oneway => send(&mut writer, &reply).await?,
            Ok(Answer::Held(reply, held)) if !oneway => {
                send(&mut writer, &reply).await?;
                drop(held);
            }
            Err(fault) if !oneway => send(&mut writer, &wire::fault(&fault)?).await?,
            Ok(Answer::Many(mut replies)) if !oneway => {
                stream_out(&mut reader, &mut writer, &mut replies).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The next call. A connection may be idle for ever, but not in the middle of a message.
async fn next(receiver: &mut Receiver, reader: &mut OwnedReadHalf) -> Result<Option<Message>, WireError> {
    if !receiver.begun() {
        reader.readable().await?;
    }
    tokio::time::timeout(TIMEOUT, receiver.next(reader)).await.map_err(|_| WireError::Torn)?
}

/// Comes back when the other side has closed its end. What it may say meanwhile is left for later.
async fn gone(reader: &OwnedReadHalf) {
    match reader.ready(Interest::READABLE).await {
        Ok(ready) if ready.is_read_closed() => {}
        _ => std::future::pending().await,
    }
}

async fn send(writer: &mut OwnedWriteHalf, message: &Message) -> Result<(), WireError> {
    tokio::time::timeout(TIMEOUT, wire::send(writer, message)).await.map_err(|_| WireError::Torn)?
}

/// Sends answers until the last, or until nobody listens any more.
async fn stream_out(
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    replies: &mut (impl futures_core::Stream<Item = Result<(Message, bool), Fault>> + Unpin),
) -> Result<(), WireError> {
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        tokio::select! {
            // Nothing is to be said while answers come: it is the end, or against the protocol.
            _ = reader.read(byte.as_mut_slice()) => return Err(WireError::Torn),
            reply = replies.next() => match reply {
                Some(Ok((message, continues))) => {
                    send(writer, &message).await?;
                    if !continues {
                        return Ok(());
                    }
                }
                Some(Err(fault)) => return send(writer, &wire::fault(&fault)?).await,
                None => return Err(WireError::Torn),
            },
        }
    }
}

#[derive(serde::Serialize)]
struct Info {
    vendor: &'static str,
    product: &'static str,
    version: &'static str,
    url: &'static str,
    interfaces: Vec<&'static str>,
}

#[derive(serde::Serialize)]
struct Description {
    description: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    interface: String,
}

/// The interface that every Varlink service has (<https://varlink.org/Service>).
fn introspection<H: Handler>(handler: &H, call: &Call<'_>) -> Option<Result<Answer, Fault>> {
    const SERVICE: &str = "org.varlink.service";
    let method = call.method.strip_prefix(SERVICE)?.strip_prefix('.')?;
    Some(match method {
        "GetInfo" => {
            let mut interfaces = vec![SERVICE];
            interfaces.extend(handler.interfaces().iter().map(|interface| interface.name));
            crate::interface::one(&Info {
                vendor: "Enrollment Station",
                product: "enrolld",
                version: env!("CARGO_PKG_VERSION"),
                url: "https://varlink.org",
                interfaces,
            })
        }
        "GetInterfaceDescription" => wire::arguments::<Wanted>(call.arguments()).and_then(|wanted| {
            let own = Interface { name: SERVICE, description: SERVICE_DESCRIPTION.to_owned() };
            let mut all = handler.interfaces();
            all.push(own);
            let found = all.into_iter().find(|interface| interface.name == wanted.interface);
            let found = found.ok_or_else(|| Fault::InvalidParameter("interface".to_owned()))?;
            crate::interface::one(&Description { description: found.description })
        }),
        _ => Err(Fault::MethodNotFound(call.method.to_string())),
    })
}

const SERVICE_DESCRIPTION: &str = "\
# What every Varlink service has.
interface org.varlink.service

method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
error PermissionDenied ()
error ExpectedMore ()
";
