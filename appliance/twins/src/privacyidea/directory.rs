//! Users, realms, policies and containers.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::params::Params;
use super::people::{REALM, RESOLVER, USERS, User, crowd, matches};
use super::policy::{About, Policy};
use super::session::Session;
use super::token::Token;

/// A box that holds tokens: for instance the ones of one YubiKey.
#[derive(Clone, Debug)]
pub(super) struct Container {
    kind: String,
    description: String,
    created: String,
    user: Option<&'static User>,
    realms: Vec<String>,
}

impl ServerTwin {
    /// Lets so many people more be in the realm, at most 1000.
    pub fn invite(&mut self, people: usize) {
        self.crowd = people;
    }

    /// Makes a realm of its own, with a resolver of the same name, for people with these logins.
    pub fn settle(&mut self, realm: &str, logins: &[String]) {
        let realm: &'static str = realm.to_lowercase().leak();
        let first = 40_000 + u32::try_from(self.guests.len()).unwrap_or(0);
        let uids = first..;
        self.guests.extend(logins.iter().zip(uids).map(|(login, uid)| User::guest(login, realm, uid)));
        self.realms.push(realm);
    }

    /// Cuts lists of people at so many, without a word, as SQL and LDAP resolvers do.
    pub fn limit_lists(&mut self, most: usize) {
        self.most_listed = Some(most);
    }

    /// The directories do not answer, or answer again. Whoever is in them is known to nobody then.
    pub fn directories_away(&mut self, away: bool) {
        self.away = away;
    }

