//! Everything that is done to a token after it exists.

use std::time::Duration;

use serde_json::{Value, json};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::params::Params;
use super::people::{matches, matches_like};
use super::policy::About;
use super::session::Session;
use super::token::Token;

/// How many characters of a description the newest server keeps.
const DESCRIPTION: usize = 80;

fn locked() -> Refusal {
    Refusal::numbered(1007, "This action is not possible, since the token is locked")
}

impl ServerTwin {
    /// `POST /token/<verb>` with the serial in the body or the path.
    pub(super) fn act(&mut self, verb: &str, params: &Params, session: &Session, now: Duration) -> Answer {
        let right = if verb == "description" { "setdescription" } else { verb };
        if verb == "assign" {
            self.check_spelling(params)?;
            let user = self.user_of(params)?;
            let about =
                About { admin: &session.name, user: user.map(|u| u.login), realm: user.map(|u| u.realm) };
            self.check_realm_limit(params, about)?;
        }
        if matches!(verb, "assign" | "enable") {
            self.check_user_limit(params)?;
        }
        let serial =
            params.filled("serial").ok_or_else(|| Refusal::parameter("Missing parameter: 'serial'"))?;
        let mut token = self.token_for(&serial, right, session)?;
        if verb == "setpin" || verb == "assign" {
            let pin = params.filled("otppin").or_else(|| params.filled("pin")).unwrap_or_default();
            let user = self.user_of(params)?;
            let about =
                About { admin: &session.name, user: user.map(|u| u.login), realm: user.map(|u| u.realm) };
            self.check_pin_rules(&token.kind, &pin, about)?;
        }
        if token.revoked && !matches!(verb, "revoke" | "disable" | "resync") {
            return Err(locked());
        }
        let value = match verb {
            "enable" => i64::from(!std::mem::replace(&mut token.active, true)).into(),
            "disable" => i64::from(std::mem::replace(&mut token.active, false)).into(),
            "revoke" => {
                token.revoked = true;
                token.active = false;
                1.into()
            }
            "reset" => {
                token.forgive();
                1.into()
            }
            "setpin" => {
                let pin = params.text("otppin");
                let changed = i64::from(pin.is_some());
                token.pin = pin.unwrap_or(token.pin);
                changed.into()
            }
            "description" => {
                let text = params.text("description");
                let text = text.ok_or_else(|| Refusal::parameter("Missing parameter: 'description'"))?;
                token.description = self.fit_description(&text);
                if self.version().is_recent() { true.into() } else { 1.into() }
            }
            "assign" => {
                let user = self.user_of(params)?;
                let user = user.ok_or_else(|| Refusal::parameter("Missing parameter: 'user'"))?;
                if token.user.is_some() {
                    return Err(Refusal::numbered(1103, "Token already assigned to user"));
                }
                token.user = Some(user.login.into());
                token.user_realm = user.realm.into();
                token.realms = vec![user.realm.into()];
                token.forgive();
                if let Some(pin) = params.text("pin") {
                    token.pin = pin;
                }
                if self.version().is_recent() {
                    token.set_info("assignment_date", super::clock::iso(now));
                }
                true.into()
            }
            "unassign" => {
                token.user = None;
                token.pin.clear();
                token.forgive();
                1.into()
            }
            "resync" => {
                let otp = |name: &str| {
                    params.text(name).ok_or_else(|| Refusal::parameter("Missing parameter: an OTP"))
                };
                self.resync(&mut token, &otp("otp1")?, &otp("otp2")?)?.into()
            }
            _ => self.set(&mut token, params)?,
        };
        self.tokens.insert(token);
        Ok(Reply::of(value))
    }

    /// `POST /token/set`: the number of settings in it.
    fn set(&self, token: &mut Token, params: &Params) -> Result<Value, Refusal> {
        let mut count = 0;
        let mut number = |name: &str, place: &mut i64| match params.int(name) {
            None => Ok(()),
            Some(Err(())) => Err(Refusal::fault()),
            Some(Ok(value)) => {
                count += 1;
                *place = value;
                Ok(())
            }
        };
        number("count_window", &mut token.count_window)?;
        number("sync_window", &mut token.sync_window)?;
        number("max_failcount", &mut token.maxfail)?;
        for (name, key) in [("hashlib", "hashlib"), ("count_auth_max", "count_auth_max")] {
            if let Some(value) = params.text(name) {
                count += 1;
                token.set_info(key, value);
            }
        }
        for end in ["validity_period_start", "validity_period_end"] {
            if let Some(value) = params.text(end) {
                count += 1;
                token.set_info(end, super::clock::parse(&value).map_or(value, super::clock::minute));
            }
        }
        if let Some(description) = params.text("description") {
            count += 1;
            token.description = self.fit_description(&description);
        }
        Ok(count.into())
    }

