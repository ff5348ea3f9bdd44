//! Users and realms.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Envelope, Json, Malformed};
use crate::error::Error;
use crate::http::Transport;
use crate::names::User;

/// A user as a resolver knows them. Texts are empty where it knows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRecord {
    /// The login name.
    pub username: String,
    /// The realm; where the server does not say (before privacyIDEA 3.14), the one that was asked for.
    pub realm: String,
    /// The resolver.
    pub resolver: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub surname: String,
    /// Mail address.
    pub email: String,
}

impl UserRecord {
    /// The same user as a parameter of other calls.
    pub fn user(&self) -> User {
        let filled = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        User { login: self.username.clone(), realm: filled(&self.realm), resolver: filled(&self.resolver) }
    }
}

/// A realm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Realm {
    /// Its name.
    pub name: String,
    /// Whether it is the default one.
    pub default: bool,
    /// The names of its resolvers.
    pub resolvers: Vec<String>,
}

/// The answer to a search for users.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UserSearch {
    /// Those who were found. The server may have cut the list without a word (an SQL resolver at 100, an
    /// LDAP resolver at 500, as they are by default).
    pub users: Vec<UserRecord>,
    /// The resolvers that did not answer. Only privacyIDEA 3.14 tells; others leave their users out in silence.
    pub skipped: Vec<String>,
}

fn user_search(envelope: &Envelope<'_>) -> Result<UserSearch, Malformed> {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        skipped_resolvers: Option<Json<'a>>,
    }
    let detail =
        envelope.detail.as_ref().and_then(|detail| detail.read::<Option<Detail<'_>>>().ok().flatten());
    let skipped = detail.and_then(|detail| detail.skipped_resolvers?.read::<Vec<String>>().ok());
    Ok(UserSearch { users: user_list(envelope)?, skipped: skipped.unwrap_or_default() })
}

fn user_list(envelope: &Envelope<'_>) -> Result<Vec<UserRecord>, Malformed> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        username: String,
        #[serde(borrow)]
        realm: Option<Json<'a>>,
        #[serde(borrow)]
        resolver: Option<Json<'a>>,
        #[serde(borrow)]
        givenname: Option<Json<'a>>,
        #[serde(borrow)]
        surname: Option<Json<'a>>,
        #[serde(borrow)]
        email: Option<Json<'a>>,
    }
    // A directory may hold a list, a number or null in any of these.
    let text = |json: Option<Json<'_>>| json.and_then(Json::ok::<String>).unwrap_or_default();
    let list: Vec<Wire<'_>> = envelope.read()?;
    Ok(list
        .into_iter()
        .map(|wire| UserRecord {
            username: wire.username,
            realm: text(wire.realm),
            resolver: text(wire.resolver),
            given_name: text(wire.givenname),
            surname: text(wire.surname),
            email: text(wire.email),
        })
        .collect())
}

fn realm_list(envelope: &Envelope<'_>) -> Result<Vec<Realm>, Malformed> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        default: Option<Json<'a>>,
        #[serde(borrow)]
        resolver: Option<Json<'a>>,
    }
    #[derive(Deserialize)]
    struct Resolver {
        name: String,
    }
    // Some versions answer with a list or null where there is no realm.
    let Some(value) = envelope.value().filter(|value| value.is_object()) else { return Ok(Vec::new()) };
    let map: BTreeMap<String, Wire<'_>> = value.read()?;
    Ok(map
        .into_iter()
        .map(|(name, wire)| Realm {
            name,
            default: wire.default.and_then(Json::ok).unwrap_or(false),
            resolvers: wire
                .resolver
                .and_then(Json::ok::<Vec<Resolver>>)
                .unwrap_or_default()
                .into_iter()
                .map(|r| r.name)
                .collect(),
        })
        .collect())
}

impl<T: Transport> Client<T> {
    /// The users of a realm whose name matches; `*` stands for anything. A
    /// realm that does not exist has none, which is no error. Needs the right
    /// `userlist`.
    pub async fn users(&self, realm: &str, username: &str) -> Result<Vec<UserRecord>, Error> {
        let call = Call::get("/user/", &[]).query("realm", Some(realm)).query("username", Some(username));
        let mut users = self.call(call, user_list).await?;
        for user in users.iter_mut().filter(|user| user.realm.is_empty()) {
            realm.clone_into(&mut user.realm);
        }
        Ok(users)
    }

    /// The same, and which resolvers did not answer.
    pub async fn search_users(&self, realm: &str, username: &str) -> Result<UserSearch, Error> {
        let call = Call::get("/user/", &[]).query("realm", Some(realm)).query("username", Some(username));
        let mut search = self.call(call, user_search).await?;
        for user in search.users.iter_mut().filter(|user| user.realm.is_empty()) {
            realm.clone_into(&mut user.realm);
        }
        Ok(search)
    }

    /// All realms.
    pub async fn realms(&self) -> Result<Vec<Realm>, Error> {
        self.call(Call::get("/realm/", &[]), realm_list).await
    }
}
