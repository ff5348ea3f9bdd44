//! What each key does.

use zeroize::{Zeroize, Zeroizing};

use super::line::Line;
use super::{Asked, Editor, Event, Key, LONGEST, Mode, PASTED, Secret};

/// Lines that undo can bring back.
const UNDO: usize = 100;

impl Editor {
    pub(super) fn press(&mut self, key: Key) -> Option<Event> {
        // The event of an earlier key of the same byte was not answered, or there is none
        // to answer it.
        if self.asked == Asked::Nothing || matches!(self.mode, Mode::Waiting) {
            return None;
        }
        match key {
            Key::PasteBegins => {
                self.leave_menu();
                self.pasted.clear();
                return None;
            }
            Key::Pasted(c) => {
                self.paste(c);
                return None;
            }
            Key::PastedEnter => {
                if self.asked == Asked::Command && self.pasted.len() < PASTED {
                    self.pasted.push_back(String::new());
                }
                return None;
            }
            _ => {}
        }
        match &self.mode {
            Mode::Quoted => {
                self.mode = Mode::Plain;
                if let Key::Char(c) = key {
                    self.type_char(c);
                }
                None
            }
            Mode::Menu(_) => self.press_in_menu(key),
            Mode::Search { .. } => self.press_in_search(key),
            Mode::Plain | Mode::Waiting => self.press_plain(key),
        }
    }

    fn press_plain(&mut self, key: Key) -> Option<Event> {
        let command = self.asked == Asked::Command;
        match key {
            Key::Enter => return Some(self.enter()),
            Key::Ctrl('c') => {
                self.pasted.clear();
                self.finish();
                return Some(Event::Interrupt);
            }
            Key::Ctrl('d') if self.line.is_empty() => {
                self.finish();
                return Some(Event::Leave);
            }
            Key::Tab if command => {
                self.mode = Mode::Waiting;
                return Some(Event::Complete(self.line.before.clone()));
            }
            Key::Char('?') if command && !crate::words::partial(&self.line.before).quoted => {
                self.mode = Mode::Waiting;
                return Some(Event::Help(self.line.before.clone()));
            }
            Key::Char(c) => {
                self.type_char(c);
                return None;
            }
            Key::Ctrl('v') => {
                self.mode = Mode::Quoted;
                return None;
            }
            Key::Ctrl('r') if command => {
                let kept = self.line.clone();
                self.mode = Mode::Search { text: String::new(), found: None, kept };
            }
            Key::Ctrl('l') if !self.painter.is_dumb() => {
                self.out.extend_from_slice(b"\x1b[H\x1b[2J");
                self.painter.fresh();
            }
            Key::Ctrl('p') | Key::Up if command => self.recall(-1),
            Key::Ctrl('n') | Key::Down if command => self.recall(1),
            Key::Alt('<') if command => self.recall(isize::MIN),
            Key::Alt('>') if command => self.recall(isize::MAX),
            Key::Ctrl('_') => {
                if let Some(line) = self.undo.pop() {
                    self.line = line;
                }
            }
            _ => self.edit(key),
        }
        self.paint();
        None
    }

