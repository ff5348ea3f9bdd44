//! Dividing text into lines, and finding the largest face that holds it.
//!
//! No text is ever cut: what does not fit a box becomes more lines than the box
//! has, and the layouts turn those into pages.

use crate::face::Face;
use crate::text::{NO_BREAK_SPACE, SOFT_HYPHEN};

/// A text as lines of at most the asked width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) face: Face,
    pub(crate) lines: Vec<String>,
    /// Whether a word had to be divided where its language does not divide it.
    pub(crate) broke_a_word: bool,
}

impl Wrapped {
    /// From the top of the first capital to the base line of the last line.
    pub(crate) fn height(&self) -> i32 {
        let metrics = self.face.metrics();
        let gaps = i32::try_from(self.lines.len()).unwrap_or(i32::MAX).saturating_sub(1).max(0);
        metrics.cap.saturating_add(metrics.pitch.saturating_mul(gaps))
    }
}

/// Divides `text` into lines of at most `width` pixels.
///
/// A line ends at a space, after a hyphen or at a soft hyphen. A word wider than
/// a line ends it after punctuation (an IPv6 address after a colon) or, failing
/// that, anywhere, and without a hyphen: a serial must be read as it is.
pub(crate) fn wrap(text: &str, face: Face, width: i32) -> Wrapped {
    let mut lines = Lines { face, width, done: Vec::new(), line: String::new(), broke_a_word: false };
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        lines.word(&word.replace(NO_BREAK_SPACE, " "));
    }
    if !lines.line.is_empty() {
        lines.end_line();
    }
    Wrapped { face, lines: lines.done, broke_a_word: lines.broke_a_word }
}

/// The first face of `ladder` in which `text` fits a box without dividing a
/// word; otherwise the last one, however many lines that makes.
///
/// `lines` is the most lines the box may get, `height` what capitals and the
/// gaps between them may take.
pub(crate) fn fit(text: &str, ladder: &[Face], width: i32, height: i32, lines: usize) -> Wrapped {
    let mut last = None;
    for &face in ladder {
        let wrapped = wrap(text, face, width);
        if !wrapped.broke_a_word && wrapped.lines.len() <= lines && wrapped.height() <= height {
            return wrapped;
        }
        last = Some(wrapped);
    }
    last.unwrap_or_else(|| wrap(text, Face::Text, width))
}

struct Lines {
    face: Face,
    width: i32,
    done: Vec<String>,
    line: String,
    broke_a_word: bool,
}

impl Lines {
    fn word(&mut self, word: &str) {
        let space = if self.line.is_empty() { "" } else { " " };
        if self.fits(&[&self.line, space, &visible(word)]) {
            let word = visible(word);
            self.line.push_str(space);
            self.line.push_str(&word);
            return;
        }
        if self.at_joints(word) {
            return;
        }
        if !self.line.is_empty() {
            self.end_line();
        }
        self.in_pieces(word);
    }

    /// Places `word` part by part, dividing it where its spelling allows. Says
    /// whether that worked; if not, nothing has changed.
    fn at_joints(&mut self, word: &str) -> bool {
        let parts = joints(word);
        let widest = parts.iter().map(|part| self.measure(&part.text) + self.measure(part.mark));
        if widest.max().unwrap_or(0) > self.width {
            return false;
        }
        let mut first = true;
        let mut held: Option<&'static str> = None;
        for (at, part) in parts.iter().enumerate() {
            let space = if first && !self.line.is_empty() { " " } else { "" };
            let rest: String = parts.iter().skip(at).map(|part| part.text.as_str()).collect();
            let whole = self.fits(&[&self.line, space, &rest]);
            if !whole && !self.fits(&[&self.line, space, &part.text, part.mark]) {
                if let Some(mark) = held {
                    self.line.push_str(mark);
                }
                if !self.line.is_empty() {
                    self.end_line();
                }
            } else {
                self.line.push_str(space);
            }
            self.line.push_str(&part.text);
            held = Some(part.mark);
            first = false;
        }
        true
    }

