//! As much of JSON Schema as our schemas use.

use serde_json::Value;

/// Whether a value is as a schema says, and if not, where.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    at(schema, schema, value, "$")
}

fn at(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').ok_or("a reference to elsewhere")?;
        let target = root.pointer(pointer).ok_or(format!("{path}: no {name}"))?;
        return at(root, target, value, path);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let results: Vec<_> = choices.iter().map(|choice| at(root, choice, value, path)).collect();
        return match results.iter().any(Result::is_ok) {
            true => Ok(()),
            false => results.into_iter().next().unwrap_or(Ok(())),
        };
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        None => true,
        Some(other) => return Err(format!("{path}: type {other} is not known here")),
    };
    if !fits {
        return Err(format!("{path}: {value} is not {}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{path}: {value} is none of the words"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("{path}: {name} is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{path}: {name} is unknown")),
            (Value::Null, Value::Null | Value::Bool(true)) => {}
            (Value::Null, inner) | (inner, _) => at(root, inner, member, &format!("{path}.{name}"))?,
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        if !schema["items"].is_null() {
            at(root, &schema["items"], item, &format!("{path}[{number}]"))?;
        }
    }
    Ok(())
}
