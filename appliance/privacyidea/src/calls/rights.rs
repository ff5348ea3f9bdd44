//! Questions about the server and the login.

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::clock::Skew;
use crate::envelope::{self, Answer, Malformed};
use crate::error::{Error, ServerError};
use crate::http::Transport;
use crate::server::Server;

/// What a server says without a login.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// Product and version, unless hidden.
    pub server: Option<Server>,
    /// How far its clock is ahead.
    pub skew: Option<Skew>,
}

/// What `GET /healthz/` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It serves, and its security module does.
    Ready,
    /// It runs, and does not serve yet.
    NotReady,
    /// This server has no such call: privacyIDEA before 3.13 and eduMFA.
    NotTold,
}

impl<T: Transport> Client<T> {
    /// Whether a server of this kind answers at all: a question without a
    /// login, whose proper answer is a refusal (401, code 4033).
    pub async fn probe(&self) -> Result<Probe, Error> {
        let response = self.exchange(&Call::get("/token/", &[]).without_login(), None).await?;
        let (status, retry_after) = (response.status, response.retry_after);
        let envelope = envelope::parse(response.body.reveal()).map_err(|fault| Error::Garbled {
            status,
            fault,
            retry_after,
        })?;
        match envelope.answer {
            Answer::Error { code, message } if status >= 500 || status == 429 => {
                Err(Error::Server(ServerError { status, code: code.into(), message, retry_after }))
            }
            _ => Ok(Probe { server: self.server(), skew: self.skew() }),
        }
    }

    /// Whether the server says of itself that it is ready.
    pub async fn health(&self) -> Result<Health, Error> {
        #[derive(Deserialize)]
        struct Value {
            status: String,
        }
        let response = self.exchange(&Call::get("/healthz/", &[]).without_login(), None).await?;
        let (status, retry_after) = (response.status, response.retry_after);
        if status == 404 {
            return Ok(Health::NotTold);
        }
        let garbled = |fault| Error::Garbled { status, fault, retry_after };
        let envelope = envelope::parse(response.body.reveal()).map_err(garbled)?;
        match &envelope.answer {
            Answer::Error { code, message } => Err(Error::Server(ServerError {
                status,
                code: (*code).into(),
                message: message.clone(),
                retry_after,
            })),
            // Not ready comes as a success under 503.
            Answer::Value(_) if status == 503 => Ok(Health::NotReady),
            Answer::Value(_) => match envelope.read::<Value>() {
                Ok(value) if value.status == "ready" => Ok(Health::Ready),
                Ok(_) => Ok(Health::NotReady),
                Err(_) => Err(garbled(Malformed::Shape)),
            },
        }
    }
}
