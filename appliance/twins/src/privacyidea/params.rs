//! The parameters of a request, gathered as the server gathers them: query,
//! form or JSON body, and parts of the path, in one map.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wire::Request;

/// Parameters by name. A JSON number stays a number, so that `"1"` and `1` can
/// differ where the server tells them apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) BTreeMap<String, Value>);

/// The body claims to be JSON and is not.
pub(super) enum BadBody {
    /// It does not parse.
    Malformed,
    /// It parses, but it is not an object.
    NotAnObject,
}

impl Params {
    /// Read query and body.
    pub(super) fn of(request: &Request) -> Result<Self, BadBody> {
        let mut found = Self::default();
        for (name, value) in pairs(&request.query) {
            found.0.insert(name, Value::String(value));
        }
        let content_type = request.header_value("Content-Type").unwrap_or("").to_ascii_lowercase();
        if content_type.starts_with("application/json") {
            match serde_json::from_slice::<Value>(&request.body) {
                Ok(Value::Object(map)) => found.0.extend(map),
                Ok(_) => return Err(BadBody::NotAnObject),
                Err(_) => return Err(BadBody::Malformed),
            }
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            for (name, value) in pairs(&String::from_utf8_lossy(&request.body)) {
                found.0.insert(name, Value::String(value));
            }
        }
        Ok(found)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether the name occurs at all, even with `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value as text, as Python's `str()` would print it; `null` counts as
    /// absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Null => None,
            value => Some(python_str(value)),
        }
    }

    /// The value as text, unless it is empty.
    pub(super) fn filled(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Whether the value is there and not empty, zero or false: what Python
    /// takes for true.
    pub(super) fn has_value(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| match value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
        })
    }

    /// The same without some of them.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }

    /// What the server takes for "true": 1, "1", true, "True", "true", "TRUE".
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| match value {
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_f64() == Some(1.0),
            Value::String(text) => matches!(text.as_str(), "1" | "True" | "true" | "TRUE"),
            _ => false,
        })
    }

    /// The value by Python's `int()`: `Some(Err(()))` where that would raise.
    pub(super) fn int(&self, name: &str) -> Option<Result<i64, ()>> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::Number(number) => Some(number.as_f64().map(|n| n as i64).ok_or(())),
            Value::Bool(flag) => Some(Ok(i64::from(*flag))),
            Value::String(text) => Some(text.trim().parse().map_err(|_| ())),
            _ => Some(Err(())),
        }
    }
}

/// Text as Python's `str()` prints a value.
pub(super) fn python_str(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The pairs of a query string or form, decoded.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

/// Percent-decoding; what is not a valid escape stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| (hex(ahead.next()), hex(ahead.next())));
        if let Some((Some(high), Some(low))) = digits {
            bytes.push(high << 4 | low);
            rest = ahead;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        assert_eq!(decode("j%C3%B6rg"), "jörg");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%4"), "%4");
        assert_eq!(decode("%zz%41"), "%zzA");
    }

    #[test]
    fn body_and_query_are_one_map() {
        let request = Request::new("POST", "/token/init?a=1&b=x+y").json(&json!({"b": 2, "c": null}));
        let params = Params::of(&request).unwrap_or_default();
        assert_eq!(params.text("a").as_deref(), Some("1"));
        assert_eq!(params.text("b").as_deref(), Some("2"));
        assert!(params.has("c"));
        assert_eq!(params.text("c"), None);
        assert!(params.is_true("a"));
        assert!(!params.is_true("b"));
    }
}
