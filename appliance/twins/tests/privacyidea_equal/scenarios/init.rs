//! `/token/init` of HOTP and TOTP tokens.

use serde_json::json;

use super::Scenario;
use crate::otp::{KEY, hotp, hotp_sha256};
use crate::script::Script;

const KEY32: &str = "3132333435363738393031323334353637383930313233343536373839303132";

pub(crate) const ALL: &[Scenario] = &[
    ("init: plain", plain),
    ("init: parameters", parameters),
    ("init: keys", keys),
    ("init: mistakes", mistakes),
    ("init: users and realms", users_and_realms),
    ("init: serials", serials),
    ("init: again", again),
    ("init: again, other type or user", again_other),
    ("init: totp", totp),
    ("init: other types", other_types),
    ("init: base32check", base32check),
];

fn plain(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "P1", "otpkey": KEY}));
    s.show("P1");
    s.init(json!({"type": "HOTP", "serial": "P2", "otpkey": KEY.to_uppercase(), "otplen": 8, "hashlib": "sha256"}));
    s.show("P2");
    s.init(json!({"serial": "P3", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "UBOM00000001_1", "otpkey": KEY, "description": "d1"}));
    s.show("UBOM00000001_1");
    s.init(json!({"type": "hotp", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "P4", "otpkey": KEY, "otplen": "8", "hashlib": "sha512"}));
    s.show("P4");
    s.init(json!({"type": "hotp", "serial": "P5", "genkey": 1, "hashlib": "sha256"}));
    s.init(json!({"type": "hotp", "serial": "P6", "genkey": "1"}));
}

fn parameters(s: &mut Script<'_>) {
    let long: String = "0123456789".repeat(10);
    s.init(json!({"type": "hotp", "serial": "Q1", "otpkey": KEY, "description": long}));
    s.show("Q1");
    s.init(json!({"type": "hotp", "serial": "Q2", "otpkey": KEY, "hotp.station": "desk-1", "yubikey.prefix": "vv", "unknown": "x"}));
    s.show("Q2");
    s.init(
        json!({"type": "hotp", "serial": "Q2", "otpkey": KEY, "hotp.station": "desk-2", "hotp.more": "y"}),
    );
    s.show("Q2");
    s.init(json!({"type": "hotp", "serial": "Q3", "otpkey": KEY, "pin": "geheim"}));
    s.check("Q3", "geheim755224");
    s.check("Q3", "287082");
    s.init(json!({
        "type": "hotp", "serial": "Q4", "otpkey": KEY,
        "validity_period_start": "2020-01-01T00:00+0000", "validity_period_end": "2021-01-01T00:00+0000",
    }));
    s.show("Q4");
    s.check("Q4", &hotp(KEY, 0));
    s.init(json!({"type": "hotp", "serial": "Q5", "otpkey": KEY, "description": "Jörg’s \"key\" <b>"}));
    s.show("Q5");
}

fn keys(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "K1", "otpkey": "xyz!"}));
    s.show("K1");
    s.check("K1", "123456");
    s.init(json!({"type": "hotp", "serial": "K2", "otpkey": "abc"}));
    s.check("K2", "123456");
    s.init(json!({"type": "hotp", "serial": "K3", "otpkey": "31323334"}));
    s.check("K3", &hotp("31323334", 0));
    s.init(json!({"type": "hotp", "serial": "K4", "otpkey": KEY, "genkey": 1}));
    s.init(json!({"type": "hotp", "serial": "K5"}));
    s.init(json!({"type": "hotp", "serial": "K6", "otpkey": ""}));
    s.init(json!({"type": "hotp", "serial": "K7", "otpkey": KEY, "genkey": 0}));
    s.init(json!({"type": "hotp", "serial": "K8", "otpkey": KEY32, "hashlib": "sha256", "otplen": 8}));
    s.check("K8", &hotp_sha256(KEY32, 0));
    s.init(json!({"type": "hotp", "serial": "K9", "otpkey": KEY, "otpkeyformat": "hex"}));
    s.check("K9", &hotp(KEY, 0));
}