    /// Keys that change the line or move in it.
    fn edit(&mut self, key: Key) {
        let old = self.line.clone();
        let line = &mut self.line;
        let cut = match key {
            Key::Ctrl('k') => Some(std::mem::take(&mut line.after)),
            Key::Ctrl('u') => Some(std::mem::take(&mut line.before)),
            Key::Ctrl('w') => Some(line.cut_blank_left()),
            Key::AltBackspace => Some(line.cut_word_left()),
            Key::Alt('d') => Some(line.cut_word_right()),
            _ => None,
        };
        match key {
            Key::Ctrl('a') | Key::Home => line.home(),
            Key::Ctrl('e') | Key::End => line.end(),
            Key::Ctrl('b') | Key::Left => _ = line.left(),
            Key::Ctrl('f') | Key::Right => _ = line.right(),
            Key::Alt('b') | Key::WordLeft => line.word_left(),
            Key::Alt('f') | Key::WordRight => line.word_right(),
            Key::Backspace => _ = line.backspace(),
            Key::Delete | Key::Ctrl('d') => _ = line.delete(),
            Key::Ctrl('t') => line.transpose(),
            Key::Ctrl('y') if line.len() + self.cut.len() <= LONGEST => line.before.push_str(&self.cut),
            _ => {}
        }
        match cut {
            // What is typed without echo is kept nowhere.
            Some(mut cut) if self.asked == Asked::Secret => cut.zeroize(),
            Some(cut) if !cut.is_empty() => self.cut = cut,
            _ => {}
        }
        if old.len() != self.line.len() || key == Key::Ctrl('t') {
            self.remember(old);
        }
    }

    fn type_char(&mut self, c: char) {
        if self.line.len() + c.len_utf8() > LONGEST || c.is_control() {
            self.bell();
            return;
        }
        if self.asked == Asked::Secret {
            // Grown by hand, so that no copy stays behind in memory that was given back.
            if self.line.before.capacity() < self.line.before.len() + 4 {
                let mut grown = String::with_capacity(self.line.before.len() * 2 + 64);
                grown.push_str(&self.line.before);
                self.line.before.zeroize();
                self.line.before = grown;
            }
            self.line.insert(c);
            return;
        }
        // One step back undoes a word.
        if c == ' ' || self.undo.is_empty() {
            self.remember(self.line.clone());
        }
        self.line.insert(c);
        let mut bytes = [0; 4];
        let simple = self.line.after.is_empty() && !joins(c) && matches!(self.mode, Mode::Plain);
        if !(simple && self.painter.append(c.encode_utf8(&mut bytes), &mut self.out)) {
            self.paint();
        }
    }

    fn enter(&mut self) -> Event {
        if self.asked == Asked::Secret {
            self.line.end();
            let secret = Secret(Zeroizing::new(std::mem::take(&mut self.line.before)));
            self.finish();
            // The keys that were taken are still in the memory of the queue.
            let waiting = self.queue.len();
            while self.queue.len() < self.queue.capacity() {
                self.queue.push_back(Key::Tab);
            }
            self.queue.truncate(waiting);
            return Event::Secret(secret);
        }
        let command = self.asked == Asked::Command;
        self.finish();
        let text = std::mem::take(&mut self.line).text();
        if command {
            // What is remembered for other sessions is for whoever reads the line to say.
            self.again.zeroize();
            self.again.push_str(&text);
        }
        Event::Line(text)
    }

    /// How many earlier lines there are: those of the history, and the last one, if it is not among them.
    fn earlier(&self) -> usize {
        let (count, there) = self.history(|history| {
            let last = history.len().checked_sub(1).and_then(|last| history.line(last));
            (history.len(), last == Some(self.again.as_str()))
        });
        count + usize::from(!there && !self.again.is_empty())
    }

    fn earlier_line(&self, number: usize) -> Option<Line> {
        if let Some(line) = self.history(|history| history.line(number).map(Line::new)) {
            return Some(line);
        }
        (number < self.earlier()).then(|| Line::new(&self.again))
    }

    /// Shows an earlier or later line; the one being typed comes after the last.
    fn recall(&mut self, by: isize) {
        let count = self.earlier();
        let now = self.recalled.unwrap_or(count).min(count);
        let next = now.saturating_add_signed(by).min(count);
        if next == now {
            self.bell();
            return;
        }
        if now == count {
            self.typed = self.line.clone();
        }
        self.recalled = (next < count).then_some(next);
        self.line = match self.earlier_line(next).filter(|_| next < count) {
            Some(line) => line,
            None => std::mem::take(&mut self.typed),
        };
    }

