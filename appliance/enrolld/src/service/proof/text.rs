//! What is signed: each field of a change, old and new, in printable ASCII.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Change;
use crate::config::{
    AccessCodesSection, Config, HandOverReader, HandOverSection, Insecure, NetworkSection, Operator, Output,
    ServerSection,
};

/// A configuration on one side of a change.
#[derive(Clone, Copy)]
pub(in crate::service) struct Side<'a> {
    pub(in crate::service) text: &'a str,
    /// What it says.
    pub(in crate::service) config: &'a Config,
    /// Whether the API key is kept from the server.
    pub(in crate::service) key_withheld: bool,
}

/// Sections whose fields come from [`protected`] and not from the text.
const RESOLVED: [&str; 4] = ["server", "operators", "hand-over", "access-codes"];

/// Fields of these sections that need no signature; a text shows them all the same.
const FREE: [(&str, &str); 2] = [("server", "name"), ("server", "timeout-seconds")];

type Fields = BTreeMap<String, String>;

pub(super) fn text(change: &Change<'_>, station: &str, host_key: &str, number: &str) -> String {
    let mut text = format!(
        "This changes an enrollment station. Sign it only if you want all of it.\n\
         station: {}\nhost key: {}\nnumber: {number}\ncommand: config {}\n",
        quoted(station),
        quoted(host_key),
        change.deed.word(),
    );
    let (old, new) = (all(&change.from, number), all(&change.to, number));
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (old.get(name), new.get(name));
        if old != new {
            let shown = |value: Option<&String>| value.map_or("(nothing)", String::as_str).to_owned();
            let _ = write!(text, "\n{name}\n  old: {}\n  new: {}\n", shown(old), shown(new));
        }
    }
    text
}

/// A change by its hash.
pub(super) fn hash(change: &Change<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(change.deed.word());
    for side in [&change.from, &change.to] {
        part(side.text);
        // Files beside the configuration count with what is in them.
        for (name, value) in all(side, "") {
            part(&name);
            part(&value);
        }
    }
    hash.finalize().into()
}

fn all(side: &Side<'_>, salt: &str) -> Fields {
    let mut fields = protected(side, salt);
    let table: toml::Table = toml::from_str(side.text).unwrap_or_default();
    for (name, value) in &table {
        if !RESOLVED.contains(&name.as_str()) {
            leaves(&part(name), value, &mut fields);
        }
        for field in FREE.iter().filter(|field| field.0 == name) {
            if let Some(value) = value.get(field.1) {
                leaves(&format!("{name}.{}", field.1), value, &mut fields);
            }
        }
    }
    fields
}

/// What decides where secrets go and who may come in. A change of any of it has to be signed.
pub(in crate::service) fn protected(side: &Side<'_>, salt: &str) -> Fields {
    let mut fields = Fields::new();
    // Named one by one, so that a new section has to be thought about here.
    let Config {
        server,
        operators,
        hand_over: HandOverSection { to },
        access_codes: AccessCodesSection { table_file, fixed_file, secret_file },
        shell,
        network,
        station: _,
        log: _,
        // The card's own program reads it from the card alone: what is committed here changes nobody's right to sign an update.
        update: _,
        panel: _,
        usb: _,
        receipts: _,
        run: _,
        profiles: _,
        welcome: _,
    } = side.config;
    server_fields(server, side.key_withheld, salt, &mut fields);
    // Else the server's certificate decides, wherever packets go. Without one, whoever leads them elsewhere has what is in them.
    if server.insecure.is_some() {
        network_fields(network, &mut fields);
    }
    for operator in operators {
        operator_fields(operator, &mut fields);
    }
    if !to.is_empty() {
        let readers = to.iter().map(|reader| match reader {
            HandOverReader::Operator(name) => quoted(&format!("operator {name}")),
            HandOverReader::Key(line) => quoted(line),
        });
        fields.insert("hand-over.to".to_owned(), readers.collect::<Vec<_>>().join(", "));
    }
    // What is in them is short enough to be guessed from a hash, and comes from the card alone.
    for (name, file) in [
        ("table-file", table_file.as_ref().map(|kept| &kept.file)),
        ("fixed-file", fixed_file.as_ref().map(|kept| &kept.file)),
        ("secret-file", secret_file.as_ref().map(|kept| &kept.file)),
    ] {
        if let Some(file) = file {
            fields.insert(format!("access-codes.{name}"), quoted(file));
        }
    }
    if !shell.signed_changes {
        fields.insert("shell.signed-changes".to_owned(), "false".to_owned());
    }
    fields
}

