//! Text from elsewhere (a key, the server, a directory, a file, another operator) on its way to a person's eyes.
//!
//! Nothing in it may move a cursor, turn the direction of writing, or be there without being seen: two
//! names that differ must look different. What could deceive is shown as `\u{200b}`, so that nothing is lost
//! either. What was cleaned is for eyes alone: it is never compared, kept in place of the text, or sent.

use std::borrow::Cow;
use std::fmt::Write as _;

/// So many characters of one line are shown; of the rest, only how many there are is told.
pub const MOST: usize = 1000;

/// So many characters of a line of a longer text, such as a configuration with SSH keys in it.
const MOST_OF_A_LINE: usize = 20_000;

/// One line, safe to print to a terminal.
pub fn shown(text: &str) -> String {
    within(text, MOST)
}

/// Several lines, safe to print to a terminal. A tab is four blanks.
pub fn shown_lines(text: &str) -> String {
    let lines = text.lines().map(|line| within(&line.replace('\t', "    "), MOST_OF_A_LINE));
    lines.collect::<Vec<_>>().join("\n")
}

/// A sentence that may be long, such as one that names every line of a list.
pub fn shown_long(text: &str) -> String {
    within(text, MOST_OF_A_LINE)
}

/// Part of a text that comes in pieces, with its line ends, as long as it is.
pub fn shown_piece(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => within(line.trim_end_matches('\r'), usize::MAX) + "\n",
            None => within(line, usize::MAX),
        })
        .collect()
}

/// Text that is only ever shown, cut to so many characters before it is kept.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let rest = text.chars().count().saturating_sub(most);
            Cow::Owned(format!("{}{}", text.get(..end).unwrap_or_default(), more(rest)))
        }
    }
}

