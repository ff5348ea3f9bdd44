//! HTTP messages as plain values, and what becomes of an answer on its way back.

use std::time::Duration;

use serde_json::Value;

/// One HTTP request, as it stands on the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, `DELETE` …
    pub method: String,
    /// The path, percent-encoded, without the query.
    pub path: String,
    /// What follows the question mark, percent-encoded; may be empty.
    pub query: String,
    /// Header fields in their order. Names are compared without regard to case.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body. `target` is the path, with a query if it has one.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    /// The same request with a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// The same request with a form body (`a=1&b=2`, percent-encoded).
    #[must_use]
    pub fn form(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// The same request with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same request with the bare JWT that the server wants: no `Bearer`.
    #[must_use]
    pub fn token(self, jwt: &str) -> Self {
        self.header("Authorization", jwt)
    }

    /// The first header field of this name.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One HTTP answer. `Content-Length` is left to whoever sends it.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body. An answer to `/token/init` holds the seed.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer of one content type.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("Content-Type".into(), content_type.into())], body }
    }

    /// The body as JSON, or `None` if it is something else.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What becomes of a request: an answer, or one of the ways in which a network
/// and a server fail.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The server acted, and this is its answer.
    Answer(Response),
    /// The connection ends without an answer. The server never acted.
    CutBefore,
    /// The connection ends without an answer. **The server did act.**
    ActThenCut,
    /// The server acted. Of its answer's body only the first bytes arrive,
    /// although `Content-Length` promises all of them.
    Truncate {
        /// The whole answer.
        response: Response,
        /// How many bytes of the body arrive.
        sent: usize,
    },
    /// Nothing has happened yet. After this time, hand the request to
    /// [`ServerTwin::handle`](super::ServerTwin::handle).
    Delay(Duration),
}
