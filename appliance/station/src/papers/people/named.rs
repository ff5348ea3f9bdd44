//! People as they are written: one notation in lists, options, completion and answers.
//!
//! It is `login@realm`, divided at the last `@`, and only where a realm of that name exists: logins
//! of directories have `@`, backslashes, blanks and apostrophes in them. The realm may be left out
//! where the server knows one answer, and `REALM\login` is read as the server reads it.

use core::fmt;

use crate::engine::server::RealmView;
use crate::names::Person;
pub use crate::names::same_realm;

/// The longest name. The server's columns for logins have 320 characters (privacyIDEA,
/// models/token.py, `TokenOwner.user_id`); a realm of 255 may stand behind it.
const LONGEST: usize = 576;

/// Somebody as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    text: String,
    realm: Option<String>,
}

/// A text that names nobody, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoName(&'static str);

impl Named {
    /// Somebody as written in one word, such as an option's value.
    ///
    /// # Errors
    /// A text that can name nobody.
    pub fn parse(text: &str) -> Result<Self, NoName> {
        Self::in_realm(text, None)
    }

    /// Somebody whose realm stands apart, such as in a column of its own.
    ///
    /// # Errors
    /// A text that can name nobody.
    pub fn in_realm(text: &str, realm: Option<&str>) -> Result<Self, NoName> {
        let text = plain(text)?;
        let realm = realm.map(plain).transpose()?;
        if text.is_empty() || realm.as_ref().is_some_and(String::is_empty) {
            return Err(NoName("a person is written as login@realm"));
        }
        Ok(Self { text, realm })
    }

    /// The realm, where it stands apart.
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// The same for two texts that differ in their realm's case alone.
    #[must_use]
    pub(super) fn folded(&self) -> Self {
        Self { realm: self.realm.as_ref().map(|realm| realm.to_lowercase()), ..self.clone() }
    }

    /// Who is meant, when nobody can be asked. `None`: the realm is missing.
    pub fn unasked(&self) -> Option<Person> {
        let split =
            self.text.rsplit_once('@').filter(|(login, realm)| !login.is_empty() && !realm.is_empty());
        let (user, realm) = match (split, &self.realm) {
            (Some((login, at)), Some(realm)) if same_realm(at, realm) => (login, realm.as_str()),
            (_, Some(realm)) => (self.text.as_str(), realm.as_str()),
            (Some(split), None) => split,
            (None, None) => return None,
        };
        Some(Person { user: user.to_owned(), realm: realm.to_owned() })
    }

    /// Who may be meant at a server with these realms, in groups: somebody of a group is meant only
    /// when there is nobody of an earlier one, and two of one group are one too many.
    ///
    /// # Errors
    /// The realm that the server has not.
    pub fn readings(&self, realms: &[RealmView]) -> Result<Vec<Vec<Person>>, String> {
        let known = |name: &str| realms.iter().map(|realm| &realm.name).find(|have| same_realm(have, name));
        let of = |user: &str, realm: &str| Person { user: user.to_owned(), realm: realm.to_owned() };
        let divided =
            |(login, realm): (&str, &str)| Some(of(Some(login).filter(|l| !l.is_empty())?, known(realm)?));
        let at = self.text.rsplit_once('@').and_then(divided);
        let domain = match self.text.contains('@') {
            true => None,
            false => self.text.rsplit_once('\\').and_then(|(realm, login)| divided((login, realm))),
        };
        if let Some(wanted) = &self.realm {
            let realm = known(wanted).ok_or_else(|| wanted.clone())?;
            let divided = [at, domain].into_iter().flatten().filter(|person| person.realm == *realm);
            return Ok([of(&self.text, realm)]
                .into_iter()
                .chain(divided)
                .map(|person| vec![person])
                .collect());
        }
        let (default, others): (Vec<_>, Vec<_>) = realms.iter().partition(|realm| realm.default);
        let whole =
            |realms: Vec<&RealmView>| realms.into_iter().map(|realm| of(&self.text, &realm.name)).collect();
        let groups = [at.into_iter().collect(), whole(default), whole(others), domain.into_iter().collect()];
        Ok(groups.into_iter().filter(|group: &Vec<Person>| !group.is_empty()).collect())
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unasked() {
            Some(person) => fmt::Display::fmt(&person, f),
            None => f.write_str(&self.text),
        }
    }
}

fn plain(text: &str) -> Result<String, NoName> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        return Err(NoName("a name has no control characters, and is UTF-8"));
    }
    // They come along when a name is copied from a mail or a web page, and nobody sees them.
    if text.chars().any(|c| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
    {
        return Err(NoName("a character in this name is invisible; type the name anew"));
    }
    if text.chars().count() > LONGEST {
        return Err(NoName("a name has at most 576 characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realms() -> Vec<RealmView> {
        let realm = |name: &str, default| RealmView { name: name.to_owned(), default, resolvers: Vec::new() };
        vec![realm("firma.example", false), realm("office", true), realm("lab", false)]
    }

    fn readings(text: &str, realm: Option<&str>) -> Vec<Vec<String>> {
        let groups = Named::in_realm(text, realm).unwrap().readings(&realms()).unwrap();
        groups.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn a_name_is_divided_only_where_a_realm_stands_behind_it() {
        assert_eq!(
            readings("max@firma.example", Some("Firma.Example")),
            [["max@firma.example@firma.example"], ["max@firma.example"]]
        );
        assert_eq!(readings("alice@office", Some("lab")), [["alice@office@lab"]]);
        assert_eq!(readings("alice@Office", None)[0], ["alice@office"]);
        assert_eq!(readings("max@x", None)[0], ["max@x@office"]);
        assert_eq!(readings("alice", None), [vec!["alice@office"], vec!["alice@firma.example", "alice@lab"]]);
        assert_eq!(readings("OFFICE\\alice", None).last().unwrap(), &["alice@office"]);
        assert_eq!(readings("OFFICE\\alice", Some("office")), [["OFFICE\\alice@office"], ["alice@office"]]);
        assert_eq!(readings("FIRMA\\max", Some("office")), [["FIRMA\\max@office"]]);
        assert_eq!(
            Named::in_realm("x", Some("nowhere")).unwrap().readings(&realms()),
            Err("nowhere".to_owned())
        );
    }

    #[test]
    fn without_a_server_the_last_at_divides() {
        let unasked =
            |text: &str, realm| Named::in_realm(text, realm).unwrap().unasked().map(|p| p.to_string());
        assert_eq!(unasked("a@b@c", None).as_deref(), Some("a@b@c"));
        assert_eq!(Named::parse("a@b@c").unwrap().unasked().unwrap().user, "a@b");
        assert_eq!(unasked("a@b", Some("c")).as_deref(), Some("a@b@c"));
        assert_eq!(unasked("a@B", Some("b")).as_deref(), Some("a@b"));
        assert_eq!((unasked("a", None), unasked("@b", None), unasked("a@", None)), (None, None, None));
        assert!(Named::parse(" ").is_err() && Named::parse("a\nb").is_err());
    }
}