/// A JSON text with everything escaped that is not printable. It says the same as before.
pub fn json(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        // Between the parts of a JSON text stand blanks and line ends only, and those are ASCII; all
        // else of these is inside strings, where it may be escaped.
        if !hidden(c) || matches!(c, '\n' | '\r' | '\t') {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

fn within(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most) + 16);
    let mut before = None;
    let mut chars = text.chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        if count == most {
            out.push_str(&more(chars.count() + 1));
            break;
        }
        count += 1;
        let joins = matches!(c, '\u{200c}' | '\u{200d}')
            && before.is_some_and(joining)
            && chars.peek().copied().is_some_and(joining);
        // Whoever writes `\u{200b}` out in letters does not get it shown as if it were the character.
        let imitates = c == '\\' && chars.peek() == Some(&'u');
        if (hidden(c) && !joins) || imitates {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

fn more(count: usize) -> String {
    format!("… ({count} characters more)")
}

/// Whether a character cannot be seen, or changes how others are seen: controls, blanks other than the blank, line
/// and paragraph separators, marks of direction, what joins or parts words without a width, variation selectors
/// and tags, fillers, what is for private use and what is no character (Unicode 16: `Cc`, `Zl`, `Zp`,
/// `White_Space`, `Default_Ignorable_Code_Point`, `Bidi_Control`, `Co`, `Noncharacter_Code_Point`).
pub fn hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a character is a letter, or a mark on one, of a script whose letters join, or form
/// conjuncts: there U+200C and U+200D are part of how words are written (Unicode 16, chapters 9, 12, 13, 16).
fn joining(c: char) -> bool {
    let script = matches!(c,
        // Arabic, Syriac, N'Ko, Mandaic and their supplements.
        '\u{620}'..='\u{6ff}' | '\u{710}'..='\u{74f}' | '\u{750}'..='\u{77f}' | '\u{7ca}'..='\u{7ff}'
        | '\u{840}'..='\u{85b}' | '\u{860}'..='\u{86a}' | '\u{870}'..='\u{887}' | '\u{8a0}'..='\u{8ff}'
        | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        // Devanagari to Sinhala.
        | '\u{900}'..='\u{dff}'
        // Myanmar, Khmer, Mongolian, Balinese, Phags-pa, Javanese.
        | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17d3}' | '\u{1820}'..='\u{18aa}'
        | '\u{1b00}'..='\u{1b4b}' | '\u{a840}'..='\u{a873}' | '\u{a980}'..='\u{a9c0}'
        // Manichaean, Psalter Pahlavi, Hanifi Rohingya, Sogdian, Brahmi to Tirhuta, Adlam.
        | '\u{10ac0}'..='\u{10ae6}' | '\u{10b80}'..='\u{10b91}' | '\u{10d00}'..='\u{10d27}'
        | '\u{10f30}'..='\u{10f50}' | '\u{11000}'..='\u{114c7}' | '\u{1e900}'..='\u{1e94b}');
    let punctuation = matches!(c, '\u{66a}'..='\u{66d}' | '\u{6d4}' | '\u{964}'..='\u{965}' | '\u{970}');
    script && !c.is_numeric() && !punctuation && !hidden(c)
}

/// Does with a text all that is done with foreign text, and sees that nothing that could deceive is left: for fuzzing.
#[doc(hidden)]
pub fn examine(text: &str) {
    let line = shown(text);
    assert!(line.chars().all(|c| !hidden(c) || matches!(c, '\u{200c}' | '\u{200d}')), "{line:?}");
    let lines = shown_lines(text);
    assert!(lines.chars().all(|c| !hidden(c) || matches!(c, '\n' | '\u{200c}' | '\u{200d}')), "{lines:?}");
    assert!(shown_piece(text).chars().all(|c| !hidden(c) || matches!(c, '\n' | '\u{200c}' | '\u{200d}')));
    let written = serde_json::to_string(text).unwrap_or_default();
    let escaped = json(&written);
    assert!(escaped.chars().all(|c| !hidden(c)), "{escaped:?}");
    assert_eq!(serde_json::from_str::<String>(&escaped).ok().as_deref(), Some(text));
    assert!(cut(text, 20).chars().count() <= 20 + 40);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_deceive_is_shown_as_what_it_is() {
        for (text, seen) in [
            ("alice", "alice"),
            ("jörg.müller 鍵 ß", "jörg.müller 鍵 ß"),
            ("a\u{61c}b", "a\\u{61c}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{9b}31m\u{1b}[2J\u{7}", "\\u{9b}31m\\u{1b}[2J\\u{7}"),
            ("gpj.\u{202e}exe\u{202c}", "gpj.\\u{202e}exe\\u{202c}"),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("a\u{a0}b\u{3000}c", "a\\u{a0}b\\u{3000}c"),
            ("e\u{fe0f}\u{e0041}\u{feff}\u{3164}", "e\\u{fe0f}\\u{e0041}\\u{feff}\\u{3164}"),
            ("line\nbreak\ttab", "line\\u{a}break\\u{9}tab"),
            // Persian, with the mark that parts letters that would join; Hindi, with the one that joins.
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("a\u{200c}b", "a\\u{200c}b"),
            ("می\u{200c}", "می\\u{200c}"),
            ("\u{200d}क", "\\u{200d}क"),
            ("س\u{200d}\u{200d}س", "س\\u{200d}\\u{200d}س"),
            ("a\\u{200b}b", "a\\u{5c}u{200b}b"),
            ("C:\\temp", "C:\\temp"),
        ] {
            assert_eq!(shown(text), seen, "{text:?}");
        }
        assert_eq!(shown_lines("a\n\tb\u{202e}\r\n"), "a\n    b\\u{202e}");
    }

    #[test]
    fn a_long_text_is_cut_and_says_how_long_it_was() {
        let long = "x".repeat(158_000);
        let seen = shown(&long);
        assert!(seen.ends_with("x… (157000 characters more)") && seen.chars().count() < 1100, "{seen}");
        assert_eq!(cut("kurz", 10), "kurz");
        assert_eq!(cut("größer", 3), "grö… (3 characters more)");
    }

    #[test]
    fn json_says_the_same_and_shows_everything() {
        let text = "\"a\u{9b}b\u{202e}\u{2066}\u{e0041}é鍵\"";
        let escaped = json(text);
        assert_eq!(escaped, "\"a\\u009bb\\u202e\\u2066\\udb40\\udc41é鍵\"");
        let before: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), before);
        assert_eq!(json("{\n  \"a\": 1\n}\n"), "{\n  \"a\": 1\n}\n");
    }

    proptest! {
        #[test]
        fn no_text_deceives(text in "\\PC{0,40}|[\\u{0}-\\u{10ffff}]{0,40}|[a\\u{200b}-\\u{206f}\\u{600}-\\u{6ff}\\\\u{}0-9]{0,20}") {
            examine(&text);
        }

        /// Short texts that differ look different.
        #[test]
        fn two_texts_never_look_the_same(
            one in "[ab\\\\u{}20bc\\u{200b}-\\u{200f}\\u{202e}\\u{627}]{0,8}",
            other in "[ab\\\\u{}20bc\\u{200b}-\\u{200f}\\u{202e}\\u{627}]{0,8}",
        ) {
            prop_assert_eq!(shown(&one) == shown(&other), one == other, "{:?} {:?}", one, other);
        }
    }
}
