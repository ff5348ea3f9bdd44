//! `POST /validate/check`: whether an OTP counts.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::otp;
use super::params::Params;
use super::people::User;
use super::policy::About;
use super::token::Token;
use super::wire::Request;

/// The longest search for a counter. A real server would search on, and be busy
/// for so long that its client gives up.
const SEARCH: i64 = 100_000;

/// How many attempts are remembered. A limit counts some in a minute.
const ATTEMPTS: usize = 10_000;

/// An attempt to authenticate as a user, for the rate limits.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    at: Duration,
    name: String,
    admin: bool,
    succeeded: bool,
}

/// The server stumbled over the token's own settings.
pub(super) struct Unusable;

impl ServerTwin {
    pub(super) fn check(&mut self, params: &Params, request: &Request, now: Duration) -> Answer {
        let user = self.user_of(params)?;
        let about = |user: Option<&'static User>| About {
            admin: "",
            user: user.map(|u| u.login),
            realm: user.map(|u| u.realm),
        };
        if self.policies.has("authorization", "api_key_required", about(user)) {
            let key = self.session(request, now).ok().filter(|session| session.role == "validate");
            if key.is_none() {
                return Err(Refusal::policy("No valid API key was passed."));
            }
        }
        let serial = params.filled("serial");
        if serial.is_none() && user.is_none() {
            return Err(Refusal::parameter("You need to specify a serial or a user."));
        }
        let pass = match params.0.get("pass") {
            Some(Value::String(pass)) => Some(pass.clone()),
            // The recent servers stumble over it when it needs it, and not before.
            _ if self.version().is_recent() => None,
            None | Some(Value::Null) => return Err(Refusal::parameter("Missing parameter: 'pass'")),
            Some(_) => None,
        };
        let (accepted, detail) = if let Some(serial) = serial {
            if !self.tokens.contains_key(&serial) {
                return Err(Refusal::not_found("The requested token could not be found."));
            }
            let pass = pass.ok_or_else(Refusal::fault)?;
            if params.is_true("otponly") {
                self.check_otp_only(&serial, &pass, now)?
            } else {
                self.check_tokens(&[serial], &pass, now)?
            }
        } else {
            let login = user.map_or("", |user| user.login);
            self.check_user(login, about(user), pass.as_deref(), now)?
        };
        Ok(Reply {
            value: accepted.into(),
            detail: Some(detail).filter(|detail| !detail.is_empty()),
            verdict: Some(accepted),
            anonymous: false,
        })
    }

    fn check_user(
        &mut self,
        login: &str,
        about: About<'_>,
        pass: Option<&str>,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let judged = match self.over_limit(login, about, false, now) {
            // The recent servers do not look at the OTP any more.
            Some(message) if self.version().is_recent() => (false, message_only(&message)),
            Some(message) => {
                let (_, mut detail) = self.check_users_tokens(login, about, pass, now)?;
                detail.insert("message".into(), message.into());
                (false, detail)
            }
            None => self.check_users_tokens(login, about, pass, now)?,
        };
        self.note_attempt(login, false, judged.0, now);
        Ok(judged)
    }

    /// Remember an attempt for the rate limits: a login of an administrator, or
    /// anything by a user.
    pub(super) fn note_attempt(&mut self, name: &str, admin: bool, succeeded: bool, now: Duration) {
        if self.attempts.len() >= ATTEMPTS {
            self.attempts.drain(..ATTEMPTS / 2);
        }
        self.attempts.push(Attempt { at: now, name: name.into(), admin, succeeded });
    }

    /// What the rate limits say against one more attempt.
    pub(super) fn over_limit(
        &self,
        name: &str,
        about: About<'_>,
        admin: bool,
        now: Duration,
    ) -> Option<String> {
        [("auth_max_fail", false), ("auth_max_success", true)].into_iter().find_map(|(action, succeeded)| {
            let (count, window) = self.policies.value("authorization", action, about).and_then(limit)?;
            let counted = self.attempts.iter().filter(|attempt| {
                attempt.name == name
                    && attempt.admin == admin
                    && attempt.succeeded == succeeded
                    && attempt.at.saturating_add(window) > now
            });
            let kind = if succeeded { "successful" } else { "failed" };
            let end = if self.version().is_recent() { " allowed." } else { "" };
            let message = format!("Only {count} {kind} authentications per {}{end}", span(window));
            (counted.count() >= count).then_some(message)
        })
    }

    fn check_users_tokens(
        &mut self,
        login: &str,
        about: About<'_>,
        pass: Option<&str>,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let owned = self.tokens.values().filter(|token| {
            token.user.as_deref() == Some(login) && about.realm.is_none_or(|realm| token.user_realm == realm)
        });
        let serials: Vec<String> = owned.map(|token| token.serial.clone()).collect();
        if serials.is_empty() {
            if self.policies.has("authentication", "passthru", about)
                && User::named(login).is_some_and(|user| Some(user.password) == pass)
            {
                let name = self.policies.0.iter().find(|(_, p)| p.actions.contains_key("passthru"));
                let name = name.map_or("", |(name, _)| name.as_str());
                return Ok((true, message_only(&format!("against userstore due to '{name}'"))));
            }
            return Ok((false, message_only("The user has no tokens assigned")));
        }
        self.check_tokens(&serials, pass.ok_or_else(Refusal::fault)?, now)
    }

    /// The token's OTP alone: whatever its PIN, though it be disabled, locked by
    /// wrong OTPs or waiting for its first. Nothing but the counter changes.
    fn check_otp_only(
        &mut self,
        serial: &str,
        pass: &str,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let Some(mut token) = self.tokens.get(serial).cloned() else {
            return Err(Refusal::not_found("The requested token could not be found."));
        };
        if token.revoked {
            return Err(Refusal::numbered(1007, "This action is not possible, since the token is locked"));
        }
        let seen = self.check_otp(&mut token, pass, now).map_err(|Unusable| Refusal::fault())?;
        self.tokens.insert(token);
        Ok((seen.is_some(), seen.map_or_else(|| message_only("OTP verification failed."), |_| Map::new())))
    }

    /// PIN and OTP against some tokens.
    fn check_tokens(
        &mut self,
        serials: &[String],
        pass: &str,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let mut usable: Vec<Token> =
            serials.iter().filter_map(|s| self.tokens.get(s)).filter(|t| !t.revoked).cloned().collect();
        if usable.is_empty() {
            return Err(Refusal::numbered(1007, "This action is not possible, since the token is locked"));
        }
        usable.sort_by_key(|token| token.kind.chars().next());
        let (mut valid, mut half, mut wrong, mut obstacles) = (vec![], vec![], vec![], vec![]);
        for mut token in usable {
            if let (true, Some(why)) = (self.version().is_recent(), token.obstacle(now)) {
                obstacles.push(why);
                continue;
            }
            let digits = token.digits();
            let length = pass.chars().count();
            let split = length.saturating_sub(digits);
            let (pin, code): (String, String) =
                (pass.chars().take(split).collect(), pass.chars().skip(split).collect());
            if length < digits || !self.pin_fits(&token, &pin) {
                wrong.push(token);
                continue;
            }
            match self.check_otp(&mut token, &code, now).map_err(|Unusable| Refusal::fault())? {
                Some(_) => valid.push(token),
                None => half.push((token, code)),
            }
        }
        let mut detail = Map::new();
        let mut accepted = false;
        if !valid.is_empty() {
            let mut messages = vec![format!("matching {} tokens", valid.len())];
            if let [token] = valid.as_slice() {
                describe(&mut detail, token);
            }
            for mut token in valid {
                if let Some(why) = token.obstacle(now) {
                    messages.push(why.into());
                    self.tokens.insert(token);
                    continue;
                }
                accepted = true;
                if token.failcount > 0 {
                    token.forgive();
                }
                count_up(&mut token, "count_auth");
                count_up(&mut token, "count_auth_success");
                token.set_info("last_auth", super::clock::last_auth(now));
                if token.kind == "registration" {
                    self.tokens.remove(&token.serial);
                } else {
                    self.tokens.insert(token);
                }
            }
            detail.insert("message".into(), messages.join(", ").into());
        } else if !half.is_empty() {
            let mut message = "wrong otp value".to_owned();
            if let [(token, code)] = half.as_slice() {
                describe(&mut detail, token);
                if self.was_previous(token, code) {
                    message.push_str(". previous otp used again");
                }
            }
            detail.insert("message".into(), message.into());
            // The server counts an attempt once for each token it tried, for each of them.
            let attempts = half.len();
            for (token, _) in half {
                self.fail(token, attempts, now);
            }
        } else if !wrong.is_empty() {
            detail.insert("message".into(), "wrong otp pin".into());
            for token in wrong {
                self.fail(token, 1, now);
            }
        } else {
            obstacles.sort_unstable();
            obstacles.dedup();
            detail.insert("message".into(), obstacles.join(", ").into());
        }
        Ok((accepted, detail))
    }

    fn pin_fits(&self, token: &Token, pin: &str) -> bool {
        let owner = token.user.as_deref();
        let about = About { admin: "", user: owner, realm: token.realms.first().map(String::as_str) };
        match self.policies.value("authentication", "otppin", about) {
            Some("userstore") => owner.and_then(User::named).is_some_and(|user| user.password == pin),
            Some("none") => pin.is_empty(),
            _ => token.pin == pin,
        }
    }

    fn fail(&mut self, mut token: Token, attempts: usize, now: Duration) {
        if token.failcount < token.maxfail {
            token.failcount += 1;
            if token.failcount == token.maxfail {
                token.set_info("failcounter_exceeded", super::clock::minute(now));
            }
        }
        for _ in 0..attempts {
            count_up(&mut token, "count_auth");
        }
        self.tokens.insert(token);
    }

    /// The counter at which an OTP is right, which then moves on.
    pub(super) fn check_otp(
        &self,
        token: &mut Token,
        code: &str,
        now: Duration,
    ) -> Result<Option<i64>, Unusable> {
        match token.kind.as_str() {
            "hotp" => {
                let seen = self.search(
                    token,
                    code,
                    token.count,
                    token.count.saturating_add(token.count_window).saturating_sub(1),
                )?;
                if let Some(counter) = seen {
                    token.count = counter.saturating_add(1);
                }
                Ok(seen)
            }
            "totp" => self.check_totp(token, code, now),
            "yubikey" => self.check_yubico(token, code),
            _ => Ok((token.secret.as_deref() == Some(code)).then_some(0)),
        }
    }

    /// The window lies around the token's own time, which every OTP corrects.
    fn check_totp(&self, token: &mut Token, code: &str, now: Duration) -> Result<Option<i64>, Unusable> {
        let step = token.info("timeStep").parse::<i64>().unwrap_or(30).max(1);
        let window = token.info("timeWindow").parse::<i64>().unwrap_or(180) / step;
        let shift = token.info("timeShift").parse::<f64>().unwrap_or(0.0);
        let here = ((now.as_secs_f64() + shift) / step as f64) as i64;
        let last = here.saturating_add(window).saturating_sub(1);
        let seen = self.search(token, code, here.saturating_sub(window), last)?;
        let Some(counter) = seen.filter(|counter| token.count == 0 || *counter > token.count) else {
            return Ok(None);
        };
        token.count = counter;
        let shift = counter.saturating_mul(step).saturating_sub_unsigned(now.as_secs());
        token.set_info("timeShift", format!("{shift}.0"));
        Ok(Some(counter))
    }

    /// The first counter of a range whose OTP is this.
    pub(super) fn search(
        &self,
        token: &Token,
        code: &str,
        first: i64,
        last: i64,
    ) -> Result<Option<i64>, Unusable> {
        let hash = token.hash().ok_or(Unusable)?;
        let key = if token.secret.is_some() { token.key().ok_or(Unusable)? } else { Vec::new() };
        let last = last.min(first.saturating_add(SEARCH));
        let counters = (first.max(0)..=last).filter_map(|c| u64::try_from(c).ok());
        let mut right = counters.filter(|c| otp::hotp(hash, &key, *c, token.digits()) == code);
        Ok(right.next().and_then(|c| i64::try_from(c).ok()))
    }

    fn check_yubico(&self, token: &mut Token, code: &str) -> Result<Option<i64>, Unusable> {
        let lower = code.to_lowercase();
        let code = if self.version().is_recent() { lower.as_str() } else { code };
        let key = token.key().filter(|key| key.len() == 16);
        if key.is_none() && token.key().is_some() && self.version().is_edumfa() {
            return Ok(None);
        }
        let key = key.ok_or(Unusable)?;
        let Some(said) = otp::yubico(&key, code) else { return Ok(None) };
        if token.info("yubikey.tokenid").is_empty() {
            token.set_info("yubikey.tokenid", said.uid.clone());
        }
        if token.info("yubikey.prefix").is_empty() {
            token.set_info("yubikey.prefix", said.prefix);
        }
        if token.info("yubikey.tokenid") != said.uid || said.count < token.count {
            return Ok(None);
        }
        token.count = said.count + 1;
        Ok(Some(said.count))
    }

    fn was_previous(&self, token: &Token, code: &str) -> bool {
        // TOTP remembers the last counter, HOTP the next one.
        let back = match token.kind.as_str() {
            "hotp" => token.count - 1,
            "totp" => token.count,
            _ => return false,
        };
        token.count > 0 && matches!(self.search(token, code, back, back), Ok(Some(_)))
    }
}

fn describe(detail: &mut Map<String, Value>, token: &Token) {
    detail.insert("serial".into(), token.serial.clone().into());
    detail.insert("type".into(), token.kind.clone().into());
    detail.insert("otplen".into(), token.otplen.into());
}

fn message_only(message: &str) -> Map<String, Value> {
    Map::from_iter([("message".to_owned(), Value::from(message))])
}

fn count_up(token: &mut Token, key: &str) {
    let count = token.info(key).parse::<u64>().unwrap_or(0).saturating_add(1);
    token.set_info(key, count.to_string());
}

/// `3/1m` → three in a minute. Units: s, m, h, d.
fn limit(text: &str) -> Option<(usize, Duration)> {
    let (count, time) = text.split_once('/')?;
    let time = time.trim();
    let split = time.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = time.split_at_checked(split)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some((
        count.trim().parse().ok()?,
        Duration::from_secs(number.parse::<u64>().ok()?.saturating_mul(seconds)),
    ))
}

/// A time as Python prints a `timedelta` below a day.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