fn mistakes(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "M1", "otpkey": KEY, "otplen": "six"}));
    s.show("M1");
    s.init(json!({"type": "hotp", "serial": "M2", "otpkey": KEY, "hashlib": "md5"}));
    s.check("M2", "123456");
    s.init(json!({"type": "nonsense", "serial": "M3", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "M 4", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "M4/x", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "Mö", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "M5", "otpkey": KEY, "otpkeyformat": "base64"}));
    s.init(json!({"type": "hotp", "serial": "M6", "otpkey": KEY, "otplen": 7}));
    s.init(json!({"type": "hotp", "serial": "M7-with_dashes-012345678901234567890123456", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": null, "otpkey": KEY, "pin": null, "description": null}));
    s.init(json!({"type": "hotp", "serial": "", "otpkey": KEY}));
    s.get("/token/?serial=M*");
}

fn users_and_realms(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "U1", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.show("U1");
    s.init(json!({"type": "hotp", "serial": "U2", "otpkey": KEY, "user": "alice"}));
    s.show("U2");
    s.init(json!({"type": "hotp", "serial": "U3", "otpkey": KEY, "user": "nobody", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "U4", "otpkey": KEY, "user": "alice", "realm": "nowhere"}));
    s.init(json!({"type": "hotp", "serial": "U5", "otpkey": KEY, "realm": "office"}));
    s.show("U5");
    s.init(json!({"type": "hotp", "serial": "U6", "otpkey": KEY, "realm": "nowhere"}));
    s.show("U6");
    s.init(json!({"type": "hotp", "serial": "U7", "otpkey": KEY, "user": "jörg", "realm": "office"}));
    s.show("U7");
    s.init(json!({"type": "hotp", "serial": "U8", "otpkey": KEY, "user": "dave.o'neil", "realm": "office", "resolver": "staff"}));
    s.show("U8");
    s.init(json!({"type": "hotp", "serial": "U9", "otpkey": KEY, "user": "alice@office"}));
    s.init(json!({"type": "hotp", "serial": "U10", "otpkey": KEY, "user": ""}));
    s.init(json!({"type": "hotp", "serial": "U11", "otpkey": KEY, "user": "", "realm": "office"}));
    s.show("U11");
    s.get("/token/?user=alice&realm=office");
    s.get("/token/?assigned=False");
    s.get("/token/?tokenrealm=office&pagesize=2");
    s.get("/token/?tokenrealm=office&pagesize=2&page=2");
}

fn serials(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "W8", "otpkey": KEY, "description": "upper"}));
    s.init(json!({"type": "hotp", "serial": "w8", "otpkey": KEY, "description": "lower"}));
    s.get("/token/?serial=W8");
    s.get("/token/?serial=w8");
    s.get("/token/?serial=w*");
    s.get("/token/?serial=NONE");
    s.get("/token/?serial=W_");
    s.check("w8", &hotp(KEY, 0));
    s.delete("/token/w8");
    s.get("/token/?serial=W8");
}

fn again(s: &mut Script<'_>) {
    s.init(json!({
        "type": "hotp", "serial": "R1", "otpkey": KEY, "description": "first", "otplen": 8, "hashlib": "sha256",
        "pin": "abcd", "user": "bob", "realm": "office", "hotp.station": "a",
    }));
    s.post("/token/set", json!({"serial": "R1", "count_window": 20}));
    s.check("R1", &format!("abcd{}", hotp_sha256(KEY, 3)));
    s.check("R1", "abcd00000000");
    s.post("/token/disable", json!({"serial": "R1"}));
    s.show("R1");
    s.init(json!({"type": "hotp", "serial": "R1", "otpkey": KEY32}));
    s.show("R1");
    s.post("/token/enable", json!({"serial": "R1"}));
    s.check("R1", &format!("abcd{}", hotp_sha256(KEY32, 0)));
    s.init(json!({"type": "hotp", "serial": "R1", "otpkey": KEY32, "pin": "", "otplen": 6, "hashlib": "sha1", "description": ""}));
    s.check("R1", &hotp(KEY32, 0));
    s.show("R1");
    s.post("/token/revoke", json!({"serial": "R1"}));
    s.init(json!({"type": "hotp", "serial": "R1", "otpkey": KEY}));
    s.delete("/token/R1");
    s.init(json!({"type": "hotp", "serial": "R1", "otpkey": KEY}));
    s.show("R1");
}

