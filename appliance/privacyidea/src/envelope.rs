//! The envelope around every answer of the server.
//!
//! `{"result": {"status": true, "value": …} | {"status": false, "error": {"code", "message"}},
//! "detail": …, "time": …, "version": …, "versionnumber": …, …}`
//!
//! Nothing in here fails in any other way than [`Malformed`], whatever the bytes:
//! proxies answer with HTML, cables with half an answer.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::secret::SecretString;
use crate::text::DisplayText;

/// A piece of JSON within an answer, not yet looked at. It borrows from the
/// answer and is wiped with it.
#[derive(Clone, Copy)]
pub struct Json<'a>(&'a RawValue);

impl<'a> Json<'a> {
    /// Reads it as `T`.
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, Malformed> {
        serde_json::from_str(self.0.get()).map_err(|_| Malformed::Shape)
    }

    /// Reads it as `T` if it can be.
    pub(crate) fn ok<T: DeserializeOwned>(self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Reads it as a text that leaves no copy behind.
    pub fn secret(self) -> Result<SecretString, Malformed> {
        SecretString::from_json(self.0.get()).ok_or(Malformed::Shape)
    }

    /// A number, `true`, `false` or `null` as text.
    pub(crate) fn literal(self) -> Result<SecretString, Malformed> {
        let text = self.0.get();
        if text.starts_with(['{', '[', '"']) {
            Err(Malformed::Shape)
        } else {
            Ok(SecretString::copy_of(text))
        }
    }

    /// Whether it is an object. Structs could be read from arrays, too.
    pub(crate) fn is_object(self) -> bool {
        self.0.get().starts_with('{')
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&'a RawValue>::deserialize(from).map(Self)
    }
}

/// Why an answer cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is a page for a browser.
    #[error("it is an HTML page")]
    Html,
    /// It is a page on which somebody is to log in.
    #[error(
        "it is a login page: something in front of the server wants people to log in first; let this client through without"
    )]
    LoginPage,
    /// It is a page that wants a client certificate.
    #[error(
        "it is a page that asks for a client certificate: what stands in front of the server wants one, and this client has none"
    )]
    CertificatePage,
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is not JSON, or not all of it.
    #[error("it is not JSON, or cut short")]
    NotJson,
    /// It is JSON, but not an answer of privacyIDEA.
    #[error("it is JSON, but not in the form of this server's answers")]
    NoEnvelope,
    /// The envelope is right, what it holds is not what this call returns.
    #[error("its value is not of the kind that this call returns")]
    Shape,
}

/// What the server said.
#[derive(Clone)]
pub enum Answer<'a> {
    /// `status` true; the value, if there was one.
    Value(Option<Json<'a>>),
    /// `status` false.
    Error {
        /// The number, the only thing to decide by.
        code: i64,
        /// The message, for showing.
        message: DisplayText,
    },
}

/// An answer taken apart.
#[derive(Clone)]
pub struct Envelope<'a> {
    /// The value, or the error.
    pub answer: Answer<'a>,
    /// What comes beside the value, such as the state of a new token.
    pub detail: Option<Json<'a>>,
    /// The server's clock in Unix seconds.
    pub time: Option<f64>,
    /// Product and version for people ("privacyIDEA 3.14").
    pub version: Option<String>,
    /// The version alone ("3.14"); absent from errors.
    pub number: Option<String>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    result: Option<Json<'a>>,
    #[serde(borrow)]
    detail: Option<Json<'a>>,
    #[serde(borrow)]
    time: Option<Json<'a>>,
    #[serde(borrow)]
    version: Option<Json<'a>>,
    #[serde(borrow)]
    versionnumber: Option<Json<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: bool,
    #[serde(borrow)]
    value: Option<Json<'a>>,
    #[serde(borrow)]
    error: Option<Json<'a>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    code: i64,
    #[serde(borrow)]
    message: Option<Json<'a>>,
}

/// Takes the body of an answer apart.
pub fn parse(body: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let start = body.trim_ascii_start();
    match start.first() {
        None => return Err(Malformed::Empty),
        Some(b'<') => return Err(page(start)),
        Some(b'{') => {}
        Some(_) => return Err(Malformed::NotJson),
    }
    let wire: Wire<'_> = serde_json::from_slice(start)
        .map_err(|e| if e.is_data() { Malformed::NoEnvelope } else { Malformed::NotJson })?;
    let result = wire.result.filter(|r| r.is_object()).ok_or(Malformed::NoEnvelope)?;
    let outcome: Outcome<'_> = result.read().map_err(|_| Malformed::NoEnvelope)?;
    let answer = if outcome.status {
        Answer::Value(outcome.value)
    } else {
        let fault = outcome.error.filter(|e| e.is_object()).ok_or(Malformed::NoEnvelope)?;
        let fault: Fault<'_> = fault.read().map_err(|_| Malformed::NoEnvelope)?;
        let message: String = fault.message.and_then(Json::ok).unwrap_or_default();
        Answer::Error { code: fault.code, message: DisplayText::from_foreign(&message) }
    };
    Ok(Envelope {
        answer,
        detail: wire.detail.filter(|d| d.is_object()),
        time: wire.time.and_then(Json::ok).filter(|t: &f64| t.is_finite() && *t > 0.0),
        version: wire.version.and_then(short),
        number: wire.versionnumber.and_then(short),
    })
}

