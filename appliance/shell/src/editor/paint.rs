//! What the terminal has to be sent so that it shows the line.
//!
//! The line is laid out by us, with a line break wherever it is full: terminals differ in what
//! they do in their last column, and this way it does not matter. A dumb terminal gets
//! characters and backspaces only.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;

use super::line::width;

/// What is to be seen.
pub(super) struct View<'a> {
    pub(super) prompt: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    /// Rows under the line, each with whether it is the chosen one.
    pub(super) below: &'a [(String, bool)],
}

pub(super) struct Painter {
    columns: usize,
    rows: usize,
    dumb: bool,
    /// The row of the cursor, counted from the first that was painted.
    cursor_row: usize,
    cursor_column: usize,
    /// The widths of the rows that were painted.
    painted: Vec<usize>,
    /// Dumb terminals: what stands in the line, and how much of it before the cursor.
    written: Vec<(String, usize)>,
    written_cursor: usize,
}

impl Painter {
    pub(super) fn new(columns: usize, rows: usize, dumb: bool) -> Self {
        Self {
            columns: columns.max(4),
            rows: rows.max(2),
            dumb,
            cursor_row: 0,
            cursor_column: 0,
            painted: Vec::new(),
            written: Vec::new(),
            written_cursor: 0,
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    pub(super) fn is_dumb(&self) -> bool {
        self.dumb
    }

    /// The terminal has another size now. Most terminals break lines anew; where the cursor
    /// is then follows from the widths of the rows.
    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        self.columns = columns.max(4);
        self.rows = rows.max(2);
        let broken = |width: &usize| width.max(&1).div_ceil(self.columns);
        let above: usize = self.painted.iter().take(self.cursor_row).map(broken).sum();
        self.cursor_row = above + self.cursor_column / self.columns;
    }

    /// Forgets what was painted: the cursor stands at the start of a fresh row.
    pub(super) fn fresh(&mut self) {
        self.cursor_row = 0;
        self.cursor_column = 0;
        self.painted.clear();
        self.written.clear();
        self.written_cursor = 0;
    }

    /// A character was added at the end of the line. Whether it was enough to send it.
    pub(super) fn append(&mut self, cluster: &str, out: &mut Vec<u8>) -> bool {
        let wide = width(cluster);
        let last = self.painted.len().checked_sub(1);
        if self.dumb
            || wide == 0
            || last != Some(self.cursor_row)
            || self.cursor_column + wide >= self.columns
        {
            return false;
        }
        out.extend_from_slice(cluster.as_bytes());
        self.cursor_column += wide;
        if let Some(row) = self.painted.last_mut() {
            *row += wide;
        }
        true
    }

    /// Removes what was painted and goes to the start of the first row.
    pub(super) fn erase(&mut self, out: &mut Vec<u8>) {
        if self.dumb {
            if !self.written.is_empty() {
                out.extend_from_slice(b"\r\n");
            }
        } else {
            self.to_top(out);
            out.extend_from_slice(b"\x1b[J");
        }
        self.fresh();
    }

    pub(super) fn paint(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if self.dumb {
            self.paint_dumb(view, out);
            return;
        }
        let layout = layout(view, self.columns);
        if self.paint_fresh(view, &layout, out) {
            return;
        }
        let height = layout.rows.len().min(self.rows);
        // A line taller than the terminal is seen around the cursor.
        let first = (layout.cursor_row + 1).saturating_sub(height).min(layout.rows.len() - height);
        let mut text = String::new();
        self.to_top(out);
        let before = std::mem::take(&mut self.painted).len();
        for (number, row) in layout.rows.iter().skip(first).take(height).enumerate() {
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(&row.text);
            // In a full row this would take away the last character.
            if row.width < self.columns {
                text.push_str("\x1b[K");
            }
            self.painted.push(row.width);
        }
        for (below, chosen) in view.below.iter().take(self.rows - height) {
            text.push_str("\r\n");
            let (cut, wide) = cut(below, self.columns - 1);
            if *chosen {
                let _ = write!(text, "\x1b[7m{cut}\x1b[0m");
            } else {
                text.push_str(cut);
            }
            text.push_str("\x1b[K");
            self.painted.push(wide);
        }
        self.cursor_row = layout.cursor_row - first;
        self.cursor_column = layout.cursor_column;
        let mut below = self.painted.len() - 1 - self.cursor_row;
        if self.painted.last().is_none_or(|width| *width < self.columns) {
            text.push_str("\x1b[J");
        } else if before > self.painted.len() {
            // Behind a full row the cursor still stands on its last character.
            text.push_str("\r\n\x1b[J");
            below += 1;
        }
        up(&mut text, below);
        text.push('\r');
        if self.cursor_column > 0 {
            let _ = write!(text, "\x1b[{}C", self.cursor_column);
        }
        out.extend_from_slice(text.as_bytes());
    }

    /// A line of one row on a fresh one, with the cursor at its end: nothing is sent behind it. So whoever waits for
    /// the prompt can look for it at the end of what came.
    fn paint_fresh(&mut self, view: &View<'_>, layout: &Layout, out: &mut Vec<u8>) -> bool {
        let [row] = layout.rows.as_slice() else { return false };
        let ends = layout.cursor_column == row.width && row.width < self.columns;
        if !self.painted.is_empty() || !view.below.is_empty() || !ends {
            return false;
        }
        out.extend_from_slice(b"\r\x1b[J");
        out.extend_from_slice(row.text.as_bytes());
        self.painted.push(row.width);
        (self.cursor_row, self.cursor_column) = (0, row.width);
        true
    }

    fn to_top(&self, out: &mut Vec<u8>) {
        let mut text = String::new();
        up(&mut text, self.cursor_row);
        text.push('\r');
        out.extend_from_slice(text.as_bytes());
    }

    fn paint_dumb(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let clusters = |text: &str| -> Vec<(String, usize)> {
            text.graphemes(true).map(|cluster| (cluster.to_owned(), width(cluster))).collect()
        };
        let mut new = clusters(view.prompt);
        new.extend(clusters(view.before));
        let cursor = new.len();
        new.extend(clusters(view.after));
        let same = new.iter().zip(&self.written).take_while(|(new, old)| new == old).count();
        let wide = |part: &[(String, usize)]| part.iter().map(|(_, width)| width).sum::<usize>();
        let part = |all: &[(String, usize)], from: usize, to: usize| {
            wide(all.get(from.min(to)..to.max(from).min(all.len())).unwrap_or_default())
        };
        let mut text = String::new();
        let back = |text: &mut String, count: usize| text.extend(std::iter::repeat_n('\u{8}', count));
        if self.written_cursor >= same {
            back(&mut text, part(&self.written, same, self.written_cursor));
        } else {
            for (cluster, _) in new.iter().take(same).skip(self.written_cursor) {
                text.push_str(cluster);
            }
        }
        for (cluster, _) in new.iter().skip(same) {
            text.push_str(cluster);
        }
        let shorter =
            part(&self.written, same, self.written.len()).saturating_sub(part(&new, same, new.len()));
        text.extend(std::iter::repeat_n(' ', shorter));
        back(&mut text, shorter + part(&new, cursor, new.len()));
        self.written = new;
        self.written_cursor = cursor;
        out.extend_from_slice(text.as_bytes());
    }
}

struct Row {
    text: String,
    width: usize,
}

struct Layout {
    rows: Vec<Row>,
    cursor_row: usize,
    cursor_column: usize,
}

fn layout(view: &View<'_>, columns: usize) -> Layout {
    let mut rows = Vec::new();
    let mut row = Row { text: String::new(), width: 0 };
    let mut cursor = (0, 0);
    for (part, text) in [view.prompt, view.before, view.after].into_iter().enumerate() {
        for cluster in text.graphemes(true) {
            let wide = width(cluster);
            if row.width + wide > columns {
                rows.push(std::mem::replace(&mut row, Row { text: String::new(), width: 0 }));
            }
            row.text.push_str(cluster);
            row.width += wide;
        }
        if part == 1 {
            // The cursor stands on what follows, which may be in the next row.
            let next = view.after.graphemes(true).next().map_or(1, |cluster| width(cluster).max(1));
            if row.width + next > columns {
                rows.push(std::mem::replace(&mut row, Row { text: String::new(), width: 0 }));
            }
            cursor = (rows.len(), row.width);
        }
    }
    rows.push(row);
    Layout { rows, cursor_row: cursor.0, cursor_column: cursor.1 }
}

/// As much of a text as fits, and its width.
fn cut(text: &str, columns: usize) -> (&str, usize) {
    let mut used = 0;
    let mut end = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        if used + width(cluster) > columns {
            break;
        }
        used += width(cluster);
        end = at + cluster.len();
    }
    (text.get(..end).unwrap_or_default(), used)
}

fn up(text: &mut String, rows: usize) {
    if rows > 0 {
        let _ = write!(text, "\x1b[{rows}A");
    }
}
