//! A terminal for tests: it does what xterm does with what the editor sends, with the
//! cursor that hangs in the last column.

use super::line::width;

pub(super) struct Screen {
    columns: usize,
    rows: usize,
    cells: Vec<Vec<String>>,
    pub(super) row: usize,
    pub(super) column: usize,
    hanging: bool,
    parser: vte::Parser,
    /// What was sent that this terminal does not know.
    pub(super) unknown: Vec<String>,
    pub(super) bells: usize,
}

impl Screen {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            rows,
            cells: vec![vec![" ".to_owned(); columns]; rows],
            row: 0,
            column: 0,
            hanging: false,
            parser: vte::Parser::new(),
            unknown: Vec::new(),
            bells: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        let mut parser = std::mem::take(&mut self.parser);
        parser.advance(self, bytes);
        self.parser = parser;
    }

    /// The rows up to the last that shows something, without the blanks at their ends.
    pub(super) fn text(&self) -> Vec<String> {
        let mut rows: Vec<String> =
            self.cells.iter().map(|row| row.concat().trim_end_matches(' ').to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// The row and column of the cursor; a hanging one stands behind its row.
    pub(super) fn cursor(&self) -> (usize, usize) {
        (self.row, self.column + usize::from(self.hanging))
    }

    fn feed_line(&mut self) {
        if self.row + 1 == self.rows {
            self.cells.remove(0);
            self.cells.push(vec![" ".to_owned(); self.columns]);
        } else {
            self.row += 1;
        }
    }
}

impl vte::Perform for Screen {
    fn print(&mut self, c: char) {
        let text = c.to_string();
        let wide = width(&text);
        if wide == 0 {
            let at = if self.hanging { self.column } else { self.column.saturating_sub(1) };
            // The second half of a wide character is empty.
            let at = if self.cells[self.row][at].is_empty() { at - 1 } else { at };
            self.cells[self.row][at].push(c);
            return;
        }
        if self.hanging || self.column + wide > self.columns {
            self.column = 0;
            self.hanging = false;
            self.feed_line();
        }
        let row = &mut self.cells[self.row];
        // Half of a wide character that is written over leaves a blank.
        if row[self.column].is_empty() {
            row[self.column - 1] = " ".to_owned();
        }
        if row.get(self.column + wide).is_some_and(String::is_empty) {
            row[self.column + wide] = " ".to_owned();
        }
        row[self.column] = text;
        if wide == 2 {
            row[self.column + 1] = String::new();
        }
        self.column += wide;
        if self.column == self.columns {
            self.column -= 1;
            self.hanging = true;
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => (self.column, self.hanging) = (0, false),
            b'\n' => {
                self.hanging = false;
                self.feed_line();
            }
            8 => {
                self.hanging = false;
                self.column = self.column.saturating_sub(1);
            }
            7 => self.bells += 1,
            _ => self.unknown.push(format!("{byte:02x}")),
        }
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], _ignore: bool, action: char) {
        let first = params.iter().next().map_or(0, |param| param[0]);
        let count = usize::from(first.max(1));
        self.hanging &= action == 'm';
        match (action, first) {
            ('A', _) => self.row = self.row.saturating_sub(count),
            ('C', _) => self.column = (self.column + count).min(self.columns - 1),
            ('H', 0) => (self.row, self.column) = (0, 0),
            ('K', 0) => self.cells[self.row][self.column..].fill(" ".to_owned()),
            ('J', 0) => {
                self.cells[self.row][self.column..].fill(" ".to_owned());
                for row in &mut self.cells[self.row + 1..] {
                    row.fill(" ".to_owned());
                }
            }
            ('J', 2) => self.cells.iter_mut().for_each(|row| row.fill(" ".to_owned())),
            ('m', _) => {}
            ('h' | 'l', 2004) if intermediates == b"?" => {}
            _ => self.unknown.push(format!("CSI {first} {action}")),
        }
    }

    fn esc_dispatch(&mut self, _intermediates: &[u8], _ignore: bool, byte: u8) {
        self.unknown.push(format!("ESC {}", char::from(byte)));
    }
}
