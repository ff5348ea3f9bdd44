//! Which call a path and a method are, and who may make it.

use std::time::Duration;

use serde_json::{Value, json};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::params::{BadBody, Params, decode};
use super::session::Session;
use super::wire::Request;

/// A call, with what its path holds.
enum Call {
    Login,
    Rights,
    Init,
    List,
    Act(String, Option<String>),
    Delete(String),
    Info(String, String),
    SerialOf(String),
    Users,
    Realms,
    DefaultRealm,
    Policies(Option<String>),
    PolicyDefinitions,
    Policy(String),
    ContainerTypes,
    ContainerInit,
    Containers,
    ContainerDelete(String),
    ContainerMove(String, bool),
    Check,
    Audit,
    Health(&'static str),
}

impl Call {
    /// What the server's audit log calls it, and the serial in its path.
    fn name(&self) -> (String, Option<String>) {
        let known = |name: &str| (name.to_owned(), None);
        match self {
            Self::Login => known("/auth"),
            Self::Rights => known("/auth/rights"),
            Self::Init => known("/token/init"),
            Self::List => known("/token/"),
            Self::Act(verb, None) => (format!("/token/{verb}"), None),
            Self::Act(verb, serial) => (format!("/token/{verb}/<serial>"), serial.clone()),
            Self::Delete(serial) => ("/token/<serial>".into(), Some(serial.clone())),
            Self::Info(serial, _) => ("/token/info/<serial>/<key>".into(), Some(serial.clone())),
            Self::SerialOf(_) => known("/token/getserial/<otp>"),
            Self::Users => known("/user/"),
            Self::Realms => known("/realm/"),
            Self::DefaultRealm => known("/defaultrealm"),
            Self::Policies(None) => known("/policy/"),
            Self::Policies(Some(_)) | Self::Policy(_) | Self::PolicyDefinitions => known("/policy/<name>"),
            Self::ContainerTypes => known("/container/types"),
            Self::ContainerInit => known("/container/init"),
            Self::Containers => known("/container/"),
            Self::ContainerDelete(_) => known("/container/<container_serial>"),
            Self::ContainerMove(_, true) => known("/container/<container_serial>/add"),
            Self::ContainerMove(_, false) => known("/container/<container_serial>/remove"),
            Self::Check => known("/validate/check"),
            Self::Audit => known("/audit/"),
            Self::Health(_) => known("/healthz/"),
        }
    }
}

/// What can be done to a token by `POST /token/<verb>`.
const VERBS: [&str; 10] =
    ["enable", "disable", "revoke", "reset", "setpin", "description", "set", "assign", "unassign", "resync"];

impl ServerTwin {
    /// The answer, and whether the server knows who asked.
    pub(super) fn dispatch(&mut self, request: &Request, now: Duration) -> (Answer, bool) {
        let (call, params) = match self.read(request) {
            Ok(read) => read,
            Err(refusal) => return (Err(refusal), false),
        };
        match call {
            Call::Login => {
                let answer = self.login(&params, now);
                let known = answer.is_ok();
                (answer, known)
            }
            Call::Check => {
                let answer = self.check(&params, request, now);
                let accepted = matches!(&answer, Ok(reply) if reply.verdict == Some(true));
                let named = match &answer {
                    Ok(Reply { detail: Some(detail), .. }) => detail.get("serial").and_then(Value::as_str),
                    _ => None,
                };
                let serial = params.filled("serial").or(named.map(str::to_owned)).unwrap_or_default();
                let action = format!("{} /validate/check", request.method);
                let token = self.tokens.get(&serial);
                let kind = token.map_or(String::new(), |token| token.kind.clone());
                // Older servers do not look up whose token it is.
                let user = token.and_then(|token| token.user.clone()).filter(|_| self.version().is_3_14());
                self.note_about(action, &serial, (kind, user), "", accepted, now);
                (answer, false)
            }
            Call::Health(value) => {
                (Ok(Reply { anonymous: self.version().is_3_14(), ..Reply::of(health(value)) }), false)
            }
            call => match self.session(request, now) {
                Ok(session) if session.role == "admin" => {
                    let (name, told) = call.name();
                    let serial = told.or_else(|| params.filled("serial")).unwrap_or_default();
                    let before =
                        self.tokens.get(&serial).map(|token| (token.kind.clone(), token.user.clone()));
                    let answer = self.serve(call, request, params, &session, now);
                    let made = match &answer {
                        Ok(Reply { detail: Some(detail), .. }) => {
                            detail.get("serial").and_then(Value::as_str)
                        }
                        _ => None,
                    };
                    let serial = made.map_or(serial, str::to_owned);
                    let action = format!("{} {name}", request.method);
                    match before.filter(|_| !self.tokens.contains_key(&serial)) {
                        Some(gone) => {
                            self.note_about(action, &serial, gone, &session.name, answer.is_ok(), now)
                        }
                        None => self.note(action, &serial, &session.name, answer.is_ok(), now),
                    }
                    (answer, true)
                }
                // Self-service is not modelled: a station refuses such a login.
                Ok(_) => (Err(Refusal::unauthorised(4306, "You do not have the necessary role")), true),
                Err(refusal) => (Err(refusal), false),
            },
        }
    }

