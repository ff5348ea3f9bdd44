//! A definite no of the server is remembered: no look has a password sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use control::types::{ByToken, Enroll, EventKind, ServerLogIn, TokenList, UserFind};
use control::{Refusal, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::*;

const RIGHT: &str = "right-password";

/// A server that takes one login, and has another password from then on.
#[derive(Default)]
struct Server {
    logins: AtomicUsize,
    calls: AtomicUsize,
    /// How many logins are taken.
    good: AtomicUsize,
}

impl Server {
    fn seconds() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    fn answer(&self, head: &str) -> (&'static str, Value) {
        let now = Self::seconds();
        let about = |result: Value| {
            json!({ "id": 1, "jsonrpc": "2.0", "result": result, "time": now, "version": "privacyIDEA 3.14",
                    "versionnumber": "3.14" })
        };
        let no = |code: i64| about(json!({ "status": false, "error": { "code": code, "message": "no" } }));
        if !head.starts_with("POST /auth ") {
            self.calls.fetch_add(1, Ordering::SeqCst);
            // The session is over, as far as the server is concerned.
            return ("401 Unauthorized", no(4305));
        }
        self.logins.fetch_add(1, Ordering::SeqCst);
        let left = |good: usize| good.checked_sub(1);
        if self.good.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
            return ("401 Unauthorized", no(4031));
        }
        let claims = json!({ "username": "admin", "role": "admin", "realm": "", "exp": now + 3600 });
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let value = json!({ "auth": true, "realm": "", "rights": ["tokenlist", "userlist"], "role": "admin",
                            "token": format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"), "username": "admin" });
        ("200 OK", about(json!({ "authentication": "ACCEPT", "status": true, "value": value })))
    }

    /// Answers what comes on a connection.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut held = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = held.windows(4).position(|part| part == b"\r\n\r\n") {
                    break end + 4;
                }
                if stream.read_buf(&mut held).await? == 0 {
                    return Ok(());
                }
            };
            let head = String::from_utf8_lossy(&held[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            while held.len() < end + length {
                if stream.read_buf(&mut held).await? == 0 {
                    return Ok(());
                }
            }
            let (status, body) = self.answer(&String::from_utf8_lossy(&held[..end]));
            held.drain(..end + length);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await?;
        }
    }

    async fn open(self: &Arc<Self>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        port
    }
}

fn login(password: &str) -> ServerLogIn {
    let password = Secret::new(Zeroizing::new(password.to_owned()));
    ServerLogIn { user: "admin".to_owned(), realm: None, password }
}

fn refusal<T>(result: Result<T, CallError>) -> Refusal {
    match result.map(|_| ()).unwrap_err() {
        CallError::Refused(refusal) => *refusal,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_looks_send_a_refused_password_once() {
    let server = Arc::new(Server::default());
    let port = server.open().await;
    let directory = tempfile::tempdir().unwrap();
    let [vera, otto] = ["vera", "otto"].map(Person::new);
    let config = format!(
        "[server]\nurl = \"http://127.0.0.1:{port}\"\n\
         insecure = \"send everything unencrypted, seeds and passwords included\"\n{PROFILE}{}{}",
        vera.table("viewer"),
        otto.table("admin")
    );
    let station = Station::start(directory.path(), &config).await;
    let (viewer, operator) = (vera.enter(&station, "v").await, otto.enter(&station, "o").await);
    let logins = || server.logins.load(Ordering::SeqCst);

    // Taken once. Then the server has another password, and the session is over.
    server.good.store(1, Ordering::SeqCst);
    operator.server_log_in(&login(RIGHT)).await.unwrap();
    assert_eq!(logins(), 1);
    for _ in 0..30 {
        let _ = viewer.server_status().await.unwrap();
        let _ = viewer.status().await.unwrap();
        let _ = viewer.keys().await.unwrap();
        let _ = viewer.token_list(&TokenList::default()).await.unwrap_err();
        let _ = viewer.token_show(&ByToken { serial: "UBOM1".to_owned() }).await.unwrap_err();
        let _ = viewer.user_find(&UserFind { text: "a".to_owned(), realm: None }).await.unwrap_err();
        let mut watch = viewer.watch().await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap().kind, EventKind::Snapshot);
    }
    assert_eq!(logins(), 2, "looks sent the password again");
    assert!(server.calls.load(Ordering::SeqCst) < 5, "without a session nothing is asked");

    // Every answer says that it was held back, and what to do.
    let held = refusal(viewer.token_list(&TokenList::default()).await);
    assert_eq!(held.code, "E3019", "{held}");
    assert!(held.remedy.contains("server login"), "{held}");
    let trouble = viewer.server_status().await.unwrap().trouble.unwrap();
    assert_eq!(trouble.code, "E3019", "{trouble}");
    // So does the display, which nobody has to ask.
    let panel = viewer.panel().await.unwrap();
    assert!(panel.words.iter().any(|word| word.contains("E3019") || word.contains("E2010")), "{panel:?}");

    // An order to enroll may send it once more, but not within 15 minutes.
    for _ in 0..3 {
        let mut events = operator.enroll(&Enroll::default()).await.unwrap();
        let _ = events.next().await;
    }
    assert_eq!(logins(), 2);

    // What somebody types is sent each time.
    for _ in 0..2 {
        assert_eq!(refusal(operator.server_log_in(&login("wrong")).await).code, "E2010");
    }
    assert_eq!(logins(), 4);
    server.good.store(1, Ordering::SeqCst);
    let status = operator.server_log_in(&login(RIGHT)).await.unwrap();
    assert_eq!((logins(), status.trouble), (5, None));
    station.stop().await;
}
