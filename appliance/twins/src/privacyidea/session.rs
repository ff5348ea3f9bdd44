//! Logins, the JSON Web Tokens they yield, and API keys.

use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Map, Value, json};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::otp::hmac_sha256;
use super::params::Params;
use super::people::{ADMIN, HELPDESK, REALM, User};
use super::policy::About;
use super::wire::Request;

/// How many JWTs are remembered, of some kilobytes each.
const SESSIONS: usize = 256;

/// How long a login lasts unless a policy says otherwise, in seconds.
const VALIDITY: u64 = 3600;

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) name: String,
    /// `admin`, `user` or `validate`.
    pub(super) role: String,
    /// Unix time at which it ends.
    expires: u64,
}

impl Session {
    pub(super) fn about(&self) -> About<'_> {
        About { admin: &self.name, ..About::default() }
    }
}

/// A login that did not succeed: its `detail` is empty, but there.
fn refused(code: i64, why: &str) -> Refusal {
    let detail = Value::Object(Map::new());
    Refusal::Error { status: 401, code, message: format!("Authentication failure. {why}"), detail }
}

/// The right without which a menu is not shown.
fn needed(menu: &str) -> &'static str {
    match menu {
        "users" => "userlist",
        "tokens" => "tokenlist",
        "audit" => "auditlog",
        "machines" => "machinelist",
        "components" => "clienttype",
        _ => "configread",
    }
}

impl ServerTwin {
    /// `POST /auth`.
    pub(super) fn login(&mut self, params: &Params, now: Duration) -> Answer {
        let Some(name) = params.filled("username") else {
            return Err(if self.version().is_recent() {
                refused(4032, "Missing Username")
            } else {
                Refusal::unauthorised(4032, "Missing Username")
            });
        };
        let password = params.text("password").unwrap_or_default();
        let is_admin = [ADMIN.0, HELPDESK.0].contains(&name.as_str());
        let about = About {
            user: Some(&name).filter(|_| !is_admin).map(String::as_str),
            realm: Some(REALM),
            ..About::default()
        };
        if let Some(message) =
            self.over_limit(&name, about, is_admin, now).filter(|_| self.version().is_recent())
        {
            self.note_attempt(&name, is_admin, false, now);
            let detail = json!({ "message": message });
            return Err(Refusal::Error { status: 401, code: 403, message: message.clone(), detail });
        }
        let is = |(n, p): (&str, &str)| n == name && p == password;
        let (role, realm) = if is(ADMIN) || is(HELPDESK) {
            ("admin", "")
        } else if User::named(&name).is_some_and(|user| user.password == password) {
            ("user", REALM)
        } else {
            self.note_attempt(&name, is_admin, false, now);
            return Err(refused(4031, "Wrong credentials"));
        };
        self.note_attempt(&name, is_admin, true, now);
        let recorded = self.version().recorded();
        let mut value = if role == "admin" { recorded.login.clone() } else { recorded.user_login.clone() };
        if role == "admin" {
            let about = About { admin: &name, ..About::default() };
            let rights = self.policies.rights(self.version(), about);
            if let Some(Value::Array(menus)) = value.get_mut("menus") {
                menus.retain(|menu| rights.contains(&needed(menu.as_str().unwrap_or(""))));
            }
            value.insert("rights".into(), rights.into());
        }
        let rights = value.get("rights").cloned().unwrap_or_default();
        let validity = Some("jwt_validity")
            .filter(|_| self.version().is_recent())
            .and_then(|action| self.policies.value("webui", action, About::default()))
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(VALIDITY);
        let session = Session {
            name: name.clone(),
            role: role.into(),
            expires: now.as_secs().saturating_add(validity),
        };
        let nonce = HEXLOWER.encode(&self.rng.bytes(20));
        let claims = json!({
            "username": name, "realm": realm, "nonce": nonce, "role": role,
            "authtype": "password", "exp": session.expires, "rights": rights,
        });
        let token = self.sign(&claims, session);
        value.insert("token".into(), token.into());
        value.insert("username".into(), name.into());
        value.insert("realm".into(), realm.into());
        value.insert("role".into(), role.into());
        let verdict = self.version().is_recent().then_some(true);
        Ok(Reply { value: Value::Object(value), detail: None, verdict, anonymous: false })
    }

    /// An API key, as `pi-manage api createtoken` prints it: a JWT that needs
    /// no login. `role` is `admin` or `validate`.
    pub fn api_key(&mut self, role: &str, lifetime: Duration, now: Duration) -> String {
        let expires = now.saturating_add(lifetime).as_secs();
        let session = Session { name: "station".into(), role: role.into(), expires };
        let nonce = HEXLOWER.encode(&self.rng.bytes(20));
        let claims = json!({
            "username": "station", "realm": "operators", "nonce": nonce, "role": role,
            "authtype": "API", "exp": expires, "rights": "TODO",
        });
        self.sign(&claims, session)
    }

    fn sign(&mut self, claims: &Value, session: Session) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        let tag = BASE64URL_NOPAD.encode(&hmac_sha256(&self.jwt_key, signed.as_bytes()));
        let token = format!("{signed}.{tag}");
        // A signature that the twin made itself need not be computed again. When
        // there are too many, all are forgotten, and computed after all.
        if self.sessions.len() >= SESSIONS {
            self.sessions.clear();
        }
        self.sessions.insert(token.clone(), session);
        token
    }

    /// Who sends this request.
    pub(super) fn session(&self, request: &Request, now: Duration) -> Result<Session, Refusal> {
        // eduMFA has dropped the header that is named after privacyIDEA.
        let own = request.header_value("PI-Authorization").filter(|_| !self.version().is_edumfa());
        let header = own.or(request.header_value("Authorization"));
        let Some(token) = header.filter(|token| !token.is_empty()) else {
            return Err(Refusal::unauthorised(4033, "Missing Authorization header."));
        };
        let session = self.sessions.get(token).cloned().or_else(|| self.decode(token));
        let Some(session) = session else {
            return Err(Refusal::unauthorised(4304, "Error during decoding your token"));
        };
        if session.expires <= now.as_secs() {
            return Err(Refusal::unauthorised(4305, "Your token has expired: Signature has expired"));
        }
        Ok(session)
    }

    /// A JWT that another twin of the same seed issued.
    fn decode(&self, token: &str) -> Option<Session> {
        let (signed, tag) = token.rsplit_once('.')?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        if tag != hmac_sha256(&self.jwt_key, signed.as_bytes()) {
            return None;
        }
        let (_, claims) = signed.split_once('.')?;
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Session { name: text("username")?, role: text("role")?, expires: claims.get("exp")?.as_u64()? })
    }

    /// `GET /auth/rights`: the token types this administrator may enroll.
    pub(super) fn enrollable(&self, session: &Session) -> Answer {
        let all = &self.version().recorded().enrollable;
        let allowed = all.iter().filter(|(kind, _)| {
            self.policies.allows(&format!("enroll{}", kind.to_uppercase()), session.about())
        });
        let map: Map<String, Value> = allowed.map(|(kind, text)| (kind.clone(), text.clone())).collect();
        Ok(Reply::of(Value::Object(map)))
    }
}