    pub(super) fn fit_description(&self, text: &str) -> String {
        if self.version().is_recent() { text.chars().take(DESCRIPTION).collect() } else { text.into() }
    }

    /// Two consecutive OTPs, anywhere within the window.
    fn resync(&self, token: &mut Token, first: &str, second: &str) -> Result<bool, Refusal> {
        if token.kind != "hotp" {
            return Ok(false);
        }
        let last = token.count.saturating_add(token.sync_window).saturating_sub(1);
        let fault = |_| Refusal::fault();
        let Some(counter) = self.search(token, first, token.count, last).map_err(fault)? else {
            return Ok(false);
        };
        if self.search(token, second, counter + 1, counter + 1).map_err(fault)?.is_none() {
            return Ok(false);
        }
        if token.revoked {
            return Err(locked());
        }
        token.count = counter + 2;
        Ok(true)
    }

    /// A token that this administrator may do something to.
    fn token_for(&self, serial: &str, right: &str, session: &Session) -> Result<Token, Refusal> {
        let allowed = self.policies.allows(right, session.about());
        let denied =
            || Refusal::policy(&format!("Admin actions are defined, but the action {right} is not allowed!"));
        if !allowed && !self.version().is_recent() {
            return Err(denied());
        }
        let token =
            self.tokens.get(serial).ok_or_else(|| Refusal::not_found("No token found for this serial"))?;
        if allowed { Ok(token.clone()) } else { Err(denied()) }
    }

    /// `DELETE /token/<serial>`.
    pub(super) fn delete(&mut self, serial: &str, session: &Session) -> Answer {
        self.token_for(serial, "delete", session)?;
        self.tokens.remove(serial);
        Ok(Reply::of(1))
    }

    /// `POST /token/info/<serial>/<key>`, and `DELETE`.
    pub(super) fn info(
        &mut self,
        serial: &str,
        key: &str,
        value: Option<String>,
        session: &Session,
    ) -> Answer {
        let mut token = self.token_for(serial, "settokeninfo", session)?;
        if self.version().is_3_14() && token.owns_info(key) {
            return Err(Refusal::policy(
                "The token info key is managed by the token and can not be modified.",
            ));
        }
        if token.revoked && (value.is_some() || self.version().is_3_14()) {
            return Err(locked());
        }
        match value {
            Some(value) => token.set_info(key, value),
            None => drop(token.info.remove(key)),
        }
        self.tokens.insert(token);
        Ok(Reply::of(true))
    }

    /// `GET /token/getserial/<otp>`. Although it only asks, **it moves the
    /// counter** of every token that knows the OTP.
    pub(super) fn serial_of(
        &mut self,
        otp: &str,
        params: &Params,
        session: &Session,
        now: Duration,
    ) -> Answer {
        if !self.policies.allows("getserial", session.about()) {
            return Err(Refusal::policy(
                "Admin actions are defined, but the action getserial is not allowed!",
            ));
        }
        let part = format!("*{}*", params.text("serial").unwrap_or_default());
        let window = params.int("window").and_then(Result::ok).unwrap_or(10);
        let kind = params.filled("type");
        let fits = |token: &&Token| {
            matches(&part, &token.serial)
                && kind.as_ref().is_none_or(|kind| token.kind.eq_ignore_ascii_case(kind))
        };
        let tokens: Vec<Token> = self.tokens.values().filter(fits).cloned().collect();
        let count = tokens.len();
        let mut owners = Vec::new();
        for mut token in tokens.into_iter().filter(|_| !params.has_value("count")) {
            let usual = std::mem::replace(&mut token.count_window, window);
            if matches!(self.check_otp(&mut token, otp, now), Ok(Some(_))) {
                owners.push(token.serial.clone());
                token.count_window = usual;
                self.tokens.insert(token);
            }
        }
        if owners.len() > 1 {
            return Err(Refusal::numbered(1200, "multiple tokens are matching this OTP value!"));
        }
        Ok(Reply::of(json!({"serial": owners.pop(), "count": count})))
    }

