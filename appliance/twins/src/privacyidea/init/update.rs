//! What each type of token makes of the parameters: its key above all.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::super::answer::Refusal;
use super::super::otp::{Hash, base32check, pbkdf2_sha1};
use super::super::params::{Params, python_str};
use super::super::policy::About;
use super::super::token::Token;
use super::super::{ServerTwin, pin};

/// Sizes of a key in two steps, unless a policy or the caller says otherwise.
const CLIENT_SIZE: &str = "8";
const DIFFICULTY: &str = "10000";
/// More rounds than this would keep a real server busy until its worker is killed.
const MOST_ROUNDS: u32 = 10_000_000;

impl ServerTwin {
    /// HOTP and TOTP.
    pub(super) fn update_oath(
        &mut self,
        token: &mut Token,
        params: &Params,
        about: About<'_>,
        made: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let two_step = params.is_true("2stepinit");
        if two_step {
            let or = |name: &str, default: &str| params.text(name).unwrap_or_else(|| default.into());
            token.set_info("2step_difficulty", or("2step_difficulty", DIFFICULTY));
            token.set_info("2step_clientsize", or("2step_clientsize", CLIENT_SIZE));
        }
        let hash_name = params.text("hashlib").unwrap_or_else(|| token.hash_name().into());
        let size = Hash::named(&hash_name).map_or(20, Hash::key_size);
        let size = params
            .int("2step_serversize")
            .filter(|_| two_step)
            .and_then(Result::ok)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(size);

        if size > 1024 {
            // No column of the database holds such a key.
            return Err(Refusal::fault());
        }
        let mut key = params.text("otpkey");
        let mut generate = params.is_true("genkey");
        let forced = self.generates_by_force(&token.kind, about);
        let half_made = !token.info("2step_clientsize").is_empty();
        if self.version().is_recent() && (forced || key.as_deref().is_none_or(str::is_empty)) && !half_made {
            generate = true;
        }
        if generate && key.is_some() {
            key = None;
        }
        self.update(token, params, Key { given: key, generate, size, two_step }, &hash_name, made)?;

        token.set_info("hashlib", hash_name);
        token.set_info("tokenkind", if token.serial.starts_with("UB") { "hardware" } else { "software" });
        if token.kind == "totp" {
            let step = params.text("timeStep").or_else(|| token.info.get("timeStep").cloned());
            token.set_info("timeStep", step.unwrap_or_else(|| "30".into()));
            let window = params.text("timeWindow").or_else(|| token.info.get("timeWindow").cloned());
            token.set_info("timeWindow", window.unwrap_or_else(|| "180".into()));
            let zero = if self.version().is_edumfa() { "0" } else { "0.0" };
            let shift = params.text("timeShift").or_else(|| token.info.get("timeShift").cloned());
            token.set_info("timeShift", shift.unwrap_or_else(|| zero.into()));
        }
        Ok(())
    }

    /// Whether the client's key is thrown away.
    fn generates_by_force(&self, kind: &str, about: About<'_>) -> bool {
        let action = format!("{kind}_force_server_generate");
        if self.version().replaces_keys_without_policies() {
            self.policies.allows(&action, about)
        } else {
            self.version().is_recent() && self.policies.has("admin", &action, about)
        }
    }

    pub(super) fn update_yubikey(
        &mut self,
        token: &mut Token,
        params: &Params,
        made: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let key = params.text("otpkey").map(|key| key.replace(' ', ""));
        if self.version().is_recent() {
            match &key {
                None => return Err(Refusal::fault()),
                Some(key) if key.chars().count() != 32 => {
                    return Err(Refusal::numbered(404, "The otpkey must be 32 characters long"));
                }
                Some(_) => {}
            }
        }
        let generate = params.is_true("genkey");
        let key = Key { given: key, generate, size: 20, two_step: false };
        self.update(token, params, key, "sha1", made)?;
        token.set_info("tokenkind", "hardware");
        Ok(())
    }

