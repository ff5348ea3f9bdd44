//! `POST /validate/check`: whether an OTP counts.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::otp;
use super::params::Params;
use super::people::{REALM, User};
use super::policy::About;
use super::token::Token;
use super::wire::Request;

/// An attempt to authenticate as a user, for the rate limits.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    at: Duration,
    user: String,
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
            realm: user.map(|_| REALM),
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
        let Some(pass) = params.text("pass") else {
            return Err(if self.version().is_3_14() {
                Refusal::fault()
            } else {
                Refusal::parameter("Missing parameter: 'pass'")
            });
        };
        let (accepted, mut detail) = if let Some(serial) = serial {
            if !self.tokens.contains_key(&serial) {
                return Err(Refusal::not_found("The requested token could not be found."));
            }
            if params.is_true("otponly") {
                self.check_otp_only(&serial, &pass, now)?
            } else {
                self.check_tokens(&[serial], &pass, now)?
            }
        } else {
            let login = user.map_or("", |user| user.login);
            self.check_user(login, about(user), &pass, now)?
        };
        detail.retain(|_, value| !value.is_null());
        Ok(Reply { value: accepted.into(), detail: Some(detail), verdict: Some(accepted), anonymous: false })
    }

    fn check_user(
        &mut self,
        login: &str,
        about: About<'_>,
        pass: &str,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let limits = [("auth_max_fail", false), ("auth_max_success", true)];
        let mut over = None;
        for (action, succeeded) in limits {
            let Some((count, window)) = self.policies.value("authorization", action, about).and_then(limit)
            else {
                continue;
            };
            let recent = |a: &&Attempt| a.user == login && a.succeeded == succeeded && a.at + window > now;
            if over.is_none() && self.attempts.iter().filter(recent).count() >= count {
                let kind = if succeeded { "successful" } else { "failed" };
                over = Some(format!("Only {count} {kind} authentications per {} allowed.", span(window)));
            }
        }
        let judged = match over {
            // The newest server does not look at the OTP any more.
            Some(message) if self.version().is_3_14() => (false, message_only(&message)),
            Some(message) => {
                let (_, mut detail) = self.check_users_tokens(login, about, pass, now)?;
                detail.insert("message".into(), message.into());
                (false, detail)
            }
            None => self.check_users_tokens(login, about, pass, now)?,
        };
        self.attempts.push(Attempt { at: now, user: login.into(), succeeded: judged.0 });
        Ok(judged)
    }

    fn check_users_tokens(
        &mut self,
        login: &str,
        about: About<'_>,
        pass: &str,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let owned = self.tokens.values().filter(|token| token.user.as_deref() == Some(login));
        let serials: Vec<String> = owned.map(|token| token.serial.clone()).collect();
        if serials.is_empty() {
            if self.policies.has("authentication", "passthru", about)
                && User::named(login).is_some_and(|user| user.password == pass)
            {
                let name = self.policies.0.iter().find(|(_, p)| p.actions.contains_key("passthru"));
                let name = name.map_or("", |(name, _)| name.as_str());
                return Ok((true, message_only(&format!("against userstore due to '{name}'"))));
            }
            return Ok((false, message_only("The user has no tokens assigned")));
        }
        self.check_tokens(&serials, pass, now)
    }

    /// The token's OTP alone, whatever its PIN.
    fn check_otp_only(
        &mut self,
        serial: &str,
        pass: &str,
        now: Duration,
    ) -> Result<(bool, Map<String, Value>), Refusal> {
        let Some(mut token) = self.tokens.get(serial).cloned() else {
            return Err(Refusal::not_found("The requested token could not be found."));
        };
        let seen = self.check_otp(&mut token, pass, now).map_err(|Unusable| Refusal::fault())?;
        self.tokens.insert(token);
        Ok((seen.is_some(), Map::new()))
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
            if self.version().is_3_14() {
                if let Some(why) = token.obstacle(now) {
                    obstacles.push(why);
                    continue;
                }
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
                token.failcount = 0;
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
            for (token, _) in half {
                self.fail(token, now);
            }
        } else if !wrong.is_empty() {
            detail.insert("message".into(), "wrong otp pin".into());
            for token in wrong {
                self.fail(token, now);
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

    fn fail(&mut self, mut token: Token, now: Duration) {
        if token.failcount < token.maxfail {
            token.failcount += 1;
            if token.failcount == token.maxfail {
                token.set_info("failcounter_exceeded", super::clock::minute(now));
            }
        }
        count_up(&mut token, "count_auth");
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
                let seen = self.search(token, code, token.count, token.count + token.count_window - 1)?;
                if let Some(counter) = seen {
                    token.count = counter + 1;
                }
                Ok(seen)
            }
            "totp" => {
                let step = token.info("timeStep").parse::<i64>().unwrap_or(30).max(1);
                let window = token.info("timeWindow").parse::<i64>().unwrap_or(180) / step;
                let here = i64::try_from(now.as_secs()).unwrap_or(0) / step;
                let first = (here - window).max(token.count);
                let seen = self.search(token, code, first, here + window)?;
                if let Some(counter) = seen {
                    token.count = counter + 1;
                }
                Ok(seen)
            }
            "yubikey" => Ok(self.check_yubico(token, code)),
            _ => Ok((token.secret.as_deref() == Some(code)).then_some(0)),
        }
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
        let counters = (first.max(0)..=last).filter_map(|c| u64::try_from(c).ok());
        let mut right = counters.filter(|c| otp::hotp(hash, &key, *c, token.digits()) == code);
        Ok(right.next().and_then(|c| i64::try_from(c).ok()))
    }

    fn check_yubico(&self, token: &mut Token, code: &str) -> Option<i64> {
        let lower = code.to_lowercase();
        let code = if self.version().is_recent() { lower.as_str() } else { code };
        let said = otp::yubico(&token.key()?, code)?;
        if token.info("yubikey.tokenid").is_empty() {
            token.set_info("yubikey.tokenid", said.uid.clone());
        }
        if token.info("yubikey.prefix").is_empty() {
            token.set_info("yubikey.prefix", said.prefix);
        }
        if token.info("yubikey.tokenid") != said.uid || said.count < token.count {
            return None;
        }
        token.count = said.count + 1;
        Some(said.count)
    }

    fn was_previous(&self, token: &Token, code: &str) -> bool {
        let back = token.count - 1;
        token.kind == "hotp" && back >= 0 && matches!(self.search(token, code, back, back), Ok(Some(_)))
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
    let count = token.info(key).parse::<u64>().unwrap_or(0) + 1;
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
    Some((count.trim().parse().ok()?, Duration::from_secs(number.parse::<u64>().ok()? * seconds)))
}

/// A time as Python prints a `timedelta` below a day.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
