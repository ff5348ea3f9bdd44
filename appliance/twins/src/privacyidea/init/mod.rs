//! `POST /token/init`, with its traps.
//!
//! The order of the steps is the order of the server's own checks, since it
//! decides which of two errors a client sees.

mod detail;
mod prepare;
mod update;

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Refusal, Reply};
use super::clock;
use super::params::Params;
use super::policy::About;
use super::session::Session;
use super::token::Token;
use super::{ServerTwin, Version};

impl ServerTwin {
    pub(super) fn init(&mut self, mut params: Params, session: &Session, now: Duration) -> Answer {
        let user = self.user_of(&params)?;
        if user.is_some() && params.filled("user") != user.map(|u| u.login.to_owned()) {
            // The server's own policy check stumbles over `user@realm`.
            return Err(Refusal::parameter("Cannot pass user_object as well as user"));
        }
        let about = About { admin: &session.name, user: user.map(|u| u.login), realm: user.map(|u| u.realm) };
        self.prepare(&mut params, about, now)?;

        let kind = params.filled("type").unwrap_or_else(|| "hotp".into()).to_lowercase();
        let recorded = self.version().recorded();
        if kind == "u2f" && self.version() == Version::V3_13_4 {
            return Err(Refusal::numbered(1610, "Unknown token type"));
        }
        if !recorded.enrollable.contains_key(&kind) && kind != "pw" {
            return Err(Refusal::fault());
        }
        let serial = match params.filled("serial") {
            Some(serial) => serial,
            None => self.new_serial(&kind),
        };
        if !serial.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Refusal::parameter("Invalid serial number"));
        }
        let known = self.tokens.get(&serial);
        let is_new = known.is_none();
        let mut token = match known {
            Some(token) if token.kind != kind => {
                return Err(Refusal::numbered(301, "init token failed: the token exists with another type"));
            }
            Some(token) if token.revoked => {
                return Err(Refusal::numbered(
                    1007,
                    "This action is not possible, since the token is locked",
                ));
            }
            Some(token) => token.clone(),
            None => {
                self.next_id += 1;
                Token::new(&serial, &kind, self.next_id)
            }
        };
        if let Some(user) = user {
            if token.user.as_deref().is_some_and(|owner| owner != user.login) {
                return Err(Refusal::numbered(301, "The token already belongs to another user"));
            }
            token.user = Some(user.login.into());
            token.user_realm = user.realm.into();
            token.realms = vec![user.realm.into()];
            if self.version().is_recent() {
                token.set_info("assignment_date", clock::iso(now));
            }
        } else if let Some(realm) = params.filled("realm") {
            // A realm that does not exist is dropped without a word.
            token.realms = Some(realm).filter(|r| self.realm_is_known(r)).into_iter().collect();
        }

        let mut made = None;
        match kind.as_str() {
            "hotp" | "totp" => self.update_oath(&mut token, &params, about, &mut made)?,
            "yubikey" => self.update_yubikey(&mut token, &params, &mut made)?,
            "registration" | "pw" => self.update_password(&mut token, &params, about, &mut made)?,
            "passkey" | "webauthn" => {
                return Err(Refusal::policy("WebAuthn needs a relying party, which no policy names."));
            }
            // Nobody is asked for a certificate: there is no CA.
            "certificate" => {}
            "u2f" => return Err(Refusal::numbered(301, "The token needs the device's answer")),
            // The remaining types are none that a station enrolls.
            _ => return Err(Refusal::fault()),
        }
        for end in ["validity_period_start", "validity_period_end"] {
            if let Some(text) = params.filled(end) {
                let shown = clock::parse(&text).map_or(text, clock::minute);
                token.set_info(end, shown);
            }
        }
        if self.version().is_recent() {
            token.set_info("creation_date", clock::iso(now));
        } else if self.version().is_edumfa() && is_new {
            token.set_info("created_at", clock::iso(now));
        }
        if token.rollout_state.is_empty() {
            token.rollout_state = self.version().enrolled().into();
        }

        let mut detail = self.detail(&token, &params, made.as_deref());
        if self.version().is_recent() {
            let put = self.put_into_container(&mut token, &params, &mut detail, about);
            if let Err(refusal) = put {
                // An error is answered, but the token is there.
                self.tokens.insert(token);
                return Err(refusal);
            }
        }
        let asks = !(params.has_value("verify") || self.version().is_recent() && params.is_true("2stepinit"));
        if asks && self.wants_verification(&kind, about) {
            token.rollout_state = "verify".into();
            detail.insert("rollout_state".into(), "verify".into());
            detail.insert(
                "verify".into(),
                json!({"message": "Please enter a valid OTP value of the new token."}),
            );
        }
        self.tokens.insert(token);
        Ok(Reply { value: true.into(), detail: Some(detail), verdict: None, anonymous: false })
    }

    fn new_serial(&mut self, kind: &str) -> String {
        let prefix = match kind {
            "hotp" => "OATH",
            "totp" => "TOTP",
            "yubikey" => "UBAM",
            "registration" => "REG",
            "pw" => "PW",
            _ => "TOK",
        };
        let number = self.tokens.values().filter(|token| token.kind == kind).count();
        loop {
            let serial = format!("{prefix}{number:04}{}", self.rng.text("0123456789ABCDEF", 4));
            if !self.tokens.contains_key(&serial) {
                return serial;
            }
        }
    }
}
