//! A line editor that does no I/O: bytes of a terminal go in, bytes for the terminal and
//! events come out. It can thus edit a line at the far end of an SSH channel, and a test can
//! press keys.
//!
//! ```
//! use shell::editor::{Editor, Event, Terminal};
//!
//! let mut editor = Editor::new(Terminal { columns: 80, rows: 24, dumb: false }, Default::default());
//! editor.ask_command("station> ");
//! editor.feed(b"statsu\x7f\x7fus\r");
//! assert_eq!(editor.poll(), Some(Event::Line("status".into())));
//! assert!(!editor.output().is_empty());
//! ```
//!
//! | keys | |
//! |---|---|
//! | Ctrl-A Ctrl-E, Home End | to the start, to the end |
//! | Ctrl-B Ctrl-F Alt-B Alt-F, arrows | by a character, by a word |
//! | Ctrl-H Ctrl-D Ctrl-W Alt-D Alt-Backspace Ctrl-K Ctrl-U | delete a character, a word, the rest, all before |
//! | Ctrl-Y Ctrl-T Ctrl-_ | what was cut last, change two characters, undo |
//! | Ctrl-P Ctrl-N, arrows, Alt-< Alt-> | earlier lines |
//! | Ctrl-R | search earlier lines; Ctrl-G leaves |
//! | Tab Shift-Tab, `?` | complete; say what may stand here (`Ctrl-V ?` types one) |
//! | Ctrl-L Ctrl-C Ctrl-D | clear the screen, drop the line, leave if it is empty |

mod act;
mod history;
mod keys;
mod line;
mod menu;
mod paint;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::{Zeroize, Zeroizing};

pub use history::History;
pub use keys::{Key, Keys};
pub use menu::{Candidate, Offer};

use line::Line;
use menu::Menu;
use paint::{Painter, View};

/// The longest line, in bytes; more is refused with a bell.
pub const LONGEST: usize = crate::words::LONGEST;

/// Keys that are kept while nobody asks: typing ahead. More is dropped.
const AHEAD: usize = 4096;

/// Pasted lines that wait for their turn.
const PASTED: usize = 1000;

/// The terminal at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns; 0 counts as 80.
    pub columns: usize,
    /// Rows; 0 counts as 24.
    pub rows: usize,
    /// Understands no escape sequences.
    pub dumb: bool,
}

/// What the operator did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A line was entered.
    Line(String),
    /// What was asked for without echo.
    Secret(Secret),
    /// Ctrl-C: the line is dropped; or, while nobody asks, the operation shall stop.
    Interrupt,
    /// Ctrl-D in an empty line.
    Leave,
    /// Tab after this; to be answered with [`Editor::offer`].
    Complete(String),
    /// `?` after this; to be answered with [`Editor::show`].
    Help(String),
}

/// What was typed without echo. It wipes itself, and is seen by nobody.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text, to hand it on.
    pub fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Secret {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Command,
    Answer,
    Secret,
}

enum Mode {
    Plain,
    /// The next key is taken as a character.
    Quoted,
    /// An event waits for its answer.
    Waiting,
    Menu(Menu),
    Search {
        text: String,
        found: Option<usize>,
        kept: Line,
    },
}

/// The editor of one terminal. See the [module](self).
pub struct Editor {
    keys: Keys,
    queue: VecDeque<Key>,
    painter: Painter,
    out: Vec<u8>,
    history: Arc<Mutex<History>>,
    asked: Asked,
    prompt: String,
    line: Line,
    mode: Mode,
    pasted: VecDeque<String>,
    /// Lines as they were before the last changes.
    undo: Vec<Line>,
    cut: String,
    /// The earlier line that is shown, and the line that was typed meanwhile.
    recalled: Option<usize>,
    typed: Line,
    /// The last line that was entered, for this session alone: so that a mistake in it can be mended, even
    /// where nothing of it may be kept.
    again: Zeroizing<String>,
}

