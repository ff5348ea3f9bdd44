//! Whom operators mean: looked up at the server before anything is done for them.

use control::Refusal;
use station::engine::server::Person;
use station::papers::people::{self, Entry, Named, Opinion};
use station::refusal::Code;

use super::Service;
use super::refuse::{no, told};
use dispatch::people::{look_one_up, look_up};

/// How many people that the server does not know are told at once.
const MOST_TOLD: usize = 20;

/// The people of a list, and which of its lines, counted from 0, are for people that the server does not know.
pub(super) struct Listed {
    pub(super) people: Vec<Person>,
    pub(super) unknown: Vec<u32>,
}

/// Somebody as an operator wrote them.
pub(super) fn named(text: &str) -> Result<Named, Refusal> {
    Named::parse(text).map_err(|error| no(Code::InputInvalid, error.to_string()))
}

/// Somebody as written, when the server is not asked.
fn unasked(named: &Named) -> Result<Person, Refusal> {
    named.unasked().ok_or_else(|| no(Code::InputInvalid, "a person is written as login@realm"))
}

/// Why somebody gets nothing.
fn refused(named: &Named, opinion: &Opinion) -> Option<(Code, String)> {
    let list = |people: &[Person]| people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some(match opinion {
        Opinion::Known(_) => return None,
        Opinion::Unknown(near) if near.is_empty() => (Code::PersonUnknown, named.to_string()),
        Opinion::Unknown(near) => (Code::PersonUnknown, format!("{named}; the server has {}", list(near))),
        Opinion::Unclear(several) => (Code::PersonUnclear, format!("{named} may be {}", list(several))),
        Opinion::NoRealm(realm) => (Code::RealmUnknown, realm.clone()),
        Opinion::Away(resolvers) => {
            let names = resolvers.join(", ");
            (Code::DirectoryAway, format!("{named} may be in {names}, which shows nobody"))
        }
        Opinion::Ask(_) => (Code::Internal, format!("{named} was not asked for")),
    })
}

impl Service {
    /// Whom a text means. With `unchecked`, and where tokens go into sealed files, the server is not asked. Where
    /// this login may not ask, the text is believed, and the second part says so.
    pub(super) async fn person(
        &self,
        text: &str,
        unchecked: bool,
    ) -> Result<(Person, Option<&'static str>), Refusal> {
        let named = named(text)?;
        let server = match self.credentials.client() {
            _ if unchecked => None,
            Err(_) if self.credentials.ready().is_ok() => None,
            Err(refusal) => return Err(refusal),
            Ok(_) => self.scheduler.server().await,
        };
        let Some(server) = server else { return Ok((unasked(&named)?, None)) };
        match look_one_up(&server, &named).await {
            Ok(Opinion::Known(person)) => Ok((person, None)),
            Ok(opinion) => {
                let (code, detail) = refused(&named, &opinion).unwrap_or((Code::Internal, String::new()));
                Err(no(code, detail))
            }
            Err(refusal) if refusal.code == Code::LookupForbidden && named.unasked().is_some() => {
                Ok((unasked(&named)?, Some("not looked up: this login has no right userlist")))
            }
            Err(refusal) => Err(told(&refusal)),
        }
    }

    /// Whether the server knows somebody of a run by now.
    pub(super) async fn person_again(&self, person: &Person, unchecked: bool) -> Result<(), Refusal> {
        if unchecked || self.credentials.client().is_err() {
            return Ok(());
        }
        let Some(server) = self.scheduler.server().await else { return Err(no(Code::NoCredential, "")) };
        let named = Named::in_realm(&person.user, Some(&person.realm));
        let named = named.map_err(|error| no(Code::InputInvalid, error.to_string()))?;
        let opinion = look_one_up(&server, &named).await.map_err(|refusal| told(&refusal))?;
        match refused(&named, &opinion) {
            None => Ok(()),
            Some((code, detail)) => Err(no(code, detail)),
        }
    }

