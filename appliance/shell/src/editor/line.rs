//! The line itself: a cursor between two halves, moved by what a reader sees as one
//! character (grapheme clusters, Unicode annex 29).

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroize;

/// The text before and after the cursor.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Line {
    pub(crate) fn new(text: &str) -> Self {
        Self { before: text.to_owned(), after: String::new() }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    pub(crate) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn insert(&mut self, c: char) {
        self.before.push(c);
    }

    /// Moves by one cluster; whether there was one.
    pub(crate) fn left(&mut self) -> bool {
        let cluster = self.before_cursor();
        self.before.truncate(self.before.len() - cluster.len());
        self.after.insert_str(0, &cluster);
        !cluster.is_empty()
    }

    pub(crate) fn right(&mut self) -> bool {
        let cluster = self.after_cursor();
        self.after.drain(..cluster.len());
        self.before.push_str(&cluster);
        !cluster.is_empty()
    }

    pub(crate) fn home(&mut self) {
        self.after.insert_str(0, &self.before);
        self.before.clear();
    }

    pub(crate) fn end(&mut self) {
        self.before.push_str(&self.after);
        self.after.clear();
    }

    pub(crate) fn word_left(&mut self) {
        let length = word_length(self.before.graphemes(true).rev());
        self.after.insert_str(0, &self.before.split_off(self.before.len() - length));
    }

    pub(crate) fn word_right(&mut self) {
        let length = word_length(self.after.graphemes(true));
        self.before.extend(self.after.drain(..length));
    }

    /// Deletes a cluster to the left; what it was.
    pub(crate) fn backspace(&mut self) -> String {
        let cluster = self.before_cursor();
        self.before.truncate(self.before.len() - cluster.len());
        cluster
    }

    pub(crate) fn delete(&mut self) -> String {
        let cluster = self.after_cursor();
        self.after.drain(..cluster.len());
        cluster
    }

    pub(crate) fn cut_word_left(&mut self) -> String {
        let length = word_length(self.before.graphemes(true).rev());
        self.before.split_off(self.before.len() - length)
    }

    /// Cuts back to a blank, as a terminal's own Ctrl-W does.
    pub(crate) fn cut_blank_left(&mut self) -> String {
        let kept = self.before.trim_end_matches(' ');
        let kept = kept.rfind(' ').map_or(0, |at| at + 1);
        self.before.split_off(kept)
    }

    pub(crate) fn cut_word_right(&mut self) -> String {
        let length = word_length(self.after.graphemes(true));
        self.after.drain(..length).collect()
    }

    /// Changes the cluster at the cursor with the one before it.
    pub(crate) fn transpose(&mut self) {
        if self.after.is_empty() {
            self.left();
        }
        let one = self.backspace();
        let other = self.delete();
        if one.is_empty() || other.is_empty() {
            self.before.push_str(&one);
            self.before.push_str(&other);
            return;
        }
        self.before.push_str(&other);
        self.before.push_str(&one);
    }

    fn before_cursor(&self) -> String {
        self.before.graphemes(true).next_back().unwrap_or_default().to_owned()
    }

    fn after_cursor(&self) -> String {
        self.after.graphemes(true).next().unwrap_or_default().to_owned()
    }
}

impl Zeroize for Line {
    fn zeroize(&mut self) {
        self.before.zeroize();
        self.after.zeroize();
    }
}

/// The columns that a cluster takes on a terminal: none, one or two. What would take
/// none on its own is shown as one, so that it can be seen and deleted.
pub(crate) fn width(cluster: &str) -> usize {
    cluster.width().min(2)
}

/// The bytes of a run of what is no word, and the word after it.
fn word_length<'a>(clusters: impl Iterator<Item = &'a str>) -> usize {
    let mut length = 0;
    let mut inside = false;
    for cluster in clusters {
        let word = cluster.chars().next().is_some_and(char::is_alphanumeric);
        if inside && !word {
            break;
        }
        inside |= word;
        length += cluster.len();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_moves_by_what_is_seen() {
        let mut line = Line::new("ae\u{301}鍵👩‍🔧");
        assert!(line.left());
        assert_eq!(line.after, "👩‍🔧");
        line.left();
        line.left();
        assert_eq!(line.before, "a");
        assert_eq!(line.delete(), "e\u{301}");
        assert_eq!(line.text(), "a鍵👩‍🔧");
    }

    #[test]
    fn words_are_cut_and_jumped() {
        let mut line = Line::new("token disable UBOM12-3  ");
        assert_eq!(line.cut_word_left(), "3  ");
        assert_eq!(line.cut_blank_left(), "UBOM12-");
        line.word_left();
        assert_eq!(line.before, "token ");
        line.word_right();
        assert_eq!(line.before, "token disable");
        line.home();
        assert_eq!(line.cut_word_right(), "token");
    }

    #[test]
    fn two_characters_change_places() {
        let mut line = Line::new("sattus");
        line.home();
        for _ in 0..2 {
            line.right();
        }
        // The cursor stands on the second t.
        line.transpose();
        assert_eq!(line.text(), "status");
        let mut end = Line::new("ab");
        end.transpose();
        assert_eq!((end.text().as_str(), end.after.as_str()), ("ba", ""));
        let mut one = Line::new("a");
        one.transpose();
        assert_eq!(one.text(), "a");
    }
}
