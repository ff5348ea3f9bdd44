//! The envelope around every answer, and the ways a server says no.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Version;
use super::wire::Response;

/// The text the server shows for any fault inside itself.
const FAULT: &str = "500 Internal Server Error: The server encountered an internal error and was \
    unable to complete your request. Either the server is overloaded or there is an error in the application.";

/// What a call answers when it went well.
pub(super) struct Reply {
    pub(super) value: Value,
    pub(super) detail: Option<Map<String, Value>>,
    /// `ACCEPT` or `REJECT`, for answers that judge somebody's credentials.
    pub(super) verdict: Option<bool>,
    /// `/healthz` of 3.14 does not say who answers.
    pub(super) anonymous: bool,
}

impl Reply {
    pub(super) fn of(value: impl Into<Value>) -> Self {
        Self { value: value.into(), detail: None, verdict: None, anonymous: false }
    }
}

/// What a call answers when it did not.
pub(super) enum Refusal {
    /// An error envelope.
    Error { status: u16, code: i64, message: String, detail: Value },
    /// A page of the web framework: the status and its name.
    Page(u16, &'static str, Option<String>),
    /// The recent servers' answer to a route that does not exist.
    NoRoute,
}

pub(super) type Answer = Result<Reply, Refusal>;

impl Refusal {
    /// An error whose message names its code.
    pub(super) fn numbered(code: i64, message: &str) -> Self {
        Self::error(400, code, format!("ERR{code}: {message}"))
    }

    pub(super) fn error(status: u16, code: i64, message: impl Into<String>) -> Self {
        Self::Error { status, code, message: message.into(), detail: Value::Null }
    }

    /// A parameter is missing or unusable.
    pub(super) fn parameter(message: &str) -> Self {
        Self::numbered(905, message)
    }

    /// A policy forbids it.
    pub(super) fn policy(message: &str) -> Self {
        Self::error(403, 303, message)
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::error(404, 601, message)
    }

    /// An exception nobody caught: the caller's fault looks like the server's.
    pub(super) fn fault() -> Self {
        Self::error(500, -500, FAULT)
    }

    /// The JWT does not do.
    pub(super) fn unauthorised(code: i64, why: &str) -> Self {
        Self::error(401, code, format!("Authentication failure. {why}"))
    }
}

/// Put an answer into its envelope. `hidden`: the server does not say its version.
pub(super) fn seal(version: Version, now: Duration, answer: Answer, hidden: bool) -> Response {
    let mut envelope = Map::new();
    let status = match answer {
        Ok(reply) => {
            if let Some(mut detail) = reply.detail {
                detail.insert("threadid".into(), json!(140_113_546_831_552_u64));
                envelope.insert("detail".into(), Value::Object(detail));
            }
            let mut result = Map::new();
            if let Some(accepted) = reply.verdict {
                let word = if accepted { "ACCEPT" } else { "REJECT" };
                result.insert("authentication".into(), word.into());
            }
            result.insert("status".into(), true.into());
            result.insert("value".into(), reply.value);
            envelope.insert("id".into(), if reply.verdict.is_some() { 2 } else { 1 }.into());
            envelope.insert("result".into(), Value::Object(result));
            if !reply.anonymous && !hidden {
                envelope.insert("version".into(), version.text().into());
                envelope.insert("versionnumber".into(), version.number().into());
            }
            if !reply.anonymous {
                envelope.insert("signature".into(), signature().into());
            }
            200
        }
        Err(Refusal::Error { status, code, message, detail }) => {
            envelope.insert("detail".into(), detail);
            envelope.insert("id".into(), 1.into());
            envelope.insert(
                "result".into(),
                json!({"status": false, "error": {"code": code, "message": message}}),
            );
            if !hidden {
                envelope.insert("version".into(), version.text().into());
            }
            status
        }
        Err(Refusal::Page(status, name, allow)) => return page(status, name, allow),
        Err(Refusal::NoRoute) => {
            return if version.speaks_json_for_unknown_routes() {
                Response::new(404, "application/json", b"{\"error\":\"Not found\"}\n".to_vec())
            } else {
                page(404, "Not Found", None)
            };
        }
    };
    envelope.insert("jsonrpc".into(), "2.0".into());
    envelope.insert("time".into(), json!(now.as_secs_f64()));
    let body = serde_json::to_vec(&Value::Object(envelope)).unwrap_or_default();
    let mut response = Response::new(status, "application/json", body);
    response.headers.push(("Cache-Control".into(), "no-cache".into()));
    response
}

/// A page as the web framework makes it.
fn page(status: u16, name: &str, allow: Option<String>) -> Response {
    let body = format!("<!doctype html>\n<html lang=en>\n<title>{status} {name}</title>\n<h1>{name}</h1>\n");
    let mut response = Response::new(status, "text/html; charset=utf-8", body.into_bytes());
    response.headers.extend(allow.map(|methods| ("Allow".to_owned(), methods)));
    response
}

/// A signature's length, but no signature: the twin has no key pair.
fn signature() -> String {
    format!("rsa_sha256_pss:{}", "0".repeat(512))
}
