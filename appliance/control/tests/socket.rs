//! Calls through a real socket, answered by a small service.

#![cfg(test)]

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use control::interface::Answer;
use control::server::{Credentials, Handler, Interface};
use control::sim::{self, Hands, HandsMethod, Plug, Pull, SimKey, SimKeys, TouchKey, Touched};
use control::wire::{Call, Fault};
use control::{CallError, Client, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

#[derive(Default)]
struct Desk {
    plugged: AtomicUsize,
}

fn key(port: Option<String>) -> SimKey {
    SimKey { kind: "yubikey".to_owned(), serial: "1".to_owned(), firmware: "5.4.3".to_owned(), port }
}

impl Hands for Desk {
    type Caller = u32;

    async fn sim_plug(&self, _: &u32, request: Plug) -> Result<SimKey, Refusal> {
        self.plugged.fetch_add(1, Ordering::SeqCst);
        Ok(key(request.port))
    }

    async fn sim_touch(&self, _: &u32, _: TouchKey) -> Result<Touched, Refusal> {
        pending().await
    }

    async fn sim_pull(&self, _: &u32, _: Pull) -> Result<SimKey, Refusal> {
        Err(Refusal {
            code: "E1001".to_owned(),
            title: "No key".to_owned(),
            cause: "There is no key.".to_owned(),
            remedy: "Plug one in.".to_owned(),
            detail: "port 3".to_owned(),
        })
    }

    async fn sim_keys(&self, _: &u32) -> Result<SimKeys, Refusal> {
        Ok(SimKeys { keys: vec![key(None); self.plugged.load(Ordering::SeqCst)] })
    }
}

impl Handler for Desk {
    type Peer = Credentials;

    fn interfaces(&self) -> Vec<Interface> {
        vec![Interface { name: HandsMethod::INTERFACE, description: HandsMethod::description() }]
    }

    fn connected(&self, credentials: Credentials) -> Credentials {
        credentials
    }

    async fn handle(&self, peer: &mut Credentials, call: Call<'_>) -> Result<Answer, Fault> {
        let method = HandsMethod::from_full_name(&call.method)
            .ok_or_else(|| Fault::MethodNotFound(call.method.to_string()))?;
        sim::dispatch(self, &peer.user, method, call.arguments()).await
    }
}

fn served() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(control::server::serve(listener, Arc::new(Desk::default())));
    (directory, socket)
}