impl Editor {
    /// An editor that asks nothing yet.
    pub fn new(terminal: Terminal, history: Arc<Mutex<History>>) -> Self {
        let or = |number: usize, default| if number == 0 { default } else { number.min(1000) };
        Self {
            keys: Keys::default(),
            queue: VecDeque::new(),
            painter: Painter::new(or(terminal.columns, 80), or(terminal.rows, 24), terminal.dumb),
            out: Vec::new(),
            history,
            asked: Asked::Nothing,
            prompt: String::new(),
            line: Line::default(),
            mode: Mode::Plain,
            pasted: VecDeque::new(),
            undo: Vec::new(),
            cut: String::new(),
            recalled: None,
            typed: Line::default(),
            again: Zeroizing::default(),
        }
    }

    /// Asks for a command: with earlier lines, completion and help.
    pub fn ask_command(&mut self, prompt: &str) {
        self.ask(Asked::Command, prompt);
    }

    /// Asks a question; the answer is remembered nowhere.
    pub fn ask_answer(&mut self, prompt: &str) {
        self.ask(Asked::Answer, prompt);
    }

    /// Asks without echo.
    pub fn ask_secret(&mut self, prompt: &str) {
        self.ask(Asked::Secret, prompt);
    }

    fn ask(&mut self, asked: Asked, prompt: &str) {
        self.asked = asked;
        self.prompt = prompt.to_owned();
        self.line.zeroize();
        self.mode = Mode::Plain;
        self.undo.clear();
        self.recalled = None;
        self.painter.fresh();
        if asked == Asked::Command
            && let Some(line) = self.pasted.pop_front()
        {
            self.line = Line::new(&line);
        }
        if !self.painter.is_dumb() {
            self.out.extend_from_slice(b"\x1b[?2004h");
        }
        self.paint();
    }

