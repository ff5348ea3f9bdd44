//! The server's own record of what was done.

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Envelope, Json, Malformed};
use crate::error::Error;
use crate::http::Transport;

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditLine {
    /// Its number.
    pub number: Option<u64>,
    /// When, as the server writes it.
    pub date: String,
    /// Method and path.
    pub action: String,
    /// Whether it worked.
    pub success: bool,
    /// The serial it was about.
    pub serial: String,
    /// Who did it.
    pub administrator: String,
    /// From where.
    pub client: String,
}

fn lines(envelope: &Envelope<'_>) -> Result<Vec<AuditLine>, Malformed> {
    #[derive(Deserialize)]
    struct Value<'a> {
        #[serde(borrow)]
        auditdata: Vec<Wire<'a>>,
    }
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        number: Option<Json<'a>>,
        #[serde(borrow)]
        date: Option<Json<'a>>,
        #[serde(borrow)]
        action: Option<Json<'a>>,
        #[serde(borrow)]
        success: Option<Json<'a>>,
        #[serde(borrow)]
        serial: Option<Json<'a>>,
        #[serde(borrow)]
        administrator: Option<Json<'a>>,
        #[serde(borrow)]
        client: Option<Json<'a>>,
    }
    let text = |json: Option<Json<'_>>| json.and_then(Json::ok::<String>).unwrap_or_default();
    let value: Value<'_> = envelope.read()?;
    Ok(value
        .auditdata
        .into_iter()
        .map(|wire| AuditLine {
            number: wire.number.and_then(Json::ok),
            date: text(wire.date),
            action: text(wire.action),
            success: wire.success.and_then(Json::ok::<u64>) == Some(1),
            serial: text(wire.serial),
            administrator: text(wire.administrator),
            client: text(wire.client),
        })
        .collect())
}

impl<T: Transport> Client<T> {
    /// The latest lines about an action and a serial; both may contain `*`.
    /// Needs the right `auditlog`.
    pub async fn audit(
        &self,
        action: &str,
        serial: Option<&str>,
        most: u32,
    ) -> Result<Vec<AuditLine>, Error> {
        let call = Call::get("/audit/", &[])
            .query("action", Some(action))
            .query("serial", serial)
            .query("page_size", Some(most.to_string()))
            .query("sortorder", Some("desc"));
        self.call(call, lines).await
    }
}
