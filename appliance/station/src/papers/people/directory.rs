//! Whether the people of a list are at the server, by what it shows.
//!
//! A list of a realm's people may be cut without a word, so it only says who is there: a login that
//! it does not show is asked for by name before it is called unknown. Only an answer with exactly that
//! login counts, since `*` is a wildcard there and case does not matter to the search, though it may
//! to the login. A login whose letters are composed otherwise (`ö` of one code point or of two) is the
//! same to a reader: it is taken as the server spells it, when there is only one.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use super::named::Named;
use crate::engine::server::{PeopleView, Person, RealmView};

/// How many similar logins are told at most.
const MOST_NEAR: usize = 3;

/// What is known of a server's people.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    realms: Vec<RealmView>,
    rolls: BTreeMap<String, Roll>,
}

/// What is known of a realm's people.
#[derive(Debug, Clone, Default)]
struct Roll {
    logins: BTreeSet<String>,
    /// The logins by their composed form.
    composed: BTreeMap<String, Vec<String>>,
    /// The logins that were asked for by name.
    asked: BTreeSet<String>,
    /// Whether all were asked for.
    called: bool,
    /// The resolvers that did not answer, or showed nobody.
    quiet: BTreeSet<String>,
}

/// What the server says of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// It knows them, under this name.
    Known(Person),
    /// It does not; similar logins that it knows.
    Unknown(Vec<Person>),
    /// It knows several who may be meant.
    Unclear(Vec<Person>),
    /// It has no such realm.
    NoRealm(String),
    /// It does not know them, and somebody who might did not answer: these resolvers.
    Away(Vec<String>),
    /// It has to be asked for these.
    Ask(Vec<Person>),
}

impl Directory {
    /// A server with these realms, of whose people nothing is known.
    pub fn new(realms: Vec<RealmView>) -> Self {
        Self { realms, rolls: BTreeMap::new() }
    }

    /// The realms in which somebody may be.
    pub fn realms_of(&self, named: &Named) -> Vec<String> {
        let groups = named.readings(&self.realms).unwrap_or_default();
        groups.into_iter().flatten().map(|person| person.realm).collect()
    }

    /// All that the server shows of a realm.
    pub fn called(&mut self, realm: &str, shown: PeopleView) {
        let resolvers =
            self.realms.iter().find(|known| known.name == realm).map(|known| known.resolvers.clone());
        let seen: BTreeSet<&str> = shown.people.iter().map(|(_, resolver)| resolver.as_str()).collect();
        let silent = resolvers.unwrap_or_default().into_iter().filter(|name| !seen.contains(name.as_str()));
        let silent: Vec<String> = silent.collect();
        let roll = self.rolls.entry(realm.to_owned()).or_default();
        roll.called = true;
        roll.quiet.extend(silent);
        roll.add(shown);
    }

    /// What the server shows for one login.
    pub fn asked(&mut self, person: &Person, shown: PeopleView) {
        let roll = self.rolls.entry(person.realm.clone()).or_default();
        roll.asked.insert(person.user.clone());
        roll.add(shown);
    }

    /// What is known of somebody by now.
    pub fn opinion(&self, named: &Named) -> Opinion {
        let groups = match named.readings(&self.realms) {
            Ok(groups) => groups,
            Err(realm) => return Opinion::NoRealm(realm),
        };
        let nothing = Roll::default();
        let roll = |person: &Person| self.rolls.get(&person.realm).unwrap_or(&nothing);
        for group in &groups {
            let found: Vec<Person> = group
                .iter()
                .flat_map(|person| {
                    roll(person).find(&person.user).into_iter().map(|user| in_realm(user, person))
                })
                .collect();
            let open = group
                .iter()
                .filter(|person| roll(person).find(&person.user).is_empty())
                .filter(|person| !roll(person).asked.contains(&person.user));
            let open: Vec<Person> = open.cloned().collect();
            match found.as_slice() {
                _ if !open.is_empty() => return Opinion::Ask(open),
                [] => {}
                [only] => return Opinion::Known(only.clone()),
                _ => return Opinion::Unclear(found),
            }
        }
        let all = || groups.iter().flatten();
        let quiet: BTreeSet<String> = all().flat_map(|person| roll(person).quiet.iter().cloned()).collect();
        if !quiet.is_empty() {
            return Opinion::Away(quiet.into_iter().collect());
        }
        let near = all().flat_map(|person| {
            let alike = roll(person).alike(&person.user);
            alike.map(|login| in_realm(login, person)).collect::<Vec<_>>()
        });
        Opinion::Unknown(near.take(MOST_NEAR).collect())
    }
}

