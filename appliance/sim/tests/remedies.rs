//! What texts tell people to do can be done: every command, option, field and code that a remedy, a help text, a
//! picture or a page names is in the table that it comes from.
//!
//! Texts keep to a few forms, so that this can be read off them:
//! * a command stands behind a colon (`See the names with: run status.`) or in backquotes; what begins
//!   with a small letter there is a command of the shell, a field, or a program; an option may stand alone;
//! * a field of the configuration is written with its section (`server.url`);
//! * who speaks of what is "in the profile" names a field of it.
#![cfg(test)]

use std::path::Path;

use enrolld::config::{self, holds};
use panel::samples;
use panel::{Language as Shown, View};
use station::catalogue::Language;
use station::refusal::Code;

/// Files and programs that are not of these tables.
const FILES: [&str; 1] = ["enrollment.toml"];
const PROGRAMS: [&str; 2] = ["enrolld check", "ykman"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The words of the configuration's sections, and whether a name follows.
fn sections() -> Vec<String> {
    let page = config::reference::markdown();
    let titles = page.lines().filter_map(|line| line.strip_prefix("## `")?.split('`').next());
    titles.map(|title| title.trim_matches(['[', ']']).split('.').next().unwrap().to_owned()).collect()
}

fn is_field(path: &str) -> bool {
    // A section that may be there several times has a name, or a number.
    holds(path).is_some()
        || holds(&format!("{path}.kind")).is_some()
        || path.split_once('.').is_some_and(|(section, field)| {
            ["desk", "1"].iter().any(|which| holds(&format!("{section}.{which}.{field}")).is_some())
        })
}

fn is_profile_field(word: &str) -> bool {
    holds(&format!("profile.desk.{word}")).is_some()
}

/// What is wrong with words that stand where a command stands.
fn command(phrase: &str) -> Result<(), String> {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let mut tree = shell::command::tree();
    tree.build();
    let mut rest = words.iter().peekable();
    while let Some(inner) = rest.peek().and_then(|word| tree.find_subcommand(word)).cloned() {
        tree = inner;
        rest.next();
    }
    if rest.len() == words.len() {
        return Err(format!("there is no command \"{phrase}\""));
    }
    for word in rest {
        let known = match word.strip_prefix("--") {
            Some(option) => tree.get_arguments().any(|arg| arg.get_long() == Some(option)),
            None => {
                let mut values = tree.get_arguments().filter_map(|arg| arg.get_value_names()).flatten();
                values.any(|value| value.as_str() == *word)
            }
        };
        if !known {
            return Err(format!("\"{word}\" is not of the command in \"{phrase}\""));
        }
    }
    if tree.is_subcommand_required_set() && !phrase.contains('|') {
        return Err(format!("\"{phrase}\" is not the whole command"));
    }
    Ok(())
}

/// Whether there is a command with that option.
fn any_command_has(tree: &clap::Command, option: &str) -> bool {
    tree.get_arguments().any(|arg| arg.get_long() == Some(option))
        || tree.get_subcommands().any(|inner| any_command_has(inner, option))
}

/// What is wrong with one of the things that stand behind a colon.
fn named(part: &str) -> Result<(), String> {
    let first = part.split_whitespace().next().unwrap_or_default();
    let prose = !first.starts_with(|c: char| c.is_ascii_lowercase());
    if prose || FILES.contains(&first) || PROGRAMS.iter().any(|program| part.starts_with(program)) {
        return Ok(());
    }
    if first.contains('.') {
        return if is_field(first) { Ok(()) } else { Err(format!("there is no field {first}")) };
    }
    command(part)
}

/// What is wrong with a text that people read.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut elsewhere = text.to_owned();
    for (at, _) in text.match_indices(": ") {
        let behind = text.get(at + 2..).unwrap();
        let ends = [". ", ";", "(", ": "].iter().filter_map(|end| behind.find(end)).min();
        let phrase = behind.get(..ends.unwrap_or(behind.len())).unwrap().trim_end_matches('.');
        if phrase.starts_with(|c: char| c.is_ascii_lowercase()) {
            elsewhere = elsewhere.replace(phrase, "");
        }
        let parts = phrase.replace(", or ", ", ").replace(" or ", ", ").replace(" oder ", ", ");
        faults.extend(parts.split(", ").filter_map(|part| named(part.trim()).err()));
    }
    for (number, quoted) in text.split('`').enumerate().filter(|(number, _)| number % 2 == 1) {
        if quoted != "-" {
            faults.extend(named(quoted).err().map(|fault| format!("{fault} (backquotes {number})")));
            elsewhere = elsewhere.replace(quoted, "");
        }
    }
    // What is in brackets may be of another program, which it begins with.
    for (open, _) in text.match_indices('(') {
        let inside = text.get(open + 1..).unwrap().split(')').next().unwrap();
        if PROGRAMS.iter().any(|program| inside.starts_with(program)) {
            elsewhere = elsewhere.replace(inside, "");
        }
    }
    let sections = sections();
    for word in elsewhere.split(|c: char| c.is_whitespace() || "()\",;".contains(c)) {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        if let Some(option) = word.strip_prefix("--")
            && !any_command_has(&shell::command::tree(), option)
        {
            faults.push(format!("no command has {word}"));
        }
        if let Some((section, field)) = word.split_once('.')
            && sections.iter().any(|known| known == section)
            && !field.is_empty()
            && !is_field(word)
        {
            faults.push(format!("there is no field {word}"));
        }
    }
    faults
        .extend(codes(text).filter(|code| Code::parse(code).is_none()).map(|code| format!("no code {code}")));
    if ["in the profile", "im Profil", "Im Profil", "In Profil"].iter().any(|words| text.contains(words)) {
        let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let (text, own) = (text.to_lowercase(), |word: &str| is_profile_field(word));
        if !words.any(own) && !text.contains("correct the profile") {
            faults.push("it names no field of a profile".to_owned());
        }
    }
    faults
}

