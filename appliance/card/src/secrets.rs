//! Where `enrollment.toml` holds a secret, and what stands there once it is kept elsewhere.
//!
//! Two fields hold the server's: `api-key` in `[server]`, and `api-key-file`, which names a file that does.
//! Once it is kept, a comment stands in the place of the field's line, or, where the field has no line of its own
//! (an inline table, a dotted name), "kept" and spaces in the place of its value. While that is there, the station
//! uses what it keeps; whoever deletes it has the key forgotten at the next start, and a new key beside it counts.
//! Where a configuration has two of these fields, it contradicts itself: nothing is taken and nothing overwritten,
//! and the daemon says so.
//!
//! What takes a secret's place is as long as that was, and has line breaks where that had them: the file is
//! overwritten in place, and a mistake is still where it was. A secret is found in a file that has mistakes elsewhere,
//! too: where the parser gives up, the lines are looked at.
//!
//! Three fields of `[access-codes]` name files with codes. Those lines stay as they are: the daemon reads
//! the files under their names, and only the card's copies are blanked ([`files`]).

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use zeroize::Zeroizing;

use ::settings::quotes::{DOUBLE, SINGLE};

/// The file, beside the daemon's settings, that the key is kept in.
pub const KEPT_IN: &str = "server.api-key";

/// What stands on the card where the line with the secret was.
const COMMENT: &str = "#api-key: kept";

/// What stands there in place of a value, before spaces.
const MARK: &str = "kept";

/// The section with the server's secret, and the fields that hold it or name a file that does.
const SERVER: &str = "server";
const KEY: &str = "api-key";
const KEY_FILE: &str = "api-key-file";

/// The section whose fields name files with access codes, and those fields.
const CODES: &str = "access-codes";
const NAMING: [&str; 3] = ["table-file", "fixed-file", "secret-file"];

/// What a configuration says about the server's secret. No `Debug`: it may hold it.
pub enum Found {
    /// The secret itself.
    Value(Zeroizing<String>),
    /// The name of the file that has it.
    File(String),
    Kept,
    /// Two things at once.
    Several,
}

/// The server's secret in a configuration.
pub fn find(text: &str) -> Option<Found> {
    let mut spots = spots(text);
    let fresh = spots.iter().filter(|spot| !spot.is_kept()).count();
    match fresh {
        0 => spots.pop().map(|_| Found::Kept),
        1 => spots.into_iter().find(|spot| !spot.is_kept()).and_then(|spot| spot.found),
        _ => Some(Found::Several),
    }
}

/// The files with access codes that a configuration names.
pub fn files(text: &str) -> Vec<String> {
    let fields =
        fields(text).into_iter().filter(|field| field.section == CODES && NAMING.contains(&field.name));
    fields.map(|field| field.value.as_str().to_owned()).collect()
}

/// A file as it stands on the card afterwards: of the same length, with the same lines.
pub fn blanked(file: &[u8]) -> Zeroizing<Vec<u8>> {
    replaced(file, Spot::on_the_card)
}

/// A file as the daemon reads it: with the same lines.
pub fn completed(file: &[u8]) -> Zeroizing<Vec<u8>> {
    replaced(file, Spot::for_the_daemon)
}

/// A file's text, with each byte where it was: question marks stand for those that are no UTF-8. The daemon will
/// say that they are there.
pub fn text_of(file: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(file.len()));
    for chunk in file.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

fn replaced(file: &[u8], with: impl Fn(&Spot, &str) -> (Range<usize>, String)) -> Zeroizing<Vec<u8>> {
    let text = text_of(file);
    let spots = spots(&text);
    let mut fresh = spots.iter().filter(|spot| !spot.is_kept());
    let spot = match (fresh.next(), fresh.next()) {
        (Some(_), Some(_)) => None,
        (Some(spot), None) => Some(spot),
        (None, _) => spots.first(),
    };
    let Some(spot) = spot else { return Zeroizing::new(file.to_vec()) };
    let (range, new) = with(spot, &text);
    let before = file.get(..range.start).unwrap_or_default();
    let after = file.get(range.end..).unwrap_or_default();
    Zeroizing::new([before, new.as_bytes(), after].concat())
}