    /// The people of a list. Those whom the server does not know are refused, each with its line, unless
    /// `skip_unknown`. With `unchecked` the server is not asked.
    pub(super) async fn people_of(
        &self,
        list: &[Entry],
        skip_unknown: bool,
        unchecked: bool,
    ) -> Result<Listed, Refusal> {
        let files = self.credentials.client().is_err() && self.credentials.ready().is_ok();
        if unchecked || files {
            let people = people::unasked(list).map_err(|problems| said(&problems))?;
            return once(list, Listed { people, unknown: Vec::new() });
        }
        self.credentials.client()?;
        let server = self.scheduler.server().await.ok_or_else(|| no(Code::NoCredential, ""))?;
        let wanted: Vec<Named> = list.iter().map(|entry| entry.person.clone()).collect();
        let opinions = look_up(&server, &wanted).await.map_err(|refusal| told(&refusal))?;
        let away = opinions.iter().find_map(|opinion| match opinion {
            Opinion::Away(resolvers) => Some(resolvers.join(", ")),
            _ => None,
        });
        if let Some(resolvers) = away {
            let there = list.iter().zip(&opinions).filter(|(_, opinion)| matches!(opinion, Opinion::Away(_)));
            let lines: Vec<&Entry> = there.map(|(entry, _)| entry).collect();
            let text = format!(
                "{resolvers} shows nobody; {} of {} people may be there: {}",
                lines.len(),
                list.len(),
                numbered(&lines)
            );
            return Err(no(Code::DirectoryAway, text));
        }
        let nobody = opinions.iter().all(|opinion| matches!(opinion, Opinion::Unknown(_)));
        if nobody {
            let text = format!(
                "nobody of {} on the list is known, {}: is it the right list and realm?",
                list.len(),
                numbered(&list.iter().collect::<Vec<_>>())
            );
            return Err(no(Code::DirectoryAway, text));
        }
        let mut listed = Listed { people: Vec::with_capacity(list.len()), unknown: Vec::new() };
        let mut wrong: Vec<(Code, String)> = Vec::new();
        for (at, (entry, opinion)) in (0_u32..).zip(list.iter().zip(&opinions)) {
            match (opinion, refused(&entry.person, opinion)) {
                (Opinion::Known(person), _) => listed.people.push(person.clone()),
                (Opinion::Unknown(_), _) if skip_unknown => {
                    listed.unknown.push(at);
                    listed.people.push(unknown(&entry.person));
                }
                (_, Some((code, detail))) => wrong.push((code, format!("line {}: {detail}", entry.line))),
                (_, None) => {}
            }
        }
        // What cannot be skipped first.
        let code = wrong.iter().map(|(code, _)| *code).find(|code| *code != Code::PersonUnknown);
        match code.or_else(|| wrong.first().map(|(code, _)| *code)) {
            None => once(list, listed),
            Some(code) => {
                let of_code = wrong.iter().filter(|(other, _)| *other == code);
                let mut said: Vec<&str> =
                    of_code.clone().take(MOST_TOLD).map(|(_, text)| text.as_str()).collect();
                let more = of_code.count().saturating_sub(MOST_TOLD);
                let more = format!("and {more} more");
                if more != "and 0 more" {
                    said.push(&more);
                }
                Err(no(code, said.join("; ")))
            }
        }
    }
}

/// The lines of a list, shortly.
fn numbered(lines: &[&Entry]) -> String {
    const SHOWN: usize = 5;
    let some: Vec<String> =
        lines.iter().take(SHOWN).map(|entry| format!("line {} {entry}", entry.line)).collect();
    let more = lines.len().saturating_sub(SHOWN);
    if more == 0 { some.join(", ") } else { format!("{} and {more} more", some.join(", ")) }
}

/// Somebody whom the server does not know, as the list names them.
fn unknown(named: &Named) -> Person {
    named.unasked().unwrap_or_else(|| Person { user: named.to_string(), realm: String::new() })
}

/// What is wrong with a list, in one refusal.
pub(super) fn said(problems: &[people::Problem]) -> Refusal {
    /// How much is told at once.
    const MOST: usize = 10;
    let mut said: Vec<String> = problems.iter().take(MOST).map(ToString::to_string).collect();
    let more = problems.len().saturating_sub(MOST);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    no(Code::RunInvalid, said.join("; "))
}

fn once(list: &[Entry], listed: Listed) -> Result<Listed, Refusal> {
    match people::twice(list, &listed.people) {
        Some(problem) => Err(said(&[problem])),
        None => Ok(listed),
    }
}
