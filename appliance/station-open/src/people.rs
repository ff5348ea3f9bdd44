//! Names and ports from a table beside the sealed files: the report of a run, or a list of the administrator's.

use table::{Encoding, SEPARATORS};

use crate::secrets::Handed;

/// Why a table names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPeople {
    /// It is no table.
    #[error("{0}")]
    Table(#[from] table::NoTable),
    /// Neither logins nor keys are in it.
    #[error("line {0}: no column is called user or key, so nobody can be found in it")]
    NoColumn(usize),
    /// Its encoding cannot be known.
    #[error(
        "line {line} is in an encoding that cannot be known; choose by how it reads, and say --encoding NAME:{shown}"
    )]
    Encoding {
        /// The first line with such a letter.
        line: usize,
        /// The line in each encoding.
        shown: String,
    },
}

/// What a column is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    User,
    Realm,
    Name,
    Given,
    Surname,
    Key,
    Port,
}

fn column(name: &str) -> Option<Column> {
    Some(match name.trim().trim_start_matches('\u{feff}').to_lowercase().as_str() {
        "user" | "login" | "username" | "samaccountname" | "benutzer" | "benutzername" | "anmeldename" => {
            Column::User
        }
        "realm" | "bereich" => Column::Realm,
        "name" | "person" | "display name" | "displayname" | "anzeigename" => Column::Name,
        "given name" | "givenname" | "first name" | "vorname" => Column::Given,
        "surname" | "sn" | "last name" | "nachname" => Column::Surname,
        "key" | "serial" | "schlüssel" | "seriennummer" => Column::Key,
        "port" | "anschluss" => Column::Port,
        _ => return None,
    })
}

/// Gives people the names and ports that the table has for them.
pub(crate) fn name(handed: &mut [Handed], bytes: &[u8], said: Option<Encoding>) -> Result<(), NoPeople> {
    let text = table::decode(bytes, said).map_err(|undecided| {
        let line = |(encoding, line): &(Encoding, String)| format!("\n  {encoding}: {line}");
        NoPeople::Encoding { line: undecided.line, shown: undecided.readings.iter().map(line).collect() }
    })?;
    let (declared, text) = table::declared(&text).map_or((None, text.as_str()), |(c, rest)| (Some(c), rest));
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let columns = |separator: char| {
        head.split(separator).filter(|name| column(name.trim_matches('"')).is_some()).count()
    };
    let separator = declared.or_else(|| SEPARATORS.into_iter().max_by_key(|c| columns(*c))).unwrap_or(',');
    let records = table::records(text, separator)?;
    let mut lines = records.iter().filter(|line| !line.iter().all(|field| field.text.trim().is_empty()));
    let header: Vec<Option<Column>> =
        lines.next().into_iter().flatten().map(|field| column(&field.text)).collect();
    if !header.iter().flatten().any(|column| matches!(column, Column::User | Column::Key)) {
        return Err(NoPeople::NoColumn(1));
    }
    for line in lines {
        let value = |wanted: Column| {
            let place = header.iter().position(|column| *column == Some(wanted));
            place.and_then(|place| line.get(place)).map_or("", |field| field.text.trim())
        };
        let (user, realm, key) = (value(Column::User), value(Column::Realm), value(Column::Key));
        let plain = |serial: &str| serial.trim_start_matches('0').to_owned();
        let is = |one: &Handed| {
            let by_key = !key.is_empty() && plain(key) == plain(&one.key);
            let in_realm = realm.is_empty() || realm.eq_ignore_ascii_case(&one.realm);
            let by_user = !user.is_empty() && in_realm && (user == one.user || user == one.login());
            // A key that is named is more than a name.
            if user.is_empty() { by_key } else { by_user && (key.is_empty() || one.key.is_empty() || by_key) }
        };
        let whole = format!("{} {}", value(Column::Given), value(Column::Surname));
        let name = if value(Column::Name).is_empty() { whole.trim() } else { value(Column::Name) };
        for one in handed.iter_mut().filter(|one| is(one)) {
            // A report without names has the login in their place.
            if !name.is_empty() && name != one.login() {
                name.clone_into(&mut one.name);
            }
            if !value(Column::Port).is_empty() {
                value(Column::Port).clone_into(&mut one.port);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Handed> {
        let one = |user: &str, key: &str| Handed {
            user: user.to_owned(),
            realm: "office".to_owned(),
            name: user.to_owned(),
            key: key.to_owned(),
            ..Handed::default()
        };
        vec![one("lcapek", "00012"), one("omega", "13")]
    }

    #[test]
    fn names_and_ports_are_found_by_login_or_by_key() {
        let mut people = two();
        name(
            &mut people,
            "sep=;\nVorname;Nachname;sAMAccountName\nŁukasz;Čapek;lcapek\n;;\n".as_bytes(),
            None,
        )
        .unwrap();
        assert_eq!(people[0].name, "Łukasz Čapek");
        name(&mut people, b"key,port,name\n12,1-1.2,\n013,1-1.3,Omega\n", None).unwrap();
        assert_eq!((people[0].name.as_str(), people[0].port.as_str()), ("Łukasz Čapek", "1-1.2"));
        assert_eq!((people[1].name.as_str(), people[1].port.as_str()), ("Omega", "1-1.3"));
    }

    #[test]
    fn an_encoding_that_cannot_be_known_is_shown() {
        let bytes = b"user;name\nlcapek;\xa3ukasz\n";
        let error = name(&mut two(), bytes, None).unwrap_err().to_string();
        assert!(error.starts_with("line 2 ") && error.contains("\n  windows-1250: lcapek;Łukasz"), "{error}");
        let mut people = two();
        name(&mut people, bytes, Some(Encoding::Windows1250)).unwrap();
        assert_eq!(people[0].name, "Łukasz");
        assert_eq!(name(&mut two(), b"a,b\n1,2\n", None), Err(NoPeople::NoColumn(1)));
    }
}
