//! A second administrator, who looks at the server's own state and arranges it.
//!
//! It speaks bare HTTP and JSON: of the product it shares the transport, not the
//! reading of answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use privacyidea::transport::{Https, Trust};
use privacyidea::{HttpRequest, Method, SecretBytes, SecretString, Transport};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use twins::privacyidea::ADMIN;

use crate::Broken;

/// A token as the server shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct TokenSeen {
    pub(crate) serial: String,
    pub(crate) tokentype: String,
    pub(crate) active: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) revoked: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) locked: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) rollout_state: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) username: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) user_realm: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) realms: Vec<String>,
    pub(crate) otplen: u64,
    pub(crate) count: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) failcount: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) info: BTreeMap<String, Value>,
}

/// Some servers say `null` where others say nothing.
fn or_default<'a, D: Deserializer<'a>, T: Default + Deserialize<'a>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl TokenSeen {
    /// A text of its tokeninfo; empty when there is none.
    pub(crate) fn info(&self, key: &str) -> &str {
        self.info.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Whose OTP is checked.
pub(crate) enum Whose<'a> {
    /// The user's, in the realm.
    User(&'a str, &'a str),
    /// The token's.
    Token(&'a str),
}

/// The second administrator.
pub(crate) struct Observer {
    https: Https,
    jwt: Mutex<Option<Arc<SecretString>>>,
}

impl Observer {
    /// One who looks at the server at this address.
    pub(crate) fn new(url: &str, ca: &[u8]) -> Result<Self, Broken> {
        let https = Https::builder(url, Trust::pem(ca)?, "contract-observer/1");
        Ok(Self { https: https.timeout(Duration::from_secs(60)).build()?, jwt: Mutex::default() })
    }

    /// Every token, by serial.
    pub(crate) async fn tokens(&self) -> Result<BTreeMap<String, TokenSeen>, Broken> {
        let page = self.call(Method::Get, "/token/", &[("pagesize", "1000")], None).await?;
        let tokens = page.get("tokens").cloned().unwrap_or_default();
        let tokens: Vec<TokenSeen> = serde_json::from_value(tokens)?;
        Ok(tokens.into_iter().map(|token| (token.serial.clone(), token)).collect())
    }

    /// Makes an HOTP token with a secret that nobody knows.
    pub(crate) async fn make(&self, serial: &str, user: Option<&str>, realm: &str) -> Result<(), Broken> {
        let mut body = json!({"type": "hotp", "genkey": 1, "serial": serial, "description": "somebody's"});
        if let Some(user) = user {
            body["user"] = user.into();
        }
        if !realm.is_empty() {
            body["realm"] = realm.into();
        }
        self.call(Method::Post, "/token/init", &[], Some(body)).await.map(drop)
    }

    /// Makes a token as an enrollment of this name would have made it.
    pub(crate) async fn make_for_enrollment(&self, serial: &str, enrollment: &str) -> Result<(), Broken> {
        let body = json!({
            "type": "hotp", "genkey": 1, "serial": serial, "description": "late", "hotp.enrollment": enrollment,
        });
        self.call(Method::Post, "/token/init", &[], Some(body)).await.map(drop)
    }

    /// Deletes a token.
    pub(crate) async fn delete(&self, serial: &str) -> Result<(), Broken> {
        self.call(Method::Delete, &format!("/token/{serial}"), &[], None).await.map(drop)
    }

    /// Whether an OTP is accepted. `key` is the API key that the server may ask for.
    pub(crate) async fn accepts(
        &self,
        whose: &Whose<'_>,
        pass: &str,
        key: Option<&str>,
    ) -> Result<bool, Broken> {
        let body = match whose {
            Whose::User(user, realm) => json!({"user": user, "realm": realm, "pass": pass}),
            Whose::Token(serial) => json!({"serial": serial, "pass": pass}),
        };
        let key = key.map(|key| Arc::new(SecretString::copy_of(key)));
        let (status, answer) = self.send(Method::Post, "/validate/check", &[], Some(body), key).await?;
        let value = answer.pointer("/result/value").and_then(Value::as_bool);
        value.ok_or_else(|| format!("/validate/check: HTTP {status}, {answer}").into())
    }

    /// Makes a call as administrator; the `value` of its answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&'static str, &str)],
        body: Option<Value>,
    ) -> Result<Value, Broken> {
        // Where logins last four seconds, a busy machine may use one up on the way.
        for attempt in 0..5 {
            let jwt = self.login(attempt > 0).await?;
            let (status, mut answer) = self.send(method, path, query, body.clone(), Some(jwt)).await?;
            if status == 401 && attempt < 4 {
                continue;
            }
            if status != 200 {
                return Err(format!("{} {path}: HTTP {status}, {answer}", method.as_str()).into());
            }
            return Ok(answer.pointer_mut("/result/value").map(Value::take).unwrap_or_default());
        }
        Err("the observer's login does not last".into())
    }

    async fn login(&self, anew: bool) -> Result<Arc<SecretString>, Broken> {
        let mut held = self.jwt.lock().await;
        if let (Some(jwt), false) = (&*held, anew) {
            return Ok(Arc::clone(jwt));
        }
        let (username, password) = ADMIN;
        let body = json!({"username": username, "password": password});
        let (status, answer) = self.send(Method::Post, "/auth", &[], Some(body), None).await?;
        let token = answer.pointer("/result/value/token").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("the observer cannot log in: HTTP {status}"))?;
        Ok(Arc::clone(held.insert(Arc::new(SecretString::copy_of(token)))))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&'static str, &str)],
        body: Option<Value>,
        authorization: Option<Arc<SecretString>>,
    ) -> Result<(u16, Value), Broken> {
        let request = HttpRequest {
            method,
            path: path.to_owned(),
            template: "",
            query: query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            authorization,
            body: body.map(|body| Arc::new(SecretBytes::new(body.to_string().into_bytes()))),
        };
        let response = self.https.send(request).await.map_err(|error| format!("{path}: {error}"))?;
        let answer = serde_json::from_slice(response.body.reveal()).unwrap_or_default();
        Ok((response.status, answer))
    }
}
