//! Enrollment that ends with an OTP out of the key.

use serde_json::json;

use super::Scenario;
use crate::otp::{KEY, hotp};
use crate::script::Script;

const OTHER: &str = "000102030405060708090a0b0c0d0e0f10111213";

pub(crate) const ALL: &[Scenario] = &[
    ("verify: right", right),
    ("verify: wrong", wrong),
    ("verify: init again", init_again),
    ("verify: traps", traps),
    ("verify: totp and others", others),
];

fn right(s: &mut Script<'_>) {
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "V1", "otpkey": KEY}));
    s.show("V1");
    s.check("V1", &hotp(KEY, 0));
    s.show("V1");
    s.post("/token/enable", json!({"serial": "V1"}));
    s.post("/token/disable", json!({"serial": "V1"}));
    s.post("/token/enable", json!({"serial": "V1"}));
    s.init(json!({"type": "hotp", "serial": "V1", "verify": hotp(KEY, 3)}));
    s.show("V1");
    s.check("V1", &hotp(KEY, 3));
    s.check("V1", &hotp(KEY, 4));
    // Once more, with nonsense: still 200.
    s.init(json!({"type": "hotp", "serial": "V1", "verify": "000000"}));
    s.show("V1");
    s.check("V1", &hotp(KEY, 5));
}

fn wrong(s: &mut Script<'_>) {
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "VW1", "otpkey": KEY}));
    for _ in 0..12 {
        s.init(json!({"type": "hotp", "serial": "VW1", "verify": "000000"}));
    }
    s.init(json!({"type": "hotp", "serial": "VW1", "verify": hotp(KEY, 10)}));
    s.init(json!({"type": "hotp", "serial": "VW1", "verify": "12345"}));
    s.init(json!({"type": "hotp", "serial": "VW1", "verify": ""}));
    s.show("VW1");
    s.init(json!({"type": "hotp", "serial": "VW1", "verify": hotp(KEY, 9)}));
    s.show("VW1");
}

fn init_again(s: &mut Script<'_>) {
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "VA1", "otpkey": KEY, "description": "first"}));
    s.init(json!({"type": "hotp", "serial": "VA1", "otpkey": OTHER}));
    s.show("VA1");
    s.init(json!({"type": "hotp", "serial": "VA1", "verify": hotp(OTHER, 0)}));
    s.delete("/token/VA1");
    s.init(json!({"type": "hotp", "serial": "VA1", "otpkey": OTHER}));
    s.init(json!({"type": "hotp", "serial": "VA1", "verify": hotp(OTHER, 0)}));
    // An enrolled token goes back to the start.
    s.init(json!({"type": "hotp", "serial": "VA1", "otpkey": KEY}));
    s.check("VA1", &hotp(KEY, 0));
    s.init(json!({"type": "totp", "serial": "VA1", "otpkey": KEY}));
}

fn traps(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "VT1", "otpkey": KEY, "verify": "123456"}));
    s.show("VT1");
    s.policy("verify-enrollment");
    s.init(json!({"type": "hotp", "serial": "VT2", "verify": "123456"}));
    s.show("VT2");
    // HOTP of an empty key: a token without a key must not accept it.
    s.check("VT2", &hotp("", 0));
    s.show("VT2");
    s.init(json!({"type": "hotp", "serial": "VT3", "genkey": 1, "verify": "123456"}));
    s.show("VT3");
    s.init(json!({"type": "hotp", "serial": "VT4", "otpkey": KEY}));
    s.init(json!({"serial": "VT4", "verify": hotp(KEY, 0)}));
    s.init(json!({"type": "hotp", "serial": "VT5", "otpkey": KEY, "pin": "abcd", "user": "alice", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "VT5", "verify": hotp(KEY, 0), "pin": "efgh"}));
    s.check("VT5", &format!("abcd{}", hotp(KEY, 1)));
    s.check("VT5", &format!("efgh{}", hotp(KEY, 2)));
    s.check("VT5", &format!("abcd{}", hotp(KEY, 3)));
    s.post("/token/revoke", json!({"serial": "VT5"}));
    s.init(json!({"type": "hotp", "serial": "VT5", "verify": hotp(KEY, 4)}));
}

fn others(s: &mut Script<'_>) {
    s.policy("verify-enrollment");
    s.init(json!({"type": "yubikey", "serial": "VO1", "otpkey": "000102030405060708090a0b0c0d0e0f", "otplen": 44}));
    s.init(json!({"type": "totp", "serial": "VO2", "otpkey": KEY}));
    let step = s.now() / 30;
    s.init(json!({"type": "totp", "serial": "VO2", "verify": hotp(KEY, step)}));
    s.init(json!({"type": "totp", "serial": "VO3", "otpkey": KEY}));
    let step = s.now() / 30;
    s.init(json!({"serial": "VO3", "verify": hotp(KEY, step)}));
    s.show("VO3");
    s.init(json!({"type": "registration", "user": "alice", "realm": "office"}));
}
