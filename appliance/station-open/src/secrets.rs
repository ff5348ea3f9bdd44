//! What is in sealed files: tables that the station wrote, a line for each secret.

use seal::{Identities, NotOpened};
use zeroize::Zeroizing;

/// What somebody gets, put together from all files about one token.
#[derive(Default)]
pub struct Handed {
    /// The login.
    pub user: String,
    /// The realm.
    pub realm: String,
    /// What people call them; the login until somebody says more.
    pub name: String,
    /// The token's serial.
    pub token: String,
    /// The key's serial.
    pub key: String,
    /// The slot.
    pub slot: String,
    /// The USB port, where it is known.
    pub port: String,
    /// The registration code.
    pub code: Option<Zeroizing<String>>,
    /// The access code of the slot.
    pub access: Option<Zeroizing<String>>,
    /// The administrator's PIN of the key.
    pub admin: Option<Zeroizing<String>>,
    /// The PIN of the token.
    pub pin: Option<Zeroizing<String>>,
}

/// Why a file gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSecrets {
    /// It was not opened.
    #[error("{0}")]
    Closed(#[from] NotOpened),
    /// What is in it is no table of secrets for people.
    #[error("it holds no secret for people, such as a token to be imported; age -d opens it")]
    Other,
}

impl Handed {
    /// `user@realm`, as the station writes it.
    #[must_use]
    pub fn login(&self) -> String {
        match (self.user.is_empty(), self.realm.is_empty()) {
            (true, _) => String::new(),
            (_, true) => self.user.clone(),
            _ => format!("{}@{}", self.user, self.realm),
        }
    }
}

/// Opens all sealed files in `bytes`, and adds what they hold.
pub(crate) fn open(identities: &Identities, bytes: &[u8], to: &mut Vec<Handed>) -> Result<(), NoSecrets> {
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let blocks = seal::blocks(text);
    if blocks.is_empty() {
        return add(&identities.open(bytes)?, to);
    }
    blocks.into_iter().try_for_each(|block| add(&identities.open(block.as_bytes())?, to))
}

fn add(plain: &[u8], to: &mut Vec<Handed>) -> Result<(), NoSecrets> {
    let text = core::str::from_utf8(plain).map_err(|_| NoSecrets::Other)?;
    let mut records = table::records(text, ',').map_err(|_| NoSecrets::Other)?;
    // What is read leaves the memory wiped.
    let wiped = |field: &mut table::Field| Zeroizing::new(core::mem::take(&mut field.text));
    let mut lines = records.drain(..);
    let header: Vec<String> = lines.next().into_iter().flatten().map(|field| field.text).collect();
    let known = ["token", "user", "realm"].iter().all(|column| header.iter().any(|name| name == column));
    if !known || header.len() < 4 {
        return Err(NoSecrets::Other);
    }
    for mut line in lines {
        let mut one = Handed::default();
        for (column, field) in header.iter().zip(line.iter_mut()) {
            let text = wiped(field);
            let secret = || (!text.is_empty()).then(|| text.clone());
            match column.as_str() {
                "token" => one.token = plain_of(&text),
                "user" => one.user = plain_of(&text),
                "realm" => one.realm = plain_of(&text),
                "name" => one.name = plain_of(&text),
                "key" => one.key = plain_of(&text),
                "slot" => one.slot = plain_of(&text),
                "code" => one.code = secret(),
                "access code" => one.access = secret(),
                "admin pin" => one.admin = secret(),
                "pin" => one.pin = secret(),
                _ => {}
            }
        }
        if one.name.is_empty() {
            one.name.clone_from(&one.user);
        }
        merge(one, to);
    }
    Ok(())
}

/// A text as it was before an apostrophe kept spreadsheets from running it.
fn plain_of(text: &str) -> String {
    let defused =
        text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
    defused.unwrap_or(text).to_owned()
}

fn merge(one: Handed, to: &mut Vec<Handed>) {
    let there = to.iter_mut().find(|other| other.token == one.token && !one.token.is_empty());
    let Some(other) = there else { return to.push(one) };
    for (new, old) in [
        (one.code, &mut other.code),
        (one.access, &mut other.access),
        (one.admin, &mut other.admin),
        (one.pin, &mut other.pin),
    ] {
        // The file that comes later was written later.
        if new.is_some() {
            *old = new;
        }
    }
}

/// Everything as a table, secrets in the clear.
pub(crate) fn table(handed: &[Handed]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(String::with_capacity(1024 * (handed.len() + 1)));
    let columns =
        ["user", "realm", "name", "token", "key", "slot", "port", "access code", "admin pin", "pin", "code"];
    table::write(&mut text, columns);
    for one in handed {
        let plain = [&one.user, &one.realm, &one.name, &one.token, &one.key, &one.slot, &one.port];
        let mut line = Zeroizing::new(String::with_capacity(1024));
        table::write(&mut line, plain.map(String::as_str));
        text.push_str(line.trim_end());
        for secret in [&one.access, &one.admin, &one.pin, &one.code] {
            // As they are, quoted: an apostrophe against formulas would be part of them.
            text.push_str(",\"");
            for c in secret.iter().flat_map(|secret| secret.chars()) {
                if c == '"' {
                    text.push('"');
                }
                text.push(c);
            }
            text.push('"');
        }
        text.push_str("\r\n");
    }
    Zeroizing::new(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str =
        "token,key,slot,user,realm,access code,admin pin,pin\r\nUBOM1_1,12,1,lcapek,office,,,4711\r\n";
    const CODE: &str =
        "token,key,slot,user,realm,access code,admin pin,pin\r\nUBOM1_1,12,1,lcapek,office,0a0b,,\r\n";

    #[test]
    fn what_belongs_to_one_token_is_put_together() {
        let mut all = Vec::new();
        add(PIN.as_bytes(), &mut all).unwrap();
        add(CODE.as_bytes(), &mut all).unwrap();
        let codes = "user,realm,name,token,code\r\n\"'=x\",o,Zoë,REG1,\"=a\"\"\"\r\n";
        add(codes.as_bytes(), &mut all).unwrap();
        assert_eq!(all.len(), 2);
        let text = table(&all);
        let lines: Vec<&str> = core::str::from_utf8(&text).unwrap().split("\r\n").collect();
        assert_eq!(lines[1], "lcapek,office,lcapek,UBOM1_1,12,1,,\"0a0b\",\"\",\"4711\",\"\"");
        assert_eq!(lines[2], "\"'=x\",o,Zoë,REG1,,,,\"\",\"\",\"\",\"=a\"\"\"");
        assert_eq!((all[1].user.as_str(), all[1].login().as_str()), ("=x", "=x@o"));
    }

    #[test]
    fn what_is_no_table_for_people_is_refused() {
        for other in ["UBOM1_1, 3131, hotp, 6, 0\n", "token,user,realm\na,b,c\n", "", "\"", "<xml/>"] {
            assert_eq!(add(other.as_bytes(), &mut Vec::new()), Err(NoSecrets::Other), "{other}");
        }
        assert_eq!(add(b"\xff", &mut Vec::new()), Err(NoSecrets::Other));
    }
}