    fn read(&self, request: &Request) -> Result<(Call, Params), Refusal> {
        let call = self.route(request)?;
        let params = Params::of(request).map_err(|bad| match bad {
            BadBody::Malformed if self.version().is_3_14() => Refusal::Page(400, "Bad Request", None),
            BadBody::Malformed | BadBody::NotAnObject => Refusal::fault(),
        })?;
        Ok((call, params))
    }

    fn serve(
        &mut self,
        call: Call,
        request: &Request,
        mut params: Params,
        session: &Session,
        now: Duration,
    ) -> Answer {
        match call {
            Call::Rights => self.enrollable(session),
            Call::Init => self.init(params, session, now),
            Call::List => self.list(&params, session),
            Call::Act(verb, serial) => {
                if let Some(serial) = serial {
                    params.set("serial", serial);
                }
                self.act(&verb, &params, session, now)
            }
            Call::Delete(serial) => self.delete(&serial, session),
            Call::Info(serial, key) if request.method == "DELETE" => self.info(&serial, &key, None, session),
            Call::Info(serial, key) => {
                let value =
                    params.text("value").ok_or_else(|| Refusal::parameter("Missing parameter: 'value'"))?;
                self.info(&serial, &key, Some(value), session)
            }
            Call::SerialOf(otp) => self.serial_of(&otp, &params, session, now),
            Call::Audit => self.audit_list(&params, session),
            Call::Users => self.users(&params, session),
            Call::Realms => self.realms(false),
            Call::DefaultRealm => self.realms(true),
            Call::Policies(name) => self.policies_shown(name.as_deref(), session),
            Call::PolicyDefinitions => self.policy_definitions(session),
            Call::Policy(name) if request.method == "DELETE" => self.policy_delete(&name, session),
            Call::Policy(name) => self.policy_write(&name, &params, session),
            Call::ContainerTypes => self.container_types(),
            Call::ContainerInit => self.container_init(&params, session, now),
            Call::Containers => self.container_list(&params, session),
            Call::ContainerDelete(serial) => self.container_delete(&serial, session),
            Call::ContainerMove(serial, add) => self.container_move(&serial, add, &params, session),
            Call::Login | Call::Check | Call::Health(_) => Err(Refusal::NoRoute),
        }
    }

