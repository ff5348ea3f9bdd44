//! Operators in a configuration's text.

use control::types::{OperatorAdd, OperatorSet};
use station::refusal::Code;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::{Refused, edit};
use crate::config::SshKey;
use crate::service::refuse::no;

pub(super) fn add(document: &mut DocumentMut, wanted: &OperatorAdd) -> Result<(), Refused> {
    let OperatorAdd { name, role, keys, from } = wanted;
    let list = edit::list(document, "operators")?;
    if list.iter().any(|table| named(table, name)) {
        let detail = format!("there is an operator {name}; operators set changes one");
        return Err(no(Code::InputInvalid, detail));
    }
    let mut table = Table::new();
    table.insert("name", value(name));
    table.insert("role", value(role.unwrap_or(control::Role::Operator).word()));
    table.insert("keys", value(lines(keys)?));
    if !from.is_empty() {
        table.insert("from", value(Array::from_iter(from)));
    }
    list.push(table);
    Ok(())
}

pub(super) fn set(document: &mut DocumentMut, wanted: &OperatorSet) -> Result<(), Refused> {
    let OperatorSet { name, role, keys, from } = wanted;
    let list = document.get_mut("operators").and_then(Item::as_array_of_tables_mut);
    let table = list.and_then(|list| list.iter_mut().find(|table| named(table, name)));
    let table = table.ok_or_else(|| unknown(name))?;
    if let Some(role) = role {
        table.insert("role", value(role.word()));
    }
    if let Some(keys) = keys {
        table.insert("keys", value(lines(keys)?));
    }
    match from.as_deref() {
        Some([]) => drop(table.remove("from")),
        Some(from) => drop(table.insert("from", value(Array::from_iter(from)))),
        None => {}
    }
    Ok(())
}

pub(super) fn remove(document: &mut DocumentMut, name: &str) -> Result<(), Refused> {
    let list = document.get_mut("operators").and_then(Item::as_array_of_tables_mut);
    let list = list.ok_or_else(|| unknown(name))?;
    let at = list.iter().position(|table| named(table, name)).ok_or_else(|| unknown(name))?;
    list.remove(at);
    Ok(())
}

fn named(table: &Table, name: &str) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name)
}

fn unknown(name: &str) -> Refused {
    no(Code::InputInvalid, format!("there is no operator {name}; operators lists them"))
}

/// Public keys as lines of a configuration.
fn lines(text: &str) -> Result<Array, Refused> {
    let keys = SshKey::read_all(text).map_err(|why| no(Code::InputInvalid, why))?;
    Ok(keys.into_iter().map(|key| key.line).collect())
}
