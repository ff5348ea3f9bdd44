//! Tokens of type yubikey: Yubico OTPs under an AES key that the server knows.

use serde_json::json;

use super::Scenario;
use crate::script::Script;

const AES: &str = "000102030405060708090a0b0c0d0e0f";
/// OTPs of private id 0a0b0c0d0e0f, use 1, sessions 0 and 1.
const FIRST: &str = "vvcbcdcecfcgvftgvdntninfdtertrlegjigbvfdnrfk";
const SECOND: &str = "vvcbcdcecfcgvedkilithllbvdvglbcfugrdbtbtirte";

pub(crate) const ALL: &[Scenario] = &[
    ("yubikey: life", life),
    ("yubikey: mistakes", mistakes),
    ("yubikey: again", again),
    ("yubikey: upper case and prefix", upper),
];

fn life(s: &mut Script<'_>) {
    s.init(json!({"type": "yubikey", "serial": "UBAM1_1", "otpkey": AES, "otplen": 44, "yubikey.prefix": "vvcbcdcecfcg"}));
    s.show("UBAM1_1");
    s.check("UBAM1_1", FIRST);
    s.show("UBAM1_1");
    s.check("UBAM1_1", FIRST);
    s.check("UBAM1_1", SECOND);
    s.check("UBAM1_1", "vvcbcdcecfcgvedkilithllbvdvglbcfugrdbtbtirtt");
    s.check("UBAM1_1", "123456");
    s.show("UBAM1_1");
    s.init(json!({"type": "yubikey", "serial": "UBAM2_1", "otpkey": AES, "otplen": 44, "pin": "pin!"}));
    s.check("UBAM2_1", FIRST);
    s.check("UBAM2_1", &format!("pin!{FIRST}"));
    s.show("UBAM2_1");
}

fn mistakes(s: &mut Script<'_>) {
    s.init(json!({"type": "yubikey", "serial": "UBAM3_1", "otpkey": AES}));
    s.show("UBAM3_1");
    s.check("UBAM3_1", FIRST);
    s.init(json!({"type": "yubikey", "serial": "UBAM4_1", "otpkey": "0001020304", "otplen": 44}));
    s.check("UBAM4_1", FIRST);
    s.init(json!({"type": "yubikey", "serial": "UBAM5_1", "otplen": 44}));
    s.init(json!({"type": "yubikey", "serial": "UBAM6_1", "genkey": 1, "otplen": 44}));
    s.init(json!({"type": "yubikey", "serial": "UBAM7_1", "otpkey": "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f", "otplen": 44}));
    s.check("UBAM7_1", FIRST);
    s.init(json!({"type": "yubikey", "serial": "UBAM8_1", "otpkey": "zz0102030405060708090a0b0c0d0e0f", "otplen": 44}));
    s.check("UBAM8_1", FIRST);
}

fn again(s: &mut Script<'_>) {
    s.init(json!({"type": "yubikey", "serial": "UBAM9_1", "otpkey": AES, "otplen": 44, "yubikey.prefix": "vvcbcdcecfcg"}));
    s.check("UBAM9_1", FIRST);
    s.init(json!({"type": "yubikey", "serial": "UBAM9_1", "otpkey": AES, "otplen": 44, "yubikey.prefix": "vvvvvvvvvvvv"}));
    s.show("UBAM9_1");
    s.check("UBAM9_1", FIRST);
    s.show("UBAM9_1");
    s.delete("/token/UBAM9_1");
    s.init(json!({"type": "yubikey", "serial": "UBAM9_1", "otpkey": AES, "otplen": 44, "yubikey.prefix": "vvvvvvvvvvvv"}));
    s.show("UBAM9_1");
}

fn upper(s: &mut Script<'_>) {
    s.init(json!({"type": "yubikey", "serial": "UBAM10_1", "otpkey": AES, "otplen": 44, "yubikey.prefix": "cccccccccccc"}));
    s.check("UBAM10_1", &FIRST.to_uppercase());
    s.check("UBAM10_1", SECOND);
    s.show("UBAM10_1");
}
