//! The words of a command line: quotes and backslashes as people know them from a
//! shell, and nothing else. There is no globbing, no variable and no pipe, because
//! there is nothing behind this shell that they could reach.

use thiserror::Error;

/// The longest command line, in bytes. A list of people comes through standard input.
pub const LONGEST: usize = 8 * 1024;

/// Why a line is not words.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WordsError {
    /// A quote was opened and not closed.
    #[error("the quote {0} is not closed: close it, or put a backslash before it")]
    Quote(char),
    /// A backslash ends the line.
    #[error("a backslash ends the line: write two for one")]
    Backslash,
    /// A control character, which no value of ours has.
    #[error("the line holds a control character (code {0}): leave it out")]
    Control(u32),
    /// More than [`LONGEST`].
    #[error("the line is longer than {LONGEST} bytes: give long lists through standard input")]
    Long,
}

/// Splits a line into words.
///
/// Inside single quotes all stands for itself, inside double quotes a backslash keeps `"` and
/// `\`, and outside of quotes it keeps any character. A `#` that begins a word begins a comment.
///
/// # Errors
///
/// An open quote, a backslash at the end, a control character, too long a line.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let scan = scan(line)?;
    match scan.open {
        Some(Open::Quote(quote)) => Err(WordsError::Quote(quote)),
        Some(Open::Backslash) => Err(WordsError::Backslash),
        None => Ok(scan.words.into_iter().chain(scan.last).collect()),
    }
}

/// The words before the cursor, and the one that the cursor is in: what completion asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The complete words.
    pub words: Vec<String>,
    /// The word that ends at the cursor, without its quotes; empty after a blank.
    pub last: String,
    /// That word as it was typed, which is what a completion replaces.
    pub typed: String,
    /// Whether the cursor stands inside quotes.
    pub quoted: bool,
}

/// Looks at the part of a line that is before the cursor. A line that is not words yet is
/// taken as far as it goes.
pub fn partial(before: &str) -> Partial {
    let scan = scan(before).unwrap_or_default();
    Partial {
        words: scan.words,
        last: scan.last.unwrap_or_default(),
        typed: before.get(scan.last_begins..).unwrap_or_default().to_owned(),
        quoted: matches!(scan.open, Some(Open::Quote(_))),
    }
}

/// A value as it has to be typed: quoted where it must be.
pub fn quote(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.,:/@+=%".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut quoted = String::with_capacity(value.len() + 4);
    quoted.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[derive(Clone, Copy)]
enum Open {
    Quote(char),
    Backslash,
}

#[derive(Default)]
struct Scan {
    words: Vec<String>,
    last: Option<String>,
    /// Where the last word begins, in bytes; the length of the line after a blank.
    last_begins: usize,
    open: Option<Open>,
}

fn scan(line: &str) -> Result<Scan, WordsError> {
    if line.len() > LONGEST {
        return Err(WordsError::Long);
    }
    let mut scan = Scan::default();
    let mut quote: Option<char> = None;
    let mut rest = line.char_indices();
    while let Some((at, c)) = rest.next() {
        if c.is_control() && c != '\t' {
            return Err(WordsError::Control(u32::from(c)));
        }
        let blank = matches!(c, ' ' | '\t') && quote.is_none();
        if blank {
            scan.words.extend(scan.last.take());
            continue;
        }
        if scan.last.is_none() {
            if c == '#' {
                scan.last_begins = line.len();
                return Ok(scan);
            }
            scan.last_begins = at;
        }
        let word = scan.last.get_or_insert_default();
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('\\', None) => match rest.next() {
                Some((_, next)) if next.is_control() => return Err(WordsError::Control(u32::from(next))),
                Some((_, next)) => word.push(next),
                None => scan.open = Some(Open::Backslash),
            },
            ('\\', Some('"')) => match rest.next() {
                Some((_, next @ ('"' | '\\'))) => word.push(next),
                Some((_, next)) if next.is_control() => return Err(WordsError::Control(u32::from(next))),
                Some((_, next)) => word.extend(['\\', next]),
                None => scan.open = Some(Open::Backslash),
            },
            _ => word.push(c),
        }
    }
    if scan.last.is_none() {
        scan.last_begins = line.len();
    }
    if let (Some(quote), None) = (quote, scan.open) {
        scan.open = Some(Open::Quote(quote));
    }
    Ok(scan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_as_people_expect() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   ", &[]),
            ("status", &["status"]),
            ("  enroll  --user alice ", &["enroll", "--user", "alice"]),
            ("user find 'van der Berg'", &["user", "find", "van der Berg"]),
            (r#"a"b c"'d e'f"#, &["ab cd ef"]),
            (r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]),
            (r"a\ b\'c", &["a b'c"]),
            ("''", &[""]),
            ("status # and so on", &["status"]),
            ("a#b", &["a#b"]),
            ("*.csv $HOME `id` | ;", &["*.csv", "$HOME", "`id`", "|", ";"]),
            ("größe 鍵", &["größe", "鍵"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), *words, "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_words_is_refused() {
        assert_eq!(split("a 'b"), Err(WordsError::Quote('\'')));
        assert_eq!(split("\"a\\\""), Err(WordsError::Quote('"')));
        assert_eq!(split("a\\"), Err(WordsError::Backslash));
        assert_eq!(split("a\u{1b}[2J"), Err(WordsError::Control(27)));
        assert_eq!(split("a\nb"), Err(WordsError::Control(10)));
        assert_eq!(split(&"a".repeat(LONGEST + 1)), Err(WordsError::Long));
    }

    #[test]
    fn completion_sees_the_word_at_the_cursor() {
        let seen = partial("token show 'a b");
        assert_eq!((seen.words.len(), seen.last.as_str(), seen.typed.as_str()), (2, "a b", "'a b"));
        assert!(seen.quoted);
        let seen = partial("token ");
        assert_eq!((seen.words.len(), seen.last.as_str(), seen.typed.as_str()), (1, "", ""));
        let seen = partial("tok");
        assert_eq!((seen.words.len(), seen.last.as_str(), seen.typed.as_str()), (0, "tok", "tok"));
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(words in prop::collection::vec("[^\\p{Cc}]{0,12}", 1..6)) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&line).unwrap(), words);
        }

        #[test]
        fn no_line_is_too_strange(line in "\\PC{0,60}|.{0,60}") {
            let _ = split(&line);
            let seen = partial(&line);
            prop_assert!(line.ends_with(&seen.typed));
        }
    }
}
