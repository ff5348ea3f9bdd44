//! The pages for who changes the code: their links lead somewhere, and what they name is there.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages on which a link's text in backquotes is an item of the file that the link leads to.
const OF_CODE: &[&str] = &["docs/architecture.md", "docs/extending.md", "docs/where.md"];

/// The questions of docs/where.md, in order; each is answered by at most [`MOST`] links.
const QUESTIONS: [&str; 10] = [
    "Where is a byte of a slot configuration set?",
    "What happens from insertion to *registered*?",
    "Where is it decided that a token counts?",
    "What is to be touched for a new kind of key?",
    "What is to be touched for a new kind of credential?",
    "What is to be touched for a new shell command?",
    "What is to be touched for a new display view?",
    "What is to be touched for another server product?",
    "Where can a seed be?",
    "What recovers after a power cut?",
];

/// The most links that answer a question.
const MOST: usize = 5;

/// What stands before the name of an item where it is defined; `call`, `service` and `stream` in the table of calls.
const KEYWORDS: &[&str] =
    &["call", "const", "enum", "fn", "mod", "service", "static", "stream", "struct", "trait", "type"];

/// A link of a page.
struct Link {
    /// The page, from the root.
    page: String,
    text: String,
    /// The file, from the root; the page itself where the link names none.
    file: PathBuf,
    /// The heading, in the form of an anchor.
    heading: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Every page: those at the root, in docs/, and the READMEs beside the code.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for directory in ["", "docs", "docs/profiles", "appliance/nitrokey3-twin", "appliance/panel"] {
        for entry in fs::read_dir(root().join(directory)).expect(directory) {
            let path = entry.expect(directory).path();
            if path.extension().is_some_and(|end| end == "md") {
                let name = path.strip_prefix(root()).expect("it is below the root").display().to_string();
                pages.insert(name, fs::read_to_string(&path).expect("a page is text"));
            }
        }
    }
    assert!(pages.len() > 20, "{} pages", pages.len());
    pages
}

/// The lines of a page that are no block of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The links of some lines: `[text](target)`, those to other places left out.
fn links(page: &str, text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let parts: Vec<&str> = text.split("](").collect();
    for pair in parts.windows(2) {
        let [before, behind] = pair else { continue };
        let text = before.rsplit('[').next().unwrap_or_default();
        let target = behind.split([')', ' ']).next().unwrap_or_default();
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = match target.split_once('#') {
            Some((file, heading)) => (file, Some(heading.to_owned())),
            None => (target, None),
        };
        let beside = Path::new(page).parent().unwrap_or(Path::new(""));
        let file = if file.is_empty() { PathBuf::from(page) } else { beside.join(file) };
        found.push(Link { page: page.to_owned(), text: text.to_owned(), file, heading });
    }
    found
}

fn links_of(page: &str, text: &str) -> Vec<Link> {
    prose(text).flat_map(|line| links(page, line)).collect()
}

/// The anchor of a heading, as forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Whether an item of that name is defined in a line.
fn is_defined_in(line: &str, name: &str) -> bool {
    let line = line.split("//").next().unwrap_or_default().trim_start();
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let after_keyword = words.windows(2).any(|pair| KEYWORDS.contains(&pair[0]) && pair[1] == name)
        || line.starts_with(&format!("macro_rules! {name}"));
    // A variant stands at the beginning of its line.
    let variant = name.starts_with(char::is_uppercase)
        && line.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty() || [",", "(", " {", " ="].iter().any(|next| rest.starts_with(next))
        });
    after_keyword || variant
}

/// Whether a file has an item: `name` or `Type::name` of Rust, else words that stand in it.
fn has(file: &Path, item: &str) -> bool {
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    if file.extension().is_none_or(|end| end != "rs") {
        return text.contains(item);
    }
    item.split("::").all(|name| text.lines().any(|line| is_defined_in(line, name)))
}

fn refuse(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for link in pages.iter().flat_map(|(page, text)| links_of(page, text)) {
        seen += 1;
        let Ok(file) = root().join(&link.file).canonicalize() else {
            wrong.push(format!("{}: there is no {}", link.page, link.file.display()));
            continue;
        };
        let Some(heading) = link.heading else { continue };
        let text = fs::read_to_string(&file).unwrap_or_default();
        let found = prose(&text)
            .filter(|line| line.starts_with('#'))
            .any(|line| anchor(line.trim_start_matches('#')) == heading);
        if !found {
            wrong.push(format!("{}: {} has no heading #{heading}", link.page, link.file.display()));
        }
    }
    assert!(seen > 300, "{seen} links");
    refuse(&wrong);
}

#[test]
fn every_item_that_a_page_names_is_in_its_file() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in OF_CODE {
        for link in links_of(page, &pages[*page]) {
            let Some(item) = link.text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) else {
                continue;
            };
            seen += 1;
            if !has(&link.file, item) {
                wrong.push(format!("{page}: {} has no {item}", link.file.display()));
            }
        }
    }
    assert!(seen > 100, "{seen} items");
    refuse(&wrong);
}

#[test]
fn every_question_has_an_answer_of_few_links() {
    let page = &pages()["docs/where.md"];
    let mut answers: Vec<(&str, Vec<Link>)> = Vec::new();
    for line in prose(page) {
        if let Some(question) = line.strip_prefix("## ") {
            answers.push((question, Vec::new()));
        } else if let Some((_, found)) = answers.last_mut() {
            found.extend(links("docs/where.md", line));
        }
    }
    let questions: Vec<&str> = answers.iter().map(|(question, _)| *question).collect();
    assert_eq!(questions, QUESTIONS);
    for (question, links) in &answers {
        assert!((1..=MOST).contains(&links.len()), "{question} has {} links", links.len());
        let code = links.iter().filter(|link| link.text.starts_with('`')).count();
        assert!(code > 0, "{question} names no item");
    }
}

#[test]
fn what_is_not_there_would_be_found() {
    let files = Path::new("tests/architecture/pages.rs");
    for there in ["Link", "QUESTIONS", "is_defined_in", "Link::links_of"] {
        assert!(has(files, there), "{there}");
    }
    for missing in ["Linked", "is_defined", "Link::links_off", "PathBuf"] {
        assert!(!has(files, missing), "{missing}");
    }
    assert!(is_defined_in("    AesKey, 16, \"an AES key\"", "AesKey"));
    assert!(is_defined_in("    stream Watch watch() -> Event, Viewer;", "Watch"));
    assert!(!is_defined_in("    // fn link() {", "link"));
    assert!(!is_defined_in("    Link::new()", "Link"));
    assert_eq!(anchor(" An SSH server that was taken over"), "an-ssh-server-that-was-taken-over");
    assert_eq!(anchor(" `[[welcome]]`"), "welcome");
}