    fn route(&self, request: &Request) -> Result<Call, Refusal> {
        let path = decode(&request.path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
        let recent = self.version().is_recent();
        let text = |part: &str| part.to_owned();
        let call = match (method, parts.as_slice()) {
            ("POST" | "GET", ["validate", "check"]) => Call::Check,
            ("POST", ["auth"]) => Call::Login,
            ("GET", ["auth", "rights"]) => Call::Rights,
            ("POST", ["token", "init"]) => Call::Init,
            ("GET", ["token", ""]) => Call::List,
            ("POST", ["token", verb]) if VERBS.contains(verb) => Call::Act(text(verb), None),
            ("POST", ["token", verb, serial])
                if VERBS.contains(verb) && *verb != "assign" && *verb != "unassign" =>
            {
                Call::Act(text(verb), Some(text(serial)))
            }
            ("POST" | "DELETE", ["token", "info", serial, key]) => Call::Info(text(serial), text(key)),
            ("GET", ["token", "getserial", otp]) => Call::SerialOf(text(otp)),
            ("DELETE", ["token", serial]) if !serial.is_empty() => Call::Delete(text(serial)),
            ("GET", ["user", ""]) => Call::Users,
            ("GET", ["realm", ""]) => Call::Realms,
            ("GET", ["defaultrealm"]) => Call::DefaultRealm,
            ("GET", ["policy", ""]) => Call::Policies(None),
            ("GET", ["policy", "defs", "admin"]) => Call::PolicyDefinitions,
            ("GET", ["policy", name]) => Call::Policies(Some(text(name))),
            ("POST" | "DELETE", ["policy", name]) if !name.is_empty() => Call::Policy(text(name)),
            ("GET", ["container", "types"]) if recent => Call::ContainerTypes,
            ("POST", ["container", "init"]) if recent => Call::ContainerInit,
            ("GET", ["container", ""]) if recent => Call::Containers,
            ("DELETE", ["container", serial]) if recent => Call::ContainerDelete(text(serial)),
            ("POST", ["container", serial, "add"]) if recent => Call::ContainerMove(text(serial), true),
            ("POST", ["container", serial, "remove"]) if recent => Call::ContainerMove(text(serial), false),
            ("GET", ["audit", ""]) => Call::Audit,
            ("GET", ["healthz", "livez"]) if recent => Call::Health("livez"),
            ("GET", ["healthz", "" | "readyz"]) if recent => Call::Health("readyz"),
            ("GET", ["token" | "user" | "realm" | "policy"]) => {
                return Err(Refusal::Page(308, "Permanent Redirect", None));
            }
            (_, known) => {
                return Err(match allowed(known, recent) {
                    Some(methods) => Refusal::Page(405, "Method Not Allowed", Some(methods.into())),
                    None => Refusal::NoRoute,
                });
            }
        };
        Ok(call)
    }
}

fn health(probe: &str) -> Value {
    if probe == "livez" { json!({"status": "OK"}) } else { json!({"hsm": "OK", "status": "ready"}) }
}

/// The methods of a path that exists.
fn allowed(parts: &[&str], recent: bool) -> Option<&'static str> {
    match parts {
        ["validate", "check"] => Some("GET, HEAD, OPTIONS, POST"),
        ["auth"] => Some("OPTIONS, POST"),
        ["auth", "rights"] | ["token", "getserial", _] | ["user" | "realm" | "audit", ""] => {
            Some("GET, HEAD, OPTIONS")
        }
        ["token", ""] => Some("DELETE, GET, HEAD, OPTIONS"),
        ["token", "init"] => Some("DELETE, OPTIONS, POST"),
        ["token", verb] if VERBS.contains(verb) => Some("DELETE, OPTIONS, POST"),
        ["token", verb, _] if VERBS.contains(verb) => Some("OPTIONS, POST"),
        ["token", _] => Some("DELETE, OPTIONS"),
        ["token", "info", _, _] => Some("DELETE, OPTIONS, POST"),
        ["defaultrealm"] => Some("DELETE, GET, HEAD, OPTIONS"),
        ["policy", ""] => Some("GET, HEAD, OPTIONS"),
        ["policy", _] => Some("DELETE, GET, HEAD, OPTIONS, POST"),
        ["container", "types" | ""] if recent => Some("GET, HEAD, OPTIONS"),
        ["container", "init"] if recent => Some("OPTIONS, POST"),
        ["container", _, "add" | "remove"] if recent => Some("OPTIONS, POST"),
        ["container", _] if recent => Some("DELETE, OPTIONS"),
        ["healthz", "" | "livez" | "readyz"] if recent => Some("GET, HEAD, OPTIONS"),
        _ => None,
    }
}