    /// `GET /token/`.
    pub(super) fn list(&self, params: &Params, session: &Session) -> Answer {
        let user = self.user_of(params)?;
        let (serial, kind) = (params.filled("serial"), params.filled("type"));
        let realm = params.filled("tokenrealm");
        let (state, description) = (params.filled("rollout_state"), params.filled("description"));
        let (info_key, info_value) = (params.filled("infokey"), params.filled("infovalue"));
        let flag = |name: &str| params.filled(name).map(|text| text.eq_ignore_ascii_case("true"));
        let (assigned, active) = (flag("assigned"), flag("active"));
        let container = params.filled("container_serial");
        // Before 3.14 the underscore of SQL's LIKE went through to the database.
        let sql = !self.version().is_3_14();
        let like = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|p| matches_like(p, text, sql))
        };
        let fits = |token: &&Token| {
            like(&serial, &token.serial)
                && like(&kind, &token.kind)
                && like(&description, &token.description)
                && state.as_ref().is_none_or(|s| matches(s, &token.rollout_state))
                && realm.as_ref().is_none_or(|r| token.realms.iter().any(|have| matches(r, have)))
                && user.is_none_or(|u| token.user.as_deref() == Some(u.login) && token.user_realm == u.realm)
                && assigned.is_none_or(|a| token.user.is_some() == a)
                && active.is_none_or(|a| token.active == a)
                && container.as_ref().is_none_or(|c| token.container.as_ref() == Some(c))
                && match (&info_key, &info_value) {
                    (Some(key), Some(value)) => token.info.get(key).is_some_and(|have| matches(value, have)),
                    _ => true,
                }
        };
        let listed = self.policies.allows("tokenlist", session.about());
        // A serial without wildcard is one look into the map, which matters when
        // thousands of tokens exist.
        let found: Vec<&Token> = match &serial {
            _ if !listed => Vec::new(),
            Some(exact) if !(exact.contains('*') || sql && exact.contains('_')) => {
                self.tokens.alike(exact).filter(fits).collect()
            }
            _ => self.tokens.values().filter(fits).collect(),
        };
        let int = |name: &str, default: usize| {
            params.int(name).and_then(Result::ok).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let (page, size) = (int("page", 1).max(1), int("pagesize", 15).max(1));
        let count = found.len();
        let shown = found
            .iter()
            .skip((page - 1).saturating_mul(size))
            .take(size)
            .map(|token| token.shown(self.version(), self.owner(token)));
        let mut value = json!({
            "count": count, "tokens": shown.collect::<Vec<_>>(),
            "next": (page.saturating_mul(size) < count).then_some(page + 1), "prev": (page > 1).then_some(page - 1),
        });
        if let (false, Value::Object(fields)) = (self.version().is_recent(), &mut value) {
            fields.insert("current".into(), page.into());
        }
        Ok(Reply::of(value))
    }

    /// `max_token_per_realm`.
    pub(super) fn check_realm_limit(&self, params: &Params, about: About<'_>) -> Result<(), Refusal> {
        let realm = about.realm.map(str::to_owned).or_else(|| params.filled("realm"));
        let Some(realm) = realm else { return Ok(()) };
        let about = About { realm: Some(&realm), ..about };
        let Some(limit) = self.policies.value("enrollment", "max_token_per_realm", about) else {
            return Ok(());
        };
        let held = self.tokens.values().filter(|token| token.realms.contains(&realm)).count();
        if limit.parse().is_ok_and(|most: usize| held >= most) {
            return Err(Refusal::policy("The number of tokens in this realm is limited!"));
        }
        Ok(())
    }

    /// `max_token_per_user`. A token that the user has already does not count.
    pub(super) fn check_user_limit(&self, params: &Params) -> Result<(), Refusal> {
        let serial = params.filled("serial");
        let owner = serial.as_ref().and_then(|s| self.tokens.get(s)).and_then(|token| self.owner(token));
        let Some(user) = self.user_of(params)?.or(owner) else { return Ok(()) };
        let about = About { admin: "", user: Some(user.login), realm: Some(user.realm) };
        let Some(limit) = self.policies.value("enrollment", "max_token_per_user", about) else {
            return Ok(());
        };
        let theirs =
            |token: &&Token| token.user.as_deref() == Some(user.login) && token.user_realm == user.realm;
        let held = self.tokens.values().filter(theirs);
        let held: Vec<&String> = held.map(|token| &token.serial).collect();
        if !serial.is_some_and(|s| held.contains(&&s))
            && limit.parse().is_ok_and(|most: usize| held.len() >= most)
        {
            return Err(Refusal::policy("The number of tokens for this user is limited!"));
        }
        Ok(())
    }
}