    /// The bytes that the terminal sent. While nobody asks, what they mean waits, and Ctrl-C
    /// takes the place of all that was typed before it.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for key in self.keys.take(*byte).into_iter().flatten() {
                if self.asked == Asked::Nothing && key == Key::Ctrl('c') {
                    self.queue.clear();
                    self.pasted.clear();
                }
                if self.queue.len() < AHEAD {
                    self.queue.push_back(key);
                }
            }
        }
    }

    /// What happened next. `None` when the keys that were fed are used up, or when an event
    /// was not answered yet.
    pub fn poll(&mut self) -> Option<Event> {
        if self.asked == Asked::Nothing {
            let stop = self.queue.iter().rposition(|key| *key == Key::Ctrl('c'))?;
            self.queue.drain(..=stop);
            self.pasted.clear();
            return Some(Event::Interrupt);
        }
        while !matches!(self.mode, Mode::Waiting) {
            let key = self.queue.pop_front()?;
            if let Some(event) = self.press(key) {
                return Some(event);
            }
        }
        None
    }

    /// What has to be sent to the terminal since the last call.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Answers [`Event::Complete`].
    pub fn offer(&mut self, offer: Offer) {
        self.mode = Mode::Plain;
        match offer.candidates.as_slice() {
            [] => self.bell(),
            [only] => {
                let blank = if only.blank { " " } else { "" };
                self.replace_word(&offer.typed, &format!("{}{blank}", only.value));
                self.paint();
            }
            many => {
                let common = menu::common(many);
                let typed = if common.len() > offer.typed.len() {
                    self.replace_word(&offer.typed, &common);
                    common
                } else {
                    offer.typed
                };
                if self.painter.is_dumb() {
                    let rows = Menu::new(offer.candidates, typed).rows(80, 40);
                    let rows: Vec<String> = rows.into_iter().map(|(row, _)| row).collect();
                    self.show(&rows.join("\n"));
                } else {
                    self.mode = Mode::Menu(Menu::new(offer.candidates, typed));
                    self.paint();
                }
            }
        }
    }

    /// Prints text above the line, and the line again. Answers [`Event::Help`]; may be
    /// called at any time.
    pub fn show(&mut self, text: &str) {
        if matches!(self.mode, Mode::Waiting) {
            self.mode = Mode::Plain;
        }
        let asked = self.asked != Asked::Nothing;
        if asked {
            self.painter.erase(&mut self.out);
        }
        for line in text.lines() {
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        if asked {
            self.paint();
        }
    }

    /// The terminal has another size.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        if columns == 0 || rows == 0 {
            return;
        }
        self.painter.resize(columns.min(1000), rows.min(1000));
        if self.asked != Asked::Nothing {
            self.paint();
        }
    }

    /// Stops asking, with the line left as it stands.
    pub fn stop(&mut self) {
        if self.asked != Asked::Nothing {
            self.finish();
        }
    }

    /// Whether the terminal understands no escape sequences.
    pub fn is_dumb(&self) -> bool {
        self.painter.is_dumb()
    }

    /// Columns and rows of the terminal.
    pub fn size(&self) -> (usize, usize) {
        self.painter.size()
    }

    fn history<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn bell(&mut self) {
        self.out.push(0x07);
    }

    /// Shows the line for the last time and goes to the next row.
    fn finish(&mut self) {
        self.mode = Mode::Plain;
        self.line.end();
        self.paint();
        if !self.painter.is_dumb() {
            self.out.extend_from_slice(b"\x1b[?2004l");
        }
        self.out.extend_from_slice(b"\r\n");
        self.painter.fresh();
        self.asked = Asked::Nothing;
    }

    fn paint(&mut self) {
        let (columns, rows) = self.painter.size();
        let below = match &self.mode {
            Mode::Menu(menu) => menu.rows(columns, rows.saturating_sub(2).min(12)),
            _ => Vec::new(),
        };
        let found;
        let searching;
        let view = match &self.mode {
            _ if self.asked == Asked::Secret => {
                View { prompt: &self.prompt, before: "", after: "", below: &below }
            }
            Mode::Search { text, found: number, .. } => {
                searching = format!("(search)'{text}': ");
                found = number.and_then(|number| self.history(|all| all.line(number).map(str::to_owned)));
                let found = found.as_deref().unwrap_or_default();
                View { prompt: &searching, before: found, after: "", below: &below }
            }
            _ => View {
                prompt: &self.prompt,
                before: &self.line.before,
                after: &self.line.after,
                below: &below,
            },
        };
        self.painter.paint(&view, &mut self.out);
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.line.zeroize();
        self.queue.iter_mut().for_each(|key| *key = Key::Tab);
    }
}

/// What the fuzzer does with an editor: any bytes, cut into pieces by themselves, with
/// answers to all that it asks.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8], columns: usize) {
    let terminal = Terminal { columns, rows: columns / 2, dumb: columns.is_multiple_of(5) };
    let mut editor = Editor::new(terminal, Arc::default());
    editor.ask_command("> ");
    for (number, piece) in bytes.chunks(7).enumerate() {
        editor.feed(piece);
        while let Some(event) = editor.poll() {
            match event {
                Event::Line(_) | Event::Leave | Event::Secret(_) if number.is_multiple_of(3) => {
                    editor.ask_secret("? ")
                }
                Event::Line(_) | Event::Leave | Event::Secret(_) => editor.ask_command("> "),
                Event::Interrupt => editor.ask_answer("? "),
                Event::Help(before) => editor.show(&before),
                Event::Complete(before) => {
                    let typed = crate::words::partial(&before).typed;
                    let longer = |end| Candidate {
                        value: format!("{typed}{end}"),
                        about: before.clone(),
                        blank: true,
                    };
                    let candidates = ["", "a", "ab", "鍵"].map(longer).into_iter().take(number % 5).collect();
                    editor.offer(Offer { typed: typed.clone(), candidates });
                }
            }
        }
        if number % 11 == 10 {
            editor.resize(number % 40, number % 7);
        }
        let _ = editor.output();
    }
    editor.stop();
}
