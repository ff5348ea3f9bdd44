//! A server of a few lines that does what it is told, one connection at a time.

use std::sync::{Arc, Mutex};

use privacyidea::transport::{Https, HttpsBuilder, Trust};
use privacyidea::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does with the next request on a connection.
#[derive(Clone)]
pub(crate) enum Act {
    /// Reads it and answers with these bytes.
    Say(Vec<u8>),
    /// Reads it and never answers.
    Sulk,
    /// Reads it and closes.
    Close,
    /// Closes when its first byte is there, unread.
    Reset,
}

pub(crate) fn say(answer: impl Into<Vec<u8>>) -> Act {
    Act::Say(answer.into())
}

/// A whole answer in JSON.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The answer to almost everything.
pub(crate) const YES: &str =
    r#"{"result":{"status":true,"value":true},"time":1795286354.5,"version":"privacyIDEA 3.14"}"#;

/// A running server. It ends with the test's runtime.
pub(crate) struct Host {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Host {
    /// Serves one connection for each list of acts. After the last act of a
    /// list the connection is closed, after the last list the port is.
    pub(crate) async fn start(connections: Vec<Vec<Act>>) -> Self {
        Self::start_with(None, connections).await
    }

    pub(crate) async fn start_tls(tls: TlsAcceptor, connections: Vec<Vec<Act>>) -> Self {
        Self::start_with(Some(tls), connections).await
    }

    async fn start_with(tls: Option<TlsAcceptor>, connections: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, count) = (Arc::clone(&host.requests), Arc::clone(&host.connections));
        tokio::spawn(async move {
            for acts in connections {
                let (socket, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                match &tls {
                    None => serve(socket, acts, &requests).await,
                    Some(tls) => {
                        // A client that does not trust us breaks off here.
                        if let Ok(stream) = tls.accept(socket).await {
                            serve(stream, acts, &requests).await;
                        }
                    }
                }
            }
        });
        host
    }

    /// The requests, heads and bodies, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// A transport to it without TLS.
    pub(crate) fn plain(&self) -> HttpsBuilder {
        let base = format!("http://127.0.0.1:{}", self.port);
        Https::builder(&base, Trust::insecure_accept_any_certificate(), "station-test/1.0").allow_plain_http()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    acts: Vec<Act>,
    requests: &Mutex<Vec<String>>,
) {
    let mut kept = Vec::new();
    for act in acts {
        if matches!(act, Act::Reset) {
            // One byte of many: closing with the rest unread resets.
            let mut byte = [0];
            stream.read_exact(&mut byte).await.ok();
            return;
        }
        let Some(request) = read_request(&mut stream, &mut kept).await else { return };
        requests.lock().unwrap().push(request);
        match act {
            Act::Say(answer) => {
                stream.write_all(&answer).await.ok();
                stream.flush().await.ok();
            }
            Act::Sulk => std::future::pending().await,
            Act::Close | Act::Reset => break,
        }
    }
    stream.shutdown().await.ok();
}

/// One request: its head, and as much body as it announces.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, kept: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = kept.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&kept[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            let whole = end + 4 + length;
            if kept.len() >= whole {
                let request: Vec<u8> = kept.drain(..whole).collect();
                return Some(String::from_utf8(request).unwrap());
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => kept.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

/// A request that changes something.
pub(crate) fn change() -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        path: "/token/enable".into(),
        template: "/token/enable",
        query: Vec::new(),
        authorization: Some(Arc::new(SecretString::copy_of("aaa.bbb.ccc"))),
        body: Some(Arc::new(SecretBytes::copy_of(br#"{"serial":"A_1"}"#))),
    }
}

/// A request that only looks.
pub(crate) fn look() -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        path: "/token/".into(),
        template: "/token/",
        query: vec![("serial", "A 1&b".into())],
        authorization: None,
        body: None,
    }
}