async fn said(socket: &PathBuf, messages: &[&[u8]]) -> Vec<String> {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    for message in messages {
        stream.write_all(message).await.unwrap();
        stream.write_all(&[0]).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    all.split_terminator('\0').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_call_is_answered_and_a_refusal_keeps_its_words() {
    let (_directory, socket) = served();
    let client = Client::local(&socket);
    let plug = Plug { port: Some("1-1.2".to_owned()), ..Plug::default() };
    assert_eq!(client.sim_plug(&plug).await.unwrap(), key(Some("1-1.2".to_owned())));
    let CallError::Refused(refusal) = client.sim_pull(&Pull::default()).await.unwrap_err() else {
        panic!("not a refusal")
    };
    assert_eq!(refusal.to_string(), "E1001 No key: There is no key. (port 3) Plug one in.");
    assert_eq!(client.sim_keys().await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn a_call_that_does_not_come_back_holds_up_nobody_else() {
    let (_directory, socket) = served();
    let client = Client::local(&socket);
    let stuck = tokio::spawn({
        let client = client.clone();
        async move { client.sim_touch(&TouchKey::default()).await.map(|_| ()) }
    });
    for _ in 0..3 {
        client.sim_keys().await.unwrap();
    }
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn wrong_calls_are_answered_and_the_connection_stays_open() {
    let (_directory, socket) = served();
    let answers = said(
        &socket,
        &[
            br#"{"method":"org.enrollmentstation.Sim.Plug","parameters":{"kind":5}}"#,
            br#"{"method":"org.enrollmentstation.Sim.Plug","parameters":{"knid":"x"}}"#,
            br#"{"method":"org.enrollmentstation.Sim.Fly","parameters":{}}"#,
            br#"{"method":"nonsense"}"#,
            br#"{"method":"org.enrollmentstation.Sim.List"}"#,
        ],
    )
    .await;
    let [wrong, unknown, missing, nonsense, right] = &answers[..] else { panic!("{answers:?}") };
    assert!(wrong.contains("org.varlink.service.InvalidParameter") && wrong.contains("column"), "{wrong}");
    assert!(unknown.contains("unknown field `knid`"), "{unknown}");
    for answer in [missing, nonsense] {
        assert!(answer.contains("org.varlink.service.MethodNotFound"), "{answer}");
    }
    assert_eq!(right, r#"{"parameters":{"keys":[]}}"#);
}

#[tokio::test]
async fn what_is_no_call_closes_the_connection_and_nothing_else() {
    let (_directory, socket) = served();
    assert!(said(&socket, &[b"hello"]).await.is_empty());
    assert!(said(&socket, &[b"{}"]).await.is_empty());
    assert!(said(&socket, &[&[0xff; 40]]).await.is_empty());
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    let long = vec![b' '; control::wire::LONGEST + 4096];
    // The daemon stops reading, so the rest of it cannot be written.
    let _ = stream.write_all(&long).await;
    Client::local(&socket).sim_keys().await.unwrap();
}

#[tokio::test]
async fn the_service_describes_itself() {
    let (_directory, socket) = served();
    let answers = said(
        &socket,
        &[
            br#"{"method":"org.varlink.service.GetInfo"}"#,
            br#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.enrollmentstation.Sim"}}"#,
            br#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"x.y"}}"#,
            br#"{"method":"org.varlink.service.Nothing"}"#,
        ],
    )
    .await;
    assert!(answers[0].contains(r#""interfaces":["org.varlink.service","org.enrollmentstation.Sim"]"#));
    assert!(answers[1].contains("interface org.enrollmentstation.Sim"));
    assert!(answers[2].contains("InvalidParameter"));
    assert!(answers[3].contains("MethodNotFound"));
}

#[tokio::test]
async fn a_client_notices_that_the_daemon_was_restarted() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let client = Client::local(&socket);
    for _ in 0..2 {
        let listener = UnixListener::bind(&socket).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let daemon = std::thread::spawn(move || {
            let listener = listener.into_std().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    served = control::server::serve(listener, Arc::new(Desk::default())) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        client.sim_plug(&Plug::default()).await.unwrap();
        stop.send(()).unwrap();
        daemon.join().unwrap();
        std::fs::remove_file(&socket).unwrap();
        assert!(matches!(client.sim_keys().await.unwrap_err(), CallError::Unreachable(_)));
    }
}

/// Answers nothing, and notes which of its calls were given up.
struct Patient {
    given_up: tokio::sync::mpsc::UnboundedSender<String>,
}

struct GivenUp(String, tokio::sync::mpsc::UnboundedSender<String>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        let _ = self.1.send(std::mem::take(&mut self.0));
    }
}

impl Handler for Patient {
    type Peer = ();

    fn interfaces(&self) -> Vec<Interface> {
        Vec::new()
    }

    fn connected(&self, _: Credentials) {}

    fn waits_for_client(&self, call: &Call<'_>) -> bool {
        call.method.ends_with(".Touch")
    }

    async fn handle(&self, (): &mut (), call: Call<'_>) -> Result<Answer, Fault> {
        let waits = self.waits_for_client(&call);
        let guard = GivenUp(call.method.to_string(), self.given_up.clone());
        if waits {
            pending::<()>().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        // It was carried to its end.
        std::mem::forget(guard);
        Err(Fault::MethodNotFound("done".to_owned()))
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_client_ends_with_it_and_no_other_does() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let listener = UnixListener::bind(&socket).unwrap();
    let (given_up, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(control::server::serve(listener, Arc::new(Patient { given_up })));
    // The first is carried to its end, although nobody waits for it.
    for method in ["Plug", "Touch"] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        let call = format!("{{\"method\":\"org.enrollmentstation.Sim.{method}\"}}\0");
        stream.write_all(call.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        drop(stream);
    }
    let gone = tokio::time::timeout(std::time::Duration::from_secs(20), heard.recv()).await.unwrap();
    assert_eq!(gone.as_deref(), Some("org.enrollmentstation.Sim.Touch"));
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert!(heard.try_recv().is_err());
}

/// Makes answers without end, and counts how many it has made.
#[derive(Default)]
struct Endless(Arc<AtomicUsize>);

/// As long as a page of an export.
const PAGE: usize = 16 * 1024;

impl Handler for Endless {
    type Peer = ();

    fn interfaces(&self) -> Vec<Interface> {
        Vec::new()
    }

    fn connected(&self, _: Credentials) {}

    async fn handle(&self, (): &mut (), _: Call<'_>) -> Result<Answer, Fault> {
        let made = Arc::clone(&self.0);
        let page = move || {
            made.fetch_add(1, Ordering::SeqCst);
            Ok((control::wire::Message::new(vec![b' '; PAGE]), true))
        };
        Ok(Answer::Many(Box::pin(futures_util::stream::iter(std::iter::repeat_with(page)))))
    }
}

/// What waits in the kernel costs memory as well.
#[tokio::test]
async fn what_nobody_reads_is_made_as_far_as_a_small_buffer() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let listener = UnixListener::bind(&socket).unwrap();
    let endless = Endless::default();
    let made = Arc::clone(&endless.0);
    tokio::spawn(control::server::serve(listener, Arc::new(endless)));
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    stream.write_all(b"{\"method\":\"x.Y\",\"more\":true}\0").await.unwrap();
    stream.readable().await.unwrap();
    // Made until nothing more goes into the buffer, which is soon.
    let mut before = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let now = made.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before * PAGE <= 96 * 1024, "{before} pages wait to be read");
    // It goes on when somebody reads.
    let mut bytes = vec![0; 4 * PAGE];
    stream.read_exact(&mut bytes).await.unwrap();
    stream.read_exact(&mut bytes).await.unwrap();
    assert!(made.load(Ordering::SeqCst) > before);
}