/// What a page for browsers wants.
fn page(body: &[u8]) -> Malformed {
    // What tells them apart stands at the beginning of the page.
    const LOOKED_AT: usize = 64 * 1024;
    let text = String::from_utf8_lossy(body.get(..LOOKED_AT).unwrap_or(body)).to_ascii_lowercase();
    let has = |word: &str| text.contains(word);
    // nginx: "400 No required SSL certificate was sent", "400 The SSL certificate error".
    if has("ssl certificate") || has("client certificate") {
        return Malformed::CertificatePage;
    }
    let password = ["type=\"password\"", "type='password'", "type=password"].into_iter().any(has);
    // Pages for single sign-on send a form by themselves.
    let single = has("samlrequest") || has("name=\"relaystate\"") || has("openid-connect");
    if password || single { Malformed::LoginPage } else { Malformed::Html }
}

/// A version is short; anything else is not one.
fn short(json: Json<'_>) -> Option<String> {
    json.ok()
        .filter(|text: &String| text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic() || c == ' '))
}

impl<'a> Envelope<'a> {
    /// The value of a successful answer.
    pub fn value(&self) -> Option<Json<'a>> {
        match &self.answer {
            Answer::Value(value) => *value,
            Answer::Error { .. } => None,
        }
    }

    /// The value of a successful answer, read as `T`.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, Malformed> {
        self.value().ok_or(Malformed::Shape)?.read()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_success() {
        let body = br#"{"detail":{"serial":"X"},"id":1,"jsonrpc":"2.0","result":{"status":true,"value":true},
            "signature":"rsa_sha256_pss:00","time":1795286354.54,"version":"privacyIDEA 3.14","versionnumber":"3.14"}"#;
        let envelope = parse(body).unwrap();
        assert!(envelope.read::<bool>().unwrap());
        assert_eq!(envelope.time, Some(1_795_286_354.54));
        assert_eq!(envelope.number.as_deref(), Some("3.14"));
        assert!(envelope.detail.is_some());
        assert_eq!(envelope.read::<String>(), Err(Malformed::Shape));
    }

    #[test]
    fn an_error() {
        let body = br#"{"detail":null,"result":{"error":{"code":4033,"message":"Missing\u001b header."},"status":false},
            "time":1795286354.4,"version":"privacyIDEA 3.14"}"#;
        let envelope = parse(body).unwrap();
        let Answer::Error { code, message } = envelope.answer else { panic!("a success") };
        assert_eq!((code, message.as_str()), (4033, "Missing header."));
        assert!(envelope.detail.is_none());
    }

    #[test]
    fn what_is_no_answer() {
        let cases: [(&[u8], Malformed); 12] = [
            (b"", Malformed::Empty),
            (b"  \n", Malformed::Empty),
            (b"<!doctype html><title>502</title>", Malformed::Html),
            (b"<html><form><input type=\"Password\"></form>", Malformed::LoginPage),
            (b"<html><center>No required SSL certificate was sent</center>", Malformed::CertificatePage),
            (b"{\"result\":{\"status\":tr", Malformed::NotJson),
            (b"{\"error\":\"Not found\"}", Malformed::NoEnvelope),
            (b"{\"result\":[true,1,2]}", Malformed::NoEnvelope),
            (b"{\"result\":{\"status\":\"yes\"}}", Malformed::NoEnvelope),
            (b"{\"result\":{\"status\":false}}", Malformed::NoEnvelope),
            (b"{\"result\":{\"status\":false,\"error\":{\"message\":\"\"}}}", Malformed::NoEnvelope),
            (b"[1,2]", Malformed::NotJson),
        ];
        for (body, fault) in cases {
            assert_eq!(parse(body).err(), Some(fault), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn deep_nesting_is_survived() {
        let body = format!("{{\"result\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(body.as_bytes()).is_err());
        let body = format!(
            "{{\"result\":{{\"status\":true,\"value\":{}1{}}}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        if let Ok(envelope) = parse(body.as_bytes()) {
            assert_eq!(envelope.read::<serde_json::Value>().err(), Some(Malformed::Shape));
        }
    }

    #[test]
    fn every_cut_of_an_answer_is_survived() {
        let body = br#"{"detail":{"serial":"X"},"result":{"status":true,"value":{"count":1}},"time":1.5}"#;
        for end in 0..body.len() {
            assert!(parse(&body[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_json_like_text_panics(text in r#"[{}\[\]",:a-z0-9\\<> .eE+-]{0,120}"#) {
            let _ = parse(text.as_bytes());
            let _ = parse(format!("{{\"result\":{{\"status\":true,\"value\":{text}}}}}").as_bytes());
        }
    }
}
