//! What policies forbid, add and replace before a token is touched.

use std::time::Duration;

use super::super::answer::Refusal;
use super::super::params::Params;
use super::super::policy::About;
use super::super::token::Token;
use super::super::{ServerTwin, pin};

impl ServerTwin {
    /// What policies forbid, add and replace before the token is touched.
    pub(super) fn prepare(
        &mut self,
        params: &mut Params,
        about: About<'_>,
        now: Duration,
    ) -> Result<(), Refusal> {
        let version = self.version();
        let known = params.filled("serial").and_then(|serial| self.tokens.get(&serial).cloned());
        let kind = params.filled("type").unwrap_or_else(|| "hotp".into());
        self.check_realm_limit(params, about)?;
        let described = self.policies.value("enrollment", "require_description", about).unwrap_or("");
        if described.split_whitespace().any(|k| k == kind)
            && params.filled("description").is_none()
            && !known.as_ref().is_some_and(Token::is_pending)
        {
            return Err(Refusal::policy("Description required for this token type."));
        }
        self.check_user_limit(params)?;
        if !self.policies.allows(&format!("enroll{}", kind.to_uppercase()), about) {
            return Err(Refusal::policy(
                "Admin actions are defined, but you are not allowed to enroll this token type!",
            ));
        }
        let finished = known.as_ref().is_some_and(|token| !token.is_pending());
        if version.is_3_14() && finished && !self.policies.allows("token_rollover", about) {
            return Err(Refusal::policy("You are not allowed to roll over this token!"));
        }
        if params.has("pin") && !self.policies.allows("enrollpin", about) {
            if version.is_recent() {
                return Err(Refusal::policy(
                    "Setting a PIN is not allowed due to missing 'enrollpin' right.",
                ));
            }
            params.remove("pin");
        }

        let class = known.as_ref().map_or_else(|| kind.to_lowercase(), |token| token.kind.clone());
        match self.policies.value("admin", &format!("{class}_2step"), about) {
            Some("allow") => {}
            Some("force") => {
                let waits = known.as_ref().is_some_and(|t| t.rollout_state == "clientwait");
                if known.is_none() || (!waits && params.is_true("rollover")) {
                    params.set("2stepinit", 1);
                }
            }
            Some(_) => return Err(Refusal::policy("Unknown 2step policy setting")),
            None => params.remove("2stepinit"),
        }
        if params.is_true("2stepinit") {
            for size in ["2step_serversize", "2step_clientsize", "2step_difficulty"] {
                if let Some(value) = self.policies.value("enrollment", &format!("{class}_{size}"), about) {
                    params.set(size, value);
                }
            }
        }
        if let Some(length) = self.policies.value("enrollment", "otp_pin_random", about) {
            let length = length.parse().unwrap_or(0).min(1024);
            let contents = self.policies.value("admin", "otp_pin_contents", about).map(str::to_owned);
            let pin = pin::random(contents.as_deref().unwrap_or("cn"), length, &mut self.rng);
            params.set("pin", pin);
        }
        let unchecked = params.has_value("rollover") || params.has_value("verify");
        if !unchecked && !matches!(class.as_str(), "certificate" | "passkey" | "webauthn") {
            self.check_pin_rules(&class, &params.text("pin").unwrap_or_default(), about)?;
        }
        if matches!(class.as_str(), "hotp" | "totp") {
            for setting in ["otplen", "hashlib", "timestep"] {
                if let Some(value) = self.policies.value("admin", &format!("{class}_{setting}"), about) {
                    params.set(if setting == "timestep" { "timeStep" } else { setting }, value);
                }
            }
        }
        if let Some(token) = known.filter(|token| token.rollout_state == "verify") {
            self.verify(token, params, now)?;
        }
        Ok(())
    }

    /// An OTP for a token that waits for its first one.
    fn verify(&mut self, mut token: Token, params: &mut Params, now: Duration) -> Result<(), Refusal> {
        let Some(otp) = params.filled("verify") else {
            if self.version().is_recent() {
                return Err(Refusal::parameter(
                    "Token is in verify_pending state but 'verify' parameter is missing.",
                ));
            }
            return Ok(());
        };
        if token.revoked {
            return Err(Refusal::numbered(1007, "This action is not possible, since the token is locked"));
        }
        let seen = self.check_otp(&mut token, &otp, now).ok().flatten();
        if seen.is_none() {
            return Err(Refusal::parameter("Verification of the new token failed."));
        }
        params.set("type", token.kind.clone());
        token.rollout_state = "enrolled".into();
        self.tokens.insert(token);
        Ok(())
    }

    pub(super) fn wants_verification(&self, kind: &str, about: About<'_>) -> bool {
        let kinds = self.policies.value("enrollment", "verify_enrollment", about).unwrap_or("");
        matches!(kind, "hotp" | "totp") && kinds.split_whitespace().any(|k| k.eq_ignore_ascii_case(kind))
    }
}