    /// Places a word that no joint makes narrow enough: line by line, ended
    /// after punctuation where there is some in the later half of the line.
    fn in_pieces(&mut self, word: &str) {
        let word = visible(word);
        if self.measure(&word) > self.width {
            self.broke_a_word = true;
        }
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let mut used = 0;
            let mut count = 0;
            for &c in &rest {
                used += self.face.advance(c);
                if used > self.width && count > 0 {
                    break;
                }
                count += 1;
            }
            if count < rest.len() {
                let breakable = |c: &char| matches!(c, ':' | '/' | '.' | '@' | '_' | '-' | ',' | '=');
                let punctuation = rest.iter().take(count).rposition(breakable).map(|at| at + 1);
                count = punctuation.filter(|&after| after * 2 > count).unwrap_or(count);
            }
            let tail = rest.split_off(count.min(rest.len()));
            self.line.extend(rest);
            rest = tail;
            if !rest.is_empty() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        self.done.push(std::mem::take(&mut self.line));
    }

    fn fits(&self, parts: &[&str]) -> bool {
        parts.iter().map(|part| self.measure(part)).sum::<i32>() <= self.width
    }

    fn measure(&self, text: &str) -> i32 {
        self.face.width(text)
    }
}

/// A part of a word up to where it may be divided, and the mark drawn there if
/// the line ends.
struct Part {
    text: String,
    mark: &'static str,
}

fn joints(word: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    for c in word.chars() {
        match c {
            SOFT_HYPHEN => parts.push(Part { text: std::mem::take(&mut text), mark: "-" }),
            '-' => {
                text.push(c);
                parts.push(Part { text: std::mem::take(&mut text), mark: "" });
            }
            _ => text.push(c),
        }
    }
    parts.push(Part { text, mark: "" });
    parts.retain(|part| !part.text.is_empty());
    parts
}

/// `word` as it is drawn inside a line.
fn visible(word: &str) -> String {
    word.chars().filter(|&c| c != SOFT_HYPHEN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, width: i32) -> Vec<String> {
        wrap(text, Face::Fixed, width * 8).lines
    }

    #[test]
    fn lines_end_at_spaces() {
        assert_eq!(lines("insert a key", 8), ["insert a", "key"]);
        assert_eq!(lines("insert a key", 12), ["insert a key"]);
        assert_eq!(lines("", 5), Vec::<String>::new());
        assert_eq!(lines("9\u{a0}s left", 5), ["9 s", "left"]);
    }

    #[test]
    fn words_are_divided_where_spelling_allows() {
        assert_eq!(lines("Zugriffs\u{ad}rechte", 9), ["Zugriffs-", "rechte"]);
        assert_eq!(lines("Zugriffs\u{ad}rechte", 14), ["Zugriffsrechte"]);
        assert_eq!(lines("kein SSH-Schlüssel", 10), ["kein SSH-", "Schlüssel"]);
        assert_eq!(lines("ab\u{ad}cd\u{ad}ef", 6), ["abcdef"]);
        assert_eq!(lines("ab\u{ad}cd\u{ad}ef", 5), ["abcd-", "ef"]);
    }

    #[test]
    fn identifiers_are_divided_without_a_hyphen() {
        assert_eq!(lines("UBOM12345678_1", 8), ["UBOM1234", "5678_1"]);
        assert_eq!(lines("2001:db8:1:2:3", 8), ["2001:", "db8:1:2:", "3"]);
        assert!(wrap("UBOM12345678_1", Face::Fixed, 64).broke_a_word);
        assert!(!wrap("Zugriffs\u{ad}rechte", Face::Fixed, 72).broke_a_word);
    }

    #[test]
    fn the_largest_face_that_fits_wins() {
        let ladder = [Face::Giant, Face::Hero, Face::Title, Face::Label];
        assert_eq!(fit("Insert a key", &ladder, 88, 44, 2).face, Face::Giant);
        assert_eq!(fit("Schlüssel einstecken", &ladder, 88, 44, 2).face, Face::Title);
        assert_eq!(fit("Schlüssel einstecken", &ladder, 20, 44, 2).face, Face::Label);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_wider(
            text in "[a-zA-ZäöüßÄ0-9:/._@ \u{ad}-]{0,200}",
            width in 16_i32..130,
        ) {
            for face in [Face::Text, Face::Label, Face::Title, Face::Hero, Face::Fixed] {
                let wrapped = wrap(&text, face, width.max(face.metrics().cap * 2));
                let widest = wrapped.lines.iter().map(|line| face.width(line)).max();
                prop_assert!(widest.unwrap_or(0) <= width.max(face.metrics().cap * 2));
                let letters = |s: &str| s.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{ad}')).collect::<String>();
                prop_assert_eq!(letters(&wrapped.lines.concat()), letters(&text));
                prop_assert!(wrapped.lines.iter().all(|line| !line.is_empty()));
            }
        }
    }
}
