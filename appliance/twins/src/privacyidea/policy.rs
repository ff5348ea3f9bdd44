//! Policies: what they hold and when they match.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Version;
use super::params::{Params, python_str};

/// One policy. An empty list of realms, users or administrators means "all".
#[derive(Clone, Debug)]
pub struct Policy {
    /// `admin`, `enrollment`, `authentication` …
    pub scope: String,
    /// Its actions. An action without a value has `None`.
    pub actions: BTreeMap<String, Option<String>>,
    /// Whether it counts.
    pub active: bool,
    /// The administrators it is about.
    pub adminuser: Vec<String>,
    /// The realms it is about.
    pub realm: Vec<String>,
    /// The users it is about.
    pub user: Vec<String>,
    /// Its row in the server's database.
    pub(super) number: u64,
}

/// Whom a question to the policies is about.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) admin: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) realm: Option<&'a str>,
}

impl Policy {
    pub(super) fn from_params(params: &Params, version: Version) -> Self {
        // Before 3.14, `false` and 0 were taken for "not said".
        let said = if version.is_3_14() { params.has("active") } else { params.has_value("active") };
        let actions = match params.0.get("action") {
            Some(Value::Object(map)) => map
                .iter()
                .filter(|(_, value)| **value != Value::Bool(false))
                .map(|(name, value)| (name.clone(), (*value != Value::Bool(true)).then(|| python_str(value))))
                .collect(),
            Some(Value::Array(list)) => {
                list.iter().flat_map(|v| actions(&python_str(v)).collect::<Vec<_>>()).collect()
            }
            Some(other) => actions(&python_str(other)).collect(),
            None => BTreeMap::new(),
        };
        Self {
            scope: params.text("scope").unwrap_or_default(),
            actions,
            active: !said || params.is_true("active"),
            adminuser: list(params, "adminuser"),
            realm: list(params, "realm"),
            user: list(params, "user"),
            number: 0,
        }
    }

    fn matches(&self, scope: &str, about: About<'_>) -> bool {
        let within = |list: &[String], one: Option<&str>| {
            list.is_empty() || one.is_some_and(|o| list.iter().any(|l| l.eq_ignore_ascii_case(o)))
        };
        self.active
            && self.scope == scope
            && within(&self.realm, about.realm)
            && within(&self.user, about.user)
            && (scope != "admin"
                || self.adminuser.is_empty()
                || self.adminuser.iter().any(|a| a == about.admin))
    }

    /// The policy as `GET /policy/` shows it.
    pub(super) fn shown(&self, name: &str, version: Version) -> Value {
        let action: Map<String, Value> = self
            .actions
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().map_or(Value::Bool(true), Value::String)))
            .collect();
        let mut shown = json!({
            "name": name, "active": self.active, "scope": self.scope, "action": action,
            "adminuser": self.adminuser, "adminrealm": [], "realm": self.realm, "resolver": [],
            "user": self.user, "client": [], "time": "", "conditions": [],
            "priority": 1, "check_all_resolvers": false,
        });
        if let Value::Object(fields) = &mut shown {
            fields.insert(if version.is_edumfa() { "edumfanode" } else { "pinode" }.into(), json!([]));
        }
        if let (true, Value::Object(fields)) = (version.is_recent(), &mut shown) {
            fields.insert("description".into(), Value::Null);
            fields.insert("user_case_insensitive".into(), false.into());
            fields.insert("user_agents".into(), json!([]));
        }
        shown
    }
}

/// `a=b, c` → (a, b), (c, none).
pub(super) fn actions(text: &str) -> impl Iterator<Item = (String, Option<String>)> + '_ {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        None => (part.to_owned(), None),
    })
}

fn list(params: &Params, name: &str) -> Vec<String> {
    match params.0.get(name) {
        Some(Value::Array(list)) => list.iter().map(python_str).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => {
            python_str(other).split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()
        }
    }
}

/// All policies of a server, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies(pub(super) BTreeMap<String, Policy>);

impl Policies {
    /// Add or replace a policy. Gives its row, which is the first free one after the last.
    pub(super) fn insert(&mut self, name: &str, policy: Policy) -> u64 {
        let next = self.0.values().map(|p| p.number).max().unwrap_or(0) + 1;
        let number = self.0.get(name).map_or(next, |known| known.number);
        self.0.insert(name.into(), Policy { number, ..policy });
        number
    }

    /// Whether the scope `admin` is a white list.
    fn guarded(&self) -> bool {
        self.0.values().any(|policy| policy.active && policy.scope == "admin")
    }

    /// Whether an administrator may do something.
    pub(super) fn allows(&self, action: &str, about: About<'_>) -> bool {
        !self.guarded() || self.has("admin", action, about)
    }

    /// Whether a policy of this scope sets this action.
    pub(super) fn has(&self, scope: &str, action: &str, about: About<'_>) -> bool {
        self.0.values().any(|policy| policy.actions.contains_key(action) && policy.matches(scope, about))
    }

    /// The value that a policy of this scope gives an action.
    pub(super) fn value(&self, scope: &str, action: &str, about: About<'_>) -> Option<&str> {
        self.0
            .values()
            .filter(|policy| policy.matches(scope, about))
            .find_map(|policy| policy.actions.get(action)?.as_deref())
    }

    /// The rights of an administrator, as a login shows them.
    pub(super) fn rights(&self, version: Version, about: About<'_>) -> Vec<&'static str> {
        let all = version.recorded().rights.iter().map(String::as_str);
        all.filter(|right| self.allows(right, about)).collect()
    }
}
