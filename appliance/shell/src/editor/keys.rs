//! Bytes from a terminal become keys. Escape sequences are those of xterm and of what
//! imitates it (ECMA-48 CSI, application mode SS3, "modifyOtherKeys" for arrows).

use vte::{Params, Parser, Perform};

/// An escape sequence that does not end is forgotten after as many bytes, so that it
/// cannot fill the memory.
const LONGEST_SEQUENCE: usize = 1024;

/// One key, or what a terminal says in place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that stands for itself.
    Char(char),
    /// Control and a letter, which is given in lower case.
    Ctrl(char),
    /// Alt (or Escape before) and a character.
    Alt(char),
    /// Return.
    Enter,
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Deletes to the left.
    Backspace,
    AltBackspace,
    /// Deletes to the right.
    Delete,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// Control or Alt and an arrow.
    WordLeft,
    /// Control or Alt and an arrow.
    WordRight,
    /// To the start of the line.
    Home,
    /// To the end of the line.
    End,
    PageUp,
    PageDown,
    /// A character that was pasted (xterm's mode 2004).
    Pasted(char),
    /// The end of a pasted line.
    PastedEnter,
    PasteBegins,
    /// The end of a paste; nobody sees it.
    #[doc(hidden)]
    PasteEnds,
}

/// Makes keys of bytes, however they are cut into pieces.
pub struct Keys {
    parser: Parser,
    seen: Seen,
    /// The last byte was an Escape that began nothing yet.
    escape: bool,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    returned: bool,
    /// Bytes since the last key.
    silent: usize,
    /// Between the marks of a paste.
    pasting: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            parser: Parser::new(),
            seen: Seen::default(),
            escape: false,
            returned: false,
            silent: 0,
            pasting: false,
        }
    }
}

impl Keys {
    /// Takes one byte; gives the key that it completes. A byte completes two keys at most
    /// (an unfinished character and the one that broke it), so the answer is a pair.
    pub fn take(&mut self, byte: u8) -> [Option<Key>; 2] {
        let after_escape = std::mem::replace(&mut self.escape, byte == 0x1b);
        let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
        if after_return && byte == b'\n' {
            return [None, None];
        }
        // The parser drops a DEL inside of an escape sequence (as a VT100 does), but
        // terminals send it for Alt and Backspace.
        if after_escape && matches!(byte, 0x7f | 0x08) {
            self.parser = Parser::new();
            return [self.pasted(Key::AltBackspace), None];
        }
        self.parser.advance(&mut self.seen, &[byte]);
        let keys = std::mem::take(&mut self.seen.keys);
        self.silent = if keys[0].is_some() { 0 } else { self.silent + 1 };
        if self.silent > LONGEST_SEQUENCE {
            self.parser = Parser::new();
            self.seen = Seen::default();
            self.silent = 0;
        }
        keys.map(|key| key.and_then(|key| self.pasted(key)))
    }