    fn press_in_search(&mut self, key: Key) -> Option<Event> {
        let Mode::Search { text, found, kept } = &mut self.mode else { return None };
        let (mut text, mut found, kept) = (std::mem::take(text), *found, std::mem::take(kept));
        let all = self.history(|history| history.len());
        let from = match key {
            Key::Ctrl('r') => Some(found.unwrap_or(all)),
            Key::Char(c) if text.len() < 200 => {
                text.push(c);
                Some(found.map_or(all, |found| found + 1))
            }
            Key::Backspace => {
                text.pop();
                Some(all)
            }
            Key::Ctrl('g' | 'c') => {
                self.line = kept;
                self.mode = Mode::Plain;
                self.paint();
                return None;
            }
            _ => {
                // Any other key takes what was found and does what it does.
                self.line = match found.and_then(|n| self.history(|history| history.line(n).map(Line::new))) {
                    Some(line) => line,
                    None => kept,
                };
                self.mode = Mode::Plain;
                self.paint();
                return self.press_plain(key);
            }
        };
        let next = from.filter(|_| !text.is_empty()).and_then(|from| self.history(|h| h.search(&text, from)));
        if next.is_none() && !text.is_empty() {
            self.bell();
        }
        found = next.or(found.filter(|_| !text.is_empty()));
        self.mode = Mode::Search { text, found, kept };
        self.paint();
        None
    }

    fn press_in_menu(&mut self, key: Key) -> Option<Event> {
        let Mode::Menu(menu) = &mut self.mode else { return None };
        match key {
            Key::Tab | Key::Down | Key::Ctrl('n') | Key::BackTab | Key::Up | Key::Ctrl('p') => {
                let value = menu.choose(matches!(key, Key::Tab | Key::Down | Key::Ctrl('n')));
                let old = std::mem::replace(&mut menu.inserted, value.clone());
                self.replace_word(&old, &value);
            }
            Key::Enter if menu.chosen().is_some() => {
                let blank = menu.chosen().is_some_and(|chosen| chosen.blank);
                self.mode = Mode::Plain;
                if blank {
                    self.line.insert(' ');
                }
            }
            Key::Ctrl('g') => {
                let (old, typed) = (menu.inserted.clone(), menu.typed.clone());
                self.replace_word(&old, &typed);
                self.mode = Mode::Plain;
            }
            _ => {
                self.leave_menu();
                return self.press_plain(key);
            }
        }
        self.paint();
        None
    }

    fn leave_menu(&mut self) {
        if matches!(self.mode, Mode::Menu(_)) {
            self.mode = Mode::Plain;
            self.paint();
        }
    }

    /// Puts `new` in place of the `old` end of what is before the cursor.
    pub(super) fn replace_word(&mut self, old: &str, new: &str) {
        let Some(kept) = self.line.before.strip_suffix(old).map(str::len) else { return };
        if self.line.len() + new.len() > LONGEST {
            self.bell();
            return;
        }
        self.remember(self.line.clone());
        self.line.before.truncate(kept);
        self.line.before.push_str(new);
    }

    /// Pasted text never runs by itself: its first line is typed, and the others come, one
    /// after the other, with the next prompts.
    fn paste(&mut self, c: char) {
        match self.pasted.back_mut() {
            Some(line) if line.len() + c.len_utf8() <= LONGEST && !c.is_control() => line.push(c),
            Some(_) => {}
            None => self.type_char(c),
        }
    }

    fn remember(&mut self, line: Line) {
        if self.asked == Asked::Secret {
            return;
        }
        if self.undo.len() == UNDO {
            self.undo.remove(0);
        }
        self.undo.push(line);
    }
}

/// Whether a character may join the one before it, so that the row has to be drawn anew.
fn joins(c: char) -> bool {
    !c.is_ascii()
        && (unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) == 0
            || matches!(u32::from(c), 0x1100..=0x11ff | 0x1f1e6..=0x1f1ff | 0x1f3fb..=0x1f3ff)
            || !c.is_alphanumeric())
}
