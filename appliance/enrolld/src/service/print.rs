//! What is printed for people, and that it can be, before there is any secret.

use control::Refusal;
use paper::{Letter, NotPrinted, Template};
use privacyidea::UserRecord;
use station::catalogue::Language;
use station::papers::registration as codes;
use station::refusal::Code;
use zeroize::Zeroizing;

use super::refuse::no;
use crate::registration;

/// How many people that cannot be printed are told at once.
const MOST_TOLD: usize = 20;

/// The longest code that a letter is rehearsed with; a server's own default has 24 letters.
const REHEARSED: &str = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";

/// The language of what is printed.
pub(super) const fn language(of: Language) -> paper::Language {
    match of {
        Language::German => paper::Language::German,
        _ => paper::Language::English,
    }
}

/// Prints letters with codes that are none. Everybody whose letter cannot be printed is named.
pub(super) fn rehearsed(
    template: &Template,
    people: &[UserRecord],
    language: paper::Language,
) -> Result<(), Refusal> {
    let letter = |person: &UserRecord| Letter {
        user: person.username.clone(),
        realm: person.realm.clone(),
        name: registration::name(person),
        token: "REG00000000".to_owned(),
        key: String::new(),
        secret: Zeroizing::new(REHEARSED.to_owned()),
    };
    let letters: Vec<Letter> = people.iter().map(letter).collect();
    let wrong: Vec<NotPrinted> = letters.iter().filter_map(|letter| letter.check().err()).collect();
    if wrong.is_empty() {
        let all = paper::letters(template, &letters, language);
        return all.map(drop).map_err(|why| no(Code::InputInvalid, format!("{why}; no code was made")));
    }
    let mut told: Vec<String> = wrong.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let more = wrong.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.push("no code was made; --form table or sealed has every letter there is".to_owned());
    Err(no(Code::InputInvalid, told.join("; ")))
}

/// Letters as they are printed.
pub(super) fn printed<'a>(letters: impl Iterator<Item = &'a codes::Letter>) -> Vec<Letter> {
    let letter = |letter: &codes::Letter| Letter {
        user: letter.person.user.clone(),
        realm: letter.person.realm.clone(),
        name: letter.name.clone(),
        token: letter.token.clone(),
        key: String::new(),
        secret: letter.code.clone(),
    };
    letters.map(letter).collect()
}