/// Where a secret stands, or stood.
struct Spot {
    form: Form,
    /// Nothing when it is kept.
    found: Option<Found>,
}

enum Form {
    /// The whole line, without its end.
    Line(Range<usize>),
    /// From the name on, and what is between the quotes.
    Value { field: Range<usize>, content: Range<usize> },
}

impl Spot {
    fn is_kept(&self) -> bool {
        self.found.is_none()
    }

    fn on_the_card(&self, text: &str) -> (Range<usize>, String) {
        if self.is_kept() {
            return (0..0, String::new());
        }
        match &self.form {
            Form::Line(range) => (range.clone(), format!("{COMMENT:<length$}", length = range.len())),
            Form::Value { content, .. } => {
                let old = text.get(content.clone()).unwrap_or_default();
                let spaces: String = old
                    .chars()
                    .flat_map(|c| {
                        let (new, times) = if is_break(c) { (c, 1) } else { (' ', c.len_utf8()) };
                        std::iter::repeat_n(new, times)
                    })
                    .collect();
                let marked = spaces.strip_prefix("    ").map(|rest| format!("{MARK}{rest}"));
                (content.clone(), marked.unwrap_or(spaces))
            }
        }
    }

    fn for_the_daemon(&self, text: &str) -> (Range<usize>, String) {
        let (range, breaks) = match &self.form {
            Form::Line(range) => (range, 0),
            Form::Value { field, .. } => {
                (field, text.get(field.clone()).unwrap_or_default().matches('\n').count())
            }
        };
        let name = match breaks {
            0 => format!("\"{KEPT_IN}\""),
            // A line that ends so goes on in the next, and in a table on one line, too.
            _ => format!("\"\"\"\\{}{KEPT_IN}\"\"\"", "\n".repeat(breaks)),
        };
        (range.clone(), format!("{KEY_FILE} = {name}"))
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// Where the server's secret stands: fields first, then comments in the place of one.
fn spots(text: &str) -> Vec<Spot> {
    let fields = fields(text).into_iter().filter(|field| field.section == SERVER && !field.value.is_empty());
    let fields = fields.map(|field| {
        let form = field.form(text);
        let kept = ["", MARK].contains(&field.value.trim());
        let found =
            if field.name == KEY { Found::Value(field.value) } else { Found::File(field.value.to_string()) };
        Spot { form, found: (!kept).then_some(found) }
    });
    let comments = lines(text).filter(|(_, line)| line.trim().starts_with(COMMENT));
    let comments = comments.map(|(range, _)| Spot { form: Form::Line(range), found: None });
    fields.chain(comments).collect()
}

/// A string in a section.
struct Field {
    section: &'static str,
    name: &'static str,
    value: Zeroizing<String>,
    /// From its name to the end of its value.
    range: Range<usize>,
    /// What is between the quotes.
    content: Range<usize>,
}

impl Field {
    fn form(&self, text: &str) -> Form {
        let alone = lines(text).find(|(range, _)| range.contains(&self.range.start));
        let alone = alone.filter(|(range, line)| {
            let before = line.get(..self.range.start - range.start).unwrap_or("?");
            let after =
                self.range.end.checked_sub(range.start).and_then(|end| line.get(end..)).unwrap_or("?");
            let after = after.trim_start();
            before.trim().is_empty()
                && (after.is_empty() || after.starts_with('#'))
                && line.len() >= COMMENT.len()
        });
        match alone {
            Some((range, _)) => Form::Line(range),
            None => Form::Value { field: self.range.clone(), content: self.content.clone() },
        }
    }
}

/// The fields that this is about, in any way of writing them.
fn fields(text: &str) -> Vec<Field> {
    let (table, mistakes) = DeTable::parse_recoverable(text);
    let mut fields = Vec::new();
    for (section, names) in [(SERVER, &[KEY, KEY_FILE][..]), (CODES, &NAMING)] {
        let Some(there) = table.get_ref().get(section).and_then(|value| value.get_ref().as_table()) else {
            continue;
        };
        for name in names {
            let field =
                there.get_key_value(*name).and_then(|(key, value)| of_table(text, section, name, key, value));
            fields.extend(field);
        }
    }
    if mistakes.is_empty() {
        return fields;
    }
    // After a mistake a string may go on to the end of the file.
    fields.retain(|field| !text.get(field.range.clone()).unwrap_or("\n").contains(is_break));
    for field in of_lines(text) {
        let known =
            |other: &Field| other.range.start < field.range.end && field.range.start < other.range.end;
        if !fields.iter().any(known) {
            fields.push(field);
        }
    }
    fields.sort_by_key(|field| field.range.start);
    fields
}

fn of_table(
    text: &str,
    section: &'static str,
    name: &'static str,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) -> Option<Field> {
    let span = value.span();
    let string = text.get(span.clone())?;
    let quotes = quotes(string);
    let inner = string.strip_prefix(quotes).filter(|_| !quotes.is_empty())?;
    // After a mistake the last quote may be missing.
    let inner = inner.strip_suffix(quotes).unwrap_or(inner);
    let content = span.start + quotes.len()..span.start + quotes.len() + inner.len();
    let value = Zeroizing::new(value.get_ref().as_str()?.to_owned());
    Some(Field { section, name, value, range: key.span().start..span.end, content })
}

/// The same where the parser does not find its way: one line after the other.
fn of_lines(text: &str) -> impl Iterator<Item = Field> {
    let mut section = "";
    lines(text).filter_map(move |(range, line)| {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().trim();
            return None;
        }
        let (path, rest) = line.split_once('=')?;
        // A dotted name in front of all sections.
        let (section, name) = path.split_once('.').filter(|_| section.is_empty()).unwrap_or((section, path));
        let key = range.start + path.len() - name.trim_start().len();
        let unquoted = |word: &str| word.trim().trim_matches(['"', '\'']).to_owned();
        let (section, name) = (unquoted(section), unquoted(name));
        let section = [SERVER, CODES].into_iter().find(|known| *known == section)?;
        let name = [KEY, KEY_FILE].into_iter().chain(NAMING).find(|known| *known == name)?;
        let value = rest.trim_start();
        let quotes = quotes(value);
        // An editor may have put others in their place.
        let other = |c: char| c == '"' || DOUBLE.contains(&c) || SINGLE.contains(&c);
        let (value, length) = match value.strip_prefix(quotes).filter(|_| !quotes.is_empty()) {
            // The last quote may be missing.
            Some(inner) => (inner, inner.split(quotes).next()?.len()),
            None => {
                let inner = value.strip_prefix(|c: char| c != '"' && other(c))?;
                (inner, inner.split(other).next()?.len())
            }
        };
        let begin = range.end - value.len();
        let content = begin..begin + length;
        let value = value.get(..length)?;
        let after = text_after(line, content.end - range.start);
        let end = (content.end + after).min(range.end);
        Some(Field { section, name, value: Zeroizing::new(value.to_owned()), range: key..end, content })
    })
}

/// Bytes of the quotes that end a string there.
fn text_after(line: &str, at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    match quotes(rest) {
        "" => {
            rest.chars().next().filter(|c| DOUBLE.contains(c) || SINGLE.contains(c)).map_or(0, char::len_utf8)
        }
        quotes => quotes.len(),
    }
}

/// How a string is quoted.
fn quotes(string: &str) -> &'static str {
    ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| string.starts_with(quotes)).unwrap_or_default()
}

/// Each line without its end, and where it is. Some editors begin a file with a byte order mark.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let content = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut at = text.len() - content.len();
    content.split_inclusive('\n').map(move |line| {
        let begin = at;
        at += line.len();
        let content = line.trim_end_matches(is_break);
        (begin..begin + content.len(), content)
    })
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
