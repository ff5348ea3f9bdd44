//! What of an answer is compared: everything but clocks, random numbers,
//! pictures and the texts of errors.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Fields whose value says nothing.
const NOISE: [&str; 6] = ["time", "signature", "threadid", "img", "nonce", "timeShift"];
/// Columns of the audit log that the twin leaves empty, and its numbers.
const AUDIT: [&str; 10] = [
    "missing_line",
    "number",
    "duration",
    "startdate",
    "info",
    "action_detail",
    "policies",
    "thread_id",
    "user_agent",
    "user_agent_version",
];
/// Lists that the server fills in no particular order.
const SETS: [&str; 6] =
    ["auditcolumns", "rights", "menus", "readonly_info_keys", "settable_info_keys", "undeletable_info_keys"];

/// An answer's body, reduced to what must be equal. `names` are random texts
/// and what to call them.
pub(crate) fn body(body: &[u8], names: &[(String, String)]) -> Value {
    match serde_json::from_slice(body) {
        Ok(value) => reduce("", value, names),
        Err(_) if body.starts_with(b"<") => Value::from("<html>"),
        Err(_) => Value::from(String::from_utf8_lossy(body).into_owned()),
    }
}

/// Reduce a recorded body once more.
pub(crate) fn again(body: &Value) -> Value {
    reduce("", body.clone(), &[])
}

fn reduce(key: &str, value: Value, names: &[(String, String)]) -> Value {
    match value {
        Value::Object(map) => {
            let is_audit = map.contains_key("sig_check");
            let is_error = map.contains_key("code") && map.contains_key("message");
            let kept = map.into_iter().filter(|(k, _)| {
                let k = k.as_str();
                !(NOISE.contains(&k) || is_error && k == "message" || is_audit && AUDIT.contains(&k))
            });
            let reduced: Map<String, Value> = kept
                .map(|(k, v)| {
                    // The audit log has nothing and "" for the same thing.
                    let v = if is_audit && v.is_null() { Value::from("") } else { v };
                    let value = reduce(&k, v, names);
                    (k, value)
                })
                .collect();
            // A policy that grants every right has over a hundred actions.
            if key == "action" && reduced.len() > 20 {
                let count = reduced.len();
                let digest = Sha256::digest(Value::Object(reduced).to_string());
                return Value::from(format!("<{count} actions, {}>", HEXLOWER.encode(&digest)));
            }
            Value::Object(reduced)
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(|v| reduce("", v, names)).collect();
            if SETS.contains(&key) {
                list.sort_by_key(Value::to_string);
            }
            Value::Array(list)
        }
        Value::String(text) => Value::from(string(key, &text, names)),
        // The counter of a TOTP token is a time.
        Value::Number(n) if key == "count" && n.as_u64() > Some(10_000_000) => Value::from("<now>"),
        // Numbers of rows in the database.
        Value::Number(_) if key == "id" => Value::from("<id>"),
        other => other,
    }
}

fn string(key: &str, text: &str, names: &[(String, String)]) -> String {
    if key == "token" && text.matches('.').count() == 2 {
        return "<jwt>".into();
    }
    let mut text = text.to_owned();
    for (random, name) in names {
        text = text.replace(random, name);
    }
    let date = text.as_bytes();
    let is_date = date.len() > 12
        && date
            .iter()
            .take(10)
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if is_date { "<date>".into() } else { text }
}

/// Where two values differ.
pub(crate) fn compare(path: &str, want: &Value, have: &Value, found: &mut Vec<String>) {
    match (want, have) {
        (Value::Object(w), Value::Object(h)) => {
            for (key, value) in w {
                match h.get(key) {
                    Some(other) => compare(&format!("{path}/{key}"), value, other, found),
                    None => found.push(format!("{path}/{key}: missing, should be {value}")),
                }
            }
            for (key, value) in h {
                if !w.contains_key(key) {
                    found.push(format!("{path}/{key}: should not be there, is {value}"));
                }
            }
        }
        (Value::Array(w), Value::Array(h)) if w.len() == h.len() => {
            for (index, (w, h)) in w.iter().zip(h).enumerate() {
                compare(&format!("{path}/{index}"), w, h, found);
            }
        }
        _ if want == have => {}
        _ => found.push(format!("{path}: is {have}, should be {want}")),
    }
}