fn in_realm(user: &str, person: &Person) -> Person {
    Person { user: user.to_owned(), realm: person.realm.clone() }
}

impl Roll {
    fn add(&mut self, shown: PeopleView) {
        self.quiet.extend(shown.skipped);
        for (login, _) in shown.people {
            if self.logins.insert(login.clone()) {
                self.composed.entry(composed(&login)).or_default().push(login);
            }
        }
    }

    /// Who has that login: exactly, else in other forms of the same letters.
    fn find(&self, login: &str) -> Vec<&str> {
        if let Some(exactly) = self.logins.get(login) {
            return vec![exactly];
        }
        self.composed.get(&composed(login)).into_iter().flatten().map(String::as_str).collect()
    }

    /// Logins that differ in case alone.
    fn alike(&self, login: &str) -> impl Iterator<Item = &str> {
        let wanted = composed(login).to_lowercase();
        self.composed
            .iter()
            .filter(move |(form, _)| form.to_lowercase() == wanted)
            .flat_map(|(_, logins)| logins.iter().map(String::as_str))
    }
}

fn composed(login: &str) -> String {
    login.nfc().collect()
}

/// The forms in which a login may be kept, the one that was written first.
pub fn forms(login: &str) -> Vec<String> {
    let mut forms = vec![login.to_owned()];
    for form in [composed(login), login.nfd().collect()] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let realm = |name: &str, default| RealmView {
            name: name.to_owned(),
            default,
            resolvers: vec![format!("{name}-staff")],
        };
        Directory::new(vec![realm("office", true), realm("lab", false)])
    }

    fn shown(realm: &str, logins: &[&str]) -> PeopleView {
        let people = logins.iter().map(|login| ((*login).to_owned(), format!("{realm}-staff")));
        PeopleView { people: people.collect(), skipped: Vec::new() }
    }

    fn named(text: &str) -> Named {
        Named::parse(text).unwrap()
    }

    fn known(user: &str, realm: &str) -> Opinion {
        Opinion::Known(Person { user: user.to_owned(), realm: realm.to_owned() })
    }

    #[test]
    fn a_login_that_is_not_shown_is_asked_for_before_it_is_unknown() {
        let mut directory = directory();
        directory.called("office", shown("office", &["alice", "Bob", "j\u{f6}rg"]));
        assert_eq!(directory.opinion(&named("alice@office")), known("alice", "office"));
        assert_eq!(directory.opinion(&named("jo\u{308}rg@office")), known("j\u{f6}rg", "office"));
        let bob = Person { user: "bob".to_owned(), realm: "office".to_owned() };
        let asked = Named::in_realm("bob", Some("Office")).unwrap();
        assert_eq!(directory.opinion(&asked), Opinion::Ask(vec![bob.clone()]));
        // The search does not mind case, and the login does.
        directory.asked(&bob, shown("office", &["Bob"]));
        let near = Person { user: "Bob".to_owned(), ..bob };
        assert_eq!(directory.opinion(&asked), Opinion::Unknown(vec![near]));
    }

    #[test]
    fn a_login_without_a_realm_is_of_the_default_one_or_of_the_only_one() {
        let mut directory = directory();
        directory.called("office", shown("office", &["alice"]));
        directory.called("lab", shown("lab", &["alice", "max"]));
        assert_eq!(directory.opinion(&named("alice")), known("alice", "office"));
        let Opinion::Ask(ask) = directory.opinion(&named("max")) else { panic!("the list may be cut") };
        assert_eq!(ask, [Person { user: "max".to_owned(), realm: "office".to_owned() }]);
        directory.asked(&ask[0], shown("office", &[]));
        assert_eq!(directory.opinion(&named("max")), known("max", "lab"));
    }

    #[test]
    fn who_may_be_in_a_directory_that_is_away_is_not_unknown() {
        let mut away = directory();
        let person = Person { user: "max".to_owned(), realm: "office".to_owned() };
        let skipped = PeopleView { people: Vec::new(), skipped: vec!["ldap".to_owned()] };
        away.asked(&person, skipped);
        assert_eq!(
            away.opinion(&named("max@office")),
            Opinion::Ask(vec![Person { user: "max@office".to_owned(), realm: "office".to_owned() }])
        );
        let wanted = Named::in_realm("max", Some("office")).unwrap();
        assert_eq!(away.opinion(&wanted), Opinion::Away(vec!["ldap".to_owned()]));
        // Older servers do not tell; a resolver that shows nobody is not believed either.
        let mut silent = directory();
        silent.called("office", shown("office", &[]));
        silent.asked(&person, shown("office", &[]));
        assert_eq!(silent.opinion(&wanted), Opinion::Away(vec!["office-staff".to_owned()]));
    }
}
