//! Registration codes.

use serde_json::{Value, json};

use super::Scenario;
use crate::script::Script;

pub(crate) const ALL: &[Scenario] = &[
    ("registration: code", code),
    ("registration: digits", digits),
    ("registration: with the password", with_password),
];

fn code_of(answer: &Value) -> String {
    answer["detail"]["registrationcode"].as_str().unwrap_or_default().to_owned()
}

fn code(s: &mut Script<'_>) {
    let answer = s.init(json!({"type": "registration", "user": "carol", "realm": "office"}));
    let serial = answer["detail"]["serial"].as_str().unwrap().to_owned();
    s.get("/token/?user=carol&realm=office");
    s.check(&serial, "wrong");
    s.check_user("carol", &code_of(&answer));
    s.check_user("carol", &code_of(&answer));
    s.get("/token/?user=carol&realm=office");
    let answer = s.init(json!({"type": "registration", "serial": "REG1"}));
    s.check("REG1", &code_of(&answer));
    let answer = s.init(json!({"type": "registration", "serial": "REG2", "otpkey": "mine", "pin": "pin"}));
    s.check("REG2", "pinmine");
    s.check("REG2", &format!("pin{}", code_of(&answer)));
    s.init(json!({"type": "registration", "serial": "REG3", "description": "for carol"}));
    s.show("REG3");
    s.init(json!({"type": "registration", "serial": "REG3"}));
    s.show("REG3");
}

fn digits(s: &mut Script<'_>) {
    s.policy("registration-digits");
    let answer = s.init(json!({"type": "registration", "serial": "REG4", "user": "bob", "realm": "office"}));
    assert_eq!(code_of(&answer).len(), 12);
    assert!(code_of(&answer).bytes().all(|b| b.is_ascii_digit()));
    s.show("REG4");
}

fn with_password(s: &mut Script<'_>) {
    s.policy("userstore-pin");
    let answer =
        s.init(json!({"type": "registration", "serial": "REG5", "user": "carol", "realm": "office"}));
    let code = code_of(&answer);
    s.check_user("carol", &code);
    s.check_user("carol", "carol-password");
    s.check_user("carol", &format!("carol-password{code}"));
    s.check_user("carol", &format!("carol-password{code}"));
}
