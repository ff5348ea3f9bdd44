//! Which lines of `enrollment.toml` hold a secret, and what stands there once it is kept elsewhere.
//!
//! Lines are looked at, not the parsed table: a secret is found in a file that has mistakes elsewhere,
//! too. Each line keeps its length and its number, so the file is overwritten in place, and a mistake is
//! still where it was.
//!
//! Two fields hold the server's: `api-key` in `[server]`, and `api-key-file`, which names a file that does.
//! Once it is kept, a comment stands in the field's place. While that comment is there, the station uses what it
//! keeps; whoever deletes the line has the key forgotten at the next start.
//!
//! Three fields of `[access-codes]` name files with codes. Those lines stay as they are: the daemon reads
//! the files under their names, and only the card's copies are blanked ([`files`]).

use std::ops::Range;

/// The file, beside the daemon's settings, that the key is kept in.
pub const KEPT_IN: &str = "server.api-key";

/// What stands on the card where the secret was. It has to be shorter than any line with a secret.
const COMMENT: &str = "#api-key: kept";

/// What the daemon reads in place of it.
const INSTEAD: &str = "api-key-file = \"server.api-key\"";

/// A line with a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'t> {
    /// The secret itself.
    Value(&'t str),
    /// The name of the file that has it.
    File(&'t str),
    /// The comment that says that it is kept.
    Kept,
}

/// Fields of `[access-codes]` that name a file with secrets.
const NAMING: [&str; 3] = ["table-file", "fixed-file", "secret-file"];

/// The server's secret in a configuration: where its line is, and what it is.
#[must_use]
pub fn find(text: &str) -> Option<(Range<usize>, Found<'_>)> {
    lines(text).find_map(|line| match line {
        Line::Comment { range } => Some((range, Found::Kept)),
        Line::Field { range, section: "server", name, value } => match name.as_str() {
            "api-key" => Some((range, Found::Value(value))),
            "api-key-file" => Some((range, Found::File(value))),
            _ => None,
        },
        Line::Field { .. } => None,
    })
}

/// The files with access codes that a configuration names.
#[must_use]
pub fn files(text: &str) -> Vec<&str> {
    lines(text)
        .filter_map(|line| match line {
            Line::Field { section: "access-codes", name, value, .. } => {
                NAMING.contains(&name.as_str()).then_some(value)
            }
            _ => None,
        })
        .collect()
}

/// What a line may be, with where it is.
enum Line<'t> {
    /// `name = "value"`, not empty.
    Field { range: Range<usize>, section: &'t str, name: String, value: &'t str },
    /// The comment in the place of a secret.
    Comment { range: Range<usize> },
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    let mut section = "";
    text.split_inclusive('\n').filter_map(move |line| {
        let begin = at;
        at += line.len();
        let content = line.trim_end_matches(['\n', '\r']);
        let range = begin..begin + content.len();
        let trimmed = content.trim();
        if let Some(name) = trimmed.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().trim();
            return None;
        }
        if trimmed.starts_with(COMMENT) {
            return Some(Line::Comment { range });
        }
        let (name, value) = trimmed.split_once('=')?;
        let name: String = name.split_whitespace().collect();
        let value = quoted(value.trim())?;
        match (section, name.split_once('.')) {
            // A dotted name in front of all sections.
            ("", Some((first, rest))) => {
                let section = ["server", "access-codes"].into_iter().find(|section| *section == first)?;
                Some(Line::Field { range, section, name: rest.to_owned(), value })
            }
            _ => Some(Line::Field { range, section, name, value }),
        }
    })
}

/// What stands between the quotes of a one-line string.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text.strip_prefix(quote)?.split(quote).next().filter(|value| !value.is_empty())
}

/// The text as it stands on the card afterwards: of the same length.
#[must_use]
pub fn blanked(text: &str) -> String {
    replaced(text, |length| format!("{COMMENT:<length$}"))
}

/// The text as the daemon reads it: with the same lines.
#[must_use]
pub fn completed(text: &str) -> String {
    replaced(text, |_| INSTEAD.to_owned())
}

fn replaced(text: &str, with: impl Fn(usize) -> String) -> String {
    let Some((range, _)) = find(text) else { return text.to_owned() };
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    // A line that counts as a key has at least `api-key='x'`, or is the comment itself.
    format!("{before}{}{after}", with(range.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "[station]\nname = \"desk\"\n\n[server]\nurl = \"https://pi\"\r\napi-key = \"aaa.bbb.ccc\" # mine\r\n[run]\n";

    #[test]
    fn the_key_is_found_with_its_line() {
        let (range, found) = find(TEXT).unwrap();
        assert_eq!(TEXT.get(range), Some("api-key = \"aaa.bbb.ccc\" # mine"));
        assert_eq!(found, Found::Value("aaa.bbb.ccc"));
    }

    #[test]
    fn a_comment_of_the_same_length_takes_its_place() {
        let card = blanked(TEXT);
        assert_eq!(card.len(), TEXT.len());
        assert!(!card.contains("aaa"));
        assert_eq!(find(&card).unwrap().1, Found::Kept);
        assert_eq!(blanked(&card), card);
        let daemon = completed(&card);
        assert!(daemon.contains("api-key-file = \"server.api-key\"\r\n[run]"), "{daemon}");
        assert_eq!(daemon.lines().count(), TEXT.lines().count());
    }

    #[test]
    fn other_ways_of_writing_it() {
        assert_eq!(find("server.api-key='x.y.z'").unwrap().1, Found::Value("x.y.z"));
        assert_eq!(find("[server]\n  api-key-file = \"key.txt\"").unwrap().1, Found::File("key.txt"));
        assert_eq!(find("[profile.a]\napi-key = \"x\""), None);
        assert_eq!(find("# api-key = \"x\"\n[server]\napi-key = \"\""), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_mistake_elsewhere_hides_no_secret() {
        let text = "[station\nname = \n[server]\napi-key = \"a.b.c\"\n";
        assert_eq!(find(text).unwrap().1, Found::Value("a.b.c"));
    }

    #[test]
    fn files_with_access_codes_are_found() {
        let text = "[access-codes]\ntable-file = \"codes.csv\"\n secret-file='secret.key' # keep a copy\nother = \"x\"\n[server]\nfixed-file = \"no\"\n";
        assert_eq!(files(text), ["codes.csv", "secret.key"]);
        assert_eq!(files("access-codes.fixed-file = \"code.txt\"\nfixed-file = \"no\""), ["code.txt"]);
        assert_eq!(find(text), None);
    }

    proptest! {
        #[test]
        fn the_length_never_changes(text in "(\\[server\\]|api-key|-file|=|\"|'|#| |\n|\r|x|é){0,40}") {
            let card = blanked(&text);
            let shortest = find(&text).is_none_or(|(range, _)| range.len() >= COMMENT.len());
            prop_assert!(card.len() == text.len() || !shortest);
        }
    }
}
