//! Policies, for reading.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Envelope, Json, Malformed};
use crate::error::Error;
use crate::http::Transport;
use crate::secret::SecretString;

/// A policy. Its actions may hold secrets (`yubikey_access_code`), so there
/// is no `Debug`.
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Where it acts (`admin`, `enrollment`, `authentication` …).
    pub scope: String,
    /// Whether it is in force.
    pub active: bool,
    /// The realms of the users that it is about; empty for all, and for tokens of nobody.
    pub realms: Vec<String>,
    /// The users that it is about; empty as with the realms.
    pub users: Vec<String>,
    actions: BTreeMap<String, SecretString>,
}

impl Policy {
    /// The value of an action: `true` as text for one that is just set.
    pub fn action(&self, name: &str) -> Option<&SecretString> {
        self.actions.get(name)
    }

    /// The names of its actions.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }
}

fn policy_list(envelope: &Envelope<'_>) -> Result<Vec<Policy>, Malformed> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        name: String,
        scope: String,
        #[serde(borrow)]
        active: Option<Json<'a>>,
        #[serde(borrow)]
        action: Option<Json<'a>>,
        #[serde(borrow)]
        realm: Option<Json<'a>>,
        #[serde(borrow)]
        user: Option<Json<'a>>,
    }
    let names = |json: Option<Json<'_>>| json.and_then(Json::ok::<Vec<String>>).unwrap_or_default();
    let list: Vec<Wire<'_>> = envelope.read()?;
    list.into_iter()
        .map(|wire| {
            let mut actions = BTreeMap::new();
            if let Some(map) = wire.action.filter(|a| a.is_object()) {
                for (name, value) in map.read::<BTreeMap<String, Json<'_>>>()? {
                    let value = value.secret().or_else(|_| value.literal())?;
                    actions.insert(name, value);
                }
            }
            let active = wire.active.and_then(Json::ok).unwrap_or(false);
            let (realms, users) = (names(wire.realm), names(wire.user));
            Ok(Policy { name: wire.name, scope: wire.scope, active, realms, users, actions })
        })
        .collect()
}

impl<T: Transport> Client<T> {
    /// All policies. Needs the right `policyread`. They are the only way to learn the access code that the server has for
    /// YubiKeys (`yubikey_access_code` in scope enrollment).
    pub async fn policies(&self) -> Result<Vec<Policy>, Error> {
        self.call(Call::get("/policy/", &[]), policy_list).await
    }
}