fn server_fields(server: &ServerSection, key_withheld: bool, salt: &str, fields: &mut Fields) {
    let ServerSection {
        url,
        // What people call it, and how long one waits, moves no secret.
        name: _,
        lag_seconds: _,
        timeout_seconds: _,
        ca,
        pin,
        insecure,
        api_key,
        api_key_file,
        output,
    } = server;
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            fields.insert(format!("server.{name}"), value);
        }
    };
    field("url", url.as_ref().map(|url| quoted(url.as_str())));
    field(
        "ca",
        ca.as_ref().map(|ca| format!("{} SHA-256 {}", quoted(&ca.file), digest(&[ca.pem.as_slice()]))),
    );
    field(
        "pin",
        (!pin.is_empty()).then(|| pin.iter().map(|pin| pin.0.to_text()).collect::<Vec<_>>().join(", ")),
    );
    field(
        "insecure",
        insecure.map(|insecure| match insecure {
            Insecure::AnyCertificate => "ANY CERTIFICATE IS TAKEN".to_owned(),
            Insecure::PlainHttp => "NOTHING IS ENCRYPTED".to_owned(),
        }),
    );
    field(
        "output",
        output.map(|output| match output {
            Output::Csv => "csv".to_owned(),
            Output::Pskc => "pskc".to_owned(),
        }),
    );
    let secret = |key: &str| {
        format!("secret, SHA-256 of number and value {}", digest(&[salt.as_bytes(), key.as_bytes()]))
    };
    field("api-key", api_key.as_ref().map(|key| secret(key.expose())));
    field(
        "api-key-file",
        api_key_file.as_ref().map(|file| format!("{} {}", quoted(&file.file), secret(file.key.expose()))),
    );
    if server.key().is_some() {
        let sent = if key_withheld { "no, it was given for another" } else { "yes" };
        field("api-key is sent to this server", Some(sent.to_owned()));
    }
}

fn network_fields(network: &NetworkSection, fields: &mut Fields) {
    // A clock that is wrong makes no certificate right where none is looked at.
    let NetworkSection { address, gateway, dns, vlan, ntp: _ } = network;
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            fields.insert(format!("network.{name}"), value);
        }
    };
    field("address", address.as_ref().map(ToString::to_string));
    field("gateway", gateway.as_ref().map(ToString::to_string));
    field(
        "dns",
        (!dns.is_empty()).then(|| dns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    );
    field("vlan", vlan.as_ref().map(|vlan| vlan.number().to_string()));
}

fn operator_fields(operator: &Operator, fields: &mut Fields) {
    let Operator { name, role, keys: _, from } = operator;
    let path = format!("operators.{}", part(&name.to_string()));
    fields.insert(format!("{path}.role"), role.role().word().to_owned());
    let keys: Vec<_> = operator.ssh_keys().map(|key| key.fingerprint.clone()).collect();
    fields.insert(format!("{path}.keys"), keys.join(", "));
    let from: Vec<_> = from.iter().map(ToString::to_string).collect();
    let from = if from.is_empty() { "everywhere".to_owned() } else { from.join(", ") };
    fields.insert(format!("{path}.from"), from);
}

/// The values in a table, each with its path.
fn leaves(path: &str, value: &toml::Value, fields: &mut Fields) {
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                leaves(&format!("{path}.{}", part(name)), value, fields);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for (at, item) in items.iter().enumerate() {
                leaves(&format!("{path}.{}", at + 1), item, fields);
            }
        }
        toml::Value::String(text) => drop(fields.insert(path.to_owned(), quoted(text))),
        value => drop(fields.insert(path.to_owned(), escaped(&value.to_string()))),
    }
}

/// A name of a path.
fn part(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Without anything that a terminal or an editor would not show as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' if !matches!(c, '\\' | '"') => out.push(c),
            c => out.extend(c.escape_default()),
        }
    }
    out
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