    /// Registration codes and static passwords.
    pub(super) fn update_password(
        &mut self,
        token: &mut Token,
        params: &Params,
        about: About<'_>,
        made: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let registration = token.kind == "registration";
        let setting = |name: &str, default: &str| {
            let value = self.policies.value("enrollment", &format!("{}.{name}", token.kind), about);
            value.unwrap_or(default).to_owned()
        };
        let (length, contents) = if registration {
            (setting("length", "24"), setting("contents", "+cns"))
        } else {
            (setting("length", "12"), setting("contents", "cn"))
        };
        let given = params.filled("otpkey").filter(|_| !registration || self.version().is_edumfa());
        let forced = self.generates_by_force(&token.kind, about);
        let code = match given.filter(|_| !params.is_true("genkey") && !forced) {
            Some(code) => {
                token.set_info(&format!("{}.length", token.kind), length);
                token.set_info(&format!("{}.contents", token.kind), contents);
                code
            }
            None => pin::random(&contents, length.parse().unwrap_or(24).min(1024), &mut self.rng),
        };
        token.otplen = i64::try_from(code.chars().count()).unwrap_or(0);
        let key = Key { given: Some(code), generate: false, size: 0, two_step: false };
        self.update(token, &params.without(&["otplen", "otpkeyformat"]), key, "sha1", made)?;
        token.set_info("tokenkind", "software");
        Ok(())
    }

    /// What all types have in common: description, key, PIN, length, info.
    fn update(
        &mut self,
        token: &mut Token,
        params: &Params,
        key: Key,
        hash_name: &str,
        made: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let version = self.version();
        if let Some(description) = params.text("description") {
            token.description = self.fit_description(&description);
        }
        let Key { mut given, mut generate, size, two_step } = key;
        let verifies = params.has_value("verify");
        if let (Some(text), Some(format)) = (&given, params.text("otpkeyformat")) {
            given = match format.as_str() {
                "hex" => given,
                "base32check" => {
                    Some(base32check(text).ok_or_else(|| Refusal::parameter("Malformed base32check data"))?)
                }
                _ => return Err(Refusal::parameter("Unknown OTP key format")),
            };
        }
        if two_step {
            if params.is_true("rollover") {
                token.rollout_state.clear();
            }
            if token.rollout_state == "clientwait" {
                return Err(Refusal::parameter(
                    "2stepinit is only to be used in the first initialization step.",
                ));
            }
            generate = true;
            token.active = false;
        }
        if generate && given.is_some() {
            return Err(Refusal::numbered(344, "You may either specify genkey or otpkey, but not both!"));
        }
        if given.is_none() && generate && !(verifies && version.is_recent()) {
            given = Some(HEXLOWER.encode(&self.rng.bytes(size)));
        }
        if given.is_none() && !verifies {
            return Err(Refusal::parameter("Missing parameter: 'otpkey'"));
        }
        if let Some(mut secret) = given {
            if token.rollout_state == "clientwait" {
                secret = derive(token, &secret, hash_name)?;
                token.rollout_state.clear();
                token.active = true;
            }
            *made = Some(secret.clone());
            token.secret = Some(secret);
            token.count = 0;
            token.failcount = 0;
        }
        let enrolling = !version.is_3_14() || token.rollout_state != "enrolled";
        if two_step {
            token.rollout_state = "clientwait".into();
        }
        if let Some(pin) = params.text("pin") {
            token.pin = pin;
        }
        if let Some(length) = params.int("otplen") {
            token.otplen = length.map_err(|()| Refusal::fault())?;
        }
        if enrolling {
            let prefix = format!("{}.", token.kind);
            for (name, value) in params.0.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                token.set_info(name, python_str(value));
            }
        }
        Ok(())
    }
}

/// Where a key comes from.
struct Key {
    given: Option<String>,
    generate: bool,
    /// The size of a key that the server makes, in bytes.
    size: usize,
    two_step: bool,
}

/// The key of two halves: the server's is in the token, the client's is hex.
fn derive(token: &Token, client: &str, hash_name: &str) -> Result<String, Refusal> {
    let part = HEXLOWER_PERMISSIVE.decode(client.as_bytes()).map_err(|_| Refusal::fault())?;
    if token.info("2step_clientsize").parse() != Ok(part.len()) {
        return Err(Refusal::parameter("The client secret has another size than expected"));
    }
    let server = token.secret.clone().unwrap_or_default().to_lowercase();
    let rounds = token.info("2step_difficulty").parse().map_err(|_| Refusal::fault())?;
    if rounds > MOST_ROUNDS {
        return Err(Refusal::fault());
    }
    let size = Hash::named(hash_name).or_else(|| token.hash()).map_or(20, Hash::key_size);
    let key = pbkdf2_sha1(server.as_bytes(), &part, rounds, size).ok_or_else(Refusal::fault)?;
    Ok(HEXLOWER.encode(&key))
}
