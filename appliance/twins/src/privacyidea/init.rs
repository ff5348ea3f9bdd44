//! `POST /token/init`, with its traps.
//!
//! The order of the steps is the order of the server's own checks, since it
//! decides which of two errors a client sees.

use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Map, Value, json};

use super::ServerTwin;
use super::answer::{Answer, Refusal, Reply};
use super::otp::{Hash, base32check, pbkdf2_sha1};
use super::params::Params;
use super::people::REALM;
use super::pin;
use super::policy::About;
use super::session::Session;
use super::token::Token;

/// Sizes of a key in two steps, unless a policy or the caller says otherwise.
const CLIENT_SIZE: &str = "8";
const DIFFICULTY: &str = "10000";

impl ServerTwin {
    pub(super) fn init(&mut self, mut params: Params, session: &Session, now: Duration) -> Answer {
        let user = self.user_of(&params)?;
        if user.is_some()
            && params.filled("user") != user.map(|u| u.login.to_owned())
            && self.version().is_3_14()
        {
            // The server's own policy check stumbles over `user@realm`.
            return Err(Refusal::parameter("Cannot pass user_object as well as user"));
        }
        let about = About { admin: &session.name, user: user.map(|u| u.login), realm: user.map(|_| REALM) };
        self.prepare(&mut params, about, now)?;

        let kind = params.filled("type").unwrap_or_else(|| "hotp".into()).to_lowercase();
        let recorded = self.version().recorded();
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
            token.realms = vec![REALM.into()];
            if self.version().is_recent() {
                token.set_info("assignment_date", super::clock::iso(now));
            }
        } else if let Some(realm) = params.filled("realm") {
            // A realm that does not exist is dropped without a word.
            token.realms = Some(realm).filter(|r| r.eq_ignore_ascii_case(REALM)).into_iter().collect();
        }