fn again_other(s: &mut Script<'_>) {
    s.init(json!({"type": "hotp", "serial": "O1", "otpkey": KEY, "user": "bob", "realm": "office"}));
    s.init(json!({"type": "totp", "serial": "O1", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "O1", "otpkey": KEY32, "user": "alice", "realm": "office"}));
    s.show("O1");
    s.check("O1", &hotp(KEY, 0));
    s.init(json!({"type": "hotp", "serial": "O1", "otpkey": KEY, "user": "bob", "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "O2", "otpkey": KEY, "realm": "office"}));
    s.init(json!({"type": "hotp", "serial": "O2", "otpkey": KEY}));
    s.show("O2");
    s.init(json!({"type": "hotp", "serial": "O2", "otpkey": KEY, "user": "alice", "realm": "office"}));
    s.show("O2");
    s.init(json!({"type": "totp", "serial": "O3", "otpkey": KEY}));
    s.init(json!({"serial": "O3", "otpkey": KEY}));
    s.init(json!({"type": "hotp", "serial": "O2", "otpkey": KEY, "rollover": 1, "description": "rolled"}));
    s.show("O2");
    s.init(json!({"type": "hotp", "serial": "O4", "otpkey": KEY, "rollover": 1}));
}

fn totp(s: &mut Script<'_>) {
    s.init(json!({"type": "totp", "serial": "T1", "otpkey": KEY}));
    s.show("T1");
    let step = s.now() / 30;
    s.check("T1", &hotp(KEY, step));
    s.check("T1", &hotp(KEY, step));
    s.check("T1", &hotp(KEY, step - 2));
    s.check("T1", &hotp(KEY, step + 20));
    s.check("T1", &hotp(KEY, step + 3));
    s.init(json!({"type": "totp", "serial": "T2", "otpkey": KEY, "timeStep": 60, "otplen": 8, "hashlib": "sha256"}));
    s.show("T2");
    let minute = s.now() / 60;
    s.check("T2", &hotp_sha256(KEY, minute));
    s.init(json!({"type": "totp", "serial": "T2", "otpkey": KEY}));
    s.show("T2");
    s.init(json!({"type": "totp", "serial": "T3", "otpkey": KEY}));
    let step = s.now() / 30;
    s.check("T3", &hotp(KEY, step - 4));
    s.check("T3", &hotp(KEY, step - 5));
    s.check("T3", &hotp(KEY, step + 4));
}

fn other_types(s: &mut Script<'_>) {
    for kind in ["certificate", "webauthn", "passkey", "u2f"] {
        s.init(json!({"type": kind, "serial": format!("X{kind}"), "user": "alice", "realm": "office"}));
    }
    s.init(json!({"type": "pw", "serial": "XPW", "otpkey": "geheimnis"}));
    s.show("XPW");
    s.check("XPW", "geheimnis");
}

fn base32check(s: &mut Script<'_>) {
    // SHA1(01…08) begins with dd578 3bc…: the text of the recorded two-step enrollment.
    s.init(json!({"type": "hotp", "serial": "B1", "otpkey": "3VLYHPABAIBQIBIGA4EA", "otpkeyformat": "base32check"}));
    s.check("B1", &hotp("0102030405060708", 0));
    s.init(json!({"type": "hotp", "serial": "B2", "otpkey": "4VLYHPABAIBQIBIGA4EA", "otpkeyformat": "base32check"}));
    s.init(json!({"type": "hotp", "serial": "B3", "otpkey": "3vlyhpabaibqibiga4ea", "otpkeyformat": "base32check"}));
    s.init(json!({"type": "hotp", "serial": "B4", "otpkey": "not base32!", "otpkeyformat": "base32check"}));
}
