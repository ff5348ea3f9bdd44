//! Containers: several tokens in one thing. privacyIDEA 3.13 and 3.14 have them;
//! from 3.9 and eduMFA come errors that are [`Error::is_unsupported`].

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::body::Object;
use crate::call::Call;
use crate::calls::init::owner_fields;
use crate::calls::tokens::changed;
use crate::client::Client;
use crate::error::{Error, Invalid};
use crate::http::Transport;
use crate::names::{Description, Serial, User};

/// A type of container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ContainerType {
    /// The server's text for it.
    #[serde(default)]
    pub description: String,
    /// The token types it can hold.
    #[serde(default)]
    pub token_types: Vec<String>,
}

impl<T: Transport> Client<T> {
    /// The types of containers by name (`generic`, `smartphone`, `yubikey`).
    pub async fn container_types(&self) -> Result<BTreeMap<String, ContainerType>, Error> {
        self.call(Call::get("/container/types", &[]), |envelope| envelope.read()).await
    }

    /// Makes a container and returns its serial, which the server makes up if
    /// none is given. One that exists is refused with 404 under HTTP 400.
    pub async fn init_container(
        &self,
        kind: &str,
        serial: Option<&Serial>,
        description: &Description,
        owner: Option<&User>,
    ) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Value {
            container_serial: String,
        }
        if kind.is_empty() {
            return Err(Invalid::Missing("the container's type").into());
        }
        let mut body = Object::new()
            .text("type", kind)
            .maybe("container_serial", serial.map(Serial::as_str))
            .text("description", description.as_str());
        if let Some(owner) = owner {
            owner.check()?;
            body = owner_fields(body, owner);
        }
        let value: Value =
            self.call(Call::post("/container/init", &[], body), |envelope| envelope.read()).await?;
        Ok(value.container_serial)
    }

    /// Puts a token into a container.
    pub async fn add_to_container(&self, container: &Serial, token: &Serial) -> Result<bool, Error> {
        let body = Object::new().text("serial", token.as_str());
        self.call(Call::post("/container/{serial}/add", &[container.as_str()], body), changed).await
    }

    /// Deletes a container. Its tokens stay.
    pub async fn delete_container(&self, container: &Serial) -> Result<bool, Error> {
        self.call(Call::delete("/container/{serial}", &[container.as_str()]), changed).await
    }
}
