//! The twin behind HTTP/1.1 and TLS on 127.0.0.1, faults included.
//!
//! A `cut` really cuts the connection, a `truncate` really promises more bytes
//! than it sends. The clock is the machine's; everything else is the twin's.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::{Outcome, Request, Response, ServerTwin};

/// The largest request body that is read, in bytes.
const BODY: usize = 1 << 20;

/// A twin that listens. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    late: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// What all connections share.
struct Behind {
    twin: Arc<Mutex<ServerTwin>>,
    latency: Duration,
    /// How many requests it has read and will act on later.
    late: watch::Sender<usize>,
}

impl Server {
    /// Where it listens: always on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Wait until it has acted on every request that was slowed down, also where the client has gone.
    pub fn caught_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut late = self.late.clone();
        async move {
            // The other end goes with the server, and then nothing is late any more.
            let _ = late.wait_for(|late| *late == 0).await;
        }
    }

    /// Accept nothing new, let requests that are being answered finish, and return.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // Only a panic in a connection could end the task early, and then it is over too.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listen on 127.0.0.1. Port 0 means any free port.
///
/// # Errors
/// The port is taken.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serve a twin. Each answer waits for `latency` first, as if the network were slow.
///
/// # Errors
/// The listener is not bound to a loopback address: a server whose passwords
/// are in its source must not be reached from elsewhere.
pub fn serve(
    twin: Arc<Mutex<ServerTwin>>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    latency: Duration,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let why = format!("the twin serves loopback addresses only, not {address}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let (stop, stopped) = watch::channel(false);
    let (sender, late) = watch::channel(0);
    let behind = Arc::new(Behind { twin, latency, late: sender });
    let task = tokio::spawn(accept(behind, listener, tls, stopped));
    Ok(Server { address, stop, late, task })
}

async fn accept(
    behind: Arc<Behind>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
            _ = stopped.wait_for(|stop| *stop) => break,
            // Finished connections are forgotten as they finish.
            Some(_) = connections.join_next() => continue,
        };
        // An accept that fails is about one connection or about file descriptors; both pass.
        let Ok(stream) = stream else { continue };
        let (behind, tls, stopped) = (Arc::clone(&behind), tls.clone(), stopped.clone());
        connections.spawn(async move {
            match tls {
                None => speak(behind, stream, stopped).await,
                // A client that refuses the certificate ends here.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        speak(behind, stream, stopped).await;
                    }
                }
            }
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn speak<S>(behind: Arc<Behind>, stream: S, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&behind), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // An error here is a cut, ours or the client's.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Not an error but a decision: hyper closes the connection when it sees one.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

async fn answer(
    behind: Arc<Behind>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Sending>, Cut> {
    let request = read(request).await.map_err(|_| Cut)?;
    if !behind.latency.is_zero() {
        tokio::time::sleep(behind.latency).await;
    }
    let twin = &behind.twin;
    // A twin whose thread panicked is as good as before: it changes its state last.
    let outcome = twin.lock().unwrap_or_else(PoisonError::into_inner).receive(&request, now());
    match outcome {
        Outcome::Answer(response) => Ok(send(response, None)),
        Outcome::CutBefore | Outcome::ActThenCut => Err(Cut),
        Outcome::Truncate { response, sent } => Ok(send(response, Some(sent))),
        Outcome::Delay(delay) => {
            // On a task of its own: a server acts on a request that it has read also when the client
            // has lost patience meanwhile, and that is what makes this fault a nasty one.
            behind.late.send_modify(|late| *late += 1);
            let behind = Arc::clone(&behind);
            let late = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let mut twin = behind.twin.lock().unwrap_or_else(PoisonError::into_inner);
                let response = twin.handle(&request, now());
                behind.late.send_modify(|late| *late = late.saturating_sub(1));
                response
            });
            late.await.map(|response| send(response, None)).map_err(|_| Cut)
        }
    }
}

async fn read(
    request: hyper::Request<Incoming>,
) -> Result<Request, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let body = Limited::new(body, BODY).collect().await?;
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_bytes().to_vec(),
    })
}

fn send(response: Response, sent: Option<usize>) -> hyper::Response<Sending> {
    let mut answer = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        answer = answer.header(name.as_str(), value.as_str());
    }
    let body = Sending {
        promised: response.body.len() as u64,
        part: Some(Bytes::from(response.body)),
        sent,
        flushed: false,
    };
    answer.body(body).unwrap_or_default()
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A body that may promise more than it delivers.
#[derive(Default)]
struct Sending {
    promised: u64,
    part: Option<Bytes>,
    /// How much of it is delivered before the connection breaks.
    sent: Option<usize>,
    flushed: bool,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(sent) = self.sent else {
            return Poll::Ready(self.part.take().map(|part| Ok(Frame::data(part))));
        };
        if let Some(mut part) = self.part.take() {
            part.truncate(sent);
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if !self.flushed {
            // hyper writes out what it has while a body has nothing more to
            // give, and drops it when a body fails.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
