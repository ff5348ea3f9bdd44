//! The record of one token.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::{Map, Value, json};

use super::Version;
use super::otp::Hash;
use super::people::User;

/// Token info that belongs to the token, but may be set by `POST /token/set` (3.14).
const SETTABLE: [&str; 8] = [
    "hashlib",
    "timeWindow",
    "timeShift",
    "timeStep",
    "count_auth_max",
    "count_auth_success_max",
    "validity_period_start",
    "validity_period_end",
];

/// A token as plain data.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its name; the server tells upper and lower case apart.
    pub serial: String,
    /// `hotp`, `totp`, `yubikey`, `registration` or `pw`.
    pub kind: String,
    /// Whether it is switched on.
    pub active: bool,
    /// Whether it was revoked, which also locks it, for ever.
    pub revoked: bool,
    /// `enrolled` or empty when finished, else `verify` or `clientwait`.
    pub rollout_state: String,
    /// The next counter that HOTP expects; for a YubiKey, the last one and one.
    pub count: i64,
    /// How many counters a check looks ahead.
    pub count_window: i64,
    /// How many counters a resynchronisation looks ahead.
    pub sync_window: i64,
    /// Wrong OTPs since the last right one.
    pub failcount: i64,
    /// At this many the token is locked until it is reset.
    pub maxfail: i64,
    /// The length of an OTP. For a YubiKey, with its prefix.
    pub otplen: i64,
    /// Free text.
    pub description: String,
    /// Token info.
    pub info: BTreeMap<String, String>,
    /// The owner's login name.
    pub user: Option<String>,
    /// The owner's realm.
    pub user_realm: String,
    /// The realms it belongs to.
    pub realms: Vec<String>,
    /// The container that holds it.
    pub container: Option<String>,
    /// The order of creation.
    pub id: u64,
    /// The key as the server stores it: hex, or the password itself. `None`
    /// until one is set.
    pub(super) secret: Option<String>,
    pub(super) pin: String,
}

impl Token {
    pub(super) fn new(serial: &str, kind: &str, id: u64) -> Self {
        Self {
            serial: serial.into(),
            kind: kind.into(),
            active: true,
            revoked: false,
            rollout_state: String::new(),
            count: 0,
            count_window: 10,
            sync_window: 1000,
            failcount: 0,
            maxfail: 10,
            otplen: 6,
            description: String::new(),
            info: BTreeMap::new(),
            user: None,
            user_realm: String::new(),
            realms: Vec::new(),
            container: None,
            id,
            secret: None,
            pin: String::new(),
        }
    }

    /// The key, for tests that compare it with the one in the hardware. Empty
    /// if the token has none, or none that is hex.
    pub fn secret_for_tests(&self) -> Vec<u8> {
        self.key().unwrap_or_default()
    }

    /// The secret as the server keeps it, for tests: hex digits, or the password of a token of type pw.
    pub fn secret_text_for_tests(&self) -> &str {
        self.secret.as_deref().unwrap_or_default()
    }

    pub(super) fn key(&self) -> Option<Vec<u8>> {
        HEXLOWER_PERMISSIVE.decode(self.secret.as_deref()?.as_bytes()).ok()
    }

    pub(super) fn set_info(&mut self, key: &str, value: impl Into<String>) {
        self.info.insert(key.into(), value.into());
    }

    pub(super) fn info(&self, key: &str) -> &str {
        self.info.get(key).map_or("", String::as_str)
    }

    pub(super) fn hash_name(&self) -> &str {
        Some(self.info("hashlib")).filter(|name| !name.is_empty()).unwrap_or("sha1")
    }

    pub(super) fn hash(&self) -> Option<Hash> {
        Hash::named(self.hash_name())
    }

    pub(super) fn digits(&self) -> usize {
        usize::try_from(self.otplen).unwrap_or(0)
    }

