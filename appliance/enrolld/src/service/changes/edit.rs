//! How a configuration's text is changed: fields, rules, and what is shown of it.

use station::refusal::Code;
use toml_edit::{ArrayOfTables, DocumentMut, Item, TableLike, Value};

use super::Refused;
use crate::service::refuse::no;

/// What is shown in place of a secret.
pub(super) const MASK: &str = "(secret)";

pub(super) fn document(text: &str) -> Result<DocumentMut, Refused> {
    text.parse().map_err(|_| no(Code::ConfigurationInvalid, "it is not TOML; see config check"))
}

/// Changes a field, or takes it away; whether it was there.
pub(super) fn set(document: &mut DocumentMut, path: &str, value: Option<&str>) -> Result<bool, Refused> {
    let parts: Vec<&str> = path.split('.').collect();
    let well_formed =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if !parts.iter().all(well_formed) || parts.len() < 2 {
        return Err(no(Code::InputInvalid, format!("{path} is no path such as server.url")));
    }
    let value = value.map(value_of).transpose()?;
    let Some((last, tables)) = parts.split_last() else { return Ok(false) };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut tables = tables.iter().peekable();
    while let Some(part) = tables.next() {
        let missing = || no(Code::InputInvalid, format!("{part} in {path} is no table"));
        // A list of tables, such as operators: the next part says which, from 1.
        if table.get(part).is_some_and(Item::is_array_of_tables) {
            let number = tables.next().and_then(|number| number.parse::<usize>().ok()).ok_or_else(missing)?;
            let list = table.get_mut(part).and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
            table = list.get_mut(number.wrapping_sub(1)).ok_or_else(missing)?;
            continue;
        }
        table = step(table, part).ok_or_else(missing)?;
    }
    let before = match value {
        Some(value) => table.insert(last, Item::Value(value)),
        None => table.remove(last),
    };
    Ok(before.is_some())
}

/// Adds a rule for welcome keys.
pub(super) fn add_welcome(document: &mut DocumentMut, fields: &str) -> Result<(), Refused> {
    let rule: DocumentMut = fields
        .parse()
        .map_err(|_| no(Code::InputInvalid, "the rule is not TOML, such as vendor = \"yubico\""))?;
    let mut table = rule.as_table().clone();
    table.set_implicit(false);
    table.set_position(None);
    list(document, "welcome")?.push(table);
    Ok(())
}

/// Takes a rule for welcome keys out.
pub(super) fn remove_welcome(document: &mut DocumentMut, number: u32) -> Result<(), Refused> {
    let list = document.get_mut("welcome").and_then(Item::as_array_of_tables_mut);
    let at = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
    let list = list.filter(|list| at < list.len());
    let list = list.ok_or_else(|| {
        no(Code::InputInvalid, format!("there is no rule {number}; config show welcome --pending shows them"))
    })?;
    list.remove(at);
    if list.is_empty() {
        document.remove("welcome");
    }
    Ok(())
}

/// A list of tables; one that is not there is made.
pub(super) fn list<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut ArrayOfTables, Refused> {
    let list = document.entry(name).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    list.as_array_of_tables_mut().ok_or_else(|| {
        no(Code::ConfigurationInvalid, format!("{name} is no list of tables; see config check"))
    })
}

/// The table of that name; one that is not there is made.
fn step<'a>(table: &'a mut dyn TableLike, part: &str) -> Option<&'a mut dyn TableLike> {
    if table.get(part).is_none() {
        let mut new = toml_edit::Table::new();
        new.set_implicit(true);
        table.insert(part, Item::Table(new));
    }
    table.get_mut(part)?.as_table_like_mut()
}

/// A value as somebody types it: TOML, or a bare word.
fn value_of(text: &str) -> Result<Value, Refused> {
    if let Ok(value) = text.parse::<Value>() {
        return Ok(value);
    }
    if text.chars().any(char::is_control) {
        return Err(no(Code::InputInvalid, "a value is one line"));
    }
    Ok(Value::from(text))
}

/// A configuration with its secrets left out.
pub(super) fn masked(text: &str) -> Result<DocumentMut, Refused> {
    let mut document = document(text)?;
    if let Some(server) = document.get_mut("server").and_then(Item::as_table_like_mut)
        && server.contains_key("api-key")
    {
        server.insert("api-key", toml_edit::value(MASK));
    }
    Ok(document)
}

/// Puts the API key back that [`masked`] left out; whether the document gives one anew.
pub(super) fn unmask(document: &mut DocumentMut, before: &DocumentMut) -> Result<bool, Refused> {
    let of = |document: &DocumentMut, field: &str| {
        let server = document.get("server").and_then(Item::as_table_like);
        server.and_then(|server| server.get(field)).and_then(Item::as_str).map(str::to_owned)
    };
    let (given, kept) = (of(document, "api-key"), of(before, "api-key"));
    let file = of(document, "api-key-file");
    match given {
        Some(given) if given == MASK => {
            let kept = kept.ok_or_else(|| {
                no(Code::InputInvalid, "server.api-key is \"(secret)\", and there is none that could stay")
            })?;
            if let Some(server) = document.get_mut("server").and_then(Item::as_table_like_mut) {
                server.insert("api-key", toml_edit::value(kept));
            }
            Ok(false)
        }
        Some(_) => Ok(true),
        None => Ok(file.is_some() && file != of(before, "api-key-file")),
    }
}
