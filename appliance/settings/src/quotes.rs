//! Typographic quotes and spaces that an editor has put in the place of plain ones.
//!
//! The daemon reads the same settings with the same rule, and names the place.

use zeroize::Zeroizing;

/// Characters that stand for `"`.
pub const DOUBLE: [char; 8] = ['“', '”', '„', '‟', '«', '»', '″', '＂'];
/// Characters that stand for `'`.
pub const SINGLE: [char; 6] = ['‘', '’', '‚', '‛', '′', '＇'];
/// Characters that stand for a space.
const SPACES: [char; 3] = ['\u{a0}', '\u{202f}', '\u{2009}'];

/// The text with plain characters where typographic ones begin or end a string, or stand between words: a character for a
/// character, so that every place stays the same. What is inside of strings and comments stays as it is.
pub fn straight(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut long = None;
    for line in text.split_inclusive('\n') {
        let letters = Zeroizing::new(line.chars().collect::<Vec<char>>());
        line_of(&letters, &mut long, &mut out);
    }
    out
}

/// One line; `long` is the quote of a string that goes over several lines.
fn line_of(letters: &[char], long: &mut Option<char>, out: &mut String) {
    let mut at = 0;
    let mut push = |letters: &[char]| out.extend(letters);
    while let Some(&letter) = letters.get(at) {
        let rest = letters.get(at..).unwrap_or_default();
        let is_long = |quote: char| rest.starts_with(&[quote; 3]);
        let taken = match (*long, letter) {
            (Some(quote), _) => {
                let end = is_long(quote);
                *long = long.filter(|_| !end);
                push(rest.get(..if end { 3 } else { 1 }).unwrap_or_default());
                if end { 3 } else { 1 }
            }
            (None, '#') => {
                push(rest);
                rest.len()
            }
            (None, '"' | '\'') if is_long(letter) => {
                *long = Some(letter);
                push(rest.get(..3).unwrap_or_default());
                3
            }
            (None, '"' | '\'') => {
                let end = end_of(rest, letter);
                push(rest.get(..end).unwrap_or_default());
                // A string that begins plainly may end otherwise.
                let ended = rest.get(end).map(|_| letter);
                push(ended.as_slice());
                end.saturating_add(ended.map_or(0, |_| 1))
            }
            (None, letter) if kind(letter).is_some() => {
                let (plain, others) = kind(letter).unwrap_or(('"', &DOUBLE));
                let ends = |other: &&char| **other == plain || others.contains(*other);
                match rest.iter().skip(1).position(|other| ends(&other)) {
                    Some(length) => {
                        push(&[plain]);
                        push(rest.get(1..=length).unwrap_or_default());
                        push(&[plain]);
                        length.saturating_add(2)
                    }
                    None => {
                        push(&[letter]);
                        1
                    }
                }
            }
            (None, letter) => {
                push(&[if SPACES.contains(&letter) { ' ' } else { letter }]);
                1
            }
        };
        at = at.saturating_add(taken);
    }
}

/// What a typographic quote stands for, and what else does.
fn kind(letter: char) -> Option<(char, &'static [char])> {
    if DOUBLE.contains(&letter) {
        Some(('"', &DOUBLE))
    } else if SINGLE.contains(&letter) {
        Some(('\'', &SINGLE))
    } else {
        None
    }
}

/// Where a string ends that begins with this plain quote: at the next one, else at the last typographic one of the line, else not.
fn end_of(rest: &[char], quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.iter().enumerate().skip(1) {
        if *letter == quote && !escaped {
            return at;
        }
        escaped = quote == '"' && *letter == '\\' && !escaped;
    }
    let others: &[char] = if quote == '"' { &DOUBLE } else { &SINGLE };
    rest.iter()
        .skip(1)
        .rposition(|letter| others.contains(letter))
        .map_or(rest.len(), |at| at.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typographic_quotes_become_plain_ones_where_they_are_quotes() {
        for (from, to) in [
            ("keys = [“alice.pub”]", "keys = [\"alice.pub\"]"),
            ("keys = [„alice.pub“, «bob.pub»]\n", "keys = [\"alice.pub\", \"bob.pub\"]\n"),
            ("name = \"trial”\n", "name = \"trial\"\n"),
            ("name = ‘desk’ # “so”\n", "name = 'desk' # “so”\n"),
            ("name = “Ada’s desk”\n", "name = \"Ada’s desk\"\n"),
            ("name\u{a0}= \"a\u{a0}b\"\n", "name = \"a\u{a0}b\"\n"),
            ("text = \"say “so” \\\" now\"\n", "text = \"say “so” \\\" now\"\n"),
            ("text = \"\"\"\n“so”\n\"\"\"\nname = “x”\n", "text = \"\"\"\n“so”\n\"\"\"\nname = \"x\"\n"),
            ("name = “open\nkeys = “x”\n", "name = “open\nkeys = \"x\"\n"),
        ] {
            assert_eq!(straight(from).as_str(), to);
            assert_eq!(straight(from).chars().count(), from.chars().count());
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_moves(text in "[a\"'“”‘’#\\\\ \n=\u{a0}]{0,60}") {
            let straight = straight(&text);
            proptest::prop_assert_eq!(straight.chars().count(), text.chars().count());
            proptest::prop_assert_eq!(straight.matches('\n').count(), text.matches('\n').count());
        }
    }
}