    /// Waiting for the other half of its key, or for its first OTP.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.rollout_state.as_str(), "clientwait" | "verify")
    }

    /// Why a right OTP would not count now, in the server's words.
    pub(super) fn obstacle(&self, now: Duration) -> Option<&'static str> {
        if !self.active {
            Some("Token is disabled")
        } else if self.failcount >= self.maxfail {
            Some("Failcounter exceeded")
        } else if !self.is_valid_at(now) {
            Some("Outside validity period")
        } else if self.is_pending() {
            Some("Token is not yet enrolled")
        } else {
            None
        }
    }

    /// The validity period, as far as the twin can read its two ends.
    fn is_valid_at(&self, now: Duration) -> bool {
        let end = |key: &str| self.info.get(key).and_then(|text| super::clock::parse(text));
        end("validity_period_start").is_none_or(|start| start <= now)
            && end("validity_period_end").is_none_or(|end| end >= now)
    }

    /// Whether an OTP of this token would be accepted now. A token without a
    /// key is no exception: the server takes OTPs of the empty key for right.
    pub(super) fn counts(&self, now: Duration) -> bool {
        let usable = match self.kind.as_str() {
            "hotp" | "totp" => self.hash().is_some() && (self.secret.is_none() || self.key().is_some()),
            "yubikey" => self.key().is_some_and(|key| key.len() == 16),
            _ => self.secret.is_some(),
        };
        self.obstacle(now).is_none() && !self.revoked && usable
    }

    /// Back to no wrong OTPs at all.
    pub(super) fn forgive(&mut self) {
        self.failcount = 0;
        self.info.remove("failcounter_exceeded");
    }

    /// The token as `GET /token/` shows it.
    pub(super) fn shown(&self, version: Version, owner: Option<&User>) -> Value {
        let mut shown = json!({
            "active": self.active, "count": self.count, "count_window": self.count_window,
            "description": self.description, "failcount": self.failcount, "id": self.id,
            "info": self.info, "locked": self.revoked, "maxfail": self.maxfail, "otplen": self.otplen,
            "realms": self.realms, "resolver": owner.map_or("", |user| user.resolver),
            "revoked": self.revoked, "rollout_state": self.rollout_state, "serial": self.serial,
            "sync_window": self.sync_window, "tokengroup": [], "tokentype": self.kind,
            "user_id": owner.map_or(String::new(), |user| user.uid.to_string()),
            "user_realm": owner.map_or("", |user| user.realm),
            "username": owner.map_or("", |user| user.login),
        });
        if let Value::Object(fields) = &mut shown {
            if owner.is_some() {
                fields.insert("user_editable".into(), false.into());
            }
            if version.is_recent() {
                fields.insert("container_serial".into(), self.container.clone().unwrap_or_default().into());
            }
            if version.is_3_14() {
                self.describe_info(fields);
            }
        }
        shown
    }

    /// 3.14 says which token info an administrator may touch.
    fn describe_info(&self, fields: &mut Map<String, Value>) {
        let owned: Vec<&String> = self.info.keys().filter(|key| self.owns_info(key)).collect();
        let settable = owned.iter().filter(|key| SETTABLE.contains(&key.as_str()));
        fields.insert("settable_info_keys".into(), settable.map(|key| key.as_str()).collect());
        fields.insert("undeletable_info_keys".into(), json!(owned));
        fields.insert("readonly_info_keys".into(), json!(owned));
    }

    /// Token info that the token itself writes, and nobody may set (3.14).
    pub(super) fn owns_info(&self, key: &str) -> bool {
        const COMMON: [&str; 12] = [
            "tokenkind",
            "creation_date",
            "assignment_date",
            "last_auth",
            "count_auth",
            "count_auth_success",
            "count_auth_max",
            "count_auth_success_max",
            "validity_period_start",
            "validity_period_end",
            "next_pin_change",
            "failcounter_exceeded",
        ];
        COMMON.contains(&key)
            || match self.kind.as_str() {
                "hotp" => matches!(key, "hashlib" | "2step_clientsize" | "2step_difficulty"),
                "totp" => {
                    matches!(
                        key,
                        "hashlib"
                            | "timeStep"
                            | "timeWindow"
                            | "timeShift"
                            | "2step_clientsize"
                            | "2step_difficulty"
                    )
                }
                "yubikey" => matches!(key, "yubikey.prefix" | "yubikey.tokenid"),
                _ => false,
            }
    }
}

/// All tokens of a server, by serial, which can also be looked up without
/// regard to case.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    by_serial: BTreeMap<String, Token>,
    /// Lower-case serial → the serials that look like it. Never an empty list.
    alike: BTreeMap<String, Vec<String>>,
}

impl Tokens {
    /// These tokens.
    pub(super) fn of(by_serial: BTreeMap<String, Token>) -> Self {
        let mut tokens = Self::default();
        by_serial.into_values().for_each(|token| tokens.insert(token));
        tokens
    }

    pub(super) fn get(&self, serial: &str) -> Option<&Token> {
        self.by_serial.get(serial)
    }

    pub(super) fn get_mut(&mut self, serial: &str) -> Option<&mut Token> {
        self.by_serial.get_mut(serial)
    }

    pub(super) fn contains_key(&self, serial: &str) -> bool {
        self.by_serial.contains_key(serial)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Token> {
        self.by_serial.values()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Token> {
        self.by_serial.values_mut()
    }

    /// The tokens of this serial, whatever its case.
    pub(super) fn alike(&self, serial: &str) -> impl Iterator<Item = &Token> {
        let serials = self.alike.get(&serial.to_lowercase()).map_or(&[][..], Vec::as_slice);
        serials.iter().filter_map(|serial| self.by_serial.get(serial))
    }

    pub(super) fn insert(&mut self, token: Token) {
        let serial = token.serial.clone();
        if self.by_serial.insert(serial.clone(), token).is_none() {
            self.alike.entry(serial.to_lowercase()).or_default().push(serial);
        }
    }

    pub(super) fn remove(&mut self, serial: &str) {
        self.by_serial.remove(serial);
        let folded = serial.to_lowercase();
        if let Some(serials) = self.alike.get_mut(&folded) {
            serials.retain(|known| known != serial);
            if serials.is_empty() {
                self.alike.remove(&folded);
            }
        }
    }
}