/// Everything that looks like a code.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
        word.len() == 5 && word.strip_prefix('E').is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_digit()))
    })
}

#[test]
fn every_remedy_names_what_there_is() {
    let mut all = Vec::new();
    for language in Language::ALL {
        for code in Code::ALL {
            let text = code.text(language);
            // In a cause, what stands behind a colon is prose; what to do is in the remedy.
            let cause = text.cause.replace(": ", ", ");
            for text in [cause.as_str(), text.remedy] {
                all.extend(
                    faults(text).into_iter().map(|fault| format!("{code} {language:?} \"{text}\": {fault}")),
                );
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_help_text_names_what_there_is() {
    fn walk(command: &clap::Command, path: &str, all: &mut Vec<String>) {
        let abouts = [command.get_about(), command.get_long_about()];
        let mut texts: Vec<String> = abouts.into_iter().flatten().map(ToString::to_string).collect();
        for arg in command.get_arguments() {
            texts
                .extend([arg.get_help(), arg.get_long_help()].into_iter().flatten().map(ToString::to_string));
        }
        for text in texts {
            // What stands behind a colon in a help text is a list; commands are in backquotes.
            let text = text.replace(": ", ", ");
            all.extend(faults(&text).into_iter().map(|fault| format!("{path} \"{text}\": {fault}")));
        }
        for inner in command.get_subcommands() {
            walk(inner, &format!("{path} {}", inner.get_name()), all);
        }
    }
    let mut all = Vec::new();
    walk(&shell::command::tree(), "", &mut all);
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn pictures_show_refusals_as_they_are() {
    let mut seen = 0;
    for (shown, language) in [(Shown::English, Language::English), (Shown::German, Language::German)] {
        for sample in samples::all(shown) {
            let (View::Refused { notice, .. } | View::Fault(notice)) = &sample.view else { continue };
            let code =
                Code::parse(notice.code.as_str()).unwrap_or_else(|| panic!("{}", notice.code.as_str()));
            let text = code.text(language);
            let told = (notice.title.as_str(), notice.cause.as_str(), notice.remedy.as_str());
            assert_eq!(told, (text.title, text.cause, text.remedy), "{}", sample.name);
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn every_page_names_codes_and_fields_that_there_are() {
    let mut pages: Vec<_> = std::fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.push(root().join("README.md"));
    let sections = sections();
    let mut all = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        all.extend(
            codes(&text).filter(|code| Code::parse(code).is_none()).map(|code| format!("{page:?}: {code}")),
        );
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split([' ', '=']).next().unwrap_or_default();
            let is_path = path.split_once('.').is_some_and(|(section, field)| {
                sections.iter().any(|known| known == section)
                    && field.bytes().all(|c| c.is_ascii_lowercase() || b".-".contains(&c))
                    && !["rs", "toml", "md", "service", "pub", "key"].contains(&field)
            });
            if is_path && !is_field(path) {
                all.push(format!("{page:?}: there is no field {path}"));
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn what_names_nothing_that_there_is_would_be_found() {
    for text in [
        "See the names with: run list.",
        "Die Namen zeigt: run list.",
        "Give the access code in the profile, or use another key.",
        "Zugriffscode im Profil angeben oder anderen Key nehmen.",
        "Say so: token delete TOKEN --loose-access-code.",
        "Say so with --yes-really.",
        "Set server.urls in the file.",
        "See the code E9003.",
        "Keep it: `config confrim`.",
        "Give it: enroll --unlok, or access-codes.table-file.",
        "Give it: enroll --unlock, or access-codes.table.",
    ] {
        assert!(!faults(text).is_empty(), "{text}");
    }
    for text in
        ["Do it: config set, or enrollment.toml on the card.", "Zu wenige: PIN einmal in der App eingeben."]
    {
        assert_eq!(faults(text), [""; 0], "{text}");
    }
}
