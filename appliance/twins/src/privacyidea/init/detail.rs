//! `detail` of the answer: the key in three forms, each of them a secret.

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use serde_json::{Map, Value, json};

use super::super::otp::Hash;
use super::super::params::Params;
use super::super::token::Token;
use super::super::{ServerTwin, Version};

impl ServerTwin {
    /// `detail` of the answer: the key in three forms.
    pub(super) fn detail(&self, token: &Token, params: &Params, made: Option<&str>) -> Map<String, Value> {
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
        if let (true, Ok(bytes)) = (oath && !key.is_empty(), HEXLOWER_PERMISSIVE.decode(key.as_bytes())) {
            let b32 = BASE32_NOPAD.encode(&bytes);
            if let Value::Object(fields) = &mut seed {
                fields.insert("value_b32".into(), b32.clone().into());
            }
            // Before 3.10, a realm without a user left nobody to name the URLs after.
            let unnamed = params.filled("realm").is_some() && params.filled("user").is_none();
            if self.version().is_recent() || !unnamed {
                let google = self.google_url(token, params, &b32, &extra);
                detail.insert("googleurl".into(), with_image(google, "URL for google Authenticator"));
                let time_based = if token.kind == "totp" { "&timeBased=true" } else { "" };
                let link = format!(
                    "oathtoken:///addToken?name={}&lockdown=true&key={key}{time_based}{extra}",
                    token.serial
                );
                detail.insert("oathurl".into(), with_image(link, "URL for OATH token"));
            }
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
        let hash = if self.version() == Version::V3_9_3 { hash } else { hash.to_uppercase() };
        let algorithm =
            if hash.eq_ignore_ascii_case("sha1") { String::new() } else { format!("algorithm={hash}&") };
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
}
