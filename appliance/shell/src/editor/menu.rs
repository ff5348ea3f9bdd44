//! The completion menu: what may stand at the cursor, in columns under the line.

use super::line::width;
use unicode_segmentation::UnicodeSegmentation;

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As it is put into the line, quoted if need be.
    pub value: String,
    /// What it is, in a few words; may be empty.
    pub about: String,
    /// Whether a blank follows.
    pub blank: bool,
}

/// The answer to [`Event::Complete`](super::Event::Complete).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// What was typed of the word; candidates take its place.
    pub typed: String,
    /// The candidates, in the order in which they are shown.
    pub candidates: Vec<Candidate>,
}

/// An open menu.
pub(super) struct Menu {
    candidates: Vec<Candidate>,
    chosen: Option<usize>,
    /// What stands in the line for the word now.
    pub(super) inserted: String,
    /// What stood there when the menu was opened.
    pub(super) typed: String,
}

impl Menu {
    pub(super) fn new(candidates: Vec<Candidate>, typed: String) -> Self {
        Self { candidates, chosen: None, inserted: typed.clone(), typed }
    }

    /// Chooses the next or the previous; what it puts into the line.
    pub(super) fn choose(&mut self, forward: bool) -> String {
        let count = self.candidates.len().max(1);
        let chosen = match (self.chosen, forward) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(chosen), true) => (chosen + 1) % count,
            (Some(chosen), false) => (chosen + count - 1) % count,
        };
        self.chosen = Some(chosen);
        self.candidates.get(chosen).map(|candidate| candidate.value.clone()).unwrap_or_default()
    }

    /// What was chosen, if anything.
    pub(super) fn chosen(&self) -> Option<&Candidate> {
        self.chosen.and_then(|chosen| self.candidates.get(chosen))
    }

    /// The rows that show it, around what is chosen.
    pub(super) fn rows(&self, columns: usize, most: usize) -> Vec<(String, bool)> {
        let most = most.max(1);
        let widest =
            self.candidates.iter().map(|candidate| wide(&candidate.value)).max().unwrap_or(0).min(columns);
        let chosen = self.chosen.unwrap_or(0);
        let count = self.candidates.len();
        let shown = if count > most { most.saturating_sub(1).max(1) } else { count };
        let first = (chosen + 1).saturating_sub(shown).min(count - shown.min(count));
        let mut rows: Vec<(String, bool)> = self
            .candidates
            .iter()
            .enumerate()
            .skip(first)
            .take(shown)
            .map(|(number, candidate)| {
                let mut row = candidate.value.clone();
                if !candidate.about.is_empty() {
                    row.extend(std::iter::repeat_n(' ', widest.saturating_sub(wide(&candidate.value)) + 2));
                    row.push_str(&candidate.about);
                }
                (row, self.chosen == Some(number))
            })
            .collect();
        if count > shown && most > 1 {
            rows.push((format!("({} of {count}; type on to see fewer)", shown), false));
        }
        rows
    }
}

/// What all candidates begin with.
pub(super) fn common(candidates: &[Candidate]) -> String {
    let mut values = candidates.iter().map(|candidate| candidate.value.as_str());
    let first = values.next().unwrap_or_default();
    let length = values.fold(first.len(), |length, value| {
        let same = first.graphemes(true).zip(value.graphemes(true)).take_while(|(one, other)| one == other);
        length.min(same.map(|(one, _)| one.len()).sum())
    });
    first.get(..length).unwrap_or_default().to_owned()
}

fn wide(text: &str) -> usize {
    text.graphemes(true).map(width).sum()
}