        let mut made = None;
        match kind.as_str() {
            "hotp" | "totp" => self.update_oath(&mut token, &params, about, &mut made)?,
            "yubikey" => self.update_yubikey(&mut token, &params, &mut made)?,
            "registration" | "pw" => self.update_password(&mut token, &params, &mut made)?,
            "passkey" | "webauthn" => {
                return Err(Refusal::policy("WebAuthn needs a relying party, which no policy names."));
            }
            // Nobody is asked for a certificate: there is no CA.
            "certificate" => {}
            // The remaining types are none that a station enrolls.
            _ => return Err(Refusal::fault()),
        }
        for end in ["validity_period_start", "validity_period_end"] {
            if let Some(text) = params.filled(end) {
                let shown = super::clock::parse(&text).map_or(text, super::clock::minute);
                token.set_info(end, shown);
            }
        }
        if self.version().is_recent() {
            token.set_info("creation_date", super::clock::iso(now));
        } else if self.version().is_edumfa() && is_new {
            token.set_info("created_at", super::clock::iso(now));
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
        let asks =
            !params.has_value("verify") && !(self.version().is_recent() && params.is_true("2stepinit"));
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

    /// What policies forbid, add and replace before the token is touched.
    fn prepare(&mut self, params: &mut Params, about: About<'_>, now: Duration) -> Result<(), Refusal> {
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
        if let (true, Some(token)) = (version.is_3_14(), &known) {
            if !token.is_pending() && !self.policies.allows("token_rollover", about) {
                return Err(Refusal::policy("You are not allowed to roll over this token!"));
            }
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
                let starts = if version.is_recent() {
                    known.is_none() || (!waits && params.is_true("rollover"))
                } else {
                    !waits
                };
                if starts {
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
            let length = length.parse().unwrap_or(0);
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
        let seen = self.check_otp(&mut token, &otp, now).ok().flatten();
        if seen.is_none() {
            return Err(Refusal::parameter("Verification of the new token failed."));
        }
        if self.version().is_3_14() {
            params.set("type", token.kind.clone());
        }
        token.rollout_state = "enrolled".into();
        self.tokens.insert(token);
        Ok(())
    }

    fn wants_verification(&self, kind: &str, about: About<'_>) -> bool {
        let kinds = self.policies.value("enrollment", "verify_enrollment", about).unwrap_or("");
        matches!(kind, "hotp" | "totp") && kinds.split_whitespace().any(|k| k.eq_ignore_ascii_case(kind))
    }

    /// HOTP and TOTP.
    fn update_oath(
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

    fn update_yubikey(
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
    fn update_password(
        &mut self,
        token: &mut Token,
        params: &Params,
        made: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let registration = token.kind == "registration";
        let about = About { user: token.user.as_deref(), realm: Some(REALM), ..About::default() };
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
        let code = match given.filter(|_| !params.is_true("genkey")) {
            Some(code) => {
                token.set_info(&format!("{}.length", token.kind), length);
                token.set_info(&format!("{}.contents", token.kind), contents);
                code
            }
            None => pin::random(&contents, length.parse().unwrap_or(24), &mut self.rng),
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
                token.set_info(name, super::params::python_str(value));
            }
        }
        Ok(())
    }

    /// `detail` of the answer: the key in three forms.
    fn detail(&self, token: &Token, params: &Params, made: Option<&str>) -> Map<String, Value> {
        let mut detail = Map::new();
        detail.insert("serial".into(), token.serial.clone().into());
        if token.kind == "certificate" {
            detail.insert("certificate".into(), Value::Null);
            detail.insert("rollout_state".into(), token.rollout_state.clone().into());
        }
        let oath = matches!(token.kind.as_str(), "hotp" | "totp");
        let mut extra = String::new();
        if oath {
            detail.insert("rollout_state".into(), token.rollout_state.clone().into());
            if params.is_true("2stepinit") {
                let number = |key: &str| token.info(key).parse::<i64>().unwrap_or(0);
                let output = token.hash().map_or(20, Hash::key_size);
                let (salt, rounds) = (number("2step_clientsize"), number("2step_difficulty"));
                detail.insert("2step_salt".into(), salt.into());
                detail.insert("2step_output".into(), output.into());
                detail.insert("2step_difficulty".into(), rounds.into());
                extra = format!("&2step_salt={salt}&2step_output={output}&2step_difficulty={rounds}");
            }
        }
        let Some(key) = made else { return detail };
        let image = self.image();
        let with_image = |value: String, description: &str| json!({"value": value, "description": description, "img": image});
        let mut seed = with_image(format!("seed://{key}"), "OTP seed");
        if let (true, Ok(bytes)) = (oath, HEXLOWER_PERMISSIVE.decode(key.as_bytes())) {
            let b32 = BASE32_NOPAD.encode(&bytes);
            if let Value::Object(fields) = &mut seed {
                fields.insert("value_b32".into(), b32.clone().into());
            }
            let google = self.google_url(token, params, &b32, &extra);
            detail.insert("googleurl".into(), with_image(google, "URL for google Authenticator"));
            let time_based = if token.kind == "totp" { "&timeBased=true" } else { "" };
            let link = format!(
                "oathtoken:///addToken?name={}&lockdown=true&key={key}{time_based}{extra}",
                token.serial
            );
            detail.insert("oathurl".into(), with_image(link, "URL for OATH token"));
        }
        if token.kind == "registration" {
            detail.insert("registrationcode".into(), key.into());
        } else if token.kind == "pw" {
            detail.insert("password".into(), key.into());
        }
        detail.insert("otpkey".into(), seed);
        detail
    }

    fn google_url(&self, token: &Token, params: &Params, b32: &str, extra: &str) -> String {
        let (kind, serial) = (&token.kind, &token.serial);
        let digits = params.text("otplen").unwrap_or_else(|| "6".into());
        let hash = if self.version().is_recent() {
            token.hash_name().to_owned()
        } else {
            params.text("hashlib").unwrap_or_else(|| "sha1".into())
        };
        let algorithm = if hash.eq_ignore_ascii_case("sha1") {
            String::new()
        } else {
            format!("algorithm={}&", hash.to_uppercase())
        };
        let recent = self.version().is_recent();
        let moving = if kind == "totp" {
            let step = if recent {
                token.info("timeStep").to_owned()
            } else {
                params.text("timeStep").unwrap_or_else(|| "30".into())
            };
            format!("{algorithm}period={step}&")
        } else {
            format!("counter=1&{algorithm}")
        };
        let issuer = if self.version().is_edumfa() { "eduMFA" } else { "privacyIDEA" };
        let (creator, named) = if self.version().is_recent() {
            ("creator=privacyidea&", format!("&serial={serial}"))
        } else {
            ("", String::new())
        };
        format!(
            "otpauth://{kind}/{serial}?secret={b32}&{moving}digits={digits}&{creator}issuer={issuer}{named}{extra}"
        )
    }

    fn image(&self) -> String {
        format!("data:image/png;base64,{}", "A".repeat(self.options.image_chars))
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
    let rounds = token.info("2step_difficulty").parse().unwrap_or(10_000);
    let size = Hash::named(hash_name).or_else(|| token.hash()).map_or(20, Hash::key_size);
    Ok(HEXLOWER.encode(&pbkdf2_sha1(server.as_bytes(), &part, rounds, size)))
}
