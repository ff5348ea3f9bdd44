//! The lines that were entered before.

use std::collections::VecDeque;

/// As many lines are kept; the oldest go first.
const LINES: usize = 500;

/// What one operator entered, oldest first. Nothing secret is ever in it: a secret is asked for
/// apart from the line, and of a line that may hold one all the same nothing is kept
/// ([`Order::kept`](crate::command::Order::kept)).
#[derive(Clone, Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
}

impl History {
    /// Remembers a line. One that begins with a blank is not remembered, as in other
    /// shells, nor is the same line twice in a row.
    pub fn remember(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) || line.is_empty() {
            return;
        }
        if self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was entered yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line with a number, from 0.
    pub fn line(&self, number: usize) -> Option<&str> {
        self.lines.get(number).map(String::as_str)
    }

    /// The youngest line before `number` that holds `text`.
    pub fn search(&self, text: &str, number: usize) -> Option<usize> {
        (0..number.min(self.lines.len()))
            .rev()
            .find(|n| self.line(*n).is_some_and(|line| line.contains(text)))
    }

    /// The lines, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_remembered_once() {
        let mut history = History::default();
        for line in ["status", "status", " secret", "", "keys", "status"] {
            history.remember(line);
        }
        assert_eq!(history.iter().collect::<Vec<_>>(), ["status", "keys", "status"]);
        assert_eq!(history.search("stat", 3), Some(2));
        assert_eq!(history.search("stat", 2), Some(0));
        assert_eq!(history.search("stat", 0), None);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut history = History::default();
        for number in 0..2 * LINES {
            history.remember(&format!("key {number}"));
        }
        assert_eq!((history.len(), history.line(0)), (LINES, Some("key 500")));
    }
}