    /// What is pasted is text and nothing else, whatever it holds.
    fn pasted(&mut self, key: Key) -> Option<Key> {
        match key {
            Key::PasteBegins => {
                let inside = std::mem::replace(&mut self.pasting, true);
                (!inside).then_some(key)
            }
            Key::PasteEnds => {
                self.pasting = false;
                None
            }
            key if !self.pasting => Some(key),
            Key::Char(c) => Some(Key::Pasted(c)),
            Key::Tab => Some(Key::Pasted(' ')),
            Key::Enter => Some(Key::PastedEnter),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Seen {
    keys: [Option<Key>; 2],
    /// `ESC O`: the next character is a key of the application mode.
    application: bool,
}

impl Seen {
    fn key(&mut self, key: Key) {
        let [first, second] = &mut self.keys;
        *if first.is_none() { first } else { second } = Some(key);
    }
}

impl Perform for Seen {
    fn print(&mut self, c: char) {
        if std::mem::take(&mut self.application) {
            if let Some(key) = letter(c, false) {
                self.key(key);
            }
            return;
        }
        self.key(if c == '\u{7f}' { Key::Backspace } else { Key::Char(c) });
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' | b'\n' => self.key(Key::Enter),
            b'\t' => self.key(Key::Tab),
            0x08 => self.key(Key::Backspace),
            1..=26 => self.key(Key::Ctrl(char::from(byte + b'a' - 1))),
            0x1f => self.key(Key::Ctrl('_')),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        let mut numbers = params.iter().map(|param| param.first().copied().unwrap_or(0));
        let first = numbers.next().unwrap_or(0);
        let modified = numbers.next().is_some_and(|modifier| modifier > 2);
        let key = match (action, first) {
            ('~', 1 | 7) => Some(Key::Home),
            ('~', 3) => Some(Key::Delete),
            ('~', 4 | 8) => Some(Key::End),
            ('~', 5) => Some(Key::PageUp),
            ('~', 6) => Some(Key::PageDown),
            ('~', 200) => Some(Key::PasteBegins),
            ('~', 201) => Some(Key::PasteEnds),
            ('Z', _) => Some(Key::BackTab),
            _ => letter(action, modified),
        };
        if let Some(key) = key {
            self.key(key);
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        // `ESC .` and its like are taken for the first byte of a longer sequence,
        // which no terminal sends.
        if !intermediates.is_empty() {
            return;
        }
        match byte {
            b'O' => self.application = true,
            0x20..=0x7e => self.key(Key::Alt(char::from(byte))),
            _ => {}
        }
    }
}

fn letter(c: char, modified: bool) -> Option<Key> {
    Some(match c {
        'A' => Key::Up,
        'B' => Key::Down,
        'C' if modified => Key::WordRight,
        'C' => Key::Right,
        'D' if modified => Key::WordLeft,
        'D' => Key::Left,
        'F' => Key::End,
        'H' => Key::Home,
        'M' => Key::Enter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().flat_map(|byte| keys.take(*byte)).flatten().collect()
    }

    #[test]
    fn terminals_are_understood() {
        // What xterm, the Linux console, PuTTY and screen send; recorded with `cat -v`.
        let cases: &[(&[u8], &[Key])] = &[
            (b"a\xc3\xa4\xe9\x8d\xb5", &[Key::Char('a'), Key::Char('ä'), Key::Char('鍵')]),
            (b"\r", &[Key::Enter]),
            (b"\r\n\n", &[Key::Enter, Key::Enter]),
            (b"\x7f\x08", &[Key::Backspace, Key::Backspace]),
            (b"\x1b\x7f", &[Key::AltBackspace]),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", &[Key::Up, Key::Down, Key::Right, Key::Left]),
            (b"\x1bOA\x1bOC\x1bOH\x1bOF", &[Key::Up, Key::Right, Key::Home, Key::End]),
            (b"\x1b[1;5C\x1b[1;3D\x1b[1;2C", &[Key::WordRight, Key::WordLeft, Key::Right]),
            (
                b"\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1b[H\x1b[F",
                &[Key::Home, Key::End, Key::Home, Key::End, Key::Home, Key::End],
            ),
            (b"\x1b[3~\x1b[5~\x1b[6~\x1b[Z", &[Key::Delete, Key::PageUp, Key::PageDown, Key::BackTab]),
            (b"\x1bb\x1bf\x1bd", &[Key::Alt('b'), Key::Alt('f'), Key::Alt('d')]),
            (b"\x01\x05\x12\x1f", &[Key::Ctrl('a'), Key::Ctrl('e'), Key::Ctrl('r'), Key::Ctrl('_')]),
            (
                b"\x1b[200~x\x03\r\x1b[201~y",
                &[Key::PasteBegins, Key::Pasted('x'), Key::PastedEnter, Key::Char('y')],
            ),
            // Answers to questions that nobody asked, the mouse, focus: no key.
            (b"\x1b[?1;2c\x1b[I\x1b[O\x1b]11;rgb:0/0/0\x1b\\", &[Key::Alt('\\')]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(keys(bytes), *expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_no_utf8_becomes_one_sign() {
        assert_eq!(keys(b"\xffa"), [Key::Char('\u{fffd}'), Key::Char('a')]);
        assert_eq!(keys(b"\xc3a"), [Key::Char('\u{fffd}'), Key::Char('a')]);
    }

    #[test]
    fn an_endless_sequence_is_forgotten() {
        let mut bytes = b"\x1b]".to_vec();
        bytes.resize(5000, b'x');
        assert!(keys(&bytes).len() > 3000);
    }
}