    fn everybody(&self) -> impl Iterator<Item = &'static User> {
        let usual = USERS.iter().chain(crowd(self.crowd));
        usual.chain(self.guests.iter().copied()).filter(|_| !self.away)
    }

    fn known(&self, login: &str, realm: &str) -> Option<&'static User> {
        self.everybody().find(|user| user.login == login && user.realm == realm)
    }

    /// The owner of a token, as far as a directory knows one.
    pub(super) fn owner(&self, token: &Token) -> Option<&'static User> {
        self.known(token.user.as_deref()?, &token.user_realm)
    }

    pub(super) fn realm_is_known(&self, realm: &str) -> bool {
        realm.eq_ignore_ascii_case(REALM) || self.realms.contains(&realm.to_lowercase().as_str())
    }

    /// A name divided at its last `@`, where a realm stands behind it (`split_user`).
    fn divided<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        name.rsplit_once('@').filter(|(_, realm)| self.realm_is_known(realm))
    }

    /// The user that the parameters name. `None` if they name none.
    pub(super) fn user_of(&self, params: &Params) -> Result<Option<&'static User>, Refusal> {
        let Some(name) = params.filled("user") else { return Ok(None) };
        let (login, realm) = self.who(&name, params);
        match self.known(login, &realm.to_lowercase()) {
            Some(user) => Ok(Some(user)),
            None => Err(Refusal::numbered(904, "The user can not be found in any resolver in this realm!")),
        }
    }

    /// Login and realm as the server takes them. A realm of its own overrides the one in the name, which is
    /// taken off all the same; so is what stands before a backslash.
    fn who<'a>(&self, name: &'a str, params: &Params) -> (&'a str, String) {
        let name = name.trim();
        let (login, realm) = match (self.divided(name), name.contains('@')) {
            (Some((login, realm)), _) => (login, Some(realm)),
            (None, true) => (name, None),
            (None, false) => {
                name.rsplit_once('\\').map_or((name, None), |(realm, login)| (login, Some(realm)))
            }
        };
        let realm = params.filled("realm").or_else(|| realm.map(str::to_owned));
        (login, realm.unwrap_or_else(|| REALM.to_owned()))
    }

    /// What the policy check of 3.14 says of a name and a realm that do not go together: it divides at `@` alone,
    /// and lets what it finds override `realm`. Older servers take the name apart and say nothing.
    pub(super) fn check_spelling(&self, params: &Params) -> Result<(), Refusal> {
        let Some(name) = params.filled("user").filter(|_| self.version().is_3_14()) else { return Ok(()) };
        let (login, realm) = self.who(&name, params);
        let passed = self.divided(name.trim());
        let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
        let fits = match passed {
            Some((user, at)) => same(user, login) && same(at, &realm),
            None => same(&name, login),
        };
        if fits { Ok(()) } else { Err(Refusal::parameter("Cannot pass user_object as well as user")) }
    }

    /// `GET /user/`.
    pub(super) fn users(&self, params: &Params, session: &Session) -> Answer {
        self.need("userlist", session)?;
        let realm = params.filled("realm");
        if realm.as_ref().is_some_and(|realm| !self.realm_is_known(realm)) {
            return Ok(Reply::of(json!([])));
        }
        if self.away {
            let names = [RESOLVER].into_iter().chain(self.realms.iter().copied());
            let skipped =
                Map::from_iter([("skipped_resolvers".to_owned(), json!(names.collect::<Vec<_>>()))]);
            let detail = self.version().is_3_14().then_some(skipped);
            return Ok(Reply { detail, ..Reply::of(json!([])) });
        }
        // What a password file can be searched by, and what it cannot.
        if params.has_value("email") {
            return Ok(Reply::of(json!([])));
        }
        if ["mobile", "phone", "givenname", "surname"].iter().any(|field| params.has_value(field)) {
            let skipped = Map::from_iter([("skipped_resolvers".to_owned(), json!([RESOLVER]))]);
            let detail = self.version().is_3_14().then_some(skipped);
            return Ok(Reply { detail, ..Reply::of(json!([])) });
        }
        let pattern =
            params.filled("username").or_else(|| params.filled("user")).unwrap_or_else(|| "*".into());
        let of_realm =
            |user: &&User| realm.as_ref().is_none_or(|realm| realm.eq_ignore_ascii_case(user.realm));
        let found = self.everybody().filter(of_realm).filter(|user| matches(&pattern, user.login));
        let found = found.take(self.most_listed.unwrap_or(usize::MAX));
        Ok(Reply::of(found.map(|user| user.shown(self.version())).collect::<Vec<_>>()))
    }

    /// `GET /realm/` and `GET /defaultrealm`.
    pub(super) fn realms(&self, default_only: bool) -> Answer {
        let shown = |id: usize, resolver: &str| {
            let resolver = if self.version().is_recent() {
                json!({"name": resolver, "node": "", "priority": null, "type": "passwdresolver"})
            } else {
                json!({"name": resolver, "priority": null, "type": "passwdresolver"})
            };
            let mut realm = json!({"default": id == 1, "id": id, "resolver": [resolver]});
            if let (false, Value::Object(fields)) = (self.version().is_recent(), &mut realm) {
                fields.insert("option".into(), "".into());
            }
            realm
        };
        let mut realms = Map::new();
        realms.insert(REALM.to_owned(), shown(1, RESOLVER));
        if !default_only {
            realms.extend((2..).zip(&self.realms).map(|(id, realm)| ((*realm).to_owned(), shown(id, realm))));
        }
        Ok(Reply::of(Value::Object(realms)))
    }

    /// `GET /policy/` and `GET /policy/<name>`.
    pub(super) fn policies_shown(&self, name: Option<&str>, session: &Session) -> Answer {
        self.need("policyread", session)?;
        let mut wanted: Vec<_> =
            self.policies.0.iter().filter(|(known, _)| name.is_none_or(|name| name == *known)).collect();
        wanted.sort_by_key(|(_, policy)| policy.number);
        let shown = wanted.into_iter().map(|(name, policy)| policy.shown(name, self.version()));
        Ok(Reply::of(shown.collect::<Vec<_>>()))
    }

    /// `GET /policy/defs/admin`: the type of every admin action.
    pub(super) fn policy_definitions(&self, session: &Session) -> Answer {
        self.need("policyread", session)?;
        let actions = self.version().recorded().admin_actions.iter();
        let map: Map<String, Value> =
            actions.map(|(name, kind)| (name.clone(), json!({"type": kind}))).collect();
        Ok(Reply::of(Value::Object(map)))
    }

    /// `POST /policy/<name>`.
    pub(super) fn policy_write(&mut self, name: &str, params: &Params, session: &Session) -> Answer {
        self.need("policywrite", session)?;
        if params.filled("scope").is_none() || !params.has("action") {
            return Err(Refusal::parameter("Missing parameter: 'scope' or 'action'"));
        }
        if !self.version().is_recent() && !params.has("realm") {
            return Err(Refusal::parameter("Missing parameter: 'realm'"));
        }
        let number = self.policies.insert(name, Policy::from_params(params, self.version()));
        let mut value = Map::new();
        value.insert(format!("setPolicy {name}"), number.into());
        Ok(Reply::of(Value::Object(value)))
    }

    /// `DELETE /policy/<name>`.
    pub(super) fn policy_delete(&mut self, name: &str, session: &Session) -> Answer {
        self.need("policydelete", session)?;
        match self.policies.0.remove(name) {
            Some(policy) => Ok(Reply::of(policy.number)),
            None => Err(Refusal::not_found("The requested Policy could not be found.")),
        }
    }

    pub(super) fn need(&self, right: &str, session: &Session) -> Result<(), Refusal> {
        if self.policies.allows(right, session.about()) {
            return Ok(());
        }
        Err(Refusal::policy(&format!("Admin actions are defined, but the action {right} is not allowed!")))
    }

    /// `GET /container/types`.
    pub(super) fn container_types(&self) -> Answer {
        Ok(Reply::of(Value::Object(self.version().recorded().container_types.clone())))
    }

    /// `POST /container/init`.
    pub(super) fn container_init(&mut self, params: &Params, session: &Session, now: Duration) -> Answer {
        self.need("container_create", session)?;
        let user = self.user_of(params)?;
        let kind =
            params.filled("type").ok_or_else(|| Refusal::numbered(404, "Missing parameter: 'type'"))?;
        if !self.version().recorded().container_types.contains_key(&kind.to_lowercase()) {
            return Err(Refusal::numbered(404, "This container type is not known"));
        }
        let serial = match params.filled("container_serial") {
            Some(serial) => serial,
            None => format!("CONT{}", self.rng.text("0123456789ABCDEF", 8)),
        };
        if self.containers.contains_key(&serial) {
            return Err(Refusal::numbered(404, &format!("Container with serial {serial} already exists!")));
        }
        let container = Container {
            kind: kind.to_lowercase(),
            description: params.text("description").unwrap_or_default(),
            created: super::clock::iso(now),
            user,
            realms: user.map(|user| user.realm.into()).into_iter().collect(),
        };
        self.containers.insert(serial.clone(), container);
        Ok(Reply::of(json!({"container_serial": serial})))
    }

    /// `GET /container/`.
    pub(super) fn container_list(&self, params: &Params, session: &Session) -> Answer {
        self.need("container_list", session)?;
        let pattern = params.filled("container_serial");
        let fits = |serial: &str| pattern.as_ref().is_none_or(|p| matches(p, serial));
        let found = self.containers.iter().filter(|(serial, _)| fits(serial));
        let shown: Vec<Value> =
            found.map(|(serial, container)| self.container_shown(serial, container)).collect();
        Ok(Reply::of(json!({"containers": shown})))
    }

    fn container_shown(&self, serial: &str, container: &Container) -> Value {
        let held = self.tokens.values().filter(|token| token.container.as_deref() == Some(serial));
        let users = container.user.map(|user| {
            json!({"user_name": user.login, "user_realm": user.realm, "user_resolver": user.resolver, "user_id": user.uid.to_string()})
        });
        json!({
            "serial": serial, "type": container.kind, "description": container.description,
            "info": {"creation_date": container.created}, "internal_info_keys": ["creation_date"],
            "last_authentication": null, "last_synchronization": null, "realms": container.realms,
            "states": ["active"], "template": "", "users": users.into_iter().collect::<Vec<_>>(),
            "tokens": held.map(|token| token.shown(self.version(), self.owner(token))).collect::<Vec<_>>(),
        })
    }

    /// `DELETE /container/<serial>`. Its tokens stay.
    pub(super) fn container_delete(&mut self, serial: &str, session: &Session) -> Answer {
        self.need("container_delete", session)?;
        self.containers.remove(serial).ok_or_else(|| no_container(serial))?;
        for token in self.tokens.values_mut().filter(|token| token.container.as_deref() == Some(serial)) {
            token.container = None;
        }
        Ok(Reply::of(true))
    }

    /// `POST /container/<serial>/add` and `…/remove`.
    pub(super) fn container_move(
        &mut self,
        serial: &str,
        add: bool,
        params: &Params,
        session: &Session,
    ) -> Answer {
        self.need(if add { "container_add_token" } else { "container_remove_token" }, session)?;
        let holder = self.containers.get(serial).ok_or_else(|| no_container(serial))?.kind.clone();
        let name =
            params.filled("serial").ok_or_else(|| Refusal::parameter("Missing parameter: 'serial'"))?;
        let fits = self.tokens.get(&name).is_some_and(|token| self.fits_into(&holder, &token.kind));
        let token = self.tokens.get_mut(&name);
        let token = token.ok_or_else(|| Refusal::not_found("The requested token could not be found."))?;
        if add {
            if !fits {
                return Err(Refusal::parameter("This token type does not fit into this container"));
            }
            let moved = token.container.as_deref() != Some(serial);
            token.container = Some(serial.into());
            return Ok(Reply::of(moved));
        }
        let held = token.container.as_deref() == Some(serial);
        if held {
            token.container = None;
        }
        Ok(Reply::of(held))
    }

    fn fits_into(&self, holder: &str, kind: &str) -> bool {
        let types = self.version().recorded().container_types.get(holder).and_then(|t| t.get("token_types"));
        types.and_then(Value::as_array).is_some_and(|list| list.iter().any(|t| t == kind))
    }

    /// `container_serial` of `/token/init`. Where the container does not exist or
    /// the right is missing, nothing says so.
    pub(super) fn put_into_container(
        &self,
        token: &mut Token,
        params: &Params,
        detail: &mut Map<String, Value>,
        about: About<'_>,
    ) -> Result<(), Refusal> {
        let Some(serial) = params.filled("container_serial") else { return Ok(()) };
        let Some(container) = self.containers.get(&serial) else { return Ok(()) };
        if !self.policies.allows("container_add_token", about) {
            return Ok(());
        }
        if !self.fits_into(&container.kind, &token.kind) {
            return Err(Refusal::parameter("This token type does not fit into this container"));
        }
        token.container = Some(serial.clone());
        detail.insert("container_serial".into(), serial.into());
        Ok(())
    }
}

fn no_container(serial: &str) -> Refusal {
    Refusal::not_found(&format!("Unable to find container with serial {serial}."))
}
