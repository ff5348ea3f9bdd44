//! Enrollment in two steps.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::Scenario;
use crate::otp::{KEY, hotp};
use crate::script::Script;

const CLIENT8: &str = "0102030405060708";
const CLIENT8_CHECKED: &str = "3VLYHPABAIBQIBIGA4EA";
const CLIENT10: &str = "0102030405060708090a";

pub(crate) const ALL: &[Scenario] = &[
    ("two steps: allowed", allowed),
    ("two steps: not allowed", not_allowed),
    ("two steps: forced", forced),
    ("two steps: defaults", defaults),
    ("two steps: traps", traps),
    ("two steps: verified", verified),
];

/// The server's part, from the answer to the first step.
fn server_part(answer: &Value) -> String {
    answer["detail"]["otpkey"]["value"].as_str().unwrap_or("seed://00").replace("seed://", "")
}

/// PBKDF2-HMAC-SHA1 of one block.
fn derived(server: &str, client: &str, rounds: u32) -> String {
    let keyed = Hmac::<Sha1>::new_from_slice(server.as_bytes()).unwrap();
    let mac = |message: &[u8]| {
        let mut mac = keyed.clone();
        mac.update(message);
        mac.finalize().into_bytes()
    };
    let client = HEXLOWER.decode(client.as_bytes()).unwrap();
    let mut link = mac(&[client.as_slice(), &[0, 0, 0, 1]].concat());
    let mut sum = link;
    for _ in 1..rounds {
        link = mac(&link);
        sum.iter_mut().zip(&link).for_each(|(s, l)| *s ^= l);
    }
    HEXLOWER.encode(&sum)
}

fn allowed(s: &mut Script<'_>) {
    s.policy("twostep-allow");
    let first = s.init(json!({"type": "hotp", "serial": "TS1", "2stepinit": 1, "genkey": 1}));
    s.show("TS1");
    s.check("TS1", "123456");
    s.init(json!({"type": "hotp", "serial": "TS1", "2stepinit": 1, "genkey": 1}));
    s.init(json!({"type": "hotp", "serial": "TS1", "otpkey": "010203", "otpkeyformat": "hex"}));
    s.init(json!({"type": "hotp", "serial": "TS1", "otpkey": "AAAA", "otpkeyformat": "base32check"}));
    s.init(
        json!({"type": "hotp", "serial": "TS1", "otpkey": CLIENT8_CHECKED, "otpkeyformat": "base32check"}),
    );
    s.show("TS1");
    let key = derived(&server_part(&first), CLIENT8, 10_000);
    s.check("TS1", &hotp(&key, 0));
    s.init(json!({"type": "hotp", "serial": "TS2", "2stepinit": 1, "genkey": 1, "2step_clientsize": 12, "hashlib": "sha256"}));
    s.init(json!({"serial": "TS2", "otpkey": CLIENT8}));
    s.show("TS2");
    s.init(json!({"type": "hotp", "serial": "TS3", "otpkey": KEY}));
    s.init(json!({"type": "yubikey", "serial": "TS4", "otpkey": "000102030405060708090a0b0c0d0e0f", "2stepinit": 1}));
}

fn not_allowed(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "TN1", "2stepinit": 1, "genkey": 1}));
    s.show("TN1");
}

fn forced(s: &mut Script<'_>) {
    s.policy("twostep-force");
    s.init(json!({"type": "hotp", "serial": "TF1", "otpkey": KEY}));
    let first = s.init(json!({"type": "hotp", "serial": "TF1", "genkey": 1}));
    s.init(json!({"type": "hotp", "serial": "TF1", "otpkey": CLIENT8}));
    s.init(json!({"type": "hotp", "serial": "TF1", "otpkey": CLIENT10}));
    let key = derived(&server_part(&first), CLIENT10, 20_000);
    s.check("TF1", &hotp(&key, 0));
    s.show("TF1");
    s.init(json!({"type": "hotp", "serial": "TF1", "otpkey": KEY}));
    s.show("TF1");
    s.init(json!({"type": "yubikey", "serial": "TF2", "otpkey": "000102030405060708090a0b0c0d0e0f", "otplen": 44}));
    s.init(json!({"type": "totp", "serial": "TF3", "genkey": 1}));
}

fn defaults(s: &mut Script<'_>) {
    s.policy("twostep-defaults");
    s.init(json!({"type": "hotp", "serial": "TD1", "2stepinit": 1}));
    s.init(json!({"type": "hotp", "serial": "TD2", "2stepinit": "1", "2step_clientsize": 10, "2step_serversize": 32, "2step_difficulty": 100, "hashlib": "sha512"}));
    s.init(json!({"type": "hotp", "serial": "TD3", "2stepinit": 1, "otpkey": KEY}));
    s.init(json!({"type": "totp", "serial": "TD4", "2stepinit": 1}));
}

fn traps(s: &mut Script<'_>) {
    s.policy("twostep-allow");
    s.init(json!({"type": "hotp", "serial": "TT1", "2stepinit": 1, "genkey": 1}));
    s.init(json!({"type": "hotp", "serial": "TT1", "2stepinit": 1, "genkey": 1, "rollover": 1}));
    s.init(json!({"type": "hotp", "serial": "TT1", "otpkey": CLIENT8}));
    // The second step once more, after a lost answer: now the client's part is the key.
    s.init(json!({"type": "hotp", "serial": "TT1", "otpkey": CLIENT8}));
    s.check("TT1", &hotp(CLIENT8, 0));
    s.init(json!({"type": "hotp", "serial": "TT1"}));
    s.post("/token/enable", json!({"serial": "TT1"}));
    s.init(json!({"type": "hotp", "serial": "TT2", "2stepinit": 1, "genkey": 1}));
    s.post("/token/enable", json!({"serial": "TT2"}));
    s.check("TT2", "123456");
    s.show("TT2");
    s.init(json!({"type": "hotp", "serial": "TT2", "genkey": 1}));
    s.show("TT2");
}

fn verified(s: &mut Script<'_>) {
    s.policy("twostep-allow");
    s.policy("verify-enrollment");
    let first = s.init(json!({"type": "hotp", "serial": "TV1", "2stepinit": 1, "genkey": 1}));
    s.init(json!({"type": "hotp", "serial": "TV1", "otpkey": CLIENT8}));
    let key = derived(&server_part(&first), CLIENT8, 10_000);
    s.init(json!({"type": "hotp", "serial": "TV1", "verify": hotp(&key, 0)}));
    s.show("TV1");
}
