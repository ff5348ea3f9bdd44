//! What is wrong with a configuration: where, what, and what to do.

use std::fmt;
use std::ops::Range;

/// Something that is wrong. It never quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1, when it is at one place.
    pub place: Option<(usize, usize)>,
    /// The field, such as `server.url`; empty when it is about the whole.
    pub field: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// As compilers write it, after the file's name.
    pub fn line(&self, file: &str) -> String {
        let place = self.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        format!("{file}{place}: {self}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}. {}", self.text, self.remedy)
    }
}

/// Line and column of a byte in a text, both from 1; columns count characters.
pub fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before: String =
        text.char_indices().take_while(|(at, _)| *at < span.start).map(|(_, character)| character).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}

/// The one of `known` that `wrong` was probably meant to be.
pub fn meant<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| edits(wrong, name);
    let found = known.into_iter().map(|name| (distance(name), name)).min()?;
    (found.0 <= 2.max(wrong.chars().count() / 3)).then_some(found.1)
}

/// How many letters have to be changed, added or left out (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut left = at + 1;
        let mut next = vec![left];
        for (other, (diagonal, above)) in to.chars().zip(row.iter().zip(row.iter().skip(1))) {
            left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_in_characters() {
        let text = "a = 1\nü = x\n";
        assert_eq!(place(text, &(0..1)), (1, 1));
        let at = text.find('x').unwrap();
        assert_eq!(place(text, &(at..at + 1)), (2, 5));
    }

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let known = ["url", "ca", "pin", "api-key-file"];
        assert_eq!(meant("ulr", known), Some("url"));
        assert_eq!(meant("api-key-fil", known), Some("api-key-file"));
        assert_eq!(meant("something-else", known), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
