//! A transport that answers from a list and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use privacyidea::*;

/// One request as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Method and target.
    pub(crate) line: String,
    /// The token.
    pub(crate) token: Option<String>,
    /// The body, `Null` without one.
    pub(crate) body: serde_json::Value,
}

#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<HttpResponse, TransportError>>>,
    seen: Mutex<Vec<Seen>>,
    /// Every answer waits for one of these, if there are any.
    pub(crate) gate: Option<tokio::sync::Semaphore>,
}

impl Transport for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        assert_eq!(request.content_type().is_some(), request.method == Method::Post, "{request:?}");
        self.seen.lock().unwrap().push(Seen {
            line: format!("{} {}", request.method.as_str(), request.target()),
            token: request.authorization.as_ref().map(|token| token.reveal().to_owned()),
            body: request
                .body
                .as_ref()
                .map_or(serde_json::Value::Null, |b| serde_json::from_slice(b.reveal()).unwrap()),
        });
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| panic!("no answer left for {request:?}"))
    }
}

impl Script {
    /// A transport with these answers, in order.
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<HttpResponse, TransportError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    pub(crate) fn push(&self, answer: Result<HttpResponse, TransportError>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Everything that was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The lines of everything that was sent so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

pub(crate) type Answer = Result<HttpResponse, TransportError>;

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    Ok(HttpResponse {
        status,
        content_type: None,
        retry_after: None,
        location: None,
        body: SecretBytes::copy_of(body.as_bytes()),
    })
}

macro_rules! recorded {
    ($status:expr, $name:literal) => {
        $crate::script::answer($status, include_str!(concat!("answers/", $name, ".json")))
    };
}
pub(crate) use recorded;

pub(crate) fn server_error(status: u16, code: i64) -> Answer {
    answer(
        status,
        &format!(
            r#"{{"detail":null,"id":1,"jsonrpc":"2.0","result":{{"error":{{"code":{code},"message":"no"}},"status":false}},
               "time":{SERVER_NOW}.5,"version":"privacyIDEA 3.14"}}"#
        ),
    )
}

/// The server's clock in the answers made here.
pub(crate) const SERVER_NOW: u64 = 1_795_286_354;

/// A token that ends `life` seconds after [`SERVER_NOW`].
pub(crate) fn jwt(name: &str, extra: &str, life: u64) -> String {
    let payload =
        format!(r#"{{"username":"{name}","role":"admin","realm":"","exp":{}{extra}}}"#, SERVER_NOW + life);
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64URL_NOPAD.encode(payload.as_bytes()))
}

pub(crate) fn login_answer(token: &str, role: &str) -> Answer {
    answer(
        200,
        &format!(
            r#"{{"id":2,"jsonrpc":"2.0","result":{{"authentication":"ACCEPT","status":true,"value":{{"auth":true,
               "realm":"","rights":["enable","enrollHOTP","tokenlist"],"role":"{role}","token":"{token}","username":"admin"}}}},
               "time":{SERVER_NOW}.0,"version":"privacyIDEA 3.14","versionnumber":"3.14"}}"#
        ),
    )
}

/// A client that is logged in as soon as it needs to be, and then gets `answers`.
pub(crate) fn client(answers: impl IntoIterator<Item = Answer>) -> (Client<Arc<Script>>, Arc<Script>) {
    let script = Script::new([login_answer(&jwt("admin", "", 3600), "admin")]);
    for answer in answers {
        script.push(answer);
    }
    (Client::new(Arc::clone(&script), password()), script)
}

pub(crate) fn password() -> Credentials {
    Credentials::password("admin", text("admin-password"))
}

pub(crate) fn text(text: &str) -> SecretString {
    SecretString::copy_of(text)
}

pub(crate) fn serial(text: &str) -> Serial {
    Serial::new(text).unwrap()
}

/// The seed of RFC 4226, appendix D.
pub(crate) const SEED: &[u8; 20] = b"12345678901234567890";

/// Both clocks, moved by hand.
#[derive(Default)]
pub(crate) struct Hands {
    wall_ms: AtomicU64,
    steady_ms: AtomicU64,
}

impl Hands {
    pub(crate) fn at(wall: u64) -> Arc<Self> {
        Arc::new(Self { wall_ms: AtomicU64::new(wall * 1000), steady_ms: AtomicU64::new(0) })
    }

    /// Lets time pass on both.
    pub(crate) fn pass(&self, seconds: u64) {
        self.wall_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
        self.steady_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as network time does.
    pub(crate) fn set_wall(&self, seconds: u64) {
        self.wall_ms.store(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady_ms.load(Ordering::SeqCst))
    }
}
